//! The small formats that attributes share: lists, pairs, sizes, times, yes and no, shell words.

use std::str::FromStr;
use std::time::Duration;

const KILO: u64 = 1024;

/// Splits at `separator`, trims, and refuses empty items: a stray comma is a mistake, not an item.
pub(super) fn list(text: &str, separator: char) -> Result<Vec<&str>, String> {
    text.split(separator)
        .map(|item| Some(item.trim()).filter(|item| !item.is_empty()).ok_or(item))
        .map(|item| item.map_err(|_| format!("'{text}' has an empty item")))
        .collect()
}

/// Splits at `|`; `\|` stands for the character itself, any other backslash is left alone.
pub(super) fn bars(text: &str) -> Result<Vec<String>, String> {
    let mut items = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        let escaped = letter == '\\' && rest.peek() == Some(&'|');
        match (letter, items.last_mut()) {
            ('|', _) => items.push(String::new()),
            (_, Some(item)) => item.push(if escaped { rest.next().unwrap_or(letter) } else { letter }),
            (_, None) => (),
        }
    }
    if items.iter().any(String::is_empty) {
        return Err(format!("'{text}' has an empty item"));
    }
    Ok(items)
}

/// `NAME=VALUE`; the value may be empty and may hold more equals signs.
pub(super) fn pair(item: &str) -> Result<(&str, &str), String> {
    let (name, value) = item.split_once('=').ok_or_else(|| format!("'{item}' has no '='"))?;
    let name = name.trim();
    if name.is_empty() {
        return Err(format!("'{item}' has no name before '='"));
    }
    Ok((name, value))
}

pub(super) fn yes_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "y" | "true" | "1" => Ok(true),
        "no" | "n" | "false" | "0" => Ok(false),
        _ => Err(format!("'{text}' is neither yes nor no")),
    }
}

/// A size in bytes; a bare number is in MB as in xCAT, `K M G T` are powers of 1024, a fraction is allowed.
pub(in super::super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a size");
    let upper = text.trim().to_ascii_uppercase();
    let bare = upper.strip_suffix("IB").or_else(|| upper.strip_suffix('B')).unwrap_or(&upper);
    let (number, unit) = match bare.char_indices().last() {
        Some((at, 'K')) => (&bare[..at], KILO),
        Some((at, 'M')) => (&bare[..at], KILO.pow(2)),
        Some((at, 'G')) => (&bare[..at], KILO.pow(3)),
        Some((at, 'T')) => (&bare[..at], KILO.pow(4)),
        _ if bare.len() != upper.len() => (bare, 1),
        _ => (bare, KILO.pow(2)),
    };
    let thousandths = decimal(number.trim(), 3).ok_or_else(wrong)?;
    let bytes = thousandths * u128::from(unit) / 1000;
    u64::try_from(bytes).ok().filter(|&bytes| bytes <= i64::MAX as u64).ok_or_else(wrong)
}

/// `512M` for 536870912: the largest unit that leaves a whole number.
pub(in super::super) fn size_text(bytes: i64) -> String {
    let units = [("T", KILO.pow(4)), ("G", KILO.pow(3)), ("M", KILO.pow(2)), ("K", KILO)];
    let Ok(size) = u64::try_from(bytes) else { return bytes.to_string() };
    let fitting = units.iter().find(|(_, unit)| size > 0 && size.is_multiple_of(*unit));
    fitting.map_or_else(|| format!("{size}B"), |(letter, unit)| format!("{}{letter}", size / unit))
}

/// A non-negative decimal number, scaled by ten to the power of `digits`; more digits than that are refused.
pub(super) fn decimal(text: &str, digits: usize) -> Option<u128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !digits_only(whole) || !digits_only(part) || part.len() > digits || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    format!("{whole}{part:0<digits$}").parse().ok()
}

/// A whole number of plain digits; Rust's own parser would take a `+` as well.
pub(super) fn whole<T: FromStr>(text: &str) -> Option<T> {
    if digits_only(text) { text.parse().ok() } else { None }
}

fn digits_only(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `1.5` for 1500000000 billionths.
pub(in super::super) fn fraction_text(billionths: i64) -> String {
    let text = format!("{}.{:09}", billionths / 1_000_000_000, (billionths % 1_000_000_000).abs());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A time such as `30s`, `1m30s` or `500ms`; a bare number is in seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a time such as 30s or 1m30s");
    if let Some(seconds) = whole::<u32>(text) {
        return Ok(Duration::from_secs(seconds.into()));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u32 = rest[..digits].parse().map_err(|_| wrong())?;
        let tail = &rest[digits..];
        let unit_end = tail.find(|letter: char| letter.is_ascii_digit()).unwrap_or(tail.len());
        let unit = match &tail[..unit_end] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(wrong()),
        };
        total = total.saturating_add(unit.saturating_mul(number));
        rest = &tail[unit_end..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// A command line: a JSON array of strings as it is, anything else split as a shell splits words (quotes and
/// backslashes; no variables, no globs).
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text)
            .map_err(|error| format!("'{text}' is not a JSON array of strings ({error})"));
    }
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' | '"' => quoted(&mut letters, letter, word.get_or_insert_default())
                .ok_or_else(|| format!("'{text}' has an unclosed {letter}"))?,
            '\\' => word
                .get_or_insert_default()
                .push(letters.next().ok_or_else(|| format!("'{text}' ends in a backslash"))?),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    if words.is_empty() { Err("no words".into()) } else { Ok(words) }
}

/// Appends what stands before the closing quote; None when it never comes.
fn quoted(letters: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Option<()> {
    loop {
        let letter = letters.next()?;
        if letter == quote {
            return Some(());
        }
        if letter != '\\' || quote == '\'' {
            word.push(letter);
            continue;
        }
        // Within double quotes a backslash is special before these alone (POSIX shell, 2.2.3).
        match letters.next()? {
            special @ ('"' | '\\' | '$' | '`') => word.push(special),
            other => word.extend(['\\', other]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(size(text).ok(), expected, "{text}");
        check("512", Some(512 << 20));
        check("512M", Some(512 << 20));
        check("512mb", Some(512 << 20));
        check("4 GiB", Some(4 << 30));
        check("64k", Some(64 << 10));
        check("1.5G", Some(3 << 29));
        check("100B", Some(100));
        check("1T", Some(1 << 40));
        for wrong in ["", "M", "-1", "1x", "1e3", ".", "1.2345G", "99999999999T", "1 2"] {
            check(wrong, None);
        }
    }

    #[test]
    fn shell_words() {
        let check = |text: &str, expected: &[&str]| assert_eq!(words(text).expect(text), expected, "{text}");
        check("sleep 10", &["sleep", "10"]);
        check("  sh -c 'a  b'\t", &["sh", "-c", "a  b"]);
        check(r#"sh -c "echo \"$HOME\" \x""#, &["sh", "-c", r#"echo "$HOME" \x"#]);
        check(r"a\ b ''", &["a b", ""]);
        check(r#"["sh","-c","a b"]"#, &["sh", "-c", "a b"]);
        for wrong in ["", "  ", "'a", "\"a", "a\\", "[1]", "[\"a\"", "\"a\\"] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(duration(text).ok(), expected.map(Duration::from_millis), "{text}");
        };
        check("30", Some(30_000));
        check("30s", Some(30_000));
        check("1m30s", Some(90_000));
        check("500ms", Some(500));
        check("2h", Some(7_200_000));
        for wrong in ["", "s", "1d", "1m30", "-1s"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_bar_inside_a_value_is_escaped() {
        assert_eq!(bars(r"A=x\|y|B=\n").expect("two items"), [r"A=x|y", r"B=\n"]);
        assert!(bars("A=1||B=2").is_err());
        assert!(bars("").is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>()) {
            let _ = (size(&text), words(&text), duration(&text), bars(&text), list(&text, ','), decimal(&text, 9));
        }

        #[test]
        fn a_shown_size_reads_back(bytes in 0i64..=i64::MAX) {
            prop_assert_eq!(size(&size_text(bytes)), Ok(bytes.unsigned_abs()));
        }

        #[test]
        fn a_shown_fraction_reads_back(billionths in 0i64..=i64::MAX / 2) {
            prop_assert_eq!(decimal(&fraction_text(billionths), 9), Some(billionths.unsigned_abs().into()));
        }

        #[test]
        fn any_words_survive_single_quotes(given in prop::collection::vec("[^']*", 1..5)) {
            let line = given.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(words(&line), Ok(given));
        }
    }
}
