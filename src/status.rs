//! nodelist.status follows what was done to the power of a node.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;
use netboot::events::Kind;
use plugins::{PowerAction, PowerState, Powered};
use tables::{BootEvent, Node};

use crate::context::Context;
use crate::failure::Failure;

/// The new statuses of one command, written together when it ends.
#[derive(Debug, Default)]
pub(crate) struct Statuses(Mutex<BTreeMap<String, &'static str>>);

impl Statuses {
    /// Remembers what the node is after `action`; what changed nothing changes no status.
    pub(crate) fn add(&self, node: &Node, action: PowerAction, powered: &Powered) {
        let status = match action {
            PowerAction::Suspend => "suspended",
            // It was announced, and the node may have said more since.
            _ if powered.under_way => return,
            PowerAction::Off | PowerAction::Softoff => "off",
            PowerAction::On | PowerAction::Reset | PowerAction::Boot | PowerAction::Cycle | PowerAction::Resume => {
                "booted"
            }
        };
        if powered.changed {
            self.set(node, status);
        }
    }

    pub(crate) fn set(&self, node: &Node, status: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(node.name().to_owned(), status);
    }
}

/// What was written of a server before its power was touched.
#[must_use]
pub(crate) struct Announced {
    action: PowerAction,
    at: SystemTime,
    /// What the status was, and what it is now.
    statuses: Option<(String, &'static str)>,
}

impl Context {
    /// Writes what a server is on its way to before anything is done to its power: it may say more of itself before its BMC
    /// says that it is so, and that must stay. None for what is no server.
    pub(crate) fn announce(&self, node: &Node, action: PowerAction) -> Result<Option<Announced>, Failure> {
        let status = match action {
            _ if !is_server(node) => return Ok(None),
            PowerAction::Suspend | PowerAction::Resume => return Ok(None),
            PowerAction::Off | PowerAction::Softoff => "powering-off",
            PowerAction::On | PowerAction::Reset | PowerAction::Boot | PowerAction::Cycle => "powering-on",
        };
        let mut announced = Announced { action, at: SystemTime::now(), statuses: None };
        if self.keeps_statuses()? {
            self.tables()?.record_statuses(&BTreeMap::from([(node.name().to_owned(), status)]))?;
            announced.statuses = Some((node.get("status").unwrap_or_default().to_owned(), status));
        }
        Ok(Some(announced))
    }

    /// Takes the status back, unless the node has said something since.
    pub(crate) fn retract(&self, node: &Node, announced: Announced) -> Result<(), Failure> {
        match announced.statuses {
            Some((before, now)) => Ok(self.tables()?.replace_status(node.name(), now, &before)?),
            None => Ok(()),
        }
    }

    /// Writes what was done to a server's power, with which a boot begins.
    pub(crate) fn tell_power(&self, node: &Node, announced: &Announced) -> Result<(), Failure> {
        let event = BootEvent {
            time: format!("{:.3}", Timestamp::try_from(announced.at).unwrap_or_default()),
            node: node.name().to_owned(),
            kind: Kind::Power.word().to_owned(),
            subject: format!("{:?}", announced.action).to_lowercase(),
            ..BootEvent::default()
        };
        Ok(self.tables()?.record_boot_events(&[event])?)
    }

    /// Does something to the power of a node, and sees to it that its status says so from the moment before.
    pub(crate) async fn apply_power(&self, node: &Node, action: PowerAction) -> Result<Powered, Failure> {
        let power = self.backends()?.power(node)?;
        // What is on already is not on its way: whoever is on it must not be taken for one that boots.
        if action == PowerAction::On
            && is_server(node)
            && power.state(node).await.is_ok_and(|reading| reading.state == PowerState::On)
        {
            return Ok(power.apply(node, action).await?);
        }
        let announced = self.announce(node, action)?;
        let applied = power.apply(node, action).await;
        if let Some(announced) = announced {
            match &applied {
                Ok(powered) if powered.changed => self.tell_power(node, &announced)?,
                Err(error) if !error.did_nothing() => self.tell_power(node, &announced)?,
                Ok(_) | Err(_) => self.retract(node, announced)?,
            }
        }
        Ok(applied?)
    }

    /// Writes the statuses, unless the site does not want them (`site.nodestatus=n`).
    pub(crate) fn record(&self, statuses: Statuses) -> Result<(), Failure> {
        let statuses = statuses.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if statuses.is_empty() || !self.keeps_statuses()? {
            return Ok(());
        }
        Ok(self.tables()?.record_statuses(&statuses)?)
    }

    /// Whether nodelist.status is written at all.
    pub(crate) fn keeps_statuses(&self) -> Result<bool, Failure> {
        Ok(self.tables()?.keeps_statuses()?)
    }
}

/// Whether it boots for minutes; a container runs at once.
fn is_server(node: &Node) -> bool {
    node.get("power").or_else(|| node.get("mgt")).is_some_and(|backends| backends != "docker")
}
