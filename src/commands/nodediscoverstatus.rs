//! `nodediscoverstatus`: whether machines become nodes in order, and which.

use clap::Args;

use super::Run;
use crate::context::Context;
use crate::discovery::{Sequence, free};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// Show whether discovery in order is on
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nodediscoverstatus")]
pub(crate) struct Nodediscoverstatus {}

impl Run for Nodediscoverstatus {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let tables = cx.tables()?;
        let line = match Sequence::current(tables)? {
            Some(sequence) => {
                let free = tables.try_edit(&cx.origin(None), |edit| free(&sequence, edit))?;
                let next = free.first().map_or_else(|| "no node is free".to_owned(), |node| format!("next is {node}"));
                format!("Sequential Discovery: Started, noderange={}, {next}", sequence.noderange)
            }
            None => "Sequential Discovery: not started".to_owned(),
        };
        cx.ui.reply(Format::Lines, Reply { node: None, body: Body::Answer(Answer::line(line)) });
        Ok(Outcome::Done)
    }
}
