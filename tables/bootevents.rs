//! Table bootevent: what was seen of machines that boot. Not journalled: it tells what happened, which nobody has decided
//! and nobody can take back. It has a bound whatever machines do: so many rows a node, so many for all strangers together.

use crate::prune;
use crate::schema::{self, Table};
use crate::{Result, Row, Select, Tables};

/// Rows that are kept of a node: some ten boots.
const OF_A_NODE: usize = 400;
/// Rows that are kept of all machines together that are no nodes.
const OF_STRANGERS: usize = 2000;

/// Something that was seen of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BootEvent {
    /// In UTC, as `2026-11-21T05:12:00.250Z`.
    pub time: String,
    /// Empty for a machine that is no node.
    pub node: String,
    pub mac: String,
    pub interface: String,
    pub kind: String,
    pub subject: String,
    pub detail: String,
}

impl BootEvent {
    fn read(row: &Row) -> Self {
        let text = |column: &str| row.get(column).unwrap_or_default().to_owned();
        Self {
            time: text("time"),
            node: text("node"),
            mac: text("mac"),
            interface: text("interface"),
            kind: text("kind"),
            subject: text("subject"),
            detail: text("detail"),
        }
    }
}

impl Tables {
    /// Writes down what was seen, and forgets the oldest of whatever has more rows than it may have.
    pub fn record_boot_events(&self, seen: &[BootEvent]) -> Result<()> {
        if seen.is_empty() {
            return Ok(());
        }
        let store = self.changeable()?;
        store.write(|| {
            for event in seen {
                let BootEvent { time, node, mac, interface, kind, subject, detail } = event;
                store.append(table(), |number| {
                    Row::new(table(), [number, time, node, mac, interface, kind, subject, detail])
                })?;
            }
            let mut nodes: Vec<&str> = seen.iter().map(|event| event.node.as_str()).collect();
            nodes.sort_unstable();
            nodes.dedup();
            nodes.iter().try_for_each(|node| {
                prune::boot_events_of(&store, node, if node.is_empty() { OF_STRANGERS } else { OF_A_NODE })
            })
        })
    }

    /// What was seen of a node, oldest first; without a name, what was seen of strangers.
    pub fn boot_events(&self, node: &str) -> Result<Vec<BootEvent>> {
        Ok(self.rows(table(), Select::Where(&[("node", node)]))?.iter().map(BootEvent::read).collect())
    }

    /// Forgets what was seen before that time.
    pub fn forget_boot_events(&self, before: &str) -> Result<()> {
        let store = self.changeable()?;
        store.write(|| prune::boot_events_before(&store, before))
    }
}

fn table() -> &'static Table {
    schema::find("bootevent").expect("table bootevent is in the schema")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Filter;
    use crate::tables::tests::scratch;

    fn event(node: &str, second: usize) -> BootEvent {
        let time = format!("2026-11-21T05:{:02}:{:02}.250Z", second / 60, second % 60);
        BootEvent { time, node: node.into(), mac: "m".into(), kind: "offer".into(), ..BootEvent::default() }
    }

    #[test]
    fn what_was_seen_is_kept_by_node_and_not_journalled() {
        let tables = scratch();
        tables.record_boot_events(&[event("n1", 1), event("", 2), event("n2", 3)]).unwrap();
        tables.record_boot_events(&[event("n1", 4)]).unwrap();
        assert_eq!(tables.boot_events("n1").unwrap(), [event("n1", 1), event("n1", 4)]);
        assert_eq!(tables.boot_events("").unwrap(), [event("", 2)]);
        assert_eq!(tables.boot_events("n9").unwrap(), []);
        tables.forget_boot_events("2026-11-21T05:00:03.000Z").unwrap();
        assert_eq!(tables.boot_events("n1").unwrap(), [event("n1", 4)]);
        assert_eq!(tables.boot_events("").unwrap(), []);
        assert_eq!(tables.journal(&Filter::default()).unwrap(), []);
    }

    #[test]
    fn no_machine_fills_the_database() {
        let tables = scratch();
        let many = |node: &str| (0..2500).map(|second| event(node, second)).collect::<Vec<_>>();
        tables.record_boot_events(&[event("n2", 0)]).unwrap();
        for node in ["n1", ""] {
            many(node).chunks(500).for_each(|some| tables.record_boot_events(some).unwrap());
        }
        let kept = tables.boot_events("n1").unwrap();
        assert_eq!((kept.len(), kept.last()), (OF_A_NODE, Some(&event("n1", 2499))));
        assert_eq!(tables.boot_events("").unwrap().len(), OF_STRANGERS);
        assert_eq!(tables.boot_events("n2").unwrap().len(), 1);
    }
}
