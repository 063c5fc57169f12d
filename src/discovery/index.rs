//! What the tables say of nodes that machines can be known by, read once for all machines that report at the same moment.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use netboot::mac::Mac;
use tables::{Edit, Select, nics};

use super::table;

/// What is known of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) macs: Vec<Mac>,
    pub(super) serial: String,
    /// In small letters.
    pub(super) uuid: String,
    pub(super) ip: Option<Ipv4Addr>,
    /// A container: never a machine.
    pub(super) is_guest: bool,
}

/// Nodes, and who has what.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) nodes: HashMap<String, Known>,
    pub(super) macs: HashMap<Mac, String>,
    pub(super) serials: HashMap<String, Vec<String>>,
    pub(super) uuids: HashMap<String, Vec<String>>,
    pub(super) bmcs: HashMap<String, Vec<String>>,
    pub(super) ports: HashMap<(String, String), Vec<String>>,
}

impl Index {
    pub(super) fn read(edit: &Edit<'_>) -> tables::Result<Self> {
        let rows = edit.rows(table("nodelist"), Select::All)?;
        let names: Vec<String> = rows.iter().filter_map(|row| row.get("node").map(str::to_owned)).collect();
        let columns =
            [("mac", "mac"), ("vpd", "serial"), ("vpd", "uuid"), ("ipmi", "bmc"), ("hosts", "ip"), ("nodehm", "mgt")];
        let columns = columns.map(|(name, column)| (table(name), column));
        let mut index = Self::default();
        for (name, cells) in names.iter().zip(edit.cells(&names, &columns)?) {
            let [macs, serial, uuid, bmc, ip, mgt] =
                std::array::from_fn(|place| cells[place].text.as_deref().unwrap_or_default().trim());
            let known = Known {
                macs: nics::macs(macs).filter_map(|(mac, _)| mac.parse().ok()).collect(),
                serial: serial.to_owned(),
                uuid: uuid.to_lowercase(),
                ip: ip.parse().ok(),
                is_guest: mgt == "docker",
            };
            if !bmc.is_empty() && !known.is_guest {
                index.bmcs.entry(bmc.to_owned()).or_default().push(name.clone());
            }
            index.add(name, known);
        }
        for row in edit.rows(table("switch"), Select::All)? {
            let [node, switch, port] = ["node", "switch", "port"].map(|column| row.get(column).unwrap_or_default());
            if index.nodes.contains_key(node) {
                index.ports.entry((switch.to_owned(), port.to_owned())).or_default().push(node.to_owned());
            }
        }
        Ok(index)
    }

    /// A node as it is known from now on.
    pub(super) fn add(&mut self, name: &str, known: Known) {
        let of_machine = !known.is_guest;
        for mac in &known.macs {
            self.macs.entry(*mac).or_insert_with(|| name.to_owned());
        }
        let texts = [(&mut self.serials, &known.serial), (&mut self.uuids, &known.uuid)];
        for (map, text) in texts.into_iter().filter(|(_, text)| of_machine && !text.is_empty()) {
            let names = map.entry(text.clone()).or_default();
            if !names.iter().any(|other| other == name) {
                names.push(name.to_owned());
            }
        }
        self.nodes.insert(name.to_owned(), known);
    }
}
