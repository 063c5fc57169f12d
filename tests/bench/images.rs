//! Images: bytes and time beside what an admin does with Docker's own client.

use std::path::Path;

use lab::Kind;

use crate::race::{Figures, Job};
use crate::report::{Report, Target};
use crate::site::Site;
use crate::{Result, XCRANE, word};

/// Of each side, in turn; bytes differ by little.
const ROUNDS: usize = 3;
/// An image of 100 MB whose lower 90 MB another one has; nothing of it can be packed.
const MAKE: &str = "mkdir /tmp/made && cd /tmp/made && head -c 90M /dev/urandom >lower && head -c 10M /dev/urandom >upper && \
    a=$(docker create busybox:lab true) && docker cp lower $a:/lower && docker commit $a base:1 && \
    b=$(docker create base:1 true) && docker cp upper $b:/upper && docker commit $b app:1 && docker rm $a $b && \
    rm -r /tmp/made && docker save -o /root/app.tar app:1";
const RECEIVED: &str = "cat /sys/class/net/eth0/statistics/rx_bytes";

/// Compares on hosts of its own, which are gone afterwards.
pub(crate) fn run(report: &mut Report, work: &Path) -> Result<()> {
    let site = Site::bring_up(work, "images", &[(2, Kind::Light)])?;
    site.define_hosts()?;
    report.section("images; two hosts")?;
    let mut images = Images { site };
    images.compare_loading(report)?;
    Ok(images.site.room.stop()?)
}

struct Images {
    site: Site,
}

impl Images {
    /// An image of 100 MB onto a host that has 90 MB of it.
    fn compare_loading(&self, report: &mut Report) -> Result<()> {
        self.site.host(1)?.shell(MAKE)?;
        let archive = word(&self.site.home.with_extension("tar"));
        self.site.job("copy", &["sh", "-ec", &format!("ssh root@10.77.0.1 cat /root/app.tar >{archive}")])?.time()?;
        self.site
            .job("base", &["sh", "-ec", "ssh root@10.77.0.1 docker save base:1 | ssh root@10.77.0.2 docker load"])?
            .time()?;
        let ours = self.site.job("xcrane", &[XCRANE, "imgload", "h2", &archive])?;
        let rival = self.site.job(
            "docker save | ssh docker load",
            &["sh", "-ec", "ssh root@10.77.0.1 docker save app:1 | ssh root@10.77.0.2 docker load"],
        )?;
        let (mut us, mut them) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            us.push(self.received(&ours)?);
            them.push(self.received(&rival)?);
        }
        let (us, them) = (median(us, &ours), median(them, &rival));
        report.bytes("imgload, 90 of 100 MB are there: bytes", us.1, &them.0.name, them.1, 5.0)?;
        report.line("imgload, 90 of 100 MB are there: time", &us.0, Some(&them.0), Target::default())
    }

    /// Time of a job, and the bytes that h2 received meanwhile.
    fn received(&self, job: &Job) -> Result<(std::time::Duration, u64)> {
        let host = self.site.host(2)?;
        host.shell("docker rmi app:1 2>/dev/null; true")?;
        let before: u64 = host.shell(RECEIVED)?.trim().parse()?;
        let time = job.time()?;
        let after: u64 = host.shell(RECEIVED)?.trim().parse()?;
        // Both sides have to have done it.
        host.shell("docker image inspect app:1 >/dev/null")?;
        Ok((time, after - before))
    }
}

fn median(mut runs: Vec<(std::time::Duration, u64)>, job: &Job) -> (Figures, u64) {
    runs.sort_unstable();
    let time = runs[runs.len() / 2].0;
    runs.sort_unstable_by_key(|run| run.1);
    (Figures { name: job.name.clone(), time, peak_kib: None }, runs[runs.len() / 2].1)
}
