//! Secrets of a config, and lines without them.

use serde_json::{Map, Value};

use super::schema::Schema;

/// What stands where a secret was.
const STARS: &str = "******";

/// The values that are never shown.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn of(schema: &Schema, config: &Map<String, Value>) -> Self {
        let is_secret = |key: &str| schema.get(key).is_some_and(|key| key.secret);
        let values = config.iter().filter(|(key, _)| is_secret(key)).filter_map(|(_, value)| value.as_str());
        let mut values: Vec<String> = values.filter(|value| !value.is_empty()).map(str::to_owned).collect();
        // The longest first: one may be part of another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self(values)
    }

    pub(crate) fn mask(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, STARS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_stars() {
        let schema: Schema = toml::from_str(
            "a = { type = 'string', help = 'x', secret = true }\nb = { type = 'string', help = 'x', secret = true }\n\
             c = { type = 'string', help = 'x' }",
        )
        .unwrap();
        let config = serde_json::json!({ "a": "key", "b": "keyhole", "c": "open" });
        let secrets = Secrets::of(&schema, config.as_object().unwrap());
        assert_eq!(secrets.mask("a keyhole, a key, open"), "a ******, a ******, open");
    }
}
