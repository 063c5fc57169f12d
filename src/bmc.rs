//! What tables say of BMCs as a whole: who we are to them, how those that speak Redfish are known, and where all are.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use plugins::registry::Account;
use plugins::{RedfishSettings, Secret};
use tables::{Row, Select, Tables, schema};
use tokio::time::Instant;

use crate::config;
use crate::context::Context;
use crate::failure::Failure;
use crate::registry::passwd;

/// Of table passwd: who we are to BMCs whose nodes do not say it.
const PASSWD_KEY: &str = "ipmi";
/// The same for those that are asked by Redfish, where that is somebody else.
const REDFISH_KEY: &str = "redfish";
/// Of `$XCRANE_HOME`: the certificates that BMCs have shown.
const PINS: &str = "bmcs";

/// How long the names of all BMCs of nodes may take to be resolved, and how many are asked for at once.
const NAMING: Duration = Duration::from_secs(20);
const NAMES_AT_ONCE: usize = 256;

/// The account for all BMCs; the first, if there are several.
pub(crate) fn account(tables: &Tables) -> Result<Option<Account>, Failure> {
    of(tables, PASSWD_KEY)
}

/// What there is to know for Redfish.
pub(crate) fn redfish(tables: &Tables) -> Result<RedfishSettings, Failure> {
    let account = match of(tables, REDFISH_KEY)? {
        Some(account) => Some(account),
        None => account(tables)?,
    };
    let authority = tables.site("bmcauthority")?.map(Into::into);
    Ok(RedfishSettings { account, pins: config::home()?.join(PINS), authority })
}

fn of(tables: &Tables, key: &str) -> Result<Option<Account>, Failure> {
    let rows = tables.rows(passwd(), Select::Where(&[("key", key)]))?;
    let account = |row: &Row| {
        Some(Account { user: row.get("username")?.to_owned(), password: Secret::new(row.get("password")?) })
    };
    Ok(rows.iter().find_map(account))
}

/// Where the BMCs of nodes are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// Each with its node; the port is 0 where it is the usual one.
    known: Vec<(String, SocketAddr)>,
    /// Nodes of whose BMCs no address is known, and what these are called.
    lost: Vec<(String, String)>,
}

impl Places {
    /// The node whose BMC is at an address, by whatever port.
    pub(crate) fn node_at(&self, address: IpAddr) -> Option<&str> {
        self.known.iter().find(|(_, known)| known.ip() == address.to_canonical()).map(|(node, _)| &**node)
    }

    /// The other node whose BMC is where that of `node` is to be; none where it is there already.
    pub(crate) fn other_at(&self, node: &str, address: IpAddr) -> Option<&str> {
        let ours = || self.known.iter().filter(|(name, _)| name == node);
        if ours().any(|(_, known)| known.ip() == address) {
            return None;
        }
        let port = ours().next().map_or(0, |(_, known)| known.port());
        let place = SocketAddr::new(address, port);
        self.known.iter().find(|(name, known)| name != node && *known == place).map(|(name, _)| &**name)
    }

    /// In words, those of which nobody knows where they are.
    pub(crate) fn lost(&self) -> Option<String> {
        let lost: Vec<String> = self.lost.iter().map(|(node, bmc)| format!("{bmc} ({node})")).collect();
        (!lost.is_empty()).then(|| lost.join(", "))
    }
}

/// Where the tables say that BMCs are.
pub(crate) async fn places(cx: &Context) -> Result<Places, Failure> {
    let tables = cx.tables()?;
    let names = tables.node_names(true)?.to_vec();
    let table = |name| schema::find(name).expect("tables ipmi and hosts are in the schema");
    let cells = tables.cells(&names, &[(table("ipmi"), "bmc"), (table("hosts"), "ip")])?;
    let (mut bmcs, mut addresses) = (Vec::new(), HashMap::new());
    for (name, cells) in names.into_iter().zip(cells) {
        let mut texts = cells.into_iter().map(|cell| cell.text);
        let (bmc, ip) = (texts.next().flatten(), texts.next().flatten());
        if let Some(address) = ip.and_then(|ip| ip.parse().ok()) {
            addresses.insert(name.clone(), address);
        }
        bmcs.extend(bmc.map(|bmc| (name, bmc)));
    }
    Ok(located(bmcs, &addresses, cx.settings()?.connect_limit).await)
}

/// Finds the addresses of BMCs of nodes: those that are nodes of their own as the tables say, and others that have names as
/// the drivers do, all of them within a limit.
async fn located(bmcs: Vec<(String, String)>, addresses: &HashMap<String, IpAddr>, limit: Duration) -> Places {
    let end = Instant::now() + NAMING;
    let find = async |(node, bmc): (String, String)| {
        let limit = limit.min(end.saturating_duration_since(Instant::now()));
        let found = plugins::bmc_addresses(&bmc, |host| addresses.get(host).copied(), limit).await;
        (node, bmc, found)
    };
    let mut finding = futures_util::stream::iter(bmcs).map(find).buffer_unordered(NAMES_AT_ONCE);
    let mut places = Places::default();
    while let Some((node, bmc, found)) = finding.next().await {
        match found {
            Ok(found) => {
                let canonical = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
                places.known.extend(found.into_iter().map(|at| (node.clone(), canonical(at))));
            }
            Err(_) => places.lost.push((node, bmc)),
        }
    }
    places.known.sort();
    places.lost.sort();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bmcs_are_known_however_they_are_written() {
        let bmcs = [
            ("n1", "10.0.0.1"),
            ("n2", "10.0.0.2:623"),
            ("n3", "n3-bmc:443"),
            ("n4", "[fd00::4]:623"),
            ("n5", "localhost"),
            ("n6", "n6-bmc.invalid"),
            ("n7", "n7 bmc"),
        ];
        let owned = |(node, bmc): (&str, &str)| (node.to_owned(), bmc.to_owned());
        let addresses = HashMap::from([("n3-bmc".to_owned(), "10.0.0.3".parse().unwrap())]);
        let known = located(bmcs.map(owned).into(), &addresses, Duration::from_secs(2)).await;
        let node = |address: &str| known.node_at(address.parse().unwrap());
        let found = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::4", "127.0.0.1", "10.0.0.9"].map(node);
        assert_eq!(found, [Some("n1"), Some("n2"), Some("n3"), Some("n4"), Some("n5"), None]);
        assert_eq!(known.lost, [("n6", "n6-bmc.invalid"), ("n7", "n7 bmc")].map(owned));
    }

    #[tokio::test]
    async fn an_address_of_another_bmc_is_not_free() {
        let bmcs = [
            ("n1", "10.0.0.1"),
            ("n2", "10.0.0.2"),
            ("n3", "10.0.0.3:6230"),
            ("n4", "10.0.0.1:623"),
            ("n5", "n5-bmc"),
            ("n6", "10.0.0.6:6230"),
        ];
        let owned = |(node, bmc): (&str, &str)| (node.to_owned(), bmc.to_owned());
        let addresses = HashMap::from([("n5-bmc".to_owned(), "10.0.0.5".parse().unwrap())]);
        let places = located(bmcs.map(owned).into(), &addresses, Duration::from_secs(2)).await;
        let check = |node: &str, address: [u8; 4], expected: Option<&str>| {
            assert_eq!(places.other_at(node, address.into()), expected, "{node} {address:?}");
        };
        check("n1", [10, 0, 0, 2], Some("n2"));
        check("n1", [10, 0, 0, 9], None);
        check("n1", [10, 0, 0, 3], None);
        check("n6", [10, 0, 0, 3], Some("n3"));
        check("n2", [10, 0, 0, 1], Some("n1"));
        // By a name, too.
        check("n1", [10, 0, 0, 5], Some("n5"));
        // Nothing moves.
        check("n1", [10, 0, 0, 1], None);
        check("n5", [10, 0, 0, 5], None);
    }
}
