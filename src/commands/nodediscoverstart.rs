//! `nodediscoverstart`: machines that nobody knows become nodes in order.

use clap::Args;
use tables::Select;

use super::Run;
use crate::context::Context;
use crate::discovery::{Sequence, free, table};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// Make machines that nobody knows become nodes, in the order in which they report
#[derive(Debug, Args)]
#[command(
    after_help = "Machines that tables mac, vpd, ipmi and switch tell from others need no order: they become their nodes whether it is on or
not. With it, any other machine on a network of xcrane serve becomes the next node of the range that has no MAC address and is not
another machine by its serial number; one that is not defined is then.

  noderange=RANGE       the nodes, in the order of their numbers
  groups=GROUP,…        of those that are not defined yet; without it, all
  hostiprange=RANGE     addresses for those that have none, such as 10.0.0.1-254
  osimage=IMAGE         what those boot then that have no chain (table chain)

Examples:
  nodediscoverstart noderange=n[01-40] groups=rack1,all hostiprange=10.0.0.1-40
  nodediscoverls -t seq
  nodediscoverstop"
)]
pub(crate) struct Nodediscoverstart {
    /// What machines become
    #[arg(value_name = "KEY=VALUE", required = true)]
    words: Vec<String>,
}

impl Run for Nodediscoverstart {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let sequence = Sequence::parse(self.words.iter().map(String::as_str))?;
        let tables = cx.tables()?;
        if let Some(image) = &sequence.osimage
            && tables.rows(table("osimage"), Select::Keys(&[image]))?.is_empty()
        {
            return Err(Failure::refused(format!("Cannot find the OS image {image} in the osimage table")));
        }
        if let Some(range) = &sequence.hostiprange {
            crate::ranges::addresses(range)?;
        }
        if let Some(other) = Sequence::current(tables)?.filter(|other| *other != sequence) {
            return Err(Failure::refused(format!(
                "discovery in order is on already, for noderange={}",
                other.noderange
            ))
            .hint("end it: nodediscoverstop"));
        }
        let free = tables.try_edit(&cx.origin(None), |edit| {
            let free = free(&sequence, edit)?;
            if free.is_empty() {
                return Err(Failure::refused(format!("every node of {} is a machine already", sequence.noderange)));
            }
            Sequence::put(Some(&sequence), edit)?;
            Ok(free)
        })?;
        let lines =
            vec!["Sequential Discovery: Started:".to_owned(), format!("    Number of free node names: {}", free.len())];
        cx.ui.reply(Format::Lines, Reply { node: None, body: Body::Answer(Answer { lines, ..Answer::default() }) });
        Ok(Outcome::Done)
    }
}
