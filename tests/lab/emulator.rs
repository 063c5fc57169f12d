//! Redfish as others have it: the emulator of sushy-tools, from PyPI, behind TLS, over a machine of ours that is files.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::error::{Result, at, ok};
use crate::pypi;
use crate::redfish::certificate::Identity;
use crate::room::{LIMIT, Room};
use crate::wait::{Wait, try_wait_for};

const SCRIPT: &str = include_str!("emulator.py");
/// Where it is over files; that of machine N is at 10.79.2.N.
const ADDRESS: [u8; 4] = [10, 79, 1, 1];

/// The emulated machine; what it shows is read from its files, past its BMC.
#[derive(Debug)]
pub struct Emulator<'a>(pub(crate) &'a Room);

impl Room {
    fn emulator_directory(&self) -> PathBuf {
        self.directory().join("emulator")
    }

    /// Starts the emulator at 10.79.1.1: user admin, password secret.
    pub fn start_emulator(&self) -> Result<()> {
        self.emulate(ADDRESS, &self.emulator_directory(), None)
    }

    /// Starts the emulator over the virtual machine in a directory.
    pub(crate) fn emulate_machine(&self, number: u8, machine: &Path) -> Result<()> {
        self.emulate([10, 79, 2, number], &machine.join("redfish"), Some(machine))
    }

    fn emulate(&self, address: [u8; 4], dir: &Path, machine: Option<&Path>) -> Result<()> {
        let python = pypi::install()?.join("python");
        fs::create_dir_all(dir).map_err(at(dir))?;
        let Identity { certificate, key } = Identity::new()?;
        let files = [("emulator.py", SCRIPT), ("power", "Off"), ("boot", "Hdd"), ("log", "")];
        for (name, text) in files.into_iter().chain([("cert.pem", &*certificate), ("key.pem", &*key)]) {
            fs::write(dir.join(name), text).map_err(at(dir))?;
        }
        let shown = Ipv4Addr::from(address).to_string();
        let [python, dir] = [&python, dir].map(|path| path.to_string_lossy());
        let machine = machine.map(Path::to_string_lossy);
        let words = ["emulator", &shown, &python, &dir];
        self.launch(&words.into_iter().chain(machine.as_deref()).collect::<Vec<_>>())?;
        try_wait_for("the emulator", LIMIT, || match self.hears(address) {
            Ok(true) => Wait::Ready(()),
            _ => Wait::NotYet(self.console()),
        })
    }

    fn hears(&self, address: [u8; 4]) -> Result<bool> {
        let path = format!("/proc/{}/net/tcp", self.keeper()?);
        let sockets = fs::read_to_string(&path).map_err(at(Path::new(&path)))?;
        Ok(sockets.contains(&format!("{:08X}:01BB 00000000:0000 0A", u32::from_le_bytes(address))))
    }
}

impl Emulator<'_> {
    fn read(&self, name: &str) -> String {
        let path = self.0.emulator_directory().join(name);
        ok(fs::read_to_string(&path).map_err(at(&path)))
    }

    /// What was done to the machine, a line each, such as `reset On` and `boot Pxe`.
    pub fn log(&self) -> String {
        self.read("log")
    }

    /// Switches the machine without its BMC being asked, as a button does.
    pub fn switch(&self, on: bool) {
        let path = self.0.emulator_directory().join("power");
        ok(fs::write(&path, if on { "On" } else { "Off" }).map_err(at(&path)));
    }
}
