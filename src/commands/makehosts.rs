//! `makehosts`: names and addresses of nodes into `/etc/hosts`.

use std::path::PathBuf;

use clap::Args;
use netboot::hosts::{self, Entry, Error, NEW_FILE, Style};
use tables::{Node, noderange, objects};

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Write names and addresses of nodes into /etc/hosts
#[derive(Debug, Args)]
#[command(
    after_help = "Without a noderange, every node: the lines of nodes are replaced where they stand, all others stay, and doing it
again changes nothing. A noderange without nodes is an error and never stands for all. The file is replaced in one step,
and what it was before is kept as FILE.xcatbak. The domain is that of the address's network, else site.domain.

With --on the nodes' lines become a file of those hosts, by default /etc/xcrane/hosts: the /etc/hosts of every container
there whose dockerhostsfile is yes. It is changed in place, so that containers that run see it at once.

Examples:
  makehosts
  makehosts rack1
  makehosts --on dockerhosts
  makehosts -d n7            before noderm n7"
)]
pub(crate) struct Makehosts {
    /// The nodes; every node when left out
    noderange: Option<String>,
    /// Start from an empty file, losing every other line
    #[arg(short = 'n', conflicts_with = "delete")]
    new: bool,
    /// Remove the lines of the nodes
    #[arg(short = 'd', long)]
    delete: bool,
    /// name.domain before name, as with site.FQDNfirst
    #[arg(short = 'l', long = "longnamefirst")]
    long_name_first: bool,
    /// Give other interfaces the node's aliases too
    #[arg(short = 'a')]
    aliases_everywhere: bool,
    /// Leave out the addresses of other interfaces
    #[arg(short = 'o')]
    own_address_only: bool,
    /// Write a file of these hosts instead, for the containers there
    #[arg(long, value_name = "NODERANGE", conflicts_with_all = ["new", "delete"])]
    on: Option<String>,
    /// The file [default: /etc/hosts, with --on /etc/xcrane/hosts]
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
}

impl Run for Makehosts {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = match &self.noderange {
            Some(range) => cx.nodes(range)?,
            None => every_node(cx)?,
        };
        let style = self.style(cx)?;
        let file = self.file.clone().unwrap_or_else(|| crate::hosts::FILE.into());
        if self.delete {
            crate::hosts::remove(&file, &nodes, &style)?;
            return Ok(Outcome::Done);
        }
        let hosts = self.on.as_ref().map(|on| cx.nodes(on)).transpose()?;
        let (entries, outcome) = self.entries(cx, &nodes, &style);
        if let Some(hosts) = hosts {
            let path = self.file.unwrap_or_else(|| plugins::HOSTS_FILE.into());
            let written = crate::hosts::write_on(cx, hosts, &path, &hosts::merge(NEW_FILE, &entries)).await?;
            return Ok(if written == Outcome::Done { outcome } else { written });
        }
        crate::hosts::change(&file, |text| {
            let text = text.filter(|_| !self.new).unwrap_or(NEW_FILE);
            hosts::merge(text, &entries)
        })?;
        Ok(outcome)
    }
}

impl Makehosts {
    fn style(&self, cx: &Context) -> Result<Style, Failure> {
        let site = Style::read(cx.tables()?)?;
        Ok(Style {
            long_name_first: site.long_name_first || self.long_name_first,
            first_interface_only: self.own_address_only,
            aliases_everywhere: self.aliases_everywhere,
            ..site
        })
    }

    /// The lines of the nodes that have an address. That some have none is no failure; a broken address is one.
    fn entries(&self, cx: &Context, nodes: &[Node], style: &Style) -> (Vec<Entry>, Outcome) {
        let (mut entries, mut without, mut outcome) = (Vec::new(), Vec::new(), Outcome::Done);
        for node in nodes {
            match hosts::entries(node, style) {
                Ok(lines) => entries.extend(lines),
                Err(error @ Error::NoAddress(_)) if self.noderange.is_some() => cx.ui.warning(&error.to_string()),
                Err(Error::NoAddress(name)) => without.push(name),
                Err(error @ Error::NotAnAddress { .. }) => {
                    cx.ui.note(&format!("{}: Error: {error}", node.name()));
                    outcome = Outcome::SomeFailed;
                }
            }
        }
        if !without.is_empty() {
            cx.ui.warning(&format!("no address: {}", noderange::fold(without)));
        }
        (entries, outcome)
    }
}

fn every_node(cx: &Context) -> Result<Vec<Node>, Failure> {
    let tables = cx.tables()?;
    let node = objects::find("node").expect("nodes are among the types");
    Ok(tables.resolve(&tables.object_names(node)?)?)
}
