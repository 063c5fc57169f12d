//! `lsdocker`: xCAT's old name for listing containers, in its old columns.

use clap::Args;
use plugins::Guest;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;

/// List containers, as xCAT's removed docker plugin did (see lsvm)
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lsdocker h1                running containers of a host
  lsdocker c1 -l             what c1 has written")]
pub(crate) struct Lsdocker {
    /// Hosts, containers, or both
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// Print the log of containers
    #[arg(short, long)]
    logs: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Lsdocker {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let backends = cx.backends()?;
        let ask = async |node: Node| {
            let Some(host) = node.host() else {
                return Ok(running(&backends.guests_on(&node)?.list(&node).await?));
            };
            let guests = backends.guests(&node)?;
            if self.logs {
                let log = guests.log(&node, None).await?;
                return Ok(Answer { lines: log.lines().map(str::to_owned).collect(), ..Answer::default() });
            }
            let of_host = guests.list(host).await?;
            let own = of_host.iter().find(|guest| guest.name == node.name());
            own.map(|guest| Answer::line(line(guest))).ok_or_else(|| Failure::refused("No such container"))
        };
        Ok(cx.each(nodes, Manner::from(&self.shape), ask).await.into())
    }
}

fn running(guests: &[Guest]) -> Answer {
    let lines: Vec<String> = guests.iter().filter(|guest| guest.state == "running").map(line).collect();
    if lines.is_empty() { Answer::line("No running docker") } else { Answer { lines, ..Answer::default() } }
}

/// xCAT's columns: id, image, command, created, status, name.
fn line(guest: &Guest) -> String {
    let cut = |text: &str, length: usize| text.chars().take(length).collect::<String>();
    let command = format!("\"{}\"", cut(&guest.command, 20));
    let created = jiff::Timestamp::from_second(guest.created).unwrap_or_default().strftime("%-Y-%-m-%-d - %-H:%-M:%-S");
    let (id, image) = (cut(&guest.id, 12), cut(&guest.image, 30));
    format!("{id:<12}   {image:<30} {command:<22} {:<20} {:<10} /{}", created.to_string(), guest.status, guest.name)
}
