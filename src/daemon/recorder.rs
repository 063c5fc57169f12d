//! What services see of machines is written to the log and to table bootevent, many events at a time.
//!
//! Machines decide how much there is to see, so both have a bound: a node that never stops is written down once a second,
//! all strangers together a few times, whoever is refused or asks too much once a minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use netboot::events::{Event, Events, Kind};
use netboot::http::{LiveSite, neighbour_at};
use netboot::mac::Mac;
use netboot::metrics::Metrics;
use tables::{BootEvent, Tables};
use tokio::sync::mpsc::Receiver;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Events that wait to be written.
pub(crate) const ROOM: usize = 4096;
/// As many are written at once.
const BATCH: usize = 512;
/// Between two writings.
const PAUSE: Duration = Duration::from_millis(300);
/// How long what was seen is kept.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
const FORGETTING: Duration = Duration::from_secs(3600);
/// Addresses of machines that are remembered.
const ADDRESSES: usize = 16_384;

/// Writes down what it hears.
pub(crate) struct Recorder {
    heard: Receiver<Event>,
    events: Events,
    tables: Arc<Tables>,
    site: Arc<LiveSite>,
    metrics: Arc<Metrics>,
    clients: HashMap<IpAddr, Mac>,
    budgets: Budgets,
    forgotten: Option<SystemTime>,
}

impl Recorder {
    pub(crate) fn new(tables: Arc<Tables>, site: Arc<LiveSite>, metrics: Arc<Metrics>) -> (Events, Self) {
        let (events, heard) = Events::heard(ROOM);
        let (clients, budgets) = (HashMap::new(), Budgets::default());
        (events.clone(), Self { heard, events, tables, site, metrics, clients, budgets, forgotten: None })
    }

    /// Writes until it is told to stop, and then what is left.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::new();
        loop {
            let stopping = tokio::select! {
                biased;
                count = self.heard.recv_many(&mut batch, BATCH) => count == 0,
                () = stop.cancelled() => true,
            };
            self.write(&mut batch).await;
            if stopping {
                return;
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn write(&mut self, batch: &mut Vec<Event>) {
        let lost = self.events.lost();
        if lost > 0 {
            self.metrics.add_lost(lost);
            tracing::warn!(lost, "more happens than can be written down");
        }
        let seen: Vec<BootEvent> = batch.drain(..).filter_map(|event| self.row(event)).collect();
        let (tables, old) = (self.tables.clone(), self.old());
        if seen.is_empty() && old.is_none() {
            return;
        }
        let written = spawn_blocking(move || {
            old.map_or(Ok(()), |old| tables.forget_boot_events(&old))?;
            tables.record_boot_events(&seen)
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "what was seen of machines is not written down");
        }
    }

    /// None for what is too much.
    fn row(&mut self, event: Event) -> Option<BootEvent> {
        let mac = self.mac_of(&event);
        let node = event.node.clone().or_else(|| self.site.name_of(mac?)).unwrap_or_default();
        self.metrics.count(&event, &node);
        if !self.budgets.admit(&node, event.kind, event.time) {
            self.metrics.add_unwritten();
            return None;
        }
        let mac = mac.map(|mac| mac.to_string()).unwrap_or_default();
        let client = event.client.map(|client| client.to_string()).unwrap_or_default();
        let (kind, subject, interface, detail) = (event.kind.word(), event.subject, &*event.interface, event.said());
        tracing::info!(kind, subject, node, mac, client, interface, detail, "boot");
        Some(BootEvent {
            time: written(event.time),
            node,
            mac,
            interface: interface.to_owned(),
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            detail: detail.to_owned(),
        })
    }

    /// Services of files know no more than an address: who has it was seen before, or the kernel knows.
    fn mac_of(&mut self, event: &Event) -> Option<Mac> {
        let Some(client) = event.client else { return event.mac };
        if self.clients.len() >= ADDRESSES {
            self.clients.clear();
        }
        if let Some(mac) = event.mac.or_else(|| self.clients.get(&client).copied()).or_else(|| neighbour_at(client)) {
            self.clients.insert(client, mac);
            return Some(mac);
        }
        None
    }

    /// Before when all is forgotten, if it is time for that.
    fn old(&mut self) -> Option<String> {
        let now = SystemTime::now();
        let is_recent = |then: SystemTime| now.duration_since(then).is_ok_and(|age| age < FORGETTING);
        if self.forgotten.is_some_and(is_recent) {
            return None;
        }
        self.forgotten = Some(now);
        now.checked_sub(KEPT).map(written)
    }
}

/// As table bootevent has it.
pub(crate) fn written(time: SystemTime) -> String {
    Timestamp::try_from(time).map(|time| format!("{time:.3}")).unwrap_or_default()
}

/// How much is written of whom.
#[derive(Default)]
struct Budgets(HashMap<(String, bool), Budget>);

struct Budget {
    left: f64,
    since: SystemTime,
}

impl Budgets {
    fn admit(&mut self, node: &str, kind: Kind, now: SystemTime) -> bool {
        let is_refusal = matches!(kind, Kind::Denied | Kind::Limited);
        let (burst, rate) = match (is_refusal, node.is_empty()) {
            (true, _) => (5.0, 1.0 / 60.0),
            (false, true) => (200.0, 5.0),
            (false, false) => (60.0, 1.0),
        };
        let key = (node.to_owned(), is_refusal);
        let budget = self.0.entry(key).or_insert(Budget { left: burst, since: now });
        let past = now.duration_since(budget.since).unwrap_or_default().as_secs_f64();
        (budget.left, budget.since) = ((budget.left + past * rate).min(burst), now);
        let admits = budget.left >= 1.0;
        if admits {
            budget.left -= 1.0;
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_never_stops_is_written_down_now_and_then() {
        let mut budgets = Budgets::default();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let mut admitted = |node: &str, kind: Kind, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            (0..1000).filter(|_| budgets.admit(node, kind, now)).count()
        };
        assert_eq!(admitted("n1", Kind::Denied, 0), 5);
        assert_eq!(admitted("n1", Kind::Offer, 0), 60, "its refusals take nothing from it");
        assert_eq!(admitted("n1", Kind::Offer, 10), 10);
        assert_eq!(admitted("n1", Kind::Limited, 60), 1);
        assert_eq!(admitted("", Kind::Silent, 0), 200);
        assert_eq!(admitted("n2", Kind::Offer, 0), 60);
    }

    #[test]
    fn times_are_of_one_form() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_236_720_250);
        assert_eq!(written(time), "2026-11-21T04:52:00.250Z");
    }
}
