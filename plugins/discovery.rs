//! Discovery: which machines' controllers are at addresses of which nobody has said anything yet.

use std::net::IpAddr;

use async_trait::async_trait;

use crate::Result;
use crate::registry::Account;

/// Asks addresses; thousands may be asked at once.
#[async_trait]
pub trait Discovery: Send + Sync {
    /// What is at an address; None if nobody answers there. With an account more is told, where it is let in.
    async fn probe(&self, address: IpAddr, account: Option<&Account>) -> Result<Option<Found>>;
}

/// A controller that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub address: IpAddr,
    /// The word for column `mgt`; None where no backend speaks what it speaks.
    pub mgt: Option<&'static str>,
    pub guid: Option<String>,
    pub vendor: Option<String>,
    pub product: Option<String>,
    /// The model by its number, which column `mtm` holds.
    pub model: Option<String>,
    pub serial: Option<String>,
    /// Why no more is known.
    pub trouble: Option<String>,
}

impl Found {
    /// Somebody, of whom nothing else is known.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self { address, mgt: None, guid: None, vendor: None, product: None, model: None, serial: None, trouble: None }
    }
}
