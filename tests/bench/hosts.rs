//! Containers on four real hosts, beside Docker's own client over ssh and beside the engines' own rate.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::Kind;

use crate::race::{Answers, Figures, race};
use crate::report::{Report, Target};
use crate::site::Site;
use crate::{Result, engine};

const HOSTS: usize = 4;
/// So many of them a shell loop makes, and so many one with `xargs`; the time for all is reckoned from that.
const LOOPED: usize = 12;
const SPREAD: usize = 48;
/// How often all are made; each time takes most of a minute where processors are few.
const ROUNDS: usize = 2;
/// Of the quick questions.
const RUNS: usize = 7;

/// What the definition below makes an engine do, and what `docker run` asks for.
const BODY: &str = r#"{"Image":"busybox:lab","HostConfig":{"NetworkMode":"cluster"}}"#;
const RUN: &str = "docker -H ssh://root@10.77.0.$(($1 % 4 + 1)) run -d --name r$1 --network cluster busybox:lab";

/// Compares on hosts of its own, which are gone afterwards.
pub(crate) fn run(report: &mut Report, work: &Path) -> Result<()> {
    // A smaller number is for trying this program out; the targets are about 200.
    let guests = std::env::var("GUESTS").map_or(Ok(200), |number| number.parse())?;
    let cluster = Cluster::bring_up(work, guests)?;
    report.section(&format!("{guests} containers on {HOSTS} hosts, reached by ssh"))?;
    let ours = cluster.compare_with_engines(report)?;
    cluster.compare_asking(report)?;
    cluster.clear()?;
    cluster.compare_with_clients(report, &ours)?;
    cluster.end()
}

struct Cluster {
    site: Site,
    guests: usize,
}

impl Cluster {
    fn bring_up(work: &Path, guests: usize) -> Result<Self> {
        let site = Site::bring_up(work, "hosts", &[(u8::try_from(HOSTS)?, Kind::Light)])?;
        // The client that Debian has for these engines, without installing an engine on this machine.
        let client = format!("/proc/{}/root/usr/bin/docker", site.room.host("h1")?.pid()?);
        fs::copy(client, site.bin.join("docker"))?;
        let cluster = Self { site, guests };
        cluster.define()?;
        Ok(cluster)
    }

    fn define(&self) -> Result<()> {
        self.site.define_hosts()?;
        for (index, host) in self.site.room.hosts().iter().enumerate() {
            let (first, last) = (index * self.guests / HOSTS + 1, (index + 1) * self.guests / HOSTS);
            let what = "groups=guests mgt=docker image=busybox:lab vmnics=cluster";
            self.site.run(&format!("mkdef c[{first:03}-{last:03}] {what} vmhost={}", host.name()))?;
        }
        Ok(())
    }

    /// Removes every container of every host.
    fn clear(&self) -> Result<()> {
        std::thread::scope(|scope| {
            let clear = |host: lab::Host<'_>| host.shell("docker ps -aq | xargs -r docker rm -f").map(drop);
            let clearing: Vec<_> =
                self.site.room.hosts().into_iter().map(|host| scope.spawn(move || clear(host))).collect();
            clearing.into_iter().try_for_each(|one| one.join().expect("the lab does not panic"))
        })?;
        Ok(())
    }

    /// Our figures; the containers of the last round stay.
    fn compare_with_engines(&self, report: &mut Report) -> Result<Figures> {
        let ours = self.site.shell("xcrane", "$XCRANE mkvm guests; $XCRANE rpower guests on")?;
        let (mut times, mut engines, mut peak) = (Vec::new(), Vec::new(), 0);
        for _ in 0..ROUNDS {
            self.clear()?;
            engines.push(self.engines_alone()?);
            self.clear()?;
            let run = ours.weigh()?;
            times.push(run.time);
            peak = peak.max(run.peak_kib);
        }
        let ours = Figures { name: "xcrane".into(), time: mean(&times), peak_kib: Some(peak) };
        let name = "the engines' own rate, 32 requests each".into();
        let engines = Figures { name, time: mean(&engines), peak_kib: None };
        report.line(&self.making(), &ours, Some(&engines), Target::ratio(1.0 / 1.3))?;
        Ok(ours)
    }

    fn making(&self) -> String {
        format!("mkvm, rpower on of {}", self.guests)
    }

    fn compare_with_clients(&self, report: &mut Report, ours: &Figures) -> Result<()> {
        let spread = format!("seq {SPREAD} | xargs -P 16 -I N sh -c '{RUN}' sh N");
        let spread = self.scaled(&format!("docker run, xargs -P 16 ({SPREAD}, scaled)"), &spread, SPREAD)?;
        report.line(&self.making(), ours, Some(&spread), Target::ratio(3.0))?;
        let looped = format!("for n in $(seq {LOOPED}); do set -- $n; {RUN}; done");
        let looped = self.scaled(&format!("docker run in a loop ({LOOPED}, scaled)"), &looped, LOOPED)?;
        report.line(&self.making(), ours, Some(&looped), Target::ratio(20.0))
    }

    fn engines_alone(&self) -> Result<Duration> {
        let hosts = self.site.room.hosts();
        let sockets: Vec<PathBuf> = hosts.iter().map(lab::Host::socket).collect::<std::result::Result<_, _>>()?;
        let names: Vec<String> = (1..=self.guests).map(|number| format!("c{number:03}")).collect();
        let engines: Vec<(&Path, &[String])> =
            sockets.iter().map(PathBuf::as_path).zip(names.chunks(self.guests.div_ceil(HOSTS))).collect();
        engine::make_and_start(&engines, BODY)
    }

    /// The time that all containers would take, from some of them.
    fn scaled(&self, name: &str, script: &str, count: usize) -> Result<Figures> {
        let run = self.site.shell(name, script)?.weigh()?;
        self.clear()?;
        let time = run.time.mul_f64(self.guests as f64 / count as f64);
        Ok(Figures { name: name.to_owned(), time, peak_kib: Some(run.peak_kib) })
    }

    fn compare_asking(&self, report: &mut Report) -> Result<()> {
        let rival = "for n in 1 2 3 4; do docker -H ssh://root@10.77.0.$n ps -a & done; wait";
        let jobs = [self.site.xcrane("rpower guests stat")?, self.site.shell("docker ps, all hosts at once", rival)?];
        let figures = race(&jobs, RUNS, Answers::OfTheirOwn)?;
        report.line(&format!("rpower stat of {}", self.guests), &figures[0], figures.get(1), Target::ratio(1.0))
    }

    fn end(mut self) -> Result<()> {
        Ok(self.site.room.stop()?)
    }
}

fn mean(times: &[Duration]) -> Duration {
    times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap_or(1).max(1)
}
