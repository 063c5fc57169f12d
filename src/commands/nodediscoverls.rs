//! `nodediscoverls`: machines that have reported, and which nodes they are.

use clap::Args;
use tables::Row;

use super::Run;
use crate::context::Context;
use crate::discovery::Chosen;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// List machines that nobody had defined, and the nodes that they have become
#[derive(Debug, Args)]
#[command(
    after_help = "METHOD tells by what a machine was known: mac, serial, uuid, bmc, switch, sequential or manual. With undef nothing points to a
node, and with conflict it says that it is one that is known to be another machine; why stands in otherdata (-l).

Examples:
  nodediscoverls -t undef
  nodediscoverls -t conflict -l
  nodediscoverls -u 4c414200-0000-4000-8000-000000000001 -l"
)]
pub(crate) struct Nodediscoverls {
    #[command(flatten)]
    chosen: Chosen,
    /// All that is known of them
    #[arg(short = 'l', long, conflicts_with = "json")]
    long: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Run for Nodediscoverls {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let rows = self.chosen.rows(cx.tables()?)?;
        let say = |format, answer| cx.ui.reply(format, Reply { node: None, body: Body::Answer(answer) });
        if self.json {
            for row in &rows {
                let data = serde_json::to_value(row).map_err(|error| Failure::refused(error.to_string()))?;
                say(Format::Json, Answer { data: Some(data), ..Answer::default() });
            }
            return Ok(Outcome::Done);
        }
        let lines = if self.long { rows.iter().flat_map(long).collect() } else { short(&rows) };
        say(Format::Lines, Answer { lines, ..Answer::default() });
        Ok(Outcome::Done)
    }
}

/// xCAT's columns.
fn short(rows: &[Row]) -> Vec<String> {
    let line = |cells: [&str; 5]| {
        let [uuid, node, method, mtm, serial] = cells;
        format!("{uuid:<40}{node:<20}{method:<15}{mtm:<20}{serial}").trim_end().to_owned()
    };
    let row =
        |row: &Row| line(["uuid", "node", "method", "mtm", "serial"].map(|column| row.get(column).unwrap_or("--")));
    std::iter::once(line(["UUID", "NODE", "METHOD", "MTM", "SERIAL"])).chain(rows.iter().map(row)).collect()
}

fn long(row: &Row) -> Vec<String> {
    let cells = row.table().columns.iter().zip(row.cells()).skip(1);
    let cells = cells.filter_map(|(column, cell)| Some(format!("    {}={}", column.name, cell?)));
    std::iter::once(format!("Object uuid: {}", row.get("uuid").unwrap_or_default())).chain(cells).collect()
}
