//! `/etc/hosts` as makehosts and nodepurge change it.

use std::collections::HashSet;
use std::path::Path;

use netboot::hosts::{self, Entry, Style};
use netboot::{interfaces, rewrite};
use tables::{Node, Select, Tables, schema};

use crate::failure::Failure;

/// Where names and addresses stand unless said otherwise.
pub(crate) const FILE: &str = "/etc/hosts";

/// How lines are written at this site, by tables site and networks.
pub(crate) fn style(tables: &Tables) -> Result<Style, Failure> {
    let networks = schema::find("networks").expect("table networks is in the schema");
    let rows = tables.rows(networks, Select::All)?;
    let domains = rows.iter().filter_map(|row| {
        let network = interfaces::parse(row.get("net")?, row.get("mask")?)?;
        Some((network, row.get("domain")?.to_owned()))
    });
    let long_name_first = matches!(tables.site("FQDNfirst")?.as_deref(), Some("1" | "yes" | "enable"));
    Ok(Style { domain: tables.site("domain")?, domains: domains.collect(), long_name_first, ..Style::default() })
}

/// Takes the lines of nodes out of the file; tells whether there were any.
pub(crate) fn remove(file: &Path, nodes: &[Node], style: &Style) -> Result<bool, Failure> {
    let names: HashSet<&str> = nodes.iter().map(Node::name).collect();
    // A node whose address makes no sense has at most lines that its name finds.
    let entries: Vec<Entry> = nodes.iter().flat_map(|node| hosts::entries(node, style).unwrap_or_default()).collect();
    change(file, |text| match text {
        Some(text) => hosts::remove(text, &names, &entries),
        None => String::new(),
    })
}

/// Changes the file in one piece.
pub(crate) fn change(file: &Path, change: impl FnOnce(Option<&str>) -> String) -> Result<bool, Failure> {
    Ok(rewrite::rewrite(file, change)?)
}

impl From<rewrite::Error> for Failure {
    fn from(error: rewrite::Error) -> Self {
        Self::refused(plugins::chain(&error))
    }
}
