//! Machines that nobody has defined: they have an address on one of the wires, and answer for it.

use std::fs;
use std::process::Command;

use crate::error::{Error, Result, at};
use crate::place;
use crate::room::{LIMIT, Room, kill};
use crate::run::{self, Run};
use crate::wait::{Wait, try_wait_for};
use crate::words;

/// The wires of a room, by the device that hosts have on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// The management network, where `eth0` of every host is.
    Management,
    /// A wire without addresses, where `eth1` of every host is.
    Second,
}

impl Wire {
    /// What distinguishes the names of its ports and its bridge.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Management => 0,
            Self::Second => 1,
        }
    }
}

/// A machine with a network of its own and the files of a Docker host, which it must not write to. It lives as long as its room.
#[derive(Debug)]
pub struct Stranger<'a> {
    room: &'a Room,
    name: String,
    pid: u32,
}

impl Room {
    /// Plugs a stranger into a wire, with an address such as `10.77.0.77/24`.
    pub fn stranger(&self, wire: Wire, address: &str) -> Result<Stranger<'_>> {
        let dir = self.directory().join("strangers");
        fs::create_dir_all(&dir).map_err(at(&dir))?;
        let name = format!("s{}", fs::read_dir(&dir).map_err(at(&dir))?.count());
        let pid = dir.join(&name);
        fs::write(&pid, "").map_err(at(&pid))?;
        self.launch(&["stranger", &name, &wire.number().to_string(), address])?;
        let pid = try_wait_for(&format!("the stranger {address}"), LIMIT, || match place::read_pid(&pid) {
            Some(pid) => Wait::Ready(pid),
            None => Wait::NotYet(self.console()),
        })?;
        Ok(Stranger { room: self, name, pid })
    }
}

impl Stranger<'_> {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.pid));
        command.arg(format!("--root={}", self.room.root.directory().join("system").display()));
        command.arg(program).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// A program of this machine, with its files, in the stranger's network.
    pub(crate) fn outside(&self, program: &str) -> Command {
        self.in_network(Command::new("nsenter"), program)
    }

    /// The same, but it is killed when the thread that starts it ends.
    pub(crate) fn outside_bound(&self, program: &str) -> Command {
        self.in_network(run::bound("nsenter"), program)
    }

    fn in_network(&self, mut command: Command, program: &str) -> Command {
        command.arg(format!("--net=/proc/{}/ns/net", self.pid)).arg(program);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// Plugs it into another wire as well, by `eth1`, with an address such as `10.99.0.1/24`.
    pub(crate) fn join(&self, wire: Wire, address: &str) -> Result<()> {
        let (port, network) = (format!("{}b", self.name), format!("/proc/{}/ns/net", self.pid));
        let mut add = self.room.manage("ip")?;
        let pair = ["link", "add", &port, "type", "veth", "peer", "name", "eth1", "netns", &network];
        run::must(add.args(pair), LIMIT)?;
        let mut plug = self.room.manage("ip")?;
        run::must(plug.args(["link", "set", &port, "master", &format!("br{}", wire.number()), "up"]), LIMIT)?;
        let up = format!("ip addr add {address} dev eth1 && ip link set eth1 up");
        run::must(self.outside("sh").args(["-c", &up]), LIMIT).map(drop)
    }

    /// Runs a command line on it: words and quotes, no shell.
    pub fn run(&self, line: &str) -> Result<Run> {
        let words = words::split(line);
        let (program, arguments) = words.split_first().ok_or_else(|| Error::Refused("an empty command line".into()))?;
        run::run(self.command(program).args(arguments), "", LIMIT)
    }

    /// Runs a shell script on it that must succeed; its output.
    pub fn shell(&self, script: &str) -> Result<String> {
        run::must(self.command("sh").args(["-c", script]), LIMIT)
    }

    /// Unplugs it.
    pub fn leave(self) -> Result<()> {
        let mut ip = self.room.manage("ip")?;
        run::must(ip.args(["link", "del", &self.name]), LIMIT)?;
        kill(self.pid)
    }
}
