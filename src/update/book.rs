//! How far the update of each node is: in table nodeupdate, so that a killed command can be completed, and at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tables::{Stage, Tables, Update};

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

    /// Closes the updates of nodes that are good. What a killed command has begun and this one has not reached stays
    /// open: only its row tells what the node was.
    pub(crate) fn close_good(&self) -> tables::Result<()> {
        let good = |update: &&Update| update.stage == Stage::Good;
        let nodes: Vec<String> = self.lock().values().filter(good).map(|update| update.node.clone()).collect();
        self.close(&nodes.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Update>> {
        self.updates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Updates that killed commands have left: void for a node that something else has made anew or removed.
pub(crate) struct Leftover<'a> {
    tables: &'a Tables,
    nodes: BTreeSet<String>,
}

impl<'a> Leftover<'a> {
    pub(crate) fn read(tables: &'a Tables) -> tables::Result<Self> {
        let nodes = tables.updates()?.into_iter().map(|update| update.node).collect();
        Ok(Self { tables, nodes })
    }

    /// Forgets what was left of a node; one of which nothing was left costs no transaction.
    pub(crate) fn void(&self, node: &str) -> tables::Result<()> {
        if self.nodes.contains(node) { self.tables.forget_updates(&[node]) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(node: &str, stage: Stage) -> Update {
        Update {
            node: node.into(),
            image: "a:2".into(),
            digest: String::new(),
            from_image: "a:1".into(),
            from_digest: String::new(),
            own_image: String::new(),
            was_on: true,
            stage,
        }
    }

    #[test]
    fn what_was_taken_over_and_not_reached_stays_open() {
        let home = tempfile::tempdir().unwrap();
        let tables = Tables::open(home.path()).unwrap();
        let left = [update("c1", Stage::Good), update("c2", Stage::Made), update("c3", Stage::Begun)];
        tables.keep_updates(&left).unwrap();
        let book = Book::new(&tables);
        left.iter().for_each(|update| book.take_over(update.clone()));
        book.close_good().unwrap();
        assert_eq!(tables.updates().unwrap(), left[1..]);
        assert_eq!((book.get("c1"), book.get("c2").as_ref()), (None, Some(&left[1])));
    }

    #[test]
    fn what_was_left_of_a_node_that_is_made_anew_is_void() {
        let home = tempfile::tempdir().unwrap();
        let tables = Tables::open(home.path()).unwrap();
        let left = [update("c1", Stage::Begun), update("c2", Stage::Good)];
        tables.keep_updates(&left).unwrap();
        let leftover = Leftover::read(&tables).unwrap();
        leftover.void("c1").unwrap();
        leftover.void("c3").unwrap();
        assert_eq!(tables.updates().unwrap(), left[1..]);
    }
}
