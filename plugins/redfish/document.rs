//! What a BMC writes: JSON of which anything may be missing or of another kind than the schema says. Pure.

use serde_json::Value;

use crate::Secret;

/// Texts are for people and terminals; what is longer is cut.
const LONGEST_TEXT: usize = 512;
const LONGEST_LINK: usize = 1024;

/// An object as it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document(Value);

impl Document {
    /// None for what is no object, or is nested deeper than `serde_json` allows.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(Value::is_object).map(Self)
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.0, |value, name| value.get(name))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// The names of an object's members.
    pub(super) fn names(&self, path: &[&str]) -> Vec<String> {
        self.at(path).and_then(Value::as_object).map(|object| object.keys().cloned().collect()).unwrap_or_default()
    }

    /// A text that can be shown; None where it is missing, empty or no text.
    pub(super) fn text(&self, path: &[&str]) -> Option<String> {
        let text = clean(self.at(path)?.as_str()?);
        (!text.is_empty()).then_some(text)
    }

    /// A number that is one; some write it as a text.
    pub(super) fn number(&self, path: &[&str]) -> Option<f64> {
        let value = self.at(path)?;
        let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        number.filter(|number| number.is_finite())
    }

    pub(super) fn flag(&self, path: &[&str]) -> Option<bool> {
        self.at(path)?.as_bool()
    }

    /// A list of words; None where there is none.
    pub(super) fn words(&self, path: &[&str]) -> Option<Vec<String>> {
        let words = self.at(path)?.as_array()?.iter();
        Some(words.filter_map(Value::as_str).map(clean).collect())
    }

    /// The path of another resource.
    pub(super) fn link(&self, path: &[&str]) -> Option<String> {
        link(self.at(path)?)
    }

    /// The path that a member holds as a text, such as the target of an action.
    pub(super) fn path(&self, path: &[&str]) -> Option<String> {
        local(self.at(path)?.as_str()?)
    }

    /// The paths of several resources.
    pub(super) fn links(&self, path: &[&str]) -> Vec<String> {
        let all = self.at(path).and_then(Value::as_array);
        all.map(|all| all.iter().filter_map(link).collect()).unwrap_or_default()
    }

    /// The objects of a list.
    pub(super) fn objects(&self, path: &[&str]) -> Vec<Self> {
        let all = self.at(path).and_then(Value::as_array);
        all.map(|all| all.iter().filter(|value| value.is_object()).cloned().map(Self).collect()).unwrap_or_default()
    }

    /// What an answer that is no success gives as its reason.
    pub(super) fn reason(&self) -> Option<String> {
        let told = self.objects(&["error", "@Message.ExtendedInfo"]);
        let detail = told.iter().find_map(|message| message.text(&["Message"]));
        detail.or_else(|| self.text(&["error", "message"]))
    }

    /// Puts stars in the place of secrets, wherever a text has them.
    pub(super) fn hide(&mut self, secrets: &[Secret]) {
        hide(&mut self.0, secrets);
    }

    /// Whether an answer gives this reason, by its name in the registry of messages.
    pub(super) fn says(&self, message: &str) -> bool {
        let told = self.objects(&["error", "@Message.ExtendedInfo"]);
        let named = |document: &Self, member: &str| document.text(&[member]).is_some_and(|id| id.ends_with(message));
        told.iter().any(|told| named(told, "MessageId"))
            || self.text(&["error", "code"]).is_some_and(|code| code.ends_with(message))
    }
}

fn hide(value: &mut Value, secrets: &[Secret]) {
    match value {
        Value::String(text) => {
            for secret in secrets.iter().map(Secret::reveal).filter(|secret| !secret.is_empty()) {
                *text = text.replace(secret, "***");
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|value| hide(value, secrets)),
        Value::Object(members) => members.values_mut().for_each(|value| hide(value, secrets)),
        _ => {}
    }
}

fn link(value: &Value) -> Option<String> {
    local(value.get("@odata.id")?.as_str()?)
}

/// A path of the BMC itself, whatever address stands before it; nothing else is ever asked.
pub(super) fn local(text: &str) -> Option<String> {
    let path = match text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
        Some(rest) => &rest[rest.find('/')?..],
        None => text,
    };
    let path = path.split_once('#').map_or(path, |(path, _)| path);
    let fits = path.starts_with('/') && !path.starts_with("//") && path.len() <= LONGEST_LINK;
    (fits && path.bytes().all(|byte| byte.is_ascii_graphic())).then(|| path.to_owned())
}

/// The last part of a path, which names a resource among others.
pub(super) fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// Nothing that a terminal would obey, and not too much of it.
fn clean(text: &str) -> String {
    let shown: String = text.chars().map(|letter| if is_order(letter) { ' ' } else { letter }).collect();
    shown.trim().chars().take(LONGEST_TEXT).collect::<String>().trim_end().to_owned()
}

/// Orders to a terminal, and those that have it write the other way round or nothing at all.
fn is_order(letter: char) -> bool {
    const UNSEEN: [std::ops::RangeInclusive<char>; 4] =
        ['\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2060}'..='\u{206f}', '\u{feff}'..='\u{feff}'];
    letter.is_control() || UNSEEN.iter().any(|range| range.contains(&letter))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn whatever_is_missing_or_of_another_kind_is_not_there() {
        let machine =
            document(r#"{"Model": "M1 \u001b[2J ", "SKU": "", "UUID": 5, "Boot": null, "Tags": ["a", 1, "b"]}"#);
        assert_eq!(machine.text(&["Model"]).as_deref(), Some("M1  [2J"), "terminals obey escapes");
        for absent in [&["SKU"][..], &["UUID"], &["Boot"], &["Boot", "Target"], &["Model", "deeper"], &["none"]] {
            assert_eq!(machine.text(absent), None, "{absent:?}");
        }
        assert_eq!(machine.words(&["Tags"]), Some(vec!["a".into(), "b".into()]));
        assert!(machine.links(&["Tags"]).is_empty() && machine.objects(&["Model"]).is_empty());
    }

    #[test]
    fn only_paths_of_the_bmc_itself_are_followed() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(local(text).as_deref(), expected, "{text}");
        check("/redfish/v1/Systems/1", Some("/redfish/v1/Systems/1"));
        check("/redfish/v1/Chassis/1#/Power", Some("/redfish/v1/Chassis/1"));
        check("https://10.0.0.1/redfish/v1/SessionService/Sessions/7", Some("/redfish/v1/SessionService/Sessions/7"));
        check("https://elsewhere", None);
        check("//elsewhere/redfish", None);
        check("@elsewhere/", None);
        check("/a b", None);
        check("/a\r\nX-Auth-Token: b", None);
        assert_eq!((last("/redfish/v1/Systems/1"), last("/redfish/v1/Systems/1/"), last("")), ("1", "1", ""));
    }

    #[test]
    fn reasons() {
        let answer = document(
            r#"{"error": {"code": "Base.1.8.GeneralError", "message": "see below",
                "@Message.ExtendedInfo": [{"MessageId": "Base.1.8.SessionLimitExceeded", "Message": "No session left."}]}}"#,
        );
        assert_eq!(answer.reason().as_deref(), Some("No session left."));
        assert!(answer.says("SessionLimitExceeded") && !answer.says("Other"));
        assert_eq!(document(r#"{"error": {"message": "no"}}"#).reason().as_deref(), Some("no"));
        assert_eq!(document("{}").reason(), None);
    }

    #[test]
    fn depth_has_an_end() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(Document::parse(deep.as_bytes()), None);
        assert_eq!(Document::parse(b"[]"), None);
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_no_harm(bytes: Vec<u8>, text: String) {
            Document::parse(&bytes);
            local(&text);
            last(&text);
            let shown = clean(&text);
            prop_assert!(!shown.contains(is_order) && shown.chars().count() <= LONGEST_TEXT);
        }
    }
}
