//! `imgtest`: a packed image in a virtual machine of this machine, which has no network but the image's own files.

use std::process::Stdio;
use std::time::{Duration, Instant};

use netboot::image::published::{self, Published};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::program::missing;
use super::{Image, images};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// What the initial RAM disk has the root say when all of it is up.
const UP: &str = "xcrane: booted";

/// How many lines of the console tell why one does not come up.
const LAST_WORDS: usize = 12;

/// How many bytes of what QEMU complains about are read.
const COMPLAINTS: u64 = 4096;

/// What a node has beside its root: the kernel, what it runs, and the writable layer.
const MEMORY_BESIDE: u64 = 512 << 20;

const URL: &str = "http://10.0.2.100/root.sqfs";

/// What the machine computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processor {
    /// This machine's where it has KVM.
    Real,
    /// One that QEMU plays: KVM within a virtual machine may be there and not work.
    Emulated,
}

/// How a trial ended.
#[derive(Debug)]
pub(crate) struct Booted {
    pub(crate) after: Duration,
    /// Bytes.
    pub(crate) memory: u64,
}

impl Image {
    /// Boots the image and waits until it says that it is up.
    pub(crate) async fn test(&self, cx: &Context, limit: Duration, processor: Processor) -> Result<Booted, Failure> {
        let refused = |why: String| Failure::refused(format!("image {}: {why}", self.name));
        let packed = Published::open(&images()?, &self.name)
            .map_err(|error| refused(format!("cannot be read: {error}")))?
            .ok_or_else(|| {
                refused("it was never packed".into()).hint(format!("pack it with: packimage {}", self.name))
            })?;
        let size = packed.root.metadata().map_err(|error| refused(error.to_string()))?.len();
        let memory = MEMORY_BESIDE + 2 * size;
        let dir = published::directory(&images()?, &self.name);
        let place = dir.display().to_string();
        if place.contains([',', ' ']) {
            return Err(refused(format!("QEMU takes no path with a comma or a space: {place}")));
        }
        super::root::need("busybox", "busybox-static")?;
        let mut command = Command::new("qemu-system-x86_64");
        if processor == Processor::Real {
            command.args(["-accel", "kvm"]);
        }
        command.args(["-accel", "tcg,tb-size=128", "-display", "none", "-no-user-config", "-nodefaults", "-no-reboot"]);
        command.args(["-m", &format!("{}M", memory >> 20), "-serial", "stdio", "-device", "virtio-net-pci,netdev=n0"]);
        // A connection to that address is a server of files of its own, on a pipe: nothing listens on this machine.
        command
            .arg("-netdev")
            .arg(format!("user,id=n0,restrict=on,guestfwd=tcp:10.0.2.100:80-cmd:busybox httpd -i -h {place}"));
        command.arg("-kernel").arg(&packed.kernel).arg("-initrd").arg(&packed.initrd).arg("-append");
        let further = self.cell("addkcmdline").unwrap_or_default();
        command.arg(format!("console=ttyS0 net.ifnames=0 panic=5 {} xcrane.node=imgtest {further}", packed.words(URL)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => missing("qemu-system-x86_64", "qemu-system-x86"),
            _ => refused(format!("cannot run QEMU: {error}")),
        })?;
        let start = Instant::now();
        let console = child.stdout.take().expect("it was asked to be piped");
        let mut said = Vec::new();
        let mut keyboard = cx.keyboard();
        let pressed = async {
            match &mut keyboard {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = timeout(limit, watch(console, &mut said)) => Some(ended),
            () = pressed => None,
        };
        cx.give_back(keyboard);
        child.kill().await.ok(); // it may have ended
        if let Some(complaints) = &mut child.stderr {
            let mut text = String::new();
            complaints.take(COMPLAINTS).read_to_string(&mut text).await.ok();
            said.extend(text.lines().map(str::to_owned));
        }
        match ended {
            Some(Ok(true)) => Ok(Booted { after: start.elapsed(), memory }),
            Some(Ok(false)) => Err(refused(format!("the machine has ended: {}", last_words(&said)))),
            Some(Err(_)) => Err(refused(format!("not up after {} s: {}", limit.as_secs(), last_words(&said)))),
            None => Err(Failure { outcome: Outcome::Interrupted, ..Failure::refused("interrupted") }),
        }
    }
}

/// Reads until the root is up; whether it came so far.
async fn watch(console: impl AsyncRead + Unpin, said: &mut Vec<String>) -> bool {
    let mut lines = BufReader::new(console).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        let is_up = line.contains(UP);
        said.push(line);
        if is_up {
            return true;
        }
    }
    false
}

fn last_words(said: &[String]) -> String {
    let lines: Vec<&str> = said.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    match lines.len() {
        0 => "it has said nothing".to_owned(),
        count => lines[count.saturating_sub(LAST_WORDS)..].join("\n"),
    }
}
