//! `defundo`: take changes of the tables back.

use clap::{ArgGroup, Args};
use tables::journal::Filter;

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Take changes of the tables back
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true), after_help = "Refused, naming the rows, when one of them was changed since. Taking back is a change of its own, and can be taken back.

Examples:
  deflog -n 5                see the numbers
  defundo 17
  defundo --last 1 -m 'wrong rack'")]
pub(crate) struct Defundo {
    /// Numbers as deflog shows them
    #[arg(value_name = "ID", group = "what")]
    ids: Vec<i64>,
    /// The newest N changes
    #[arg(short = 'n', long, value_name = "N", group = "what")]
    last: Option<usize>,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Defundo {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let ids = (!self.ids.is_empty()).then_some(self.ids.as_slice());
        let filter = Filter { ids, last: self.last, ..Filter::default() };
        for id in cx.tables()?.undo(&filter, &cx.origin(self.reason.clone()))? {
            cx.ui.line(&format!("Took back {id}."));
        }
        Ok(Outcome::Done)
    }
}
