//! One host of a room: its power, its engine, and commands inside it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::{Error, Result, at};
use crate::place;
use crate::room::{LIMIT, Room, kill, make_key};
use crate::run::{self, Run};
use crate::wait::{Wait, try_wait_for};
use crate::words;

const SYSTEMCTL: &str = include_str!("systemctl.sh");

/// How the engine of every host is set up; a registry on the management network may speak plain HTTP.
const DAEMON: &str = r#"{"storage-driver": "overlay2", "insecure-registries": ["10.77.0.254:5000"]}
"#;

/// A host with its own network, processes, files, sshd and Docker engine.
#[derive(Debug)]
pub struct Host<'a> {
    pub(crate) room: &'a Room,
    pub(crate) name: String,
    pub(crate) number: u8,
}

impl Host<'_> {
    /// Its name, such as `h1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address on the management network.
    pub fn address(&self) -> String {
        format!("10.77.0.{}", self.number)
    }

    /// The words that tell xcrane about it: a node of group `hosts` whose engine is reached by ssh.
    pub fn definition(&self) -> Vec<String> {
        let (name, address) = (&self.name, self.address());
        let endpoint = format!("dockerendpoint=ssh://root@{address}");
        vec!["mkdef".into(), name.clone(), "groups=hosts".into(), format!("ip={address}"), endpoint]
    }

    fn directory(&self) -> PathBuf {
        self.room.directory().join(&self.name)
    }

    /// Lays out the files in which a host differs from the root.
    pub(crate) fn install(&self, authorized: &str) -> Result<()> {
        let dir = self.directory();
        let upper = dir.join("upper");
        for sub in ["work", "root", "upper/etc/ssh", "upper/etc/docker", "upper/root/.ssh", "upper/usr/local/bin"] {
            let sub = dir.join(sub);
            fs::create_dir_all(&sub).map_err(at(&sub))?;
        }
        set_mode(&upper.join("root"), 0o700)?;
        set_mode(&upper.join("root/.ssh"), 0o700)?;
        make_key(&upper.join("etc/ssh/ssh_host_ed25519_key"))?;
        let name = &self.name;
        for (path, text, mode) in [
            ("etc/hostname", format!("{name}\n"), 0o644),
            ("etc/hosts", format!("127.0.0.1 localhost\n{} {name}\n", self.address()), 0o644),
            ("etc/resolv.conf", String::new(), 0o644),
            ("etc/docker/daemon.json", DAEMON.to_owned(), 0o644),
            ("root/.ssh/authorized_keys", authorized.to_owned(), 0o600),
            ("usr/local/bin/systemctl", SYSTEMCTL.to_owned(), 0o755),
        ] {
            let path = upper.join(path);
            fs::write(&path, text).map_err(at(&path))?;
            set_mode(&path, mode)?;
        }
        let mut copy = Command::new("cp");
        run::must(copy.arg("-a").arg(self.room.root.engine()).arg(self.room.engine_of(name)), LIMIT)?;
        Ok(())
    }

    /// The public key by which it is known.
    pub(crate) fn key(&self) -> Result<String> {
        let path = self.directory().join("upper/etc/ssh/ssh_host_ed25519_key.pub");
        fs::read_to_string(&path).map_err(at(&path))
    }

    /// Begins to start it; see [`Host::power_on`] for one that waits.
    pub(crate) fn switch_on(&self) -> Result<()> {
        self.room.launch(&["power", &self.name, &self.number.to_string()])
    }

    /// Gives it power and waits until its engine answers.
    pub fn power_on(&self) -> Result<()> {
        if self.has_power() {
            return Ok(());
        }
        self.switch_on()?;
        self.await_engine()
    }

    /// Cuts its power: all its processes, mounts and addresses are gone at once, what was on disk stays.
    pub fn power_off(&self) -> Result<()> {
        let Ok(pid) = self.pid() else { return Ok(()) };
        kill(pid)?;
        // The kernel takes its time to end a network that nobody uses any more, and until then that refuses connections.
        self.unplug()?;
        let gone = self.directory().join("pid");
        try_wait_for(&format!("the end of {}", self.name), LIMIT, || {
            if gone.exists() { Wait::NotYet(self.room.console()) } else { Wait::Ready(()) }
        })
    }

    /// Whether it runs.
    pub fn has_power(&self) -> bool {
        self.pid().is_ok()
    }

    /// The number of its first process as this machine counts.
    pub fn pid(&self) -> Result<u32> {
        place::read_pid(&self.directory().join("pid"))
            .filter(|pid| Path::new(&format!("/proc/{pid}")).exists())
            .ok_or_else(|| Error::Refused(format!("{} has no power", self.name)))
    }

    /// The socket of its engine as a path on this machine, for what wants a local engine.
    pub fn socket(&self) -> Result<PathBuf> {
        Ok(PathBuf::from(format!("/proc/{}/root/run/docker.sock", self.pid()?)))
    }

    pub(crate) fn await_engine(&self) -> Result<()> {
        try_wait_for(&format!("the engine of {}", self.name), LIMIT, || {
            match self.socket().map_err(|error| error.to_string()).and_then(|socket| ping(&socket)) {
                Ok(()) => Wait::Ready(()),
                Err(status) => Wait::NotYet(format!("{status}\n{}", self.room.console())),
            }
        })
    }

    /// A program to be run inside it as root.
    pub fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new("nsenter");
        command.args(["--all", "--target", &self.pid()?.to_string(), program]).env_clear();
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/root");
        Ok(command)
    }

    /// Runs a command line inside it: words and quotes, no shell.
    pub fn run(&self, line: &str) -> Result<Run> {
        let words = words::split(line);
        let (program, arguments) = words.split_first().ok_or_else(|| Error::Refused("an empty command line".into()))?;
        run::run(self.command(program)?.args(arguments), "", LIMIT)
    }

    /// Runs a shell script inside it that must succeed; its output.
    pub fn shell(&self, script: &str) -> Result<String> {
        run::must(self.command("sh")?.args(["-c", script]), LIMIT)
    }

    /// Asks its engine by Docker's own client, such as `inspect c1`.
    pub fn docker(&self, line: &str) -> Result<Run> {
        self.run(&format!("docker {line}"))
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at(path))
}

/// One `GET /_ping` by hand, so that the lab trusts no client but itself.
fn ping(socket: &Path) -> std::result::Result<(), String> {
    let answer = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /_ping HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    match answer() {
        Ok(answer) if answer.contains(" 200 ") => Ok(()),
        Ok(answer) => Err(format!("the engine answers {:?}", answer.lines().next().unwrap_or_default())),
        Err(error) => Err(format!("{}: {error}", socket.display())),
    }
}
