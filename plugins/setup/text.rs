//! The text of a file on a host, which may be a secret.

use crate::Secret;

/// What stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    Public(String),
    /// In no diff, no error, no observation and no debug output.
    Secret(Secret),
}

impl Text {
    /// The text itself, for the host that it is written to.
    pub fn reveal(&self) -> &str {
        match self {
            Self::Public(text) => text,
            Self::Secret(text) => text.reveal(),
        }
    }

    /// The text where people may see it.
    pub fn shown(&self) -> Option<&str> {
        match self {
            Self::Public(text) => Some(text),
            Self::Secret(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{File, Step};
    use super::*;

    #[test]
    fn a_secret_is_not_shown_by_accident() {
        let text = Text::Secret(Secret::new("sesame"));
        assert_eq!((text.shown(), text.reveal()), (None, "sesame"));
        let file = File { path: "/k".into(), text: text.clone(), mode: 0o600 };
        let step = Step::Write { path: "/k".into(), before: None, after: text, mode: 0o600 };
        let said = format!("{file:?} {step:?} {} {:?}", step.title(), step.diff());
        assert!(said.contains("***") && !said.contains("sesame"), "{said}");
    }
}
