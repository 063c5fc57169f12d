//! A config that somebody has edited, brought up to date: a key that still has what `init` wrote last time takes what it would
//! write now; a key that was edited stays, and so does every comment. Pure.

use std::ops::Range;

use toml::de::DeTable;

use super::schema::Schema;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) text: String,
    /// Keys that were edited and would be otherwise.
    pub(super) kept: Vec<String>,
}

/// What is to become of a key's place in the text.
enum Edit {
    /// Its value is replaced.
    Value(Range<usize>, String),
    /// It is no more than a comment.
    Gone(Range<usize>, String),
    /// It is new.
    Added(String),
}

/// Merges three texts of a config: as `init` wrote it last, as it is, as `init` would write it. Keys that are not in the schema
/// stay as they are; what is no TOML cannot be merged.
pub(super) fn merged(schema: &Schema, base: &str, old: &str, new: &str) -> Result<Merged, String> {
    let read = |text: &str| toml::from_str::<toml::Table>(text).map_err(|error| error.message().to_owned());
    let (base, values, proposed) = (read(base)?, read(old)?, read(new)?);
    let places = DeTable::parse(old).map_err(|error| error.message().to_owned())?;
    let place = |key: &str| {
        let entry = places.get_ref().iter().find(|(name, _)| name.get_ref() == key);
        entry.map(|(name, value)| (name.span(), value.span()))
    };
    let (mut edits, mut kept) = (Vec::new(), Vec::new());
    for (key, wanted) in schema {
        let (was, is, will) = (base.get(key), values.get(key), proposed.get(key));
        if is == will {
            continue;
        }
        // What was never proposed is nobody's edit of a proposal.
        if will.is_none() && was.is_none() {
            continue;
        }
        if was != is {
            kept.push(key.clone());
            continue;
        }
        edits.push(match (place(key), will) {
            (Some((_, value)), Some(will)) => Edit::Value(value, will.to_string()),
            (Some((name, value)), None) => Edit::Gone(name.start..value.end, format!("# {key} =")),
            (None, Some(will)) => Edit::Added(format!("{}{key} = {will}\n", wanted.comment())),
            (None, None) => continue,
        });
    }
    Ok(Merged { text: edited(old, edits), kept })
}

/// From the end to the beginning, so that places before stay where they are.
fn edited(old: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| match edit {
        Edit::Value(place, _) | Edit::Gone(place, _) => std::cmp::Reverse(place.start),
        Edit::Added(_) => std::cmp::Reverse(0),
    });
    let mut text = old.to_owned();
    let mut added = String::new();
    for edit in edits {
        match edit {
            Edit::Value(place, with) | Edit::Gone(place, with) => text.replace_range(place, &with),
            Edit::Added(block) => added.push_str(&format!("\n{block}")),
        }
    }
    if !added.is_empty() && !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text + &added
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "a = { type = 'string', help = 'x' }\nb = { type = 'list', help = 'y' }\n\
                          c = { type = 'integer', help = 'z' }";

    fn check(base: &str, old: &str, new: &str, expected: &str, kept: &[&str]) {
        let schema: Schema = toml::from_str(SCHEMA).unwrap();
        let merged = merged(&schema, base, old, new).unwrap();
        assert_eq!((merged.text.as_str(), merged.kept), (expected, kept.iter().map(|&key| key.to_owned()).collect()));
        // What was taken is taken once.
        let again = super::merged(&schema, new, expected, new).unwrap();
        assert_eq!(again.text, expected);
    }

    #[test]
    fn what_was_edited_stays_and_the_rest_is_brought_up_to_date() {
        let base = "# of ours\na = \"1\"\n";
        check(base, base, "a = '2'", "# of ours\na = \"2\"\n", &[]);
        check(base, "a = \"mine\"", "a = '2'", "a = \"mine\"", &["a"]);
        // Somebody's comments stay, with a value or without one.
        check(base, "# why\na = '1' # so\n", "a = '2'", "# why\na = \"2\" # so\n", &[]);
        // What somebody has taken away stays away; what has come up is added.
        check(base, "", "a = '2'", "", &["a"]);
        check(base, base, "a = '1'\nc = 3", "# of ours\na = \"1\"\n\n# z (a number)\nc = 3\n", &[]);
        // Two at once, one of several lines.
        check("b = ['1']\nc = 1", "b = [\n'1',\n]\nc = 1\n", "b = []\nc = 2", "b = []\nc = 2\n", &[]);
        check("b = ['1']\nc = 1", "b = [\n'1',\n]\nc = 1\n", "c = 1", "# b =\nc = 1\n", &[]);
    }

    #[test]
    fn without_what_was_written_last_all_that_is_there_counts_as_edited() {
        check("", "a = '1'\n", "a = '2'\nc = 1", "a = '1'\n\n# z (a number)\nc = 1\n", &["a"]);
    }

    #[test]
    fn what_is_no_toml_is_not_merged() {
        assert!(merged(&Schema::new(), "", "a = ", "").is_err());
    }
}
