//! What happened to nodes that booted: table bootevent read, and told as [`netboot::why`] understands it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use netboot::events::Kind;
use netboot::why::{self, Around, Boot, Seen, State, Step, Verdict};
use serde_json::{Value, json};
use tables::{BootEvent, Node, Tables};

use crate::failure::Failure;

/// Boots of nodes, as of one moment.
pub(crate) struct Stories<'t> {
    tables: &'t Tables,
    /// Machines that are no nodes: when, and which.
    strangers: Vec<(u64, String)>,
    now: u64,
}

impl<'t> Stories<'t> {
    pub(crate) fn read(tables: &'t Tables) -> Result<Self, Failure> {
        let seen = tables.boot_events("")?;
        let strangers = seen.into_iter().filter_map(|event| Some((moment(&event.time)?, event.mac)));
        let strangers = strangers.filter(|(_, mac)| !mac.is_empty()).collect();
        Ok(Self { tables, strangers, now: milliseconds(Timestamp::now()) })
    }

    /// The boots of a node, the last one last.
    pub(crate) fn boots(&self, node: &Node) -> Result<Vec<Boot>, Failure> {
        let mut seen: Vec<Seen> = self.tables.boot_events(node.name())?.into_iter().filter_map(read).collect();
        seen.sort_by_key(|seen| seen.time); // several programs write, each after it has seen
        Ok(why::boots(&seen))
    }

    pub(crate) fn verdict(&self, node: &Node, boot: &Boot) -> Verdict {
        let begun = boot.begun();
        let meanwhile = self.strangers.iter().filter(|(time, _)| *time >= begun);
        let mut strangers: Vec<String> = meanwhile.map(|(_, mac)| mac.clone()).collect();
        strangers.sort_unstable();
        strangers.dedup();
        why::verdict(
            boot,
            &Around {
                now: self.now,
                node: node.name().to_owned(),
                macs: node.get("mac").unwrap_or_default().to_owned(),
                strangers,
            },
        )
    }
}

fn read(event: BootEvent) -> Option<Seen> {
    let (time, kind) = (moment(&event.time)?, Kind::parse(&event.kind)?);
    Some(Seen { time, kind, subject: event.subject, detail: event.detail })
}

fn moment(text: &str) -> Option<u64> {
    text.parse().ok().map(milliseconds)
}

fn milliseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond()).unwrap_or_default()
}

/// A verdict as a sentence, and what to do about it.
pub(crate) fn sentence(verdict: &Verdict) -> (String, Option<&str>) {
    match verdict {
        Verdict::Up(after) => (format!("up after {}", seconds(*after)), None),
        Verdict::AsTold(told) => (told.clone(), None),
        Verdict::UnderWay(stage) => (format!("on its way: {stage}"), None),
        Verdict::Stuck { stage, since, cause, remedy } => {
            (format!("stuck for {since} s: {stage}: {cause}"), Some(remedy))
        }
    }
}

/// A boot as a table of its stages: when, how long after the one before, what.
pub(crate) fn timeline(boot: &Boot) -> Vec<String> {
    let mut before = boot.begun();
    let line = |step: &Step| {
        let after = step.first.saturating_sub(before);
        before = step.first;
        let times = if step.times > 1 { format!(" ({} times)", step.times) } else { String::new() };
        format!("{} {:>9} {:17} {}{times}", clock(step.first), format!("+{}", seconds(after)), step.stage, what(step))
    };
    boot.steps.iter().map(line).collect()
}

fn what(step: &Step) -> String {
    let detail = if step.detail.trim().is_empty() { &step.subject } else { &step.detail };
    match step.state {
        State::Done => detail.trim().to_owned(),
        State::Begun => format!("{}, not ended", detail.trim()),
        // Its status is the word itself.
        State::Failed if detail.trim() == "failed" => "failed".to_owned(),
        State::Failed => format!("failed: {}", detail.trim()),
    }
}

/// For programs.
pub(crate) fn data(boot: &Boot, verdict: &Verdict) -> Value {
    let steps = boot.steps.iter().map(|step| {
        let state = match step.state {
            State::Begun => "begun",
            State::Done => "done",
            State::Failed => "failed",
        };
        json!({
            "stage": step.stage.word(), "time": universal(step.first), "last": universal(step.last), "state": state,
            "times": step.times, "subject": step.subject, "detail": step.detail.trim(),
        })
    });
    let (verdict, more) = match verdict {
        Verdict::Up(after) => ("up", json!({ "milliseconds": after })),
        Verdict::AsTold(told) => ("as-told", json!({ "told": told })),
        Verdict::UnderWay(stage) => ("under-way", json!({ "stage": stage.word() })),
        Verdict::Stuck { stage, since, cause, remedy } => {
            ("stuck", json!({ "stage": stage.word(), "seconds": since, "cause": cause, "remedy": remedy }))
        }
    };
    json!({ "begun": universal(boot.begun()), "verdict": verdict, "why": more, "stages": steps.collect::<Vec<_>>() })
}

fn time(milliseconds: u64) -> Timestamp {
    i64::try_from(milliseconds).ok().and_then(|time| Timestamp::from_millisecond(time).ok()).unwrap_or_default()
}

fn universal(milliseconds: u64) -> String {
    format!("{:.3}", time(milliseconds))
}

fn clock(milliseconds: u64) -> String {
    time(milliseconds).to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

/// `2026-11-21 18:20:11`, in local time.
pub(crate) fn day(milliseconds: u64) -> String {
    time(milliseconds).to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use netboot::why::Stage;

    use super::*;

    #[test]
    fn a_stage_is_told_by_what_is_known_of_it() {
        let check = |subject: &str, detail: &str, state: State, expected: &str| {
            let (subject, detail) = (subject.to_owned(), detail.to_owned());
            let step = Step { stage: Stage::Said, first: 0, last: 0, state, times: 1, subject, detail };
            assert_eq!(what(&step), expected);
        };
        check("installing", "", State::Done, "installing");
        check("kernel", "deb12/kernel: 10 bytes", State::Begun, "deb12/kernel: 10 bytes, not ended");
        check("failed", "", State::Failed, "failed");
        check("failed", " ", State::Failed, "failed");
        check("failed", "its next step cannot be begun", State::Failed, "failed: its next step cannot be begun");
    }
}
