//! One host of a room: its power, its engine, and commands inside it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::{Error, Result, at, chain};
use crate::kind::Kind;
use crate::place;
use crate::room::{LIMIT, Room, kill, make_key};
use crate::run::{self, Run};
use crate::wait::{Wait, try_wait_for};
use crate::words;

const SYSTEMCTL: &str = include_str!("systemctl.sh");

/// Units that would reach into the kernel, which all hosts share, or work at a time of their own.
const MASKED: &[&str] = &[
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "dev-hugepages.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "kmod-static-nodes.service",
    "modprobe@.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-modules-load.service",
];

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

    /// What it is, as it was installed.
    pub fn kind(&self) -> Result<Kind> {
        let path = self.directory().join("kind");
        let word = fs::read_to_string(&path).map_err(at(&path))?;
        Kind::of_word(&word).ok_or_else(|| Error::Refused(format!("{}: no such kind of host: {word}", path.display())))
    }

    /// Lays out the files in which a host differs from the root.
    pub(crate) fn install(&self, kind: Kind, authorized: &str) -> Result<()> {
        let dir = self.directory();
        for sub in ["work", "root", "srv", "upper/etc/ssh", "upper/root/.ssh"] {
            let sub = dir.join(sub);
            fs::create_dir_all(&sub).map_err(at(&sub))?;
        }
        fs::write(dir.join("kind"), kind.word()).map_err(at(&dir))?;
        let upper = dir.join("upper");
        set_mode(&upper.join("root"), 0o700)?;
        set_mode(&upper.join("root/.ssh"), 0o700)?;
        make_key(&upper.join("etc/ssh/ssh_host_ed25519_key"))?;
        let name = &self.name;
        self.write("etc/hostname", &format!("{name}\n"), 0o644)?;
        self.write("etc/hosts", &format!("127.0.0.1 localhost\n{} {name}\n", self.address()), 0o644)?;
        self.write("etc/resolv.conf", "", 0o644)?;
        self.write("root/.ssh/authorized_keys", authorized, 0o600)?;
        match kind {
            Kind::Light => self.write("usr/local/bin/systemctl", SYSTEMCTL, 0o755)?,
            Kind::Systemd | Kind::Bare => self.install_systemd()?,
        }
        match kind {
            Kind::Light | Kind::Systemd => self.install_engine(),
            Kind::Bare => {
                let store = self.room.engine_of(name);
                fs::create_dir(&store).map_err(at(&store))
            }
        }
    }

    fn write(&self, path: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.directory().join("upper").join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(at(parent))?;
        }
        fs::write(&path, text).map_err(at(&path))?;
        set_mode(&path, mode)
    }

    /// Without an identity a machine takes this start for its very first, and enables every unit there is.
    fn install_systemd(&self) -> Result<()> {
        self.write("etc/machine-id", &format!("{:032x}\n", 0x4c00_u32 + u32::from(self.number)), 0o444)?;
        let units = self.directory().join("upper/etc/systemd/system");
        fs::create_dir_all(&units).map_err(at(&units))?;
        for unit in MASKED {
            let path = units.join(unit);
            symlink("/dev/null", &path).map_err(at(&path))?;
        }
        Ok(())
    }

    fn install_engine(&self) -> Result<()> {
        self.write("etc/docker/daemon.json", DAEMON, 0o644)?;
        let mut copy = Command::new("cp");
        run::must(copy.arg("-a").arg(self.room.root.engine()).arg(self.room.engine_of(&self.name)), LIMIT).map(drop)
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

    /// Gives it power and waits until it is reached by ssh and its engine answers.
    pub fn power_on(&self) -> Result<()> {
        if self.has_power() {
            return Ok(());
        }
        self.switch_on()?;
        self.await_up()
    }

    /// Leaves its addresses to its own files from its next start on; until then and without this they come with its power.
    pub fn addresses_itself(&self) -> Result<()> {
        let path = self.directory().join("addresses-itself");
        fs::write(&path, "").map_err(at(&path))
    }

    /// Restarts it as an administrator would, and waits until it is up again.
    pub fn reboot(&self) -> Result<()> {
        let before = self.pid()?;
        let asked = self.run("systemctl reboot")?;
        // A signal is the end of the host itself.
        if asked.code != 0 && asked.code < 128 {
            return Err(Error::Refused(format!("{} does not restart: {asked}", self.name)));
        }
        try_wait_for(&format!("the restart of {}", self.name), LIMIT, || match self.pid() {
            Ok(pid) if pid != before => Wait::Ready(()),
            _ => Wait::NotYet(self.room.console()),
        })?;
        self.await_up()
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

    /// Waits until it is reached by ssh, its engine answers, if it came with one, and all is started that starts by itself.
    pub(crate) fn await_up(&self) -> Result<()> {
        let kind = self.kind()?;
        if kind != Kind::Bare {
            self.await_engine()?;
        }
        if kind != Kind::Light {
            self.await_units()?;
        }
        let sockets = || {
            let path = PathBuf::from(format!("/proc/{}/net/tcp", self.pid()?));
            fs::read_to_string(&path).map_err(at(&path))
        };
        try_wait_for(&format!("the ssh server of {}", self.name), LIMIT, || match sockets() {
            Ok(sockets) if sockets.contains(":0016 00000000:0000 0A") => Wait::Ready(()),
            Ok(_) => Wait::NotYet(self.room.console()),
            Err(error) => Wait::NotYet(chain(&error)),
        })
    }

    fn await_units(&self) -> Result<()> {
        try_wait_for(&format!("the units of {}", self.name), LIMIT, || match self.run("systemctl is-system-running") {
            Ok(run) if ["running\n", "degraded\n"].contains(&run.stdout.as_str()) => Wait::Ready(()),
            Ok(run) => Wait::NotYet(run.to_string()),
            Err(error) => Wait::NotYet(chain(&error)),
        })
    }

    fn await_engine(&self) -> Result<()> {
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
