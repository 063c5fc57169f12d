//! What modules say, in lines for people. Pure.

use similar::TextDiff;

use crate::ui::harmless;

/// What a module says, for people: a node may have put it so that it gives the terminal orders, or looks like lines of ours.
pub(crate) fn said(text: &str) -> String {
    let mut lines = text.lines().map(harmless);
    let first = lines.next().unwrap_or_default().into_owned();
    lines.fold(first, |all, line| {
        let indent = if line.starts_with("    ") { "" } else { "    " };
        format!("{all}\n{indent}{line}")
    })
}

/// Something that is there, or is to be, in place of something else; texts of several lines as their difference.
pub(super) fn shown(what: &str, from: Option<&str>, to: Option<&str>) -> String {
    let what = said(what);
    let is_long = |text: Option<&str>| text.is_some_and(|text| text.trim_end().contains('\n'));
    if is_long(from) || is_long(to) {
        let lines = difference(from.unwrap_or_default(), to.unwrap_or_default());
        return format!("{what}{lines}");
    }
    // A whole file ends with the end of a line; nothing at all is seen as such.
    let word = |text: &str| match text.trim_end() {
        "" => "''".to_owned(),
        text => said(text),
    };
    match (from.map(word), to.map(word)) {
        (None, None) => what,
        (None, Some(to)) => format!("{what}: {to}"),
        (Some(from), None) => format!("{what}: {from} -> nothing"),
        (Some(from), Some(to)) => format!("{what}: {from} -> {to}"),
    }
}

/// Lines that differ, each with what it has beside letters written out.
fn difference(from: &str, to: &str) -> String {
    // A program may have taken a text without the end of its last line, which is told where nothing else differs.
    let ended =
        |text: &str| if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    let whole = [ended(from), ended(to)];
    let is_end = whole[0] == whole[1];
    let [from, to] = if is_end { [from.to_owned(), to.to_owned()] } else { whole };
    let diff = TextDiff::from_lines(&from, &to);
    let diff = diff.unified_diff().context_radius(2).missing_newline_hint(is_end).to_string();
    diff.trim_end_matches('\n').split('\n').map(|line| format!("\n    {}", harmless(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_seen() {
        let check =
            |from: &str, to: &str, expected: &str| assert_eq!(difference(from, to).trim_start_matches('\n'), expected);
        check("a\nb", "a\nb\nc\n", "    @@ -1,2 +1,3 @@\n     a\n     b\n    +c");
        check("a\nb", "a\nb\n", "    @@ -1,2 +1,2 @@\n     a\n    -b\n    \\ No newline at end of file\n    +b");
        check("a\r\nb\n", "a\nb\n", "    @@ -1,2 +1,2 @@\n    -a\\r\n    +a\n     b");
        check("", "a\nb\n", "    @@ -0,0 +1,2 @@\n    +a\n    +b");
    }
}
