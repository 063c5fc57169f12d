//! Who decides about machines that report. All that report at the same moment are decided on together, in one transaction: two of them
//! never become one node, and a hundred cost little more than one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use netboot::discovery::{Director, Report, Trouble, Verdict};
use tables::{Edit, Origin, Select, Tables};

use super::index::Index;
use super::matching::{Found, find};
use super::record::{begin_chain, merged, note, note_hardware, take_in_order};
use super::sequence::Sequence;
use super::table;
use crate::boot::follow;
use crate::failure::Failure;

/// So many machines are kept in table discoverydata. Who can invent MAC addresses cannot fill the disk.
const MOST: usize = 20_000;

/// A machine that waits to hear who it is.
struct Waiting {
    report: Report,
    told: Sender<Result<Verdict, String>>,
}

pub(crate) struct Registrar {
    /// A connection of its own: what it writes is new to all that the daemon knows by heart.
    tables: Mutex<Tables>,
    home: PathBuf,
    /// Public keys that open root's account on nodes that are installed.
    keys: Vec<String>,
    queue: Mutex<Vec<Waiting>>,
    desk: Mutex<Desk>,
}

impl Registrar {
    /// Whoever holds the database is waited for as long as `patience`.
    pub(crate) fn open(home: &Path, keys: Vec<String>, patience: Duration) -> Result<Self, Failure> {
        let open = || {
            let tables = Tables::open(home)?;
            tables.set_patience(patience)?;
            Ok::<_, Failure>(tables)
        };
        let desk = Mutex::new(Desk { known: HashSet::new(), tables: open()? });
        Ok(Self { tables: Mutex::new(open()?), home: home.to_owned(), keys, queue: Mutex::default(), desk })
    }
}

impl Director for Registrar {
    /// Who comes to the desk decides for all that wait by then; they find their answers there when it is their turn.
    fn reported(&self, report: Report) -> Result<Verdict, Trouble> {
        let (told, hears) = channel();
        locked(&self.queue).push(Waiting { report, told });
        let mut desk = locked(&self.desk);
        let all = std::mem::take(&mut *locked(&self.queue));
        if !all.is_empty() {
            let verdicts = desk.together(&all);
            for (waiting, verdict) in all.into_iter().zip(verdicts) {
                waiting.told.send(verdict).ok(); // who has gone asks again
            }
        }
        drop(desk);
        Ok(hears.try_recv().map_err(|_| "the report was lost")??)
    }

    fn done(&self, node: &str, id: &str) -> Result<(), Trouble> {
        let tables = locked(&self.tables);
        Ok(follow(&tables, &self.keys, &self.home, node, id).map_err(|failure| failure.message)?)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Desk {
    tables: Tables,
    /// The machines of table discoverydata, as far as was looked.
    known: HashSet<String>,
}

impl Desk {
    fn together(&mut self, all: &[Waiting]) -> Vec<Result<Verdict, String>> {
        let origin =
            |reason: String| Origin { user: "xcrane".into(), command: "xcrane serve".into(), reason: Some(reason) };
        let macs: Vec<String> = all.iter().filter_map(|waiting| Some(waiting.report.mac?.to_string())).collect();
        let reason = format!("discovered {}", macs.join(","));
        let tables = &self.tables;
        let known = &mut self.known;
        let decided = tables.try_edit(&origin(reason), |edit| {
            let mut round = Round::begin(edit, known)?;
            all.iter().map(|waiting| round.decide(edit, &waiting.report)).collect::<Result<Vec<_>, Failure>>()
        });
        match decided {
            Ok(verdicts) => verdicts.into_iter().map(Ok).collect(),
            Err(failure) => {
                self.known.clear(); // nothing of it was written
                all.iter().map(|_| Err(failure.message.clone())).collect()
            }
        }
    }
}

/// Machines that are decided on together.
struct Round<'k> {
    index: Index,
    sequence: Option<Sequence>,
    order: Vec<String>,
    keeps_statuses: bool,
    known: &'k mut HashSet<String>,
}

impl<'k> Round<'k> {
    fn begin(edit: &Edit<'_>, known: &'k mut HashSet<String>) -> Result<Self, Failure> {
        let index = Index::read(edit)?;
        let sequence = Sequence::of(edit)?;
        let order = sequence.as_ref().map(|sequence| sequence.nodes(edit)).transpose()?.unwrap_or_default();
        let keeps_statuses = edit.keeps_statuses()?;
        Ok(Self { index, sequence, order, keeps_statuses, known })
    }

    fn decide(&mut self, edit: &mut Edit<'_>, report: &Report) -> Result<Verdict, Failure> {
        match find(report, &self.index, &self.order) {
            Found::Node { name, method } => {
                let before = self.index.nodes.get(&name).cloned().unwrap_or_default();
                let sequence = self.sequence.as_ref().filter(|_| method == "sequential");
                let address = sequence.filter(|_| before.ip.is_none()).map(|sequence| sequence.address(&self.index));
                let address = address.transpose()?.flatten();
                // One that has heard nothing the first time says it again, and has not to begin again.
                let told = edit.row(table("chain"), &[&name])?.is_some_and(|row| row.get("currstate").is_some());
                if method == "mac" && told {
                    note_hardware(edit, report, &name)?;
                } else {
                    take_in_order(edit, report, &name, sequence, address)?;
                    begin_chain(edit, &name)?;
                    if self.keeps_statuses {
                        edit.record_status(&name, "discovered")?;
                    }
                }
                let mut known = merged(&before, report);
                known.ip = known.ip.or(address);
                self.index.add(&name, known);
                self.note(edit, report, &name, method, "")?;
                Ok(Verdict::Node(name))
            }
            Found::Conflict(why) => {
                self.note(edit, report, "", "conflict", &why)?;
                Ok(Verdict::Nobody(why))
            }
            Found::Later => {
                self.note(edit, report, "", "undef", "")?;
                Ok(Verdict::Nobody("it still listens for the switch that it is plugged into".to_owned()))
            }
            Found::Nobody => {
                let why = "no node is defined that it could be";
                self.note(edit, report, "", "undef", "")?;
                Ok(Verdict::Nobody(why.to_owned()))
            }
        }
    }

    /// A machine whose UUID is known with another MAC address does not write over that one.
    fn note(
        &mut self,
        edit: &mut Edit<'_>,
        report: &Report,
        node: &str,
        method: &str,
        why: &str,
    ) -> Result<(), Failure> {
        let row = edit.row(table("discoverydata"), &[&report.key()])?;
        let own = report.mac.map(|mac| mac.to_string()).unwrap_or_default();
        let is_other = row.as_ref().and_then(|row| row.get("nichwaddr")).is_some_and(|macs| !macs.contains(&own));
        let apart = Report { uuid: String::new(), ..report.clone() };
        let report = if is_other { &apart } else { report };
        if !self.known.contains(&report.key()) {
            if self.known.len() >= MOST || self.known.is_empty() {
                let rows = edit.rows(table("discoverydata"), Select::All)?;
                *self.known = rows.iter().filter_map(|row| row.get("uuid").map(str::to_owned)).collect();
            }
            if self.known.len() >= MOST && node.is_empty() && !self.known.contains(&report.key()) {
                tracing::warn!(
                    machine = own,
                    "discovery: too many machines are known to nobody; nodediscoverdef -r -t undef"
                );
                return Ok(());
            }
            self.known.insert(report.key());
        }
        // A machine that was given to a node by hand, or in order, is that for good.
        let method = match row.as_ref().filter(|_| !is_other && method == "mac").and_then(|row| row.get("method")) {
            Some(before) if before != "undef" && before != "conflict" => before,
            _ => method,
        };
        Ok(note(edit, report, node, method, why)?)
    }
}
