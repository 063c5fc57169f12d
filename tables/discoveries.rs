//! Table discoverydata: machines as they have described themselves. Not journalled: they come and go, and say what they like.
//! That a node is made of one is: those are changes of other tables.

use std::collections::HashSet;

use crate::schema::{self, Table};
use crate::{Edit, Result, Select};

impl Edit<'_> {
    /// Writes down a machine, and the time where anything is new about it.
    pub fn note_machine(&mut self, uuid: &str, cells: &[(&str, &str)]) -> Result<()> {
        let mut apart = Self::new(self.store());
        if apart.set(table(), &[uuid], cells)? > 0 {
            let now = self.store().local_time()?;
            apart.set(table(), &[uuid], &[("discoverytime", &now)])?;
        }
        Ok(())
    }

    /// The UUIDs of all machines that are written down.
    pub fn machines(&self) -> Result<HashSet<String>> {
        Ok(self.store().keys(table())?.into_iter().collect())
    }

    /// Forgets machines. Returns how many there were.
    pub fn forget_machines(&mut self, uuids: &[&str]) -> Result<usize> {
        Self::new(self.store()).delete(table(), Select::Keys(uuids))
    }

    /// Writes `nodelist.status` of a node, as [`crate::Tables::record_statuses`] does.
    pub fn record_status(&mut self, node: &str, status: &str) -> Result<()> {
        let now = self.store().local_time()?;
        let table = schema::find("nodelist").expect("table nodelist is in the schema");
        let cells = [("status", status), ("statustime", &*now)];
        Self::new(self.store()).set(table, &[node], &cells).map(drop)
    }
}

fn table() -> &'static Table {
    schema::find("discoverydata").expect("table discoverydata is in the schema")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Filter;
    use crate::tables::tests::{filled, origin};

    #[test]
    fn machines_are_kept_and_not_journalled() {
        let tables = filled("nodelist n1");
        let before = tables.journal(&Filter::default()).unwrap();
        let note = |cells: &[(&str, &str)]| {
            tables.edit(&origin("serve"), |edit| edit.note_machine("u1", cells)).unwrap();
        };
        note(&[("serial", "A"), ("method", "undef")]);
        note(&[("node", "n1"), ("method", "serial")]);
        tables.edit(&origin("serve"), |edit| edit.record_status("n1", "discovered")).unwrap();
        let row = tables.rows(table(), Select::All).unwrap().pop().unwrap();
        assert_eq!((row.get("serial"), row.get("node"), row.get("method")), (Some("A"), Some("n1"), Some("serial")));
        assert!(row.get("discoverytime").is_some());
        assert_eq!(tables.resolve(&["n1".into()]).unwrap()[0].get("status"), Some("discovered"));
        let machines = tables.edit(&origin("serve"), |edit| edit.machines()).unwrap();
        assert_eq!(machines, HashSet::from(["u1".to_owned()]));
        let forgotten = tables.edit(&origin("nodediscoverdef"), |edit| edit.forget_machines(&["u1", "u2"])).unwrap();
        assert_eq!(forgotten, 1);
        assert_eq!(tables.journal(&Filter::default()).unwrap(), before);
    }
}
