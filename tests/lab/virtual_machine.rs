//! Servers that really start: a virtual machine behind the BMC, with firmware, an empty disk and a cable to the management network.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result, at, ok};
use crate::room::{LIMIT, Room};
use crate::root::need;
use crate::run;
use crate::server::Server;
use crate::wait::{Wait, try_wait_for};

const SCRIPT: &str = include_str!("machine.sh");

/// The variables of UEFI as they leave the factory.
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// How many bytes of a console tell why a machine does not get on.
const LAST_WORDS: usize = 3000;

/// What a machine starts with; both can boot from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    Bios,
    Uefi,
}

/// What switches a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// `ipmi_sim`
    Ipmi,
    /// The emulator of sushy-tools.
    Redfish,
}

impl Firmware {
    fn word(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
        }
    }
}

impl Room {
    /// Puts up a machine that is off; its BMC switches it on.
    pub fn start_machine(&self, number: u8, firmware: Firmware, controller: Controller) -> Result<()> {
        need("qemu-system-x86_64", "qemu-system-x86")?;
        if firmware == Firmware::Uefi && !Path::new(VARIABLES).exists() {
            return Err(Error::MissingTool { tool: VARIABLES, package: "ovmf" });
        }
        let server = self.server(number);
        let dir = server.directory();
        fs::create_dir_all(&dir).map_err(at(&dir))?;
        let machine = format!("number={number} firmware={}\n", firmware.word());
        for (name, text) in [("machine.sh", SCRIPT), ("machine", &machine), ("console", "")] {
            fs::write(dir.join(name), text).map_err(at(&dir))?;
        }
        let cable = format!("m{number}");
        for words in [
            ["tuntap", "add", "dev", &cable, "mode", "tap"].as_slice(),
            ["link", "set", &cable, "master", "br0", "up"].as_slice(),
        ] {
            run::must(self.manage("ip")?.args(words), LIMIT)?;
        }
        match controller {
            Controller::Ipmi => self.start_server(number),
            Controller::Redfish => {
                server.write_chassis()?;
                self.emulate_machine(number, &dir)
            }
        }
    }

    /// A server or machine by its number.
    pub fn server(&self, number: u8) -> Server<'_> {
        Server { room: self, number }
    }

    /// The number of the first machine or server that there is none of yet.
    pub(crate) fn next_server(&self) -> u8 {
        let is_there = |number: &u8| self.server(*number).directory().exists();
        (1..u8::MAX).find(|number| !is_there(number)).expect("a room has fewer servers")
    }
}

impl Server<'_> {
    /// The hardware address of its cable.
    pub fn mac(&self) -> String {
        format!("52:54:00:77:00:{:02x}", self.number)
    }

    /// The address that it is to be given.
    pub fn ip(&self) -> String {
        format!("10.77.0.{}", 100 + u16::from(self.number))
    }

    /// The command line that tells xcrane of the machine: node m1, … of group `metal`.
    pub fn definition(&self) -> Vec<String> {
        let (number, mac, ip) = (self.number, self.mac(), self.ip());
        let (mgt, bmc) = match self.directory().join("redfish").exists() {
            true => ("redfish", format!("10.79.2.{number}")),
            false => ("ipmi", self.address()),
        };
        let attributes = format!(
            "groups=metal,all mgt={mgt} bmc={bmc} bmcusername=admin bmcpassword=secret mac={mac} ip={ip} \
             netboot=xnba arch=x86_64"
        );
        let attributes = attributes.split(' ').map(str::to_owned);
        ["mkdef".to_owned(), format!("m{number}")].into_iter().chain(attributes).collect()
    }

    /// The file with all that it has written to its serial port, over all its starts.
    pub fn console_file(&self) -> PathBuf {
        self.directory().join("console")
    }

    /// All that it has written to its serial port, over all its starts.
    pub fn console(&self) -> String {
        let path = self.console_file();
        let bytes = ok(fs::read(&path).map_err(at(&path)));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until it has written `text` to its serial port `times` times.
    #[track_caller]
    pub fn await_console(&self, text: &str, times: usize, limit: Duration) {
        let what = format!("'{text}' on the console of machine {}", self.number);
        ok(try_wait_for(&what, limit, || {
            let console = self.console();
            if console.matches(text).count() >= times {
                return Wait::Ready(());
            }
            let complaints = fs::read_to_string(self.directory().join("qemu.log")).unwrap_or_default();
            let last: String = console.chars().skip(console.chars().count().saturating_sub(LAST_WORDS)).collect();
            Wait::NotYet(format!("{complaints}{last}"))
        }));
    }
}
