//! Membership: a static group is the nodes that name it in `nodelist.groups`.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Assigned, Assignment, Operator, Refusal, node_tables, nodelist, owner, words};
use crate::noderange::Unknown;
use crate::schema::{self, Table};
use crate::{Edit, Result, Row, Select};

/// How the members of some groups change.
#[derive(Default)]
struct Memberships<'a> {
    /// Groups whose members are given anew: who is not named is in them no more.
    renewed: HashSet<&'a str>,
    joined: HashMap<String, Vec<&'a str>>,
    left: HashMap<String, Vec<&'a str>>,
}

impl Edit<'_> {
    /// `members=`: a range of those who are in the group from now on, or who are in it too, or no more.
    pub(super) fn assign_members<'a>(
        &mut self,
        changes: Vec<(&'a str, &'a Assignment)>,
        assigned: &mut Assigned<'a>,
    ) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let rows = self.rows(nodelist(), Select::All)?;
        let mut memberships = Memberships::default();
        for (group, change) in changes {
            let names = self.range(&change.value)?;
            let kind = if change.operator == Operator::Set && names.is_empty() { "" } else { "static" };
            if change.operator == Operator::Remove
                && let Some(refusal) = lacking(&rows, group, &names)
            {
                assigned.done.retain(|name| *name != group);
                refusal.add_to(&mut assigned.refusals);
                continue;
            }
            memberships.add(group, change.operator, names);
            self.set(nodegroup(), &[group], &[("grouptype", kind), ("members", kind)])?;
        }
        for row in rows {
            let old = row.get("groups").unwrap_or_default();
            let new = memberships.of_node(owner(&row), old);
            if words(old).ne(words(&new)) {
                self.set(nodelist(), &[owner(&row)], &[("groups", &new)])?;
            }
        }
        Ok(())
    }

    fn range(&self, range: &str) -> Result<Vec<String>> {
        if range.trim().is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.expand_with(range, Unknown::Refuse)?.names.to_vec())
    }

    /// The groups go from every node's list, with the defaults they supplied.
    pub(super) fn undefine_groups(&mut self, names: &[&str]) -> Result<usize> {
        let gone: HashSet<&str> = names.iter().copied().collect();
        let mut removed: BTreeSet<String> = BTreeSet::new();
        let own = self.rows(nodegroup(), Select::Keys(names))?;
        removed.extend(own.iter().map(|row| owner(row).to_owned()));
        self.delete(nodegroup(), Select::Keys(names))?;
        for row in self.rows(nodelist(), Select::All)? {
            let (left, kept): (Vec<&str>, Vec<&str>) =
                words(row.get("groups").unwrap_or_default()).partition(|group| gone.contains(group));
            if !left.is_empty() {
                self.set(nodelist(), &[owner(&row)], &[("groups", &kept.join(","))])?;
                removed.extend(left.into_iter().map(str::to_owned));
            }
        }
        for table in node_tables().filter(|table| table.name != nodelist().name) {
            self.delete(table, Select::Keys(names))?;
        }
        Ok(removed.len())
    }

    pub(super) fn rename_membership(&mut self, from: &str, to: &str) -> Result<()> {
        for row in self.rows(nodelist(), Select::All)? {
            let groups: Vec<&str> = words(row.get("groups").unwrap_or_default()).collect();
            if groups.contains(&from) {
                let groups: Vec<&str> =
                    groups.into_iter().map(|group| if group == from { to } else { group }).collect();
                self.set(nodelist(), &[owner(&row)], &[("groups", &groups.join(","))])?;
            }
        }
        Ok(())
    }
}

impl<'a> Memberships<'a> {
    fn add(&mut self, group: &'a str, operator: Operator, names: Vec<String>) {
        if operator == Operator::Set {
            self.renewed.insert(group);
        }
        let side = if operator == Operator::Remove { &mut self.left } else { &mut self.joined };
        for name in names {
            side.entry(name).or_default().push(group);
        }
    }

    /// The groups that a node is in from now on.
    fn of_node(&self, node: &str, groups: &str) -> String {
        let [joined, left] = [&self.joined, &self.left].map(|side| side.get(node).map_or(&[][..], Vec::as_slice));
        let mut new: Vec<&str> = Vec::new();
        for group in words(groups) {
            let leaves = left.contains(&group) || (self.renewed.contains(group) && !joined.contains(&group));
            if !leaves && !new.contains(&group) {
                new.push(group);
            }
        }
        for group in joined {
            if !new.contains(group) {
                new.push(group);
            }
        }
        new.join(",")
    }
}

/// Says which node is to leave a group that it is not in.
fn lacking(rows: &[Row], group: &str, names: &[String]) -> Option<Refusal> {
    let is_member = |row: &&Row| words(row.get("groups").unwrap_or_default()).any(|known| known == group);
    let members: HashSet<&str> = rows.iter().filter(is_member).map(owner).collect();
    let word = names.iter().find(|name| !members.contains(name.as_str()))?.clone();
    Some(Refusal::NotInList { word, attribute: "members".into(), name: group.into() })
}

fn nodegroup() -> &'static Table {
    schema::find("nodegroup").expect("table nodegroup is in the schema")
}
