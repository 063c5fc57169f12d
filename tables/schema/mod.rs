//! The tables as data, one file a table; help, SQL, `tabdump -d` and object attributes derive from it.

mod auditlog;
mod bootevent;
mod bootparams;
mod boottarget;
mod chain;
mod circuit;
mod containerimage;
mod discoverydata;
mod disklessimage;
mod docker;
mod dockerhost;
mod eventlog;
mod fabric;
mod fabrichost;
mod feed;
mod firmware;
mod hosts;
mod hwinv;
mod hypervisor;
mod imageledger;
mod ipmi;
mod iscsi;
mod kit;
mod kitcomponent;
mod kitrepo;
mod kvm_nodedata;
mod lease;
mod linuximage;
mod mac;
mod module;
mod monitoring;
mod monsetting;
mod mp;
mod networks;
mod nics;
mod nodegroup;
mod nodehm;
mod nodeimage;
mod nodelist;
mod nodepos;
mod noderes;
mod nodetype;
mod nodeupdate;
mod notification;
mod openbmc;
mod osdistro;
mod osdistroupdate;
mod osimage;
mod passwd;
mod pdu;
mod pduoutlet;
mod policy;
mod postscripts;
mod prescripts;
mod rack;
mod registry;
mod routes;
mod servicenode;
mod site;
mod ssh;
mod storage;
mod switch;
mod switches;
mod taskstate;
mod token;
mod virtsd;
mod vm;
mod vmmaster;
mod vpd;
mod zone;

/// Every table, in alphabetical order.
pub const ALL: &[&Table] = &[
    &auditlog::TABLE,
    &bootevent::TABLE,
    &bootparams::TABLE,
    &boottarget::TABLE,
    &chain::TABLE,
    &circuit::TABLE,
    &containerimage::TABLE,
    &discoverydata::TABLE,
    &disklessimage::TABLE,
    &docker::TABLE,
    &dockerhost::TABLE,
    &eventlog::TABLE,
    &fabric::TABLE,
    &fabrichost::TABLE,
    &feed::TABLE,
    &firmware::TABLE,
    &hosts::TABLE,
    &hwinv::TABLE,
    &hypervisor::TABLE,
    &imageledger::TABLE,
    &ipmi::TABLE,
    &iscsi::TABLE,
    &kit::TABLE,
    &kitcomponent::TABLE,
    &kitrepo::TABLE,
    &kvm_nodedata::TABLE,
    &lease::TABLE,
    &linuximage::TABLE,
    &mac::TABLE,
    &module::TABLE,
    &monitoring::TABLE,
    &monsetting::TABLE,
    &mp::TABLE,
    &networks::TABLE,
    &nics::TABLE,
    &nodegroup::TABLE,
    &nodehm::TABLE,
    &nodeimage::TABLE,
    &nodelist::TABLE,
    &nodepos::TABLE,
    &noderes::TABLE,
    &nodetype::TABLE,
    &nodeupdate::TABLE,
    &notification::TABLE,
    &openbmc::TABLE,
    &osdistro::TABLE,
    &osdistroupdate::TABLE,
    &osimage::TABLE,
    &passwd::TABLE,
    &pdu::TABLE,
    &pduoutlet::TABLE,
    &policy::TABLE,
    &postscripts::TABLE,
    &prescripts::TABLE,
    &rack::TABLE,
    &registry::TABLE,
    &routes::TABLE,
    &servicenode::TABLE,
    &site::TABLE,
    &ssh::TABLE,
    &storage::TABLE,
    &switch::TABLE,
    &switches::TABLE,
    &taskstate::TABLE,
    &token::TABLE,
    &virtsd::TABLE,
    &vm::TABLE,
    &vmmaster::TABLE,
    &vpd::TABLE,
    &zone::TABLE,
];

/// A table: its columns in CSV order, keys first unless xCAT has it otherwise.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    /// What a row is, in a sentence.
    pub help: &'static str,
    pub scope: Scope,
    /// Always ends with [`COMMENTS`] and [`DISABLE`].
    pub columns: &'static [Column],
}

/// Whose rows a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The first key is a node or a group; group rows supply defaults to the group's members.
    Node,
    /// Keyed by something else (an image, a network, a setting).
    Other,
}

/// A column of a table.
#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub key: bool,
    /// Meaning, unit, accepted values and default, in a sentence or two.
    pub help: &'static str,
}

/// What a cell holds; all are stored as text, an empty one is unset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Comma separated; `chdef -p` and `-m` add to and remove from it.
    List,
    /// A list separated by `|`, because its values may hold commas.
    Bars,
    /// The address of a service. An account in it is refused: see [`crate::urls`].
    Url,
    /// The same, several by comma.
    Urls,
    /// Never shown but to those who ask for the table itself.
    Secret,
}

impl Kind {
    /// What separates the values of a list; None where a cell is one value.
    pub fn separator(self) -> Option<char> {
        match self {
            Self::List | Self::Urls => Some(','),
            Self::Bars => Some('|'),
            Self::Text | Self::Url | Self::Secret => None,
        }
    }
}

impl Table {
    /// The position of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Whether it only tells what happened: rows are added by the program and pruned by age, the first column counts
    /// them and the second is their time.
    pub fn is_log(&self) -> bool {
        LOGS.contains(&self.name)
    }

    /// The key columns, in order.
    pub fn keys(&self) -> impl Iterator<Item = &'static Column> {
        self.columns.iter().filter(|column| column.key)
    }
}

/// The tables that are logs.
pub const LOGS: [&str; 4] = ["auditlog", "bootevent", "eventlog", "imageledger"];

/// The table of that name.
pub fn find(name: &str) -> Option<&'static Table> {
    ALL.iter().find(|table| table.name == name).copied()
}

const fn key(name: &'static str, help: &'static str) -> Column {
    Column { name, kind: Kind::Text, key: true, help }
}

const fn text(name: &'static str, help: &'static str) -> Column {
    Column { name, kind: Kind::Text, key: false, help }
}

const fn list(name: &'static str, help: &'static str) -> Column {
    Column { name, kind: Kind::List, key: false, help }
}

const fn url(name: &'static str, help: &'static str) -> Column {
    Column { name, kind: Kind::Url, key: false, help }
}

const fn urls(name: &'static str, help: &'static str) -> Column {
    Column { name, kind: Kind::Urls, key: false, help }
}

const fn bars(name: &'static str, help: &'static str) -> Column {
    Column { name, kind: Kind::Bars, key: false, help }
}

const fn secret(name: &'static str, help: &'static str) -> Column {
    Column { name, kind: Kind::Secret, key: false, help }
}

const fn secret_key(name: &'static str, help: &'static str) -> Column {
    Column { name, kind: Kind::Secret, key: true, help }
}

/// Free text for people, at the end of every table.
const COMMENTS: Column = text("comments", "Free text for people.");
/// Hides the row, at the end of every table.
const DISABLE: Column = text("disable", "'yes' or '1' hides this row from every reader but tabdump.");

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;
    use std::path::Path;

    use rusqlite::Connection;

    use super::*;

    fn migrated() -> Connection {
        let database = Connection::open_in_memory().unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "sql")) {
            database.execute_batch(&fs::read_to_string(file).unwrap()).unwrap_or_else(|why| panic!("{file:?}: {why}"));
        }
        database
    }

    /// Name and position in the primary key (0 for none) of each column, as the database has them.
    fn columns_in(database: &Connection, table: &str) -> Vec<(String, u32)> {
        let mut query = database.prepare("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid").unwrap();
        query.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    fn columns_of(table: &Table) -> Vec<(String, u32)> {
        let place =
            |column: &Column| (1..).zip(table.keys()).find(|(_, key)| key.name == column.name).map_or(0, |(at, _)| at);
        table.columns.iter().map(|column| (column.name.to_string(), place(column))).collect()
    }

    /// The statement that a new table needs. Keys are never NULL, or two rows could share one.
    fn create(table: &Table) -> String {
        let keys: Vec<_> = table.keys().map(|column| format!("\"{}\"", column.name)).collect();
        let unset = if keys.len() > 1 { " ON CONFLICT REPLACE DEFAULT ''" } else { "" };
        let mut lines = Vec::new();
        for column in table.columns {
            let not_null = if column.key { format!(" NOT NULL{unset}") } else { String::new() };
            lines.push(format!("    \"{}\" TEXT{not_null}", column.name));
        }
        lines.push(format!("    PRIMARY KEY ({})", keys.join(", ")));
        format!("CREATE TABLE \"{}\" (\n{}\n);\n", table.name, lines.join(",\n"))
    }

    #[test]
    fn migrations_make_the_tables_that_the_constants_describe() {
        let database = migrated();
        for table in ALL {
            let found = columns_in(&database, table.name);
            assert_eq!(found, columns_of(table), "a new table {} would be made by:\n{}", table.name, create(table));
        }
    }

    #[test]
    fn a_new_table_made_from_its_constant_equals_the_migrated_one() {
        for table in ALL {
            let database = Connection::open_in_memory().unwrap();
            database.execute_batch(&create(table)).unwrap();
            assert_eq!(columns_in(&database, table.name), columns_of(table), "{}", table.name);
        }
    }

    #[test]
    fn an_unset_part_of_a_key_is_no_way_round_it() {
        let database = migrated();
        let insert = "INSERT INTO \"switch\" (node, \"switch\", port) VALUES ('n1', NULL, NULL)";
        database.execute(insert, []).unwrap();
        assert!(database.execute(insert, []).is_err());
    }

    #[test]
    fn names_are_unique_and_tables_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].name < pair[1].name));
        for table in ALL {
            let names: HashSet<_> = table.columns.iter().map(|column| column.name).collect();
            assert_eq!(names.len(), table.columns.len(), "{}", table.name);
        }
    }

    #[test]
    fn every_table_and_column_has_help() {
        for table in ALL {
            assert!(table.help.ends_with('.'), "{}", table.name);
            for column in table.columns {
                assert!(column.help.ends_with('.'), "{}.{}", table.name, column.name);
            }
        }
    }

    #[test]
    fn every_table_has_a_key_and_ends_with_comments_and_disable() {
        for table in ALL {
            assert!(table.keys().count() > 0, "{}", table.name);
            let last: Vec<_> = table.columns.iter().rev().take(2).map(|column| column.name).collect();
            assert_eq!(last, ["disable", "comments"], "{}", table.name);
        }
    }

    #[test]
    fn tables_of_nodes_begin_with_the_node() {
        for table in ALL.iter().filter(|table| table.scope == Scope::Node) {
            let node = if table.name == "switches" { "switch" } else { "node" };
            assert_eq!((table.columns[0].name, table.columns[0].key), (node, true), "{}", table.name);
        }
    }

    #[test]
    fn whatever_is_called_a_password_is_secret() {
        for column in ALL.iter().flat_map(|table| table.columns) {
            if column.name.ends_with("password") || column.name == "passwd" {
                assert_eq!(column.kind, Kind::Secret, "{}", column.name);
            }
        }
    }
}
