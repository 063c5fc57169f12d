//! Why a boot goes no further: rules as data, the first that fits is the likely cause.

use super::{Boot, Stage, State, Step};
use crate::dhcp::{ANOTHER_SERVER, NO_LOADER};
use crate::events::Kind;

/// What is known beside the events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// In milliseconds since 1970 began.
    pub now: u64,
    pub node: String,
    /// Of table mac; empty where there is none.
    pub macs: String,
    /// MAC addresses of no node that were heard of since the boot began.
    pub strangers: Vec<String>,
}

/// What is to be said of a boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Up, after so many milliseconds.
    Up(u64),
    /// It does something else than say that it is up, as it was told to.
    AsTold(String),
    /// It is in that stage, and not for too long yet.
    UnderWay(Stage),
    Stuck {
        stage: Stage,
        /// For how many seconds.
        since: u64,
        cause: String,
        remedy: String,
    },
}

/// A likely cause. `{}` in its texts is what `detail` says.
struct Rule {
    fits: fn(&Case<'_>) -> bool,
    detail: fn(&Case<'_>) -> String,
    cause: &'static str,
    /// `NODE` is the node's name.
    remedy: &'static str,
}

/// What rules look at.
struct Case<'a> {
    boot: &'a Boot,
    around: &'a Around,
    /// The stage that it is stuck in.
    at: &'a Step,
}

impl Case<'_> {
    fn is(&self, stage: Stage, state: State) -> bool {
        self.at.stage == stage && self.at.state == state
    }

    fn asks(&self) -> bool {
        matches!(self.at.stage, Stage::Firmware | Stage::Ipxe | Stage::System)
    }

    fn loads(&self) -> bool {
        matches!(self.at.stage, Stage::Kernel | Stage::Initrd | Stage::Root)
    }

    /// What became of its postscripts, if that is where it is.
    fn posts(&self) -> Option<State> {
        let is_there = matches!(self.at.stage, Stage::Postscripts | Stage::Said);
        self.boot.step(Stage::Postscripts).filter(|_| is_there).map(|step| step.state)
    }

    fn was_refused(&self, kind: Kind) -> bool {
        self.boot.refused.iter().any(|seen| seen.kind == kind)
    }
}

fn nothing(_: &Case<'_>) -> String {
    String::new()
}

fn last(case: &Case<'_>) -> String {
    case.at.detail.clone()
}

const RULES: &[Rule] = &[
    Rule {
        fits: |case| case.at.stage == Stage::Power && case.around.macs.is_empty(),
        detail: |case| strangers(&case.around.strangers),
        cause: "table mac does not know its MAC address{}",
        remedy: "chdef NODE mac=…",
    },
    Rule {
        fits: |case| case.at.stage == Stage::Power && !case.around.strangers.is_empty(),
        detail: |case| format!("{}{}", case.around.macs, strangers(&case.around.strangers)),
        cause: "nothing was heard of {}: the MAC address in table mac may be wrong",
        remedy: "chdef NODE mac=… with the right one",
    },
    Rule {
        fits: |case| case.at.stage == Stage::Power,
        detail: |case| case.around.macs.clone(),
        cause: "no packet of {} was seen: it does not boot from the network, or is on another wire (cable, VLAN)",
        remedy: "rsetboot NODE net; look with rcons NODE; is xcrane serve on the interface that it is connected to?",
    },
    Rule {
        fits: |case| case.asks() && case.at.detail.contains(ANOTHER_SERVER),
        detail: nothing,
        cause: "another DHCP server on the wire has answered it",
        remedy: "stop that one for these machines, or serve beside it: xcrane serve --proxy",
    },
    Rule {
        fits: |case| case.at.stage == Stage::Firmware && case.at.detail.contains(NO_LOADER),
        detail: |case| case.at.detail.split_once(NO_LOADER).map_or_else(String::new, |(_, what)| what.to_owned()),
        cause: "its firmware is {}, and iPXE for that is not served",
        remedy: "switch the firmware to BIOS (CSM) or to UEFI of 64 bits; look with rcons NODE",
    },
    Rule {
        fits: |case| case.asks() && case.was_refused(Kind::Limited),
        detail: nothing,
        cause: "it asks more often than one machine may, and is not answered each time",
        remedy: "look with rcons NODE at what repeats itself there",
    },
    Rule {
        fits: |case| case.asks() && case.at.state == State::Failed && case.at.detail.contains(": "),
        detail: |case| case.at.detail.split_once(": ").map_or_else(String::new, |(_, why)| why.to_owned()),
        cause: "DHCP does not answer it: {}",
        remedy: "lsdef NODE -i mac,ip; lsdef -t network -l",
    },
    Rule {
        fits: |case| case.asks() && case.at.state == State::Failed,
        detail: last,
        cause: "it does not get along with its address {}: another machine uses it, or it had another one before",
        remedy: "look for whoever else has that address; lsdef NODE -i ip",
    },
    Rule {
        fits: |case| case.asks() && case.at.state == State::Begun && case.at.detail.starts_with("0.0.0.0 "),
        detail: last,
        cause: "it was told what to boot from ({}) beside the other DHCP server, and does not ask for that",
        remedy: "does the other DHCP server give it an address? look at firewalls for TFTP and HTTP",
    },
    Rule {
        fits: |case| case.asks() && case.at.state == State::Begun,
        detail: last,
        cause: "it was offered {} and has not asked for it: it has taken another DHCP server's offer, or hears no answer",
        remedy: "look for another DHCP server, at the switch port (spanning tree, VLAN), and at which of its ports is cabled",
    },
    Rule {
        fits: |case| case.is(Stage::Firmware, State::Done) && case.at.detail.contains("http://"),
        detail: last,
        cause: "its firmware has an address and asks for no loader: HTTP does not get through, or it may not do without TLS ({})",
        remedy: "look at firewalls, and in the setup of its firmware whether it boots by plain HTTP",
    },
    Rule {
        fits: |case| case.is(Stage::Firmware, State::Done),
        detail: nothing,
        cause: "its firmware has an address and asks for no loader: TFTP (UDP port 69) does not get through",
        remedy: "look at firewalls, and at networks.tftpserver",
    },
    Rule {
        fits: |case| {
            case.is(Stage::Loader, State::Begun)
                || (case.is(Stage::Loader, State::Failed) && case.at.detail.contains("silent"))
        },
        detail: last,
        cause: "the loader did not come to its end ({}): large packets or ports above 1023 do not get through",
        remedy: "look at the MTU of the wire and at firewalls for TFTP's UDP",
    },
    Rule {
        fits: |case| case.is(Stage::Loader, State::Failed),
        detail: last,
        cause: "the loader was not loaded: {}",
        remedy: "is the package ipxe installed on the server?",
    },
    Rule {
        fits: |case| case.is(Stage::Loader, State::Done),
        detail: nothing,
        cause: "the loader was loaded and says nothing: Secure Boot refuses it, or iPXE cannot drive the card",
        remedy: "switch Secure Boot off in the firmware; look with rcons NODE",
    },
    Rule {
        fits: |case| case.is(Stage::Ipxe, State::Done),
        detail: nothing,
        cause: "iPXE has an address and does not ask for its script: HTTP does not get through",
        remedy: "look at firewalls for the port of site.httpport; is http among the services of xcrane serve?",
    },
    Rule {
        fits: |case| case.is(Stage::Script, State::Failed),
        detail: last,
        cause: "there is no script for it: {}",
        remedy: "nodeset NODE --show",
    },
    Rule {
        fits: |case| case.is(Stage::Script, State::Done),
        detail: nothing,
        cause: "iPXE has its script and asks for no kernel",
        remedy: "nodeset NODE --show; look with rcons NODE",
    },
    Rule {
        fits: |case| case.loads() && case.at.state == State::Failed && !case.at.detail.contains(" of "),
        detail: last,
        cause: "its image lacks a file or the file cannot be read: {}",
        remedy: "packimage IMAGE, and nodeset NODE osimage=IMAGE",
    },
    Rule {
        fits: |case| case.is(Stage::Root, State::Failed) || case.is(Stage::Root, State::Begun),
        detail: last,
        cause: "the root file system did not arrive ({}): the connection broke, or its memory is too small",
        remedy: "look with rcons NODE; compare its memory with the image's size",
    },
    Rule {
        fits: |case| case.loads() && case.at.state != State::Done,
        detail: last,
        cause: "the file did not arrive: {}",
        remedy: "look at the wire for losses, and with rcons NODE",
    },
    Rule {
        fits: |case| case.is(Stage::Kernel, State::Done) || case.is(Stage::Initrd, State::Done),
        detail: nothing,
        cause: "its kernel was loaded and asks for no address: it stopped, or the initial RAM disk has no driver for the card",
        remedy: "look with rcons NODE; genimage with linuximage.netdrivers",
    },
    Rule {
        fits: |case| case.is(Stage::System, State::Done),
        detail: nothing,
        cause: "its kernel has an address and asks for no root file system",
        remedy: "look with rcons NODE at what the initial RAM disk says",
    },
    Rule {
        fits: |case| case.is(Stage::Discovery, State::Done),
        detail: nothing,
        cause: "it has heard which node it is, and has begun nothing since",
        remedy: "nodeset NODE stat; look with rcons NODE",
    },
    Rule {
        fits: |case| case.is(Stage::Installer, State::Failed),
        detail: last,
        cause: "there are no answers for its installer: {}",
        remedy: "nodeset NODE --show",
    },
    Rule {
        fits: |case| case.is(Stage::Installer, State::Done),
        detail: last,
        cause: "its installer has its answers ({}) and does not come to its end: it may ask something, or lack a package",
        remedy: "look with rcons NODE",
    },
    Rule {
        fits: |case| case.is(Stage::Postscripts, State::Failed) || case.posts() == Some(State::Failed),
        detail: |case| case.boot.step(Stage::Postscripts).map_or_else(String::new, |step| step.detail.clone()),
        cause: "there are no postscripts for it: {}",
        remedy: "look at site.installdir, and at table postscripts",
    },
    Rule {
        fits: |case| case.is(Stage::Said, State::Failed) && case.at.detail.contains(": "),
        detail: last,
        cause: "{}",
        remedy: "nodeset NODE stat; lsdef NODE -i currchain",
    },
    Rule {
        fits: |case| case.is(Stage::Said, State::Failed) && case.posts().is_some(),
        detail: nothing,
        cause: "one of its postscripts has failed",
        remedy: "xdsh NODE tail /var/log/xcat/xcat.log",
    },
    Rule {
        fits: |case| case.is(Stage::Said, State::Failed),
        detail: nothing,
        cause: "it says itself that it has failed",
        remedy: "look with rcons NODE",
    },
    Rule {
        fits: |case| case.boot.has_installed(),
        detail: nothing,
        cause: "it is installed, and was not seen to start from its disk",
        remedy: "look with rcons NODE: does its firmware try the network, or the disk, and in which order?",
    },
    Rule {
        fits: |case| case.posts().is_some() && !case.was_refused(Kind::Denied),
        detail: nothing,
        cause: "its postscripts do not come to their end, or its callback does not get through",
        remedy: "xdsh NODE tail /var/log/xcat/xcat.log; look with rcons NODE",
    },
    Rule {
        fits: |case| case.was_refused(Kind::Denied),
        detail: |case| case.boot.refused.last().map_or_else(String::new, |seen| seen.detail.clone()),
        cause: "what it says of itself is refused ({}): its token is another boot's",
        remedy: "boot it anew: rinstall NODE",
    },
    Rule {
        fits: |_| true,
        detail: nothing,
        cause: "it has all that it needs and has not said that it is up: the system hangs, or its callback does not get through",
        remedy: "look with rcons NODE; nodestat NODE",
    },
];

fn strangers(macs: &[String]) -> String {
    const MOST: usize = 4;
    let more = if macs.len() > MOST { format!(" and {} more", macs.len() - MOST) } else { String::new() };
    let named = macs.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    if macs.is_empty() { String::new() } else { format!("; unknown machines seen meanwhile: {named}{more}") }
}

/// What is to be said of a boot.
pub fn verdict(boot: &Boot, around: &Around) -> Verdict {
    if let Some(after) = boot.up_after() {
        return Verdict::Up(after);
    }
    let Some(at) = boot.reached() else { return Verdict::UnderWay(Stage::Power) };
    if at.stage == Stage::Script && at.state == State::Done {
        let told = match at.subject.as_str() {
            "boot" => Some("it was told to boot from its own disk"),
            "offline" => Some("it was told to let the firmware go on (nodeset NODE offline)"),
            "shell" => Some("it is in a shell, as it was told"),
            _ => None,
        };
        if let Some(told) = told {
            return Verdict::AsTold(told.replace("NODE", &around.node));
        }
    }
    if at.stage == Stage::Said && matches!(at.subject.as_str(), "standingby" | "configured" | "shell") {
        return Verdict::AsTold("it waits in the maintenance system, as it was told".to_owned());
    }
    let since = around.now.saturating_sub(boot.last()) / 1000;
    if since < at.stage.patience() && at.state != State::Failed {
        return Verdict::UnderWay(at.stage);
    }
    let case = Case { boot, around, at };
    let rule = RULES.iter().find(|rule| (rule.fits)(&case)).expect("the last rule fits always");
    Verdict::Stuck {
        stage: at.stage,
        since,
        cause: rule.cause.replace("{}", &(rule.detail)(&case)),
        remedy: rule.remedy.replace("NODE", &around.node),
    }
}
