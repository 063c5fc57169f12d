//! The log of the machine's events: of several that a BMC keeps, the one that IPMI calls the system event log.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tables::Node;
use tokio::time::timeout;

use super::document::{Document, last};
use super::machine::{Machine, Pages, members};
use super::{Redfish, check};
use crate::{Error, EventLog, MachineEvent, Result};

const READING: &str = "read the event log";
const CLEARING: &str = "clear the event log";
/// How long the reading of a log may take.
const LONGEST: Duration = Duration::from_secs(300);
/// Events that are read; no log of a machine is longer.
const MOST: usize = u16::MAX as usize;
/// A clock that was never set counts from the start of the machine.
const CLOCK_UNSET: i64 = 0x2000_0000;

#[async_trait]
impl EventLog for Redfish {
    fn check(&self, node: &Node) -> Result<()> {
        check(self, node)
    }

    async fn events(&self, node: &Node) -> Result<Vec<MachineEvent>> {
        let mut machine = self.machine(node).await?;
        machine.session.may_take(LONGEST);
        let what = format!("{}: cannot {READING}", machine.session.name());
        let read = timeout(LONGEST, entries(&mut machine)).await;
        let mut entries = read.map_err(|_| Error::TimedOut { what, after: LONGEST })??;
        if entries.first().map(order) > entries.last().map(order) {
            entries.reverse();
        }
        Ok((1..=u16::MAX).zip(&entries).map(|(place, entry)| event(place, entry)).collect())
    }

    async fn clear(&self, node: &Node) -> Result<()> {
        let mut machine = self.machine(node).await?;
        let log = log(&mut machine, CLEARING).await?;
        let (service, _) = machine.session.get(CLEARING, &log).await?;
        let target = service.path(&["Actions", "#LogService.ClearLog", "target"]);
        let target = target.ok_or_else(|| machine.session.refused(CLEARING, format!("{log} is not to be cleared")))?;
        let words: Map<String, Value> =
            machine.quirks.clearing.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        machine.act(CLEARING, &target, &Value::Object(words)).await
    }
}

/// The log in which the machine's events are: of the system, else of its BMC, else of its chassis.
async fn log(machine: &mut Machine, doing: &str) -> Result<String> {
    let mut services = machine.now.link(&["LogServices"]);
    for (link, collection) in [("ManagedBy", "Managers"), ("Chassis", "Chassis")] {
        if let Some(services) = services.take() {
            let logs = members(&mut machine.session, doing, &services).await?;
            if let Some(best) = best(machine.quirks.logs, &logs) {
                return Ok(best);
            }
        }
        let beside = machine.beside(doing, link, collection).await?;
        services = beside.and_then(|(_, beside)| beside.link(&["LogServices"]));
    }
    let logs = match services {
        Some(services) => members(&mut machine.session, doing, &services).await?,
        None => Vec::new(),
    };
    best(machine.quirks.logs, &logs).ok_or_else(|| machine.session.refused(doing, "the machine has none"))
}

/// The one whose name comes first in `names`, else the first.
fn best(names: &[&str], logs: &[String]) -> Option<String> {
    let called = |name: &str| logs.iter().find(|log| last(log).eq_ignore_ascii_case(name));
    names.iter().find_map(|name| called(name)).or(logs.first()).cloned()
}

async fn entries(machine: &mut Machine) -> Result<Vec<Document>> {
    let log = log(machine, READING).await?;
    let (service, _) = machine.session.get(READING, &log).await?;
    let path = service.link(&["Entries"]).unwrap_or_else(|| format!("{}/Entries", log.trim_end_matches('/')));
    let mut pages = Pages::of(&path);
    let mut entries = Vec::new();
    while let Some(page) = pages.next(&mut machine.session, READING).await? {
        for entry in page.objects(&["Members"]) {
            // Some BMCs name entries only, against the specification.
            let entry = match entry.link(&[]) {
                Some(path) if !entry.has("Message") && !entry.has("MessageId") && !entry.has("Created") => {
                    machine.session.get(READING, &path).await?.0
                }
                _ => entry,
            };
            entries.push(entry);
        }
        if entries.len() >= MOST {
            break;
        }
    }
    Ok(entries)
}

/// By what it is told which end of a log is the older one.
fn order(entry: &Document) -> (Option<i64>, Option<u64>) {
    (moment(entry), entry.text(&["Id"]).and_then(|id| id.parse().ok()))
}

/// Seconds since 1970. What has no zone is taken for UTC, as BMCs keep it.
fn moment(entry: &Document) -> Option<i64> {
    let text = entry.text(&["Created"])?;
    let moment: jiff::Timestamp = text.parse().or_else(|_| format!("{text}Z").parse()).ok()?;
    Some(moment.as_second()).filter(|second| *second >= CLOCK_UNSET)
}

fn event(place: u16, entry: &Document) -> MachineEvent {
    let severity = entry.text(&["Severity"]).filter(|severity| severity != "OK");
    let text = entry.text(&["Message"]).or_else(|| entry.text(&["MessageId"])).unwrap_or_else(|| "no text".into());
    MachineEvent {
        number: entry.text(&["Id"]).and_then(|id| id.parse().ok()).unwrap_or(place),
        time: moment(entry).and_then(|second| second.try_into().ok()),
        text: severity.map_or_else(|| text.clone(), |severity| format!("{severity}: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn events_in_words() {
        let check = |text: &str, number: u16, time: Option<u32>, expected: &str| {
            let expected = MachineEvent { number, time, text: expected.into() };
            assert_eq!(event(7, &entry(text)), expected, "{text}");
        };
        check(
            r#"{"Id": "3", "Created": "2031-11-20T08:00:00+01:00", "Severity": "Critical", "Message": "Fan 1 stopped"}"#,
            3,
            Some(1_952_924_400),
            "Critical: Fan 1 stopped",
        );
        check(r#"{"Id": "1612_1", "Created": "1970-01-01T00:01:00Z", "MessageId": "X.1"}"#, 7, None, "X.1");
        check(r#"{"Created": "2001-09-09T01:46:40", "Severity": "OK", "Message": "On"}"#, 7, Some(1_000_000_000), "On");
        check("{}", 7, None, "no text");
    }

    #[test]
    fn the_older_end_of_a_log() {
        let at = |id: &str, created: &str| entry(&format!("{{\"Id\": \"{id}\", \"Created\": \"{created}\"}}"));
        assert!(order(&at("9", "2020-01-01T00:00:00Z")) < order(&at("1", "2021-01-01T00:00:00Z")));
        assert!(order(&at("10", "")) > order(&at("9", "")));
    }

    #[test]
    fn the_log_of_the_machine_is_found_among_others() {
        let logs = ["/a/AuditLog", "/a/Sel"].map(str::to_owned);
        assert_eq!(best(&["sel", "log1"], &logs).as_deref(), Some("/a/Sel"));
        assert_eq!(best(&["iml"], &logs).as_deref(), Some("/a/AuditLog"));
        assert_eq!(best(&["iml"], &[]), None);
    }
}
