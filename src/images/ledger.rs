//! What one command writes into table imageledger, together when it ends.

use std::sync::{Mutex, PoisonError};

use plugins::{Backends, WantedImage};
use tables::{Node, Ran};

use crate::context::Context;
use crate::failure::Failure;

/// What happened to nodes so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<Ran>>);

impl Ledger {
    /// Notes what happened to a node, with the image that its definition says.
    pub(crate) fn note(&self, backends: &Backends, node: &Node, what: &'static str) {
        let wanted = backends.guests(node).and_then(|guests| guests.image(node)).ok().flatten();
        let archive = || node.get("provmethod").unwrap_or_default().to_owned();
        let (image, digest) = match wanted {
            Some(WantedImage { named, digest }) => (named.to_string(), digest.map(|digest| digest.to_string())),
            None => (archive(), None),
        };
        let ran = Ran {
            node: node.name().to_owned(),
            host: node.host().map(|host| host.name().to_owned()).unwrap_or_default(),
            image,
            digest: digest.unwrap_or_default(),
            what,
            ..Ran::default()
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(ran);
    }
}

impl Context {
    /// Writes down what happened, by whom.
    pub(crate) fn enter(&self, ledger: Ledger) -> Result<(), Failure> {
        let mut happened = ledger.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let who = self.who();
        happened.iter_mut().for_each(|ran| ran.who.clone_from(&who));
        Ok(self.tables()?.enter(&happened)?)
    }
}
