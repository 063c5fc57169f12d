//! Giving an object another name: in every table that says something of it, and in every cell that names it.

use super::{node_tables, nodelist, other_tables, owner, owner_column};
use crate::expression;
use crate::objects::ObjectType;
use crate::schema::{self, Scope, Table};
use crate::{Edit, Result, Row, Select};

/// How a cell names nodes or groups.
#[derive(Clone, Copy)]
enum Named {
    /// One name or several, by ',' or '|'; what follows a ':' is something else, such as an outlet or an alias.
    Names,
    /// A noderange; a name in brackets or at an end of a series is not looked for.
    Range,
}

/// The columns whose cells name nodes or groups that their row is not about.
const REFERENCES: &[(&str, &str, Named)] = &[
    ("docker", "links", Named::Names),
    ("fabric", "hosts", Named::Range),
    ("fabric", "hub", Named::Names),
    ("hypervisor", "mgr", Named::Names),
    ("mp", "mpa", Named::Names),
    ("nodegroup", "membergroups", Named::Names),
    ("nodehm", "conserver", Named::Names),
    ("nodehm", "termserver", Named::Names),
    ("nodelist", "primarysn", Named::Names),
    ("noderes", "monserver", Named::Names),
    ("noderes", "nfsserver", Named::Names),
    ("noderes", "nimserver", Named::Names),
    ("noderes", "servicenode", Named::Names),
    ("noderes", "tftpserver", Named::Names),
    ("noderes", "xcatmaster", Named::Names),
    ("pduoutlet", "pdu", Named::Names),
    ("policy", "noderange", Named::Range),
    ("registry", "node", Named::Names),
    ("switch", "switch", Named::Names),
    ("vm", "host", Named::Names),
    ("vm", "mgr", Named::Names),
    ("vm", "migrationdest", Named::Range),
];

impl Edit<'_> {
    /// Gives an object another name, also where others name it. Returns the nodes whose computed `vmhost` was the old
    /// name: no expression can be made to give the new one, so that it stands in their own rows now.
    pub fn rename(&mut self, object: &'static ObjectType, from: &str, to: &str) -> Result<Vec<String>> {
        let guests = if object.name == "node" { self.computed_guests(from)? } else { Vec::new() };
        for table in tables(object) {
            let column = owner_column(object, table);
            if !self.rows(table, Select::Where(&[(column, from)]))?.is_empty() {
                self.set_where(table, &[(column, from)], &[(column, to)])?;
            }
        }
        if matches!(object.name, "node" | "group") {
            self.rename_references(from, to)?;
        }
        if object.name == "group" {
            self.rename_membership(from, to)?;
        }
        for guest in &guests {
            let guest = if guest == from { to } else { guest };
            self.set(vm(), &[guest], &[("host", to)])?;
        }
        Ok(guests)
    }

    fn rename_references(&mut self, from: &str, to: &str) -> Result<()> {
        for (table, column, named) in REFERENCES {
            let table = schema::find(table).expect("the tables above are in the schema, as a test checks");
            for row in self.store().stored(table, Select::Stored)? {
                let cell = row.row.get(column).unwrap_or_default();
                let is_computed = table.scope == Scope::Node && expression::is_expression(cell);
                let new = if is_computed { None } else { renamed(cell, *named, from, to) };
                if let Some(new) = new {
                    let key = row.row.key().into_iter().map(str::to_owned).collect::<Vec<_>>();
                    self.set(table, &key.iter().map(String::as_str).collect::<Vec<_>>(), &[(column, &new)])?;
                }
            }
        }
        Ok(())
    }

    /// The nodes for which an expression gives that host.
    fn computed_guests(&self, host: &str) -> Result<Vec<String>> {
        let is_computed = |row: &Row| row.get("host").is_some_and(expression::is_expression);
        if !self.rows(vm(), Select::All)?.iter().any(is_computed) {
            return Ok(Vec::new());
        }
        let names: Vec<String> = self.rows(nodelist(), Select::All)?.iter().map(|row| owner(row).to_owned()).collect();
        let values = self.cells(&names, &[(vm(), "host")])?;
        let is_guest = |values: &Vec<crate::Value>| {
            let [value] = values.as_slice() else { return false };
            value.text.as_deref() == Some(host) && value.given.first().is_some_and(|given| given.text != host)
        };
        Ok(names.into_iter().zip(&values).filter(|(_, values)| is_guest(values)).map(|(name, _)| name).collect())
    }
}

/// The tables with rows about such an object; for nodes and groups also those that hold no attributes.
fn tables(object: &'static ObjectType) -> Vec<&'static Table> {
    let key = object.key.table;
    match object.name {
        "node" => node_tables().collect(),
        "group" => node_tables().filter(|table| table.name != nodelist().name).chain([key]).collect(),
        _ => std::iter::once(key).chain(other_tables(object)).collect(),
    }
}

fn vm() -> &'static Table {
    schema::find("vm").expect("table vm is in the schema")
}

/// The cell with the new name for the old one; None where the old one is not in it.
fn renamed(cell: &str, named: Named, from: &str, to: &str) -> Option<String> {
    let separators: &[char] = match named {
        Named::Names => &[',', '|'],
        Named::Range => &[',', '@', '(', ')'],
    };
    let mut new = String::new();
    for piece in cell.split_inclusive(separators) {
        let word = piece.trim_end_matches(separators).trim();
        let name = match named {
            Named::Names => word.split(':').next().unwrap_or_default(),
            Named::Range => word.strip_prefix('-').unwrap_or(word),
        };
        match name == from && !name.is_empty() {
            true => new.push_str(&piece.replacen(name, to, 1)),
            false => new.push_str(piece),
        }
    }
    (new != cell).then_some(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Filter;
    use crate::objects;
    use crate::tables::tests::{filled, origin};

    #[test]
    fn references_are_in_the_schema() {
        for (table, column, _) in REFERENCES {
            assert!(schema::find(table).is_some_and(|table| table.column(column).is_some()), "{table}.{column}");
        }
    }

    #[test]
    fn names_are_whole_words() {
        let check = |cell: &str, named: Named, expected: Option<&str>| {
            assert_eq!(renamed(cell, named, "h1", "new").as_deref(), expected, "{cell}");
        };
        check("h1", Named::Names, Some("new"));
        check("h11", Named::Names, None);
        check("h2, h1|h1:3", Named::Names, Some("h2, new|new:3"));
        check("h2:h1", Named::Names, None);
        check("", Named::Names, None);
        check("rack1,-h1@(h1,h2)", Named::Range, Some("rack1,-new@(new,h2)"));
        check("h1-h3", Named::Range, None);
    }

    #[test]
    fn guests_follow_their_host_however_they_name_it() {
        let tables = filled(
            "nodelist h1 ; nodelist h2 ; nodelist c[1-2] groups=web; nodelist c[3-4] groups=odd; nodelist c5 ; \
             vm web host=h1; vm odd host=|h($1-2)|; vm c5 host=h1,migrationdest=h2,h1; noderes c5 servicenode=h2,h1; \
             switch c5,h1,7 vlan=5",
        );
        let written = tables.edit(&origin("chdef"), |edit| edit.rename(&objects::NODE, "h1", "h9")).unwrap();
        assert_eq!(written, ["c3"]);
        let names = ["c1", "c2", "c3", "c4", "c5"].map(str::to_owned);
        let nodes = tables.resolve(&names).unwrap();
        let hosts: Vec<_> = nodes.iter().map(|node| node.get("vmhost").unwrap()).collect();
        assert_eq!(hosts, ["h9", "h9", "h9", "h2", "h9"]);
        let others = ["migrationdest", "servicenode", "switch"].map(|name| nodes[4].get(name).unwrap());
        assert_eq!(others, ["h2,h9", "h2,h9", "h9"]);
        tables.undo(&Filter { last: Some(1), ..Filter::default() }, &origin("defundo")).unwrap();
        assert_eq!(tables.resolve(&names).unwrap()[2].get("vmhost"), Some("h1"));
    }
}
