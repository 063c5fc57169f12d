//! What a built-in module would do, and doing it.

use std::path::Path;

use plugins::setup::{self, Install, Step, Thing};
use plugins::{Event, Progress};

use super::Job;
use crate::context::Context;
use crate::docker_host;
use crate::failure::Failure;
use crate::fanout::{DEFAULT_FANOUT, Interrupted, Manner};
use crate::modules::contract::{Change, Finding, Kind};
use crate::network::Deeds;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::ui::Format;

/// How networks are looked at and made.
pub(super) const MANNER: Manner =
    Manner { format: Format::Lines, fanout: DEFAULT_FANOUT, interrupted: Interrupted::Wait };

/// A piece of work.
pub(crate) enum Work {
    /// On one machine.
    Machine(Plan),
    /// On all hosts of some networks.
    Networks(Deeds),
}

impl Work {
    /// The steps to what must be true of the machine of a job; packages come from a directory if it is named.
    pub(super) async fn of(job: &Job<'_>, things: &[Thing], packages: &str) -> Result<Self, Failure> {
        let node = job.node()?;
        let host = job.cx.backends()?.host(node).await?;
        let mut steps = docker_host::steps(&host, things).await?;
        if let Some(directory) = directory(packages)? {
            steps = setup::packages_from(steps, directory);
        }
        Ok(Self::Machine(Plan { node: node.clone(), steps, notes: Vec::new(), stops: 0 }))
    }

    /// What would change, each with the lines of files that change.
    pub(super) fn changes(&self) -> Vec<Change> {
        let change = |what: String| Change { what, from: None, to: None };
        match self {
            Self::Machine(plan) => plan.steps.iter().map(|step| change(shown(step))).collect(),
            Self::Networks(deeds) => deeds.lines().into_iter().map(change).collect(),
        }
    }

    /// The first thing that would be done and is not among these changes, in a line. A run that was cut off may have left
    /// a unit to be started where it was to be restarted, or the other way round.
    pub(super) fn beyond(&self, planned: &[Change]) -> Option<String> {
        let names =
            |text: &str| planned.iter().any(|change| change.what.lines().next().unwrap_or_default().contains(text));
        let is_told = |step: &Step| match step {
            Step::ReloadUnits => true,
            Step::Start { unit } | Step::Restart { unit, .. } | Step::Reload { unit, .. } => names(unit),
            _ => false,
        };
        let is_planned = |what: &str| planned.iter().any(|change| change.what == what);
        match self {
            Self::Machine(plan) => {
                let new = plan.steps.iter().find(|step| !is_told(step) && !is_planned(&shown(step)));
                new.map(Step::title)
            }
            Self::Networks(deeds) => deeds.lines().into_iter().find(|line| !is_planned(line)),
        }
    }

    /// Whether nothing is looked at by it.
    pub(super) fn is_of_nobody(&self) -> bool {
        match self {
            Self::Machine(_) => false,
            Self::Networks(deeds) => deeds.is_empty(),
        }
    }

    /// What else a person should know.
    pub(super) fn warnings(&self) -> Vec<String> {
        match self {
            Self::Machine(plan) => plan.notes.clone(),
            Self::Networks(_) => Vec::new(),
        }
    }

    /// The same as what somebody has changed since it was done.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let finding = |(kind, what): (Kind, String)| Finding { kind, what, from: None, to: None, harmless: false };
        match self {
            Self::Machine(plan) => {
                plan.steps.iter().map(|step| (kind(step), format!("to {}", shown(step)))).map(finding).collect()
            }
            Self::Networks(deeds) => {
                deeds.lines().into_iter().map(|line| (Kind::Changed, format!("to do: {line}"))).map(finding).collect()
            }
        }
    }

    pub(super) async fn carry_out(self, cx: &Context) -> Result<(), Failure> {
        match self {
            Self::Machine(plan) => {
                let host = cx.backends()?.host(&plan.node).await?;
                let (progress, name) = (cx.progress(), plan.node.name().to_owned());
                let progress = Progress::new(move |event: Event| progress.tell(event.of(&name)));
                Ok(setup::carry_out(&host, &plan.steps, &progress).await?)
            }
            Self::Networks(deeds) => match cx.do_networks(deeds, MANNER).await? {
                Outcome::Done => Ok(()),
                outcome => Err(Failure { outcome, ..Failure::refused("not all hosts could be brought in step") }),
            },
        }
    }
}

/// The directory that packages are taken from, which must be there.
pub(super) fn directory(packages: &str) -> Result<Option<&Path>, Failure> {
    let directory = Some(Path::new(packages)).filter(|path| !path.as_os_str().is_empty());
    match directory.filter(|directory| !directory.is_dir()) {
        Some(absent) => Err(Failure::refused(format!("package-directory: {} is not a directory", absent.display()))),
        None => Ok(directory),
    }
}

fn shown(step: &Step) -> String {
    let diff = step.diff().unwrap_or_default();
    let lines: String = diff.lines().map(|line| format!("\n    {line}")).collect();
    format!("{}{lines}", step.title())
}

fn kind(step: &Step) -> Kind {
    match step {
        Step::Install(Install { .. }) | Step::Write { before: None, .. } | Step::Enable { .. } | Step::Start { .. } => {
            Kind::Missing
        }
        Step::Remove { .. }
        | Step::Write { .. }
        | Step::Delete { .. }
        | Step::ReloadUnits
        | Step::Disable { .. }
        | Step::Stop { .. }
        | Step::Restart { .. }
        | Step::Reload { .. }
        | Step::Make { .. }
        | Step::Venture(_) => Kind::Changed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(steps: Vec<Step>) -> Work {
        let node = tables::Node::new("h1", [].into(), None);
        Work::Machine(Plan { node, steps, notes: Vec::new(), stops: 0 })
    }

    #[test]
    fn what_was_not_planned_is_named_but_not_what_a_run_that_was_cut_off_has_left() {
        let delete = |path: &str| Step::Delete { path: path.into(), before: None };
        let restart = || Step::Restart { unit: "a.service".into(), because: vec!["/a".into()] };
        let planned = work(vec![delete("/a"), restart()]).changes();
        let beyond = |steps: Vec<Step>| work(steps).beyond(&planned);
        assert_eq!(beyond(vec![delete("/a"), restart()]), None);
        assert_eq!(beyond(vec![Step::ReloadUnits, Step::Start { unit: "a.service".into() }]), None);
        assert_eq!(beyond(vec![Step::Restart { unit: "a.service".into(), because: Vec::new() }]), None);
        assert_eq!(beyond(vec![delete("/b"), restart()]).as_deref(), Some("delete /b"));
        assert_eq!(beyond(vec![Step::Start { unit: "b.service".into() }]).as_deref(), Some("start b.service"));
    }
}
