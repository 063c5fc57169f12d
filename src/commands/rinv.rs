//! `rinv`: what machines say they are.

use clap::{Args, ValueEnum};
use plugins::Part;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;

/// Show what nodes say they are: model, serial number, firmware
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rinv n1                    all that its BMC tells
  rinv rack1 serial          a serial number a node
  rinv all firm -b           who has which firmware?")]
pub(crate) struct Rinv {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// What to show
    #[arg(value_enum, value_name = "WHAT", default_value = "all")]
    what: What,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    All,
    Model,
    Serial,
    Asset,
    /// Model, serial numbers, the BMC and its firmware
    Vpd,
    /// The firmware of the BMC
    #[value(alias = "mprom")]
    Firm,
    #[value(alias = "uuid")]
    Guid,
    /// The BMC itself
    Deviceid,
}

impl What {
    fn parts(self) -> &'static [Part] {
        match self {
            Self::All => &[Part::Model, Part::Serial, Part::Asset, Part::Guid, Part::Controller, Part::Firmware],
            Self::Vpd => &[Part::Model, Part::Serial, Part::Controller, Part::Firmware],
            Self::Model => &[Part::Model],
            Self::Serial => &[Part::Serial],
            Self::Asset => &[Part::Asset],
            Self::Firm => &[Part::Firmware],
            Self::Guid => &[Part::Guid],
            Self::Deviceid => &[Part::Controller],
        }
    }
}

impl Run for Rinv {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let backends = cx.backends()?;
        let manner = Manner::from(&self.shape).widened(backends.beyond_fanout(&nodes));
        let ask = async |node: Node| {
            let facts = backends.inventory(&node)?.inventory(&node, self.what.parts()).await?;
            if facts.is_empty() {
                return Err(Failure::refused("the machine does not tell this"));
            }
            let lines = facts.iter().map(|fact| format!("{}: {}", fact.label, fact.value)).collect();
            let data = facts.into_iter().map(|fact| (fact.label.to_owned(), fact.value.into())).collect();
            Ok(Answer { lines, data: Some(serde_json::Value::Object(data)), ..Answer::silent() })
        };
        Ok(cx.each(nodes, manner, ask).await.into())
    }
}
