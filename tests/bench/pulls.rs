//! One image for eight hosts from one registry: beside a shell loop of Docker's client, and over a thin line in several ways.

use std::path::Path;

use lab::{Host, Kind};

use crate::race::Figures;
use crate::report::{Report, Target};
use crate::site::Site;
use crate::{Result, XCRANE};

/// h1 has the registry, h2 and h3 mirror it, and these want images.
const HOSTS: std::ops::RangeInclusive<u8> = 4..=11;
const COUNT: u64 = 8;
const RANGE: &str = "h[4-11]";
const PLACE: &str = "10.77.0.1:5000";
/// Between the registry and everybody.
const LINE: &str = "100mbit";

/// Compares on hosts of its own, which are gone afterwards.
pub(crate) fn run(report: &mut Report, work: &Path) -> Result<()> {
    let mut pulls = Pulls::bring_up(work)?;
    report.section(&format!("one image on {COUNT} hosts at once; a registry with TLS and accounts"))?;
    pulls.compare_with_clients(report)?;
    report.section(&format!("the same, 40 MB, with {LINE} from the registry; ours: all at once, straight from it"))?;
    pulls.compare_ways(report)?;
    Ok(pulls.site.room.stop()?)
}

struct Pulls {
    site: Site,
}

/// What one run cost.
struct Run {
    figures: Figures,
    /// Bytes that left the registry's node for each host.
    bytes: u64,
}

impl Pulls {
    fn bring_up(work: &Path) -> Result<Self> {
        let kinds = [(3, Kind::Systemd), (u8::try_from(COUNT)?, Kind::Light)];
        let pulls = Self { site: Site::bring_up(work, "pulls", &kinds)? };
        pulls.site.define_hosts()?;
        pulls.make_registries()?;
        pulls.trust()?;
        pulls.push("large", 100)?;
        pulls.push("small", 40)?;
        Ok(pulls)
    }

    fn make_registries(&self) -> Result<()> {
        self.site.run("mkregistry h1 --auth ada")?;
        self.site.run("mkregistry h2 --upstream h1")?;
        self.site.run("mkregistry h3 --upstream h1")
    }

    /// What `dockertrust` and mkhost do on hosts with systemd, and a login for Docker's client.
    fn trust(&self) -> Result<()> {
        let authority = std::fs::read_to_string(self.site.home.join("ca/ca.pem"))?;
        let asked =
            self.site.job("gettab", &[XCRANE, "gettab", "key=registry,username=ada", "passwd.password"])?.weigh()?;
        let password = asked.output.trim().to_owned();
        let mut hosts: Vec<Host<'_>> = HOSTS.map(|host| self.site.host(host)).collect::<Result<_>>()?;
        hosts.push(self.site.host(1)?);
        for host in hosts {
            host.shell(&format!(
                "for place in {PLACE} 10.77.0.2:5000 10.77.0.3:5000; do
                    mkdir -p /etc/docker/certs.d/$place && cat >/etc/docker/certs.d/$place/ca.crt <<'END'\n{authority}END\n
                 done
                 echo '{password}' | HOME=/root docker login -u ada --password-stdin {PLACE} 2>/dev/null"
            ))?;
        }
        Ok(())
    }

    /// An image that cannot be packed.
    fn push(&self, name: &str, megabytes: u32) -> Result<()> {
        let image = format!("{PLACE}/{name}:1");
        self.site.host(1)?.shell(&format!(
            "export HOME=/root; mkdir -p /srv/made && cd /srv/made && head -c {megabytes}M /dev/urandom >data && \
             tar -c data | docker import - {image} && docker push -q {image} && rm -r /srv/made"
        ))?;
        Ok(())
    }

    fn compare_with_clients(&self, report: &mut Report) -> Result<()> {
        let pull = format!("docker pull -q {PLACE}/large:1");
        let numbers: Vec<String> = HOSTS.map(|host| host.to_string()).collect();
        let numbers = numbers.join(" ");
        let serial = format!("for n in {numbers}; do ssh root@10.77.0.$n {pull}; done");
        let parallel = format!("for n in {numbers}; do ssh root@10.77.0.$n {pull} & done; wait");
        let ours = self.pull("imgpull", "large", &[])?;
        let what = format!("imgpull, 100 MB on {COUNT} hosts");
        let parallel = self.run("docker pull by ssh, all at once", &["sh", "-ec", &parallel], "large")?;
        report.line(&what, &ours.figures, Some(&parallel.figures), Target::ratio(0.9))?;
        let serial = self.run("docker pull by ssh, one by one", &["sh", "-ec", &serial], "large")?;
        report.line(&what, &ours.figures, Some(&serial.figures), Target::ratio(1.0))?;
        let what = "bytes out of the registry for each host";
        report.bytes(what, ours.bytes, &parallel.figures.name, parallel.bytes, 0.95)
    }

    fn compare_ways(&self, report: &mut Report) -> Result<()> {
        self.site.host(1)?.slow(LINE)?;
        let all = self.pull("all at once", "small", &[])?;
        let mut compare = |name: &str, run: Run| -> Result<()> {
            report.line(name, &all.figures, Some(&run.figures), Target::default())?;
            report.bytes("  bytes out of the registry for each host", all.bytes, name, run.bytes, 0.0)
        };
        for wave in ["2", "4"] {
            let name = format!("waves of {wave}");
            compare(&name, self.pull(&name, "small", &["--at-once", wave])?)?;
        }
        for (first, last, mirror) in [(4, 7, 2), (8, 11, 3)] {
            self.site.run(&format!("chdef h[{first}-{last}] dockerregistries=10.77.0.{mirror}:5000"))?;
        }
        compare("two mirrors that have nothing yet", self.pull("two cold mirrors", "small", &[])?)?;
        compare("two mirrors that have it", self.pull("two warm mirrors", "small", &[])?)
    }

    fn pull(&self, name: &str, image: &str, options: &[&str]) -> Result<Run> {
        let reference = format!("{PLACE}/{image}:1");
        let argv: Vec<&str> =
            [XCRANE, "imgpull", RANGE, &reference].into_iter().chain(options.iter().copied()).collect();
        self.run(name, &argv, image)
    }

    /// Takes the image away from all hosts, and runs.
    fn run(&self, name: &str, argv: &[&str], image: &str) -> Result<Run> {
        for host in HOSTS {
            let names = format!("docker images -q '*/{image}' | xargs -r docker rmi -f");
            self.site.host(host)?.shell(&names)?;
        }
        let before = self.sent()?;
        let time = self.site.job(name, argv)?.time()?;
        let bytes = (self.sent()? - before) / COUNT;
        for host in HOSTS {
            self.site.host(host)?.shell(&format!("docker image inspect {PLACE}/{image}:1 >/dev/null"))?;
        }
        Ok(Run { figures: Figures { name: name.to_owned(), time, peak_kib: None }, bytes })
    }

    fn sent(&self) -> Result<u64> {
        Ok(self.site.host(1)?.shell("cat /sys/class/net/eth0/statistics/tx_bytes")?.trim().parse()?)
    }
}
