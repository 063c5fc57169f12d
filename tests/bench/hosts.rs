//! Containers on four real hosts, beside Docker's own client over ssh and beside the engines' own rate.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::{Owner, Room, Root};

use crate::race::{Answers, Figures, Job, race};
use crate::report::{Report, Target};
use crate::{Result, XCRANE, engine, word};

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

/// OpenSSH looks for keys in the home of the password file whatever $HOME says.
const SSH: &str = "#!/bin/sh
exec /usr/bin/ssh -i \"$HOME/.ssh/id_ed25519\" -o UserKnownHostsFile=\"$HOME/.ssh/known_hosts\" \"$@\"
";

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
    room: Room,
    guests: usize,
    /// Docker's client and an ssh that knows the key.
    bin: PathBuf,
    home: PathBuf,
}

impl Cluster {
    fn bring_up(work: &Path, guests: usize) -> Result<Self> {
        let root = Root::ready()?;
        let dir = lab::default_directory().join("bench");
        lab::claim(&dir)?;
        let room = Room::keep(&dir, root, Owner::Caller)?;
        room.start(u8::try_from(HOSTS)?, lab::Kind::Light)?;
        let cluster = Self { room, guests, bin: work.join("bin"), home: work.join("hosts") };
        cluster.bring_rivals()?;
        cluster.define()?;
        Ok(cluster)
    }

    /// The client that Debian has for these engines, without installing an engine on this machine.
    fn bring_rivals(&self) -> Result<()> {
        fs::create_dir(&self.bin)?;
        let client = format!("/proc/{}/root/usr/bin/docker", self.room.host("h1")?.pid()?);
        fs::copy(client, self.bin.join("docker"))?;
        bring_ssh(&self.bin)
    }

    fn define(&self) -> Result<()> {
        for (index, host) in self.room.hosts().iter().enumerate() {
            let (name, address) = (host.name(), host.address());
            self.xcrane(&format!("mkdef {name} groups=hosts ip={address} dockerendpoint=ssh://root@{address}"))?
                .time()?;
            let (first, last) = (index * self.guests / HOSTS + 1, (index + 1) * self.guests / HOSTS);
            let what = "groups=guests mgt=docker image=busybox:lab vmnics=cluster";
            self.xcrane(&format!("mkdef c[{first:03}-{last:03}] {what} vmhost={name}"))?.time()?;
        }
        Ok(())
    }

    /// A program on the management network, as somebody at work there would start it.
    fn job(&self, name: &str, argv: &[&str]) -> Result<Job> {
        Ok(on_network(&self.room, &self.bin, name, argv)?.env("XCRANE_HOME", word(&self.home)))
    }

    fn xcrane(&self, line: &str) -> Result<Job> {
        let argv: Vec<&str> = [XCRANE].into_iter().chain(line.split(' ')).collect();
        self.job("xcrane", &argv)
    }

    fn shell(&self, name: &str, script: &str) -> Result<Job> {
        self.job(name, &["sh", "-ec", script])
    }

    /// Removes every container of every host.
    fn clear(&self) -> Result<()> {
        std::thread::scope(|scope| {
            let clear = |host: lab::Host<'_>| host.shell("docker ps -aq | xargs -r docker rm -f").map(drop);
            let clearing: Vec<_> = self.room.hosts().into_iter().map(|host| scope.spawn(move || clear(host))).collect();
            clearing.into_iter().try_for_each(|one| one.join().expect("the lab does not panic"))
        })?;
        Ok(())
    }

    /// Our figures; the containers of the last round stay.
    fn compare_with_engines(&self, report: &mut Report) -> Result<Figures> {
        let ours = self.shell("xcrane", "$XCRANE mkvm guests; $XCRANE rpower guests on")?;
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
        let hosts = self.room.hosts();
        let sockets: Vec<PathBuf> = hosts.iter().map(lab::Host::socket).collect::<std::result::Result<_, _>>()?;
        let names: Vec<String> = (1..=self.guests).map(|number| format!("c{number:03}")).collect();
        let engines: Vec<(&Path, &[String])> =
            sockets.iter().map(PathBuf::as_path).zip(names.chunks(self.guests.div_ceil(HOSTS))).collect();
        engine::make_and_start(&engines, BODY)
    }

    /// The time that all containers would take, from some of them.
    fn scaled(&self, name: &str, script: &str, count: usize) -> Result<Figures> {
        let run = self.shell(name, script)?.weigh()?;
        self.clear()?;
        let time = run.time.mul_f64(self.guests as f64 / count as f64);
        Ok(Figures { name: name.to_owned(), time, peak_kib: Some(run.peak_kib) })
    }

    fn compare_asking(&self, report: &mut Report) -> Result<()> {
        let rival = "for n in 1 2 3 4; do docker -H ssh://root@10.77.0.$n ps -a & done; wait";
        let jobs = [self.xcrane("rpower guests stat")?, self.shell("docker ps, all hosts at once", rival)?];
        let figures = race(&jobs, RUNS, Answers::OfTheirOwn)?;
        report.line(&format!("rpower stat of {}", self.guests), &figures[0], figures.get(1), Target::ratio(1.0))
    }

    fn end(mut self) -> Result<()> {
        Ok(self.room.stop()?)
    }
}

/// A program on the management network of hosts; those in `bin` come before the machine's own.
pub(crate) fn on_network(room: &Room, bin: &Path, name: &str, argv: &[&str]) -> Result<Job> {
    let entering = room.manage("env")?;
    let entering = [entering.get_program()].into_iter().chain(entering.get_args());
    let entering: Vec<String> = entering.map(|word| word.to_string_lossy().into_owned()).collect();
    let path = format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", word(bin));
    let job = Job::new(name, entering.into_iter().chain(argv.iter().map(|word| (*word).to_owned())));
    Ok(job.env("PATH", path).env("HOME", word(&room.home())).env("XCRANE", XCRANE).env("XCRANE_CONFIG", "/nonexistent"))
}

/// Writes an ssh that knows the room's key.
pub(crate) fn bring_ssh(bin: &Path) -> Result<()> {
    fs::write(bin.join("ssh"), SSH)?;
    Ok(fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755))?)
}

fn mean(times: &[Duration]) -> Duration {
    times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap_or(1).max(1)
}
