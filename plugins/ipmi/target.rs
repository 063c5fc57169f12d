//! Where a node's BMC is and who we are to it, within the bounds of IPMI.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tables::Node;

use super::handshake::{LONGEST_PASSWORD, LONGEST_USER};
use crate::bmc::place::Place;
use crate::registry::Account;
use crate::{Error, Result, Secret};

pub(crate) const PORT: u16 = 623;

/// What the definition of a node says of its BMC.
#[derive(Debug)]
pub(super) struct Definition<'a>(Place<'a>);

/// A BMC to log in to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// How errors call it.
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) user: String,
    pub(crate) password: Secret,
}

impl Target {
    /// The same at another address.
    pub(super) fn at(&self, address: Ipv4Addr) -> Self {
        let peer = SocketAddr::new(address.into(), self.address.port());
        Self { name: format!("BMC {address}"), address: peer, ..self.clone() }
    }
}

impl<'a> Definition<'a> {
    /// Reads it; what a node does not say is as table passwd has it for all BMCs.
    pub(super) fn of(node: &'a Node, account: Option<&Account>) -> Result<Self> {
        let place = Place::of(node, account, PORT, super::NAME)?;
        check_login(&place.user, &place.password)?;
        Ok(Self(place))
    }

    /// Finds the address within `limit`.
    pub(super) async fn target(self, limit: Duration) -> Result<Target> {
        let (name, address) = (self.0.name(), self.0.address(limit).await?);
        Ok(Target { name, address, user: self.0.user, password: self.0.password })
    }
}

/// Refuses what IPMI has no room for.
pub(super) fn check_login(user: &str, password: &Secret) -> Result<()> {
    let parts = [("bmcusername", user.len(), LONGEST_USER), ("bmcpassword", password.reveal().len(), LONGEST_PASSWORD)];
    match parts.into_iter().find(|(_, length, longest)| length > longest) {
        None => Ok(()),
        Some((attribute, length, longest)) => {
            let why = format!("has {length} bytes, and IPMI allows {longest}");
            Err(Error::Definition { attribute: attribute.into(), why })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ipmi_has_no_room_for_is_refused() {
        let attributes = [("bmc", "b1"), ("bmcusername", "me"), ("bmcpassword", "123456789012345678901")];
        let attributes = attributes.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let error = Definition::of(&Node::new("n1", attributes, None), None).unwrap_err();
        assert_eq!(error.to_string(), "attribute 'bmcpassword': has 21 bytes, and IPMI allows 20");
    }
}
