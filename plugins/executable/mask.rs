//! What of an executable's words nobody is to see: it is told the passwords of its nodes, and may repeat them.

use serde_json::Value;
use tables::Node;

use crate::Error;

/// Attributes whose values are shown nowhere, whatever a program says.
const SECRETS: [&str; 4] = ["password", "passwd", "community", "key"];

/// The secrets of a node.
pub(super) struct Mask(Vec<String>);

impl Mask {
    pub(super) fn of(node: &Node) -> Self {
        let is_secret = |name: &str| SECRETS.iter().any(|secret| name.contains(secret));
        let secrets = node.attributes().filter(|(name, value)| !value.is_empty() && is_secret(name));
        Self(secrets.map(|(_, value)| value.to_owned()).collect())
    }

    pub(super) fn over(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    /// All texts of a value.
    pub(super) fn over_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.over(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.over_value(item)).collect(),
            Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, self.over_value(value))).collect(),
            other => other,
        }
    }

    pub(super) fn over_error(&self, error: Error) -> Error {
        match error {
            Error::Refused { what, why } => Error::Refused { what, why: self.over(&why) },
            Error::Garbled { what, why } => Error::Garbled { what, why: self.over(&why) },
            other => other,
        }
    }
}
