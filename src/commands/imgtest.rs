//! `imgtest`: whether an image comes up, in a virtual machine.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::Run;
use crate::context::Context;
use crate::diskless::Image;
use crate::diskless::trial::Processor;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::size::size;
use crate::ui::Format;

/// Boot a packed image in a virtual machine, and wait until it tells that it is up
#[derive(Debug, Args)]
#[command(
    after_help = "QEMU boots kernel and initial RAM disk; these fetch the root, and the root calls back when all of it is up, as on a node. The
machine reaches nothing else and is gone at the end. One that does not call back shows how far it came and the last lines of its console. Without KVM it takes some ten times longer.
Of addkcmdline it is told what is the same for every node: one with {{ … }} is left out, and that is said.

Examples:
  imgtest compute
  packimage compute && imgtest compute --timeout 900"
)]
pub(crate) struct Imgtest {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,
    /// How long it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// Do without KVM, for machines where it is there and does not work
    #[arg(long)]
    emulate: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Run for Imgtest {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let format = if self.json { Format::Json } else { Format::Lines };
        let image = Image::read(cx, &self.image)?;
        let processor = if self.emulate { Processor::Emulated } else { Processor::Real };
        let booted = image.test(cx, Duration::from_secs(self.timeout), processor).await?;
        let (seconds, memory) = (booted.after.as_secs(), booted.memory);
        let data = json!({ "seconds": seconds, "memory": memory, "statuses": booted.statuses });
        let line = format!("up after {seconds} s, with {} of memory", size(memory));
        if let Some(warning) = image.left_out_of_test() {
            cx.ui.reply(format, Reply { node: Some(image.name.clone()), body: Body::Warning(warning) });
        }
        let body = Body::Answer(Answer { data: Some(data), ..Answer::line(line) });
        cx.ui.reply(format, Reply { node: Some(image.name), body });
        Ok(Outcome::Done)
    }
}
