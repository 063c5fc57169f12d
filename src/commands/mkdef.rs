//! `mkdef`: define objects.

use std::collections::HashSet;
use std::path::Path;

use clap::Args;
use tables::Edit;
use tables::definitions::{Assignment, Operator};

use super::Run;
use crate::context::Context;
use crate::definition::{self, Batch, Report, Target, Wanted};
use crate::failure::Failure;
use crate::osimage;
use crate::outcome::Outcome;

/// Define nodes, groups, networks, images and other objects
#[derive(Debug, Args)]
#[command(
    after_help = "A password on the command line is seen by every user of this machine: give it in a stanza on standard input (-z).

Examples:
  mkdef c[001-500] groups=web mgt=docker vmhost=h1 image=busybox
  mkdef -t group -o rack1 members=n[1-40]
  mkdef -t group -o big -d -w cpucount==64
  mkdef rocky9 -u provmethod=install profile=compute osvers=rocky9.4
  mkdef -z < site.stanza"
)]
pub(crate) struct Mkdef {
    #[command(flatten)]
    target: Target,
    /// Read definitions as stanzas from standard input
    #[arg(short = 'z', long)]
    stanza: bool,
    /// Replace what is defined already
    #[arg(short = 'f', long)]
    force: bool,
    /// The group is whoever meets the conditions of -w
    #[arg(short = 'd', long, requires = "wheres")]
    dynamic: bool,
    /// A condition of a dynamic group: attr==value, also != =~ !~; several must all hold
    #[arg(short = 'w', id = "wheres", value_name = "ATTR<OP>VALUE", requires = "dynamic", action = clap::ArgAction::Append)]
    wheres: Vec<String>,
    /// Find an image's files by provmethod= and profile=, and osvers= and osarch= unless they are this machine's
    #[arg(short = 'u', conflicts_with_all = ["stanza", "template", "dynamic"])]
    fill_in: bool,
    /// Start from a template; lsdef --template lists them
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Mkdef {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let mut target = self.target;
        if self.fill_in && target.types.is_empty() {
            target.types.push("osimage".into());
        }
        let mut wanted = wanted(cx, &target, self.stanza, Operator::Set)?;
        if self.fill_in {
            let install = cx.tables()?.site("installdir")?.unwrap_or_else(|| "/install".into());
            for wanted in &mut wanted {
                if wanted.object.name != "osimage" {
                    return Err(Failure::usage("-u goes with -t osimage"));
                }
                osimage::fill_in(wanted, Path::new(&install))?;
            }
        }
        if let Some(name) = &self.template {
            let template = cx.template(name)?;
            wanted.iter_mut().try_for_each(|wanted| template.apply(wanted))?;
        }
        if self.dynamic {
            dynamic(cx, &mut wanted, &self.wheres)?;
        }
        let faults = definition::faults(&wanted, true);
        if !faults.is_empty() {
            definition::refuse(cx, faults);
            return Ok(Outcome::SomeFailed);
        }
        let force = self.force;
        definition::edit(cx, self.reason, |edit, report| {
            let batches = definition::batches(&wanted);
            // Asked before the first change: making nodes brings their groups into being.
            let defined = batches.iter().map(|batch| defined(edit, batch)).collect::<tables::Result<Vec<_>>>()?;
            let mut pairs = batches.into_iter().zip(defined);
            pairs.try_for_each(|(batch, defined)| make(edit, report, batch, &defined, force))
        })
    }
}

/// What mkdef and chdef are asked for; some object must be named.
pub(super) fn wanted(cx: &Context, target: &Target, stanza: bool, operator: Operator) -> Result<Vec<Wanted>, Failure> {
    if stanza {
        if !target.is_empty() {
            return Err(Failure::usage(
                "with -z everything comes from standard input: give no names and no attributes",
            ));
        }
        return definition::from_stanzas(operator);
    }
    let wanted = target.wanted(cx.tables()?, operator)?;
    if wanted.iter().all(|wanted| wanted.names.is_empty()) {
        return Err(Failure::usage("no object was named").hint("--help shows examples"));
    }
    Ok(wanted)
}

/// Those of a batch that are there already.
fn defined<'a>(edit: &Edit<'_>, batch: &Batch<'a>) -> tables::Result<HashSet<&'a str>> {
    let names: Vec<&str> = batch.jobs.iter().map(|job| job.name).collect();
    edit.defined(batch.object, &names)
}

/// Makes the objects of a batch that are not there yet, and with `force` the others anew.
fn make(
    edit: &mut Edit<'_>,
    report: &mut Report,
    batch: Batch<'_>,
    defined: &HashSet<&str>,
    force: bool,
) -> tables::Result<()> {
    let Batch { object, mut jobs } = batch;
    if object.only_object.is_some() {
        return report.assign(edit, object, &jobs, |_| false);
    }
    if !force {
        report.skipped.extend(jobs.iter().map(|job| job.name).filter(|name| defined.contains(name)).map(|name| {
            format!("A definition for '{name}' already exists. No changes will be made.  Run again with '-f' option to force replace.")
        }));
        jobs.retain(|job| !defined.contains(job.name));
    }
    if jobs.iter().any(|job| definition::lacks_groups(object, job.changes)) {
        report.errors.push("The 'groups' attribute is required when creating node definitions.".into());
        jobs.retain(|job| !definition::lacks_groups(object, job.changes));
    }
    let replaced: HashSet<&str> = jobs.iter().map(|job| job.name).filter(|name| defined.contains(name)).collect();
    if !replaced.is_empty() {
        edit.undefine(object, &replaced.into_iter().collect::<Vec<_>>())?;
    }
    report.assign(edit, object, &jobs, |_| true)
}

/// `-d -w …`: the conditions as table nodegroup keeps them.
pub(super) fn dynamic(cx: &Context, wanted: &mut [Wanted], wheres: &[String]) -> Result<(), Failure> {
    let criteria = wheres.iter().map(|text| definition::criterion(text)).collect::<Result<Vec<_>, _>>()?;
    // Whether each condition can be asked of nodes is best known by asking it.
    cx.tables()?.select(&criteria)?;
    for Wanted { object, changes, .. } in wanted {
        if object.name != "group" {
            return Err(Failure::usage("-d goes with -t group"));
        }
        if changes.iter().any(|change| change.attribute == "members") {
            return Err(Failure::usage("members= and -d exclude each other: the conditions say who is a member"));
        }
        changes.extend([Assignment::set("grouptype", "dynamic"), Assignment::set("wherevals", wheres.join("::"))]);
    }
    Ok(())
}
