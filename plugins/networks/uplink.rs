//! Through which port a host reaches the others of a network, and how great a packet goes through it.

use std::time::Duration;

use tokio::time::timeout;

use super::{Member, Network};
use crate::{Error, Host, Result};

/// Longer than any host takes to read a few files.
const LIMIT: Duration = Duration::from_secs(60);

/// Prints the port with the smallest MTU among the one named, or those that lead to the addresses.
const LOOK: &str = r#"
port=$1
shift
{
    [ -z "$port" ] || echo "$port"
    [ -n "$port" ] || for address; do ip -o route get "$address" | sed -n 's/.* dev \([^ ]*\).*/\1/p'; done
} | sort -u | while read -r port; do
    echo "$(cat "/sys/class/net/$port/mtu") $port" || exit
done | sort -n | head -n 1
"#;

/// The port of a host through which a network goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    pub port: String,
    pub mtu: u32,
}

/// Asks a host; None where the network leads nowhere from it.
pub async fn uplink(host: &Host, network: &Network, member: &Member) -> Result<Option<Uplink>> {
    let peers: Vec<String> = network.peers(member).map(|peer| peer.address.to_string()).collect();
    let words = ["sh", "-c", LOOK, "sh", network.uplink.as_deref().unwrap_or_default()];
    let argv: Vec<&str> = words.into_iter().chain(peers.iter().map(String::as_str)).collect();
    let what = || format!("{}: cannot find the uplink of network {}", member.host, network.name);
    let ran = timeout(LIMIT, host.try_run(&argv, b"")).await;
    let ran = ran.map_err(|_| Error::TimedOut { what: what(), after: LIMIT })??;
    let text = String::from_utf8_lossy(&ran.stdout);
    if let Some(uplink) = parse(&text) {
        return Ok(Some(uplink));
    }
    if network.uplink.is_none() && peers.is_empty() {
        return Ok(None);
    }
    let complaint = String::from_utf8_lossy(&ran.stderr);
    let why = complaint.lines().next().unwrap_or("it has no route to the other hosts").to_owned();
    Err(Error::Refused { what: what(), why })
}

fn parse(text: &str) -> Option<Uplink> {
    let (mtu, port) = text.trim().split_once(' ')?;
    Some(Uplink { port: port.to_owned(), mtu: mtu.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::super::vxlan::tests::network;
    use super::*;

    #[test]
    fn answers() {
        let check = |text: &str, expected: Option<(&str, u32)>| {
            let found = parse(text);
            assert_eq!(found.as_ref().map(|uplink| (uplink.port.as_str(), uplink.mtu)), expected, "{text:?}");
        };
        check("1500 eth0\n", Some(("eth0", 1500)));
        check(" eth9\n", None);
        check("", None);
    }

    #[tokio::test]
    async fn this_machine_knows_its_own() {
        let mut network = network();
        network.uplink = Some("lo".into());
        let found = uplink(&Host::Local, &network, &network.members[0]).await.unwrap();
        assert_eq!(found.map(|uplink| uplink.port), Some("lo".into()));
        network.uplink = Some("no-such-port".into());
        let error = uplink(&Host::Local, &network, &network.members[0]).await.unwrap_err();
        assert!(error.to_string().contains("no-such-port"), "{error}");
    }
}
