//! What services see of machines, as plain data: each tells it as it happens and never waits for whoever listens.
//!
//! An event has a kind and a subject, both words of ours, so that rules and counters need not read sentences.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::mac::Mac;

/// How much is said beside the words; the rest comes from machines, and they may say anything.
const LONGEST_DETAIL: usize = 160;

/// Something that was seen of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub time: SystemTime,
    pub mac: Option<Mac>,
    /// Where the service knows it; [`Event::client`] and [`Event::mac`] tell whoever records it.
    pub node: Option<String>,
    /// The address that the machine had then.
    pub client: Option<IpAddr>,
    pub interface: Arc<str>,
    pub kind: Kind,
    /// One of the words of [`subject`], or a status of a node.
    pub subject: &'static str,
    detail: String,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal,)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            const ALL: &[(Self, &str)] = &[$((Self::$kind, $word),)*];
        }
    };
}

kinds! {
    /// It asked who has an address, and was offered one.
    Offer = "offer",
    /// It was given its address, or told that it may keep it.
    Ack = "ack",
    /// It was told that the address is not its own.
    Nak = "nak",
    /// It says that another machine uses its address.
    Decline = "decline",
    Release = "release",
    /// It asked by DHCP and was not answered.
    Silent = "silent",
    /// A file is being sent to it.
    Begun = "begun",
    Sent = "sent",
    /// The file did not come to its end.
    Broken = "broken",
    /// There is no such file, or it may not have it.
    Absent = "absent",
    /// It was given its script.
    Script = "script",
    /// Its script could not be written.
    NoScript = "noscript",
    /// It says how far it has come.
    Status = "status",
    /// It says what it is, and was told which node, or that it is none.
    Reported = "reported",
    /// It said so without proving that it is the node.
    Denied = "denied",
    /// It asks more than one machine may.
    Limited = "limited",
    /// A command of ours has done something to its power.
    Power = "power",
    /// Nothing was heard of it for too long.
    Stuck = "stuck",
}

/// Subjects of events that are no statuses.
pub mod subject {
    pub const FIRMWARE: &str = "firmware";
    pub const IPXE: &str = "ipxe";
    pub const SYSTEM: &str = "system";
    pub const LOADER: &str = "loader";
    pub const KERNEL: &str = "kernel";
    pub const INITRD: &str = "initrd";
    pub const ROOT: &str = "root";
    pub const FILE: &str = "file";
    pub const INSTALLER: &str = "installer";
    pub const POSTSCRIPTS: &str = "postscripts";
    pub const REPORT: &str = "report";
    pub const NODE: &str = "node";
    pub const NOBODY: &str = "nobody";
    pub const TOKEN: &str = "token";
    pub const DHCP: &str = "dhcp";
    pub const TFTP: &str = "tftp";
    pub const HTTP: &str = "http";
}

impl Kind {
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    /// Reads what [`Kind::word`] says.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
    }
}

impl Event {
    /// Something that is seen now.
    pub fn new(interface: &Arc<str>, kind: Kind, subject: &'static str) -> Self {
        Self {
            time: SystemTime::now(),
            mac: None,
            node: None,
            client: None,
            interface: interface.clone(),
            kind,
            subject,
            detail: String::new(),
        }
    }

    #[must_use]
    pub fn of(self, mac: Mac) -> Self {
        Self { mac: Some(mac), ..self }
    }

    #[must_use]
    pub fn from(self, client: IpAddr) -> Self {
        Self { client: Some(client), ..self }
    }

    #[must_use]
    pub fn node(self, node: Option<&str>) -> Self {
        Self { node: node.map(str::to_owned), ..self }
    }

    /// With more for people to read. Machines have a part in that: no more of it is taken than a line, and nothing that a
    /// terminal or an address would give a meaning to.
    #[must_use]
    pub fn detail(self, detail: impl fmt::Display) -> Self {
        let plain = |letter: char| if letter.is_control() || letter == '@' { '?' } else { letter };
        Self { detail: detail.to_string().chars().take(LONGEST_DETAIL).map(plain).collect(), ..self }
    }

    pub fn said(&self) -> &str {
        &self.detail
    }
}

/// Where a service tells what it sees; copies tell the same listener. The default has none.
#[derive(Debug, Clone, Default)]
pub struct Events {
    listener: Option<Sender<Event>>,
    lost: Arc<AtomicU64>,
}

impl Events {
    /// A handle, and what hears it. `room` events wait at most; what comes beyond is lost and counted.
    pub fn heard(room: usize) -> (Self, Receiver<Event>) {
        let (sender, receiver) = channel(room);
        (Self { listener: Some(sender), lost: Arc::default() }, receiver)
    }

    /// Tells it if there is room. `event` is not made where nobody listens.
    pub fn tell(&self, event: impl FnOnce() -> Event) {
        let Some(listener) = &self.listener else { return };
        match listener.try_reserve() {
            Ok(place) => place.send(event()),
            Err(_) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How many events found no room since this was asked last.
    pub fn lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_written() {
        for (kind, word) in Kind::ALL {
            assert_eq!((Kind::parse(word), kind.word()), (Some(*kind), *word));
        }
        assert_eq!(Kind::parse(""), None);
    }

    #[test]
    fn a_service_never_waits_and_what_is_lost_is_counted() {
        let (events, mut heard) = Events::heard(2);
        let event = || Event::new(&"eth1".into(), Kind::Offer, subject::IPXE);
        (0..5).for_each(|_| events.clone().tell(event));
        assert_eq!((events.lost(), events.lost()), (3, 0));
        assert_eq!(heard.try_recv().unwrap().kind, Kind::Offer);
        events.tell(event);
        assert_eq!(events.lost(), 0);
        Events::default().tell(|| unreachable!("nobody listens"));
    }

    #[test]
    fn what_machines_say_is_one_short_plain_line() {
        let event = Event::new(&"eth1".into(), Kind::Absent, subject::LOADER);
        let said = event.detail(format!("a\n\x1b[1mhttp://u:p@x/{}", "y".repeat(1000)));
        assert!(said.said().starts_with("a??[1mhttp://u:p?x/yyy") && said.said().len() == LONGEST_DETAIL);
    }
}
