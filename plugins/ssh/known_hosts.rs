//! The keys by which we know hosts, in OpenSSH's `known_hosts` files.
//!
//! The files are read here line by line, so that an error can name the line; libssh2 is asked only to match hashed
//! names. It knows neither patterns nor markers, and takes a key of another type for a stranger's.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ssh2::{CheckResult, HashType, KnownHostFileKind, Session};

use super::connection::Target;
use crate::{Error, Result, Settings};

/// A line that speaks of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    file: PathBuf,
    line: usize,
    /// Such as `ssh-ed25519`.
    kind: String,
    key: String,
    revoked: bool,
}

impl Known {
    /// Would a host show this key when asked by that signature algorithm? An RSA key serves three of them.
    pub(super) fn is_for(&self, algorithm: &str) -> bool {
        !self.revoked && (self.kind == algorithm || (self.kind == "ssh-rsa" && algorithm.starts_with("rsa-sha2-")))
    }

    fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// Finds the lines that speak of the host; files that do not exist hold none.
pub(super) fn find(target: &Target, files: &[PathBuf]) -> Result<Vec<Known>> {
    let mut known = Vec::new();
    for file in files {
        let text = match fs::read(file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(Error::File { doing: "read", path: file.display().to_string(), source }),
        };
        let lines = text.lines().enumerate();
        known.extend(lines.filter_map(|(index, line)| parse(line, &name(target), file, index + 1)));
    }
    Ok(known)
}

/// Accepts a host whose key we know. An unknown host is added if the settings say so; a changed key is always refused.
pub(super) fn check(session: &Session, target: &Target, settings: &Settings, known: &[Known]) -> Result<()> {
    let denied = |why| Err(Error::Denied { what: format!("host key of {target}"), why });
    let Some((key, _)) = session.host_key() else { return denied("the host showed none".into()) };
    let print = session.host_key_hash(HashType::Sha256).map(base64).unwrap_or_default();
    let shown = format!("{} SHA256:{}", kind(key), print.trim_end_matches('='));
    let encoded = base64(key);
    let same: Vec<_> = known.iter().filter(|entry| entry.key == encoded).collect();
    if let Some(revoked) = same.iter().find(|entry| entry.revoked) {
        return denied(format!("{shown} is revoked in {}", revoked.place()));
    }
    if !same.is_empty() {
        return Ok(());
    }
    let other = known.iter().filter(|entry| !entry.revoked);
    if let Some(changed) = other.min_by_key(|entry| entry.kind != kind(key)) {
        return denied(format!(
            "it has changed: the host shows {shown}, which is not the key in {}; \
             someone may be listening in, or the host was installed anew and that line has to go",
            changed.place(),
        ));
    }
    let Some(file) = settings.known_hosts.first() else { return denied("there is no known_hosts file".into()) };
    if !settings.accept_new_host_keys {
        return denied(format!("unknown host: {shown} is not in {}", file.display()));
    }
    add(file, &format!("{} {} {encoded}\n", name(target), kind(key))).map_err(|source| Error::File {
        doing: "write",
        path: file.display().to_string(),
        source,
    })
}

/// What the files call the host.
fn name(target: &Target) -> String {
    let host = target.host.to_ascii_lowercase();
    if target.port == 22 { host } else { format!("[{host}]:{}", target.port) }
}

fn parse(line: &str, name: &str, file: &Path, number: usize) -> Option<Known> {
    let line = line.trim();
    let (marker, rest) = match line.strip_prefix('@') {
        Some(rest) => rest.split_once(char::is_whitespace)?,
        None => ("", line),
    };
    let mut fields = rest.split_whitespace();
    let (hosts, kind, key) = (fields.next()?, fields.next()?, fields.next()?);
    // A certificate authority's key is none that a host shows by itself, and libssh2 takes no certificates.
    if hosts.starts_with('#') || marker == "cert-authority" {
        return None;
    }
    let matches = if hosts.starts_with('|') { matches_hash(rest, name) } else { matches_list(hosts, name) };
    matches.then(|| Known {
        file: file.into(),
        line: number,
        kind: kind.into(),
        key: key.into(),
        revoked: marker == "revoked",
    })
}

/// Asks libssh2, which has the HMAC; the key is of no matter.
fn matches_hash(line: &str, name: &str) -> bool {
    let asked = Session::new().and_then(|session| {
        let mut hosts = session.known_hosts()?;
        hosts.read_str(line, KnownHostFileKind::OpenSSH)?;
        Ok(hosts.check(name, b"any"))
    });
    matches!(asked, Ok(CheckResult::Match | CheckResult::Mismatch))
}

/// Patterns separated by commas; one that starts with `!` and matches excludes the host.
fn matches_list(patterns: &str, name: &str) -> bool {
    let (excluded, included): (Vec<_>, Vec<_>) = patterns.split(',').partition(|pattern| pattern.starts_with('!'));
    let hit = |pattern: &str| matches_pattern(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes());
    included.into_iter().any(hit) && !excluded.into_iter().any(|pattern| hit(&pattern[1..]))
}

fn matches_pattern(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), None) => matches_pattern(rest, name),
        (Some((b'*', rest)), Some((_, later))) => matches_pattern(rest, name) || matches_pattern(pattern, later),
        (Some((b'?', rest)), Some((_, later))) => matches_pattern(rest, later),
        (Some((wanted, rest)), Some((found, later))) => wanted == found && matches_pattern(rest, later),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn add(file: &Path, line: &str) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let torn = fs::read(file).is_ok_and(|bytes| bytes.last().is_some_and(|&last| last != b'\n'));
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
    // One write: several of us may be adding hosts.
    file.write_all(format!("{}{line}", if torn { "\n" } else { "" }).as_bytes())
}

/// A public key begins with its type: a length of four bytes, then the name (RFC 4253 section 6.6).
fn kind(key: &[u8]) -> String {
    let length = key.first_chunk().map_or(0, |&bytes| u32::from_be_bytes(bytes) as usize);
    let name = key.get(4..).and_then(|rest| rest.get(..length)).unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let at = |index| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = (at(0) << 16) | (at(1) << 8) | at(2);
        let digit = move |shift: u32| char::from(DIGITS[(bits >> shift) as usize & 63]);
        let padded = |index, shift| if three.len() > index { digit(shift) } else { '=' };
        [digit(18), digit(12), padded(1, 6), padded(2, 0)]
    };
    bytes.chunks(3).flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_openssh() {
        let check = |patterns: &str, name: &str, expected: bool| {
            assert_eq!(matches_list(patterns, name), expected, "{patterns} {name}");
        };
        check("n1", "n1", true);
        check("n1", "n11", false);
        check("n2,N1", "n1", true);
        check("n?", "n1", true);
        check("*.cluster,!login.*", "n1.cluster", true);
        check("*.cluster,!login.*", "login.cluster", false);
        check("[10.0.0.1]:2222", "[10.0.0.1]:2222", true);
        check("10.0.0.1", "[10.0.0.1]:2222", false);
    }

    #[test]
    fn lines_are_read_with_their_markers() {
        let check = |line: &str, expected: Option<(&str, bool)>| {
            let found = parse(line, "n1", Path::new("f"), 1);
            assert_eq!(found.as_ref().map(|known| (known.kind.as_str(), known.revoked)), expected, "{line}");
        };
        check("n1 ssh-ed25519 AAAA comment", Some(("ssh-ed25519", false)));
        check("@revoked n1 ssh-rsa AAAA", Some(("ssh-rsa", true)));
        check("@cert-authority * ssh-rsa AAAA", None);
        check("# n1 ssh-rsa AAAA", None);
        check("n1 ssh-rsa", None);
        check("", None);
        // ssh-keygen -H of a line for n1, and the same for another host.
        check("|1|c2FsdHNhbHRzYWx0c2FsdHNhbHQ=|AAAA ssh-rsa AAAA", None);
    }

    #[test]
    fn base64_pads() {
        let check = |bytes: &[u8], expected: &str| assert_eq!(base64(bytes), expected);
        check(b"", "");
        check(b"f", "Zg==");
        check(b"fo", "Zm8=");
        check(b"foo", "Zm9v");
        check(b"foob", "Zm9vYg==");
        check(&[255, 254, 253], "//79");
    }
}
