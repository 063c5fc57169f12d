//! `lsvm`: what a host carries, or what one guest is.

use std::collections::BTreeSet;

use clap::Args;
use plugins::{Backends, Guest};
use serde_json::{Value, json};
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;

/// List the guests of hosts, or the details of guests
#[derive(Debug, Args)]
#[command(after_help = "A node that carries guests (some node's vmhost names it) lists them: name, state, address, image.
Any other node shows its own details.

Examples:
  lsvm h1                    what runs and stands on host h1
  lsvm c7                    the details of c7
  lsvm hosts --json | jq .   for scripts")]
pub(crate) struct Lsvm {
    /// Hosts, guests, or both
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Lsvm {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let hosts: BTreeSet<String> = cx.tables()?.guest_hosts()?;
        let backends = cx.backends()?;
        let aligned = cx.ui.is_terminal();
        let ask = async |node: Node| {
            if hosts.contains(node.name()) || node.get("dockerendpoint").is_some() {
                return carried(backends, &node, aligned).await;
            }
            let guest = backends.guests(&node)?.inspect(&node).await?;
            let lines = guest.lines.into_iter().map(|(label, value)| format!("{label}: {value}")).collect();
            Ok(Answer { lines, data: Some(guest.raw), ..Answer::default() })
        };
        Ok(cx.each(nodes, Manner::from(&self.shape), ask).await.into())
    }
}

async fn carried(backends: &Backends, host: &Node, aligned: bool) -> Result<Answer, Failure> {
    let guests = backends.guests_on(host)?.list(host).await?;
    let data: Vec<Value> = guests.iter().map(|guest| json!(guest)).collect();
    Ok(Answer { lines: columns(&guests, aligned), data: Some(data.into()), ..Answer::default() })
}

/// One line a guest; in columns when a person reads it, single spaces for awk otherwise.
fn columns(guests: &[Guest], aligned: bool) -> Vec<String> {
    let rows: Vec<[&str; 4]> = guests
        .iter()
        .map(|guest| [&*guest.name, &*guest.state, guest.ip.as_deref().unwrap_or("-"), &*guest.image])
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)].map(|width| if aligned { width } else { 0 });
    rows.iter()
        .map(|[name, state, ip, image]| {
            format!("{name:0$} {state:1$} {ip:2$} {image}", widths[0], widths[1], widths[2])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_for_people_only() {
        let guest = |name: &str, state: &str| Guest {
            name: name.into(),
            state: state.into(),
            image: "i".into(),
            ip: None,
            id: "1".into(),
            command: String::new(),
            created: 0,
            status: String::new(),
            managed: true,
        };
        let guests = [guest("c1", "running"), guest("c10", "off")];
        assert_eq!(columns(&guests, true), ["c1  running - i", "c10 off     - i"]);
        assert_eq!(columns(&guests, false), ["c1 running - i", "c10 off - i"]);
    }
}
