//! Who decides about machines that report. All that report at the same moment are decided on together, in one transaction: two of them
//! never become one node, and a hundred cost little more than one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use netboot::discovery::{Director, Report, Trouble, Verdict};
use tables::{Edit, Origin, Tables};

use super::index::Index;
use super::matching::{Found, find};
use super::record::{begin_chain, merged, note, note_hardware, take_in_order};
use super::sequence::Sequence;
use super::table;
use crate::boot::follow;
use crate::failure::Failure;

/// So many machines are kept in table discoverydata. Who can invent MAC addresses cannot fill the disk.
const MOST: usize = if cfg!(test) { 20 } else { 20_000 };
/// Once there are so many, how often it is looked whether somebody has made room.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

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
        let desk = Mutex::new(Desk { known: Machines::default(), tables: open()? });
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
    known: Machines,
}

/// The machines of table discoverydata, as far as was looked.
#[derive(Default)]
struct Machines {
    uuids: HashSet<String>,
    looked: Option<Instant>,
}

impl Machines {
    /// Whether one of this key is written down; a stranger who is not yet is so only where there is room.
    fn admit(&mut self, edit: &Edit<'_>, key: &str, is_stranger: bool) -> tables::Result<bool> {
        if self.uuids.contains(key) {
            return Ok(true);
        }
        let is_old = |looked: Instant| self.uuids.len() >= MOST && looked.elapsed() >= LOOK_AGAIN;
        if self.looked.is_none_or(is_old) {
            *self = Self { uuids: edit.machines()?, looked: Some(Instant::now()) };
        }
        if is_stranger && self.uuids.len() >= MOST && !self.uuids.contains(key) {
            return Ok(false);
        }
        self.uuids.insert(key.to_owned());
        Ok(true)
    }
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
                self.known = Machines::default(); // nothing of it was written
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
    known: &'k mut Machines,
}

impl<'k> Round<'k> {
    fn begin(edit: &Edit<'_>, known: &'k mut Machines) -> Result<Self, Failure> {
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
        if !self.known.admit(edit, &report.key(), node.is_empty())? {
            tracing::warn!(
                machine = own,
                "discovery: too many machines are known to nobody; nodediscoverdef -r -t undef"
            );
            return Ok(());
        }
        // A machine that was given to a node by hand, or in order, is that for good.
        let method = match row.as_ref().filter(|_| !is_other && method == "mac").and_then(|row| row.get("method")) {
            Some(before) if before != "undef" && before != "conflict" => before,
            _ => method,
        };
        Ok(note(edit, report, node, method, why)?)
    }
}

#[cfg(test)]
mod tests {
    use netboot::mac::Mac;
    use tables::{Row, Select};

    use super::*;

    fn registrar() -> (tempfile::TempDir, Registrar) {
        let home = tempfile::tempdir().unwrap();
        let registrar = Registrar::open(home.path(), Vec::new(), Duration::from_secs(20)).unwrap();
        (home, registrar)
    }

    fn report(registrar: &Registrar, number: usize) {
        let mac = Mac([2, 0, 0, 0, 0, u8::try_from(number).unwrap()]);
        let verdict = registrar.reported(Report { mac: Some(mac), ..Report::default() }).unwrap();
        assert!(matches!(verdict, Verdict::Nobody(_)), "{number}");
    }

    fn rows(registrar: &Registrar) -> Vec<Row> {
        locked(&registrar.tables).rows(table("discoverydata"), Select::All).unwrap()
    }

    #[test]
    fn no_more_strangers_are_written_down_than_there_is_room_for() {
        let (_home, registrar) = registrar();
        (0..MOST + 5).for_each(|number| report(&registrar, number));
        let known = rows(&registrar);
        assert_eq!(known.len(), MOST);
        // Somebody makes room, which is seen a minute after the last look.
        let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
        let key = known[0].get("uuid").unwrap();
        locked(&registrar.tables).edit(&origin, |edit| edit.forget_machines(&[key])).unwrap();
        report(&registrar, MOST + 6);
        assert_eq!(rows(&registrar).len(), MOST - 1, "the table was read for one report");
        locked(&registrar.desk).known.looked =
            Some(Instant::now().checked_sub(LOOK_AGAIN).expect("this machine has run for a minute"));
        report(&registrar, MOST + 7);
        assert_eq!(rows(&registrar).len(), MOST);
        locked(&registrar.desk).known.looked = Instant::now().checked_sub(LOOK_AGAIN);
        report(&registrar, MOST + 8);
        assert_eq!(rows(&registrar).len(), MOST);
    }

    #[test]
    fn a_stranger_takes_little_room_whatever_it_says() {
        let (_home, registrar) = registrar();
        let mac = |last: u8| Mac([2, 0, 0, 0, 0, last]);
        let word = |letter: &str| letter.repeat(240);
        let nic = |number: u8| netboot::discovery::Nic {
            name: format!("{}{number}", word("e")),
            mac: mac(number),
            driver: word("d"),
            link: true,
        };
        let disk = |_| netboot::discovery::Disk { name: word("v"), bytes: 1, model: word("m"), serial: String::new() };
        let report = Report {
            mac: Some(mac(100)),
            nics: (0..128).map(nic).collect(),
            disks: (0..1000).map(disk).collect(),
            bmc: "10.0.0.7".parse().ok(),
            ..Report::default()
        };
        registrar.reported(report).unwrap();
        let rows = rows(&registrar);
        for column in ["otherdata", "nicdriver", "nichwaddr"] {
            let text = rows[0].get(column).unwrap();
            assert!((3000..=4096).contains(&text.len()), "{column}: {}", text.len());
        }
        assert!(rows[0].get("nichwaddr").unwrap().contains(&format!("!{}", mac(100))), "it has booted by that one");
        assert!(rows[0].get("otherdata").unwrap().ends_with("; bmc 10.0.0.7"));
        assert!(rows[0].get("nicdriver").unwrap().ends_with("ddd"), "in the middle of a card");
    }
}
