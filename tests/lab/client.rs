//! Machines that have nothing but a hardware address, and ask for the rest by the DHCP clients of this machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result, at, ok};
use crate::place;
use crate::room::{LIMIT, Room, kill};
use crate::run::{self, Run};
use crate::running::Running;
use crate::stranger::{Stranger, Wire};
use crate::wait::{Wait, wait_for};
use crate::words;

/// Where Debian's packages put the clients.
const TOOLS: &[(&str, &str)] = &[("/bin/busybox", "busybox-static"), ("/usr/sbin/dhclient", "isc-dhcp-client")];

/// Called by both clients with what they were told in its environment; configures the port as they want it.
const SCRIPT: &str = include_str!("lease.sh");

/// A machine on a wire, by its hardware address.
#[derive(Debug)]
pub struct Client<'a> {
    machine: Stranger<'a>,
    dir: PathBuf,
}

impl Room {
    /// Plugs in a machine with this hardware address and no other.
    pub fn client(&self, wire: Wire, mac: &str) -> Result<Client<'_>> {
        for (tool, package) in TOOLS {
            if !Path::new(tool).exists() {
                return Err(Error::MissingTool { tool, package });
            }
        }
        let dir = self.directory().join("clients").join(mac);
        fs::create_dir_all(&dir).map_err(at(&dir))?;
        let script = dir.join("lease.sh");
        fs::write(&script, SCRIPT).map_err(at(&script))?;
        fs::set_permissions(&script, Permissions::from_mode(0o755)).map_err(at(&script))?;
        // Its address is of no network, and goes at once.
        let machine = self.stranger(wire, "192.0.2.1/32")?;
        let client = Client { machine, dir };
        let setup = format!("ip link set eth0 down && ip link set eth0 address {mac} up && ip -4 addr flush dev eth0");
        run::must(client.command("sh").args(["-c", &setup]), LIMIT)?;
        Ok(client)
    }
}

impl Client<'_> {
    /// A program of this machine in the client's network.
    fn command(&self, program: &str) -> Command {
        let mut command = self.machine.outside(program);
        command.env("LEASE", self.told_file());
        command
    }

    fn script(&self) -> PathBuf {
        self.dir.join("lease.sh")
    }

    /// busybox asks three times within three seconds and ends.
    pub fn udhcpc(&self, more: &[&str]) -> Run {
        let mut command = self.command("/bin/busybox");
        command.args(["udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "3", "-T", "1", "-A", "1", "-s"]);
        command.arg(self.script()).args(more);
        ok(run::run(&mut command, "", LIMIT))
    }

    /// ISC's client takes a lease and remembers it for its next run. It is ended then as by a power cut.
    pub fn dhclient(&self) -> Run {
        let mut command = self.command("/usr/sbin/dhclient");
        let pid = self.dir.join("pid");
        command.args(["-4", "-1", "-v", "-cf", "/dev/null", "-lf"]).arg(self.dir.join("leases")).arg("-pf").arg(&pid);
        command
            .arg("-sf")
            .arg(self.script())
            .arg("-e")
            .arg(format!("LEASE={}", self.told_file().display()))
            .arg("eth0");
        fs::remove_file(&pid).ok(); // of the run before
        let run = ok(run::run(&mut command, "", LIMIT));
        if run.code == 0 {
            // What goes on in the background writes its number when the client has ended.
            let number = wait_for("dhclient's number", LIMIT, || match place::read_pid(&pid) {
                Some(number) => Wait::Ready(number),
                None => Wait::NotYet(run.stderr.clone()),
            });
            ok(kill(number));
        }
        run
    }

    fn told_file(&self) -> PathBuf {
        self.dir.join("told")
    }

    /// What it was told at last, a line `name=value` each, in order.
    pub fn told(&self) -> String {
        fs::read_to_string(self.told_file()).unwrap_or_default()
    }

    /// Its address with the length of the network's mask, as the kernel has it; empty if it has none.
    pub fn address(&self) -> String {
        let addresses = "ip -4 -o addr show dev eth0 | awk '{print $4}'";
        ok(run::must(self.command("sh").args(["-c", addresses]), LIMIT)).trim().to_owned()
    }

    /// Runs a shell script with the programs of this machine.
    pub fn shell(&self, script: &str) -> Run {
        ok(run::run(self.command("sh").args(["-c", script]), "", LIMIT))
    }

    /// Starts a program of this machine on it, which ends with the test.
    pub fn spawn(&self, line: &str) -> Running {
        let words = words::split(line);
        let (program, arguments) = words.split_first().expect("a command line");
        let mut command = self.machine.outside_bound(program);
        command.args(arguments);
        ok(Running::spawn(command, Vec::new()))
    }

    /// Plugs it into another wire as well, by `eth1`, with an address such as `10.99.0.1/24`.
    pub fn join(&self, wire: Wire, address: &str) {
        ok(self.machine.join(wire, address));
    }
}
