//! Lists in a cell: words put at the end or the beginning, and taken out.
//!
//! What separates the words is the column's matter; a comma unless its values may hold one.

/// The words of a comma-separated cell.
pub fn words(cell: &str) -> impl Iterator<Item = &str> {
    split(cell, ',')
}

/// The list with those words of `more` at its end that it lacks.
pub fn appended(list: &str, more: &str, separator: char) -> String {
    joined(split(list, separator).chain(split(more, separator)), separator)
}

/// The list with those words of `more` at its beginning that it lacks; the others keep their places.
pub fn prepended(list: &str, more: &str, separator: char) -> String {
    let new = split(more, separator).filter(|word| !split(list, separator).any(|known| known == *word));
    joined(new.chain(split(list, separator)), separator)
}

/// The list without the words of `gone`, whether it has them or not.
pub fn without(list: &str, gone: &str, separator: char) -> String {
    joined(split(list, separator).filter(|word| !split(gone, separator).any(|gone| gone == *word)), separator)
}

/// The first word of `wanted` that the list lacks.
pub(crate) fn lacking<'a>(list: &str, wanted: &'a str, separator: char) -> Option<&'a str> {
    split(wanted, separator).find(|word| !split(list, separator).any(|known| known == *word))
}

fn split(cell: &str, separator: char) -> impl Iterator<Item = &str> {
    cell.split(separator).map(str::trim).filter(|word| !word.is_empty())
}

/// Each word once, where it stands first.
fn joined<'a>(words: impl Iterator<Item = &'a str>, separator: char) -> String {
    let mut list = String::new();
    for word in words {
        if split(&list, separator).any(|known| known == word) {
            continue;
        }
        if !list.is_empty() {
            list.push(separator);
        }
        list.push_str(word);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_and_go() {
        assert_eq!(appended("a,b", "c,a", ','), "a,b,c");
        assert_eq!(appended("", "a", ','), "a");
        assert_eq!(prepended("a,b", "c,b", ','), "c,a,b");
        assert_eq!(prepended("", "b,a,b", ','), "b,a");
        assert_eq!(without("a,b,c", "b,x", ','), "a,c");
        assert_eq!(without("a", "a", ','), "");
        assert_eq!(words(" a, ,b,").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn values_may_hold_commas_where_something_else_separates() {
        assert_eq!(appended("A=1,2|B=3", "C=4,5", '|'), "A=1,2|B=3|C=4,5");
        assert_eq!(without("A=1,2|B=3", "A=1,2", '|'), "B=3");
    }

    #[test]
    fn what_is_lacking_is_named() {
        assert_eq!(lacking("a,b", "b,x,y", ','), Some("x"));
        assert_eq!(lacking("a,b", "b", ','), None);
    }
}
