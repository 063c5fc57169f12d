//! What a range is evaluated against: the trait, and an implementation in memory.

use std::collections::HashMap;

use super::error::Cause;
use super::names::Names;
use crate::criterion::Criterion;

/// Everything that evaluation asks. A range that only names a few nodes calls `contains` and `group` and nothing else,
/// so that an implementation over a database can load all names on the first call of `names` or `groups` and keep them.
pub trait World {
    /// Whether there is a node of this very name.
    fn contains(&self, name: &str) -> Result<bool, Cause>;

    /// The members of a group; a dynamic group comes before a static one of the same name.
    /// A group that is defined but empty is `Some` of nothing, what is no group is `None`.
    fn group(&self, name: &str) -> Result<Option<Names>, Cause>;

    /// The names of all nodes.
    fn names(&self) -> Result<&Names, Cause>;

    /// The names of all groups.
    fn groups(&self) -> Result<&Names, Cause>;

    /// The nodes that meet a criterion. A key that is no attribute is an error.
    fn criterion(&self, criterion: &Criterion) -> Result<Names, Cause>;

    /// The text of a file of ranges.
    fn file(&self, path: &str) -> Result<String, Cause> {
        Ok(std::fs::read_to_string(path)?)
    }
}

/// Names and groups in memory. It holds no attributes, so that every criterion is unknown to it.
#[derive(Debug, Default)]
pub struct Index {
    names: Names,
    members: HashMap<String, Names>,
    groups: Names,
}

impl Index {
    /// An index of these nodes.
    pub fn new(names: Names) -> Self {
        Self { names, ..Self::default() }
    }

    /// Defines a group; a later definition of the same name replaces an earlier one.
    pub fn define(&mut self, group: &str, members: Names) {
        self.members.insert(group.to_owned(), members);
        self.groups = self.members.keys().collect();
    }
}

impl World for Index {
    fn contains(&self, name: &str) -> Result<bool, Cause> {
        Ok(self.names.contains(name))
    }

    fn group(&self, name: &str) -> Result<Option<Names>, Cause> {
        Ok(self.members.get(name).cloned())
    }

    fn names(&self) -> Result<&Names, Cause> {
        Ok(&self.names)
    }

    fn groups(&self) -> Result<&Names, Cause> {
        Ok(&self.groups)
    }

    fn criterion(&self, criterion: &Criterion) -> Result<Names, Cause> {
        Err(format!("there is no attribute '{}'", criterion.key).into())
    }
}
