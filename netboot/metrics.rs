//! What services have seen, as numbers for Prometheus (its text format 0.0.4), on a listener of their own.
//!
//! Labels are words of ours only: nothing that a machine says makes a new series.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::events::{Event, Kind, subject};

/// Upper ends of the classes of boot times, in seconds.
const CLASSES: [u64; 8] = [15, 30, 60, 120, 240, 480, 900, 1800];
/// What was begun longer ago is another boot.
const LONGEST: Duration = Duration::from_secs(3600);
/// Who asks for numbers.
const CONNECTIONS: usize = 16;
const ASKING: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// The numbers.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    events: BTreeMap<(&'static str, &'static str), u64>,
    lost: u64,
    unwritten: u64,
    /// When nodes that boot were heard of first.
    begun: HashMap<String, SystemTime>,
    classes: [u64; CLASSES.len()],
    boots: u64,
    seconds: f64,
}

impl Metrics {
    /// Counts an event; `node` is empty for a machine that is none.
    pub fn count(&self, event: &Event, node: &str) {
        let mut numbers = self.numbers();
        *numbers.events.entry((event.kind.word(), event.subject)).or_default() += 1;
        if node.is_empty() {
            return;
        }
        match (event.kind, event.subject) {
            (Kind::Offer | Kind::Ack, subject::FIRMWARE | subject::IPXE) => {
                let begun = numbers.begun.entry(node.to_owned()).or_insert(event.time);
                if event.time.duration_since(*begun).is_ok_and(|age| age > LONGEST) {
                    *begun = event.time;
                }
            }
            (Kind::Status, "booted") => {
                if let Some(time) = numbers.begun.remove(node).and_then(|begun| event.time.duration_since(begun).ok()) {
                    numbers.add_boot(time);
                }
            }
            _ => {}
        }
    }

    /// Counts events that found no room.
    pub fn add_lost(&self, lost: u64) {
        self.numbers().lost += lost;
    }

    /// Counts an event that was too much of one machine to be written down.
    pub fn add_unwritten(&self) {
        self.numbers().unwritten += 1;
    }

    /// All numbers, and how many leases there are.
    pub fn write(&self, leases: usize) -> String {
        self.numbers().write(leases).unwrap_or_default()
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Numbers {
    fn add_boot(&mut self, time: Duration) {
        self.boots += 1;
        self.seconds += time.as_secs_f64();
        for (class, count) in CLASSES.iter().zip(&mut self.classes) {
            *count += u64::from(time.as_secs_f64() <= *class as f64);
        }
    }

    fn write(&self, leases: usize) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let head = |text: &mut String, name: &str, kind: &str, help: &str| {
            write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n")
        };
        head(&mut text, "xcrane_boot_events_total", "counter", "What was seen of machines that boot.")?;
        for ((kind, subject), count) in &self.events {
            writeln!(text, "xcrane_boot_events_total{{kind=\"{kind}\",subject=\"{subject}\"}} {count}")?;
        }
        head(&mut text, "xcrane_boot_events_lost_total", "counter", "Events that came faster than they were taken.")?;
        writeln!(text, "xcrane_boot_events_lost_total {}", self.lost)?;
        head(&mut text, "xcrane_boot_events_unwritten_total", "counter", "Events that were too many of one machine.")?;
        writeln!(text, "xcrane_boot_events_unwritten_total {}", self.unwritten)?;
        head(
            &mut text,
            "xcrane_boot_seconds",
            "histogram",
            "From the first packet of a node until it said that it is up.",
        )?;
        for (class, count) in CLASSES.iter().zip(self.classes) {
            writeln!(text, "xcrane_boot_seconds_bucket{{le=\"{class}\"}} {count}")?;
        }
        writeln!(text, "xcrane_boot_seconds_bucket{{le=\"+Inf\"}} {}", self.boots)?;
        writeln!(text, "xcrane_boot_seconds_sum {:.3}\nxcrane_boot_seconds_count {}", self.seconds, self.boots)?;
        head(&mut text, "xcrane_dhcp_leases", "gauge", "Addresses that unknown machines have.")?;
        writeln!(text, "xcrane_dhcp_leases {leases}")?;
        Ok(text)
    }
}

/// Answers `GET /metrics` with what `text` says, until `stop`.
pub async fn serve<T>(listener: TcpListener, text: T, stop: CancellationToken)
where
    T: Fn() -> String + Send + Sync + 'static,
{
    let text = Arc::new(text);
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(_) = running.join_next() => {}
            accepted = listener.accept(), if running.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    running.spawn(timeout(ASKING, answer(stream, text.clone())));
                }
                Err(error) => {
                    tracing::warn!(%error, "metrics: cannot accept");
                    sleep(PAUSE).await;
                }
            },
        }
    }
}

/// One question, one answer.
async fn answer<T: Fn() -> String>(stream: TcpStream, text: Arc<T>) {
    let answer = service_fn(|request: Request<Incoming>| {
        let is_ours = request.method() == Method::GET && request.uri().path() == "/metrics";
        let mut answer = Response::new(Full::new(Bytes::from(if is_ours { text() } else { String::new() })));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
        if !is_ours {
            *answer.status_mut() = StatusCode::NOT_FOUND;
        }
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(ASKING).keep_alive(false);
    builder.serve_connection(TokioIo::new(stream), answer).await.ok(); // whoever asked has gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_counted_and_boots_are_timed() {
        let metrics = Metrics::default();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let seen = |second: u64, kind: Kind, subject: &'static str, node: &str| {
            let mut event = Event::new(&"eth1".into(), kind, subject);
            event.time = start + Duration::from_secs(second);
            metrics.count(&event, node);
        };
        seen(0, Kind::Offer, subject::FIRMWARE, "n1");
        seen(5, Kind::Offer, subject::IPXE, "n1");
        seen(5, Kind::Offer, subject::IPXE, "");
        seen(40, Kind::Status, "booted", "n1");
        seen(41, Kind::Status, "booted", "n1");
        metrics.add_lost(3);
        let text = metrics.write(7);
        for line in [
            "xcrane_boot_events_total{kind=\"offer\",subject=\"ipxe\"} 2",
            "xcrane_boot_events_lost_total 3",
            "xcrane_boot_seconds_bucket{le=\"30\"} 0",
            "xcrane_boot_seconds_bucket{le=\"60\"} 1",
            "xcrane_boot_seconds_sum 40.000",
            "xcrane_boot_seconds_count 1",
            "xcrane_dhcp_leases 7",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("n1"));
    }
}
