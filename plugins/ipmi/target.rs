//! Where a node's BMC is and who we are to it, as the tables say.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tables::Node;
use tokio::time::timeout;

use super::handshake::{LONGEST_PASSWORD, LONGEST_USER};
use crate::registry::Account;
use crate::{Error, Result, Secret};

const PORT: u16 = 623;

/// What the definition of a node says of its BMC.
#[derive(Debug)]
pub(super) struct Definition<'a> {
    host: &'a str,
    port: u16,
    user: String,
    password: Secret,
}

/// A BMC to log in to.
#[derive(Debug)]
pub(super) struct Target {
    /// How errors call it.
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) user: String,
    pub(super) password: Secret,
}

impl<'a> Definition<'a> {
    /// Reads it; what a node does not say is as table passwd has it for all BMCs.
    pub(super) fn of(node: &'a Node, account: Option<&Account>) -> Result<Self> {
        let (host, port) = place(node.require("bmc")?)?;
        let common = |attribute: &str, text: Option<&str>| {
            text.map(str::to_owned).ok_or_else(|| Error::Definition {
                attribute: attribute.into(),
                why: "is not set, and table passwd has no row for key ipmi".into(),
            })
        };
        let user = node.get("bmcusername").or(account.map(|account| account.user.as_str()));
        let password = node.get("bmcpassword").or(account.map(|account| account.password.reveal()));
        let definition = Self {
            host,
            port,
            user: common("bmcusername", user)?,
            password: Secret::new(common("bmcpassword", password)?),
        };
        for (attribute, length, longest) in [
            ("bmcusername", definition.user.len(), LONGEST_USER),
            ("bmcpassword", definition.password.reveal().len(), LONGEST_PASSWORD),
        ] {
            if length > longest {
                let why = format!("has {length} bytes, and IPMI allows {longest}");
                return Err(Error::Definition { attribute: attribute.into(), why });
            }
        }
        Ok(definition)
    }

    /// Finds the address within `limit`.
    pub(super) async fn target(self, limit: Duration) -> Result<Target> {
        let name = format!("BMC {}", self.host);
        let address = match self.host.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, self.port),
            Err(_) => resolve(&name, self.host, self.port, limit).await?,
        };
        Ok(Target { name, address, user: self.user, password: self.password })
    }
}

async fn resolve(name: &str, host: &str, port: u16, limit: Duration) -> Result<SocketAddr> {
    let unreachable = |source| Error::Unreachable { what: name.to_owned(), source };
    let found = timeout(limit, tokio::net::lookup_host((host, port))).await;
    let mut found = found
        .map_err(|_| unreachable("its name is not resolved in time".into()))?
        .map_err(|error| unreachable(error.into()))?;
    found.next().ok_or_else(|| unreachable("its name has no address".into()))
}

/// `HOST`, `HOST:PORT`, `[IPv6]:PORT` or an IPv6 address as it is.
fn place(text: &str) -> Result<(&str, u16)> {
    let wrong =
        || Error::Definition { attribute: "bmc".into(), why: format!("'{text}' is neither HOST nor HOST:PORT") };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
            (host, port.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, None),
        },
    };
    let port = port.map_or(Ok(PORT), |port| port.parse().map_err(|_| wrong()))?;
    if host.is_empty() || host.contains([' ', ',', '/']) { Err(wrong()) } else { Ok((host, port)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let check = |text: &str, expected: Option<(&str, u16)>| assert_eq!(place(text).ok(), expected, "{text}");
        check("10.0.0.1", Some(("10.0.0.1", 623)));
        check("n1-bmc:6230", Some(("n1-bmc", 6230)));
        check("fd00::1", Some(("fd00::1", 623)));
        check("[fd00::1]:624", Some(("fd00::1", 624)));
        check("[fd00::1", None);
        check("n1:many", None);
        check("a,b", None);
    }

    #[test]
    fn what_a_node_does_not_say_table_passwd_does() {
        let account = Account { user: "all".into(), password: Secret::new("common") };
        let check = |attributes: &[(&str, &str)], account: Option<&Account>, expected: &str| {
            let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let node = Node::new("n1", attributes, None);
            let got = Definition::of(&node, account);
            let got = got.map(|got| format!("{} {}", got.user, got.password.reveal()));
            assert_eq!(got.unwrap_or_else(|error| error.to_string()), expected);
        };
        let bmc = ("bmc", "b1");
        check(&[bmc], Some(&account), "all common");
        check(&[bmc, ("bmcusername", "me")], Some(&account), "me common");
        check(&[bmc, ("bmcusername", "me"), ("bmcpassword", "mine")], None, "me mine");
        check(&[bmc], None, "attribute 'bmcusername': is not set, and table passwd has no row for key ipmi");
        check(&[("mgt", "ipmi")], Some(&account), "attribute 'bmc' (table ipmi) is not set");
        let long = [bmc, ("bmcpassword", "123456789012345678901")];
        check(&long, Some(&account), "attribute 'bmcpassword': has 21 bytes, and IPMI allows 20");
    }
}
