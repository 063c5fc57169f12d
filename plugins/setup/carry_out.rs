//! Doing it: the steps of a plan one after the other, each able to be done again. Those that follow each other without any
//! need of us are done by one program: a program costs a host more than what most of them do.
//!
//! What was changed for a running unit is noted on the host until the unit has been told, so that a run that was killed
//! in between is completed by the next one.

use std::time::Duration;

use super::plan::is_of_systemd;
use super::{Step, guard, packages};
use crate::error::chain;
use crate::host::{self, line};
use crate::ssh::Exit;
use crate::{Error, Event, Host, Progress, Result};

/// For files and the like.
const QUICK: Duration = Duration::from_secs(60);
/// For a unit to start or stop, and for what a fact's program does. An engine takes its time to stop its containers.
const UNIT: Duration = Duration::from_secs(300);
/// For packages: a slow mirror, or another program that holds the package manager's lock.
const PACKAGES: Duration = Duration::from_secs(1800);

const SCRIPT: &str = include_str!("carry_out.sh");
/// What the note for systemd itself is called, which no unit can be.
const UNITS_OUTDATED: &str = ".units";

/// Carries the steps out in order. Stops at the first that fails; the error names it.
pub async fn carry_out(host: &Host, steps: &[Step], progress: &Progress) -> Result<()> {
    let mut place = 0;
    while place < steps.len() {
        let together = together(&steps[place..]);
        for (number, step) in (place + 1..).zip(&steps[place..place + together]) {
            let (host_name, what) = (host.name().to_owned(), step.title());
            progress.tell(Event::Step { host: host_name, what, number, total: steps.len() });
        }
        if let Err(error) = run(host, &steps[place..], together, progress).await {
            progress.tell(Event::Done { host: host.name().into(), what: String::new() });
            return Err(error);
        }
        place += together;
    }
    progress.tell(Event::Done { host: host.name().into(), what: String::new() });
    Ok(())
}

/// How many of the first steps one program does.
fn together(steps: &[Step]) -> usize {
    let needs_us = |step: &&Step| matches!(step, Step::Install(_) | Step::Remove { .. } | Step::Venture(_));
    steps.iter().take_while(|step| !needs_us(step)).count().max(1)
}

/// Does so many of the first steps.
async fn run(host: &Host, steps: &[Step], together: usize, progress: &Progress) -> Result<()> {
    let slowest = steps[..together].iter().max_by_key(|step| limit(step)).expect("there is a first step");
    let limit = steps[..together].iter().map(limit).sum();
    let done = async {
        match &steps[0] {
            Step::Install(install) => {
                packages::install(host, install, progress).await.map_err(|error| named(&steps[0], error))
            }
            Step::Remove { packages, family } => {
                packages::remove(host, packages, *family).await.map_err(|error| named(&steps[0], error))
            }
            Step::Venture(risk) => guard::venture(host, risk).await.map_err(|error| named(&steps[0], error)),
            _ => run_program(host, steps, together).await,
        }
    };
    let timed_out = |_| {
        let error = Error::TimedOut { what: format!("cannot {}", slowest.title()), after: limit };
        named(slowest, error)
    };
    tokio::time::timeout(limit, done).await.map_err(timed_out)?
}

fn limit(step: &Step) -> Duration {
    match step {
        Step::Install(_) | Step::Remove { .. } => PACKAGES,
        Step::Write { .. } | Step::Delete { .. } | Step::ReloadUnits | Step::Enable { .. } | Step::Disable { .. } => {
            QUICK
        }
        Step::Start { .. }
        | Step::Stop { .. }
        | Step::Restart { .. }
        | Step::Reload { .. }
        | Step::Make { .. }
        | Step::Venture(_) => UNIT,
    }
}

/// A host that is gone says so itself.
fn named(step: &Step, error: Error) -> Error {
    match error {
        error if error.is_unreachable() => error,
        Error::Refused { why, .. } => Error::Refused { what: format!("cannot {}", step.title()), why },
        error => Error::Refused { what: format!("cannot {}", step.title()), why: chain(&error) },
    }
}

async fn run_program(host: &Host, steps: &[Step], together: usize) -> Result<()> {
    // Over stdin, since texts may be secret; a function, since what has not arrived whole must not begin.
    let ran = host.try_run(&["sh", "-c", "eval \"$(cat)\""], program(steps, together).as_bytes()).await?;
    let begun = begun(&ran.stdout, together);
    let step = &steps[begun.unwrap_or(0)];
    let refused = |why: String| Err(named(step, Error::Refused { what: host.name().into(), why }));
    match ran.exit {
        Exit::Code(0) if begun.is_some_and(|begun| begun + 1 == together) => Ok(()),
        Exit::Code(0) => refused("what is to be done did not arrive whole".into()),
        exit => refused(host::why(&exit, &ran.stderr)),
    }
}

/// The last step that was begun, of so many; what else the host's shell says, numbers included, does not count.
fn begun(said: &[u8], together: usize) -> Option<usize> {
    let number = |line: &str| -> Option<usize> { line.rsplit_once("begun ")?.1.parse().ok() };
    String::from_utf8_lossy(said).lines().rev().find_map(|line| number(line).filter(|begun| *begun < together))
}

/// The program that does so many of the first steps.
pub(super) fn program(steps: &[Step], together: usize) -> String {
    let mut lines = Vec::new();
    for (place, step) in steps[..together].iter().enumerate() {
        lines.extend(notes(step, &steps[place + 1..]));
        lines.push(format!("step {place} {}", line(&call(step).iter().map(String::as_str).collect::<Vec<_>>())));
    }
    format!("{SCRIPT}all_steps() {{\n{}\n}}\nall_steps\n", lines.join("\n"))
}

/// The function that does a step, with its arguments.
fn call(step: &Step) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let program = |argv: &[String]| line(&argv.iter().map(String::as_str).collect::<Vec<_>>());
    match step {
        Step::Write { path, after, mode, .. } => words(&["put", path, &format!("{mode:o}"), after.reveal()]),
        Step::Delete { path, .. } => words(&["erase", path]),
        Step::ReloadUnits => words(&["reload_units", UNITS_OUTDATED]),
        Step::Enable { unit } => words(&["link", "enable", unit]),
        Step::Disable { unit } => words(&["link", "disable", unit]),
        Step::Start { unit } => words(&["unit", "start", unit]),
        Step::Stop { unit } => words(&["unit", "stop", unit]),
        Step::Restart { unit, .. } => words(&["unit", "restart", unit]),
        Step::Reload { unit, .. } => words(&["unit", "reload", unit]),
        Step::Make { what, check, make } => words(&["make", what, &program(make), &program(check)]),
        Step::Install(_) | Step::Remove { .. } | Step::Venture(_) => Vec::new(),
    }
}

/// Notes on the host who will have to be told of the file that a step changes.
fn notes(step: &Step, later: &[Step]) -> Vec<String> {
    let (Step::Write { path, .. } | Step::Delete { path, .. }) = step else { return Vec::new() };
    let told = later.iter().filter_map(|step| match step {
        Step::ReloadUnits if is_of_systemd(path) => Some((UNITS_OUTDATED, "reload")),
        Step::Restart { unit, because } if because.contains(path) => Some((unit.as_str(), "restart")),
        Step::Reload { unit, because } if because.contains(path) => Some((unit.as_str(), "reload")),
        _ => None,
    });
    told.map(|(unit, how)| line(&["note", unit, how])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_says_by_itself_is_no_step() {
        let check = |said: &str, expected: Option<usize>| assert_eq!(begun(said.as_bytes(), 3), expected, "{said:?}");
        check("begun 0\nbegun 1\n", Some(1));
        check("begun 0\nbegun 1\nbegun 2\n", Some(2));
        check("", None);
        check("7\n", None);
        check("2\n", None);
        check("begun 7\n", None);
        check("begun 0\nbegun 7\n42\n", Some(0));
        check("welcome, no newline: begun 1\nbegun well\n", Some(1));
    }
}
