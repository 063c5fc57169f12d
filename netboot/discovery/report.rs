//! What a machine says of itself: a line a fact, `word=value`, with tabs in values that have several parts.
//!
//! ```text
//! cpu=MODEL  cpus=COUNT  memory=MB  arch=WORD  serial=…  uuid=…  vendor=…  product=…  bmc=ADDRESS
//! disk=NAME<tab>BYTES<tab>MODEL<tab>SERIAL      once for each
//! nic=NAME<tab>MAC<tab>DRIVER<tab>LINK          once for each; link is 1 or 0
//! switchport=SWITCH<tab>PORT                    if it has heard of its neighbour
//! listening=1                                   while it may still do so, and says all this again then
//! ```

use std::net::IpAddr;

use crate::mac::Mac;

/// The longest value, in characters; what firmware says of itself is shorter.
const LONGEST: usize = 256;
const MOST_DISKS: usize = 1024;
const MOST_NICS: usize = 128;

/// What vendors leave in their firmware instead of a serial number.
const NO_SERIALS: &[&str] = &[
    "default string",
    "none",
    "not specified",
    "not applicable",
    "system serial number",
    "to be filled by o.e.m.",
    "unknown",
];

/// A UUID that many boards have.
const NO_UUID: &str = "03000200-0400-0500-0006-000700080009";

/// A machine by its own words. What it does not know is empty or 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The card that it has booted by: the only thing that we know ourselves.
    pub mac: Option<Mac>,
    pub serial: String,
    /// In small letters.
    pub uuid: String,
    pub vendor: String,
    pub product: String,
    pub arch: String,
    pub cpu: String,
    pub cpus: u32,
    /// MB.
    pub memory: u64,
    pub bmc: Option<IpAddr>,
    pub disks: Vec<Disk>,
    pub nics: Vec<Nic>,
    /// The switch and the port that it is plugged into.
    pub switch_port: Option<(String, String)>,
    /// It may hear of that yet.
    pub listening: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    pub name: String,
    pub bytes: u64,
    pub model: String,
    pub serial: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    pub name: String,
    pub mac: Mac,
    pub driver: String,
    pub link: bool,
}

/// Why a text is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Unfit {
    pub line: usize,
    pub why: &'static str,
}

impl Report {
    /// Of the machine that has booted by that card.
    pub fn read(mac: Mac, bytes: &[u8]) -> Result<Self, Unfit> {
        let mut report = Self { mac: Some(mac), ..Self::default() };
        for (index, line) in String::from_utf8_lossy(bytes).lines().enumerate() {
            if !line.trim().is_empty() {
                report.add(line).map_err(|why| Unfit { line: index + 1, why })?;
            }
        }
        Ok(report)
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        let (word, value) = line.split_once('=').ok_or("it has no '='")?;
        let value = value.trim_matches([' ', '\r']);
        if value.chars().count() > LONGEST {
            return Err("it is too long");
        }
        if value.chars().any(|letter| letter.is_control() && letter != '\t') {
            return Err("it has control characters");
        }
        match word {
            "serial" => self.serial = if is_serial(value) { text(value)? } else { String::new() },
            "uuid" => self.uuid = if value.is_empty() { String::new() } else { uuid(value)? },
            "vendor" => self.vendor = text(value)?,
            "product" => self.product = text(value)?,
            "arch" => self.arch = name(value)?,
            "cpu" => self.cpu = text(value)?,
            "cpus" => self.cpus = number(value)?,
            "memory" => self.memory = number(value)?,
            "bmc" => self.bmc = address(value)?,
            "disk" if self.disks.len() < MOST_DISKS => self.disks.push(disk(value)?),
            "nic" if self.nics.len() < MOST_NICS => self.nics.push(nic(value)?),
            "disk" | "nic" => return Err("there are too many of them"),
            "switchport" => self.switch_port = Some(switch_port(value)?),
            "listening" => self.listening = value == "1",
            _ => return Err("nobody knows that word"),
        }
        Ok(())
    }

    /// The name of the card that it has booted by.
    pub fn interface(&self) -> Option<&str> {
        self.nics.iter().find(|nic| Some(nic.mac) == self.mac).map(|nic| nic.name.as_str())
    }

    /// What tells the machine from others in table discoverydata, where everybody has a UUID.
    pub fn key(&self) -> String {
        if !self.uuid.is_empty() {
            return self.uuid.clone();
        }
        let digits: String = self.mac.map(|mac| mac.to_string().replace(':', "")).unwrap_or_default();
        format!("00000000-0000-0000-0000-{digits:0>12}")
    }
}

fn is_serial(value: &str) -> bool {
    let same = |first: char| value.chars().all(|letter| letter == first);
    !NO_SERIALS.contains(&value.to_lowercase().as_str()) && !value.chars().next().is_some_and(same)
}

/// One part: tabs are for those that have several.
fn text(value: &str) -> Result<String, &'static str> {
    if value.contains('\t') { Err("it has tabs") } else { Ok(value.trim().to_owned()) }
}

fn name(value: &str) -> Result<String, &'static str> {
    let is_fit = |letter: char| letter.is_ascii_alphanumeric() || "._:-/!".contains(letter);
    if value.chars().all(is_fit) { Ok(value.to_owned()) } else { Err("a name has other characters") }
}

fn number<N: std::str::FromStr>(value: &str) -> Result<N, &'static str> {
    value.parse().map_err(|_| "it is no number")
}

fn address(value: &str) -> Result<Option<IpAddr>, &'static str> {
    match value {
        "" => Ok(None),
        value => {
            let address: IpAddr = value.parse().map_err(|_| "it is no address")?;
            Ok(Some(address).filter(|address| !address.is_unspecified() && !address.is_loopback()))
        }
    }
}

/// Whether a text is a UUID as it is usually written.
pub fn is_uuid(value: &str) -> bool {
    let lengths = value.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    lengths && value.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// Empty where it is that of many machines.
fn uuid(value: &str) -> Result<String, &'static str> {
    let value = value.to_lowercase();
    if !is_uuid(&value) {
        return Err("it is no UUID");
    }
    let digits = || value.chars().filter(|letter| *letter != '-');
    let is_one = value != NO_UUID && digits().any(|digit| digit != '0') && digits().any(|digit| digit != 'f');
    Ok(if is_one { value } else { String::new() })
}

fn parts<const N: usize>(value: &str) -> Result<[&str; N], &'static str> {
    let parts: Vec<&str> = value.split('\t').map(str::trim).collect();
    parts.try_into().map_err(|_| "it has another number of parts")
}

fn disk(value: &str) -> Result<Disk, &'static str> {
    let [own, bytes, model, serial] = parts(value)?;
    Ok(Disk { name: name(own)?, bytes: number(bytes)?, model: text(model)?, serial: text(serial)? })
}

fn nic(value: &str) -> Result<Nic, &'static str> {
    let [own, mac, driver, link] = parts(value)?;
    let mac = mac.parse().map_err(|_| "it is no MAC address")?;
    Ok(Nic { name: name(own)?, mac, driver: name(driver)?, link: link == "1" })
}

fn switch_port(value: &str) -> Result<(String, String), &'static str> {
    let [switch, port] = parts(value)?;
    if switch.is_empty() || port.is_empty() { Err("it lacks a part") } else { Ok((name(switch)?, name(port)?)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 1]);

    const WHOLE: &str = "serial=LAB-1\nuuid=4C414200-0000-4000-8000-000000000001\nvendor=Lab\nproduct=Anvil 9\narch=x86_64\n\
        cpu=QEMU Virtual CPU version 2.5+\ncpus=2\nmemory=974\nbmc=10.79.0.1\n\
        disk=vda\t2147483648\tfast, one\tS\ndisk=vdb\t0\t\t\n\
        nic=eth1\t52:54:00:77:00:02\tvirtio_net\t0\nnic=eth0\t52:54:00:77:00:01\tvirtio_net\t1\nswitchport=sw1\tEthernet1/7\n";

    #[test]
    fn a_report_is_read_as_a_whole() {
        let report = Report::read(MAC, WHOLE.as_bytes()).unwrap();
        assert_eq!(report.uuid, "4c414200-0000-4000-8000-000000000001");
        assert_eq!((report.serial.as_str(), report.cpus, report.memory), ("LAB-1", 2, 974));
        assert_eq!(report.bmc, Some("10.79.0.1".parse().unwrap()));
        assert_eq!((report.disks[0].bytes, report.disks[0].model.as_str()), (2_147_483_648, "fast, one"));
        assert_eq!(report.interface(), Some("eth0"));
        assert_eq!(report.switch_port, Some(("sw1".into(), "Ethernet1/7".into())));
        assert_eq!(report.key(), report.uuid);
        assert!(!report.listening && Report::read(MAC, b"listening=1").unwrap().listening);
        assert_eq!(Report::read(MAC, b"").unwrap().key(), "00000000-0000-0000-0000-525400770001");
    }

    #[test]
    fn what_many_machines_have_tells_none() {
        let read = |line: &str| Report::read(MAC, line.as_bytes()).unwrap();
        for serial in ["Default string", "None", "0", "00000000", "xxxxx", "To be filled by O.E.M.", ""] {
            assert_eq!(read(&format!("serial={serial}")).serial, "", "{serial}");
        }
        for uuid in ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", NO_UUID] {
            assert_eq!(read(&format!("uuid={uuid}")).uuid, "", "{uuid}");
        }
        assert_eq!(read("bmc=0.0.0.0").bmc, None);
    }

    #[test]
    fn what_does_not_fit_is_refused_whole() {
        let refused = |line: &str, why: &'static str| {
            let text = format!("serial=1A\n{line}\n");
            assert_eq!(Report::read(MAC, text.as_bytes()), Err(Unfit { line: 2, why }), "{line:?}");
        };
        refused("bogus=1", "nobody knows that word");
        refused("nothing", "it has no '='");
        refused(&format!("cpu={}", "x".repeat(257)), "it is too long");
        refused("cpu=a\u{1b}[2J", "it has control characters");
        refused("cpu=a\tb", "it has tabs");
        refused("uuid=4c414200", "it is no UUID");
        refused("cpus=-1", "it is no number");
        refused("cpus=99999999999", "it is no number");
        refused("bmc=admin@10.0.0.1", "it is no address");
        refused("disk=vda\t1\tm", "it has another number of parts");
        refused("disk=vd a\t1\tm\ts", "a name has other characters");
        refused("nic=eth0\t52:54\td\t1", "it is no MAC address");
        refused("switchport=sw1\t", "it lacks a part");
        let many = "nic=eth0\t52:54:00:77:00:01\td\t1\n".repeat(MOST_NICS + 1);
        assert_eq!(Report::read(MAC, many.as_bytes()).unwrap_err().why, "there are too many of them");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            Report::read(MAC, &bytes).ok();
        }

        #[test]
        fn no_word_brings_a_line_break(place in 0..14_usize, text in "\\PC{0,40}|[\\x00-\\x7f]{0,40}") {
            let mut lines: Vec<String> = WHOLE.lines().map(str::to_owned).collect();
            lines[place] = format!("{}{text}", lines[place]);
            if let Ok(report) = Report::read(MAC, lines.join("\n").as_bytes()) {
                let texts = [&report.serial, &report.vendor, &report.product, &report.cpu, &report.arch, &report.uuid];
                let all = texts.into_iter().chain(report.disks.iter().flat_map(|disk| [&disk.model, &disk.serial]));
                prop_assert!(all.into_iter().all(|text| !text.contains(char::is_control)));
            }
        }
    }
}
