//! `chdef`: change definitions.

use clap::Args;
use tables::Edit;
use tables::definitions::{self, Operator};

use super::{Run, mkdef};
use crate::context::Context;
use crate::definition::{self, Batch, Report, Target, Wanted};
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Change definitions; what is not defined yet is created
#[derive(Debug, Args)]
#[command(
    after_help = "A password on the command line is seen by every user of this machine: give it in a stanza on standard input (-z).

Examples:
  chdef rack1 vmmemory=2G
  chdef -p n7 groups=spare   one more group
  chdef -m n7 groups=spare   one less
  chdef -t site domain=cluster.org
  chdef -o old -n new        another name, also where others name it: vmhost, servicenode, switch …"
)]
pub(crate) struct Chdef {
    #[command(flatten)]
    target: Target,
    /// Read changes as stanzas from standard input
    #[arg(short = 'z', long)]
    stanza: bool,
    /// Add to lists instead of replacing them
    #[arg(short = 'p', long, conflicts_with = "minus")]
    plus: bool,
    /// Remove from lists instead of replacing them
    #[arg(short = 'm', long)]
    minus: bool,
    /// Give the one object another name
    #[arg(short = 'n', value_name = "NAME", conflicts_with_all = ["plus", "minus", "stanza"])]
    new_name: Option<String>,
    /// The group is whoever meets the conditions of -w
    #[arg(short = 'd', long, requires = "wheres")]
    dynamic: bool,
    /// A condition of a dynamic group: attr==value, also != =~ !~; several must all hold
    #[arg(short = 'w', id = "wheres", value_name = "ATTR<OP>VALUE", requires = "dynamic", action = clap::ArgAction::Append)]
    wheres: Vec<String>,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Chdef {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let operator = match (self.plus, self.minus) {
            (true, _) => Operator::Append,
            (_, true) => Operator::Remove,
            _ => Operator::Set,
        };
        let mut wanted = mkdef::wanted(cx, &self.target, self.stanza, operator)?;
        if let Some(new_name) = &self.new_name {
            return self.rename(cx, &wanted, new_name);
        }
        if self.dynamic {
            mkdef::dynamic(cx, &mut wanted, &self.wheres)?;
        }
        if wanted.iter().all(|wanted| wanted.changes.is_empty()) {
            return Err(Failure::usage("no attribute was given").hint("chdef NODERANGE attribute=value"));
        }
        let faults = definition::faults(&wanted, false);
        if !faults.is_empty() {
            definition::refuse(cx, faults);
            return Ok(Outcome::SomeFailed);
        }
        definition::edit(cx, self.reason, |edit, report| {
            report.names_created = true;
            definition::batches(&wanted).into_iter().try_for_each(|batch| change(edit, report, batch, operator))
        })
    }
}

impl Chdef {
    fn rename(&self, cx: &Context, wanted: &[Wanted], to: &str) -> Result<Outcome, Failure> {
        let [Wanted { object, names, changes }] = wanted else { return Err(Failure::usage("-n takes one type")) };
        let ([from], []) = (names.as_slice(), changes.as_slice()) else {
            return Err(Failure::usage("-n takes one object and no attributes"));
        };
        if let Some(only) = object.only_object {
            return Err(Failure::refused(format!("'{only}' cannot have another name")));
        }
        definitions::check_name(object, to)?;
        let written = cx.tables()?.try_edit(&cx.origin(self.reason.clone()), |edit| {
            if !edit.is_defined(object, from)? {
                return Err(definition::not_found(object, from));
            }
            if edit.is_defined(object, to)? {
                let taken = format!("an object named '{to}' of type '{}' exists already", object.name);
                return Err(Failure::refused(taken));
            }
            Ok(edit.rename(object, from, to)?)
        })?;
        cx.ui.line(&format!("Changed the object name from {from} to {to}."));
        if !written.is_empty() {
            let guests = tables::noderange::fold(&written);
            cx.ui.warning(&format!(
                "'vmhost' of {guests} was computed as {from}; it is {to} in their own definitions now"
            ));
        }
        Ok(Outcome::Done)
    }
}

/// Changes the objects of a batch; new ones must be nameable, and nodes among them need groups.
fn change(edit: &mut Edit<'_>, report: &mut Report, batch: Batch<'_>, operator: Operator) -> tables::Result<()> {
    let Batch { object, mut jobs } = batch;
    let names: Vec<&str> = jobs.iter().map(|job| job.name).collect();
    let defined = edit.defined(object, &names)?;
    jobs.retain(|job| {
        let name = job.name;
        if defined.contains(name) {
            return true;
        }
        let error = if operator == Operator::Remove {
            definition::not_found(object, name).message
        } else if let Err(refusal) = definitions::check_name(object, name) {
            refusal.to_string()
        } else if definition::lacks_groups(object, job.changes) {
            format!("Attribute 'groups' is not specified for node '{name}', skipping to the next node.")
        } else {
            return true;
        };
        report.errors.push(error);
        false
    });
    report.assign(edit, object, &jobs, |name| !defined.contains(name))
}
