//! Consoles of machines: Redfish only tells through what a BMC has them. That is IPMI's serial over LAN with the same account,
//! or the BMC's ssh with the same password, where a vendor may want a command to be typed first.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use tables::Node;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::sleep;

use super::document::Document;
use super::quirks::Quirks;
use super::{NAME, Redfish};
use crate::bmc::power::LOOK_AGAIN;
use crate::ipmi::{self, Target};
use crate::ssh::{self, Connection, Reader};
use crate::{Attach, Console, Control, Error, Interruption, Invocation, Result, Session, Size, chain};

const DOING: &str = "open the console";
/// Of a terminal whose size nobody has said.
const USUAL: Size = Size { rows: 24, columns: 80 };

/// Through what the console is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    Ipmi {
        port: u16,
    },
    Ssh {
        port: u16,
        /// What is typed to get it.
        entry: Option<String>,
    },
}

#[async_trait]
impl Console for Redfish {
    async fn attach(&self, node: &Node, attach: Attach) -> Result<Session> {
        let ways = self.ways(node).await?;
        let mut failed = Vec::new();
        for way in &ways {
            match self.open_by(node, way, attach).await {
                // Somebody else's console is his by whatever way.
                Err(error) if !matches!(error, Error::Occupied { .. }) => failed.push(error),
                other => return other,
            }
        }
        match (failed.pop(), failed.is_empty()) {
            (Some(only), true) => Err(only),
            (last, _) => {
                failed.extend(last);
                let unreachable = failed.iter().all(Error::is_unreachable);
                let tried: Vec<String> = failed.iter().map(|error| chain(error)).collect();
                Err(Error::InVain { tried: tried.join("; "), unreachable, did_nothing: true })
            }
        }
    }

    async fn open(&self, node: &Node, _invocation: &Invocation, _size: Option<Size>) -> Result<Session> {
        let column = if node.get("cons").is_some() { "cons" } else { "mgt" };
        Err(Error::Unsupported { what: "a program on the console".into(), column, driver: NAME.into() })
    }

    /// A server's console needs its BMC only.
    async fn wait_running(&self, node: &Node) -> Result<()> {
        loop {
            match self.machine(node).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_unreachable() => sleep(LOOK_AGAIN).await,
                Err(error) => return Err(error),
            }
        }
    }
}

/// The ways to the console that a BMC tells of, the best first. One that says nothing at all has IPMI, as most have.
pub(super) fn ways(system: &Document, manager: Option<&Document>, quirks: &Quirks) -> Vec<Way> {
    let port = |service: &str, usual: u16| {
        let port = system.number(&["SerialConsole", service, "Port"]).filter(|port| (1.0..=65535.0).contains(port));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was just looked at")]
        port.map_or(usual, |port| port as u16)
    };
    let enabled = |service: &str| system.flag(&["SerialConsole", service, "ServiceEnabled"]) == Some(true);
    let usual = || Way::Ssh { port: quirks.ssh.port, entry: quirks.ssh.entry.map(str::to_owned) };
    let mut ways = Vec::new();
    if enabled("IPMI") {
        ways.push(Way::Ipmi { port: port("IPMI", ipmi::PORT) });
    }
    if enabled("SSH") {
        let shared = system.flag(&["SerialConsole", "SSH", "SharedWithManagerCLI"]) == Some(true);
        let told = system.text(&["SerialConsole", "SSH", "ConsoleEntryCommand"]);
        let entry = told.or_else(|| quirks.ssh.entry.filter(|_| shared).map(str::to_owned));
        ways.push(Way::Ssh { port: port("SSH", quirks.ssh.port), entry });
    }
    if !ways.is_empty() {
        return ways;
    }
    let of_manager = |member: &str| manager?.words(&["SerialConsole", member]);
    let off = manager.and_then(|manager| manager.flag(&["SerialConsole", "ServiceEnabled"])) == Some(false);
    match of_manager("ConnectTypesSupported") {
        _ if off => {}
        Some(types) => {
            let has = |word: &str| types.iter().any(|known| known.eq_ignore_ascii_case(word));
            ways.extend(has("IPMI").then_some(Way::Ipmi { port: ipmi::PORT }));
            ways.extend(has("SSH").then(usual));
        }
        None if system.has("SerialConsole") => {}
        None => ways.push(Way::Ipmi { port: ipmi::PORT }),
    }
    ways
}

impl Redfish {
    /// Asks the BMC through what it has the console of a node.
    pub(super) async fn ways(&self, node: &Node) -> Result<Vec<Way>> {
        let mut machine = self.machine(node).await?;
        let manager = machine.beside(DOING, "ManagedBy", "Managers").await?.map(|(_, manager)| manager);
        let ways = ways(&machine.now, manager.as_ref(), machine.quirks);
        match ways.is_empty() {
            true => Err(machine.session.refused(DOING, "it tells of none that is enabled over IPMI or SSH")),
            false => Ok(ways),
        }
    }

    async fn open_by(&self, node: &Node, way: &Way, attach: Attach) -> Result<Session> {
        let place = self.place(node)?;
        let (name, host, found) = (place.name(), place.host.to_owned(), place.address(self.limits.connect).await?);
        match way {
            Way::Ipmi { port } => {
                let address = SocketAddr::new(found.ip(), *port);
                let target = Target { name, address, user: place.user, password: place.password };
                self.ipmi.console(&target, attach).await
            }
            Way::Ssh { port, entry } => {
                let target = ssh::Target { user: place.user, host, port: *port };
                let connection = Connection::open_as(&target, &self.settings, Some(place.password)).await?;
                let mut process = connection.terminal(attach.size.unwrap_or(USUAL)).await?;
                if let Some(entry) = entry {
                    let typed = process.stdin.write_all(format!("{entry}\r").as_bytes()).await;
                    typed.map_err(|error| Error::Unreachable { what: name.clone(), source: error.into() })?;
                }
                Ok(Session {
                    output: Box::new(Said { reader: process.stdout, name }),
                    input: Some(Box::new(process.stdin)),
                    note: None,
                    control: Box::new(Open { _connection: connection }),
                })
            }
        }
    }
}

/// What the machine says; the end of it is one that the BMC has made, or a cut.
struct Said {
    reader: Reader,
    /// How errors call the BMC.
    name: String,
}

impl AsyncRead for Said {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        Poll::Ready(match ready!(Pin::new(&mut self.reader).poll_read(cx, buffer)) {
            Err(error) => Err(io::Error::other(Interruption(error.to_string()))),
            Ok(()) if buffer.filled().len() == before && buffer.remaining() > 0 => {
                Err(io::Error::other(format!("{} has closed it", self.name)))
            }
            Ok(()) => Ok(()),
        })
    }
}

/// Keeps the connection as long as its console is open.
struct Open {
    _connection: Connection,
}

/// What sends a break differs from BMC to BMC, and may be typed.
impl Control for Open {}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(vendor: &str, system: Value, manager: Option<Value>, expected: &[Way]) {
        let document = |value: Value| Document::parse(value.to_string().as_bytes()).unwrap();
        let quirks = Quirks::of(&document(json!({ "Vendor": vendor })));
        let shown = format!("{vendor} {system} {manager:?}");
        assert_eq!(ways(&document(system), manager.map(document).as_ref(), quirks), expected, "{shown}");
    }

    fn over_ssh(port: u16, entry: &str) -> Way {
        Way::Ssh { port, entry: (!entry.is_empty()).then(|| entry.to_owned()) }
    }

    #[test]
    fn a_bmc_tells_through_what_it_has_the_console() {
        let ipmi = |port: u16| Way::Ipmi { port };
        let of_manager = |types: Value| Some(json!({ "SerialConsole": types }));
        check("Acme", json!({}), None, &[ipmi(623)]);
        check("Acme", json!({}), of_manager(json!({ "ServiceEnabled": false })), &[]);
        let both = json!({ "ServiceEnabled": true, "ConnectTypesSupported": ["SSH", "Ipmi", "Oem"] });
        check("Acme", json!({}), of_manager(both.clone()), &[ipmi(623), over_ssh(22, "")]);
        check("Dell Inc.", json!({}), of_manager(both), &[ipmi(623), over_ssh(22, "console com2")]);
        let only = json!({ "ConnectTypesSupported": ["SSH"] });
        check("HPE", json!({}), of_manager(only.clone()), &[over_ssh(22, "vsp")]);
        check("OpenBMC", json!({}), of_manager(only), &[over_ssh(2200, "")]);
        check("Acme", json!({}), of_manager(json!({ "ConnectTypesSupported": ["Telnet"] })), &[]);
        // What the system says of itself is newer.
        let told = json!({ "SerialConsole": {
            "IPMI": { "ServiceEnabled": true, "Port": 6230 }, "SSH": { "ServiceEnabled": true, "Port": 2200 },
        } });
        check("Lenovo", told, of_manager(json!({ "ServiceEnabled": false })), &[ipmi(6230), over_ssh(2200, "")]);
        let shared = json!({ "SerialConsole": { "SSH": { "ServiceEnabled": true, "SharedWithManagerCLI": true } } });
        check("Lenovo", shared, None, &[over_ssh(22, "console start")]);
        let entry = json!({ "ServiceEnabled": true, "ConsoleEntryCommand": "start /system1/sol1" });
        check("Lenovo", json!({ "SerialConsole": { "SSH": entry } }), None, &[over_ssh(22, "start /system1/sol1")]);
        check("Acme", json!({ "SerialConsole": { "IPMI": { "ServiceEnabled": false } } }), None, &[]);
    }

    #[test]
    fn odd_consoles_do_no_harm() {
        let odd =
            json!({ "SerialConsole": { "SSH": { "ServiceEnabled": true, "Port": 1e99, "ConsoleEntryCommand": 7 } } });
        check("Acme", odd, None, &[over_ssh(22, "")]);
        check("Acme", json!({ "SerialConsole": [] }), Some(json!({ "SerialConsole": "SSH" })), &[]);
    }
}
