//! nodelist.status follows what was done to the power of a node.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use plugins::{PowerAction, Powered};
use tables::Node;

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
            PowerAction::Off | PowerAction::Softoff if powered.under_way => "powering-off",
            PowerAction::Off | PowerAction::Softoff => "off",
            _ if powered.under_way => "powering-on",
            PowerAction::On | PowerAction::Reset | PowerAction::Boot | PowerAction::Cycle | PowerAction::Resume => {
                "booted"
            }
        };
        if powered.changed {
            self.set(node, status);
        }
    }

    /// What holds before anything is done to the power: the node may say more of itself before its power is what it shall be.
    pub(crate) fn powering_on(node: &Node) -> Self {
        let statuses = Self::default();
        statuses.set(node, "powering-on");
        statuses
    }

    pub(crate) fn set(&self, node: &Node, status: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(node.name().to_owned(), status);
    }
}

impl Context {
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
        Ok(!matches!(self.tables()?.site("nodestatus")?.as_deref(), Some("n" | "no" | "0")))
    }
}
