//! Who is a node and who is in which group: asked by every noderange, and thus kept in table `membership` as folded ranges,
//! a short row for each group whatever the number of its nodes.
//!
//! Table nodelist remains the truth. Triggers empty `membership` with each change of it, also one by hand, and the end of an
//! edit fills it anew. In between, which is within an edit, nodelist itself is read.

use std::collections::HashMap;

use rusqlite::OptionalExtension;

use crate::lists::words;
use crate::noderange::{self, Builder, Index, Names, Options, Unknown};
use crate::row::is_true;
use crate::store::{Store, text};
use crate::{Result, Select, schema};

/// Stands for all nodes where others are named by their group.
const ALL: &str = "";

/// Up to so many different lists of groups are looked at one by one, which costs some 2 µs each; beyond that reading every
/// node is no slower.
pub(crate) const FEW_LISTS: usize = 4000;

/// All nodes, and the nodes of each group that any of them names.
#[derive(Default)]
pub(crate) struct Memberships {
    nodes: Names,
    pub(crate) groups: HashMap<String, Names>,
}

impl Store {
    /// The name of every node.
    pub(crate) fn node_names(&self) -> Result<Names> {
        match self.kept_members(ALL)? {
            Some(names) => Ok(names),
            None => self.listed_names(),
        }
    }

    /// The nodes that have this group in their own list, if that need not be looked for.
    pub(crate) fn kept_members(&self, group: &str) -> Result<Option<Names>> {
        let sql = "SELECT (SELECT nodes FROM membership WHERE name = ?) FROM membership WHERE name = ''";
        let found: Option<Option<String>> =
            self.run(|db| db.prepare_cached(sql)?.query_row([group], |row| row.get(0)).optional())?;
        Ok(found.and_then(|range| unfolded(&range.unwrap_or_default())))
    }

    /// The names of all groups, be they defined or only named by nodes.
    pub(crate) fn group_names(&self) -> Result<Names> {
        let mut names = Builder::default();
        let defined = self.rows(schema::find("nodegroup").expect("groups are in the schema"), Select::All)?;
        defined.iter().filter_map(|row| row.get("groupname")).for_each(|name| names.add(name));
        if self.keeps_memberships()? {
            let named = "SELECT name FROM membership WHERE name <> ''";
            self.each_name(named, |name| names.add(name))?;
        } else {
            self.memberships()?.groups.keys().for_each(|name| names.add(name));
        }
        Ok(names.finish())
    }

    /// The nodes that lists of all nodes leave out.
    pub(crate) fn hidden_names(&self) -> Result<Names> {
        let mut names = Builder::default();
        self.each_name("SELECT node FROM nodelist WHERE hidden = '1' ORDER BY node", |name| names.add(name))?;
        Ok(names.finish())
    }

    /// Fills table `membership` where it was emptied.
    pub(crate) fn keep_memberships(&self) -> Result<()> {
        if self.keeps_memberships()? {
            return Ok(());
        }
        let Memberships { nodes, groups } = self.memberships()?;
        let all = groups.iter().map(|(group, names)| (group.as_str(), names)).chain([(ALL, &nodes)]);
        let ranges: Vec<(&str, String)> = all.clone().map(|(group, names)| (group, names.folded())).collect();
        // A restored table may hold names that no range can say; then nodelist goes on telling.
        let is_exact =
            |((_, names), (_, range)): ((&str, &Names), &(&str, String))| unfolded(range).as_ref() == Some(names);
        if !all.zip(&ranges).all(is_exact) {
            return Ok(());
        }
        self.run(|db| {
            let mut statement = db.prepare_cached("INSERT INTO membership VALUES (?, ?)")?;
            ranges.iter().try_for_each(|row| statement.execute([row.0, &row.1]).map(drop))
        })
    }

    fn keeps_memberships(&self) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM membership WHERE name = '')";
        self.run(|db| db.prepare_cached(sql)?.query_row([], |row| row.get(0)))
    }

    /// All memberships as table nodelist tells them.
    pub(crate) fn memberships(&self) -> Result<Memberships> {
        let mut nodes = Builder::default();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut members: Vec<Builder> = Vec::new();
        // Nodes with equal lists of groups come together: each list is taken apart once.
        let (mut list, mut here) = (String::new(), Vec::new());
        let sql = "SELECT node, groups, disable FROM nodelist ORDER BY groups, node";
        self.run(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let [node, groups, disable] = [0, 1, 2].map(|column| text(row.get_ref_unwrap(column)));
                if is_true(&disable) {
                    continue;
                }
                nodes.add(&node);
                if groups != list {
                    let number = |group: &str| {
                        *numbers.entry(group.to_owned()).or_insert_with(|| {
                            members.push(Builder::default());
                            members.len() - 1
                        })
                    };
                    here = words(&groups).map(number).collect();
                    list = groups.into_owned();
                }
                here.iter().for_each(|number| members[*number].add(&node));
            }
            Ok(())
        })?;
        let mut members: Vec<Names> = members.into_iter().map(Builder::finish).collect();
        let groups = numbers.into_iter().map(|(group, number)| (group, std::mem::take(&mut members[number])));
        Ok(Memberships { nodes: nodes.finish(), groups: groups.collect() })
    }

    fn listed_names(&self) -> Result<Names> {
        let hidden = "SELECT node, disable FROM nodelist WHERE disable <> ''";
        let disabled = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, is_true(&row.get::<_, String>(1)?)));
        let hidden: Vec<(String, bool)> =
            self.run(|db| db.prepare_cached(hidden)?.query_map([], disabled)?.collect())?;
        let hidden: Names = hidden.into_iter().filter_map(|(node, hidden)| hidden.then_some(node)).collect();
        let mut names = Builder::default();
        self.each_name("SELECT node FROM nodelist ORDER BY node", |name| names.add(name))?;
        Ok(names.finish().without(&hidden))
    }

    fn each_name(&self, sql: &str, mut visit: impl FnMut(&str)) -> Result<()> {
        self.run(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                visit(&text(row.get_ref(0)?));
            }
            Ok(())
        })
    }

    /// The nodes that have this group in their own list, read from nodelist. What it costs goes by the number of members and
    /// of different lists, not by that of nodes.
    pub(crate) fn members(&self, group: &str) -> Result<Names> {
        let lists = self.group_lists()?;
        if lists.len() > FEW_LISTS {
            return Ok(self.memberships()?.groups.remove(group).unwrap_or_default());
        }
        let mut members = Builder::default();
        let sql = "SELECT node, disable FROM nodelist WHERE groups = ?";
        for list in lists.iter().filter(|list| words(list).any(|word| word == group)) {
            self.run(|db| {
                let mut statement = db.prepare_cached(sql)?;
                let mut rows = statement.query([list])?;
                while let Some(row) = rows.next()? {
                    if !is_true(&text(row.get_ref(1)?)) {
                        members.add(&text(row.get_ref(0)?));
                    }
                }
                Ok(())
            })?;
        }
        Ok(members.finish())
    }

    /// The different texts of column `groups`, no more of them than show that they are many.
    fn group_lists(&self) -> Result<Vec<String>> {
        let sql = "WITH RECURSIVE list(text) AS (SELECT min(groups) FROM nodelist UNION ALL \
                   SELECT (SELECT min(groups) FROM nodelist WHERE groups > list.text) FROM list \
                   WHERE list.text IS NOT NULL) SELECT text FROM list WHERE text IS NOT NULL LIMIT ?";
        self.run(|db| db.prepare_cached(sql)?.query_map([FEW_LISTS as i64 + 1], |row| row.get(0))?.collect())
    }
}

/// The names that a range says word by word; None if it is none of ours.
fn unfolded(range: &str) -> Option<Names> {
    if range.is_empty() {
        return Some(Names::default());
    }
    let literally = Options { prefix: "", suffix: "", unknown: Unknown::Accept };
    noderange::expand(range, &Index::default(), &literally).ok().map(|expansion| expansion.names)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tables::tests::{Scratch, filled, origin, scratch};

    fn nodelist() -> &'static schema::Table {
        schema::find("nodelist").unwrap()
    }

    /// What is kept must be what nodelist tells.
    fn check(tables: &Scratch) {
        tables.with_store(|store| {
            let told = store.memberships().unwrap();
            assert_eq!(store.kept_members(ALL).unwrap(), Some(told.nodes.clone()));
            assert_eq!(store.listed_names().unwrap(), told.nodes);
            let defined: Names = told.groups.keys().collect();
            assert_eq!(store.group_names().unwrap(), defined);
            for (group, members) in &told.groups {
                assert_eq!(store.kept_members(group).unwrap().as_ref(), Some(members), "{group}");
                assert_eq!(&store.members(group).unwrap(), members, "{group}");
            }
            assert_eq!(store.kept_members("nosuch").unwrap(), Some(Names::default()));
        });
    }

    /// A node and its groups and `disable`, or None to remove it.
    fn change() -> impl Strategy<Value = (String, Option<(String, &'static str)>)> {
        let cells = ("([ab][12]?(,[abc]){0,2})?", prop_oneof![3 => Just(""), 1 => Just("yes")]);
        ("n[0-2]?[0-9](-ib0)?", prop::option::weighted(0.8, cells))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_kept_follows_every_edit(edits in prop::collection::vec(prop::collection::vec(change(), 1..6), 1..5)) {
            let tables = scratch();
            check(&tables);
            for edit in edits {
                let make = |tables: &mut crate::Edit<'_>| edit.iter().try_for_each(|(node, cells)| match cells {
                    Some((groups, disable)) => {
                        tables.set(nodelist(), &[node], &[("groups", groups), ("disable", disable)]).map(drop)
                    }
                    None => tables.delete(nodelist(), Select::Keys(&[node])).map(drop),
                });
                tables.edit(&origin("test"), make).unwrap();
                check(&tables);
            }
        }
    }

    #[test]
    fn a_change_by_hand_is_seen_at_once() {
        let tables = filled("nodelist n[1-3] groups=all");
        check(&tables);
        let by_hand = |sql: &str| tables.with_store(|store| store.run(|db| db.execute_batch(sql)).unwrap());
        by_hand("INSERT INTO nodelist (node, groups) VALUES ('n4', 'all')");
        tables.with_store(|store| assert_eq!(store.kept_members("all").unwrap(), None));
        assert_eq!(tables.expand("all").unwrap(), ["n1", "n2", "n3", "n4"]);
        by_hand("UPDATE nodelist SET groups = 'few' WHERE node <> 'n1'; DELETE FROM nodelist WHERE node = 'n2'");
        assert_eq!(tables.expand("all,-few").unwrap(), ["n1"]);
        assert_eq!(tables.expand("/n.*").unwrap(), ["n1", "n3", "n4"]);
        tables.edit(&origin("test"), |_| Ok(())).unwrap();
        check(&tables);
    }

    #[test]
    fn a_status_empties_nothing() {
        let tables = filled("nodelist n[1-3] groups=all");
        tables.record_statuses(&[("n1".to_owned(), "booted")].into()).unwrap();
        check(&tables);
    }

    #[test]
    fn names_that_no_range_can_say_are_nodes_all_the_same() {
        let tables = filled("nodelist n1 groups=all");
        let odd = |edit: &mut crate::Edit<'_>| edit.set(nodelist(), &["a,b"], &[("groups", "all")]).map(drop);
        tables.edit(&origin("test"), odd).unwrap();
        tables.with_store(|store| assert_eq!(store.kept_members("all").unwrap(), None));
        assert_eq!(tables.expand("all").unwrap(), ["a,b", "n1"]);
    }

    #[test]
    fn hidden_nodes_are_told_apart() {
        let tables = filled("nodelist n[1-3] groups=all; nodelist n2 hidden=1");
        assert_eq!(tables.node_names(false).unwrap().joined(" "), "n1 n3");
        assert_eq!(tables.node_names(true).unwrap().joined(" "), "n1 n2 n3");
    }
}
