//! Where a node's BMC is and who we are to it, as the tables say.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tables::Node;
use tokio::time::timeout;

use crate::registry::Account;
use crate::{Error, Result, Secret};

/// The ports of IPMI and of Redfish.
const USUAL: [u16; 2] = [623, 443];

/// What the definition of a node says of its BMC.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Secret,
}

impl<'a> Place<'a> {
    /// Reads it; what a node does not say is as table passwd has it for all BMCs, in the row of one of `keys`.
    pub(crate) fn of(node: &'a Node, account: Option<&Account>, port: u16, keys: &str) -> Result<Self> {
        let (host, port) = place(node.require("bmc")?, port)?;
        let common = |attribute, text: Option<&str>| {
            text.map(str::to_owned).ok_or_else(|| Error::NoAccount { attribute, keys: keys.to_owned() })
        };
        let user = node.get("bmcusername").or(account.map(|account| account.user.as_str()));
        let password = node.get("bmcpassword").or(account.map(|account| account.password.reveal()));
        Ok(Self {
            host,
            port,
            user: common("bmcusername", user)?,
            password: Secret::new(common("bmcpassword", password)?),
        })
    }

    /// How errors call the BMC.
    pub(crate) fn name(&self) -> String {
        format!("BMC {}", self.host)
    }

    /// Finds the address within `limit`.
    pub(crate) async fn address(&self, limit: Duration) -> Result<SocketAddr> {
        match self.host.parse::<IpAddr>() {
            Ok(address) => Ok(SocketAddr::new(address, self.port)),
            Err(_) => Ok(resolve(&self.name(), self.host, self.port, limit).await?[0]),
        }
    }
}

/// The addresses at which a BMC may be of which attribute `bmc` says this; `known` has those of names that need not be asked
/// for, and all others are found within `limit`.
///
/// The port is 0 where the BMC is at the usual one of whatever it speaks.
pub async fn bmc_addresses(
    text: &str,
    known: impl Fn(&str) -> Option<IpAddr>,
    limit: Duration,
) -> Result<Vec<SocketAddr>> {
    let (host, port) = place(text, 0)?;
    let port = if USUAL.contains(&port) { 0 } else { port };
    match host.parse().ok().or_else(|| known(host)) {
        Some(address) => Ok(vec![SocketAddr::new(address, port)]),
        None => resolve(&format!("BMC {host}"), host, port, limit).await,
    }
}

async fn resolve(name: &str, host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>> {
    let unreachable = |source| Error::Unreachable { what: name.to_owned(), source };
    let found = timeout(limit, tokio::net::lookup_host((host, port))).await;
    let found = found
        .map_err(|_| unreachable("its name is not resolved in time".into()))?
        .map_err(|error| unreachable(error.into()))?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() { Err(unreachable("its name has no address".into())) } else { Ok(found) }
}

/// `HOST`, `HOST:PORT`, `[IPv6]:PORT` or an IPv6 address as it is.
fn place(text: &str, usual: u16) -> Result<(&str, u16)> {
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
    let port = port.map_or(Ok(usual), |port| port.parse().map_err(|_| wrong()))?;
    if host.is_empty() || host.contains([' ', ',', '/']) {
        return Err(wrong());
    }
    if host.parse::<IpAddr>().is_err() && ends_in_number(host) {
        let why = format!("'{host}' is neither an address, which has four numbers up to 255, nor a name");
        return Err(Error::Definition { attribute: "bmc".into(), why });
    }
    Ok((host, port))
}

/// Whether the last part of a name is a number. Resolvers take such a name for an address written in another way: `10.78.9` is
/// 10.78.0.9 to them, and 010.78.0.9 is 8.78.0.9.
fn ends_in_number(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    hexadecimal.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        || (!last.is_empty() && last.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let check = |text: &str, expected: Option<(&str, u16)>| assert_eq!(place(text, 623).ok(), expected, "{text}");
        check("10.0.0.1", Some(("10.0.0.1", 623)));
        check("n1-bmc:6230", Some(("n1-bmc", 6230)));
        check("fd00::1", Some(("fd00::1", 623)));
        check("[fd00::1]:624", Some(("fd00::1", 624)));
        check("[fd00::1", None);
        check("n1:many", None);
        check("a,b", None);
        check("bmc10", Some(("bmc10", 623)));
        check("10-78-0-9.bmc", Some(("10-78-0-9.bmc", 623)));
        for bad in
            ["10.78.9", "0x0a.1", "10.78.0.0x9", "0x0a4e0009", "173932553", "010.78.0.9", "10.78.0.256", "10.78.9:623"]
        {
            let why = place(bad, 623).unwrap_err().to_string();
            assert!(why.starts_with("attribute 'bmc': ") && why.contains("is neither an address"), "{bad}: {why}");
        }
    }

    #[test]
    fn what_a_node_does_not_say_table_passwd_does() {
        let account = Account { user: "all".into(), password: Secret::new("common") };
        let check = |attributes: &[(&str, &str)], account: Option<&Account>, expected: &str| {
            let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let node = Node::new("n1", attributes, None);
            let got = Place::of(&node, account, 623, "ipmi");
            let got = got.map(|got| format!("{} {}", got.user, got.password.reveal()));
            assert_eq!(got.unwrap_or_else(|error| error.to_string()), expected);
        };
        let bmc = ("bmc", "b1");
        check(&[bmc], Some(&account), "all common");
        check(&[bmc, ("bmcusername", "me")], Some(&account), "me common");
        check(&[bmc, ("bmcusername", "me"), ("bmcpassword", "mine")], None, "me mine");
        check(
            &[bmc],
            None,
            "attribute 'bmcusername' (table ipmi) is not set, and table passwd has no row for key ipmi",
        );
        check(&[("mgt", "ipmi")], Some(&account), "attribute 'bmc' (table ipmi) is not set");
    }
}
