//! What the server asks of the site: who has a MAC address, where files are, and where to write down what nodes say.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tables::{Node, Result, Row, Select, Tables, nics, schema};

use crate::live::Live;
use crate::mac::Mac;

/// What the server knows of nodes and images. It is asked anew each time, on a thread that may wait.
pub trait Site: Send + Sync + 'static {
    /// The node with that MAC address.
    fn node_of(&self, mac: Mac) -> Result<Option<Node>>;

    /// The row of table linuximage that says where the files of an image are.
    fn image(&self, name: &str) -> Result<Option<Row>>;

    /// Writes down what a node does now.
    fn record(&self, node: &str, status: &'static str) -> Result<()>;
}

/// The tables as they are at the moment of the question. Who has which MAC address is read once and again when they have
/// changed: a thousand machines that boot at once cost a thousand rows, not all rows a thousand times.
pub struct LiveSite {
    tables: Arc<Tables>,
    owners: Mutex<Live<Owners>>,
}

/// Nodes by MAC address.
type Owners = HashMap<Mac, String>;

impl LiveSite {
    /// Reads who has which MAC address.
    pub fn open(tables: Arc<Tables>) -> Result<Self> {
        let owners = Mutex::new(Live::open(tables.clone(), owners)?);
        Ok(Self { tables, owners })
    }
}

/// Of two nodes with one address the first has it, as with DHCP.
fn owners(tables: &Tables) -> Result<Owners> {
    let table = schema::find("mac").expect("table mac is in the schema");
    let names = tables.node_names(true)?.to_vec();
    let mut owners = Owners::new();
    for (name, cells) in names.iter().zip(tables.cells(&names, &[(table, "mac")])?) {
        for (text, _) in nics::macs(cells[0].text.as_deref().unwrap_or_default()) {
            if let Ok(mac) = text.parse() {
                owners.entry(mac).or_insert_with(|| name.clone());
            }
        }
    }
    Ok(owners)
}

impl Site for LiveSite {
    fn node_of(&self, mac: Mac) -> Result<Option<Node>> {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner).now();
        match owners.get(&mac) {
            Some(name) => Ok(self.tables.resolve(std::slice::from_ref(name))?.pop()),
            None => Ok(None),
        }
    }

    fn image(&self, name: &str) -> Result<Option<Row>> {
        let table = schema::find("linuximage").expect("table linuximage is in the schema");
        Ok(self.tables.rows(table, Select::Keys(&[name]))?.pop())
    }

    fn record(&self, node: &str, status: &'static str) -> Result<()> {
        if matches!(self.tables.site("nodestatus")?.as_deref(), Some("n" | "no" | "0")) {
            return Ok(());
        }
        self.tables.record_statuses(&BTreeMap::from([(node.to_owned(), status)]))
    }
}
