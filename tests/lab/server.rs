//! Machines with a real BMC: `ipmi_sim` speaks IPMI, a script keeps what the machine behind it is, or starts and stops one that is virtual.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bmc::Bmcs;
use crate::error::{Error, Result, at, ok};
use crate::redfish::RedfishBmcs;
use crate::room::{LIMIT, Room, kill};
use crate::run::{self, Run};
use crate::serial::{self, Serial};
use crate::wait::{Wait, try_wait_for};
use crate::{place, words};

const CHASSIS: &str = include_str!("chassis.sh");
const LAN: &str = include_str!("lan.sh");
/// What its BMC says of its network until it is told otherwise, beside its address.
const NETWORK: [(&str, &str); 7] = [
    ("ip_addr_src", "static"),
    ("mac_addr", "02:00:00:00:79:01"),
    ("subnet_mask", "255.255.255.0"),
    ("default_gw_ip_addr", "0.0.0.0"),
    ("default_gw_mac_addr", "00:00:00:00:00:00"),
    ("backup_gw_ip_addr", "0.0.0.0"),
    ("backup_gw_mac_addr", "00:00:00:00:00:00"),
];

/// The log has room for a thousand events. The inventory store says of the chassis: CH-9, C0042; of the
/// board: Acme, Board X, B77, BP-1; of the product: Acme Corp, Anvil 9000, A9K, rev B, SN-0001, asset 12.
///
/// The sensors, each described by a full record but for the power supplies, which share a compact one: CPU Temp 29 C (limits 0, 5, 10
/// and 80, 85, 90), Inlet Temp -4 C, P12V 203 steps of 0.059 Volts, Fan 1 800 RPM (limits 1000 and 1200, so it is too slow), Avg
/// Power 90 Watts, PS1 and PS2 present.
const EMULATION: &str = "\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02
mc_add_fru_data 0x20 0 0x200 data 0x01 0x00 0x01 0x03 0x07 0x00 0x00 0xf4 0x01 0x02 0x17 0xc4 0x43 0x48 0x2d 0x39 0xc5 0x43 0x30 0x30 0x34 0x32 0xc1 0xa2 \
    0x01 0x04 0x00 0x00 0x00 0x00 0xc4 0x41 0x63 0x6d 0x65 0xc7 0x42 0x6f 0x61 0x72 0x64 0x20 0x58 0xc3 0x42 0x37 0x37 0xc4 \
    0x42 0x50 0x2d 0x31 0xc1 0x00 0x00 0xb2 0x01 0x07 0x00 0xc9 0x41 0x63 0x6d 0x65 0x20 0x43 0x6f 0x72 0x70 0xca 0x41 0x6e \
    0x76 0x69 0x6c 0x20 0x39 0x30 0x30 0x30 0xc3 0x41 0x39 0x4b 0xc5 0x72 0x65 0x76 0x20 0x42 0xc7 0x53 0x4e 0x2d 0x30 0x30 \
    0x30 0x31 0xc8 0x61 0x73 0x73 0x65 0x74 0x20 0x31 0x32 0xc1 0x00 0x00 0x00 0xda
sel_enable 0x20 1000 0x0a
sensor_add 0x20 0 1 1 1
sensor_add 0x20 0 2 2 1
sensor_add 0x20 0 3 4 1
sensor_add 0x20 0 4 11 1
sensor_add 0x20 0 5 8 0x6f
sensor_add 0x20 0 6 8 0x6f
sensor_add 0x20 0 7 1 1
sensor_set_event_support 0x20 0 1 enable scanning per-state 000111111000000 000111111000000 000111111000000 000111111000000
sensor_set_event_support 0x20 0 2 enable scanning per-state 000111111000000 000111111000000 000111111000000 000111111000000
sensor_set_event_support 0x20 0 3 enable scanning per-state 000111111000000 000111111000000 000111111000000 000111111000000
sensor_set_event_support 0x20 0 4 enable scanning per-state 000111111000000 000111111000000 000111111000000 000111111000000
sensor_set_event_support 0x20 0 5 enable scanning per-state 000000000001111 000000000001111 000000000001111 000000000001111
sensor_set_event_support 0x20 0 6 enable scanning per-state 000000000001111 000000000001111 000000000001111 000000000001111
sensor_set_event_support 0x20 0 7 enable scanning per-state 000111111000000 000111111000000 000111111000000 000111111000000
sensor_set_threshold 0x20 0 1 settable 111111 90 85 80 0 5 10
sensor_set_threshold 0x20 0 3 settable 000011 0 0 0 0 25 30
sensor_set_value 0x20 0 1 29 0
sensor_set_value 0x20 0 2 203 0
sensor_set_value 0x20 0 3 20 0
sensor_set_value 0x20 0 4 45 0
sensor_set_value 0x20 0 7 252 0
sensor_set_bit 0x20 0 5 0 1 0
sensor_set_bit 0x20 0 6 0 1 0
main_sdr_add 0x20 0 0 0x51 1 0x33 0x20 0 1 3 1 0x7f 0x68 1 1 0 0 0 0 0x3f 0x3f 0x80 1 0 0 1 0 0 0 0 0 7 0 0 0 0 0 90 85 80 0 5 10 2 2 0 0 0 \
    0xc8 0x43 0x50 0x55 0x20 0x54 0x65 0x6d 0x70
main_sdr_add 0x20 0 0 0x51 1 0x2f 0x20 0 2 3 1 0x7f 0x68 2 1 0 0 0 0 0x3f 0x3f 0 4 0 0 59 0 0 0 0 0xd0 7 0 0 0 0 0 0 0 0 0 0 0 2 2 0 0 0 \
    0xc4 0x50 0x31 0x32 0x56
main_sdr_add 0x20 0 0 0x51 1 0x30 0x20 0 3 3 1 0x7f 0x68 4 1 0 0 0 0 0x3f 0x3f 0 18 0 0 40 0 0 0 0 0 7 0 0 0 0 0 0 0 0 0 0 0 2 2 0 0 0 \
    0xc5 0x46 0x61 0x6e 0x20 0x31
main_sdr_add 0x20 0 0 0x51 1 0x34 0x20 0 4 3 1 0x7f 0x68 11 1 0 0 0 0 0x3f 0x3f 0 6 0 0 2 0 0 0 0 0 7 0 0 0 0 0 0 0 0 0 0 0 2 2 0 0 0 \
    0xc9 0x41 0x76 0x67 0x20 0x50 0x6f 0x77 0x65 0x72
main_sdr_add 0x20 0 0 0x51 2 0x1d 0x20 0 5 10 1 0x67 0x40 8 0x6f 0 0 0 0 0 0 0xc0 0 0 2 1 0 0 0 0 0 0 0xc2 0x50 0x53
main_sdr_add 0x20 0 0 0x51 1 0x35 0x20 0 7 3 1 0x7f 0x68 1 1 0 0 0 0 0x3f 0x3f 0x80 1 0 0 1 0 0 0 0 0 7 0 0 0 0 0 0 0 0 0 0 0 2 2 0 0 0 \
    0xca 0x49 0x6e 0x6c 0x65 0x74 0x20 0x54 0x65 0x6d 0x70
mc_enable 0x20
";

/// A machine by its number; what it shows is read from its files, past its BMC.
#[derive(Debug)]
pub struct Server<'a> {
    pub(crate) room: &'a Room,
    pub(crate) number: u8,
}

impl Room {
    /// Starts a machine and its BMC.
    pub fn start_server(&self, number: u8) -> Result<()> {
        if !Path::new("/usr/bin/ipmi_sim").exists() {
            return Err(Error::MissingTool { tool: "ipmi_sim", package: "openipmi" });
        }
        let server = self.server(number);
        let dir = server.directory();
        fs::create_dir_all(dir.join("state")).map_err(at(&dir))?;
        fs::create_dir_all(dir.join("lan")).map_err(at(&dir))?;
        let script = server.write_chassis()?;
        for (name, text) in [("lan.sh", LAN), ("bmc.emu", EMULATION), ("lan.conf", &*server.configuration(&script))] {
            fs::write(dir.join(name), text).map_err(at(&dir))?;
        }
        for (name, text) in NETWORK.into_iter().chain([("ip_addr", &*server.address())]) {
            fs::write(dir.join("lan").join(name), format!("{text}\n")).map_err(at(&dir))?;
        }
        self.power_bmc(number)
    }

    /// Gives the BMC of a machine power.
    fn power_bmc(&self, number: u8) -> Result<()> {
        self.launch(&["bmc", &number.to_string()])?;
        try_wait_for("a BMC", LIMIT, || match self.has_bmc(number) {
            Ok(true) => Wait::Ready(()),
            _ => Wait::NotYet(self.console()),
        })
    }

    fn has_bmc(&self, number: u8) -> Result<bool> {
        Ok(self.udp_sockets()?.contains(&format!("{number:02X}004F0A:026F")))
    }

    fn udp_sockets(&self) -> Result<String> {
        let path = PathBuf::from(format!("/proc/{}/net/udp", self.keeper()?));
        fs::read_to_string(&path).map_err(at(&path))
    }

    /// Plugs a serial port into a machine that is not started yet.
    pub(crate) fn serial(&self, number: u8) -> Result<Serial> {
        Serial::start(self.keeper()?, number)
    }

    /// Starts simulated BMCs.
    pub fn start_bmcs(&self) -> Result<Bmcs> {
        self.make_local()?;
        Bmcs::start(self.keeper()?)
    }

    /// Starts simulated BMCs that speak Redfish.
    pub fn start_redfish_bmcs(&self) -> Result<RedfishBmcs> {
        self.make_local()?;
        RedfishBmcs::start(self.keeper()?)
    }

    /// Has every address of 10.78.0.0/16 be one of the management network's own.
    fn make_local(&self) -> Result<()> {
        let mut ip = self.manage("ip")?;
        run::must(ip.args(["route", "replace", "local", "10.78.0.0/16", "dev", "lo"]), LIMIT).map(drop)
    }

    /// Runs a program on the management network that has to succeed or fail by itself.
    pub(crate) fn run_managed(&self, program: &str, words: &[String]) -> Result<Run> {
        run::run(self.manage(program)?.args(words).env("TZ", "UTC"), "", LIMIT)
    }
}

impl Server<'_> {
    /// Writes what its BMC does to it, and that it is off; the script.
    pub(crate) fn write_chassis(&self) -> Result<PathBuf> {
        let dir = self.directory();
        for (name, text) in [("chassis.sh", CHASSIS), ("power", "0\n"), ("boot", "default\n"), ("log", "")] {
            fs::write(dir.join(name), text).map_err(at(&dir))?;
        }
        Ok(dir.join("chassis.sh"))
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.room.directory().join("bmc").join(self.number.to_string())
    }

    /// Where its BMC is.
    pub fn address(&self) -> String {
        format!("10.79.0.{}", self.number)
    }

    fn configuration(&self, script: &Path) -> String {
        let (number, address, script) = (self.number, self.address(), script.display());
        let dir = self.directory();
        let (serial, port) = serial::address(number);
        format!(
            "name \"bmc{number}\"\n\
             set_working_mc 0x20\n\
             startlan 1\n\
             addr {address} 623\n\
             priv_limit admin\n\
             allowed_auths_admin none md2 md5 straight\n\
             guid a123456789abcdefa1234567890000{number:02x}\n\
             lan_config_program \"sh {dir}/lan.sh {dir}\"\n\
             endlan\n\
             sol \"tcp:{serial}:{port}\" 115200\n\
             chassis_control \"bash {script} {dir}\"\n\
             user 1 false \"\" \"\" user 10 none md2 md5 straight\n\
             user 2 true \"admin\" \"secret\" admin 10 none md2 md5 straight\n\
             user 3 true \"guest\" \"guest\" user 10 none md2 md5 straight\n",
            dir = dir.display()
        )
    }

    /// What ipmitool says of it, with cipher suite 3, which is the best that `ipmi_sim` has.
    pub fn ipmitool(&self, line: &str) -> Run {
        let address = self.address();
        let login = ["-I", "lanplus", "-C", "3", "-H", &address, "-U", "admin", "-P", "secret"];
        let words: Vec<String> = login.into_iter().map(str::to_owned).chain(words::split(line)).collect();
        ok(self.room.run_managed("ipmitool", &words))
    }

    /// Takes the power from its BMC, which forgets all sessions.
    pub fn unplug(&self) {
        let path = self.directory().join("pid");
        let pid = place::read_pid(&path).expect("the BMC has power");
        ok(kill(pid));
        ok(try_wait_for("the end of a BMC", LIMIT, || match self.room.has_bmc(self.number) {
            Ok(false) => Wait::Ready(()),
            _ => Wait::NotYet(self.room.console()),
        }));
    }

    /// Gives its BMC power again.
    pub fn plug(&self) {
        ok(self.room.power_bmc(self.number));
    }

    /// What was done to the machine, a line each, such as `power 1` and `reset 1`.
    pub fn log(&self) -> String {
        let path = self.directory().join("log");
        ok(fs::read_to_string(&path).map_err(at(&path)))
    }

    /// Switches the machine without its BMC being asked, as a button does.
    pub fn switch(&self, on: bool) {
        let path = self.directory().join("power");
        ok(fs::write(&path, if on { "1\n" } else { "0\n" }).map_err(at(&path)));
    }
}
