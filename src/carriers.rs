//! Servers that carry running containers, which must not lose their power by a slip of the finger.

use std::cell::RefCell;
use std::collections::HashMap;

use futures_util::StreamExt;
use plugins::{Backends, PowerState};
use tables::Node;

use crate::context::Context;
use crate::docker_host;
use crate::failure::Failure;
use crate::ui::Format;

/// Hosts looked at together; each costs a login.
const AT_ONCE: usize = 64;

impl Context {
    /// Refuses nodes on which containers run, and hosts that are on and do not tell.
    pub(crate) async fn refuse_carriers(&self, format: Format, nodes: &[Node]) -> Result<(), Failure> {
        let hosts = self.tables()?.guest_hosts()?;
        let backends = self.backends()?;
        let looks = nodes.iter().filter(|node| hosts.contains(node.name())).map(async |node| {
            let refusal = carries_nothing(backends, node).await.err()?;
            Some((node.name().to_owned(), refusal))
        });
        let looks = futures_util::stream::iter(looks).buffer_unordered(AT_ONCE);
        let refusals: HashMap<String, Failure> = looks.filter_map(std::future::ready).collect().await;
        let refusals = RefCell::new(refusals);
        self.check(format, nodes, |node| refusals.borrow_mut().remove(node.name()).map_or(Ok(()), Err))
    }
}

async fn carries_nothing(backends: &Backends, host: &Node) -> Result<(), Failure> {
    let carried = match docker_host::carried(backends, host).await {
        Ok(carried) => carried,
        Err(failure) => {
            // Nothing runs without power; for a host that hangs somebody has to say that this is meant.
            let state = backends.power(host)?.state(host).await;
            return match state.is_ok_and(|reading| reading.state == PowerState::Off) {
                true => Ok(()),
                false => Err(failure.hint("--force does it without asking the host which containers run there")),
            };
        }
    };
    let running: Vec<String> = carried.into_iter().filter(|guest| guest.running).map(|guest| guest.name).collect();
    if running.is_empty() {
        return Ok(());
    }
    let names = tables::noderange::fold(&running);
    let hint = format!("stop them with: rpower {names} off; or use --force");
    Err(Failure::refused(format!("containers run on it: {names}")).hint(hint))
}
