//! Asks what a plan says: one program a host, which sends all of that host's probes at once, those of a container from
//! within its network. No image needs a program for it, and no pair costs a login.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::{Plan, Station};
use crate::host::quote;
use crate::networks::survey::{Device, Entry, Neighbours, devices, entries, neighbours};
use crate::{Error, Host, Result};

const STATION: &str = include_str!("station.sh");
/// Stations of a host that ask at the same time; each has up to 32 probes on their way.
const AT_ONCE: usize = 16;
/// What the slowest round of probes takes: 1 s, then 3 s, then 2 s for a small packet.
const ROUND: Duration = Duration::from_secs(6);
/// For a busy host to start its programs.
const MARGIN: Duration = Duration::from_secs(30);

/// How a probe went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passed {
    Full,
    /// Only a small packet; with what `ping` said of the large one.
    Small(String),
    Lost(String),
    /// Nobody has asked, because the station is not there.
    Unasked,
}

/// What a host's program found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    pub(super) probes: HashMap<(IpAddr, IpAddr), Passed>,
    /// The device that has a station's address, as seen from within.
    pub(super) devices: HashMap<IpAddr, Device>,
    /// The hardware addresses of others who say that the address is theirs.
    pub(super) claims: HashMap<IpAddr, Vec<String>>,
    /// Forwarding entries after all probes, so that strangers can be found.
    pub(super) entries: Vec<Entry>,
    /// The table of neighbours after all probes.
    pub(super) neighbours: Option<Neighbours>,
    /// Stations without their address.
    pub(super) absent: Vec<IpAddr>,
    /// Programs that the host does not have.
    pub lacks: Vec<String>,
}

/// Sends the probes of one host; the wait has a limit that its number of probes sets.
pub async fn ask(host: &Host, name: &str, plan: &Plan) -> Result<Answers> {
    let (script, rounds) = script(plan, name);
    let limit = MARGIN + ROUND * rounds;
    let what = format!("{name}: probes of network {}", plan.network.name);
    let ran = tokio::time::timeout(limit, host.try_run(&["sh", "-s"], script.as_bytes())).await;
    let ran = ran.map_err(|_| Error::TimedOut { what: what.clone(), after: limit })??;
    let answers = read(&String::from_utf8_lossy(&ran.stdout));
    match answers.lacks.iter().find(|tool| *tool != "arping") {
        Some(tool) => Err(Error::Refused {
            what,
            why: format!("the host has no '{tool}'; install it (Debian: iputils-ping, util-linux)"),
        }),
        None => Ok(answers),
    }
}

/// The program of a host, and how many rounds of probes it takes at worst.
fn script(plan: &Plan, host: &str) -> (String, u32) {
    let mut asked: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, _) in plan.stations.iter().enumerate().filter(|(_, station)| station.host == host) {
        asked.entry(place).or_default();
    }
    for (place, link) in plan.links.iter().enumerate() {
        if let Some(links) = asked.get_mut(&link.from) {
            links.push(place);
        }
    }
    let mut text = format!("station={}\n", quote(STATION));
    text.push_str(
        "for tool in ping nsenter ip; do command -v $tool >/dev/null || { echo lacks $tool; exit; }; done\n(\n",
    );
    let (mut count, mut rounds) = (0, 0);
    // Links of one size go together; only pairs of hosts may have several.
    for (&place, links) in &asked {
        let mut by_size: BTreeMap<u32, Vec<IpAddr>> = BTreeMap::new();
        for &link in links {
            let link = plan.links[link];
            by_size.entry(plan.payload(link)).or_default().push(plan.stations[link.to].address);
        }
        if by_size.is_empty() {
            by_size.insert(0, Vec::new());
        }
        for (size, targets) in by_size {
            text.push_str(&line(&plan.stations[place], size, &targets));
            count += 1;
            rounds += u32::try_from(targets.len().div_ceil(32)).unwrap_or(u32::MAX);
            if count % AT_ONCE == 0 {
                text.push_str("wait\n");
            }
        }
    }
    text.push_str("wait\n) </dev/null\nprintf 'entries '\nbridge -j fdb show 2>/dev/null | tr -d '\\n'\necho\n");
    text.push_str("printf 'neighbours '\nip -s -j ntable show name arp_cache 2>/dev/null | tr -d '\\n'\necho\n");
    (text, rounds.max(1))
}

fn line(station: &Station, size: u32, targets: &[IpAddr]) -> String {
    let mut line = String::new();
    if let Some(container) = &station.container {
        let _cannot_fail = write!(line, "nsenter -t {} -n ", container.process);
    }
    let _cannot_fail = write!(line, "sh -c \"$station\" sh {} {size}", station.address);
    targets.iter().for_each(|target| {
        let _cannot_fail = write!(line, " {target}");
    });
    line.push_str(" &\n");
    line
}

/// Reads what the program prints; a line that makes no sense is one of the host's own.
fn read(text: &str) -> Answers {
    let mut answers = Answers::default();
    for line in text.lines() {
        let Some((kind, rest)) = line.split_once(' ') else { continue };
        match kind {
            "lacks" if !answers.lacks.iter().any(|known| known == rest) => answers.lacks.push(rest.to_owned()),
            "entries" => answers.entries = entries(rest),
            "neighbours" => answers.neighbours = neighbours(rest),
            "probe" | "device" | "claims" | "absent" => {
                // A station that makes no sense is left unasked.
                read_station(&mut answers, kind, rest);
            }
            _ => (),
        }
    }
    answers
}

fn read_station(answers: &mut Answers, kind: &str, rest: &str) -> Option<()> {
    let (address, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let address: IpAddr = address.parse().ok()?;
    match kind {
        "absent" => answers.absent.push(address),
        "device" => drop(answers.devices.insert(address, devices(rest).into_iter().next()?)),
        "claims" => drop(answers.claims.insert(address, macs(rest))),
        _ => {
            let (target, rest) = rest.split_once(' ')?;
            let (how, said) = rest.split_once(' ').unwrap_or((rest, ""));
            let passed = match how {
                "full" => Passed::Full,
                "small" => Passed::Small(said.trim().to_owned()),
                "lost" => Passed::Lost(said.trim().to_owned()),
                _ => return None,
            };
            answers.probes.insert((address, target.parse().ok()?), passed);
        }
    }
    Some(())
}

/// The hardware addresses in a text, each once, in small letters.
fn macs(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_hexdigit() || letter == ':'));
    let mut macs: Vec<String> =
        words.filter(|word| word.len() == 17 && word.split(':').count() == 6).map(str::to_ascii_lowercase).collect();
    macs.sort_unstable();
    macs.dedup();
    macs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Samples;
    use super::super::tests::planned;
    use super::*;

    #[test]
    fn one_program_asks_all_of_a_host() {
        let (script, rounds) = script(&planned(&[1, 2], Samples::All), "h2");
        let lines: Vec<&str> =
            script.lines().filter(|line| line.ends_with(" &") && line.contains("$station")).collect();
        assert_eq!(
            lines,
            [
                "sh -c \"$station\" sh 10.77.0.2 1472 10.77.0.1 10.77.0.3 &",
                "nsenter -t 2 -n sh -c \"$station\" sh 10.80.0.2 1422 10.80.0.1 10.80.0.3 &",
                "nsenter -t 3 -n sh -c \"$station\" sh 10.80.0.3 1422 10.80.0.1 10.80.0.2 &",
            ]
        );
        assert_eq!(rounds, 3);
        for text in [script.as_str(), STATION] {
            let shell = std::process::Command::new("sh").args(["-n", "-c", text]).output().unwrap();
            assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
        }
    }

    #[test]
    fn answers_are_read() {
        let answers = read(
            "Welcome to h1\nprobe 10.80.0.1 10.80.0.2 full\nprobe 10.80.0.1 10.80.0.3 small ping: local error: message too long\n\
             probe 10.80.0.1 10.80.0.4 lost \nprobe 10.80.0.1 10.80.0.5 odd\nprobe x 10.80.0.5 full\n\
             device 10.80.0.1 [{\"ifindex\":5,\"ifname\":\"eth0\",\"link_index\":6,\"mtu\":1450}]\n\
             claims 10.80.0.1 ARPING 10.80.0.1 from 0.0.0.0 eth0 Unicast reply from 10.80.0.1 [02:AA:00:00:00:01]  0.6ms\n\
             absent 10.80.0.9\nlacks arping\nlacks arping\nentries [{\"mac\":\"02:aa:00:00:00:01\",\"ifname\":\"eth1\"}]\n\
             neighbours [{\"name\":\"arp_cache\",\"thresh3\":1024,\"entries\":2,\"table_fulls\":19319},{\"name\":\"arp_cache\",\"dev\":\"lo\"}]\n",
        );
        let ip = |last: u8| IpAddr::from([10, 80, 0, last]);
        assert_eq!(answers.probes.len(), 3);
        assert_eq!(answers.probes[&(ip(1), ip(3))], Passed::Small("ping: local error: message too long".into()));
        assert_eq!(answers.probes[&(ip(1), ip(4))], Passed::Lost(String::new()));
        assert_eq!(answers.devices[&ip(1)].peer, Some(6));
        assert_eq!(answers.claims[&ip(1)], ["02:aa:00:00:00:01"]);
        assert_eq!((answers.absent, answers.lacks), (vec![ip(9)], vec!["arping".to_owned()]));
        assert_eq!(answers.entries[0].device, "eth1");
        assert_eq!(answers.neighbours, Some(Neighbours { limit: 1024, entries: 2, overflows: 19_319 }));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>(), lines in "((probe|device|claims|entries|absent) [0-9a-z.: \\[{]{0,40}\n){0,9}") {
            read(&text);
            read(&lines);
        }
    }
}
