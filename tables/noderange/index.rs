//! What a range is evaluated against: the trait, and an implementation in memory.

use std::collections::HashMap;

use super::Name;
use super::error::Cause;
use super::set::sorted;
use crate::criterion::Criterion;

/// Everything that evaluation asks. A range that only names a few nodes calls `contains` and `group` and nothing else,
/// so that an implementation over a database can load all names on the first call of `names` and keep them.
pub trait World {
    /// Whether there is a node of this very name.
    fn contains(&self, name: &str) -> Result<bool, Cause>;

    /// The members of a group, in any order; a dynamic group comes before a static one of the same name.
    /// A group that is defined but empty is `Some` of nothing, what is no group is `None`.
    fn group(&self, name: &str) -> Result<Option<Vec<Name>>, Cause>;

    /// The names of all nodes, sorted by plain string order.
    fn names(&self) -> Result<&[Name], Cause>;

    /// The nodes that meet a criterion, in any order. A key that is no attribute is an error.
    fn criterion(&self, criterion: &Criterion) -> Result<Vec<Name>, Cause>;

    /// The text of a file of ranges.
    fn file(&self, path: &str) -> Result<String, Cause> {
        Ok(std::fs::read_to_string(path)?)
    }
}

/// Sorted names and groups in memory. It holds no attributes, so that every criterion is unknown to it.
#[derive(Debug, Default)]
pub struct Index {
    names: Vec<Name>,
    groups: HashMap<String, Vec<Name>>,
}

impl Index {
    /// An index of these nodes, which may come in any order.
    pub fn new(names: impl IntoIterator<Item = Name>) -> Self {
        Self { names: sorted(names.into_iter().collect()), groups: HashMap::new() }
    }

    /// Defines a group; a later definition of the same name replaces an earlier one.
    pub fn define(&mut self, group: &str, members: impl IntoIterator<Item = Name>) {
        self.groups.insert(group.to_owned(), sorted(members.into_iter().collect()));
    }
}

impl World for Index {
    fn contains(&self, name: &str) -> Result<bool, Cause> {
        Ok(self.names.binary_search_by(|other| (**other).cmp(name)).is_ok())
    }

    fn group(&self, name: &str) -> Result<Option<Vec<Name>>, Cause> {
        Ok(self.groups.get(name).cloned())
    }

    fn names(&self) -> Result<&[Name], Cause> {
        Ok(&self.names)
    }

    fn criterion(&self, criterion: &Criterion) -> Result<Vec<Name>, Cause> {
        Err(format!("there is no attribute '{}'", criterion.key).into())
    }
}
