//! The power of a thousand servers asked of their BMCs, one in ten of which is dead, beside freeipmi's own fan-out and a loop of ipmitools;
//! and what machines are to boot written down for thousands of nodes.
//!
//! A dead BMC costs each side its own time limit: ours is 3.5 s (seven tenths of `site.connecttimeout`), that of ipmi-power and of ipmitool
//! 20 s. So what there is to gain beside ipmi-power is less than a factor of six, unless a site waits less: 3 s are shown, too.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use lab::Fault;

use crate::race::{Figures, Job};
use crate::report::{Report, Target};
use crate::site::Site;
use crate::{Result, XCRANE, word};

const BMCS: u16 = 1_000;
/// One in so many is dead.
const DEAD: u16 = 10;
/// As a large site has them.
const NODES: u32 = 5_000;

/// Compares on simulated BMCs, which are gone afterwards.
pub(crate) fn run(report: &mut Report, work: &Path) -> Result<()> {
    let mut site = Site::bring_up(work, "bmcs", &[])?;
    let bmcs = site.room.start_bmcs()?;
    let places = "bmc=|n0*(\\d+)|10.78.(($1-1)/250).(($1-1)%250+1)|";
    site.run(&format!("mkdef n[0001-{BMCS}] groups=all mgt=ipmi {places} bmcusername=admin bmcpassword=secret"))?;
    let hosts = word(&work.join("bmcs-addresses"));
    let all = (0..BMCS).map(address);
    std::fs::write(&hosts, all.map(|address| format!("{address}\n")).collect::<String>())?;

    report.section(&format!(
        "rpower stat of {BMCS} simulated BMCs; a dead one costs each side its own time limit, unless told"
    ))?;
    compare(report, &site, Verb::Stat, "all well", &hosts, Target::default())?;
    // Who is what is written down on the way, node by node.
    compare(report, &site, Verb::Reset, "all well", &hosts, Target::default())?;
    (0..BMCS).filter(|number| number % DEAD == 0).for_each(|number| bmcs.fault(address(number), Some(Fault::Dead)));
    let rival = compare(report, &site, Verb::Stat, "one in ten dead", &hosts, Target::ratio(5.0))?;
    let usual = once(&ours(&site, Verb::Stat)?)?;
    site.run("chdef -t site connecttimeout=3")?;
    report.line(
        "rpower stat, one in ten dead, connecttimeout=3",
        &once(&ours(&site, Verb::Stat)?)?,
        Some(&rival),
        Target::ratio(5.0),
    )?;
    let script = format!(
        "xargs -P 64 -I{{}} ipmitool -I lanplus -H {{}} -U admin -P secret chassis power status <{hosts} >/dev/null 2>&1 || [ $? -eq 123 ]"
    );
    let one_by_one = once(&site.shell("xargs -P 64 ipmitool", &script)?)?;
    report.line("rpower stat, one in ten dead", &usual, Some(&one_by_one), Target::ratio(20.0))?;
    Ok(site.room.stop()?)
}

fn address(number: u16) -> Ipv4Addr {
    let [high, low] = [number / 250, number % 250 + 1].map(|part| u8::try_from(part).unwrap_or(u8::MAX));
    Ipv4Addr::new(10, 78, high, low)
}

/// What is asked of all, in the words of both.
#[derive(Clone, Copy)]
enum Verb {
    Stat,
    Reset,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Reset => "reset",
        }
    }
}

/// Some did not answer: that is the code 1.
fn ours(site: &Site, verb: Verb) -> Result<Job> {
    site.shell("xcrane", &format!("{XCRANE} rpower all {} >/dev/null 2>&1 || [ $? -eq 1 ]", verb.word()))
}

fn compare(report: &mut Report, site: &Site, verb: Verb, how: &str, hosts: &str, target: Target) -> Result<Figures> {
    let word = verb.word();
    let freeipmi =
        format!("ipmi-power --{word} -D LAN_2_0 -u admin -p secret -h $(paste -sd, {hosts}) >/dev/null 2>&1 || :");
    let figures = once(&ours(site, verb)?)?;
    let rival = once(&site.shell("ipmi-power", &freeipmi)?)?;
    report.line(&format!("rpower {word}, {how}"), &figures, Some(&rival), target)?;
    Ok(rival)
}

fn once(job: &Job) -> Result<Figures> {
    let weighed = job.weigh()?;
    Ok(Figures { name: job.name.clone(), time: weighed.time, peak_kib: Some(weighed.peak_kib) })
}

/// What a boot is to be, for as many nodes as a large site has.
pub(crate) fn nodeset(report: &mut Report, work: &Path) -> Result<()> {
    let home = work.join("nodeset");
    let image = home.join("image");
    std::fs::create_dir_all(&image)?;
    for name in ["kernel", "initrd-stateless.gz", "rootimg.cpio.gz"] {
        std::fs::write(image.join(name), "")?;
    }
    let job = |line: &str| {
        let job = Job::new("xcrane", [XCRANE].into_iter().chain(line.split(' ')));
        job.env("XCRANE_HOME", word(&home)).env("XCRANE_CONFIG", "/nonexistent")
    };
    let mac = r"mac=|n(\d)(\d)(\d)(\d)|02:00:00:00:($1)($2):($3)($4)|";
    job(&format!("mkdef n[0001-{NODES}] groups=all mgt=ipmi {mac}")).time()?;
    let place =
        format!("mkdef -t osimage one imagetype=linux provmethod=netboot osvers=debian12 rootimgdir={}", word(&image));
    job(&place).time()?;
    report.section(&format!("nodeset of {NODES} nodes, each run after one that told them something else"))?;
    let before = word(&home);
    let other = format!("XCRANE_CONFIG=/nonexistent XCRANE_HOME={before} {XCRANE} nodeset all boot >/dev/null");
    let mut times = Vec::new();
    let jobs = job("nodeset all osimage=one").before(other);
    let mut figures = once(&jobs)?;
    for _ in 0..3 {
        times.push(jobs.time()?);
    }
    times.sort_unstable();
    figures.time = times[1];
    let limit = Target { ratio: None, time: Some(Duration::from_secs(1)) };
    report.line("nodeset all osimage=one", &figures, None, limit)
}
