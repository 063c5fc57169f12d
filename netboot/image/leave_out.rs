//! What is left out of an image: a list of xCAT's shape (column `exlist`), and what belongs to the machine where the root was made.
//!
//! A line is a pattern of a path from the root, such as `./usr/share/man*`; `*` fits slashes too, as find's `-path` has it. With `+` in
//! front it brings back what another line left out.

/// Never in an image: keys and names of one machine, what is made anew, what stands for the kernel's own.
const NEVER: &[&str] = &[
    "./dev/*",
    "./proc/*",
    "./run/*",
    "./sys/*",
    "./tmp/*",
    "./var/tmp/*",
    "./boot/initrd*",
    "./etc/ssh/ssh_host_*",
    "./etc/hostname",
    "./etc/resolv.conf",
    "./var/lib/dbus/machine-id",
    "./var/lib/systemd/random-seed",
    "./var/cache/apt/*.bin",
    "./var/cache/apt/archives/*.deb",
    "./var/lib/apt/lists/*",
    "./var/cache/ldconfig/aux-cache",
    "./var/log/*.log",
    "./var/log/apt/*",
    "./var/log/journal/*",
    "./etc/*-",
];

/// Which paths stay out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaveOut {
    patterns: Vec<String>,
    kept: Vec<String>,
}

impl LeaveOut {
    /// Of the text of a list.
    pub fn parse(text: &str) -> Self {
        let mut list = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix('+') {
                Some(kept) => list.kept.push(kept.trim().to_owned()),
                None => list.patterns.push(line.to_owned()),
            }
        }
        list
    }

    /// Whether a path such as `./usr/bin/vi` stays out.
    pub fn has(&self, path: &str) -> bool {
        let fits = |pattern: &String| fits(pattern.as_bytes(), path.as_bytes());
        NEVER.iter().any(|pattern| self::fits(pattern.as_bytes(), path.as_bytes()))
            || self.patterns.iter().any(fits) && !self.kept.iter().any(fits)
    }
}

/// Whether a pattern with `*` and `?` fits a text as a whole.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    // Where to go on when what follows the last star did not fit: one letter further.
    let (mut at, mut position, mut star, mut from) = (0, 0, None, 0);
    while position < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some(at);
                from = position;
                at += 1;
            }
            Some(&letter) if letter == b'?' || letter == text[position] => {
                at += 1;
                position += 1;
            }
            _ => {
                let Some(star) = star else { return false };
                from += 1;
                position = from;
                at = star + 1;
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_those_of_find() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(fits(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        };
        check("./boot*", "./boot", true);
        check("./boot*", "./boot/vmlinuz", true);
        check("./boot*", "./usr/boot", false);
        check("./usr/*/man?", "./usr/share/x/man1", true);
        check("./usr/*/man?", "./usr/share/man", false);
        check("*a*b*a", "xxabbba", true);
        check("*a*b*a", "xxabbb", false);
        check("", "", true);
        check("", "a", false);
    }

    #[test]
    fn a_plus_brings_back() {
        let list = LeaveOut::parse("# small\n./usr/share/locale/*\n+./usr/share/locale/en*\n");
        assert!(list.has("./usr/share/locale/de/x") && !list.has("./usr/share/locale/en/x"));
        assert!(!list.has("./usr/share/locale"));
        assert!(list.has("./etc/ssh/ssh_host_rsa_key"), "a key of the image would be every node's");
        assert!(list.has("./etc/passwd-") && !list.has("./etc/passwd"));
    }
}
