//! What the server asks of the site: who has a MAC address, where files are, and where to write down what nodes say.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tables::{Node, Origin, Result, Row, Select, Tables, nics, schema};

use crate::install::{self, Answers};
use crate::live::Live;
use crate::mac::Mac;
use crate::postscripts::{self, Files, Occasion, Postscripts};

/// What the server knows of nodes and images. It is asked anew each time, on a thread that may wait.
pub trait Site: Send + Sync + 'static {
    /// The node with that MAC address.
    fn node_of(&self, mac: Mac) -> Result<Option<Node>>;

    /// The row of table linuximage that says where the files of an image are.
    fn image(&self, name: &str) -> Result<Option<Row>>;

    /// Whether DHCP has given that address to the card with that MAC address.
    fn is_leased(&self, mac: Mac, address: IpAddr) -> Result<bool>;

    /// Whether that is written down.
    fn keeps_statuses(&self) -> Result<bool>;

    /// Writes down what a node does now.
    fn record(&self, node: &str, status: &'static str) -> Result<()>;

    /// Writes down that a system is on a node's disk, from which it boots from now on.
    fn installed(&self, node: &str) -> Result<()>;

    /// The archive of what runs on a node once it has booted; `master` is our address as it sees us.
    fn postscripts(&self, node: &Node, master: &str) -> std::result::Result<Vec<u8>, postscripts::Error>;

    /// What a node's installer is to do.
    fn answers(&self, node: &Node) -> std::result::Result<Answers, install::Error>;
}

/// The tables as they are at the moment of the question. Who has which MAC address is read once and again when they have
/// changed: a thousand machines that boot at once cost a thousand rows, not all rows a thousand times.
pub struct LiveSite {
    tables: Arc<Tables>,
    /// What statuses are written through: whoever reads does not wait with the one who waits to write.
    records: Arc<Tables>,
    owners: Mutex<Live<Owners>>,
    keys: Vec<String>,
}

/// Nodes by MAC address.
type Owners = HashMap<Mac, String>;

impl LiveSite {
    /// Reads who has which MAC address. What nodes say of themselves is written through `records`, a connection of its own.
    pub fn open(tables: Arc<Tables>, records: Arc<Tables>) -> Result<Self> {
        let owners = Mutex::new(Live::open(tables.clone(), owners)?);
        Ok(Self { tables, records, owners, keys: Vec::new() })
    }

    /// The same with public keys that open root's account on nodes that are installed.
    #[must_use]
    pub fn with_keys(self, keys: Vec<String>) -> Self {
        Self { keys, ..self }
    }

    /// The name of the node with that MAC address.
    pub fn name_of(&self, mac: Mac) -> Option<String> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).now().get(&mac).cloned()
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
        match self.name_of(mac) {
            Some(name) => Ok(self.tables.resolve(&[name])?.pop()),
            None => Ok(None),
        }
    }

    fn image(&self, name: &str) -> Result<Option<Row>> {
        let table = schema::find("linuximage").expect("table linuximage is in the schema");
        Ok(self.tables.rows(table, Select::Keys(&[name]))?.pop())
    }

    fn is_leased(&self, mac: Mac, address: IpAddr) -> Result<bool> {
        let table = schema::find("lease").expect("table lease is in the schema");
        let row = self.tables.rows(table, Select::Keys(&[&address.to_string()]))?.pop();
        Ok(row.and_then(|row| row.get("mac")?.parse().ok()) == Some(mac))
    }

    fn keeps_statuses(&self) -> Result<bool> {
        self.records.keeps_statuses()
    }

    fn record(&self, node: &str, status: &'static str) -> Result<()> {
        if !self.keeps_statuses()? {
            return Ok(());
        }
        self.records.record_statuses(&BTreeMap::from([(node.to_owned(), status)]))
    }

    fn installed(&self, node: &str) -> Result<()> {
        let table = schema::find("chain").expect("table chain is in the schema");
        let origin = Origin { user: node.to_owned(), command: "status installed".to_owned(), reason: None };
        self.records.edit(&origin, |edit| edit.set(table, &[node], &[("currstate", "boot")])).map(drop)
    }

    fn postscripts(&self, node: &Node, master: &str) -> std::result::Result<Vec<u8>, postscripts::Error> {
        let postscripts = Postscripts::of(&self.tables, node, master, Occasion::Boot)?;
        let directory = postscripts::directory(&self.tables)?;
        // What not everybody may read, users of the node may not either.
        Ok(Files::read(&directory, [])?.archive(&postscripts))
    }

    fn answers(&self, node: &Node) -> std::result::Result<Answers, install::Error> {
        Answers::read(&self.tables, node, &self.keys)
    }
}
