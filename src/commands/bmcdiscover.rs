//! `bmcdiscover`: the BMCs at a range of addresses, of which nobody has said anything yet.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use netboot::interfaces;
use nix::sys::resource::{Resource, getrlimit};
use plugins::registry::Account;
use plugins::{AsWhom, Discovery, Found};
use serde_json::json;
use tables::definitions::{Assignment, Job};
use tables::{noderange, objects};

use super::Run;
use crate::bmc::Places;
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::pressed;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;
use crate::{bmc, definition, ranges};

/// Addresses asked at once where routers stand between.
const AT_ONCE: usize = 16 * 1024;
/// Files that any program may have open.
const FEW: u64 = 1024;
/// Holds how many neighbours the kernel may know. One that is asked for and is not there takes the room of another that is
/// used, so that half of it is left alone.
const NEIGHBOURS: &str = "/proc/sys/net/ipv4/neigh/default/gc_thresh3";

/// Find the BMCs at ranges of addresses
#[derive(Debug, Args)]
#[command(
    after_help = "Each address is asked by IPMI and by Redfish at once. Prints a line a BMC: address,mgt,vendor,product,mtm,serial,guid. One that speaks
both has 'ipmi+redfish' for mgt, that first which lets us in; its definition has that one.

The fields from mtm to serial are told only to those who may log in: the account is that of table passwd (key ipmi; key redfish, else ipmi), or
of -u with a password that is asked for. By Redfish a BMC is told the password itself. That of table passwd is told only to those whose
certificate is pinned or vouched for (site.bmcauthority), that of -u to all who answer. No certificate is pinned by a search.

Examples:
  bmcdiscover --range 10.0.0.1-254,10.1.0.0/24
  bmcdiscover --range 10.0.0.1-254 -z > found.stanza    as definitions to be looked at, for mkdef -z
  bmcdiscover --range 10.0.0.1-254 -w                   define those that are no node's yet
  bmcdiscover --range 10.0.0.1-254 --mgt redfish -w     those that speak Redfish, to be managed by it"
)]
pub(crate) struct Bmcdiscover {
    /// Where to look: 10.0.0.1-254, 10.0.0.9-10.0.1.20 or 10.1.0.0/24, several by comma
    #[arg(long, value_name = "RANGES")]
    range: String,
    /// The user to log in as; the password is asked for, or read from standard input
    #[arg(short = 'u', long = "bmcuser", value_name = "USER", conflicts_with = "anonymous")]
    user: Option<String>,
    /// Do not log in
    #[arg(long)]
    anonymous: bool,
    /// Ask by this alone: ipmi or redfish
    #[arg(long, value_name = "MGT")]
    mgt: Option<String>,
    /// Print definitions as stanzas
    #[arg(short = 'z', long, conflicts_with = "json")]
    stanza: bool,
    /// Define nodes for BMCs that are no node's
    #[arg(short = 'w', long)]
    write: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Run for Bmcdiscover {
    fn is_audited(&self) -> bool {
        self.write
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let addresses = ranges::addresses(&self.range)?;
        let ways = self.ways(cx)?;
        let account = self.account(cx).await?;
        let as_whom = match &account {
            Some(account) => AsWhom::Account(account),
            None if self.anonymous => AsWhom::Nobody,
            None => AsWhom::Site,
        };
        let known = bmc::places(cx).await?;
        if let Some(lost) = known.lost() {
            cx.ui.warning(&format!("no address is known of these BMCs, which may be found as new ones: {lost}"));
        }
        let search = search(cx, &addresses, &ways, as_whom, |found| self.tell(cx, &known, found)).await?;
        if !search.silenced.is_empty() {
            let (first, why) = &search.silenced[0];
            cx.ui.warning(&format!("{} addresses were not asked, such as {first}: {why}", search.silenced.len()));
        }
        let strangers = search.found.iter().filter(|found| found.is_stranger).count();
        if strangers > 0 {
            cx.ui.note(&format!(
                "Not logged in to BMCs that would be told the password by Redfish and whose certificates are not known: {strangers}. With -u they are told."
            ));
        }
        let mut outcome = match (search.interrupted, search.silenced.is_empty()) {
            (true, _) => Outcome::Interrupted,
            (false, true) => Outcome::Done,
            (false, false) => Outcome::SomeFailed,
        };
        if self.write && !search.interrupted {
            let new: Vec<&Found> = search.found.iter().filter(|found| known.node_at(found.address).is_none()).collect();
            outcome = outcome.and(self.define(cx, &new, account.as_ref())?);
        }
        Ok(outcome)
    }
}

/// What a search has come to.
struct Search {
    found: Vec<Found>,
    /// Addresses that nothing could be sent to, and why.
    silenced: Vec<(IpAddr, String)>,
    interrupted: bool,
}

/// Answers in the order of addresses: one that is slow keeps those behind it waiting, and each for a moment only.
struct InOrder {
    pending: BTreeSet<IpAddr>,
    ready: BTreeMap<IpAddr, Found>,
}

impl InOrder {
    fn of(addresses: &[Ipv4Addr]) -> Self {
        Self { pending: addresses.iter().copied().map(IpAddr::from).collect(), ready: BTreeMap::new() }
    }

    /// Takes the answer of an address; those that nobody comes before any more.
    fn add(&mut self, address: IpAddr, found: Option<Found>) -> BTreeMap<IpAddr, Found> {
        self.pending.remove(&address);
        self.ready.extend(found.map(|found| (address, found)));
        let later = self.pending.first().map_or_else(BTreeMap::new, |first| self.ready.split_off(first));
        std::mem::replace(&mut self.ready, later)
    }
}

/// Asks all addresses, and tells of each BMC as soon as all before it have answered or been given up.
async fn search(
    cx: &Context,
    addresses: &[Ipv4Addr],
    ways: &[&dyn Discovery],
    as_whom: AsWhom<'_>,
    tell: impl Fn(&Found),
) -> Result<Search, Failure> {
    let probe = |address: Ipv4Addr| async move {
        let address = IpAddr::from(address);
        (address, plugins::discover(ways, address, as_whom).await)
    };
    let bar = cx.ui.count("addresses", addresses.len());
    let mut keyboard = cx.keyboard();
    let mut order = InOrder::of(addresses);
    let mut search = Search { found: Vec::new(), silenced: Vec::new(), interrupted: false };
    let mut waiting = addresses.iter().copied();
    let mut running: FuturesUnordered<_> = waiting.by_ref().take(at_once(addresses)).map(&probe).collect();
    loop {
        let (address, answer) = tokio::select! {
            answer = running.next() => match answer {
                Some(answer) => answer,
                None => break,
            },
            () = pressed(&mut keyboard) => {
                search.interrupted = true;
                break;
            }
        };
        bar.inc(1);
        running.extend(waiting.next().map(&probe));
        let found = answer.unwrap_or_else(|error| {
            search.silenced.push((address, plugins::chain(&error)));
            None
        });
        for found in order.add(address, found).into_values() {
            tell(&found);
            search.found.push(found);
        }
    }
    // After a Ctrl-C there are those that were waiting for others.
    order.ready.values().for_each(&tell);
    search.found.extend(order.ready.into_values());
    cx.give_back(keyboard);
    bar.finish_and_clear();
    Ok(search)
}

/// How many addresses may be asked together: fewer where not so many connections may be open, and on a network of our own, where
/// each takes room in the table of neighbours.
fn at_once(addresses: &[Ipv4Addr]) -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(FEW, |(now, _)| now);
    let most = usize::try_from(files / 2).unwrap_or(usize::MAX).clamp(64, AT_ONCE);
    let own = interfaces::networks().unwrap_or_default();
    let is_near = |address: &Ipv4Addr| own.iter().any(|own| own.network.contains((*address).into()));
    if !addresses.iter().any(is_near) {
        return most;
    }
    let room = std::fs::read_to_string(NEIGHBOURS).ok().and_then(|text| text.trim().parse::<usize>().ok());
    room.map_or(most, |room| (room / 2).clamp(64, most))
}

impl Bmcdiscover {
    /// By what addresses are asked.
    fn ways<'a>(&self, cx: &'a Context) -> Result<Vec<&'a dyn Discovery>, Failure> {
        let all: Vec<&dyn Discovery> = cx.backends()?.discoveries().collect();
        let Some(mgt) = &self.mgt else { return Ok(all) };
        let names: Vec<&str> = all.iter().map(|way| way.name()).collect();
        match all.iter().find(|way| way.name() == mgt) {
            Some(way) => Ok(vec![*way]),
            None => {
                let names = names.join(", ");
                Err(Failure::usage(format!("no BMC is found by '{mgt}'")).hint(format!("it takes {names}")))
            }
        }
    }

    /// The account that was asked for.
    async fn account(&self, cx: &Context) -> Result<Option<Account>, Failure> {
        let Some(user) = &self.user else {
            return Ok(None);
        };
        let password = cx.password(&format!("Password of {user}")).await?;
        Ok(Some(Account { user: user.clone(), password }))
    }

    fn tell(&self, cx: &Context, known: &Places, found: &Found) {
        let address = found.address.to_string();
        let node = known.node_at(found.address);
        let format = if self.json { Format::Json } else { Format::Lines };
        if let Some(trouble) = &found.trouble {
            cx.ui.reply(format, Reply { node: None, body: Body::Warning(format!("{address}: {trouble}")) });
        }
        let lines = match self.stanza {
            true => stanza(found, node),
            false => vec![line(found)],
        };
        let data = json!({
            "bmc": address, "mgt": found.mgt(), "speaks": found.speaks, "vendor": found.vendor, "product": found.product, "mtm": found.model,
            "serial": found.serial, "guid": found.guid, "node": node,
        });
        cx.ui.reply(
            format,
            Reply { node: None, body: Body::Answer(Answer { lines, data: Some(data), ..Answer::silent() }) },
        );
    }

    fn define(&self, cx: &Context, found: &[&Found], account: Option<&Account>) -> Result<Outcome, Failure> {
        let new: Vec<(String, Vec<Assignment>)> = found
            .iter()
            .filter(|found| found.mgt().is_some())
            .map(|found| {
                let mut changes: Vec<_> =
                    attributes(found).into_iter().map(|(name, value)| Assignment::set(name, value)).collect();
                if let Some(Account { user, password }) = account.filter(|_| found.trouble.is_none()) {
                    changes.push(Assignment::set("bmcusername", user));
                    changes.push(Assignment::set("bmcpassword", password.reveal()));
                }
                (name(found), changes)
            })
            .collect();
        if new.is_empty() {
            cx.ui.note("Nothing new to define.");
            return Ok(Outcome::Done);
        }
        definition::edit(cx, self.reason.clone(), |edit, report| {
            let names: Vec<&str> = new.iter().map(|(name, _)| &**name).collect();
            let taken = edit.defined(&objects::NODE, &names)?;
            let taken: Vec<String> = names.into_iter().filter(|name| taken.contains(name)).map(str::to_owned).collect();
            if !taken.is_empty() {
                let names = noderange::fold(&taken);
                report.skipped.push(format!("{names}: defined already, with another BMC; left as it is"));
            }
            let jobs: Vec<Job<'_>> = new
                .iter()
                .filter(|(name, _)| !taken.contains(name))
                .map(|(name, changes)| Job { name, changes })
                .collect();
            report.assign(edit, &objects::NODE, &jobs, |_| true)
        })
    }
}

fn line(found: &Found) -> String {
    let Found { address, guid, vendor, product, model, serial, .. } = found;
    let (address, speaks) = (address.to_string(), found.speaks.join("+"));
    let told = [vendor, product, model, serial, guid].map(|field| field.as_deref().unwrap_or_default());
    // A field may hold anything that a maker has typed.
    [&*address, &*speaks].into_iter().chain(told).map(|field| field.replace(',', " ")).collect::<Vec<_>>().join(",")
}

/// As xCAT names a machine of which nobody has said how it is called: by model and serial number, or by its address.
fn name(found: &Found) -> String {
    let plain = |text: &str| {
        text.to_ascii_lowercase()
            .replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
            .trim_matches('-')
            .to_owned()
    };
    match (&found.model, &found.serial) {
        (Some(model), Some(serial)) => format!("node-{}-{}", plain(model), plain(serial)),
        _ => format!("node-{}", plain(&found.address.to_string())),
    }
}

fn attributes(found: &Found) -> Vec<(&'static str, String)> {
    let of_address = found.address.to_string();
    let known = [
        ("groups", Some("all")),
        ("bmc", Some(&*of_address)),
        ("hwtype", Some("bmc")),
        ("mgt", found.mgt()),
        ("mtm", found.model.as_deref()),
        ("nodetype", Some("mp")),
        ("serial", found.serial.as_deref()),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))).collect()
}

/// The definition; under the name of the node that has this BMC already, if there is one.
fn stanza(found: &Found, node: Option<&str>) -> Vec<String> {
    let name = node.map_or_else(|| name(found), str::to_owned);
    let mut lines = vec![format!("{name}:"), "    objtype=node".to_owned()];
    lines.extend(attributes(found).into_iter().map(|(attribute, value)| format!("    {attribute}={value}")));
    lines.push(String::new());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(model: Option<&str>, serial: Option<&str>) -> Found {
        Found {
            address: "10.0.0.7".parse().unwrap(),
            speaks: vec!["ipmi", "redfish"],
            guid: None,
            vendor: Some("Acme, Inc".into()),
            product: None,
            model: model.map(str::to_owned),
            serial: serial.map(str::to_owned),
            trouble: None,
            is_stranger: false,
        }
    }

    #[test]
    fn answers_are_told_in_the_order_of_addresses() {
        let address = |last: u8| Ipv4Addr::new(10, 0, 0, last);
        let mut order = InOrder::of(&[9, 10, 11, 100].map(address));
        let mut add = |last: u8, answers: bool| {
            let ready = order.add(address(last).into(), answers.then(|| found(None, None)));
            ready.into_keys().map(|address| address.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(add(100, true), "");
        assert_eq!(add(10, true), "");
        assert_eq!(add(9, false), "10.0.0.10", "9 is silent, 11 has not answered");
        assert_eq!(add(11, true), "10.0.0.11 10.0.0.100");
    }

    #[test]
    fn names_are_what_a_node_may_be_called() {
        assert_eq!(name(&found(Some("8247-42L"), Some("10.112 CA"))), "node-8247-42l-10-112-ca");
        assert_eq!(name(&found(Some("8247-42L"), None)), "node-10-0-0-7");
        assert_eq!(line(&found(None, Some("S1"))), "10.0.0.7,ipmi+redfish,Acme  Inc,,,S1,");
    }
}
