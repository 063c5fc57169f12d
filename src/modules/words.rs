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
        // A text that a program has taken without the end of its last line is no other one for that.
        let ended = |text: Option<&str>| {
            text.map(|text| format!("{}\n", text.strip_suffix('\n').unwrap_or(text))).unwrap_or_default()
        };
        let (from, to) = (ended(from), ended(to));
        let diff = TextDiff::from_lines(&from, &to);
        let diff = diff.unified_diff().context_radius(2).missing_newline_hint(false).to_string();
        let lines: String = diff.lines().map(|line| format!("\n    {}", harmless(line))).collect();
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
