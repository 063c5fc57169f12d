//! Objects read back: their names, and for all types but nodes their attributes as they are stored.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{nodelist, owner, owner_column, words};
use crate::objects::{ObjectType, nic};
use crate::store::Store;
use crate::{Edit, Result, Row, Select, Tables};

/// An object's attributes; expressions and passwords as they are stored.
pub type Attributes = BTreeMap<String, String>;

impl Tables {
    /// The names of all objects of a type, in plain string order.
    pub fn object_names(&self, object: &ObjectType) -> Result<Vec<String>> {
        names(&self.store(), object)
    }

    /// The attributes of each object, in the order of `names`; None for one that is not defined. Nodes are not for this:
    /// they inherit, see [`Tables::resolve`].
    pub fn stored_attributes(&self, object: &'static ObjectType, names: &[String]) -> Result<Vec<Option<Attributes>>> {
        attributes(&self.store(), object, names)
    }
}

impl Edit<'_> {
    /// As [`Tables::object_names`].
    pub fn object_names(&self, object: &ObjectType) -> Result<Vec<String>> {
        names(self.store(), object)
    }

    /// As [`Tables::stored_attributes`].
    pub fn stored_attributes(&self, object: &'static ObjectType, names: &[String]) -> Result<Vec<Option<Attributes>>> {
        attributes(self.store(), object, names)
    }
}

fn names(store: &Store, object: &ObjectType) -> Result<Vec<String>> {
    if let Some(only) = object.only_object {
        return Ok(vec![only.to_owned()]);
    }
    let rows = store.rows(object.key.table, Select::All)?;
    let mut names: BTreeSet<String> =
        rows.iter().filter_map(|row| row.get(object.key.column.name)).map(str::to_owned).collect();
    if object.name == "group" {
        let nodes = store.rows(nodelist(), Select::All)?;
        names.extend(nodes.iter().flat_map(|row| words(row.get("groups").unwrap_or_default())).map(str::to_owned));
    }
    Ok(names.into_iter().collect())
}

fn attributes(store: &Store, object: &'static ObjectType, names: &[String]) -> Result<Vec<Option<Attributes>>> {
    if object.only_object.is_some() {
        return Ok(vec![Some(settings(store, object)?)]);
    }
    let mut found: BTreeMap<&str, Attributes> = BTreeMap::new();
    let known: BTreeSet<String> = self::names(store, object)?.into_iter().collect();
    found.extend(names.iter().filter(|name| known.contains(*name)).map(|name| (name.as_str(), Attributes::new())));
    let mut tables: Vec<_> = object.attributes().map(|attribute| attribute.table).collect();
    tables.sort_by_key(|table| table.name);
    tables.dedup_by_key(|table| table.name);
    // What others depend on is read first.
    for conditional in [false, true] {
        for table in &tables {
            let column = owner_column(object, table);
            for row in store.rows(table, Select::All)? {
                let Some(attributes) = row.get(column).and_then(|name| found.get_mut(name)) else { continue };
                add(object, &row, conditional, attributes);
            }
        }
    }
    if object.name == "group" {
        add_members(store, &mut found)?;
    }
    Ok(names.iter().map(|name| found.get(name.as_str()).cloned()).collect())
}

fn settings(store: &Store, object: &ObjectType) -> Result<Attributes> {
    let rows = store.rows(object.key.table, Select::All)?;
    let pairs = rows.iter().filter_map(|row| Some((owner(row).to_owned(), row.get("value")?.to_owned())));
    Ok(pairs.collect())
}

/// Static members are the nodes that name the group, in storage order.
fn add_members(store: &Store, found: &mut BTreeMap<&str, Attributes>) -> Result<()> {
    let mut members: BTreeMap<String, String> = BTreeMap::new();
    for row in store.rows(nodelist(), Select::All)? {
        for group in words(row.get("groups").unwrap_or_default()) {
            let list = members.entry(group.to_owned()).or_default();
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(owner(&row));
        }
    }
    for (group, attributes) in found {
        if attributes.get("grouptype").is_none_or(|kind| kind != "dynamic") {
            attributes.insert("grouptype".to_owned(), "static".to_owned());
            attributes.remove("members");
            attributes.extend(members.remove(*group).map(|list| ("members".to_owned(), list)));
        }
    }
    Ok(())
}

fn add(object: &'static ObjectType, row: &Row, conditional: bool, attributes: &mut Attributes) {
    for attribute in object.attributes() {
        if attribute.table.name != row.table().name || attribute.only_when.is_some() != conditional {
            continue;
        }
        let Some(value) = row.get(attribute.column.name) else { continue };
        if attribute.applies(&|name| attributes.get(name).map(String::as_str)) {
            attributes.insert(attribute.name.to_owned(), value.to_owned());
        }
    }
}

/// Attributes of network ports as one shows them: `nicips=eth1!a,eth2!b` becomes `nicips.eth1=a` and `nicips.eth2=b`.
pub fn by_port<'a>(attribute: &'a str, value: &'a str) -> Vec<(Cow<'a, str>, &'a str)> {
    if !attribute.starts_with("nic") || !value.contains('!') {
        return vec![(Cow::Borrowed(attribute), value)];
    }
    let ports = nic::entries(value);
    let mut named: Vec<_> = ports.map(|(port, value)| (Cow::Owned(format!("{attribute}.{port}")), value)).collect();
    named.sort();
    named
}
