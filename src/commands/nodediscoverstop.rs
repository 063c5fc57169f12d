//! `nodediscoverstop`: no machine becomes a node in order any more.

use clap::Args;

use super::Run;
use crate::context::Context;
use crate::discovery::{Chosen, Kind, Sequence};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// End discovery in order
#[derive(Debug, Args)]
#[command(after_help = "Machines that tables mac, vpd, ipmi and switch tell from others go on becoming their nodes.

Example:
  nodediscoverstop")]
pub(crate) struct Nodediscoverstop {}

impl Run for Nodediscoverstop {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let tables = cx.tables()?;
        let line = match Sequence::current(tables)? {
            Some(_) => {
                tables.edit(&cx.origin(None), |edit| Sequence::put(None, edit))?;
                let count = Chosen { kind: Some(Kind::Seq), uuid: None }.rows(tables)?.len();
                format!("Sequential Discovery: Done, {count} nodes in all")
            }
            None => "Sequential Discovery: not started".to_owned(),
        };
        cx.ui.reply(Format::Lines, Reply { node: None, body: Body::Answer(Answer::line(line)) });
        Ok(Outcome::Done)
    }
}
