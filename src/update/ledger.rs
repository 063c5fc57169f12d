//! The ledger: what ran where and when, and why that changed.

use plugins::Digest;
use serde_json::json;
use tables::{Node, Row, Select, schema};

use crate::context::Context;
use crate::failure::Failure;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// Shows what the nodes were given, and of hosts what the nodes on them were; oldest first.
pub(crate) fn show(cx: &Context, nodes: &[Node], format: Format) -> Result<(), Failure> {
    let ledger = schema::find("imageledger").expect("table imageledger is in the schema");
    let named = |name: Option<&str>| nodes.iter().any(|node| Some(node.name()) == name);
    for row in cx.tables()?.rows(ledger, Select::All)? {
        if named(row.get("node")) || named(row.get("host")) {
            let node = row.get("node").map(str::to_owned);
            cx.ui.reply(format, Reply { node, body: Body::Answer(answer(&row)) });
        }
    }
    cx.ui.finish_folding();
    Ok(())
}

fn answer(row: &Row) -> Answer {
    let text = |column: &str| row.get(column).unwrap_or_default();
    let digest = text("digest").parse::<Digest>().map(|digest| format!(" ({})", digest.short())).unwrap_or_default();
    let why = row.get("why").map(|why| format!(": {why}")).unwrap_or_default();
    let down = row.get("downtime").map(|seconds| format!("; down {seconds} s")).unwrap_or_default();
    let line = format!(
        "{} {} {}{digest} on {} by {}{why}{down}",
        text("time"),
        text("what"),
        text("image"),
        text("host"),
        text("who")
    );
    let columns = ["time", "host", "image", "digest", "what", "why", "who", "downtime"];
    let cells = columns.iter().map(|&column| (column.to_owned(), json!(row.get(column))));
    Answer { data: Some(cells.collect::<serde_json::Map<_, _>>().into()), ..Answer::line(line) }
}
