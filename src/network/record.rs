//! Where networks were made, and how: table fabrichost. A host that leaves a network, or a network whose definition has
//! gone, can be taken away only while somebody knows of it.

use std::collections::BTreeMap;

use plugins::networks::Network;
use tables::schema::{self, Table};
use tables::{Edit, Select, Tables};

use crate::failure::Failure;

/// By host what was made there.
pub(crate) type Made = BTreeMap<String, Network>;

/// Every network that is made anywhere, by name.
pub(crate) fn made(tables: &Tables) -> Result<BTreeMap<String, Made>, Failure> {
    let mut networks: BTreeMap<String, Made> = BTreeMap::new();
    for row in tables.rows(table(), Select::All)? {
        let (Some(name), Some(host), Some(text)) = (row.get("netname"), row.get("node"), row.get("made")) else {
            continue;
        };
        let network = serde_json::from_str(text).map_err(|error| {
            Failure::refused(format!("row {name},{host} of table fabrichost cannot be read: {error}"))
                .hint("it was written by another version of xcrane, or by hand")
        })?;
        networks.entry(name.to_owned()).or_default().insert(host.to_owned(), network);
    }
    Ok(networks)
}

/// Notes that a host has the network; to be done before it is touched, so that a run that is killed is not forgotten.
pub(crate) fn remember(edit: &mut Edit<'_>, host: &str, network: &Network) -> tables::Result<()> {
    let text = serde_json::to_string(network).expect("a network is plain data");
    edit.set(table(), &[&network.name, host], &[("made", &text)]).map(drop)
}

/// Notes that a host has the network no longer.
pub(crate) fn forget(edit: &mut Edit<'_>, host: &str, network: &str) -> tables::Result<()> {
    edit.delete(table(), Select::Where(&[("netname", network), ("node", host)])).map(drop)
}

fn table() -> &'static Table {
    schema::find("fabrichost").expect("table fabrichost is in the schema")
}
