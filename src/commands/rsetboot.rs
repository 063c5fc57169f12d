//! `rsetboot`: what machines boot from next.

use clap::{Args, ValueEnum};
use plugins::{Backends, BootDevice, BootOverride, Persistence};
use tables::{Node, urls};

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;

/// Set or show what nodes boot from next
#[derive(Debug, Args)]
#[command(
    after_help = "With --url the BMC itself fetches an image and shows it as a CD (virtual media), or the firmware fetches a file (http); both
need mgt=redfish, and a BMC that offers it. The image stays in until --eject, and stat tells it.

What was set is read again: a BMC that then names another device is an error, one that says that nothing is set a warning.

Examples:
  rsetboot rack1 net         from the network, at the next boot only
  rsetboot n1 hd -p -u       from the disk by UEFI, from now on
  rsetboot all stat -b       what is set?
  rsetboot n1 cd --url http://10.0.0.1/rescue.iso    from an image, at the next boot
  rsetboot n1 hd --eject                             take it out again
  rsetboot n1 http --url http://10.0.0.1/ipxe.efi    by UEFI HTTP; without --url the DHCP server says what"
)]
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
    /// With cd the image that is put in, with http what is booted
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Take out the image that is in
    #[arg(long, conflicts_with = "url")]
    eject: bool,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Device {
    Net,
    Hd,
    Cd,
    /// What the firmware fetches by HTTP
    Http,
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
        self.device != Device::Stat || self.eject
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let wanted = self.wanted();
        if wanted.as_ref().is_none_or(Option::is_none) && (self.persistent || self.uefi) {
            return Err(Failure::usage("-p and -u go with a device to boot from"));
        }
        self.check_url()?;
        let nodes = cx.nodes(&self.noderange)?;
        let backends = cx.backends()?;
        if wanted.is_some() || self.eject {
            let device = wanted.as_ref().and_then(|wanted| Some(wanted.as_ref()?.device));
            cx.check(self.shape.format(), &nodes, |node| {
                if self.moves_media() {
                    backends.media(node)?.check(node)?;
                }
                Ok(backends.boot(node)?.check(node, device)?)
            })?;
        }
        let manner = Manner::from(&self.shape).widened(backends.beyond_fanout(&nodes));
        let ask = async |node: Node| self.ask(backends, node, wanted.clone()).await;
        Ok(cx.each(nodes, manner, ask).await.into())
    }
}

impl Rsetboot {
    /// Whether something is put into a virtual drive, or taken out.
    fn moves_media(&self) -> bool {
        self.eject || (self.url.is_some() && self.device == Device::Cd)
    }

    fn check_url(&self) -> Result<(), Failure> {
        let Some(url) = &self.url else { return Ok(()) };
        if !matches!(self.device, Device::Cd | Device::Http) {
            return Err(Failure::usage("--url goes with cd or http"));
        }
        if urls::has_account(url) {
            return Err(Failure::usage("an account in --url would be seen by everybody, here and at the BMC"));
        }
        if !url.contains("://") || url.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
            return Err(Failure::usage(format!("--url takes an address such as http://10.0.0.1/a.iso, not '{url}'")));
        }
        Ok(())
    }

    async fn ask(
        &self,
        backends: &Backends,
        node: Node,
        wanted: Option<Option<BootOverride>>,
    ) -> Result<Answer, Failure> {
        if self.eject {
            backends.media(&node)?.eject(&node).await?;
        } else if let Some(url) = self.url.as_ref().filter(|_| self.moves_media()) {
            backends.media(&node)?.insert(&node, url).await?;
        }
        let boot = backends.boot(&node)?;
        let mut answer = match wanted {
            None => tell(boot.get(&node).await?),
            Some(wanted) => {
                let now = boot.set(&node, wanted.clone()).await?;
                let doubt = plugins::heeded(wanted.as_ref(), now.as_ref())?;
                Answer { warnings: doubt.into_iter().collect(), ..tell(now) }
            }
        };
        let Some(media) = backends.media(&node).ok().filter(|_| self.device == Device::Stat || self.moves_media())
        else {
            return Ok(answer);
        };
        match media.inserted(&node).await {
            Ok(images) => {
                let images: Vec<String> =
                    images.iter().map(|image| urls::without_accounts(image).into_owned()).collect();
                answer.lines.extend(images.iter().map(|image| format!("Virtual media: {image}")));
                if let Some(data) = &mut answer.data {
                    data["media"] = images.into();
                }
            }
            // What it boots from is known all the same.
            Err(error) => answer.warnings.push(plugins::chain(&error)),
        }
        Ok(answer)
    }

    /// None only asks; `Some(None)` takes the override away.
    fn wanted(&self) -> Option<Option<BootOverride>> {
        let device = match self.device {
            Device::Net => BootDevice::Network,
            Device::Hd => BootDevice::Disk,
            Device::Cd => BootDevice::Cd,
            Device::Http => BootDevice::Http,
            Device::Floppy => BootDevice::Floppy,
            Device::Bios => BootDevice::Setup,
            Device::Default => return Some(None),
            Device::Stat => return None,
        };
        let persistence = if self.persistent { Persistence::Always } else { Persistence::Once };
        let url = self.url.clone().filter(|_| device == BootDevice::Http);
        Some(Some(BootOverride { device, persistence, efi: self.uefi, url }))
    }
}

/// In xCAT's words, which know of the device only; `--json` has the rest.
fn tell(now: Option<BootOverride>) -> Answer {
    let Some(now) = now else {
        return Answer { data: Some(serde_json::json!({ "device": null })), ..Answer::line("boot override inactive") };
    };
    let word = now.device.to_string();
    let persistent = now.persistence == Persistence::Always;
    let mut data = serde_json::json!({ "device": word, "persistent": persistent, "uefi": now.efi });
    let Some(url) = now.url else { return Answer { data: Some(data), ..Answer::line(word) } };
    let url = urls::without_accounts(&url).into_owned();
    let line = format!("{word} {url}");
    data["url"] = url.into();
    Answer { data: Some(data), ..Answer::line(line) }
}
