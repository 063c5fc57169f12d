//! Racks that are switched on for the first time: machines that nobody knows report all at once, each from an address that it was
//! leased, and become nodes in the order in which they come.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::race::{Figures, Job};
use crate::report::{Report, Target};
use crate::wire::{INTERFACE, SERVER, Wire};
use crate::{Result, XCRANE, word};

const MACHINES: u16 = 500;
const AT_ONCE: u16 = 100;
const REPORT: &str = "vendor=Lab\nproduct=Anvil\narch=x86_64\ncpu=Lab CPU\ncpus=64\nmemory=512000\n\
    disk=sda\t480000000000\tm\t\ndisk=nvme0n1\t3840000000000\tm\t\n";

/// Measures in namespaces of its own, which are gone afterwards.
pub(crate) fn run(report: &mut Report, work: &Path) -> Result<()> {
    let home = work.join("discovery");
    fs::create_dir(&home)?;
    let wire = Wire::lay()?;
    let job = |line: &str| {
        let job = Job::new("xcrane", [XCRANE].into_iter().chain(line.split(' ')));
        job.env("XCRANE_HOME", word(&home)).env("XCRANE_CONFIG", "/nonexistent")
    };
    job("mkdef -t network wire net=10.9.0.0 mask=255.255.0.0 dynamicrange=10.9.2.1-10.9.9.250").time()?;
    job(&format!("nodediscoverstart noderange=n[001-{MACHINES}] groups=racks")).time()?;
    lease(&home)?;
    let env = [
        ("XCRANE_HOME", home.as_path()),
        ("XCRANE_CONFIG", Path::new("/nonexistent")),
        ("XCRANE_LOG", Path::new("info")),
    ];
    let argv = [XCRANE, "serve", "--interface", INTERFACE, "--services", "http"];
    let server = wire.serve(&argv, &env, home.join("log"), |log| log.contains("ready"))?;
    let (mut addresses, mut calls) = (String::new(), String::new());
    for number in 0..MACHINES {
        let (address, mac) = (address(number), mac(number));
        writeln!(addresses, "addr add {address}/16 dev client")?;
        writeln!(calls, "{address} {mac}")?;
        let own = format!(
            "{REPORT}serial=SN{number}\nuuid=4c414200-0000-4000-8000-{number:012}\nnic=eth0\t{mac}\te1000\t1\n"
        );
        fs::write(home.join(format!("report-{address}")), own)?;
    }
    fs::write(home.join("addresses"), addresses)?;
    fs::write(home.join("calls"), calls)?;
    wire.ask(&["ip", "-batch", &word(&home.join("addresses"))])?;
    let before = server.processor_time()?;
    let script = format!(
        "cd {}; xargs -P {AT_ONCE} -L 1 sh -c 'curl -sS --max-time 30 --interface $0 --data-binary @report-$0 http://{SERVER}/discover/$1' <calls",
        word(&home)
    );
    let said = wire.ask(&["sh", "-ec", &script])?;
    let time = server.processor_time()? - before;
    let known = said.lines().filter(|line| line.starts_with("node n")).count();
    if known != usize::from(MACHINES) {
        return Err(format!("{known} of {MACHINES} machines became nodes: {said}").into());
    }
    report
        .section(&format!("Discovery: {MACHINES} machines report, {AT_ONCE} at once; processor time of the daemon"))?;
    let figures = Figures { name: "xcrane serve".into(), time, peak_kib: Some(server.peak_kib()?) };
    let limit = Target { ratio: None, time: Some(Duration::from_secs(5)) };
    report.line(&format!("{MACHINES} machines become nodes"), &figures, None, limit)
}

fn address(number: u16) -> String {
    format!("10.9.{}.{}", 2 + number / 250, 1 + number % 250)
}

fn mac(number: u16) -> String {
    let [high, low] = number.to_be_bytes();
    format!("02:0d:00:00:{high:02x}:{low:02x}")
}

/// By what a machine is heard at its address.
fn lease(home: &Path) -> Result<()> {
    let mut rows = String::from("BEGIN;");
    for number in 0..MACHINES {
        write!(
            rows,
            "INSERT INTO lease (ip, mac, until) VALUES ('{}', '{}', '4000000000');",
            address(number),
            mac(number)
        )?;
    }
    rows += "COMMIT;";
    let status = Command::new("sqlite3").arg(home.join("xcrane.db")).arg(rows).status()?;
    if status.success() { Ok(()) } else { Err(format!("{status}: sqlite3").into()) }
}
