//! `lab`: Docker hosts on this machine by hand, for people who try things and for scripts.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for developers, without a user interface of its own"
)]

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};
use lab::{
    Controller, Error, Firmware, Host, Kind, Owner, Result, Room, Root, Wire, chain, claim, clean, default_directory,
    install_pypi, labs,
};

mod shell;

/// Real Docker hosts h1, h2, … on this machine, at 10.77.0.1, 10.77.0.2, …
#[derive(Parser)]
struct Lab {
    /// Name of the lab; several may be up at once
    #[arg(long, global = true, default_value = "xl")]
    prefix: String,
    /// Directory that holds the directories of labs [default: xcrane-lab in $TMPDIR]
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make the read-only root of all hosts, unless it is there
    Root,
    /// Bring up hosts
    Up {
        #[command(flatten)]
        hosts: Hosts,
        /// Only these hosts have the image busybox:lab
        #[arg(long, value_delimiter = ',')]
        image_on: Option<Vec<String>>,
    },
    /// Take everything down
    Down,
    /// Show the hosts and what they do
    Status,
    /// Sweep away what killed labs have left
    Clean,
    /// Bring up hosts, give a shell on their management network, take them down at its end
    Shell(shell::Shell),
    /// Start a registry at 10.77.0.254:5000
    Registry,
    /// Serve packages to hosts as an apt repository; prints its URL
    Packages,
    /// Plug in a foreign machine that answers for an address such as 10.77.0.77/24
    Stranger {
        address: String,
        /// On the wire where eth1 of every host is
        #[arg(long)]
        second: bool,
    },
    /// Start machine NUMBER (1 to 254) with a real BMC, ipmi_sim, at 10.79.0.NUMBER; user admin, password secret
    Server { number: u8 },
    /// Put up machine NUMBER, which is off: a server as above with a virtual machine behind its BMC and a cable to the management network; prints its definition
    Machine {
        number: u8,
        /// It starts by UEFI, not by BIOS
        #[arg(long)]
        uefi: bool,
        /// Its BMC is sushy-tools' emulator of Redfish
        #[arg(long)]
        redfish: bool,
    },
    /// Be the BMC of every address of 10.78.0.0/16, until interrupted; user admin, password secret
    Bmcs,
    /// Start a machine whose BMC is sushy-tools' emulator of Redfish, at 10.79.1.1; user admin, password secret
    Emulator,
    /// Be the BMC, by Redfish, of every address of 10.78.0.0/16, until interrupted; user admin, password secret
    RedfishBmcs,
    /// Run a program on the management network
    #[command(arg_required_else_help = true)]
    Mgmt {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Run a program inside a host, a shell if none is given
    Sh {
        host: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    #[command(flatten)]
    Host(HostAction),
}

/// How many hosts of which kind.
#[derive(clap::Args)]
pub(crate) struct Hosts {
    /// Docker hosts
    #[arg(default_value_t = 2)]
    hosts: u8,
    /// They run systemd: real units, a journal, `systemctl reboot`
    #[arg(long)]
    systemd: bool,
    /// So many hosts more that have systemd and sshd only
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    bare: u8,
}

impl Hosts {
    /// Brings them up.
    pub(crate) fn start(&self, room: &Room) -> Result<()> {
        room.start(self.hosts, if self.systemd { Kind::Systemd } else { Kind::Light })?;
        room.start(self.bare, Kind::Bare)
    }
}

#[derive(Subcommand)]
enum HostAction {
    /// Give a host power
    On { host: String },
    /// Cut its power
    Off { host: String },
    /// Restart it by `systemctl reboot`
    Reboot { host: String },
    /// Pull its cable
    Cut {
        host: String,
        /// That of eth1
        #[arg(long)]
        second: bool,
    },
    /// Let nothing larger than BYTES through its cable; 1500 undoes it
    Mtu {
        host: String,
        bytes: u16,
        /// That of eth1
        #[arg(long)]
        second: bool,
    },
    /// Undo cut, slow, refuse and hang-engine
    Heal { host: String },
    /// Stop its ssh server, so that it refuses connections
    Refuse { host: String },
    /// End the ssh connections that stand; new ones are taken
    DropConnections { host: String },
    /// Make its cable slow
    Slow {
        host: String,
        #[arg(default_value = "64kbit")]
        rate: String,
    },
    /// Stop its engine
    StopEngine { host: String },
    /// Start its engine
    StartEngine { host: String },
    /// Freeze its engine, so that it takes connections and never answers
    HangEngine { host: String },
    /// Fill the disk of its engine
    FillDisk { host: String },
    /// Make room on the disk of its engine
    FreeDisk { host: String },
}

fn main() -> ExitCode {
    match run(Lab::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("Error: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(lab: Lab) -> Result<ExitCode> {
    let parent = lab.dir.unwrap_or_else(default_directory);
    let dir = parent.join(&lab.prefix);
    match lab.action {
        Action::Root => {
            println!("{}", Root::ready()?.directory().display());
            install_pypi()?;
        }
        Action::Up { hosts, image_on } => up(&dir, &hosts, image_on.as_deref())?,
        Action::Down => Room::open(&dir)?.stop()?,
        Action::Status => labs(&parent).iter().try_for_each(|dir| status(&Room::open(dir)?))?,
        Action::Clean => clean(&parent)?.iter().for_each(|name| println!("{name}: swept away")),
        Action::Shell(shell) => return shell.run(&dir),
        Action::Registry => Room::open(&dir)?.start_registry()?,
        Action::Packages => println!("{}", Room::open(&dir)?.serve_packages()?),
        Action::Stranger { address, second } => Room::open(&dir)?.stranger(wire(second), &address).map(drop)?,
        Action::Server { number } => Room::open(&dir)?.start_server(number)?,
        Action::Machine { number, uefi, redfish } => {
            let firmware = if uefi { Firmware::Uefi } else { Firmware::Bios };
            let controller = if redfish { Controller::Redfish } else { Controller::Ipmi };
            machine(&Room::open(&dir)?, number, firmware, controller)?;
        }
        Action::Bmcs => {
            let _bmcs = Room::open(&dir)?.start_bmcs()?;
            stay();
        }
        Action::RedfishBmcs => {
            let _bmcs = Room::open(&dir)?.start_redfish_bmcs()?;
            stay();
        }
        Action::Emulator => Room::open(&dir)?.start_emulator()?,
        Action::Mgmt { command } => return Err(become_program(&mut manage(&Room::open(&dir)?, &command)?)),
        Action::Sh { host, command } => {
            return Err(become_program(&mut enter(&Room::open(&dir)?.host(&host)?, &command)?));
        }
        Action::Host(action) => act(&Room::open(&dir)?, &action)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Until somebody interrupts.
fn stay() -> ! {
    loop {
        std::thread::park();
    }
}

fn up(dir: &std::path::Path, hosts: &Hosts, image_on: Option<&[String]>) -> Result<()> {
    let root = Root::ready()?;
    claim(dir)?;
    let room = Room::keep(dir, root, Owner::Nobody)?;
    hosts.start(&room)?;
    let Some(image_on) = image_on else { return Ok(()) };
    for host in room.hosts().iter().filter(|host| !image_on.iter().any(|name| name == host.name())) {
        if host.kind()? != Kind::Bare {
            host.shell("docker rmi busybox:lab")?;
        }
    }
    Ok(())
}

fn machine(room: &Room, number: u8, firmware: Firmware, controller: Controller) -> Result<()> {
    room.start_machine(number, firmware, controller)?;
    let server = room.server(number);
    println!("{}", server.definition().join(" "));
    println!("# console: rcons m{number}, or read {}", server.console_file().display());
    Ok(())
}

fn status(room: &Room) -> Result<()> {
    println!("{}", room.directory().display());
    for host in room.hosts() {
        let state = if host.has_power() { engine_state(&host)? } else { "off".to_owned() };
        println!("  {} {}: {state}", host.name(), host.address());
    }
    Ok(())
}

fn engine_state(host: &Host<'_>) -> Result<String> {
    if host.run("which docker")?.code != 0 {
        return Ok("on, it has no engine".to_owned());
    }
    let run = host.run("timeout 5 docker ps --quiet")?;
    let containers = run.stdout.lines().count();
    Ok(if run.code == 0 { format!("on, {containers} containers run") } else { "on, its engine does not answer".into() })
}

fn act(room: &Room, action: &HostAction) -> Result<()> {
    match action {
        HostAction::On { host } => room.host(host)?.power_on(),
        HostAction::Off { host } => room.host(host)?.power_off(),
        HostAction::Reboot { host } => room.host(host)?.reboot(),
        HostAction::Cut { host, second: false } => room.host(host)?.cut(),
        HostAction::Cut { host, second: true } => room.host(host)?.cut_wire(),
        HostAction::Mtu { host, bytes, second } => room.host(host)?.mtu(wire(*second), *bytes),
        HostAction::Heal { host } => room.host(host)?.heal(),
        HostAction::Refuse { host } => room.host(host)?.refuse(),
        HostAction::DropConnections { host } => room.host(host)?.drop_connections(),
        HostAction::Slow { host, rate } => room.host(host)?.slow(rate),
        HostAction::StopEngine { host } => room.host(host)?.stop_engine(),
        HostAction::StartEngine { host } => room.host(host)?.start_engine(),
        HostAction::HangEngine { host } => room.host(host)?.hang_engine(),
        HostAction::FillDisk { host } => room.host(host)?.fill_disk(),
        HostAction::FreeDisk { host } => room.host(host)?.free_disk(),
    }
}

fn wire(second: bool) -> Wire {
    if second { Wire::Second } else { Wire::Management }
}

fn manage(room: &Room, command: &[String]) -> Result<Command> {
    let (program, arguments) = command.split_first().ok_or_else(|| Error::Refused("no command".into()))?;
    let mut command = room.manage(program)?;
    command.args(arguments);
    Ok(command)
}

fn enter(host: &Host<'_>, command: &[String]) -> Result<Command> {
    let Some((program, arguments)) = command.split_first() else { return host.command("bash") };
    let mut command = host.command(program)?;
    command.args(arguments);
    Ok(command)
}

/// Goes on as `command`; comes back with an error only.
fn become_program(command: &mut Command) -> Error {
    let source = command.exec();
    Error::Start { what: format!("{command:?}"), source }
}
