//! `rsetboot`: what machines boot from next.

use clap::{Args, ValueEnum};
use plugins::{BootDevice, BootOverride, Persistence};
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;

/// Set or show what nodes boot from next
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rsetboot rack1 net         from the network, at the next boot only
  rsetboot n1 hd -p -u       from the disk by UEFI, from now on
  rsetboot all stat -b       what is set?")]
pub(crate) struct Rsetboot {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// Where to boot from; default leaves it to the firmware, stat only asks
    #[arg(value_enum, value_name = "DEVICE", default_value = "stat")]
    device: Device,
    /// Until it is changed, not for the next boot only
    #[arg(short = 'p', long)]
    persistent: bool,
    /// By UEFI
    #[arg(short = 'u', long)]
    uefi: bool,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Device {
    Net,
    Hd,
    Cd,
    Floppy,
    /// The firmware's setup
    #[value(alias = "setup")]
    Bios,
    #[value(alias = "def")]
    Default,
    Stat,
}

impl Run for Rsetboot {
    fn is_audited(&self) -> bool {
        self.device != Device::Stat
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let wanted = self.wanted();
        if wanted.flatten().is_none() && (self.persistent || self.uefi) {
            return Err(Failure::usage("-p and -u go with a device to boot from"));
        }
        let nodes = cx.nodes(&self.noderange)?;
        let backends = cx.backends()?;
        if wanted.is_some() {
            cx.check(self.shape.format(), &nodes, |node| Ok(backends.boot(node)?.check(node)?))?;
        }
        let manner = Manner::from(&self.shape).widened(backends.beyond_fanout(&nodes));
        let ask = async |node: Node| {
            let boot = backends.boot(&node)?;
            let now = match wanted {
                None => boot.get(&node).await?,
                Some(wanted) => boot.set(&node, wanted).await?,
            };
            Ok(tell(now))
        };
        Ok(cx.each(nodes, manner, ask).await.into())
    }
}

impl Rsetboot {
    /// None only asks; `Some(None)` takes the override away.
    fn wanted(&self) -> Option<Option<BootOverride>> {
        let device = match self.device {
            Device::Net => BootDevice::Network,
            Device::Hd => BootDevice::Disk,
            Device::Cd => BootDevice::Cd,
            Device::Floppy => BootDevice::Floppy,
            Device::Bios => BootDevice::Setup,
            Device::Default => return Some(None),
            Device::Stat => return None,
        };
        let persistence = if self.persistent { Persistence::Always } else { Persistence::Once };
        Some(Some(BootOverride { device, persistence, efi: self.uefi }))
    }
}

/// In xCAT's words, which know of the device only; `--json` has the rest.
fn tell(now: Option<BootOverride>) -> Answer {
    let Some(now) = now else {
        return Answer { data: Some(serde_json::json!({ "device": null })), ..Answer::line("boot override inactive") };
    };
    let word = match now.device {
        BootDevice::Network => "Network",
        BootDevice::Disk => "Hard Drive",
        BootDevice::Cd => "CD/DVD",
        BootDevice::Floppy => "Floppy",
        BootDevice::Setup => "BIOS Setup",
    };
    let persistent = now.persistence == Persistence::Always;
    let data = serde_json::json!({ "device": word, "persistent": persistent, "uefi": now.efi });
    Answer { data: Some(data), ..Answer::line(word) }
}
