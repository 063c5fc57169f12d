//! Lists of names on the command line, by comma.

use std::collections::HashSet;

use tables::definitions::words;

use crate::failure::Failure;

/// The names of a list, each once; `what` is the word for one of them. A list without any is an error, as an empty
/// noderange is: a shell's unset variable must not mean nothing, or everything.
pub(crate) fn names(list: &str, what: &str) -> Result<Vec<String>, Failure> {
    let mut seen = HashSet::new();
    let names: Vec<String> = words(list).filter(|name| seen.insert(*name)).map(str::to_owned).collect();
    match names.is_empty() {
        true => Err(Failure::refused(format!("No {what} in '{list}', it takes names by comma."))),
        false => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_somebody() {
        let check = |list: &str, expected: Option<&[&str]>| {
            let found = names(list, "network").ok();
            assert_eq!(found, expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect()), "{list:?}");
        };
        check("blue", Some(&["blue"]));
        check("red, blue,red,", Some(&["red", "blue"]));
        check("", None);
        check(" , ,", None);
    }
}
