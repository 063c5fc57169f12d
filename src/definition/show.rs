//! Objects as they are shown: which attributes, and in which of xCAT's shapes.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use serde_json::{Map, Value, json};
use tables::definitions::{self, Attributes, by_port};
use tables::objects::ObjectType;
use tables::schema::Kind;
use tables::{Explained, Node, Place, Tables, stanza};

use super::Wanted;
use crate::context::Context;
use crate::failure::Failure;

/// What stands for a password.
const MASK: &str = "***";

/// An object as it was read; nodes have what they inherit.
pub(crate) struct Object {
    pub(crate) object: &'static ObjectType,
    pub(crate) name: String,
    pub(crate) values: Values,
}

/// The attributes of an object.
pub(crate) enum Values {
    Resolved(Node),
    Stored(Attributes),
}

impl Object {
    /// The value of an attribute, by whatever name; the object's name is the value of its key.
    pub(crate) fn get(&self, attribute: &str) -> Option<&str> {
        if attribute == self.object.key.name {
            return Some(&self.name);
        }
        let attribute = self.object.proper_name(attribute);
        match &self.values {
            Values::Resolved(node) => node.get(attribute),
            Values::Stored(attributes) => attributes.get(attribute).map(String::as_str),
        }
    }

    fn each(&self) -> Box<dyn Iterator<Item = (&str, &str)> + '_> {
        match &self.values {
            Values::Resolved(node) => Box::new(node.attributes()),
            Values::Stored(attributes) => {
                Box::new(attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())))
            }
        }
    }
}

/// The objects in the order of their names; None for a name that no object has.
pub(crate) fn read(tables: &Tables, wanted: &Wanted) -> Result<Vec<Option<Object>>, Failure> {
    let Wanted { object, names, .. } = wanted;
    let shown =
        |(name, values): (&String, Option<Values>)| values.map(|values| Object { object, name: name.clone(), values });
    if object.name != "node" {
        let stored = tables.stored_attributes(object, names)?.into_iter();
        return Ok(names.iter().zip(stored.map(|values| values.map(Values::Stored))).map(shown).collect());
    }
    let strangers: HashSet<String> = match tables.resolve(names) {
        Ok(nodes) => {
            return Ok(names
                .iter()
                .zip(nodes.into_iter().map(|node| Some(Values::Resolved(node))))
                .map(shown)
                .collect());
        }
        Err(tables::Error::InvalidNames { names }) => names.into_iter().collect(),
        Err(error) => return Err(error.into()),
    };
    let known: Vec<String> = names.iter().filter(|name| !strangers.contains(*name)).cloned().collect();
    let mut nodes = tables.resolve(&known)?.into_iter();
    let found = |name: &String| if strangers.contains(name) { None } else { nodes.next() };
    let found: Vec<Option<Values>> = names.iter().map(found).map(|node| node.map(Values::Resolved)).collect();
    Ok(names.iter().zip(found).map(shown).collect())
}

/// Leaves nodes only what stands in their own rows, expressions uncomputed; objects of other types have nothing else.
pub(crate) fn keep_own(tables: &Tables, objects: &mut [Object]) -> Result<(), Failure> {
    let nodes = objects.iter_mut().filter(|object| matches!(object.values, Values::Resolved(_)));
    let mut nodes: Vec<&mut Object> = nodes.collect();
    let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
    for (node, explained) in nodes.iter_mut().zip(tables.explain(&names)?) {
        let own = explained.into_iter().filter_map(|Explained { attribute, value }| {
            let own = value.given.into_iter().find(|given| given.place == Place::Own)?;
            Some((attribute.name.to_owned(), own.text))
        });
        node.values = Values::Stored(own.collect());
    }
    Ok(())
}

/// How objects are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// `Object name:` with the attributes under it.
    Long,
    /// `name: attribute=value`
    Compressed,
    Stanza,
    Json,
}

/// Prints objects: the attributes asked for (also where unset), or all that are set.
pub(crate) fn print(cx: &Context, objects: &[Object], look: Look, asked: &[String], nics: bool) {
    let mut choices: HashMap<&str, Choice<'_>> = HashMap::new();
    let mut hides = false;
    if look == Look::Stanza {
        cx.ui.line(stanza::HEADER);
    }
    for object in objects {
        let choice = choices.entry(object.object.name).or_insert_with(|| Choice::new(object.object, asked, nics));
        let mut pairs = choice.pairs(object);
        if look == Look::Stanza {
            let all = pairs.len();
            pairs.retain(|(_, value)| *value != MASK);
            hides |= pairs.len() < all;
        }
        let text = text(object, &pairs, look);
        if !text.is_empty() {
            cx.ui.line(&text);
        }
    }
    if hides {
        cx.ui.warning("passwords are left out; dumpxCATdb keeps them");
    }
}

/// Which attributes of a type are shown.
struct Choice<'a> {
    /// Everything that is set.
    all: bool,
    /// Else these, by their proper names.
    asked: Vec<&'a str>,
    /// Only those of network ports.
    nics: bool,
    secret: HashSet<&'static str>,
}

impl<'a> Choice<'a> {
    fn new(object: &'static ObjectType, asked: &'a [String], nics: bool) -> Self {
        let exists = |name: &&String| definitions::check_attribute(object, name).is_ok();
        let secret = object.attributes().filter(|attribute| attribute.column.kind == Kind::Secret);
        Self {
            all: asked.is_empty(),
            asked: asked.iter().filter(exists).map(|name| object.proper_name(name)).collect(),
            nics,
            secret: secret.map(|attribute| attribute.name).collect(),
        }
    }

    /// Names and values to show, port by port, by name.
    fn pairs<'o>(&self, object: &'o Object) -> Vec<(Cow<'o, str>, Cow<'o, str>)> {
        let mut pairs = Vec::new();
        for (attribute, value) in object.each() {
            let value = if self.secret.contains(attribute) { MASK } else { value };
            let parts = by_port(attribute, value).into_iter();
            pairs.extend(
                parts
                    .filter(|(name, _)| self.is_chosen(attribute, name))
                    .map(|(name, value)| (name, Cow::Borrowed(value))),
            );
        }
        for asked in &self.asked {
            let is_there =
                |name: &str| name == *asked || name.strip_prefix(asked).is_some_and(|rest| rest.starts_with('.'));
            if !pairs.iter().any(|(name, _)| is_there(name)) {
                pairs.push((Cow::Owned((*asked).to_owned()), Cow::Borrowed("")));
            }
        }
        if !self.all {
            pairs.sort();
        }
        pairs
    }

    fn is_chosen(&self, attribute: &str, name: &str) -> bool {
        let asked = self.all || self.asked.iter().any(|asked| [attribute, name].contains(asked));
        asked && (!self.nics || attribute.starts_with("nic"))
    }
}

fn text(object: &Object, pairs: &[(Cow<'_, str>, Cow<'_, str>)], look: Look) -> String {
    let Object { object: kind, name, .. } = object;
    let lines = |text: &mut String, before: &str| {
        for (attribute, value) in pairs {
            let gap = if text.is_empty() { "" } else { "\n" };
            write!(text, "{gap}{before}{attribute}={value}").expect("a String takes all text");
        }
    };
    match look {
        Look::Long => {
            let mut text = format!("Object name: {name}");
            lines(&mut text, "    ");
            text
        }
        Look::Compressed => {
            let mut text = String::new();
            lines(&mut text, &format!("{name}: "));
            text
        }
        Look::Stanza => {
            let attributes = pairs.iter().map(|(attribute, value)| (&**attribute, &**value));
            stanza::Entry { name, objtype: kind.name, attributes }.to_string()
        }
        Look::Json => {
            let attributes: Map<String, Value> =
                pairs.iter().map(|(attribute, value)| (attribute.to_string(), Value::from(&**value))).collect();
            json!({ "name": name, "type": kind.name, "attributes": attributes }).to_string()
        }
    }
}
