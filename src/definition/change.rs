//! Changing objects of several types in one transaction, and telling what came of it.

use std::collections::HashSet;

use tables::definitions::{Assigned, Assignment, Job, Notice, Refusal};
use tables::noderange::fold;
use tables::objects::{self, ObjectType, nic};
use tables::{Edit, Shared};

use super::{Wanted, refuse};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Objects of one type, each with its changes, in the order given.
pub(crate) struct Batch<'a> {
    pub(crate) object: &'static ObjectType,
    pub(crate) jobs: Vec<Job<'a>>,
}

/// What a command did, told when it is certain.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) done: usize,
    pub(crate) created: Vec<String>,
    /// chdef names the objects that it created.
    pub(crate) names_created: bool,
    /// Objects that were left as they are, which makes the command fail.
    pub(crate) skipped: Vec<String>,
    pub(crate) errors: Vec<String>,
    refusals: Vec<Refusal>,
    notices: Vec<Notice>,
    shared: Vec<Shared>,
    capitals: Vec<String>,
}

/// Type by type: nodes come first, so that a file can name a group's members before it defines them.
pub(crate) fn batches(wanted: &[Wanted]) -> Vec<Batch<'_>> {
    let mut batches: Vec<Batch<'_>> = Vec::new();
    let (nodes, others): (Vec<&Wanted>, Vec<&Wanted>) = wanted.iter().partition(|wanted| is_node(wanted.object));
    for wanted in nodes.into_iter().chain(others) {
        let jobs = wanted.names.iter().map(|name| Job { name, changes: &wanted.changes });
        match batches.iter_mut().find(|batch| batch.object.name == wanted.object.name) {
            Some(batch) => batch.jobs.extend(jobs),
            None => batches.push(Batch { object: wanted.object, jobs: jobs.collect() }),
        }
    }
    batches
}

/// Runs a change of definitions in one transaction and tells what came of it. A refusal that concerns the command as a
/// whole takes everything back.
pub(crate) fn edit(
    cx: &Context,
    reason: Option<String>,
    change: impl FnOnce(&mut Edit<'_>, &mut Report) -> tables::Result<()>,
) -> Result<Outcome, Failure> {
    let mut report = Report::default();
    let made = cx.tables()?.edit(&cx.origin(reason), |edit| {
        change(edit, &mut report)?;
        match report.refusals.iter().find(|refusal| !refusal.concerns_one()) {
            Some(refusal) => Err(refusal.clone().into()),
            None => Ok(()),
        }
    });
    match made {
        Ok(()) => Ok(report.tell(cx)),
        Err(tables::Error::Definition(_)) => {
            refuse(cx, report.refusals);
            Ok(Outcome::SomeFailed)
        }
        Err(error) => Err(error.into()),
    }
}

impl Report {
    /// Changes objects and notes what is worth telling of it.
    pub(crate) fn assign(
        &mut self,
        edit: &mut Edit<'_>,
        object: &'static ObjectType,
        jobs: &[Job<'_>],
        is_new: impl Fn(&str) -> bool,
    ) -> tables::Result<()> {
        let Assigned { done, refusals, notices } = edit.assign_all(object, jobs)?;
        self.done += done.len();
        let created = done.iter().filter(|name| object.only_object.is_none() && is_new(name));
        self.created.extend(created.map(|name| (*name).to_owned()));
        self.refusals.extend(refusals);
        self.notices.extend(notices);
        self.note_capitals(object);
        if touches_addresses(object, jobs) {
            self.note_shared(edit, object, &done)?;
        }
        Ok(())
    }

    fn note_capitals(&mut self, object: &ObjectType) {
        let capital = |name: &&String| name.contains(|letter: char| letter.is_ascii_uppercase());
        if is_node(object) {
            self.capitals.extend(self.created.iter().filter(capital).cloned());
        }
    }

    /// Addresses that the changed nodes share, with one look at all nodes.
    fn note_shared(&mut self, edit: &Edit<'_>, object: &ObjectType, names: &[&str]) -> tables::Result<()> {
        let changed: Vec<String> =
            if is_node(object) { names.iter().map(|name| (*name).to_owned()).collect() } else { members(edit, names)? };
        let shared = edit.shared_addresses(&changed)?;
        // A node with a network's router's address may well be that router.
        let of_nodes = shared.into_iter().filter(|new| new.nodes.len() > 1 && !self.shared.contains(new));
        self.shared.extend(of_nodes.collect::<Vec<_>>());
        Ok(())
    }

    fn tell(mut self, cx: &Context) -> Outcome {
        self.warnings().iter().for_each(|text| cx.ui.warning(text));
        let mut seen = HashSet::new();
        let failed = !self.errors.is_empty() || !self.refusals.is_empty() || !self.skipped.is_empty();
        self.errors.iter().filter(|text| seen.insert(*text)).for_each(|text| cx.ui.error(text));
        refuse(cx, std::mem::take(&mut self.refusals));
        let count = format!("{} object definitions have been created or modified.", self.done);
        match self.done {
            0 => cx.ui.error(&count),
            _ => cx.ui.line(&count),
        }
        if self.names_created && !self.created.is_empty() {
            cx.ui.line(&format!("New object definitions '{}' have been created.", self.created.join(",")));
        }
        if failed { Outcome::SomeFailed } else { Outcome::Done }
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.notices.iter().map(notice).collect();
        warnings.extend(self.shared.iter().map(|Shared { attribute, address, nodes, .. }| {
            format!("{attribute} {address} is of several nodes: {}", fold(nodes))
        }));
        if !self.capitals.is_empty() {
            warnings.push(format!("{}: DNS does not tell capital letters from small ones", fold(&self.capitals)));
        }
        warnings.extend(self.skipped.iter().cloned());
        warnings
    }
}

fn notice(notice: &Notice) -> String {
    match notice {
        Notice::Materialised { attribute, group, names } => {
            let names = fold(names);
            format!("'{attribute}' of {names} came from group '{group}' and does not follow the group from now on")
        }
        Notice::Hidden { attributes, condition, names } => {
            let (attributes, names) = (attributes.join(", "), fold(names));
            format!("{names}: still stored but not shown with {condition}: {attributes}")
        }
    }
}

/// A node is in some group, or nobody finds it again.
pub(crate) fn lacks_groups(object: &ObjectType, changes: &[Assignment]) -> bool {
    is_node(object) && !changes.iter().any(|change| change.attribute == "groups" && !change.value.is_empty())
}

/// Whether the changes may give nodes another IP or MAC.
fn touches_addresses(object: &ObjectType, jobs: &[Job<'_>]) -> bool {
    let of_nodes = is_node(object) || object.name == "group";
    let touches = |change: &Assignment| {
        let attribute = nic::split(&change.attribute).map_or(&*change.attribute, |(attribute, _)| attribute);
        matches!(attribute, "ip" | "mac" | "nicips" | "otherinterfaces" | "groups" | "members")
    };
    of_nodes && jobs.iter().any(|job| job.changes.iter().any(touches))
}

/// The nodes that inherit from any of the groups.
fn members(edit: &Edit<'_>, groups: &[&str]) -> tables::Result<Vec<String>> {
    let nodelist = objects::NODE.key.table;
    let is_in = |row: &tables::Row| {
        tables::definitions::words(row.get("groups").unwrap_or_default()).any(|group| groups.contains(&group))
    };
    let rows = edit.rows(nodelist, tables::Select::All)?;
    Ok(rows.iter().filter(|row| is_in(row)).filter_map(|row| row.get("node")).map(str::to_owned).collect())
}

fn is_node(object: &ObjectType) -> bool {
    object.name == "node"
}
