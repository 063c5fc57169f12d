//! Backend `wol`: a machine that is woken by a packet to its network card. Nothing tells whether it has heard.

mod packet;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use ipnetwork::IpNetwork;
use tables::Node;
use tokio::net::UdpSocket;
use tokio::time::sleep;

use crate::{Backend, Error, Power, PowerAction, PowerReading, Powered, Result, Settings};

const NAME: &str = "wol";
/// Discard: whoever else hears it has no use for it.
const PORT: u16 = 9;
/// One may be lost, and nobody says so.
const TIMES: usize = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// Machines without anything but a card that listens while they are off.
pub(crate) struct Wol {
    /// Those of table networks, whose broadcast addresses reach all of a network.
    networks: Vec<IpNetwork>,
}

/// Whom to wake and where.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    cards: Vec<[u8; 6]>,
    to: SocketAddr,
}

impl Wol {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { networks: settings.networks.clone() }
    }

    fn call(&self, node: &Node) -> Result<Call> {
        let wrong = |attribute: &str, why: String| Error::Definition { attribute: attribute.into(), why };
        let mac = node.require("mac")?;
        let cards = packet::cards(mac);
        if cards.is_empty() {
            return Err(wrong("mac", format!("'{mac}' has no address of an Ethernet card, which could be woken")));
        }
        let ip = node.require("ip")?;
        let address = ip.parse::<IpAddr>().ok();
        let around = self.networks.iter().filter(|network| address.is_some_and(|address| network.contains(address)));
        let network = around.max_by_key(|network| network.prefix());
        let Some(IpNetwork::V4(network)) = network else {
            let why = format!("'{ip}' is in no IPv4 network of table networks, whose broadcast address would wake it");
            return Err(wrong("ip", why));
        };
        Ok(Call { cards, to: SocketAddr::new(network.broadcast().into(), PORT) })
    }
}

#[async_trait]
impl Power for Wol {
    fn check(&self, node: &Node, action: PowerAction) -> Result<()> {
        match action {
            PowerAction::On => self.call(node).map(drop),
            PowerAction::Off
            | PowerAction::Softoff
            | PowerAction::Reset
            | PowerAction::Boot
            | PowerAction::Cycle
            | PowerAction::Suspend
            | PowerAction::Resume => Err(unable(action.word())),
        }
    }

    async fn state(&self, _: &Node) -> Result<PowerReading> {
        Err(unable("stat"))
    }

    async fn apply(&self, node: &Node, action: PowerAction) -> Result<Powered> {
        Power::check(self, node, action)?;
        let call = self.call(node)?;
        let cannot = |source: std::io::Error| Error::Unreachable { what: call.to.to_string(), source: source.into() };
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.map_err(cannot)?;
        socket.set_broadcast(true).map_err(cannot)?;
        for turn in 0..TIMES {
            if turn > 0 {
                sleep(PAUSE).await;
            }
            for card in &call.cards {
                socket.send_to(&packet::magic(*card), call.to).await.map_err(cannot)?;
            }
        }
        Ok(Powered { word: "woken", changed: true, under_way: true, warning: None })
    }
}

fn unable(what: &str) -> Error {
    Error::Unsupported { what: what.into(), column: "power", driver: NAME.into() }
}

impl Backend for Wol {
    fn name(&self) -> &'static str {
        NAME
    }

    fn beside_fanout(&self) -> usize {
        usize::MAX
    }

    fn power(&self) -> Option<&dyn Power> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_of_the_node_is_called() {
        let wol = Wol { networks: vec!["10.1.0.0/16".parse().unwrap(), "fd00::/64".parse().unwrap()] };
        let check = |mac: &str, ip: &str, expected: &str| {
            let node = Node::new("n1", Default::default(), None).with(&[("mac", mac), ("ip", ip)]);
            let said = wol.call(&node).map(|call| format!("{} {}", call.cards.len(), call.to));
            assert_eq!(said.unwrap_or_else(|error| error.to_string()), expected);
        };
        check("52:54:00:00:00:01", "10.1.2.3", "1 10.1.255.255:9");
        check("52:54:00:00:00:01!n1|52-54-00-00-00-02!*NOIP*", "10.1.2.3", "2 10.1.255.255:9");
        check("", "10.1.2.3", "attribute 'mac' (table mac) is not set");
        check("52:54:00:00:00:01", "", "attribute 'ip' (table hosts) is not set");
        let strange = "is in no IPv4 network of table networks, whose broadcast address would wake it";
        check("52:54:00:00:00:01", "10.2.0.1", &format!("attribute 'ip': '10.2.0.1' {strange}"));
        check("52:54:00:00:00:01", "fd00::1", &format!("attribute 'ip': 'fd00::1' {strange}"));
        let guid = "80:00:02:08:fe:80:00:00:00:00:00:00:f4:52:14:03:00:7b:cb:a1";
        let why = format!("attribute 'mac': '{guid}' has no address of an Ethernet card, which could be woken");
        check(guid, "10.1.2.3", &why);
    }

    #[test]
    fn what_cannot_be_done_needs_no_definition() {
        let (wol, node) = (Wol { networks: Vec::new() }, Node::new("n1", Default::default(), None));
        assert!(matches!(Power::check(&wol, &node, PowerAction::Off), Err(Error::Unsupported { .. })));
        let error = Power::check(&wol, &node, PowerAction::On).unwrap_err();
        assert_eq!(error.to_string(), "attribute 'mac' (table mac) is not set");
    }
}
