//! DHCP: four-way exchanges a second through a relay, beside dnsmasq and Kea. All have the same range of a network /16 and none pings an
//! address first. Ours has each lease in its database before the machine hears of it; dnsmasq writes its file anew for each, Kea appends to
//! one, and neither waits for the disk.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::race::Figures;
use crate::report::{Report, Target};
use crate::wire::{CLIENT, INTERFACE, SERVER, Server, Wire};
use crate::{Result, XCRANE, word};

const FIRST: &str = "10.9.1.0";
const LAST: &str = "10.9.250.255";
/// Exchanges that are begun each second, one step after the other: with more than a server can do it does less.
const RATES: [u32; 7] = [250, 500, 1_000, 2_000, 4_000, 6_000, 8_000];
/// Seconds of each step.
const PERIOD: u32 = 2;
const LEASES: f64 = 1_000.0;

/// Compares in namespaces of its own, which are gone afterwards.
pub(crate) fn run(report: &mut Report, work: &Path) -> Result<()> {
    report.section("DHCP: the most leases that perfdhcp is given, through a relay, of a range of 64,000 addresses")?;
    let ours = measured("xcrane serve", work, xcrane)?;
    for rival in [measured("dnsmasq", work, dnsmasq)?, measured("kea-dhcp4", work, kea)?] {
        report.line("1,000 leases", &ours, Some(&rival), Target::ratio(1.0))?;
    }
    Ok(())
}

fn measured(name: &str, work: &Path, start: fn(&Wire, &Path) -> Result<Server>) -> Result<Figures> {
    let wire = Wire::lay()?;
    let home = work.join(format!("leases-{}", name.replace(' ', "-")));
    fs::create_dir(&home)?;
    let server = start(&wire, &home)?;
    let mut most = 0.0_f64;
    for (step, rate) in (0..).zip(RATES) {
        let reached = leases_a_second(&wire, rate, step)?;
        most = most.max(reached);
        if reached < f64::from(rate) / 2.0 {
            break;
        }
    }
    let time = Duration::from_secs_f64(LEASES / most.max(0.001));
    Ok(Figures { name: name.into(), time, peak_kib: Some(server.peak_kib()?) })
}

/// Machines that nobody has seen before ask; how many are through.
fn leases_a_second(wire: &Wire, rate: u32, step: u8) -> Result<f64> {
    let (clients, period, rate) = ((rate * PERIOD * 2).to_string(), PERIOD.to_string(), rate.to_string());
    let mac = format!("mac=02:09:{step:02x}:00:00:00");
    let asking =
        ["timeout", "20", "perfdhcp", "-4", "-l", CLIENT, "-b", &mac, "-R", &clients, "-r", &rate, "-p", &period];
    let asking = [&asking[..], &["-W", "500000", SERVER]].concat();
    // What is not answered is no error here, and its code says so all the same.
    let script = format!("{} || [ $? -eq 3 ]", asking.join(" "));
    let said = wire.ask(&["sh", "-c", &script])?;
    let exchanges = said.split("REQUEST-ACK").nth(1).ok_or_else(|| format!("perfdhcp says {said}"))?;
    let count = exchanges.lines().find_map(|line| line.strip_prefix("received packets: "));
    let count: f64 = count.ok_or_else(|| format!("perfdhcp says {said}"))?.trim().parse()?;
    Ok(count / f64::from(PERIOD))
}

fn xcrane(wire: &Wire, home: &Path) -> Result<Server> {
    let range = format!("dynamicrange={FIRST}-{LAST}");
    let network = ["mkdef", "-t", "network", "wire", "net=10.9.0.0", "mask=255.255.0.0", &range];
    crate::race::Job::new("xcrane", [XCRANE].iter().chain(&network).copied())
        .env("XCRANE_HOME", word(home))
        .env("XCRANE_CONFIG", "/nonexistent")
        .time()?;
    let env = [("XCRANE_HOME", home), ("XCRANE_CONFIG", Path::new("/nonexistent")), ("XCRANE_LOG", Path::new("info"))];
    wire.serve(&[XCRANE, "serve", "--interface", INTERFACE, "--services", "dhcp"], &env, home.join("log"), |log| {
        log.contains("ready")
    })
}

fn dnsmasq(wire: &Wire, home: &Path) -> Result<Server> {
    let leases = format!("--dhcp-leasefile={}", word(&home.join("leases")));
    let range = format!("--dhcp-range={FIRST},{LAST},255.255.0.0,12h");
    let interface = format!("--interface={INTERFACE}");
    let fixed =
        ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--bind-interfaces", "--port=0", "--no-ping"];
    let more = ["--dhcp-authoritative", "--dhcp-lease-max=100000", "--user=root", "--pid-file=", "--log-facility=-"];
    let argv: Vec<&str> = fixed.into_iter().chain(more).chain([leases.as_str(), &range, &interface]).collect();
    wire.serve(&argv, &[], home.join("log"), |_| wire.listens("udp", 67))
}

fn kea(wire: &Wire, home: &Path) -> Result<Server> {
    let (config, leases) = (home.join("kea.json"), home.join("leases.csv"));
    let text = format!(
        r#"{{"Dhcp4": {{
            "interfaces-config": {{"interfaces": ["{INTERFACE}"], "dhcp-socket-type": "udp"}},
            "lease-database": {{"type": "memfile", "persist": true, "name": "{}"}},
            "valid-lifetime": 43200,
            "subnet4": [{{"id": 1, "subnet": "10.9.0.0/16", "pools": [{{"pool": "{FIRST} - {LAST}"}}]}}],
            "loggers": [{{"name": "kea-dhcp4", "severity": "WARN", "output_options": [{{"output": "stdout"}}]}}]
        }}}}"#,
        word(&leases)
    );
    fs::write(&config, text)?;
    let env = [("KEA_PIDFILE_DIR", home), ("KEA_LOCKFILE_DIR", home)];
    wire.serve(&["kea-dhcp4", "-c", &word(&config)], &env, home.join("log"), |_| wire.listens("udp", 67))
}
