//! Where networks were made, and how: table fabrichost. A host that leaves a network, or a network whose definition has
//! gone, can be taken away only while somebody knows of it.

use std::collections::BTreeMap;

use plugins::networks::Network;
use tables::schema::{self, Table};
use tables::{Edit, Select};

use crate::context::Context;
use crate::failure::Failure;

/// By host what was made there.
pub(crate) type Made = BTreeMap<String, Network>;

/// Every network that is made anywhere, by name. A row that cannot be read is passed over with a warning, unless it is of
/// one of the networks that the command is about.
pub(crate) fn made(cx: &Context, is_meant: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Made>, Failure> {
    let mut networks: BTreeMap<String, Made> = BTreeMap::new();
    for row in cx.tables()?.rows(table(), Select::All)? {
        let (Some(name), Some(host), Some(text)) = (row.get("netname"), row.get("node"), row.get("made")) else {
            continue;
        };
        match serde_json::from_str(text) {
            Ok(network) => drop(networks.entry(name.to_owned()).or_default().insert(host.to_owned(), network)),
            Err(error) => {
                let why = format!("row {name},{host} of table fabrichost cannot be read: {error}");
                if is_meant(name) {
                    return Err(Failure::refused(why).hint("it was written by another version of xcrane, or by hand"));
                }
                cx.ui.warning(&why);
            }
        }
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
