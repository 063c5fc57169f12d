//! `makenetworks`: the networks of this machine into table networks.

use clap::Args;
use netboot::interfaces::{self, Network};
use tables::definitions::{Assignment, Job};
use tables::{Edit, Row, Select, objects, schema, stanza};

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Define the networks that this machine is on
#[derive(Debug, Args)]
#[command(after_help = "Networks that are defined already, under whatever name, stay as they are.

Examples:
  makenetworks -d            show, change nothing
  makenetworks -d | sed … | mkdef -z
  makenetworks")]
pub(crate) struct Makenetworks {
    /// Print definitions as stanzas and define nothing
    #[arg(short = 'd', long)]
    display: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Makenetworks {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let networks = interfaces::networks()
            .map_err(|error| Failure::refused(format!("cannot list the interfaces of this machine: {error}")))?;
        if self.display {
            display(cx, &networks);
            return Ok(Outcome::Done);
        }
        let added = cx.tables()?.edit(&cx.origin(self.reason), |edit| add(edit, &networks))?;
        added.iter().for_each(|name| cx.ui.line(&format!("Defined network {name}.")));
        Ok(Outcome::Done)
    }
}

fn display(cx: &Context, networks: &[Network]) {
    cx.ui.line(stanza::HEADER);
    for network in networks {
        let attributes = attributes(network);
        let attributes = attributes.iter().map(|(name, value)| (*name, value.as_str()));
        cx.ui.line(&stanza::Entry { name: &network.name(), objtype: "network", attributes }.to_string());
    }
}

/// Sorted by name, as lsdef has them.
fn attributes(network: &Network) -> Vec<(&'static str, String)> {
    let gateway = network.gateway.map_or_else(|| "<xcatmaster>".to_owned(), |gateway| gateway.to_string());
    let mut attributes = vec![
        ("gateway", gateway),
        ("mask", network.mask()),
        ("mgtifname", network.interface.clone()),
        ("net", network.network.network().to_string()),
    ];
    attributes.extend(network.mtu.map(|mtu| ("mtu", mtu.to_string())));
    attributes.sort_unstable();
    attributes
}

/// Defines those that are not there; returns their names.
fn add(edit: &mut Edit<'_>, networks: &[Network]) -> tables::Result<Vec<String>> {
    let object = objects::find("network").expect("networks are among the types");
    let table = schema::find("networks").expect("table networks is in the schema");
    let known = edit.rows(table, Select::Stored)?;
    let mut added = Vec::new();
    for network in networks.iter().filter(|network| !known.iter().any(|row| is_same(row, network))) {
        let attributes = attributes(network).into_iter();
        let changes: Vec<Assignment> = attributes.map(|(attribute, value)| Assignment::set(attribute, value)).collect();
        let name = network.name();
        edit.assign_all(object, &[Job { name: &name, changes: &changes }])?;
        added.push(name);
    }
    Ok(added)
}

fn is_same(row: &Row, network: &Network) -> bool {
    let defined = row.get("net").zip(row.get("mask")).and_then(|(net, mask)| interfaces::parse(net, mask));
    defined == Some(network.network) || row.get("netname") == Some(&network.name())
}
