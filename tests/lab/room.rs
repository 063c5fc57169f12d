//! A machine room: hosts `h1`, `h2`, … at 10.77.0.1, …, a management network at 10.77.0.254 and a second wire, all in namespaces of their own.
//!
//! Every room has its own network, so that the same addresses can be used in several rooms at once.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::error::{Error, Result, at};
use crate::host::Host;
use crate::kind::Kind;
use crate::root::Root;
use crate::wait::{Wait, try_wait_for};
use crate::{place, run};

/// Limits are for a machine that is busy with many labs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// A lab ends with its directory, which may hold gigabytes on a disk that others write to.
const END: Duration = Duration::from_secs(300);

/// Who a room dies with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The process that made it, however that ends.
    Caller,
    /// Nobody: it stays until it is taken down.
    Nobody,
}

/// Hosts and the network they are managed through.
#[derive(Debug)]
pub struct Room {
    dir: PathBuf,
    pub(crate) root: Root,
    keeper: Option<Child>,
}

impl Room {
    /// Makes the management network in a claimed directory.
    pub fn keep(dir: &Path, root: Root, owner: Owner) -> Result<Self> {
        let script = dir.join("host.sh");
        fs::write(&script, place::SCRIPT).map_err(at(&script))?;
        let mut room = Self { dir: dir.to_owned(), root, keeper: None };
        let mut command = Command::new("setsid");
        command.arg("bash").arg(&script).arg("watch");
        room.in_environment(&mut command)?;
        let owned = owner == Owner::Caller;
        command.env("OWNED", if owned { "yes" } else { "no" });
        command.stdin(if owned { Stdio::piped() } else { Stdio::null() });
        let child = command.spawn().map_err(|source| Error::Start { what: "the keeper".into(), source })?;
        room.keeper = Some(child);
        try_wait_for("the management network", LIMIT, || match place::keeper(dir) {
            Some(_) => Wait::Ready(()),
            None => Wait::NotYet(room.console()),
        })?;
        Ok(room)
    }

    /// A room that is there already.
    pub fn open(dir: &Path) -> Result<Self> {
        if place::keeper(dir).is_none() {
            return Err(Error::Refused(format!("no lab is up in {}", dir.display())));
        }
        Ok(Self { dir: dir.to_owned(), root: Root::ready()?, keeper: None })
    }

    /// What `host.sh` wants to know, and a place for what it has to complain about.
    fn in_environment(&self, command: &mut Command) -> Result<()> {
        let path = self.dir.join("console.log");
        let console = OpenOptions::new().create(true).append(true).open(&path).map_err(at(&path))?;
        let errors = console.try_clone().map_err(at(&path))?;
        command.env("LAB", &self.dir).env("TAG", place::tag(&self.dir)).env("ROOT", self.root.directory());
        command.stdin(Stdio::null()).stdout(console).stderr(errors);
        Ok(())
    }

    /// What the scripts of this room complained about.
    pub(crate) fn console(&self) -> String {
        fs::read_to_string(self.dir.join("console.log")).unwrap_or_default()
    }

    /// The directory of everything in this room.
    pub fn directory(&self) -> &Path {
        &self.dir
    }

    /// `/var/lib/docker` of a host as it is on this machine's disk.
    pub(crate) fn engine_of(&self, host: &str) -> PathBuf {
        self.dir.join(host).join("docker")
    }

    pub(crate) fn registry_directory(&self) -> PathBuf {
        self.dir.join("registry")
    }

    /// The home directory of whoever works in this room; its `.ssh` opens every host.
    pub fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// Where xcrane keeps what it knows in this room, `$XCRANE_HOME`.
    pub fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Brings up `count` more hosts, the first of all being `h1`, and waits until they are reached by ssh and their engines answer.
    /// The image that engines have in store is `busybox.tar` at home.
    pub fn start(&self, count: u8, kind: Kind) -> Result<()> {
        let key = self.make_key()?;
        let image = self.home().join("busybox.tar");
        if self.root.image_file().exists() {
            fs::copy(self.root.image_file(), &image).map_err(at(&image))?;
        }
        let before = self.hosts().last().map_or(0, |host| host.number);
        let hosts: Vec<Host<'_>> = (before + 1..=before + count).map(|number| self.numbered(number)).collect();
        for host in &hosts {
            host.install(kind, &key)?;
            host.switch_on()?;
        }
        self.trust(&hosts)?;
        hosts.iter().try_for_each(Host::await_up)
    }

    /// Makes the key that opens every host; its public half.
    fn make_key(&self) -> Result<String> {
        let dir = self.home().join(".ssh");
        fs::create_dir_all(&dir).map_err(at(&dir))?;
        fs::set_permissions(&dir, Permissions::from_mode(0o700)).map_err(at(&dir))?;
        let key = dir.join("id_ed25519");
        make_key(&key)?;
        let public = key.with_extension("pub");
        fs::read_to_string(&public).map_err(at(&public))
    }

    fn trust(&self, hosts: &[Host<'_>]) -> Result<()> {
        let path = self.home().join(".ssh/known_hosts");
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(at(&path))?;
        for host in hosts {
            writeln!(file, "{} {}", host.address(), host.key()?.trim()).map_err(at(&path))?;
        }
        Ok(())
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> Result<Host<'_>> {
        let number = name.strip_prefix('h').and_then(|number| number.parse().ok());
        match number.filter(|_| self.dir.join(name).is_dir()) {
            Some(number) => Ok(self.numbered(number)),
            None => Err(Error::Refused(format!("{name}: no such host in this lab"))),
        }
    }

    fn numbered(&self, number: u8) -> Host<'_> {
        Host { room: self, name: format!("h{number}"), number }
    }

    /// All hosts, whether they have power or not.
    pub fn hosts(&self) -> Vec<Host<'_>> {
        (1..254).filter(|number| self.dir.join(format!("h{number}")).is_dir()).map(|n| self.numbered(n)).collect()
    }

    /// A program to be run on the management network. Files and processes are those of the machine.
    pub fn manage(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        let mut command = Command::new("nsenter");
        command.arg(self.network()?).arg(program);
        Ok(command)
    }

    /// The same, but it is killed when the thread that starts it ends.
    pub fn manage_bound(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        let mut command = run::bound("nsenter");
        command.arg(self.network()?).arg(program);
        Ok(command)
    }

    fn network(&self) -> Result<String> {
        Ok(format!("--net=/proc/{}/ns/net", self.keeper()?))
    }

    pub(crate) fn keeper(&self) -> Result<u32> {
        place::keeper(&self.dir).ok_or_else(|| Error::Refused(format!("the lab {} is dead", self.dir.display())))
    }

    /// Starts a part of `host.sh` that lives on by itself as long as the room does.
    pub(crate) fn launch(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new("setsid");
        command.args(["--fork", "nsenter", "--target", &self.keeper()?.to_string(), "--pid", "--net", "--mount"]);
        command.arg("bash").arg(self.dir.join("host.sh")).args(arguments);
        self.in_environment(&mut command)?;
        let status = command.status().map_err(|source| Error::Start { what: format!("{command:?}"), source })?;
        if status.success() { Ok(()) } else { Err(Error::Refused(format!("{arguments:?} failed: {}", self.console()))) }
    }

    /// Starts a registry at 10.77.0.254:5000, which all hosts trust and which has `busybox:lab`.
    pub fn start_registry(&self) -> Result<()> {
        let storage = self.registry_directory();
        if !storage.exists() {
            let mut copy = Command::new("cp");
            run::must(copy.arg("-a").arg(self.root.registry()).arg(&storage), LIMIT)?;
        }
        let config = storage.join("config.yml");
        fs::write(&config, REGISTRY).map_err(at(&config))?;
        self.launch(&["registry"])?;
        self.await_listener("the registry", 5000)
    }

    /// Whether something on the management network listens at 10.77.0.254.
    pub(crate) fn listens(&self, port: u16) -> Result<bool> {
        let path = format!("/proc/{}/net/tcp", self.keeper()?);
        let sockets = fs::read_to_string(&path).map_err(at(Path::new(&path)))?;
        Ok(sockets.contains(&format!("FE004D0A:{port:04X} 00000000:0000 0A")))
    }

    pub(crate) fn await_listener(&self, what: &str, port: u16) -> Result<()> {
        try_wait_for(what, LIMIT, || match self.listens(port) {
            Ok(true) => Wait::Ready(()),
            _ => Wait::NotYet(self.console()),
        })
    }

    /// Takes everything down, without a trace.
    pub fn stop(&mut self) -> Result<()> {
        match &mut self.keeper {
            Some(keeper) => drop(keeper.stdin.take()),
            None => kill(self.keeper()?)?,
        }
        try_wait_for("the end of the lab", END, || {
            // Ended children must be asked for, or they stay as zombies.
            let watched = self.keeper.as_mut().is_some_and(|keeper| matches!(keeper.try_wait(), Ok(None)));
            if self.dir.exists() || watched { Wait::NotYet(self.console()) } else { Wait::Ready(()) }
        })
    }
}

const REGISTRY: &str = "\
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: /srv/data}, delete: {enabled: true}}
http: {addr: '10.77.0.254:5000'}
";

pub(crate) fn make_key(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f"]).arg(path);
    run::must(&mut keygen, LIMIT).map(drop)
}

pub(crate) fn kill(pid: u32) -> Result<()> {
    let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
    match nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(errno) => Err(Error::Refused(format!("cannot end process {pid}: {errno}"))),
    }
}
