//! What a module's config may say: types, defaults and help, and the check of a config against them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use toml::de::{DeTable, DeValue};

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Type {
    String,
    Integer,
    Boolean,
    /// Nodes, as the command line has them; checked against the tables where these are at hand.
    Noderange,
    /// A list of strings.
    List,
}

/// A key of the config.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    #[serde(rename = "type")]
    pub(crate) kind: Type,
    /// One line for whoever edits the config.
    pub(crate) help: String,
    #[serde(default)]
    pub(crate) default: Option<toml::Value>,
    #[serde(default)]
    pub(crate) required: bool,
    /// The only values that are allowed, where not all are.
    #[serde(default)]
    pub(crate) values: Vec<String>,
    #[serde(default)]
    pub(crate) minimum: Option<i64>,
    #[serde(default)]
    pub(crate) maximum: Option<i64>,
    /// Never shown.
    #[serde(default)]
    pub(crate) secret: bool,
    /// Of a noderange: `init` chooses so many nodes that no module works on.
    #[serde(default)]
    pub(crate) choose: usize,
    /// The same of one that is set up everywhere: `init` proposes all nodes.
    #[serde(default)]
    pub(crate) everywhere: bool,
    /// Among these; default is all.
    #[serde(default)]
    pub(crate) from: Option<String>,
    /// Of a list: `init` fills in the addresses of the nodes of this key.
    #[serde(default)]
    pub(crate) addresses: Option<String>,
}

/// The keys of a module's config.
pub(crate) type Schema = BTreeMap<String, Key>;

/// What is wrong with a config, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Counted from 1; 0 where it is about what is not there.
    pub(crate) line: usize,
    pub(crate) key: String,
    pub(crate) message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.key, self.message),
            line => write!(f, "line {line}: {}: {}", self.key, self.message),
        }
    }
}

/// Everything that is wrong with the text of a config; nothing when it may be used.
pub(crate) fn check(schema: &Schema, text: &str) -> Vec<Problem> {
    let line = |span: Range<usize>| text[..span.start].matches('\n').count() + 1;
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map_or(0, line);
            return vec![Problem { line, key: "config".into(), message: error.message().to_owned() }];
        }
    };
    let mut problems = Vec::new();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        let message = match schema.get(name) {
            None => Some(unknown(schema)),
            Some(wanted) => wanted.refuses(value.get_ref()),
        };
        problems.extend(message.map(|message| Problem { line: line(key.span()), key: name.to_owned(), message }));
    }
    let absent = schema.iter().filter(|(name, key)| {
        key.required && key.default.is_none() && !table.get_ref().keys().any(|given| given.get_ref() == name.as_str())
    });
    problems.extend(absent.map(|(name, key)| Problem {
        line: 0,
        key: name.clone(),
        message: format!("is required: {}", key.help),
    }));
    problems
}

fn unknown(schema: &Schema) -> String {
    let keys: Vec<&str> = schema.keys().map(String::as_str).collect();
    match keys.is_empty() {
        true => "is no key: this module has no config".into(),
        false => format!("is no key of this module; it has {}", keys.join(" ")),
    }
}

impl Key {
    /// Why this is no key: its own default must be a value that it takes.
    pub(super) fn refuse(&self, schema: &Schema) -> Option<String> {
        if (self.choose > 0 || self.everywhere || self.from.is_some()) && self.kind != Type::Noderange {
            return Some("nodes can be chosen for a noderange".into());
        }
        if (self.minimum.is_some() || self.maximum.is_some()) && self.kind != Type::Integer {
            return Some("minimum and maximum are of an integer".into());
        }
        if !self.values.is_empty() && self.kind != Type::String {
            return Some("values are those of a string".into());
        }
        if self.help.contains(char::is_control) {
            return Some("help is one line".into());
        }
        if self.choose > 0 && self.everywhere {
            return Some("it is either everywhere, or so many nodes are chosen".into());
        }
        if let Some(key) = &self.addresses
            && (self.kind != Type::List || schema.get(key).is_none_or(|of| of.kind != Type::Noderange))
        {
            return Some(format!("addresses of '{key}' make a list, of the nodes of a noderange"));
        }
        let default = self.default.as_ref()?;
        let text = format!("default = {default}");
        let table = DeTable::parse(&text).ok()?;
        let value = table.get_ref().values().next()?;
        self.refuses(value.get_ref()).map(|why| format!("its own default: {why}"))
    }

    /// What stands above it in a config.
    pub(super) fn comment(&self) -> String {
        format!("# {} ({})\n", self.help, self.terms())
    }

    /// What it takes, in words: its type, whether it is required or secret, and which of the values of its type.
    pub(crate) fn terms(&self) -> String {
        let required = self.required.then(|| ", required".to_owned());
        let secret = self.secret.then(|| ", secret".to_owned());
        let values = (!self.values.is_empty()).then(|| format!(", one of {}", self.values.join(" ")));
        let minimum = self.minimum.map(|minimum| format!(", at least {minimum}"));
        let maximum = self.maximum.map(|maximum| format!(", at most {maximum}"));
        let terms: String = [required, secret, values, minimum, maximum].into_iter().flatten().collect();
        format!("{}{terms}", self.kind)
    }

    /// Why a value cannot be this key's. What is secret is not repeated.
    fn refuses(&self, value: &DeValue<'_>) -> Option<String> {
        let text = match (self.kind, value) {
            (Type::String | Type::Noderange, DeValue::String(text)) => text.to_string(),
            (Type::Boolean, DeValue::Boolean(_)) => return None,
            (Type::Integer, DeValue::Integer(number)) => return self.refuses_number(&number.to_string()),
            (Type::List, DeValue::Array(items)) => {
                let is_string = |item: &DeValue<'_>| matches!(item, DeValue::String(_));
                return match items.iter().all(|item| is_string(item.get_ref())) {
                    true => None,
                    false => Some("takes a list of strings".into()),
                };
            }
            _ => return Some(format!("takes {}", self.kind)),
        };
        if self.required && self.kind == Type::Noderange && text.trim().is_empty() {
            return Some(format!("is required and names no nodes: {}", self.help));
        }
        if self.required && text.trim().is_empty() {
            return Some(format!("is required and says nothing: {}", self.help));
        }
        let is_known = self.values.is_empty() || self.values.contains(&text);
        let shown = if self.secret { "this value" } else { text.as_str() };
        (!is_known).then(|| format!("'{shown}' is not one of {}", self.values.join(" ")))
    }

    fn refuses_number(&self, text: &str) -> Option<String> {
        let Ok(number) = text.replace('_', "").parse::<i64>() else { return Some("takes a decimal number".into()) };
        if self.minimum.is_some_and(|minimum| number < minimum) {
            return Some(format!("{number} is less than {}", self.minimum.unwrap_or_default()));
        }
        let is_over = self.maximum.is_some_and(|maximum| number > maximum);
        is_over.then(|| format!("{number} is more than {}", self.maximum.unwrap_or_default()))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "a string",
            Self::Integer => "a number",
            Self::Boolean => "true or false",
            Self::Noderange => "a noderange, as a string",
            Self::List => "a list of strings",
        })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const SCHEMA: &str = r#"
members = { type = "noderange", help = "nodes that hold the data", required = true }
port = { type = "integer", help = "where clients connect", default = 2379, minimum = 1, maximum = 65535 }
mode = { type = "string", help = "how it is kept", values = ["memory", "disk"] }
token = { type = "string", help = "what members know each other by", values = ["a"], secret = true }
tls = { type = "boolean", help = "whether clients need a certificate" }
peers = { type = "list", help = "others" }
"#;

    fn problems(text: &str) -> String {
        let schema: Schema = toml::from_str(SCHEMA).unwrap();
        check(&schema, text).iter().map(|problem| format!("{problem}\n")).collect()
    }

    #[test]
    fn a_good_config_has_no_problems() {
        assert_eq!(problems("members = 'n[1-3]'\nport = 2_379\nmode = 'disk'\ntls = true\npeers = ['a', 'b']\n"), "");
    }

    #[test]
    fn each_problem_has_its_line_and_key() {
        let text = "port = 70000\nmode = 'tape'\n\ntoken = 'hunter2'\ntls = 'yes'\npeers = [1]\nprot = 1\n";
        assert_snapshot!(problems(text), @"
        line 2: mode: 'tape' is not one of memory disk
        line 6: peers: takes a list of strings
        line 1: port: 70000 is more than 65535
        line 7: prot: is no key of this module; it has members mode peers port tls token
        line 5: tls: takes true or false
        line 4: token: 'this value' is not one of a
        members: is required: nodes that hold the data
        ");
    }

    #[test]
    fn nodes_are_all_or_so_many() {
        let refused = |text: &str| {
            let schema: Schema = toml::from_str(&format!("key = {{ help = 'x', {text} }}\n")).unwrap();
            schema["key"].refuse(&schema)
        };
        assert_eq!(refused("type = 'noderange', everywhere = true, from = 'rack1'"), None);
        assert!(refused("type = 'list', everywhere = true").is_some());
        assert!(refused("type = 'noderange', everywhere = true, choose = 1").is_some());
    }

    #[test]
    fn nodes_that_are_required_are_named() {
        assert_snapshot!(problems("\nmembers = ' '\n"), @"line 2: members: is required and names no nodes: nodes that hold the data");
    }

    #[test]
    fn what_is_no_toml_has_its_line_too() {
        assert_snapshot!(problems("port = 1\nmode = \n"), @"line 2: config: string values must be quoted, expected literal string");
    }
}
