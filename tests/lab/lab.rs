//! A world for one test: its own home and state directories, a bare environment, and hosts if it wants some.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::bmc::Bmcs;
use crate::client::Client;
use crate::emulator::Emulator;
use crate::error::{at, ok};
use crate::kind::Kind;
use crate::redfish::RedfishBmcs;
use crate::room::{Owner, Room};
use crate::root::Root;
use crate::run::{self, Names, Run};
use crate::running::{Pty, Running};
use crate::serial::Serial;
use crate::server::Server;
use crate::stranger::Wire;
use crate::test_host::TestHost;
use crate::test_stranger::TestStranger;
use crate::virtual_machine::{Controller, Firmware};
use crate::{medium, place, pypi, words};

/// No command under test takes longer, however busy the machine.
const LIMIT: Duration = Duration::from_secs(120);

/// What a test stands in. All of it is gone when this is dropped or its process ends, even by SIGKILL.
///
/// A lab that does not work is no finding about the program under test, so its functions panic instead of returning errors.
#[derive(Debug)]
pub struct Lab {
    program: PathBuf,
    dir: PathBuf,
    room: Option<Room>,
    env: Vec<(String, String)>,
    /// The serial ports of machines, from machine 1 on.
    serials: Vec<Serial>,
}

impl Lab {
    /// A lab without hosts in which `program` (`env!("CARGO_BIN_EXE_xcrane")`) is run.
    pub fn new(program: impl AsRef<Path>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let lab = Self {
            program: program.as_ref().to_owned(),
            dir: place::default_directory().join(name),
            room: None,
            env: Vec::new(),
            serials: Vec::new(),
        };
        ok(place::claim(&lab.dir));
        for dir in [lab.home(), lab.state(), lab.links()] {
            ok(fs::create_dir(&dir).map_err(at(&dir)));
        }
        let link = lab.links().join("xcrane");
        ok(symlink(&lab.program, &link).map_err(at(&link)));
        let config = lab.home().join("xcrane.toml");
        ok(fs::write(&config, "").map_err(at(&config)));
        lab
    }

    /// Brings up hosts `h1` to `h<count>` at 10.77.0.1 and so on, each with an engine that has the image `busybox:lab` and the
    /// network `cluster`, 10.100.0.0/16; `$HOME/busybox.tar` is that image as a file. Everything run from now on is run on their management network, at 10.77.0.254.
    #[must_use]
    pub fn hosts(self, count: u8) -> Self {
        self.more_hosts(count, Kind::Light)
    }

    /// Brings up the management network only.
    #[must_use]
    pub fn network(mut self) -> Self {
        self.need_room();
        self
    }

    /// A machine on the management network with this hardware address, which has to ask for all the rest.
    pub fn client(&self, mac: &str) -> Client<'_> {
        ok(self.room().client(Wire::Management, mac))
    }

    /// The same on the wire where `eth1` of every host is.
    pub fn client_on_wire(&self, mac: &str) -> Client<'_> {
        ok(self.room().client(Wire::Second, mac))
    }

    /// The same with systemd as their first process: real units, a journal, `systemctl reboot`. Open vSwitch is installed on them, and disabled.
    ///
    /// Hosts of several kinds are numbered on: after `.systemd_hosts(3).bare_hosts(1)` the bare one is `h4`.
    #[must_use]
    pub fn systemd_hosts(self, count: u8) -> Self {
        self.more_hosts(count, Kind::Systemd)
    }

    /// Hosts with systemd and an ssh server, on which nobody has installed anything yet.
    #[must_use]
    pub fn bare_hosts(self, count: u8) -> Self {
        self.more_hosts(count, Kind::Bare)
    }

    fn more_hosts(mut self, count: u8, kind: Kind) -> Self {
        self.need_room();
        ok(self.room().start(count, kind));
        self
    }

    fn need_room(&mut self) {
        if self.room.is_none() {
            let root = ok(Root::ready());
            self.room = Some(ok(Room::keep(&self.dir, root, Owner::Caller)));
        }
    }

    /// Starts machines 1 to `count` with a real BMC each, which is `ipmi_sim` of OpenIPMI.
    #[must_use]
    pub fn servers(mut self, count: u8) -> Self {
        self.need_room();
        for number in 1..=count {
            // Before its BMC, which looks for it only now and then.
            let serial = ok(self.room().serial(number));
            self.serials.push(serial);
            ok(self.room().start_server(number));
        }
        self
    }

    /// Puts up `count` machines that really start, by BIOS, as [`Self::servers`] with a virtual machine behind each BMC and a cable to the
    /// management network: what serves DHCP at 10.77.0.254 can boot them. They are off.
    ///
    /// Machines of several kinds are numbered on, as hosts are.
    #[must_use]
    pub fn machines(self, count: u8) -> Self {
        self.more_machines(count, Firmware::Bios, Controller::Ipmi)
    }

    /// The same with UEFI.
    #[must_use]
    pub fn uefi_machines(self, count: u8) -> Self {
        self.more_machines(count, Firmware::Uefi, Controller::Ipmi)
    }

    /// The same with sushy-tools' emulator of Redfish as their BMCs.
    #[must_use]
    pub fn redfish_machines(self, count: u8) -> Self {
        self.more_machines(count, Firmware::Uefi, Controller::Redfish)
    }

    fn more_machines(mut self, count: u8, firmware: Firmware, controller: Controller) -> Self {
        self.need_room();
        for _ in 0..count {
            ok(self.room().start_machine(self.room().next_server(), firmware, controller));
        }
        self
    }

    /// A machine by its number.
    pub fn server(&self, number: u8) -> Server<'_> {
        self.room().server(number)
    }

    /// The serial port of a machine by its number.
    pub fn serial(&self, number: u8) -> &Serial {
        &self.serials[usize::from(number) - 1]
    }

    /// Starts a BMC on every address of 10.78.0.0/16, for scale and faults; not beside [`Self::servers`].
    pub fn simulated_bmcs(&mut self) -> Bmcs {
        self.need_room();
        ok(self.room().start_bmcs())
    }

    /// The same with BMCs that speak Redfish.
    pub fn redfish_bmcs(&mut self) -> RedfishBmcs {
        self.need_room();
        ok(self.room().start_redfish_bmcs())
    }

    /// Starts a machine whose BMC, at 10.79.1.1, is sushy-tools' emulator of Redfish.
    #[must_use]
    pub fn emulated(mut self) -> Self {
        self.need_room();
        ok(self.room().start_emulator());
        self
    }

    /// That machine.
    pub fn emulator(&self) -> Emulator<'_> {
        Emulator(self.room())
    }

    /// Takes the image away from a host.
    #[must_use]
    pub fn without_image(self, host: &str) -> Self {
        self.host(host).docker("rmi busybox:lab").success();
        self
    }

    /// Starts a registry at 10.77.0.254:5000, which all hosts trust and which has `busybox:lab`.
    #[must_use]
    pub fn registry(self) -> Self {
        ok(self.room().start_registry());
        self
    }

    /// Sets a variable in the environment of everything run from now on.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Tells the program about all hosts: nodes `h1`, … of group `hosts` that are reached by ssh.
    #[must_use]
    pub fn define_hosts(self) -> Self {
        for host in self.room().hosts() {
            self.run(&host.definition().join(" ")).success();
        }
        self
    }

    /// `$HOME`, which is also the working directory.
    pub fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// `$XCRANE_HOME`.
    pub fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// First in `$PATH`; `xcrane` is in it, and `xcrane link` may make more.
    pub fn links(&self) -> PathBuf {
        self.dir.join("bin")
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    fn room(&self) -> &Room {
        self.room.as_ref().expect("this test has asked for no hosts")
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> TestHost<'_> {
        TestHost(ok(self.room().host(name)))
    }

    /// A foreign machine on the management network, with an address such as `10.77.0.77`.
    pub fn stranger(&self, address: &str) -> TestStranger<'_> {
        TestStranger(ok(self.room().stranger(Wire::Management, &format!("{address}/24"))))
    }

    /// A foreign machine on the wire where `eth1` of every host is, with an address such as `10.100.0.9/16`.
    pub fn stranger_on_wire(&self, address: &str) -> TestStranger<'_> {
        TestStranger(ok(self.room().stranger(Wire::Second, address)))
    }

    /// The URL of an apt repository, `deb [trusted=yes] URL ./`, with all that makes a bare host a Docker host of the lab.
    pub fn package_source(&self) -> String {
        ok(self.room().serve_packages())
    }

    /// The same repository as a directory of this machine.
    pub fn package_directory(&self) -> PathBuf {
        self.room().package_directory()
    }

    /// A medium of Debian as a directory, with the installer that boots from the network in `netboot`. Made the first time, which takes minutes.
    pub fn installation_medium(&self) -> PathBuf {
        ok(medium::ready())
    }

    /// What pykickstart, by which the Red Hat family installs, says of answers in the home directory; `version` is such as `RHEL9`.
    pub fn check_kickstart(&self, version: &str, name: &str) -> Run {
        ok(pypi::check_kickstart(version, &self.home().join(name)))
    }

    /// Runs the program under test with a command line as one would type it; a first word `xcrane` is understood.
    pub fn run(&self, line: &str) -> Run {
        self.run_with_stdin(line, "")
    }

    /// The same with something on its standard input.
    pub fn run_with_stdin(&self, line: &str, input: &str) -> Run {
        let run = ok(run::run(&mut self.command(line), input, LIMIT));
        Run { names: self.names(), ..run }
    }

    /// Runs a shell script in the same surroundings, for pipes and redirections; `xcrane` is in its `$PATH`.
    pub fn shell(&self, script: &str) -> Run {
        let mut command = self.on_network(Path::new("/bin/sh"));
        command.args(["-c", script]);
        let run = ok(run::run(&mut command, "", LIMIT));
        Run { names: self.names(), ..run }
    }

    /// Starts the program under test, to be looked at, signalled or killed while it runs.
    pub fn spawn(&self, line: &str) -> Running {
        ok(Running::spawn(self.command(line), self.names()))
    }

    /// Starts the program under test on a terminal of its own.
    pub fn spawn_pty(&self, line: &str, rows: u16, columns: u16) -> Pty {
        ok(Pty::spawn(&self.command(line), self.names(), rows, columns))
    }

    fn names(&self) -> Names {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        vec![(path(self.state()), "$XCRANE_HOME"), (path(self.home()), "$HOME")]
    }

    fn command(&self, line: &str) -> Command {
        let words = words::split(line);
        let arguments = words.strip_prefix(&["xcrane".to_owned()]).unwrap_or(&words);
        let mut command = self.on_network(&self.program);
        command.args(arguments);
        command
    }

    fn on_network(&self, program: &Path) -> Command {
        let mut command = match &self.room {
            Some(room) => ok(room.manage_bound(program)),
            None => run::bound(program),
        };
        command.current_dir(self.home()).env_clear();
        let path = format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", self.links().display());
        command.env("PATH", path);
        command.env("HOME", self.home()).env("XCRANE_HOME", self.state());
        command.env("XCRANE_CONFIG", self.home().join("xcrane.toml"));
        command.env("USER", "root").env("TZ", "UTC").env("LC_ALL", "C.UTF-8").env("TERM", "xterm");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.serials.clear();
        let ended = match &mut self.room {
            Some(room) => room.stop().err().map(|error| error.to_string()),
            None => fs::remove_dir_all(&self.dir).err().map(|error| error.to_string()),
        };
        // A second panic would hide the first.
        if let Some(error) = ended.filter(|_| !std::thread::panicking()) {
            panic!("the lab does not end: {error}");
        }
    }
}
