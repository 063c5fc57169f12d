//! Proof of a network over eight hosts, beside the loop of pings that an admin would write for the hosts alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::{Host, Kind, Owner, Room, Root};

use crate::hosts::{bring_ssh, on_network};
use crate::race::{Answers, Job, race};
use crate::report::{Report, Target};
use crate::{Result, XCRANE, word};

const HOSTS: u8 = 8;
const RUNS: usize = 3;
/// A person waits that long without wondering.
const LIMIT: Duration = Duration::from_secs(5);

/// One login and one packet a pair.
const LOOP: &str = "for i in $(seq 8); do for j in $(seq 8); do [ $i = $j ] || \
    ssh root@10.77.0.$i ping -q -c 1 -W 1 -M do -s 1472 10.77.0.$j; done; done";

/// Compares on hosts of its own, which are gone afterwards.
pub(crate) fn run(report: &mut Report, work: &Path) -> Result<()> {
    let mut site = Site::bring_up(work)?;
    report.section(&format!("a network proved: {HOSTS} hosts with {HOSTS} containers each"))?;
    let ours = site.job("chknet", &[XCRANE, "chknet", "blue"])?;
    let by_hand = site.job("ping over ssh, hosts only", &["sh", "-ec", LOOP])?;
    let figures = race(&[ours, by_hand], RUNS, Answers::OfTheirOwn)?;
    let target = Target { ratio: None, time: Some(LIMIT) };
    report.line(&format!("chknet of {HOSTS} x {HOSTS} hosts"), &figures[0], figures.get(1), target)?;
    Ok(site.room.stop()?)
}

struct Site {
    room: Room,
    bin: PathBuf,
    home: PathBuf,
}

impl Site {
    /// Brings up hosts with network blue and containers on it that run.
    fn bring_up(work: &Path) -> Result<Self> {
        let dir = lab::default_directory().join("bench-links");
        lab::claim(&dir)?;
        let room = Room::keep(&dir, Root::ready()?, Owner::Caller)?;
        room.start(HOSTS, Kind::Systemd)?;
        let site = Self { room, bin: work.join("links-bin"), home: work.join("links") };
        fs::create_dir(&site.bin)?;
        bring_ssh(&site.bin)?;
        for words in site.room.hosts().iter().map(Host::definition) {
            site.xcrane(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        let last = u32::from(HOSTS) * u32::from(HOSTS);
        let guests = format!("c[1-{last}]");
        let host = format!("vmhost=|h(($1-1)%{HOSTS}+1)|");
        let what = ["groups=guests", "mgt=docker", &host, "image=busybox:lab", "vmnics=blue", "ip=|10.80.0.($1+0)|"];
        site.xcrane(&[["mkdef", &guests].as_slice(), what.as_slice()].concat())?;
        let hosts = format!("hosts=h[1-{HOSTS}]");
        site.xcrane(&["mknet", "blue", "driver=bridge", "net=10.80.0.0", "mask=255.255.0.0", &hosts])?;
        site.xcrane(&["mkvm", "guests"])?;
        site.xcrane(&["rpower", "guests", "on"])?;
        Ok(site)
    }

    fn job(&self, name: &str, argv: &[&str]) -> Result<Job> {
        Ok(on_network(&self.room, &self.bin, name, argv)?.env("XCRANE_HOME", word(&self.home)))
    }

    fn xcrane(&self, words: &[&str]) -> Result<()> {
        self.job("xcrane", &[[XCRANE].as_slice(), words].concat())?.time().map(drop)
    }
}
