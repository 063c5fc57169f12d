//! Rows as lines: in columns when a person reads them, with single spaces for awk otherwise.

/// One line a row; rows may be of different lengths.
pub(crate) fn columns(rows: &[Vec<String>], aligned: bool) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let width = |column: usize| rows.iter().map(|row| length(row, column)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(|column| if aligned { width(column) } else { 0 }).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join(" ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_for_people_only() {
        let row = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let rows = [row("c1 running - i"), row("c10 off - i2 moved")];
        assert_eq!(columns(&rows, true), ["c1  running - i", "c10 off     - i2 moved"]);
        assert_eq!(columns(&rows, false), ["c1 running - i", "c10 off - i2 moved"]);
        assert_eq!(columns(&[], true), [""; 0]);
    }
}
