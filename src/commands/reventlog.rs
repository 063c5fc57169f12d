//! `reventlog`: what machines have written down of themselves.

use clap::Args;
use plugins::MachineEvent;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;

/// Show or clear the event logs of machines
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reventlog n1               all events, oldest first
  reventlog rack1 5          the five newest of each
  reventlog n1 clear")]
pub(crate) struct Reventlog {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// all, how many of the newest, or clear
    #[arg(value_name = "WHAT", default_value = "all", value_parser = what)]
    what: What,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Newest(usize),
    Clear,
}

fn what(text: &str) -> Result<What, String> {
    match text {
        "all" => Ok(What::Newest(usize::MAX)),
        "clear" => Ok(What::Clear),
        number => match number.parse() {
            Ok(count) if count > 0 => Ok(What::Newest(count)),
            _ => Err("it takes all, clear, or how many events to show".into()),
        },
    }
}

impl Run for Reventlog {
    fn is_audited(&self) -> bool {
        self.what == What::Clear
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let backends = cx.backends()?;
        if self.what == What::Clear {
            cx.check(self.shape.format(), &nodes, |node| Ok(backends.event_log(node)?.check(node)?))?;
        }
        let manner = Manner::from(&self.shape).widened(backends.beyond_fanout(&nodes));
        let ask = async |node: Node| {
            let log = backends.event_log(&node)?;
            match self.what {
                What::Clear => {
                    log.clear(&node).await?;
                    Ok(Answer::line("clear"))
                }
                What::Newest(count) => {
                    let events = log.events(&node).await?;
                    Ok(tell(&events[events.len().saturating_sub(count)..]))
                }
            }
        };
        Ok(cx.each(nodes, manner, ask).await.into())
    }
}

fn tell(events: &[MachineEvent]) -> Answer {
    if events.is_empty() {
        return Answer { data: Some(serde_json::json!([])), ..Answer::line("no events") };
    }
    let moment = |event: &MachineEvent| {
        let moment = jiff::Timestamp::from_second(event.time?.into()).ok()?;
        Some(moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%m/%d/%Y %H:%M:%S").to_string())
    };
    let line = |event: &MachineEvent| match moment(event) {
        Some(moment) => format!("{moment} {}", event.text),
        None => event.text.clone(),
    };
    let data = events
        .iter()
        .map(|event| serde_json::json!({ "number": event.number, "time": event.time, "text": event.text }));
    Answer { lines: events.iter().map(line).collect(), data: Some(data.collect()), ..Answer::silent() }
}
