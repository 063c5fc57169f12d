//! HTTP and TFTP for many clients at once: images and small files beside nginx, loaders of firmware beside dnsmasq.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::race::{Figures, Job};
use crate::report::{Report, Target};
use crate::wire::{INTERFACE, SERVER, Server, Wire};
use crate::{Result, XCRANE, word};

const CLIENTS: &str = "200";
/// Of each side, in turn.
const ROUNDS: usize = 2;
const IMAGE: u64 = 200 << 20;
const SMALL: &[u8] = &[b'x'; 2048];
const PORT: u16 = 8080;
/// As many machines that load their iPXE, and how many of them at once.
const LOADS: usize = 200;
const AT_ONCE: usize = 50;
/// In the package ipxe, which both serve.
const LOADER: &str = "undionly.kpxe";

/// Compares in namespaces of its own, which are gone afterwards.
pub(crate) fn run(report: &mut Report, work: &Path) -> Result<()> {
    let home = work.join("files");
    fs::create_dir(&home)?;
    web(report, &home)?;
    loaders(report, &home)
}

fn web(report: &mut Report, home: &Path) -> Result<()> {
    let wire = Wire::lay()?;
    fs::write(home.join("small"), SMALL)?;
    File::create(home.join("image"))?.set_len(IMAGE)?;
    define(home)?;
    let ours = serve(&wire, home, "http")?;
    let rival = nginx(&wire, home)?;
    report
        .section(&format!("HTTP for {CLIENTS} clients at once that share this machine's processors with the server"))?;
    for (what, name, unit) in [("1 GB of an image", "image", 1e9), ("10,000 small files", "small", 1e4)] {
        let (mut own, mut other) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            own.push(rate(&wire, &format!("http://{SERVER}/image/bench/{name}"), name)?);
            other.push(rate(&wire, &format!("http://{SERVER}:{PORT}/{name}"), name)?);
        }
        let figures = |name: &str, rates: Vec<f64>, server: &Server| -> Result<Figures> {
            let mean = rates.iter().sum::<f64>() / rates.len() as f64;
            Ok(Figures {
                name: name.into(),
                time: Duration::from_secs_f64(unit / mean),
                peak_kib: Some(server.peak_kib()?),
            })
        };
        let (own, other) = (figures("xcrane serve", own, &ours)?, figures("nginx", other, &rival)?);
        report.line(what, &own, Some(&other), Target::ratio(0.95))?;
    }
    Ok(())
}

/// Bytes a second of an image, requests a second of what is small.
fn rate(wire: &Wire, url: &str, name: &str) -> Result<f64> {
    let said = wire.ask(&["wrk", "-t2", "-c", CLIENTS, "-d4s", "--timeout", "30s", url])?;
    let (head, scale) = if name == "image" { ("Transfer/sec:", true) } else { ("Requests/sec:", false) };
    let text =
        said.lines().find_map(|line| line.trim().strip_prefix(head)).ok_or_else(|| format!("wrk says {said}"))?;
    if said.contains("Non-2xx") {
        return Err(format!("wrk says {said}").into());
    }
    let text = text.trim();
    let units = [("GB", 30), ("MB", 20), ("KB", 10), ("B", 0)];
    let unit = units.iter().filter(|_| scale).find_map(|(unit, bits)| Some((text.strip_suffix(unit)?, *bits)));
    let (number, bits) = unit.unwrap_or((text, 0));
    Ok(number.parse::<f64>()? * f64::from(1_u32 << bits))
}

fn define(home: &Path) -> Result<()> {
    let place = format!("rootimgdir={}", word(home));
    let image = ["mkdef", "-t", "osimage", "bench", "imagetype=linux", "provmethod=netboot", &place];
    let job = Job::new("xcrane", [XCRANE].iter().chain(&image).copied());
    job.env("XCRANE_HOME", word(home)).env("XCRANE_CONFIG", "/nonexistent").time().map(drop)
}

fn serve(wire: &Wire, home: &Path, service: &str) -> Result<Server> {
    // A log of each request is nobody's: nginx writes none either.
    let env = [
        ("XCRANE_HOME", home),
        ("XCRANE_CONFIG", Path::new("/nonexistent")),
        ("XCRANE_LOG", Path::new("xcrane=info,netboot=warn")),
    ];
    let argv = [XCRANE, "serve", "--interface", INTERFACE, "--services", service];
    wire.serve(&argv, &env, home.join(format!("{service}.log")), |log| log.contains("ready"))
}

fn nginx(wire: &Wire, home: &Path) -> Result<Server> {
    let (config, dir) = (home.join("nginx.conf"), word(home));
    let text = format!(
        "daemon off; user root; worker_processes auto; pid {dir}/nginx.pid; error_log {dir}/nginx.error;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ sendfile on; tcp_nopush on; access_log off; keepalive_requests 1000000; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2;\n\
         fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;\n\
         server {{ listen {SERVER}:{PORT} backlog=4096; root {dir}; }} }}\n"
    );
    fs::write(&config, text)?;
    wire.serve(&["nginx", "-e", "stderr", "-c", &word(&config)], &[], home.join("nginx.log"), |_| {
        wire.listens("tcp", PORT)
    })
}

fn loaders(report: &mut Report, home: &Path) -> Result<()> {
    report.section(&format!("TFTP: {LOADS} clients load {LOADER}, {AT_ONCE} at once"))?;
    let ours = loaded(|wire| serve(wire, home, "tftp"), "xcrane serve")?;
    let dnsmasq = |wire: &Wire| {
        let interface = format!("--interface={INTERFACE}");
        let fixed =
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--enable-tftp", "--user=root"];
        let more =
            ["--tftp-root=/usr/lib/ipxe", "--tftp-max=1000", "--pid-file=", "--log-facility=/dev/null", &interface];
        let argv: Vec<&str> = fixed.into_iter().chain(more).collect();
        wire.serve(&argv, &[], home.join("dnsmasq.log"), |_| wire.listens("udp", 69))
    };
    let rival = loaded(dnsmasq, "dnsmasq")?;
    report.line(&format!("{LOADS} loads"), &ours, Some(&rival), Target::ratio(0.95))
}

fn loaded(start: impl Fn(&Wire) -> Result<Server>, name: &str) -> Result<Figures> {
    let wire = Wire::lay()?;
    let server = start(&wire)?;
    let script = format!(
        "seq {LOADS} | xargs -P {AT_ONCE} -I{{}} curl -sS --max-time 30 --tftp-blksize 1468 -o /dev/null tftp://{SERVER}/{LOADER}"
    );
    let mut times = Vec::new();
    for _ in 0..=ROUNDS {
        let started = Instant::now();
        wire.ask(&["sh", "-ec", &script])?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(Figures { name: name.into(), time: times[times.len() / 2], peak_kib: Some(server.peak_kib()?) })
}
