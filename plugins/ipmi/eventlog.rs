//! The system event log.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use tables::Node;
use tokio::time::{Instant, sleep};

use super::sel::{self, Clear};
use super::{Ipmi, check};
use crate::{EventLog, MachineEvent, Result};

/// How long the reading of a log may take; a full one of 64 KiB is read in half a minute.
const READING: Duration = Duration::from_secs(300);
/// "No such entry", for the first one: the log is empty.
const EMPTY: u8 = 0xcb;
/// How long a clearing may take; some flash is slow.
const CLEARING: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[async_trait]
impl EventLog for Ipmi {
    fn check(&self, node: &Node) -> Result<()> {
        check(self, node)
    }

    async fn events(&self, node: &Node) -> Result<Vec<MachineEvent>> {
        const DOING: &str = "read the event log";
        let mut session = self.session(node).await?;
        let start = Instant::now();
        let (mut events, mut number) = (Vec::new(), sel::FIRST);
        // A BMC that goes round in circles comes to an end.
        let mut seen = HashSet::new();
        while seen.insert(number) {
            session.in_time(DOING, start, READING)?;
            let answer = session.try_ask(DOING, &sel::get(number)).await?;
            if answer.code == EMPTY && number == sel::FIRST {
                return Ok(events);
            }
            let answer = session.succeeded(DOING, answer)?;
            let (next, event) = sel::entry(&answer).ok_or_else(|| session.garbled(DOING))?;
            events.push(event);
            if next == sel::LAST || next == sel::FIRST {
                return Ok(events);
            }
            number = next;
        }
        Err(session.garbled(DOING))
    }

    async fn clear(&self, node: &Node) -> Result<()> {
        const DOING: &str = "clear the event log";
        let mut session = self.session(node).await?;
        let answer = session.ask(DOING, &sel::reserve()).await?;
        let reservation = sel::reservation(&answer).ok_or_else(|| session.garbled(DOING))?;
        let start = Instant::now();
        let mut step = Clear::Begin;
        loop {
            let answer = session.ask(DOING, &sel::clear(reservation, step)).await?;
            if sel::is_cleared(&answer).ok_or_else(|| session.garbled(DOING))? {
                return Ok(());
            }
            session.in_time(DOING, start, CLEARING)?;
            step = Clear::Progress;
            sleep(LOOK_AGAIN).await;
        }
    }
}
