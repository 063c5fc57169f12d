//! Table auditlog: which commands were run, by whom and on what. Not journalled: nothing of it is a decision to take back.

use crate::schema::{self, Table};
use crate::store::Store;
use crate::{Result, Row, Tables, tables};

/// A command that is run.
#[derive(Debug, Clone, Copy)]
pub struct Audited<'a> {
    pub user: &'a str,
    /// The machine it is run on.
    pub client: &'a str,
    pub command: &'a str,
    pub noderange: &'a str,
    /// As typed, without passwords.
    pub arguments: &'a str,
}

impl Tables {
    /// Writes a command to auditlog, unless `site.auditskipcmds` leaves it out.
    pub fn audit(&self, audited: &Audited<'_>) -> Result<()> {
        let store = self.changeable()?;
        let skipped = tables::site(&store, "auditskipcmds")?.unwrap_or_default();
        if skipped
            .split(',')
            .map(str::trim)
            .any(|word| word == "ALL" || word == "clienttype:cli" || word == audited.command)
        {
            return Ok(());
        }
        store.write(|| add(&store, audited))
    }
}

fn add(store: &Store, audited: &Audited<'_>) -> Result<()> {
    let time = store.local_time()?;
    let Audited { user, client, command, noderange, arguments } = *audited;
    store.append(auditlog(), |number| {
        Row::new(auditlog(), [number, &time, user, client, "cli", command, noderange, arguments, "allowed"])
    })
}

fn auditlog() -> &'static Table {
    schema::find("auditlog").expect("table auditlog is in the schema")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Select;
    use crate::journal::Filter;
    use crate::tables::tests::{origin, scratch};

    fn audited(command: &str) -> Audited<'_> {
        Audited { user: "root", client: "mn", command, noderange: "n1", arguments: "on" }
    }

    #[test]
    fn each_command_is_a_row_with_a_number_of_its_own() {
        let tables = scratch();
        tables.audit(&audited("rpower")).unwrap();
        tables.audit(&audited("xdsh")).unwrap();
        let rows = tables.rows(auditlog(), Select::All).unwrap();
        let shown: Vec<Vec<&str>> =
            rows.iter().map(|row| row.cells().map(Option::unwrap_or_default).collect()).collect();
        assert_eq!(shown[1][..1], ["2"]);
        assert_eq!(shown[1][2..9], ["root", "mn", "cli", "xdsh", "n1", "on", "allowed"]);
        // A restored log need not be in order.
        tables.edit(&origin("tabrestore"), |edit| edit.insert(Row::new(auditlog(), ["9", ""]))).unwrap();
        tables.edit(&origin("tabrestore"), |edit| edit.insert(Row::new(auditlog(), ["8", ""]))).unwrap();
        tables.audit(&audited("mkvm")).unwrap();
        assert_eq!(tables.rows(auditlog(), Select::All).unwrap().last().unwrap().key(), ["10"]);
        assert_eq!(tables.journal(&Filter::default()).unwrap().len(), 2);
    }

    #[test]
    fn a_site_may_leave_commands_out() {
        let check = |skip: &str, expected: usize| {
            let tables = scratch();
            let site = schema::find("site").unwrap();
            tables.edit(&origin("chdef"), |edit| edit.set(site, &["auditskipcmds"], &[("value", skip)])).unwrap();
            tables.audit(&audited("rpower")).unwrap();
            assert_eq!(tables.rows(auditlog(), Select::All).unwrap().len(), expected, "{skip}");
        };
        check("", 1);
        check("xdsh,clienttype:web", 1);
        check("xdsh, rpower", 0);
        check("clienttype:cli", 0);
        check("ALL", 0);
    }
}
