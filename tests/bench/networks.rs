//! Networks over hosts: what goes through ours beside what goes through the same link made by hand, and how long the making
//! takes beside a shell's loop over ssh.

use std::path::Path;
use std::time::Duration;

use lab::Kind;

use crate::Result;
use crate::race::{Answers, Figures, Job, race};
use crate::report::{Report, Target};
use crate::site::Site;

const HOSTS: u8 = 8;
/// Of each side, in turn.
const ROUNDS: usize = 3;
/// Measurements of a link each time that it is made; what else the machine does comes and goes in seconds.
const MEASUREMENTS: usize = 3;
/// Seconds of each measurement.
const SECONDS: usize = 2;
const GIGABYTE: f64 = 8e9;

/// What a link by hand has in common; `$i` is this host's number and `$j` the other one's.
const BRIDGE: &str = "ip link add br-hand type bridge; ip link set br-hand mtu $mtu up";
const ENGINE: &str = "docker network create --subnet 10.81.0.0/16 --gateway 10.81.255.254 \
    -o com.docker.network.bridge.name=br-hand -o com.docker.network.driver.mtu=$mtu \
    -o com.docker.network.bridge.inhibit_ipv4=true hand";
const TUNNEL: &str = "ip link add vxhand type vxlan id 99 dstport 4789 local 10.77.0.$i; ip link set vxhand mtu $mtu up; \
    bridge fdb append 00:00:00:00:00:00 dev vxhand dst 10.77.0.$j";
const SWITCH: &str = "systemctl start openvswitch-switch; \
    [ \"$(ovs-vsctl --if-exists get Open_vSwitch . other_config:userspace-tso-enable)\" = '\"true\"' ] || \
    { ovs-vsctl set Open_vSwitch . other_config:userspace-tso-enable=true; systemctl restart openvswitch-switch; }; \
    ip link add vhand type veth peer name ohand; ip link set vhand mtu $mtu master br-hand up; ip link set ohand mtu $mtu up; \
    ovs-vsctl add-br ovshand -- set bridge ovshand datapath_type=netdev; \
    ovs-vsctl add-port ovshand ohand; ovs-vsctl add-port ovshand vxhand";
const CLEAR: &str = "docker rm -f hand net 2>/dev/null; docker network rm hand 2>/dev/null; \
    ! command -v ovs-vsctl >/dev/null || ovs-vsctl --timeout=5 --if-exists del-br ovshand 2>/dev/null; \
    for port in vhand vxhand br-hand; do ip link del $port 2>/dev/null; done; ip link set eth1 nomaster; true";

/// A link that both sides make.
struct Link {
    name: &'static str,
    /// For mknet.
    definition: &'static str,
    mtu: u32,
    by_hand: String,
}

fn links() -> [Link; 3] {
    [
        Link {
            name: "VXLAN bridge",
            definition: "driver=bridge",
            mtu: 1450,
            by_hand: format!("{BRIDGE}; {TUNNEL}; ip link set vxhand master br-hand; {ENGINE}"),
        },
        Link {
            name: "Open vSwitch",
            definition: "driver=ovs",
            mtu: 1450,
            by_hand: format!("{BRIDGE}; {TUNNEL}; {SWITCH}; {ENGINE}"),
        },
        Link {
            name: "bridge on a port",
            definition: "driver=bridge uplink=eth1",
            mtu: 1500,
            by_hand: format!("{BRIDGE}; ip link set eth1 master br-hand up; {ENGINE}"),
        },
    ]
}

/// What an admin types on a host for a VXLAN bridge to all others; `\$i` is this host's number.
const BY_HAND: &str = "ip link add br-hand type bridge; \
    ip link set br-hand mtu 1450 up; ip link add vxhand type vxlan id 99 dstport 4789 local 10.77.0.$i; \
    ip link set vxhand mtu 1450 master br-hand up; \
    for j in 1 2 3 4 5 6 7 8; do [ \\$j = $i ] || bridge fdb append 00:00:00:00:00:00 dev vxhand dst 10.77.0.\\$j; done";
const ENGINE_BY_HAND: &str = "docker network create --subnet 10.81.0.0/16 --gateway 10.81.255.254 \
    -o com.docker.network.bridge.name=br-hand -o com.docker.network.driver.mtu=1450 \
    -o com.docker.network.bridge.inhibit_ipv4=true hand";
/// A unit that makes the bridge before the engine starts, without which it is gone after a boot.
const UNIT_BY_HAND: &str = "printf '%s\\n' '[Unit]' Before=docker.service '[Service]' Type=oneshot RemainAfterExit=yes \
    ExecStart=/usr/local/sbin/hand '[Install]' WantedBy=multi-user.target >/etc/systemd/system/hand.service; \
    chmod +x /usr/local/sbin/hand; systemctl daemon-reload; systemctl -q enable --now hand";

/// The loop over all hosts that comes to what mknet does: a network that is there again after a boot.
fn lasting() -> String {
    let script = "cat >/usr/local/sbin/hand <<END\n#!/bin/sh -e";
    format!(
        "for i in 1 2 3 4 5 6 7 8; do ssh root@10.77.0.$i \"set -e; {script}\n{}\nEND\n{UNIT_BY_HAND}; {ENGINE_BY_HAND}\"; done",
        BY_HAND.replace("\\$j", "\\\\\\$j")
    )
}

/// The loop that makes it until the next boot.
fn fleeting() -> String {
    format!("for i in 1 2 3 4 5 6 7 8; do ssh root@10.77.0.$i \"set -e; {BY_HAND}; {ENGINE_BY_HAND}\"; done")
}

/// Compares on hosts of its own, which are gone afterwards.
pub(crate) fn run(report: &mut Report, work: &Path) -> Result<()> {
    let site = Site::bring_up(work, "networks", &[(HOSTS, Kind::Systemd)])?;
    site.define_hosts()?;
    let mut networks = Networks { site };
    report.section(&format!(
        "networks over hosts with systemd; {HOSTS} hosts for the making, two for what goes through"
    ))?;
    networks.compare_making(report)?;
    for link in links() {
        networks.compare_flow(report, &link)?;
    }
    Ok(networks.site.room.stop()?)
}

struct Networks {
    site: Site,
}

impl Networks {
    fn compare_making(&self, report: &mut Report) -> Result<()> {
        let ours = "$XCRANE mknet net driver=bridge net=10.80.0.0 mask=255.255.0.0 hosts=h[1-8]";
        let ours = self.site.job("xcrane", &["sh", "-ec", ours])?.before(self.line_of(&["$XCRANE rmnet net || :"])?);
        let clear = "for i in 1 2 3 4 5 6 7 8; do ssh root@10.77.0.$i 'exec 2>/dev/null; docker network rm hand; systemctl -q disable hand; \
            systemctl stop hand; rm -f /etc/systemd/system/hand.service /usr/local/sbin/hand; systemctl daemon-reload; \
            ip link del vxhand; ip link del br-hand' || :; done";
        let by_hand = |name: &str, script: String| -> Result<Job> {
            Ok(self.site.job(name, &["sh", "-ec", &script])?.before(self.line_of(&[clear])?))
        };
        let lasting = by_hand("a loop over ssh: ip, docker, a unit", lasting())?;
        let fleeting = by_hand("the same without a unit", fleeting())?;
        let figures = race(&[ours, lasting, fleeting], ROUNDS, Answers::OfTheirOwn)?;
        let what = format!("mknet over {HOSTS} hosts");
        report.line(&what, &figures[0], figures.get(1), Target::ratio(3.0))?;
        report.line(
            &format!("{what}, lost at a boot"),
            &figures[0],
            figures.get(2),
            Target { ratio: None, time: None },
        )?;
        self.site.run("rmnet net")?;
        self.site.job("clear", &["sh", "-ec", clear])?.time().map(drop)
    }

    /// A script on the hosts' network as a line for a shell outside of it.
    fn line_of(&self, script: &[&str]) -> Result<String> {
        let job = self.site.job("before", &["sh", "-c", &script.join("; ")])?;
        let quote = |word: &str| format!("'{}'", word.replace('\'', r"'\''"));
        let env = job.env.iter().map(|(name, value)| format!("{name}={}", quote(value)));
        let words = job.argv.iter().map(|word| quote(word));
        Ok(format!(
            "export {}; {} >/dev/null 2>&1",
            env.collect::<Vec<_>>().join(" "),
            words.collect::<Vec<_>>().join(" ")
        ))
    }

    /// Each side's link is made and taken away in turn, and either is the first of a round as often as the other.
    fn compare_flow(&self, report: &mut Report, link: &Link) -> Result<()> {
        let (mut ours, mut by_hand) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            if round % 2 == 0 {
                ours.extend(self.flow_of_ours(link)?);
                by_hand.extend(self.flow_by_hand(link)?);
            } else {
                by_hand.extend(self.flow_by_hand(link)?);
                ours.extend(self.flow_of_ours(link)?);
            }
        }
        let figures = |name: &str, mut times: Vec<Duration>| {
            times.sort_unstable();
            Figures { name: name.into(), time: times[times.len() / 2], peak_kib: None }
        };
        let (ours, by_hand) = (figures("xcrane", ours), figures("the same link by ip and ovs-vsctl", by_hand));
        report.line(&format!("1 GB through {}", link.name), &ours, Some(&by_hand), Target::ratio(0.95))
    }

    fn flow_of_ours(&self, link: &Link) -> Result<Vec<Duration>> {
        let line = format!("mknet net {} net=10.80.0.0 mask=255.255.0.0 hosts=h1,h2", link.definition);
        self.site.run(&line)?;
        let times = self.flow("net", "10.80.1")?;
        self.clear()?;
        self.site.run("rmnet net -d")?;
        Ok(times)
    }

    fn flow_by_hand(&self, link: &Link) -> Result<Vec<Duration>> {
        for (i, j) in [(1, 2), (2, 1)] {
            let given = format!("i={i} j={j} mtu={}", link.mtu);
            self.site.host(i)?.shell(&format!("{given}; {}", link.by_hand))?;
        }
        let times = self.flow("hand", "10.81.1")?;
        self.clear()?;
        Ok(times)
    }

    fn clear(&self) -> Result<()> {
        for number in [1, 2] {
            self.site.host(number)?.shell(CLEAR)?;
        }
        Ok(())
    }

    /// The times that a gigabyte takes from a container of one host to one of the other.
    fn flow(&self, network: &str, prefix: &str) -> Result<Vec<Duration>> {
        for number in [1, 2] {
            let run = format!("docker run -d --name {network} --network {network} --ip {prefix}.{number} busybox:lab");
            self.site.host(number)?.shell(&run)?;
        }
        let inside = format!("nsenter -n -t $(docker inspect -f '{{{{.State.Pid}}}}' {network})");
        let measure = format!(
            "for t in $(seq 100); do {inside} iperf3 -c {prefix}.2 -t {SECONDS} -J >/run/flow && break; sleep 0.1; done; \
             sed -n '/sum_received/,/}}/s/.*bits_per_second\":[^0-9]*\\([0-9.e+]*\\).*/\\1/p' /run/flow"
        );
        let once = |_| {
            self.site.host(2)?.shell(&format!("{inside} iperf3 -s -1 -D"))?;
            let rate: f64 = self.site.host(1)?.shell(&measure)?.trim().parse()?;
            Ok(Duration::from_secs_f64(GIGABYTE / rate))
        };
        (0..MEASUREMENTS).map(once).collect()
    }
}
