//! Table imageledger: which node was given which image, where and when. Not journalled: it tells what happened, which
//! nobody can take back.

use crate::schema::{self, Table};
use crate::store::Store;
use crate::{Result, Row, Tables};

/// What happened to one node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ran {
    pub node: String,
    pub host: String,
    /// As the node's definition names it.
    pub image: String,
    /// Of its manifest; empty where nobody knows it.
    pub digest: String,
    /// `created`, `re-created`, `updated`, `rolled-back` or `removed`.
    pub what: &'static str,
    pub why: String,
    pub who: String,
    /// Seconds in which the node was down for it; empty where that makes no sense.
    pub downtime: String,
}

impl Tables {
    /// Writes down what happened to nodes, all of it at this moment.
    pub fn enter(&self, happened: &[Ran]) -> Result<()> {
        if happened.is_empty() {
            return Ok(());
        }
        let store = self.changeable()?;
        store.write(|| {
            let time = store.universal_time()?;
            happened.iter().try_for_each(|ran| add(&store, &time, ran))
        })
    }
}

fn add(store: &Store, time: &str, ran: &Ran) -> Result<()> {
    let Ran { node, host, image, digest, what, why, who, downtime } = ran;
    store.append(ledger(), |number| {
        Row::new(ledger(), [number, time, node, host, image, digest, what, why, who, downtime])
    })
}

fn ledger() -> &'static Table {
    schema::find("imageledger").expect("table imageledger is in the schema")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Select;
    use crate::journal::Filter;
    use crate::tables::tests::scratch;

    #[test]
    fn what_happened_is_numbered_and_not_journalled() {
        let tables = scratch();
        let ran = |node: &str| Ran { node: node.into(), what: "created", ..Ran::default() };
        tables.enter(&[ran("n1"), ran("n2")]).unwrap();
        tables.enter(&[ran("n3")]).unwrap();
        tables.enter(&[]).unwrap();
        let rows = tables.rows(ledger(), Select::All).unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.get("id").unwrap(), row.get("node").unwrap())).collect();
        assert_eq!(told, [("1", "n1"), ("2", "n2"), ("3", "n3")]);
        assert!(rows[0].get("time").is_some_and(|time| time.ends_with('Z')));
        assert_eq!(tables.journal(&Filter::default()).unwrap(), []);
    }
}
