//! What the server asks of the site: who has a MAC address, where files are, and where to write down what nodes say.

use std::collections::BTreeMap;

use tables::{Node, Result, Row, Select, Tables, nics, schema};

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

/// The tables as they are at the moment of the question.
impl Site for Tables {
    fn node_of(&self, mac: Mac) -> Result<Option<Node>> {
        let table = schema::find("mac").expect("table mac is in the schema");
        let names = self.node_names(true)?.to_vec();
        let cells = self.cells(&names, &[(table, "mac")])?;
        let has = |cell: &str| nics::macs(cell).any(|(text, _)| text.parse() == Ok(mac));
        let found = names.iter().zip(&cells).find(|(_, cells)| cells[0].text.as_deref().is_some_and(has));
        let Some((name, _)) = found else { return Ok(None) };
        Ok(self.resolve(std::slice::from_ref(name))?.pop())
    }

    fn image(&self, name: &str) -> Result<Option<Row>> {
        let table = schema::find("linuximage").expect("table linuximage is in the schema");
        Ok(self.rows(table, Select::Keys(&[name]))?.pop())
    }

    fn record(&self, node: &str, status: &'static str) -> Result<()> {
        if matches!(self.site("nodestatus")?.as_deref(), Some("n" | "no" | "0")) {
            return Ok(());
        }
        self.record_statuses(&BTreeMap::from([(node.to_owned(), status)]))
    }
}
