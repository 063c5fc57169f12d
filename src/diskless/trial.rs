//! `imgtest`: a packed image in a virtual machine of this machine, which has no network but the image's own files and somebody whom
//! it tells that it is up, as nodes tell `xcrane serve`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use netboot::image::published::Published;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::{interval, timeout};

use super::callbacks::Callbacks;
use super::program::missing;
use super::{Image, images};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::pressed;
use crate::outcome::Outcome;

/// What the console says on the way, and how far the machine is then.
const STAGES: [(&str, &str); 5] = [
    ("Linux version ", "kernel"),
    ("Run /init as init process", "initial RAM disk"),
    ("xcrane: fetching ", "root file system"),
    ("systemd[1]: ", "system"),
    ("xcrane: booted", "telling that it is up"),
];

/// How often it is looked what the machine has told.
const LOOKING: Duration = Duration::from_millis(200);

/// How many lines of the console tell why one does not come up.
const LAST_WORDS: usize = 12;

/// How many bytes of the console are kept at least, when there are so many.
const KEPT: usize = 16 << 10;

/// How many bytes of what QEMU complains about are read.
const COMPLAINTS: u64 = 4096;

/// What a node has beside its root: the kernel, what it runs, and the writable layer.
const MEMORY_BESIDE: u64 = 512 << 20;

const SERVER: &str = "http://10.0.2.100";

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
    /// What it has told, as `nodelist.status` would have it.
    pub(crate) statuses: Vec<String>,
}

impl Image {
    /// Boots the image and waits until it tells that it is up.
    pub(crate) async fn test(&self, cx: &Context, limit: Duration, processor: Processor) -> Result<Booted, Failure> {
        let packed = Published::open(&images()?, &self.name)
            .map_err(|error| self.refused(&format!("cannot be read: {error}")))?
            .ok_or_else(|| {
                self.refused("it was never packed").hint(format!("pack it with: packimage {}", self.name))
            })?;
        let size = packed.root.metadata().map_err(|error| self.refused(&error.to_string()))?.len();
        let memory = MEMORY_BESIDE + 2 * size;
        super::root::need("busybox", "busybox-static")?;
        let root = packed.root.canonicalize().map_err(|error| self.refused(&error.to_string()))?;
        let callbacks = Callbacks::new(&root)
            .map_err(|error| self.refused(&format!("cannot write what the machine asks for: {error}")))?;
        let mut child =
            self.machine(&packed, &callbacks, memory, processor)?.spawn().map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => missing("qemu-system-x86_64", "qemu-system-x86"),
                _ => self.refused(&format!("cannot run QEMU: {error}")),
            })?;
        let start = Instant::now();
        let console = child.stdout.take().expect("it was asked to be piped");
        let mut said = Said::default();
        let mut keyboard = cx.keyboard();
        let ended = tokio::select! {
            ended = timeout(limit, watch(console, &mut said, &callbacks)) => Some(ended),
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
        let why = match ended {
            Some(Ok(Ended::Booted)) => {
                return Ok(Booted { after: start.elapsed(), memory, statuses: callbacks.told() });
            }
            Some(Ok(Ended::Failed)) => "it has told that it failed".to_owned(),
            Some(Ok(Ended::Gone)) => "the machine has ended".to_owned(),
            Some(Err(_)) => format!("not up after {} s", limit.as_secs()),
            None => return Err(Failure { outcome: Outcome::Interrupted, ..Failure::refused("interrupted") }),
        };
        Err(self.refused(&format!("{why}; {}: {}", said.stage(), said.last_words())))
    }

    /// What a trial does without, because only nodes have it.
    pub(crate) fn left_out_of_test(&self) -> Option<String> {
        let cell = self.cell("addkcmdline").filter(|cell| is_template(cell))?;
        Some(format!("booted without addkcmdline, which is written for each node: {cell}"))
    }

    fn machine(
        &self,
        packed: &Published,
        callbacks: &Callbacks,
        memory: u64,
        processor: Processor,
    ) -> Result<Command, Failure> {
        let place = callbacks.directory().display().to_string();
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
        let words = [packed.words(&format!("{SERVER}/root.sqfs")), callbacks.words(SERVER), further].join(" ");
        command.arg(format!("console=ttyS0 net.ifnames=0 panic=5 {words}"));
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

/// How a machine ended that is watched.
enum Ended {
    /// It has told that it is up.
    Booted,
    /// It has told that it is not.
    Failed,
    /// It has no console any more.
    Gone,
}

/// Reads what it says on its console until it has told how it ended.
async fn watch(mut console: impl AsyncRead + Unpin, said: &mut Said, callbacks: &Callbacks) -> Ended {
    let mut piece = [0; 4096];
    let mut look = interval(LOOKING);
    loop {
        tokio::select! {
            read = console.read(&mut piece) => match read {
                Ok(0) | Err(_) => return Ended::Gone,
                Ok(length) => said.add(&piece[..length]),
            },
            _ = look.tick() => match callbacks.told().last().map(String::as_str) {
                Some("booted") => return Ended::Booted,
                Some("failed") => return Ended::Failed,
                _ => {}
            },
        }
    }
}

/// The end of what a console has said, which may go on for ever and need not have lines; and how far the machine came by it.
#[derive(Debug, Default)]
struct Said {
    last: Vec<u8>,
    /// How many of the stages are reached, those before one included.
    reached: usize,
}

impl Said {
    fn add(&mut self, piece: &[u8]) {
        let longest = STAGES.map(|(mark, _)| mark.len()).into_iter().max().unwrap_or_default();
        let begin = self.last.len().saturating_sub(longest);
        self.last.extend_from_slice(piece);
        let new = &self.last[begin..];
        let is_said = |mark: &str| new.windows(mark.len()).any(|window| window == mark.as_bytes());
        self.reached =
            (1..=STAGES.len()).rev().find(|stage| is_said(STAGES[stage - 1].0)).unwrap_or(0).max(self.reached);
        if self.last.len() > 2 * KEPT {
            self.last.drain(..self.last.len() - KEPT);
        }
    }

    /// Where it is stuck.
    fn stage(&self) -> String {
        match self.reached.checked_sub(1) {
            None => "its kernel has not started".to_owned(),
            Some(stage) => format!("it came to: {}", STAGES[stage].1),
        }
    }

    fn last_words(&self) -> String {
        let text = String::from_utf8_lossy(&self.last);
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
        assert_eq!(said.stage(), "its kernel has not started");
        for _ in 0..100 {
            said.add(&[b'x'; 4096]);
            assert!(said.last.len() <= 2 * KEPT + 4096);
        }
        said.add(b"\r\n\r\none\r\nxcrane: fet");
        assert!(said.last_words().ends_with("x\none\nxcrane: fet"));
        assert_eq!(said.stage(), "its kernel has not started");
        said.add(b"ching http://10.0.2.100/root.sqfs\r\n");
        assert_eq!(said.stage(), "it came to: root file system", "it came in two pieces");
        said.add(b"Linux version is what somebody says");
        assert_eq!(said.stage(), "it came to: root file system", "what is reached stays so");
    }

    #[test]
    fn a_trial_is_told_what_needs_no_node() {
        assert_eq!(further("panic=60  R::quiet console=tty0"), "panic=60 console=tty0");
        assert_eq!(further("panic=60 ip={{ node.ip }}"), "");
        assert_eq!(further("log=!myipfn!"), "");
    }
}
