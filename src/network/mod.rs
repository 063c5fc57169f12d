//! Networks over many hosts, on the user's side: from rows of the tables to what the drivers work on, and from there to
//! what is done to each host.
//!
//! Reading order: `define` (one network from its row), `rules` (what networks may not have in common), `record` (where
//! each was made), `mtu`, `site` (what stands in its way), `task` (one network on one host: what is to be
//! done, and doing it), `work` (all of them on all hosts), `carry` (from definitions to that); `links` is what chknet shows.

mod carry;
mod define;
pub(crate) mod links;
mod mtu;
mod record;
mod rules;
pub(crate) mod site;
mod task;
mod work;

use std::collections::BTreeMap;

use plugins::networks::Network;
use tables::definitions::Attributes;
use tables::objects::{self, ObjectType};
use tables::{Edit, Node, Tables};

use crate::context::Context;
use crate::failure::{Failure, add_hints};
use crate::reply::{Body, Reply};
use crate::ui::Format;

pub(crate) use carry::deeds;
pub(crate) use mtu::{check as check_mtu, settle};
pub(crate) use record::{Made, made};
pub(crate) use task::{Standing, Task, stand};
pub(crate) use work::{Deeds, Work};

/// A network with the hosts that carry it.
#[derive(Debug, Clone)]
pub(crate) struct Defined {
    pub(crate) network: Network,
    /// Whether the definition says the MTU; otherwise it is what the hosts' uplinks leave.
    pub(crate) mtu_is_set: bool,
    /// In the order of the network's members.
    pub(crate) hosts: Vec<Node>,
}

/// Tables at rest, or in the middle of a change that is to be checked before it is kept.
pub(crate) trait Source {
    /// The attributes of every network, by name.
    fn networks(&self) -> tables::Result<BTreeMap<String, Attributes>> {
        let names = self.names()?;
        let attributes = self.attributes(&names)?;
        Ok(names.into_iter().zip(attributes.into_iter().flatten()).collect())
    }
    /// Of all networks.
    fn names(&self) -> tables::Result<Vec<String>>;
    fn attributes(&self, networks: &[String]) -> tables::Result<Vec<Option<Attributes>>>;
    fn nodes(&self, range: &str) -> tables::Result<Vec<Node>>;
}

impl Source for Tables {
    fn names(&self) -> tables::Result<Vec<String>> {
        self.object_names(object())
    }

    fn attributes(&self, networks: &[String]) -> tables::Result<Vec<Option<Attributes>>> {
        self.stored_attributes(object(), networks)
    }

    fn nodes(&self, range: &str) -> tables::Result<Vec<Node>> {
        self.nodes(range)
    }
}

impl Source for Edit<'_> {
    fn names(&self) -> tables::Result<Vec<String>> {
        self.object_names(object())
    }

    fn attributes(&self, networks: &[String]) -> tables::Result<Vec<Option<Attributes>>> {
        self.stored_attributes(object(), networks)
    }

    fn nodes(&self, range: &str) -> tables::Result<Vec<Node>> {
        self.nodes(range)
    }
}

/// The type of object that a network is.
pub(crate) fn object() -> &'static ObjectType {
    objects::find("network").expect("networks are among the types")
}

/// The names of the networks that hosts carry: those with a driver.
pub(crate) fn names(tables: &Tables) -> Result<Vec<String>, Failure> {
    let all = Source::networks(tables)?;
    Ok(all.into_iter().filter(|(_, attributes)| attributes.contains_key("driver")).map(|(name, _)| name).collect())
}

pub(crate) fn is_defined(tables: &Tables, name: &str) -> Result<bool, Failure> {
    Ok(Source::networks(tables)?.contains_key(name))
}

/// The network of that name, checked for itself only.
pub(crate) fn defined(tables: &Tables, name: &str) -> Result<Defined, Failure> {
    define::network(tables, &Source::networks(tables)?, name)
}

/// A failure that says which network it is about, for one that has no line of its own.
pub(crate) fn named(network: &str, failure: Failure) -> Failure {
    let names_it = failure.message.contains(&format!("'{network}'"));
    let message = if names_it { failure.message } else { format!("network {network}: {}", failure.message) };
    Failure { message, ..failure }
}

impl Context {
    /// The networks of these names, each checked for itself and against all others; says of each bad one what is wrong,
    /// and refuses the command.
    pub(crate) fn networks(
        &self,
        source: &impl Source,
        format: Format,
        names: &[String],
    ) -> Result<Vec<Defined>, Failure> {
        let all = source.networks()?;
        let mut good = Vec::new();
        let mut hints: Vec<String> = Vec::new();
        for name in names {
            let checked = define::network(source, &all, name).and_then(|defined| {
                rules::check(source, &all, &defined)?;
                Ok(defined)
            });
            match checked {
                Ok(defined) => good.push(defined),
                Err(failure) => {
                    self.ui.reply(format, Reply { node: Some(name.clone()), body: Body::Error(failure.message) });
                    add_hints(&mut hints, failure.hints);
                }
            }
        }
        if good.len() == names.len() {
            return Ok(good);
        }
        self.ui.finish_folding();
        let what = if names.len() == 1 { "the network cannot be made" } else { "not all networks can be made" };
        Err(Failure { hints, ..Failure::refused(format!("nothing was done: {what} as defined")) })
    }
}

#[cfg(test)]
mod tests {
    use plugins::networks::Member;

    use super::*;

    /// Network `blue`, a mesh of hosts h1, h2 and so on.
    pub(super) fn network(hosts: u8) -> Network {
        let member = |number: u8| Member { host: format!("h{number}"), address: [10, 77, 0, number].into() };
        Network {
            name: "blue".into(),
            driver: "bridge".parse().unwrap(),
            subnet: "10.80.0.0/16".parse().unwrap(),
            gateway: None,
            range: None,
            mtu: 1450,
            vlan: None,
            vni: Some(7),
            hub: None,
            uplink: None,
            options: BTreeMap::new(),
            members: (1..=hosts).map(member).collect(),
        }
    }
}
