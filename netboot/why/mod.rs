//! What happened to a node that boots: events → boots → how far the last one is, and why it goes no further. Pure.

mod rules;
mod stage;
#[cfg(test)]
mod tests;

use crate::events::{Kind, subject};

pub use rules::{Around, Verdict, verdict};
pub use stage::Stage;

/// After such a silence firmware that asks for an address begins a new boot, in milliseconds.
const NEW_BOOT: u64 = 600_000;

/// An event as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// In milliseconds since 1970 began.
    pub time: u64,
    pub kind: Kind,
    pub subject: String,
    pub detail: String,
}

/// One boot, from power on or from the first that was heard of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Boot {
    /// In the order in which they began.
    pub steps: Vec<Step>,
    /// What was refused meanwhile.
    pub refused: Vec<Seen>,
}

/// A stage of a boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub stage: Stage,
    pub first: u64,
    pub last: u64,
    pub state: State,
    /// How often it was begun.
    pub times: usize,
    /// Of its last event.
    pub subject: String,
    pub detail: String,
}

/// What became of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Begun,
    Done,
    Failed,
}

/// The boots that events tell of, which are in order; the last one last.
pub fn boots(events: &[Seen]) -> Vec<Boot> {
    let mut boots: Vec<Boot> = Vec::new();
    for seen in events {
        let stage = Stage::of(seen);
        if boots.is_empty() && !matches!(stage, Some(stage) if stage != Stage::System && stage != Stage::Said) {
            continue; // a system that runs renews its lease
        }
        if boots.last().is_none_or(|boot| boot.ends_before(seen)) {
            boots.push(Boot::default());
        }
        if let Some(boot) = boots.last_mut() {
            boot.add(seen);
        }
    }
    boots
}

impl Boot {
    /// When it began, in milliseconds since 1970 began.
    pub fn begun(&self) -> u64 {
        self.steps.first().map_or(0, |step| step.first)
    }

    /// The last that was heard of it.
    pub fn last(&self) -> u64 {
        self.steps.iter().map(|step| step.last).max().unwrap_or_default()
    }

    pub fn step(&self, stage: Stage) -> Option<&Step> {
        self.steps.iter().find(|step| step.stage == stage)
    }

    /// How many milliseconds it took until it was up, if it is.
    pub fn up_after(&self) -> Option<u64> {
        self.step(Stage::Booted).map(|step| step.first - self.begun())
    }

    /// Whether a system was installed in it, which is to start from its disk next.
    pub fn has_installed(&self) -> bool {
        self.reached().is_some_and(|step| step.stage == Stage::Said && step.subject == "installed")
    }

    /// The stage that it is in: the furthest of those that were begun last.
    pub fn reached(&self) -> Option<&Step> {
        self.steps.iter().max_by_key(|step| (step.stage, step.last))
    }

    /// Whether an event is the beginning of another boot.
    fn ends_before(&self, seen: &Seen) -> bool {
        let furthest = self.steps.iter().map(|step| step.stage).max();
        let asks = matches!(seen.kind, Kind::Offer | Kind::Silent);
        match Stage::of(seen) {
            Some(Stage::Power) => true,
            Some(Stage::Firmware) if asks => {
                furthest >= Some(Stage::Ipxe) || seen.time.saturating_sub(self.last()) > NEW_BOOT
            }
            Some(Stage::Ipxe) if asks => furthest >= Some(Stage::Script),
            _ => false,
        }
    }

    fn add(&mut self, seen: &Seen) {
        let Some(stage) = Stage::of(seen) else {
            if matches!(seen.kind, Kind::Denied | Kind::Limited) {
                self.refused.push(seen.clone());
            }
            return;
        };
        let is_up = self.step(Stage::Booted).is_some();
        if is_up {
            return; // what it does as long as it runs is no part of its boot
        }
        let state = state_after(seen);
        let Some(step) = self.steps.iter_mut().find(|step| step.stage == stage) else {
            let (subject, detail) = (seen.subject.clone(), seen.detail.clone());
            self.steps.push(Step { stage, first: seen.time, last: seen.time, state, times: 1, subject, detail });
            return;
        };
        step.last = seen.time;
        // One question of several that are not answered says nothing of a client that has what it wants.
        if seen.kind == Kind::Silent && step.state == State::Done {
            return;
        }
        if matches!(seen.kind, Kind::Offer | Kind::Begun | Kind::Script | Kind::Silent) {
            step.times += 1;
        }
        step.state = state;
        (step.subject, step.detail) = (seen.subject.clone(), seen.detail.clone());
    }
}

fn state_after(seen: &Seen) -> State {
    match seen.kind {
        Kind::Offer | Kind::Begun => State::Begun,
        Kind::Status if seen.subject == "failed" => State::Failed,
        Kind::Nak | Kind::Decline | Kind::Silent | Kind::Broken | Kind::Absent | Kind::NoScript => State::Failed,
        _ => State::Done,
    }
}

/// Whether what a command did to the power begins a boot.
fn begins(action: &str) -> bool {
    matches!(action, "on" | "boot" | "reset" | "cycle")
}

impl Stage {
    /// The stage that an event belongs to.
    fn of(seen: &Seen) -> Option<Self> {
        let by_dhcp = |asker: &str| match asker {
            subject::FIRMWARE => Self::Firmware,
            subject::IPXE => Self::Ipxe,
            _ => Self::System,
        };
        Some(match (seen.kind, seen.subject.as_str()) {
            (Kind::Power, action) if begins(action) => Self::Power,
            (Kind::Offer | Kind::Ack | Kind::Nak | Kind::Decline | Kind::Silent, asker) => by_dhcp(asker),
            (Kind::Begun | Kind::Sent | Kind::Broken | Kind::Absent, part) => match part {
                subject::LOADER => Self::Loader,
                subject::KERNEL => Self::Kernel,
                subject::INITRD => Self::Initrd,
                subject::ROOT => Self::Root,
                subject::INSTALLER => Self::Installer,
                subject::POSTSCRIPTS => Self::Postscripts,
                _ => return None,
            },
            (Kind::Reported, subject::NODE) => Self::Discovery,
            (Kind::Script | Kind::NoScript, _) => Self::Script,
            (Kind::Status, "booted") => Self::Booted,
            (Kind::Status, _) => Self::Said,
            _ => return None,
        })
    }
}
