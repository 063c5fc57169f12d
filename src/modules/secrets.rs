//! Secrets of a config, and lines without them.

use serde_json::{Map, Value};

use super::schema::Schema;

/// What stands where a secret was.
const STARS: &str = "******";

/// The same of one that is not that of the config.
const ANOTHER: &str = "****** (another)";

/// A line of a secret that is shorter may be part of any word.
const LINE: usize = 4;

/// The values that are never shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    texts: Vec<String>,
    /// Numbers and booleans, hidden only where they stand alone: `5` is part of many a word.
    words: Vec<String>,
    keys: Vec<String>,
}

impl Secrets {
    pub(crate) fn of(schema: &Schema, config: &Map<String, Value>) -> Self {
        let mut secrets = Self::default();
        for (key, _) in schema.iter().filter(|(_, wanted)| wanted.secret) {
            secrets.keys.push(key.clone());
            config.get(key).into_iter().for_each(|value| secrets.take(value));
        }
        // The longest first: one may be part of another.
        secrets.texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        secrets
    }

    fn take(&mut self, value: &Value) {
        match value {
            Value::String(text) if !text.is_empty() => {
                // As a text of JSON or TOML has it, too.
                let written = value.to_string();
                let written = &written[1..written.len() - 1];
                self.texts.extend((written != text).then(|| written.to_owned()));
                self.texts.push(text.clone());
                // Programs say their words line by line.
                let lines = text.lines().map(str::trim).filter(|line| line.len() >= LINE && *line != text);
                self.texts.extend(lines.map(str::to_owned));
            }
            Value::Number(_) | Value::Bool(_) => self.words.push(value.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.take(item)),
            Value::String(_) | Value::Null | Value::Object(_) => {}
        }
    }

    pub(crate) fn mask(&self, text: &str) -> String {
        let text = self.texts.iter().fold(text.to_owned(), |text, secret| text.replace(secret, STARS));
        self.words.iter().fold(text, |text, word| bare(&text, word))
    }

    /// Two texts of which one is in place of the other. Where one has a secret the other may have that of before, or one that somebody
    /// has put there: on a line that begins alike, or stands at the same place.
    pub(crate) fn mask_both(&self, from: Option<String>, to: Option<String>) -> (Option<String>, Option<String>) {
        let places: Vec<(usize, String)> =
            [&from, &to].into_iter().flatten().flat_map(|text| self.places(text)).collect();
        let masked = |text: Option<String>| text.map(|text| self.mask(&self.without_others(&text, &places)));
        (masked(from), masked(to))
    }

    /// The number of each line that has a secret, and what stands before that.
    fn places(&self, text: &str) -> Vec<(usize, String)> {
        let start = |line: &str| {
            let place = self.texts.iter().filter_map(|secret| line.find(secret.as_str())).min()?;
            Some(line[..place].to_owned())
        };
        text.split('\n').enumerate().filter_map(|(number, line)| Some((number, start(line)?))).collect()
    }

    fn without_others(&self, text: &str, places: &[(usize, String)]) -> String {
        let line = |(number, line): (usize, &str)| {
            let is_there = |(place, start): &&(usize, String)| match start.trim() {
                "" => *place == number,
                _ => line.starts_with(start.as_str()),
            };
            let is_own = self.texts.iter().any(|secret| line.contains(secret.as_str()));
            match places.iter().find(is_there).filter(|_| !is_own && !line.is_empty()) {
                Some((_, start)) => format!("{start}{ANOTHER}"),
                None => line.to_owned(),
            }
        };
        text.split('\n').enumerate().map(line).collect::<Vec<_>>().join("\n")
    }

    /// A diff of texts of the config, without what their secret keys are: also those of a text that cannot be used.
    pub(crate) fn mask_config(&self, diff: &str) -> String {
        let line = |line: &str| {
            let bare = line.trim_start_matches(['+', '-', ' ', '#']);
            let is_secret =
                |key: &&String| bare.strip_prefix(key.as_str()).is_some_and(|rest| rest.trim_start().starts_with('='));
            match self.keys.iter().find(is_secret) {
                Some(key) => format!("{}{key} = {STARS}", &line[..line.len() - bare.len()]),
                None => self.mask(line),
            }
        };
        diff.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}

pub(crate) fn has_any(schema: &Schema) -> bool {
    schema.values().any(|wanted| wanted.secret)
}

/// A config without its secrets, for places that others read.
pub(crate) fn without(schema: &Schema, config: &Map<String, Value>) -> Map<String, Value> {
    let is_secret = |key: &String| schema.get(key).is_some_and(|wanted| wanted.secret);
    config.iter().filter(|(key, _)| !is_secret(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The same with the secrets of another one.
pub(crate) fn with(schema: &Schema, config: &Map<String, Value>, secrets: &Map<String, Value>) -> Map<String, Value> {
    let secret = schema.iter().filter(|(_, wanted)| wanted.secret).map(|(key, _)| key);
    let secret = secret.filter_map(|key| Some((key.clone(), secrets.get(key)?.clone())));
    config.clone().into_iter().chain(secret).collect()
}

/// The text with stars for the word.
fn bare(text: &str, word: &str) -> String {
    let (mut all, mut rest) = (String::new(), text);
    while let Some(place) = rest.find(word) {
        let (before, after) = (&rest[..place], &rest[place + word.len()..]);
        let is_part = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        let is_alone =
            !is_part(before.chars().next_back().or_else(|| all.chars().next_back())) && !is_part(after.chars().next());
        all.push_str(before);
        all.push_str(if is_alone { STARS } else { word });
        rest = after;
    }
    all + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_another_one_now_is_stars_as_well() {
        let secrets = Secrets { texts: vec!["new-key".into()], ..Secrets::default() };
        let check = |from: &str, to: &str, expected: [&str; 2]| {
            let (from, to) = secrets.mask_both(Some(from.into()), Some(to.into()));
            assert_eq!([from.unwrap(), to.unwrap()], expected);
        };
        check("old-key", "new-key", ["****** (another)", "******"]);
        check(
            "# x\nport = 1\nkey = \"old-key\"\n",
            "port = 1\nkey = \"new-key\"\n",
            ["# x\nport = 1\nkey = \"****** (another)\n", "port = 1\nkey = \"******\"\n"],
        );
        // As an audit has it.
        check("key=new-key", "key=by hand", ["key=******", "key=****** (another)"]);
        check("a\n", "a\nnew-key\n", ["a\n", "a\n******\n"]);
        assert_eq!(secrets.mask_both(None, Some("new-key".into())), (None, Some("******".into())));
    }

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

    #[test]
    fn a_config_without_secrets_takes_those_of_another() {
        let schema: Schema = toml::from_str(
            "token = { type = 'string', help = 'x', secret = true }\nport = { type = 'integer', help = 'x' }",
        )
        .unwrap();
        let config =
            |token: &str, port: u8| serde_json::json!({ "token": token, "port": port }).as_object().unwrap().clone();
        let applied = without(&schema, &config("old", 1));
        assert_eq!(serde_json::Value::Object(applied.clone()), serde_json::json!({ "port": 1 }));
        assert_eq!(with(&schema, &applied, &config("new", 2)), config("new", 1));
    }

    #[test]
    fn secrets_of_every_type_are_stars() {
        let schema: Schema = toml::from_str(
            "pin = { type = 'integer', help = 'x', secret = true }\n\
             on = { type = 'boolean', help = 'x', secret = true }\n\
             keys = { type = 'list', help = 'x', secret = true }",
        )
        .unwrap();
        let config = serde_json::json!({ "pin": 42, "on": true, "keys": ["one", "t\"wo"] });
        let secrets = Secrets::of(&schema, config.as_object().unwrap());
        assert_eq!(
            secrets.mask("42 of 142, h42, (42), on=true untrue: one t\"wo t\\\"wo"),
            "****** of 142, h42, (******), on=****** untrue: ****** ****** ******"
        );
        assert_eq!(
            secrets.mask_config("-pin = 7\n+pin = 42\n # keys = ['x']\n port = 1"),
            "-pin = ******\n+pin = ******\n # keys = ******\n port = 1"
        );
    }

    #[test]
    fn lines_of_a_long_secret_are_stars() {
        let schema: Schema = toml::from_str("key = { type = 'string', help = 'x', secret = true }").unwrap();
        let config = serde_json::json!({ "key": "-----BEGIN KEY-----\n  bWFueSBsZXR0ZXJz\nab\n" });
        let secrets = Secrets::of(&schema, config.as_object().unwrap());
        assert_eq!(secrets.mask("line 2 is bWFueSBsZXR0ZXJz, line 3 is ab"), "line 2 is ******, line 3 is ab");
    }
}
