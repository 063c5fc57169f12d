//! `imgtest`: a packed image in a virtual machine of this machine, which has no network but the image's own files.

use std::process::Stdio;
use std::time::{Duration, Instant};

use netboot::image::published::{self, Published};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::program::missing;
use super::{Image, images};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::pressed;
use crate::outcome::Outcome;

/// What the initial RAM disk has the root say when all of it is up.
const UP: &str = "xcrane: booted";

/// How many lines of the console tell why one does not come up.
const LAST_WORDS: usize = 12;

/// How many bytes of the console are kept at least, when there are so many.
const KEPT: usize = 16 << 10;

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
        let packed = Published::open(&images()?, &self.name)
            .map_err(|error| self.refused(&format!("cannot be read: {error}")))?
            .ok_or_else(|| {
                self.refused("it was never packed").hint(format!("pack it with: packimage {}", self.name))
            })?;
        let size = packed.root.metadata().map_err(|error| self.refused(&error.to_string()))?.len();
        let memory = MEMORY_BESIDE + 2 * size;
        super::root::need("busybox", "busybox-static")?;
        let mut child = self.machine(&packed, memory, processor)?.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => missing("qemu-system-x86_64", "qemu-system-x86"),
            _ => self.refused(&format!("cannot run QEMU: {error}")),
        })?;
        let start = Instant::now();
        let console = child.stdout.take().expect("it was asked to be piped");
        let mut said = Said::default();
        let mut keyboard = cx.keyboard();
        let ended = tokio::select! {
            ended = timeout(limit, watch(console, &mut said)) => Some(ended),
            () = pressed(&mut keyboard) => None,
        };
        cx.give_back(keyboard);
        child.kill().await.ok(); // it may have ended
        if let Some(complaints) = &mut child.stderr {
            let mut text = Vec::new();
            complaints.take(COMPLAINTS).read_to_end(&mut text).await.ok();
            said.add(b"\n");
            said.add(&text);
        }
        match ended {
            Some(Ok(true)) => Ok(Booted { after: start.elapsed(), memory }),
            Some(Ok(false)) => Err(self.refused(&format!("the machine has ended: {}", said.last_words()))),
            Some(Err(_)) => Err(self.refused(&format!("not up after {} s: {}", limit.as_secs(), said.last_words()))),
            None => Err(Failure { outcome: Outcome::Interrupted, ..Failure::refused("interrupted") }),
        }
    }

    /// What a trial does without, because only nodes have it.
    pub(crate) fn left_out_of_test(&self) -> Option<String> {
        let cell = self.cell("addkcmdline").filter(|cell| is_template(cell))?;
        Some(format!("booted without addkcmdline, which is written for each node: {cell}"))
    }

    fn machine(&self, packed: &Published, memory: u64, processor: Processor) -> Result<Command, Failure> {
        let place = published::directory(&images()?, &self.name).display().to_string();
        if place.contains([',', ' ']) {
            return Err(self.refused(&format!("QEMU takes no path with a comma or a space: {place}")));
        }
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
        let further = further(self.cell("addkcmdline").unwrap_or_default());
        command.arg(format!("console=ttyS0 net.ifnames=0 panic=5 {} xcrane.node=imgtest {further}", packed.words(URL)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        Ok(command)
    }

    fn refused(&self, why: &str) -> Failure {
        Failure::refused(format!("image {}: {why}", self.name))
    }
}

/// What the kernel is told beside its root. A template cannot be filled in: there is no node, and no server of nodes.
fn further(addkcmdline: &str) -> String {
    if is_template(addkcmdline) {
        return String::new();
    }
    // What has `R::` before it is for the installed system, as on nodes.
    let words: Vec<&str> = addkcmdline.split_whitespace().filter(|word| !word.starts_with("R::")).collect();
    words.join(" ")
}

fn is_template(addkcmdline: &str) -> bool {
    ["{{", "{%", "{#", "!myipfn!"].iter().any(|mark| addkcmdline.contains(mark))
}

/// Reads until the root is up; whether it came so far.
async fn watch(mut console: impl AsyncRead + Unpin, said: &mut Said) -> bool {
    let mut piece = [0; 4096];
    loop {
        match console.read(&mut piece).await {
            Ok(0) | Err(_) => return false,
            Ok(length) if said.add(&piece[..length]) => return true,
            Ok(_) => (),
        }
    }
}

/// The end of what a console has said, which may go on for ever and need not have lines.
#[derive(Debug, Default)]
struct Said(Vec<u8>);

impl Said {
    /// Whether the root is up by these words and those before.
    fn add(&mut self, piece: &[u8]) -> bool {
        let begin = self.0.len().saturating_sub(UP.len());
        self.0.extend_from_slice(piece);
        let is_up = self.0[begin..].windows(UP.len()).any(|window| window == UP.as_bytes());
        if self.0.len() > 2 * KEPT {
            self.0.drain(..self.0.len() - KEPT);
        }
        is_up
    }

    fn last_words(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        match lines.len() {
            0 => "it has said nothing".to_owned(),
            count => lines[count.saturating_sub(LAST_WORDS)..].join("\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_console_is_kept() {
        let mut said = Said::default();
        assert_eq!(said.last_words(), "it has said nothing");
        for _ in 0..100 {
            assert!(!said.add(&[b'x'; 4096]));
            assert!(said.0.len() <= 2 * KEPT + 4096);
        }
        assert!(!said.add(b"\r\n\r\none\r\nxcrane: bo"));
        assert!(said.last_words().ends_with("x\none\nxcrane: bo"));
        assert!(said.add(b"oted\r\n"), "it came in two pieces");
        assert!(!said.add(b"and more"));
    }

    #[test]
    fn a_trial_is_told_what_needs_no_node() {
        assert_eq!(further("panic=60  R::quiet console=tty0"), "panic=60 console=tty0");
        assert_eq!(further("panic=60 ip={{ node.ip }}"), "");
        assert_eq!(further("log=!myipfn!"), "");
    }
}
