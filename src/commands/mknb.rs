//! `mknb`: the system that machines run which nobody knows yet, or which are to run a command and no more.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Run;
use crate::context::Context;
use crate::diskless::maintenance::Parts;
use crate::diskless::root::need;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// Make the maintenance system, which discovers machines and runs commands on nodes
#[derive(Debug, Args)]
#[command(
    after_help = "It is a kernel and an initial RAM disk with busybox and drivers for networks, disks and BMCs, in genesis of xcrane's home,
from where xcrane serve gives it to machines that no node has the MAC address of, and to nodes whose state is runcmd, runimage,
shell, standby or shutdown. A machine that nobody knows tells what it is and waits; see nodediscoverls.

The kernel is this machine's own, or that of a root or of packages. Programs that are added are commands for runcmd=…. Two of
this machine are taken along, and missed with a warning: ipmitool, which tells the address of a BMC, and tcpdump, which hears the
switch's LLDP for at most 40 s, while all else is told. An added neighbour is used in its place: it is told a card and prints
the switch, a tab and the port. Libraries come along.

Examples:
  mknb x86_64
  mknb x86_64 --package linux-image-6.1.0-40-amd64_6.1.153-1_amd64.deb
  mknb x86_64 --add /usr/local/bin/neighbour
  mknb x86_64 --root /var/lib/xcrane/roots/compute/rootimg --add bmcsetup"
)]
pub(crate) struct Mknb {
    /// For which machines
    #[arg(value_enum, value_name = "ARCH")]
    architecture: Architecture,
    /// Take the kernel from this root
    #[arg(long, value_name = "DIR", default_value = "/", conflicts_with = "packages")]
    root: PathBuf,
    /// Take the kernel from this package of Debian; once for each that it takes
    #[arg(long = "package", value_name = "FILE")]
    packages: Vec<PathBuf>,
    /// Of several kernels take this
    #[arg(long, value_name = "VERSION")]
    kernelver: Option<String>,
    /// Add this program; once for each
    #[arg(long = "add", value_name = "FILE")]
    programs: Vec<PathBuf>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Architecture {
    /// 64-bit PCs
    #[value(name = "x86_64")]
    X86,
    /// 64-bit ARM, on a machine of that kind; untested
    #[value(name = "aarch64")]
    Arm,
}

impl Run for Mknb {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let architecture = match self.architecture {
            Architecture::X86 => "x86_64",
            Architecture::Arm => "aarch64",
        };
        if architecture != std::env::consts::ARCH {
            return Err(Failure::refused(format!(
                "it is for {architecture}, and busybox of this machine is for {}",
                std::env::consts::ARCH
            )));
        }
        need("modprobe", "kmod")?;
        let parts =
            Parts { root: self.root, packages: self.packages, release: self.kernelver, programs: self.programs };
        let made = parts.make(cx, architecture).await?;
        let line = format!("made kernel {} with {} modules, initrd {}", made.release, made.modules, made.size);
        let data = json!({ "architecture": architecture, "release": made.release, "modules": made.modules });
        let body = Body::Answer(Answer { data: Some(data), ..Answer::line(line) });
        let format = if self.json { Format::Json } else { Format::Lines };
        cx.ui.reply(format, Reply { node: Some("genesis".to_owned()), body });
        Ok(Outcome::Done)
    }
}
