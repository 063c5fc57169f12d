//! `nodeset`: what nodes do at their next boot over the network.

use clap::Args;
use netboot::script::State;
use tables::Node;

use super::{Run, Shape};
use crate::boot::{Scripts, Steps, Wanted, chained};
use crate::config;
use crate::context::Context;
use crate::diskless::root::keys;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};

/// Set or show what nodes do when they boot over the network
#[derive(Debug, Args)]
#[command(
    after_help = "The daemon gives a node its script at the moment it asks: what is set is live at once, and nothing is generated.

  osimage[=IMAGE]   boot this image, without a name that of attribute provmethod
  boot              boot from the own disk
  offline           let the firmware go on
  shell             a shell in the maintenance system, or iPXE's own where there is none
  standby           wait in the maintenance system
  runcmd=COMMAND    run a command there; runimage=URL an archive, whose runme.sh is run
  reboot            once more through the firmware
  shutdown          off, by the maintenance system
  stat              show what is set, and by comma what comes after it

Several by comma are done one after the other: the next begins when a command or an archive has succeeded, a shell was left, an
image is up. The last stays, and is done at every boot until something else is set; after commands nodes stand by. boot, offline
and standby can only be the last. A command that fails stops there, with nodelist.status failed. Scripts and
kernel command lines (addkcmdline) can be read by everybody who reaches the daemon.

A node whose script cannot be written refuses all. An image is found in $XCRANE_HOME/images/IMAGE, where packimage puts it, or in
linuximage.rootimgdir as xCAT lays it out; one with provmethod=install is installed to the disk: the kernel and RAM disk of the
installer are looked for in linuximage.kerneldir and pkgdir (an installation medium), its answers are written when it asks for them,
and when it is done the node boots from its disk. linuximage.boottarget names a kernel of table boottarget instead. The columns
bootparams.kcmdline and addkcmdline may use {{ server }}, {{ name }} and {{ node.ATTRIBUTE }}. Templates of the scripts can be
replaced in $XCRANE_HOME/boot; the maintenance system is made by mknb.

Examples:
  nodeset rack1 osimage=debian12-x86_64-netboot-compute
  nodeset n1 runcmd=bmcsetup,osimage
  nodeset all stat -b
  nodeset n1 --show             the script that n1 would get now
  nodeset n1 boot --show        and after that, which is not written"
)]
pub(crate) struct Nodeset {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// What to do, several by comma one after the other, or stat
    #[arg(value_name = "STATE", default_value = "stat")]
    state: Ask,
    /// Show the script that the nodes would get, and the answers of their installers; nothing is written
    #[arg(long)]
    show: bool,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Ask {
    Stat,
    Set(Steps),
}

impl std::str::FromStr for Ask {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "stat" { Ok(Self::Stat) } else { text.parse().map(Self::Set) }
    }
}

impl Run for Nodeset {
    fn is_audited(&self) -> bool {
        matches!(self.state, Ask::Set(_)) && !self.show
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let steps = match &self.state {
            Ask::Stat if self.show => return self.scripts(cx, nodes).await,
            Ask::Stat => {
                self.tell(cx, &nodes, |node| chained(&State::of(node), node.get("currchain").unwrap_or_default()));
                return Ok(Outcome::Done);
            }
            Ask::Set(steps) => steps.clone(),
        };
        let wanted = Wanted::new(cx, &config::home()?, steps, &nodes)?;
        cx.check(self.shape.format(), &nodes, |node| wanted.check(node))?;
        if self.show {
            return self.scripts(cx, nodes.iter().map(|node| wanted.applied(node)).collect()).await;
        }
        cx.tables()?.try_edit(&cx.origin(None), |edit| wanted.write(edit, &nodes))?;
        self.tell(cx, &nodes, |node| wanted.told(node));
        Ok(Outcome::Done)
    }
}

impl Nodeset {
    fn tell(&self, cx: &Context, nodes: &[Node], state: impl Fn(&Node) -> String) {
        for node in nodes {
            let body = Body::Answer(Answer::line(state(node)));
            cx.ui.reply(self.shape.format(), Reply { node: Some(node.name().to_owned()), body });
        }
        cx.ui.finish_folding();
    }

    async fn scripts(&self, cx: &Context, nodes: Vec<Node>) -> Result<Outcome, Failure> {
        let scripts = Scripts::new(cx.tables()?, keys(&cx.settings()?))?;
        let show = async |node: Node| {
            let mut text = scripts.write(&node)?;
            for (name, answers) in scripts.answers(&node)? {
                text.push_str(&format!("\n== {name}\n{answers}"));
            }
            Ok(Answer { lines: text.lines().map(str::to_owned).collect(), ..Answer::default() })
        };
        Ok(cx.each(nodes, (&self.shape).into(), show).await.into())
    }
}
