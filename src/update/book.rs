//! How far the update of each node is: in table nodeupdate, so that a killed command can be completed, and at hand.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tables::{Tables, Update};

/// The updates that were begun and whose way back is still open.
pub(crate) struct Book<'a> {
    tables: &'a Tables,
    updates: Mutex<BTreeMap<String, Update>>,
}

impl<'a> Book<'a> {
    pub(crate) fn new(tables: &'a Tables) -> Self {
        Self { tables, updates: Mutex::default() }
    }

    /// Takes over what a killed command has left behind.
    pub(crate) fn take_over(&self, update: Update) {
        self.lock().insert(update.node.clone(), update);
    }

    pub(crate) fn get(&self, node: &str) -> Option<Update> {
        self.lock().get(node).cloned()
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Update> {
        self.lock().values().cloned().collect()
    }

    /// Writes down how far updates are.
    pub(crate) fn keep(&self, updates: &[Update]) -> tables::Result<()> {
        self.tables.keep_updates(updates)?;
        self.lock().extend(updates.iter().map(|update| (update.node.clone(), update.clone())));
        Ok(())
    }

    /// Closes updates: there is nothing left to do for these nodes, and no way back.
    pub(crate) fn close(&self, nodes: &[&str]) -> tables::Result<()> {
        self.tables.forget_updates(nodes)?;
        self.lock().retain(|name, _| !nodes.contains(&name.as_str()));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Update>> {
        self.updates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
