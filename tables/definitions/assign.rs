//! Changing attributes of many objects: read once, planned object by object, then written.

use std::collections::{BTreeSet, HashSet};

use super::check::check_setting;
use super::known::Known;
use super::plan::{Plan, Planner, combined, conditions};
use super::{Assignment, Notice, Refusal, owner_column};
use crate::objects::ObjectType;
use crate::schema::Table;
use crate::{Edit, Result, Select};

/// An object and what is to change in it.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    pub name: &'a str,
    pub changes: &'a [Assignment],
}

/// What became of jobs.
#[derive(Debug, Default)]
pub struct Assigned<'a> {
    /// The objects that are as asked now, in the order of the jobs.
    pub done: Vec<&'a str>,
    /// Why the others are unchanged.
    pub refusals: Vec<Refusal>,
    pub notices: Vec<Notice>,
}

impl Edit<'_> {
    /// Changes attributes of objects; what is not there yet comes into being. An object that cannot be as asked stays as
    /// it is, which is for the caller to accept or not.
    pub fn assign_all<'a>(&mut self, object: &'static ObjectType, jobs: &[Job<'a>]) -> Result<Assigned<'a>> {
        let mut assigned = Assigned::default();
        if object.only_object.is_some() {
            jobs.iter().try_for_each(|job| self.assign_settings(object, job, &mut assigned))?;
            return Ok(assigned);
        }
        let mut rest = jobs;
        while !rest.is_empty() {
            // An object that comes again must see what was written for it the first time.
            let (batch, later) = rest.split_at(distinct(rest));
            self.assign_batch(object, batch, &mut assigned)?;
            rest = later;
        }
        Ok(assigned)
    }

    fn assign_batch<'a>(
        &mut self,
        object: &'static ObjectType,
        jobs: &[Job<'a>],
        assigned: &mut Assigned<'a>,
    ) -> Result<()> {
        let names: Vec<&str> = jobs.iter().map(|job| job.name).collect();
        let known = Known::read(self, object, &tables(object, jobs), &names)?;
        let planner = Planner { object, known: &known };
        let mut plans: Vec<(&'a str, Plan<'a>)> = Vec::with_capacity(jobs.len());
        for job in jobs {
            match planner.plan(job)? {
                Ok(plan) => plans.push((job.name, plan)),
                Err(refusals) => refusals.into_iter().for_each(|refusal| refusal.add_to(&mut assigned.refusals)),
            }
        }
        let mut sheets = known.into_sheets();
        let mut memberships = Vec::new();
        for (name, plan) in plans {
            for (table, cells) in plan.cells.into_values() {
                let rows = sheets.get_mut(table.name).and_then(|sheet| sheet.remove(name)).unwrap_or_default();
                let cells: Vec<(&str, &str)> = cells.iter().map(|(column, value)| (*column, value.as_str())).collect();
                self.set_rows(table, &[(owner_column(object, table), name)], rows, &cells)?;
            }
            plan.notices.into_iter().for_each(|notice| notice.add_to(&mut assigned.notices));
            memberships.extend(plan.members.into_iter().map(|change| (name, change)));
            assigned.done.push(name);
        }
        self.assign_members(memberships, assigned)
    }

    /// Each setting of the site is a row of its own.
    fn assign_settings<'a>(
        &mut self,
        object: &'static ObjectType,
        job: &Job<'a>,
        assigned: &mut Assigned<'a>,
    ) -> Result<()> {
        let table = object.key.table;
        let refused = assigned.refusals.len();
        for change in job.changes {
            let key = [change.attribute.as_str()];
            let old = self.row(table, &key)?;
            let old = old.as_ref().and_then(|row| row.get("value")).unwrap_or_default();
            match combined(old, change, job.name, ',').and_then(|value| check_setting(&change.attribute, value)) {
                Ok(value) if value.is_empty() => drop(self.delete(table, Select::Keys(&key))?),
                Ok(value) => drop(self.set(table, &key, &[("value", &value)])?),
                Err(refusal) => refusal.add_to(&mut assigned.refusals),
            }
        }
        if assigned.refusals.len() == refused {
            assigned.done.push(job.name);
        }
        Ok(())
    }
}

/// How many jobs there are before a name comes for the second time.
fn distinct(jobs: &[Job<'_>]) -> usize {
    let mut seen = HashSet::with_capacity(jobs.len());
    jobs.iter().position(|job| !seen.insert(job.name)).unwrap_or(jobs.len())
}

/// The tables that say what changes of those attributes come to.
fn tables(object: &'static ObjectType, jobs: &[Job<'_>]) -> Vec<&'static Table> {
    let mut attributes = BTreeSet::new();
    let mut last: Option<&[Assignment]> = None;
    for job in jobs {
        // Objects of one range share their changes.
        if last.is_none_or(|last| !std::ptr::eq(last, job.changes)) {
            attributes.extend(job.changes.iter().map(|change| object.proper_name(&change.attribute)));
            attributes.extend(conditions(object, job.changes));
            last = Some(job.changes);
        }
    }
    let depends = |on: &str| attributes.contains(on);
    let mut tables = vec![object.key.table];
    for place in object.attributes() {
        let named =
            object.named(place.name).next().is_some() && attributes.iter().any(|name| is_named(name, place.name));
        if named || place.only_when.is_some_and(|(condition, _)| depends(condition)) {
            tables.push(place.table);
            // What its value may depend on: the condition, or for the settings of a guest who makes it.
            let condition = place.only_when.map_or("mgt", |(condition, _)| condition);
            tables.extend(object.named(condition).map(|place| place.table));
        }
    }
    tables.sort_unstable_by_key(|table| table.name);
    tables.dedup_by_key(|table| table.name);
    tables
}

/// Whether `name` is the attribute or a port's part of it.
fn is_named(name: &str, attribute: &str) -> bool {
    name.strip_prefix(attribute).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::super::Operator;
    use super::*;
    use crate::objects;
    use crate::tables::tests::{Scratch, filled, origin};

    fn changes(text: &str) -> Vec<Assignment> {
        let change = |pair: &str| {
            let (attribute, value) = pair.split_once('=').unwrap();
            let (attribute, operator) = match attribute.strip_suffix('+') {
                Some(attribute) => (attribute, Operator::Append),
                None => (attribute, Operator::Set),
            };
            Assignment { attribute: attribute.into(), operator, value: value.into() }
        };
        text.split_whitespace().map(change).collect()
    }

    /// Assigns to each of the nodes what stands behind its name, one or all at once.
    fn assign(tables: &Scratch, jobs: &[(&str, &str)], at_once: bool) -> usize {
        let jobs: Vec<(&str, Vec<Assignment>)> = jobs.iter().map(|(name, text)| (*name, changes(text))).collect();
        let jobs: Vec<Job<'_>> = jobs.iter().map(|(name, changes)| Job { name, changes }).collect();
        let batches: Vec<&[Job<'_>]> = if at_once { vec![&jobs] } else { jobs.chunks(1).collect() };
        let mut done = 0;
        for batch in batches {
            done +=
                tables.edit(&origin("test"), |edit| Ok(edit.assign_all(&objects::NODE, batch)?.done.len())).unwrap();
        }
        done
    }

    fn dump(tables: &Scratch) -> Vec<String> {
        let tables_of_nodes =
            ["nodelist", "nodehm", "ipmi", "vm", "postscripts"].map(|name| crate::schema::find(name).unwrap());
        tables_of_nodes
            .iter()
            .flat_map(|table| tables.rows(table, Select::Stored).unwrap())
            .map(|row| format!("{row:?}"))
            .collect()
    }

    #[test]
    fn many_at_once_come_to_what_each_alone_does() {
        let rows = "nodelist n[1-3] groups=web; postscripts web postscripts=a|b; nodehm n1 mgt=ipmi; ipmi n1 bmc=b1";
        let jobs = [
            ("n1", "groups+=x mgt=docker"),
            ("n2", "postscripts+=c"),
            ("n4", "groups=web mgt=ipmi bmc=b4"),
            ("n1", "groups+=y vmhost=h1"),
            ("n3", "bmc=b3"),
            ("n1", "groups+=x,z vmhost="),
        ];
        let (one, all) = (filled(rows), filled(rows));
        assert_eq!(assign(&one, &jobs, false), assign(&all, &jobs, true));
        assert_eq!(dump(&one), dump(&all));
        assert!(dump(&all).iter().any(|row| row.contains("web,x,y,z")), "{:?}", dump(&all));
    }

    #[test]
    fn an_object_that_is_refused_stays_as_it_is() {
        let tables =
            filled("nodelist n[1-3] groups=web; nodehm n1 mgt=ipmi; nodehm n2 mgt=docker; nodehm n3 mgt=docker");
        let changes = changes("vmhost=h1 bmc=b");
        let jobs = ["n1", "n2", "n3"].map(|name| Job { name, changes: &changes });
        let assigned = tables.edit(&origin("test"), |edit| {
            let assigned = edit.assign_all(&objects::NODE, &jobs)?;
            Ok((assigned.done.len(), assigned.refusals))
        });
        let (done, refusals) = assigned.unwrap();
        assert_eq!(done, 1);
        let [refusal] = refusals.as_slice() else { panic!("{refusals:?}") };
        let expected = "Cannot set the attribute 'bmc' of 'n[2-3]' unless mgt=ipmi or mgt=redfish or mgt=openbmc.";
        assert_eq!(refusal.to_string(), expected);
        assert_eq!(dump(&tables).iter().filter(|row| row.contains("h1")).count(), 1);
    }
}
