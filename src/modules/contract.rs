//! What is said between the engine and a module's program: one JSON object in, lines of JSON out. Pure.
//!
//! The program hears of a [`Request`] on its standard input, and says what [`Message`] can hold on its standard output: any
//! number of progress lines and warnings, then one `result` or one `error`. Standard error is for people and is shown
//! when it fails. It ends with 0 if it has said a result.

use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::manifest::Method;
use super::selector::Labels;
use super::words::{said, shown};

/// The version of the contract.
pub(crate) const VERSION: u32 = 1;

/// All that a program may say in one run; more is a program that has gone wild.
pub(crate) const MOST: usize = 16 << 20;

/// What is asked of a module.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Request<'a> {
    pub(crate) contract: u32,
    pub(crate) method: &'a str,
    pub(crate) module: &'a str,
    pub(crate) version: &'a str,
    /// The version that was applied last; null at first.
    pub(crate) applied: Option<&'a str>,
    /// The config with its defaults filled in.
    pub(crate) config: &'a Map<String, Value>,
    /// What the module has said of itself before: of this target, or of the whole where it runs once.
    pub(crate) state: &'a Value,
    /// The same of the modules that it requires, by name; a built-in one hears of all.
    pub(crate) states: &'a Map<String, Value>,
    /// The same of all other modules: what a container finds in `/shared/state.yml`.
    #[serde(skip)]
    pub(crate) all: &'a Map<String, Value>,
    /// The node that this run is about, where it runs once for each.
    pub(crate) target: Option<&'a Value>,
    /// All nodes that the config means.
    pub(crate) targets: &'a [Value],
    /// For `apply`: the changes that its plan has named.
    pub(crate) changes: &'a [Change],
    /// For `restore`: what `backup` has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backup: Option<&'a Value>,
}

impl Request<'_> {
    /// What a program that would rather not read JSON finds in its environment: values of one line, lists of words, and the node.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let config = self.config.iter().filter_map(|(key, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Array(items) => words(items)?,
                Value::Null | Value::Object(_) => return None,
            };
            let is_fit = |c: char| c.is_ascii_alphanumeric();
            let name: String = key.chars().map(|c| if is_fit(c) { c.to_ascii_uppercase() } else { '_' }).collect();
            (!value.contains(['\n', '\r', '\0'])).then(|| (format!("CONFIG_{name}"), value))
        });
        let target = self.target.and_then(|target| target.get("name")).and_then(Value::as_str);
        config.chain(target.map(|name| ("TARGET".to_owned(), name.to_owned()))).collect()
    }
}

/// A list as a shell takes it: words with spaces between, if all of them are words.
fn words(items: &[Value]) -> Option<String> {
    let is_word = |text: &&str| !text.is_empty() && !text.contains(char::is_whitespace);
    let words: Option<Vec<&str>> = items.iter().map(|item| item.as_str().filter(is_word)).collect();
    words.map(|words| words.join(" "))
}

/// A line that a program says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Message {
    /// How far it has come, for whoever is waiting.
    Progress(String),
    Warning(String),
    /// What was asked for.
    Result(Value),
    /// Why it cannot be.
    Error(String),
}

/// `metadata`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metadata {
    pub(crate) labels: Labels,
}

/// `init`: values for keys of the config.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proposal {
    pub(crate) config: Map<String, Value>,
}

/// `plan`: what `apply` would do; nothing when all is as it should be. Or why that cannot be said before something that it
/// requires is applied.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Plan")]
pub(crate) enum Changes {
    Now(Vec<Change>),
    Deferred(String),
}

/// The same as it is said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    changes: Option<Vec<Change>>,
    deferred: Option<String>,
}

impl TryFrom<Plan> for Changes {
    type Error = &'static str;

    fn try_from(said: Plan) -> Result<Self, Self::Error> {
        match (said.changes, said.deferred) {
            (Some(changes), None) => Ok(Self::Now(changes)),
            (None, Some(why)) if !why.trim().is_empty() => Ok(Self::Deferred(why)),
            (None, Some(_)) => Err("`deferred` does not say why"),
            (None, None) => Err("missing field `changes`"),
            (Some(_), Some(_)) => Err("`changes` and `deferred` at once"),
        }
    }
}

/// One thing that would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    pub(crate) what: String,
    /// What it is; nothing where it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// What it will be; nothing where it will be no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
}

/// `apply`, `restore`, `update` and `scale`: what the module wants to remember.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Applied {
    #[serde(default)]
    pub(crate) state: Option<Value>,
}

/// `backup`: whatever the module needs to restore it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) backup: Value,
}

/// `test`: whether it works, thing by thing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tested {
    pub(crate) tests: Vec<Trial>,
}

/// Something that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    pub(crate) what: String,
    /// Why it does not work; nothing where it does.
    #[serde(default)]
    pub(crate) fault: Option<String>,
}

/// `audit`: where machines differ from what the state says.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audit {
    pub(crate) findings: Vec<Finding>,
    /// The state as it would be with the harmless ones taken in.
    #[serde(default)]
    pub(crate) state: Option<Value>,
}

/// Something that somebody has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    pub(crate) what: String,
    #[serde(default)]
    pub(crate) from: Option<String>,
    #[serde(default)]
    pub(crate) to: Option<String>,
    /// Whether it may stay so.
    #[serde(default)]
    pub(crate) harmless: bool,
}

/// What has happened to something of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// It is otherwise than the module left it.
    Changed,
    /// It is not there any more.
    Missing,
}

impl Change {
    /// One line for people.
    pub(crate) fn shown(&self) -> String {
        shown(&self.what, self.from.as_deref(), self.to.as_deref())
    }
}

impl Finding {
    pub(crate) fn shown(&self) -> String {
        let kind = match self.kind {
            Kind::Changed => "changed",
            Kind::Missing => "missing",
        };
        let harmless = if self.harmless { ", harmless" } else { "" };
        format!("{kind}{harmless}: {}", shown(&self.what, self.from.as_deref(), self.to.as_deref()))
    }
}

impl Trial {
    /// One line for people.
    pub(crate) fn shown(&self) -> String {
        match &self.fault {
            None => format!("pass: {}", said(&self.what)),
            Some(fault) => format!("FAIL: {}: {}", said(&self.what), said(fault)),
        }
    }
}

/// Reads what a program says, line by line.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    ended: Option<Result<Value, String>>,
    wrong: Option<String>,
}

impl Conversation {
    /// Takes a line; gives back what somebody who waits should see.
    pub(crate) fn hear(&mut self, line: &str) -> Option<Message> {
        if line.trim().is_empty() || self.wrong.is_some() {
            return None;
        }
        let message = match serde_json::from_str(line) {
            Ok(message) => message,
            Err(error) => {
                let start: String = line.chars().take(60).collect();
                self.wrong = Some(format!("it said '{start}', which is no message of the contract: {error}"));
                return None;
            }
        };
        match message {
            Message::Result(_) | Message::Error(_) if self.ended.is_some() => {
                self.wrong = Some("it said more than one result".into());
            }
            Message::Result(value) => self.ended = Some(Ok(value)),
            Message::Error(why) => self.ended = Some(Err(why)),
            message => return Some(message),
        }
        None
    }

    /// What came out of it, given how the program ended.
    pub(crate) fn result<T: DeserializeOwned>(self, method: Method, code: i64) -> Result<T, String> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        match (self.ended, code) {
            (Some(Err(why)), _) => Err(why),
            (_, code) if code != 0 => Err(format!("it {}", ended(code))),
            (None, _) => Err("it ended without a result".into()),
            (Some(Ok(value)), _) => {
                serde_json::from_value(value).map_err(|error| format!("its result is none of {method}: {error}"))
            }
        }
    }
}

/// How a program ended, in words; 128 and the number of a signal is what shells say of one that was ended by that.
pub(crate) fn ended(code: i64) -> String {
    let signal = i32::try_from(code - 128).ok().and_then(|number| Signal::try_from(number).ok());
    match signal {
        Some(signal) => format!("ended with exit code {code}, by signal {signal}"),
        None => format!("ended with exit code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear<T: DeserializeOwned>(said: &str, code: i64) -> Result<T, String> {
        let mut conversation = Conversation::default();
        said.lines().for_each(|line| drop(conversation.hear(line)));
        conversation.result(Method::Plan, code)
    }

    #[test]
    fn a_result_after_progress() {
        let mut conversation = Conversation::default();
        assert_eq!(conversation.hear(r#"{"progress":"looking"}"#), Some(Message::Progress("looking".into())));
        assert_eq!(conversation.hear(""), None);
        assert_eq!(conversation.hear(r#"{"result":{"changes":[{"what":"file /a","to":"x"}]}}"#), None);
        let Changes::Now(changes) = conversation.result(Method::Plan, 0).unwrap() else { panic!("it has changes") };
        assert_eq!(changes[0].shown(), "file /a: x");
    }

    #[test]
    fn values_of_one_line_are_variables() {
        let config = serde_json::json!({ "text": "a b", "open-files": 3, "on": true, "list": ["a", "b"],
            "phrases": ["a b"], "long": "a\nB=1" });
        let target = serde_json::json!({ "name": "n1" });
        let request = Request {
            contract: VERSION,
            method: "plan",
            module: "m",
            version: "1",
            applied: None,
            config: config.as_object().unwrap(),
            state: &Value::Null,
            states: &Map::new(),
            all: &Map::new(),
            target: Some(&target),
            targets: &[],
            changes: &[],
            backup: None,
        };
        let written: Vec<String> = request.variables().iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            written,
            ["CONFIG_TEXT=a b", "CONFIG_OPEN_FILES=3", "CONFIG_ON=true", "CONFIG_LIST=a b", "TARGET=n1"]
        );
    }

    #[test]
    fn what_it_says_gives_the_terminal_no_orders_and_looks_like_no_line_of_ours() {
        let change = |what: &str, from: Option<&str>, to: Option<&str>| Change {
            what: what.into(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        assert_eq!(change("/etc/x\u{1b}[2J", None, Some("\u{7}")).shown(), r"/etc/x\u{1b}[2J: \u{7}");
        assert_eq!(change("fake\nesc: nothing to do", None, None).shown(), "fake\n    esc: nothing to do");
        assert_eq!(change("fake\resc: nothing to do", None, None).shown(), r"fake\resc: nothing to do");
        let long = change("/etc/f", Some("a\nb\n"), Some("a\n\u{9b}c\n")).shown();
        assert_eq!(long, "/etc/f\n    @@ -1,2 +1,2 @@\n     a\n    -b\n    +\\u{9b}c");
        let trial = Trial { what: "it\nx".into(), fault: Some("\u{1b}c".into()) };
        assert_eq!(trial.shown(), "FAIL: it\n    x: \\u{1b}c");
    }

    #[test]
    fn what_is_against_the_contract_is_told() {
        let check = |said: &str, code: i64, expected: &str| {
            let why = hear::<Changes>(said, code).unwrap_err();
            assert!(why.contains(expected), "{said}: {why}");
        };
        check("", 0, "ended without a result");
        check("hello\n{\"result\":{\"changes\":[]}}", 0, "it said 'hello', which is no message");
        check("{\"result\":{\"changes\":[]}}\n{\"result\":{\"changes\":[]}}", 0, "more than one result");
        check("{\"result\":{\"changes\":[]}}", 3, "exit code 3");
        check("{\"result\":{\"changes\":[]}}", 137, "it ended with exit code 137, by signal SIGKILL");
        check("", 255, "it ended with exit code 255");
        check("{\"error\":\"no disk\"}", 1, "no disk");
        check("{\"result\":{\"changes\":[{}]}}", 0, "its result is none of plan: missing field `what`");
        check("{\"result\":{}}", 0, "its result is none of plan: missing field `changes`");
        check("{\"result\":{\"deferred\":\" \"}}", 0, "`deferred` does not say why");
        check("{\"result\":{\"changes\":[],\"deferred\":\"x\"}}", 0, "`changes` and `deferred` at once");
        check("{\"moon\":1}", 0, "unknown variant `moon`");
    }
}
