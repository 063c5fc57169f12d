//! Two network namespaces of the benchmark's own and a wire between them: servers on one side, clients on the other. They are gone
//! with the programs in them, and those with this one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Result, word};

/// Where servers are, in 10.9.0.0/16, and through which interface.
pub(crate) const SERVER: &str = "10.9.0.1";
pub(crate) const INTERFACE: &str = "server";
pub(crate) const CLIENT: &str = "10.9.255.254";
const STARTING: Duration = Duration::from_secs(30);

/// Nobody survives the program that has started him.
const FOLLOW: [&str; 3] = ["setpriv", "--pdeathsig", "KILL"];

pub(crate) struct Wire {
    server: Child,
    client: Child,
}

/// Which end of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Server,
    Client,
}

impl Wire {
    pub(crate) fn lay() -> Result<Self> {
        let keeper = || {
            let mut command = Command::new(FOLLOW[0]);
            command.args(&FOLLOW[1..]).args(["unshare", "--net", "sleep", "infinity"]).spawn()
        };
        let wire = Self { server: keeper()?, client: keeper()? };
        wire.has_namespaces()?;
        let peer = wire.client.id();
        wire.set_up(
            Side::Server,
            &format!("ip link set dev lo up; ip link add name {INTERFACE} type veth peer name client netns {peer}"),
        )?;
        let up = |device: &str, address: &str| {
            format!("ip link set dev lo up; ip addr add {address}/16 dev {device}; ip link set dev {device} up")
        };
        wire.set_up(Side::Server, &up(INTERFACE, SERVER))?;
        wire.set_up(Side::Client, &up("client", CLIENT))?;
        let carries = "for i in $(seq 100); do if ip -o link show client | grep -q LOWER_UP; then exit; fi; sleep 0.1; done; exit 1";
        wire.set_up(Side::Client, carries)?;
        Ok(wire)
    }

    /// Waits until both have left this program's own namespace.
    fn has_namespaces(&self) -> Result<()> {
        let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/net"));
        let ours = of("self")?;
        for keeper in [&self.server, &self.client] {
            let pid = keeper.id().to_string();
            until("a network namespace", || Ok(of(&pid)? != ours))?;
        }
        Ok(())
    }

    fn set_up(&self, side: Side, script: &str) -> Result<()> {
        let words = self.words(side, &["sh", "-ec", script]);
        let status = Command::new(&words[0]).args(&words[1..]).status()?;
        if status.success() { Ok(()) } else { Err(format!("{status}: {script}").into()) }
    }

    /// A program on one side, as words.
    pub(crate) fn words(&self, side: Side, argv: &[&str]) -> Vec<String> {
        let keeper = match side {
            Side::Server => &self.server,
            Side::Client => &self.client,
        };
        let pid = keeper.id().to_string();
        let entering = ["nsenter", "--net", "--target", &pid];
        FOLLOW.iter().chain(&entering).chain(argv).map(|word| (*word).to_owned()).collect()
    }

    /// What a client prints, which has to succeed.
    pub(crate) fn ask(&self, argv: &[&str]) -> Result<String> {
        let words = self.words(Side::Client, argv);
        let output = Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        Err(format!("{}: {argv:?}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
    }

    /// Starts a server, with a file for all that it says, and waits until `is_up`.
    pub(crate) fn serve(
        &self,
        argv: &[&str],
        env: &[(&str, &Path)],
        log: PathBuf,
        is_up: impl Fn(&str) -> bool,
    ) -> Result<Server> {
        let words = self.words(Side::Server, argv);
        let (out, error) = (File::create(&log)?, File::options().append(true).open(&log)?);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).envs(env.iter().copied()).stdin(Stdio::null()).stdout(out).stderr(error);
        let mut server = Server { process: command.spawn()? };
        until(&format!("{argv:?}, see {}", word(&log)), || {
            if let Some(ended) = server.process.try_wait()? {
                return Err(format!("{ended}: {argv:?}: {}", fs::read_to_string(&log)?).into());
            }
            Ok(is_up(&fs::read_to_string(&log)?))
        })?;
        Ok(server)
    }

    /// Whether a server listens, by the kernel's list of sockets of a kind (`udp`, `tcp`).
    pub(crate) fn listens(&self, kind: &str, port: u16) -> bool {
        let path = format!("/proc/{}/net/{kind}", self.server.id());
        fs::read_to_string(path).is_ok_and(|sockets| sockets.contains(&format!(":{port:04X} 00000000:0000")))
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + STARTING;
    while !is_so()? {
        if Instant::now() > deadline {
            return Err(format!("not up after {} s: {what}", STARTING.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

impl Drop for Wire {
    fn drop(&mut self) {
        end(&mut self.server);
        end(&mut self.client);
    }
}

/// A server that runs, until this is dropped.
pub(crate) struct Server {
    process: Child,
}

impl Server {
    /// The most memory that it has had, with that of the programs that it has started.
    pub(crate) fn peak_kib(&self) -> Result<u64> {
        let family = Command::new("pgrep").args(["--parent", &self.process.id().to_string()]).output()?;
        let children = String::from_utf8_lossy(&family.stdout).into_owned();
        let own = self.process.id().to_string();
        children.split_whitespace().chain([own.as_str()]).map(peak_kib).sum()
    }
}

impl Server {
    /// How long processors have worked for it.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let (_, fields) = text.rsplit_once(')').ok_or("a process without a name")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        // Linux tells programs of a hundredth of a second, whatever it counts in itself.
        Ok(Duration::from_millis(10 * ticks.sum::<std::result::Result<u64, _>>()?))
    }
}

fn peak_kib(process: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn end(process: &mut Child) {
    process.kill().ok(); // it may have ended
    process.wait().ok();
}
