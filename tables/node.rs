//! A node as the rest of the program sees it: every attribute already inherited and computed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::expression::ExpressionError;
use crate::objects::NODE;
use crate::{Error, Result};

/// A fully resolved node. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    name: Arc<str>,
    definition: Arc<Definition>,
    host: Option<Arc<Self>>,
}

/// What is said of a node, by attribute.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Definition {
    /// Sorted by name: one piece of memory instead of a tree, as there are a hundred thousand of these.
    attributes: Vec<(Cow<'static, str>, String)>,
    /// Attributes that are unset because their value could not be computed.
    faults: Vec<(&'static str, ExpressionError)>,
}

impl Definition {
    /// A definition of attributes and faults in any order.
    pub(crate) fn new(
        mut attributes: Vec<(Cow<'static, str>, String)>,
        mut faults: Vec<(&'static str, ExpressionError)>,
    ) -> Self {
        attributes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        faults.sort_unstable_by_key(|(name, _)| *name);
        Self { attributes, faults }
    }

    pub(crate) fn get(&self, attribute: &str) -> Option<&str> {
        let place = self.attributes.binary_search_by(|(name, _)| (**name).cmp(attribute)).ok()?;
        Some(&self.attributes[place].1)
    }
}

impl Node {
    /// A node with the given attributes; `host` is the node that attribute `vmhost` names.
    pub fn new(name: &str, attributes: BTreeMap<String, String>, host: Option<Arc<Self>>) -> Self {
        let attributes = attributes.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self::defined(name, Definition::new(attributes, Vec::new()), host)
    }

    pub(crate) fn defined(name: &str, definition: Definition, host: Option<Arc<Self>>) -> Self {
        Self { name: name.into(), definition: Arc::new(definition), host }
    }

    /// The same node with other values of these attributes; an empty one unsets. The tables do not know of it.
    #[must_use]
    pub fn with(&self, changed: &[(&'static str, &str)]) -> Self {
        let kept =
            self.definition.attributes.iter().filter(|(name, _)| changed.iter().all(|(other, _)| *other != &**name));
        let set = changed.iter().filter(|(_, value)| !value.is_empty());
        let set = set.map(|(name, value)| (Cow::Borrowed(*name), (*value).to_owned()));
        let definition = Definition::new(kept.cloned().chain(set).collect(), self.definition.faults.clone());
        Self { definition: Arc::new(definition), ..self.clone() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of an attribute (`mgt`, `vmhost`, `ip`); None when unset, never empty.
    pub fn get(&self, attribute: &str) -> Option<&str> {
        self.definition.get(attribute)
    }

    /// The value of an attribute that the work cannot do without; the error says where it belongs, or why its
    /// expression could not be computed.
    pub fn require(&self, attribute: &str) -> Result<&str> {
        if let Some(value) = self.get(attribute) {
            return Ok(value);
        }
        if let Some((_, fault)) = self.faults().find(|(name, _)| *name == attribute) {
            return Err(Error::Expression { attribute: attribute.into(), source: fault.clone() });
        }
        Err(Error::Missing { attribute: attribute.into(), table: self.table_of(attribute) })
    }

    /// Every attribute that is set, by name.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.definition.attributes.iter().map(|(name, value)| (&**name, value.as_str()))
    }

    /// The attributes whose expressions could not be computed, which leaves them unset.
    pub fn faults(&self) -> impl Iterator<Item = (&str, &ExpressionError)> {
        self.definition.faults.iter().map(|(name, fault)| (*name, fault))
    }

    /// The node that carries this one (attribute `vmhost`), resolved; None also where `vmhost` names no node.
    pub fn host(&self) -> Option<&Self> {
        self.host.as_deref()
    }

    /// Where an attribute is kept. One that depends on another attribute's value may be kept in several tables.
    fn table_of(&self, attribute: &str) -> String {
        if let Some(place) = NODE.attribute(attribute, &|name| self.get(name)) {
            return place.table.name.to_owned();
        }
        let mut tables: Vec<&str> = NODE.named(attribute).map(|place| place.table.name).collect();
        tables.dedup();
        tables.join(" or ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(attributes: &[(&str, &str)], wanted: &str, expected: &str) {
        let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let node = Node::new("n1", attributes, None);
        let got = node.require(wanted).map_or_else(|error| error.to_string(), str::to_owned);
        assert_eq!(got, expected);
    }

    #[test]
    fn with_changes_a_copy() {
        let attributes = [("ip", "10.0.0.1"), ("mgt", "docker"), ("image", "a")];
        let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let node = Node::new("n1", attributes, None);
        let other = node.with(&[("image", "b"), ("ip", ""), ("arch", "x86_64")]);
        assert_eq!(other.attributes().collect::<Vec<_>>(), [("arch", "x86_64"), ("image", "b"), ("mgt", "docker")]);
        assert_eq!((node.get("image"), other.get("image"), other.name()), (Some("a"), Some("b"), "n1"));
    }

    #[test]
    fn require_says_where_the_attribute_belongs() {
        check(&[("vmhost", "h1")], "vmhost", "h1");
        check(&[], "vmhost", "attribute 'vmhost' (table vm) is not set");
        check(&[("mgt", "openbmc")], "bmc", "attribute 'bmc' (table openbmc) is not set");
        check(&[], "bmc", "attribute 'bmc' (table ipmi or openbmc) is not set");
    }
}
