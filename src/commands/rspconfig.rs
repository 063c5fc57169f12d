//! `rspconfig`: what BMCs themselves are to be, their network and their users.

use std::net::{IpAddr, Ipv4Addr};

use clap::Args;
use plugins::{Controller, ControllerNetwork, ControllerUser, NetworkChange, UserChange, UserChanged};
use tables::Node;
use tables::definitions::Assignment;

use super::{Run, Shape};
use crate::bmc;
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;

/// Show or set the network and the users of BMCs
#[derive(Debug, Args)]
#[command(
    after_help = "Settings are ip, netmask, gateway, vlan and users; without any the network is shown. Set are ip=ADDRESS, netmask=MASK,
gateway=ADDRESS (0.0.0.0 for none), vlan=ID or vlan=off, and [userid=NUMBER] [username=NAME] password, which is asked for or read
from standard input, never taken from the command line.

A change counts once the BMC is reached with it: by its new address, with its new password. If it is not, all is put back. An address
where a BMC answers already, or that is another node's bmc, is refused. The tables follow the change (bmc, bmcusername, bmcpassword).

It works with mgt=ipmi and mgt=redfish; by Redfish users are numbered as the BMC does, or in its order.

Examples:
  rspconfig rack1 -b                     what networks do they have?
  rspconfig rack1 netmask=255.255.255.0 gateway=10.0.0.1
  rspconfig n7 ip=10.0.0.17
  rspconfig rack1 vlan=off
  rspconfig rack1 users
  rspconfig rack1 password               another password for the user that we log in as
  rspconfig n7 username=ada password < file"
)]
pub(crate) struct Rspconfig {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// What to show or to set
    #[arg(value_name = "SETTING[=VALUE]")]
    settings: Vec<String>,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

/// A line of what is shown of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Ip,
    Netmask,
    Gateway,
    Vlan,
}

const ALL: [Item; 4] = [Item::Ip, Item::Netmask, Item::Gateway, Item::Vlan];

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Show(Vec<Item>),
    Users,
    Network(NetworkChange),
    /// A password for a user: by number, by name.
    Password(Option<u8>, Option<String>),
}

impl Run for Rspconfig {
    fn is_audited(&self) -> bool {
        parse(&self.settings).is_ok_and(|wanted| matches!(wanted, Wanted::Network(_) | Wanted::Password(..)))
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let wanted = parse(&self.settings)?;
        let nodes = cx.nodes(&self.noderange)?;
        let backends = cx.backends()?;
        let manner = Manner::from(&self.shape).widened(backends.beyond_fanout(&nodes));
        cx.check(manner.format, &nodes, |node| Ok(backends.controller(node)?.check(node)?))?;
        if let Wanted::Network(NetworkChange { address: Some(_), .. }) = wanted
            && nodes.len() > 1
        {
            return Err(Failure::usage(format!("ip= is for one node, and '{}' has {}", self.noderange, nodes.len())));
        }
        if let (Wanted::Network(NetworkChange { address: Some(address), .. }), [node]) = (&wanted, &nodes[..]) {
            free(cx, node, *address).await?;
        }
        let change = match &wanted {
            Wanted::Password(number, name) => {
                let whose = name.as_deref().unwrap_or("the user that we log in as");
                let password = cx.password(&format!("New password of {whose}")).await?;
                Some(UserChange { number: *number, name: name.clone(), password })
            }
            Wanted::Show(_) | Wanted::Users | Wanted::Network(_) => None,
        };
        let ask = async |node: Node| {
            let controller = backends.controller(&node)?;
            match (&wanted, &change) {
                (Wanted::Show(items), _) => Ok(tell(&controller.network(&node).await?, items)),
                (Wanted::Network(change), _) => self.set_network(cx, controller, &node, change).await,
                (Wanted::Password(..), Some(change)) => self.set_user(cx, controller, &node, change).await,
                (Wanted::Users | Wanted::Password(..), _) => Ok(tell_users(&controller.users(&node).await?)),
            }
        };
        Ok(cx.each(nodes, manner, ask).await.into())
    }
}

impl Rspconfig {
    async fn set_network(
        &self,
        cx: &Context,
        controller: &dyn Controller,
        node: &Node,
        change: &NetworkChange,
    ) -> Result<Answer, Failure> {
        let network = controller.set_network(node, change).await?;
        let mut answer = tell(&network, &set(change));
        if change.address.is_some() {
            match followed(node.require("bmc")?, network.address) {
                Some(bmc) => self.write(cx, node, &[Assignment::set("bmc", bmc)])?,
                None => {
                    let bmc = node.require("bmc")?;
                    answer.warnings.push(format!("bmc is '{bmc}', a name: see that it leads to {}", network.address));
                }
            }
        }
        Ok(answer)
    }

    async fn set_user(
        &self,
        cx: &Context,
        controller: &dyn Controller,
        node: &Node,
        change: &UserChange,
    ) -> Result<Answer, Failure> {
        let UserChanged { name, is_us } = controller.set_user(node, change).await?;
        if is_us {
            let password = Assignment::set("bmcpassword", change.password.reveal());
            self.write(cx, node, &[Assignment::set("bmcusername", &name), password])?;
        }
        Ok(Answer::line(format!("BMC password of {name}: changed")))
    }

    /// At once: whoever comes next has to get in.
    fn write(&self, cx: &Context, node: &Node, changes: &[Assignment]) -> Result<(), Failure> {
        let origin = cx.origin(self.reason.clone());
        let written =
            cx.tables()?.edit(&origin, |edit| edit.assign_nodes(&[node.name().to_owned()], changes).map(drop));
        written.map_err(|error| {
            let names: Vec<&str> = changes.iter().map(|change| &*change.attribute).collect();
            let failure = Failure::from(error);
            let message = format!("the BMC is changed, and the tables are not: {}", failure.message);
            Failure { message, ..failure }.hint(format!("set {} by hand, or run the same again", names.join(" and ")))
        })
    }
}

/// Refuses an address where the BMC of another node is said to be.
async fn free(cx: &Context, node: &Node, address: Ipv4Addr) -> Result<(), Failure> {
    let places = bmc::places(cx).await?;
    if let Some(lost) = places.lost() {
        cx.ui.warning(&format!("no address is known of these BMCs, one of which may be at {address}: {lost}"));
    }
    match places.other_at(node.name(), address.into()) {
        None => Ok(()),
        Some(other) => Err(Failure::usage(format!("ip={address}: the BMC of {other} is said to be there"))
            .hint(format!("where it is: lsdef {other} -i bmc"))),
    }
}

/// Host and port, where there is one.
fn place(bmc: &str) -> (&str, Option<&str>) {
    bmc.rsplit_once(':').map_or((bmc, None), |(host, port)| (host, Some(port)))
}

/// What `bmc` has to be for another address; None where it is a name.
fn followed(bmc: &str, address: Ipv4Addr) -> Option<String> {
    let (host, port) = place(bmc);
    host.parse::<IpAddr>().ok()?;
    Some(port.map_or_else(|| address.to_string(), |port| format!("{address}:{port}")))
}

fn parse(settings: &[String]) -> Result<Wanted, Failure> {
    let pairs: Vec<(&str, Option<&str>)> = settings
        .iter()
        .map(|word| word.split_once('=').map_or((&**word, None), |(name, value)| (name, Some(value))))
        .collect();
    if let Some((name, _)) = pairs.iter().find(|(name, value)| *name == "password" && value.is_some()) {
        return Err(Failure::usage(format!("a {name} on the command line is seen by every user of this machine"))
            .hint("write password alone: it is asked for, or read from standard input"));
    }
    if pairs.iter().any(|(name, _)| matches!(*name, "password" | "username" | "userid")) {
        return user(&pairs);
    }
    if pairs == [("users", None)] {
        return Ok(Wanted::Users);
    }
    if pairs.iter().all(|(_, value)| value.is_none()) {
        let items = pairs.iter().map(|(name, _)| item(name)).collect::<Result<Vec<_>, _>>()?;
        return Ok(Wanted::Show(if items.is_empty() { ALL.to_vec() } else { items }));
    }
    let mut change = NetworkChange::default();
    for (name, value) in pairs {
        let Some(value) = value else {
            return Err(Failure::usage(format!("'{name}' shows and others set: give them in two commands")));
        };
        match item(name)? {
            Item::Ip => change.address = Some(address(name, value)?),
            Item::Netmask => change.mask = Some(address(name, value)?),
            Item::Gateway => change.gateway = Some(address(name, value)?),
            Item::Vlan => change.vlan = Some(vlan(value)?),
        }
    }
    Ok(Wanted::Network(change))
}

fn item(name: &str) -> Result<Item, Failure> {
    match name {
        "ip" => Ok(Item::Ip),
        "netmask" => Ok(Item::Netmask),
        "gateway" => Ok(Item::Gateway),
        "vlan" => Ok(Item::Vlan),
        other => Err(Failure::usage(format!("'{other}' is no setting"))
            .hint("settings are ip, netmask, gateway, vlan, users, or userid, username and password")),
    }
}

fn address(name: &str, value: &str) -> Result<Ipv4Addr, Failure> {
    value.parse().map_err(|_| Failure::usage(format!("{name}={value}: it takes an IPv4 address")))
}

fn vlan(value: &str) -> Result<Option<u16>, Failure> {
    if value == "off" {
        return Ok(None);
    }
    let id = value.parse::<u16>().ok().filter(|id| (1..=4094).contains(id));
    id.map(Some).ok_or_else(|| Failure::usage(format!("vlan={value}: it takes 1 to 4094, or off")))
}

fn user(pairs: &[(&str, Option<&str>)]) -> Result<Wanted, Failure> {
    let (mut number, mut name, mut password) = (None, None, false);
    for pair in pairs {
        match *pair {
            ("password", None) => password = true,
            ("username", Some(value)) if !value.is_empty() => name = Some(value.to_owned()),
            ("userid", Some(value)) => {
                let id = value.parse::<u8>().ok().filter(|id| (1..=63).contains(id));
                number = Some(id.ok_or_else(|| Failure::usage(format!("userid={value}: it takes 1 to 63")))?);
            }
            (other, _) => return Err(Failure::usage(format!("'{other}' does not go with a user so"))),
        }
    }
    match (password, number.is_some() && name.is_none()) {
        (false, _) => Err(Failure::usage("a user is set with a password: add the word password")),
        (true, true) => Err(Failure::usage("userid= goes with username=")),
        (true, false) => Ok(Wanted::Password(number, name)),
    }
}

/// What was set is what is shown.
fn set(change: &NetworkChange) -> Vec<Item> {
    let given = [
        (Item::Ip, change.address.is_some()),
        (Item::Netmask, change.mask.is_some()),
        (Item::Gateway, change.gateway.is_some()),
        (Item::Vlan, change.vlan.is_some()),
    ];
    given.into_iter().filter(|(_, given)| *given).map(|(item, _)| item).collect()
}

fn tell(network: &ControllerNetwork, items: &[Item]) -> Answer {
    let vlan = || network.vlan.map_or_else(|| "disabled".to_owned(), |id| id.to_string());
    let by = if network.fixed { "" } else { " (not fixed)" };
    let line = |item: &Item| match item {
        Item::Ip => format!("BMC IP: {}{by}", network.address),
        Item::Netmask => format!("BMC Netmask: {}", network.mask),
        Item::Gateway => format!("BMC Gateway: {}", network.gateway),
        Item::Vlan => format!("BMC VLAN ID: {}", vlan()),
    };
    let data = serde_json::json!({
        "ip": network.address, "fixed": network.fixed, "netmask": network.mask, "gateway": network.gateway,
        "vlan": network.vlan,
    });
    Answer { lines: items.iter().map(line).collect(), data: Some(data), ..Answer::silent() }
}

fn tell_users(users: &[ControllerUser]) -> Answer {
    let enabled = |user: &ControllerUser| if user.enabled { "enabled" } else { "disabled" };
    let lines = users
        .iter()
        .map(|user| format!("BMC User {}: {} {} {}", user.number, user.name, user.privilege, enabled(user)));
    let data: Vec<_> = users
        .iter()
        .map(|user| {
            serde_json::json!({
                "userid": user.number, "username": user.name, "privilege": user.privilege, "enabled": user.enabled,
            })
        })
        .collect();
    Answer { lines: lines.collect(), data: Some(data.into()), ..Answer::silent() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, expected: Result<Wanted, &str>) {
        let settings: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        assert_eq!(parse(&settings).map_err(|failure| failure.message), expected.map_err(str::to_owned), "{words}");
    }

    #[test]
    fn settings_are_shown_or_set() {
        check("", Ok(Wanted::Show(ALL.to_vec())));
        check("vlan ip", Ok(Wanted::Show(vec![Item::Vlan, Item::Ip])));
        check("users", Ok(Wanted::Users));
        let change =
            NetworkChange { gateway: Some([10, 0, 0, 1].into()), vlan: Some(None), ..NetworkChange::default() };
        check("gateway=10.0.0.1 vlan=off", Ok(Wanted::Network(change)));
        check("password", Ok(Wanted::Password(None, None)));
        check("userid=3 username=ada password", Ok(Wanted::Password(Some(3), Some("ada".into()))));
        check("password=x", Err("a password on the command line is seen by every user of this machine"));
        check("username=ada", Err("a user is set with a password: add the word password"));
        check("userid=3 password", Err("userid= goes with username="));
        check("userid=64 username=a password", Err("userid=64: it takes 1 to 63"));
        check("ip netmask=255.0.0.0", Err("'ip' shows and others set: give them in two commands"));
        check("ip=dhcp", Err("ip=dhcp: it takes an IPv4 address"));
        check("vlan=0", Err("vlan=0: it takes 1 to 4094, or off"));
        check("snmp", Err("'snmp' is no setting"));
    }

    #[test]
    fn the_table_follows_an_address_and_not_a_name() {
        let check = |bmc: &str, expected: Option<&str>| {
            assert_eq!(followed(bmc, [10, 0, 0, 9].into()).as_deref(), expected, "{bmc}");
        };
        check("10.0.0.7", Some("10.0.0.9"));
        check("10.0.0.7:6230", Some("10.0.0.9:6230"));
        check("n7-bmc", None);
    }
}
