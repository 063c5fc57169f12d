//! `lsvm`: what a host carries, or what one guest is.

use std::collections::BTreeSet;

use clap::Args;
use plugins::Backends;
use serde_json::json;
use tables::Node;

use super::{Run, Shape};
use crate::columns::columns;
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::images::pins::Pins;
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::update;

/// Says that a tag means something newer than its node runs.
const MOVED: &str = "moved";

/// List the guests of hosts, or the details of guests
#[derive(Debug, Args)]
#[command(
    after_help = "A node that carries guests (some node's vmhost names it) lists them: name, state, address, image, and the word
'moved' where the image's tag means something newer in our registry. Any other node shows its own details.

Examples:
  lsvm h1                    what runs and stands on host h1
  lsvm c7                    the details of c7
  lsvm --ledger rack1        which images they were given when, and why
  lsvm hosts | awk '$6 == \"moved\" { print $2 }'    who could be updated
  lsvm hosts --json | jq .   for scripts"
)]
pub(crate) struct Lsvm {
    /// Hosts, guests, or both
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// Show what the nodes, or those on the hosts, were given when, and why
    #[arg(long)]
    ledger: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Lsvm {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        if self.ledger {
            update::ledger::show(cx, &nodes, self.shape.format())?;
            return Ok(Outcome::Done);
        }
        let hosts: BTreeSet<String> = cx.tables()?.guest_hosts()?;
        let (backends, pins) = (cx.backends()?, Pins::read(cx)?);
        let aligned = cx.ui.is_terminal();
        let ask = async |node: Node| {
            let says_so = || ["dockerendpoint", "hosttype"].iter().any(|attribute| node.get(attribute).is_some());
            if hosts.contains(node.name()) || says_so() {
                return carried(backends, &pins, &node, aligned).await;
            }
            details(backends, &pins, &node).await
        };
        Ok(cx.each(nodes, Manner::from(&self.shape), ask).await.into())
    }
}

async fn details(backends: &Backends, pins: &Pins, node: &Node) -> Result<Answer, Failure> {
    let mut guest = backends.guests(node)?.inspect(node).await?;
    let mut lines: Vec<String> = guest.lines.into_iter().map(|(label, value)| format!("{label}: {value}")).collect();
    if let Some(pin) = pins.of(node.name()) {
        let standing = pins.standing(pin).await;
        lines.push(format!("Pinned: {} to {} since {}", pin.image, pin.digest, pin.since));
        lines.push(format!("Tag: {}", standing.told()));
        guest.raw["Pin"] = json!({ "image": pin.image, "digest": pin.digest, "since": pin.since,
            "moved": standing.is_moved(), "means": standing.meaning() });
    }
    if let (Some(image), Some(state)) = (node.get("updateimage"), node.get("updatestate")) {
        lines.push(format!("Update: to {image}, {state}, not finished; complete it with updatevm"));
    }
    Ok(Answer { lines, data: Some(guest.raw), ..Answer::default() })
}

async fn carried(backends: &Backends, pins: &Pins, host: &Node, aligned: bool) -> Result<Answer, Failure> {
    let guests = backends.guests_on(host)?.list(host).await?;
    let (mut data, mut rows) = (Vec::new(), Vec::new());
    for guest in &guests {
        let mut told = json!(guest);
        let mut row = vec![guest.name.clone(), guest.state.clone(), guest.ip.clone().unwrap_or_else(|| "-".into())];
        // What runs something else than its pin shows that, and not the tag.
        let pin = pins.of(&guest.name).filter(|pin| guest.image == pin.image.pinned(&pin.digest).to_string());
        row.push(pin.map_or_else(|| guest.image.clone(), |pin| pin.image.to_string()));
        if let Some(pin) = pin {
            let standing = pins.standing(pin).await;
            row.extend(standing.is_moved().unwrap_or(false).then(|| MOVED.to_owned()));
            told["tag"] = json!(pin.image);
            told["digest"] = json!(pin.digest);
            told["moved"] = json!(standing.is_moved());
        }
        rows.push(row);
        data.push(told);
    }
    Ok(Answer { lines: columns(&rows, aligned), data: Some(data.into()), ..Answer::default() })
}
