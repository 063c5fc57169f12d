//! Statuses that nobody brings further: a callback was lost, a machine got stuck, or was never switched on.
//!
//! A node that was on its way for too long and of which nothing was seen since is booted if its sshd answers, and else has
//! failed; why is what bootwhy tells. All that counts stands in the tables, so that a daemon that starts anew goes on.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use netboot::events::{Event, Events, Kind};
use netboot::why::Verdict;
use tables::{Node, Select, Tables, schema};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::boot::story::{Stories, sentence};
use crate::failure::Failure;

/// Between two looks at the statuses, and less where a boot may take less than ten times as long.
const LOOKING: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_secs(1);
/// How long a boot may take where site.boottimeout does not say it, in seconds.
const BOOT: u64 = 900;
/// An installation takes so many times as long.
const INSTALLATION: u64 = 8;
/// How long an sshd may take to answer.
const ANSWERING: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 64;

/// Statuses of nodes that are on their way.
const MOVING: &[&str] =
    &["powering-on", "netbooting", "booting", "postbooting", "installing", "installed", "configuring", "discovering"];
/// The status of nodes that rest so, or have not heard that they were to; looked at for so many times as long as a boot may take.
const LEAVING: &str = "powering-off";
const LOOKS: u64 = 4;

/// Looks after statuses until it is told to stop.
pub(crate) async fn reconcile(tables: Arc<Tables>, events: Events, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = sleep(pause(boot_limit(&tables).unwrap_or(BOOT))) => {}
            () = stop.cancelled() => return,
        }
        if let Err(failure) = settle(&tables, &events).await {
            tracing::warn!(why = failure.message, "statuses are not looked after");
        }
    }
}

fn pause(limit: u64) -> Duration {
    Duration::from_secs(limit / 10).clamp(SHORTEST, LOOKING)
}

/// How many seconds a boot may take.
fn boot_limit(tables: &Tables) -> Result<u64, Failure> {
    Ok(tables.site("boottimeout")?.and_then(|seconds| seconds.parse().ok()).unwrap_or(BOOT))
}

async fn settle(tables: &Tables, events: &Events) -> Result<(), Failure> {
    if !tables.keeps_statuses()? {
        return Ok(());
    }
    let late = late(tables, SystemTime::now())?;
    if late.is_empty() {
        return Ok(());
    }
    let stories = Stories::read(tables)?;
    let asked = late.into_iter().map(async |node| (answers_ssh(&node).await, node));
    let mut asked = futures_util::stream::iter(asked).buffer_unordered(AT_ONCE);
    while let Some((is_up, node)) = asked.next().await {
        let before = node.get("status").unwrap_or_default();
        let (status, why) = if is_up {
            ("booted", "its sshd answers".to_owned())
        } else if before == LEAVING {
            continue;
        } else {
            match stories.boots(&node)?.last().map(|boot| stories.verdict(&node, boot)) {
                Some(verdict @ Verdict::AsTold(_)) => ("unknown", sentence(&verdict).0),
                Some(verdict) => ("failed", sentence(&verdict).0),
                None => ("failed", "nothing was seen of it".to_owned()),
            }
        };
        tracing::info!(node = node.name(), before, status, why, "status settled");
        tables.replace_status(node.name(), before, status)?;
        events.tell(|| Event::new(&"".into(), Kind::Stuck, status).node(Some(node.name())).detail(why));
    }
    Ok(())
}

/// Nodes that have been on their way for too long, and of which nothing was seen since.
fn late(tables: &Tables, now: SystemTime) -> Result<Vec<Node>, Failure> {
    let limit = boot_limit(tables)?;
    let table = schema::find("nodelist").expect("table nodelist is in the schema");
    let mut names = Vec::new();
    for row in tables.rows(table, Select::All)? {
        let (Some(name), Some(status)) = (row.get("node"), row.get("status")) else { continue };
        let limit = if status == "installing" { limit.saturating_mul(INSTALLATION) } else { limit };
        let since = row.get("statustime").and_then(written);
        let leaves = status == LEAVING && since.is_some_and(|since| !is_past(since, limit.saturating_mul(LOOKS), now));
        if (leaves || MOVING.contains(&status)) && since.is_none_or(|since| is_past(since, limit, now)) {
            let seen = tables.boot_events(name)?.last().and_then(|event| event.time.parse().ok());
            if seen.is_none_or(|seen| is_past(seen, limit, now)) {
                names.push(name.to_owned());
            }
        }
    }
    Ok(tables.resolve(&names)?)
}

fn is_past(since: Timestamp, seconds: u64, now: SystemTime) -> bool {
    let limit = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    Timestamp::try_from(now).is_ok_and(|now| now.duration_since(since) > limit)
}

/// A time as nodelist has it, which is local.
fn written(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%m-%d-%Y %H:%M:%S", text).ok()?;
    Some(time.to_zoned(TimeZone::system()).ok()?.timestamp())
}

async fn answers_ssh(node: &Node) -> bool {
    let Some(address) = node.get("ip").and_then(|ip| ip.parse::<IpAddr>().ok()) else { return false };
    let greeting = async {
        let mut stream = TcpStream::connect((address, 22)).await?;
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).await?;
        Ok::<_, std::io::Error>(greeting == *b"SSH-")
    };
    matches!(timeout(ANSWERING, greeting).await, Ok(Ok(true)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tables::{BootEvent, Origin};

    use super::*;

    fn tables() -> (tempfile::TempDir, Tables) {
        let home = tempfile::tempdir().unwrap();
        let tables = Tables::open(home.path()).unwrap();
        let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
        let nodelist = schema::find("nodelist").unwrap();
        tables
            .edit(&origin, |edit| {
                for node in ["n1", "n2", "n3", "n4", "n5"] {
                    edit.set(nodelist, &[node], &[("groups", "all")])?;
                }
                edit.set(schema::find("hosts").unwrap(), &["all"], &[("ip", "127.0.0.9")]).map(drop)
            })
            .unwrap();
        let statuses = [
            ("n1", "netbooting"),
            ("n2", "booted"),
            ("n3", "installing"),
            ("n4", "powering-on"),
            ("n5", "powering-off"),
        ];
        tables.record_statuses(&BTreeMap::from(statuses.map(|(node, status)| (node.to_owned(), status)))).unwrap();
        (home, tables)
    }

    #[test]
    fn only_what_is_on_its_way_for_too_long_is_late() {
        let (_home, tables) = tables();
        let late = |after: u64| {
            let nodes = late(&tables, SystemTime::now() + Duration::from_secs(after)).unwrap();
            nodes.iter().map(|node| node.name().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((late(0), late(1000), late(8000)), (String::new(), "n1 n4 n5".into(), "n1 n3 n4".into()));
        let later = Timestamp::now() + SignedDuration::from_secs(600);
        let seen =
            BootEvent { time: format!("{later:.3}"), node: "n4".into(), kind: "offer".into(), ..BootEvent::default() };
        tables.record_boot_events(&[seen]).unwrap();
        assert_eq!(late(1000), "n1 n5", "n4 goes on");
        assert_eq!([2, 100, 900].map(|limit| pause(limit).as_secs()), [1, 10, 30]);
    }
}
