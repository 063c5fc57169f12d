//! YAML, for people and programs that would rather have that than JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Something as a document of YAML.
pub(crate) fn write(value: &impl Serialize) -> Result<String, String> {
    serde_saphyr::to_string(value).map_err(|error| error.to_string())
}

/// What a document says. JSON is read as itself, so that no word in it is taken for something else.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    match text.trim_start().starts_with(['{', '[']) {
        true => serde_json::from_str(text).map_err(|error| error.to_string()),
        false => serde_saphyr::from_str(text).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn words_that_yaml_takes_for_something_else_stay_words() {
        let value = json!({ "a": ["yes", "no", "null", "1e3", "0x10", "", " x", "a: b", "#", "line\nline\n", "~", "-", "{{ x }}"],
            "b": [true, null, 3, -4], "1.0": { "x": {} }, "c": [] });
        assert_eq!(read::<Value>(&write(&value).unwrap()).unwrap(), value);
        assert_eq!(read::<Value>(&value.to_string()).unwrap(), value);
        assert!(read::<Value>("a: [1").is_err());
    }

    #[test]
    fn a_document_that_would_grow_without_end_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let alias = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 9].join(", ")));
        }
        assert!(read::<Value>(&text).is_err());
        for (open, close) in [("[", "]"), ("- ", ""), ("{a: ", "}"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
            assert!(read::<Value>(&deep).is_err(), "{open}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(words in prop::collection::vec(".{0,12}", 0..6), key in "[a-z0-9.]{1,6}") {
            let value = json!({ key: words });
            prop_assert_eq!(read::<Value>(&write(&value).unwrap()).unwrap(), value);
        }
    }
}
