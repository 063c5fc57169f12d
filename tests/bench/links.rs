//! Proof of a network over eight hosts, beside the loop of pings that an admin would write for the hosts alone.

use std::path::Path;
use std::time::Duration;

use lab::Kind;

use crate::Result;
use crate::race::{Answers, race};
use crate::report::{Report, Target};
use crate::site::Site;

const HOSTS: u8 = 8;
const RUNS: usize = 3;
/// A person waits that long without wondering.
const LIMIT: Duration = Duration::from_secs(5);

/// One login and one packet a pair.
const LOOP: &str = "for i in $(seq 8); do for j in $(seq 8); do [ $i = $j ] || \
    ssh root@10.77.0.$i ping -q -c 1 -W 1 -M do -s 1472 10.77.0.$j; done; done";

/// Compares on hosts of its own, which are gone afterwards.
pub(crate) fn run(report: &mut Report, work: &Path) -> Result<()> {
    let mut site = Site::bring_up(work, "links", &[(HOSTS, Kind::Systemd)])?;
    fill(&site)?;
    report.section(&format!("a network proved: {HOSTS} hosts with {HOSTS} containers each"))?;
    let ours = site.xcrane("chknet blue")?;
    let by_hand = site.shell("ping over ssh, hosts only", LOOP)?;
    let figures = race(&[ours, by_hand], RUNS, Answers::OfTheirOwn)?;
    let target = Target { ratio: None, time: Some(LIMIT) };
    report.line(&format!("chknet of {HOSTS} x {HOSTS} hosts"), &figures[0], figures.get(1), target)?;
    Ok(site.room.stop()?)
}

/// Network blue, and containers on it that run.
fn fill(site: &Site) -> Result<()> {
    site.define_hosts()?;
    let last = u32::from(HOSTS) * u32::from(HOSTS);
    let what = "mgt=docker image=busybox:lab vmnics=blue ip=|10.80.0.($1+0)|";
    site.run(&format!("mkdef c[1-{last}] groups=guests {what} vmhost=|h(($1-1)%{HOSTS}+1)|"))?;
    site.run(&format!("mknet blue driver=bridge net=10.80.0.0 mask=255.255.0.0 hosts=h[1-{HOSTS}]"))?;
    site.run("mkvm guests")?;
    site.run("rpower guests on")
}
