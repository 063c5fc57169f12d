//! What a command says: plain data that a terminal, a script or a socket can carry.

use serde::Serialize;
use serde_json::Value;

/// One piece of an answer, about one node or about the command as a whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Reply {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    #[serde(flatten)]
    pub(crate) body: Body,
}

/// The kinds of replies; answers go to stdout, all else to stderr.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Body {
    Answer(Answer),
    /// How far long work has come; only scripts are told so.
    Progress(Value),
    Warning(String),
    Error(String),
}

/// An answer for people, one line each, and for scripts where that says more.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Answer {
    pub(crate) lines: Vec<String>,
    /// What `--json` shows instead of the lines.
    pub(crate) data: Option<Value>,
    /// Lines of a program's error output: to stderr, under the node's name and nothing else.
    pub(crate) errors: Vec<String>,
    /// What the operator should know beside the answer.
    pub(crate) warnings: Vec<String>,
}

impl Answer {
    /// Nothing to say: silent success.
    pub(crate) fn silent() -> Self {
        Self::default()
    }

    pub(crate) fn line(text: impl Into<String>) -> Self {
        Self { lines: vec![text.into()], ..Self::default() }
    }
}

impl Serialize for Answer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (&self.data, self.lines.as_slice()) {
            (Some(data), _) => data.serialize(serializer),
            (None, [line]) => line.serialize(serializer),
            (None, lines) => lines.serialize(serializer),
        }
    }
}
