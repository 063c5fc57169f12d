//! A command line cut into words as a shell would, for tests that read as a terminal session.

/// The words of `line`: white space separates, quotes and backslashes keep it. Nothing is expanded.
///
/// # Panics
/// If a quote is not closed.
pub(crate) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, space) if space.is_whitespace() => words.extend(word.take()),
            (None, '\\') => word.get_or_insert_default().extend(letters.next()),
            (Some('"'), '\\') => push_escaped(word.get_or_insert_default(), letters.next()),
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    assert!(quote.is_none(), "a quote is not closed: {line}");
    words.extend(word);
    words
}

/// Between double quotes a backslash is a letter like others, unless what follows means something there.
fn push_escaped(word: &mut String, letter: Option<char>) {
    if !matches!(letter, Some('"' | '\\' | '$' | '`')) {
        word.push('\\');
    }
    word.extend(letter);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_a_shell_does() {
        let check = |line: &str, expected: &[&str]| assert_eq!(split(line), expected, "{line}");
        check("", &[]);
        check("  rpower  n1-n3   stat ", &["rpower", "n1-n3", "stat"]);
        check("chdef n1 command='sleep 10'", &["chdef", "n1", "command=sleep 10"]);
        check(r#"a "b c"d '' "\"x\" \d" e\ f"#, &["a", "b cd", "", r#""x" \d"#, "e f"]);
        check(r#"'|n(\d+)|10.0.0.($1+0)|' "it's""#, &[r"|n(\d+)|10.0.0.($1+0)|", "it's"]);
    }
}
