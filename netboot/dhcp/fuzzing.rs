//! The door of target `dhcp`: packets of one wire, one after the other, to a whole service.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tables::{Origin, Tables, schema};

use super::options::{self, Options};
use super::{Link, Manner, Request, Served, Service, To};
use crate::fuzzing::{Filled, packets};

const ROWS: &[Filled] = &[
    (
        "networks",
        &["10.1.0.0", "255.255.255.0"],
        &[
            ("netname", "lab"),
            ("gateway", "10.1.0.1"),
            ("nameservers", "<xcatmaster>,10.1.0.2"),
            ("domain", "x.org"),
            ("dynamicrange", "10.1.0.200-10.1.0.202"),
        ],
    ),
    ("networks", &["10.2.0.0", "255.255.0.0"], &[("netname", "far"), ("dynamicrange", "10.2.1.0-10.2.1.255")]),
    ("nodelist", &["n1"], &[("groups", "all")]),
    ("mac", &["n1"], &[("mac", "52:54:00:00:00:01")]),
    ("hosts", &["n1"], &[("ip", "10.1.0.9")]),
];
const US: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 254);

/// A service of each manner on the same tables.
pub struct Dhcp {
    services: [Service; 2],
    link: Link,
}

impl Dhcp {
    /// With its tables in that directory.
    pub fn new(home: &Path) -> Self {
        let tables = Tables::open(home).expect("the directory is ours");
        let origin = Origin { user: "root".into(), command: "fuzz".into(), reason: None };
        let fill = tables.edit(&origin, |edit| {
            ROWS.iter().try_for_each(|(table, key, cells)| {
                let table = schema::find(table).expect("the schema has it");
                edit.set(table, key, cells).map(drop)
            })
        });
        fill.expect("the rows are right");
        let tables = Arc::new(tables);
        let service = |manner| {
            let served = Served { tftp: true, http: Some(80), dns: false };
            Service::open(tables.clone(), manner, served).expect("the tables are right")
        };
        let network = "10.1.0.254/24".parse().expect("a network");
        let services = [service(Manner::Authoritative), service(Manner::Proxy)];
        Self { services, link: Link::fixed("eth1", &[network]) }
    }

    /// Says how many were answered. The first byte chooses the manner.
    pub fn run(&mut self, input: &[u8]) -> usize {
        let Some((manner, input)) = input.split_first() else { return 0 };
        let service = &mut self.services[usize::from(manner % 2)];
        service.forget_all();
        let mut answered = 0;
        for (now, packet) in (1_000_000..).map(Duration::from_secs).zip(packets(input)) {
            let Some((answer, to)) = service.answer(packet, &self.link, now) else { continue };
            let request = Request::read(packet).expect("what is answered is a request");
            check(&request, &answer, to);
            answered += 1;
        }
        answered
    }
}

/// What holds of every answer.
fn check(request: &Request, answer: &[u8], to: To) {
    assert!((300..=1472).contains(&answer.len()), "{} bytes", answer.len());
    assert_eq!(answer[..4], [2, 1, 6, 0]);
    assert_eq!(answer[4..8], request.transaction, "it is another one's");
    assert_eq!(answer[28..34], request.mac.0, "it is another one's");
    let mut told = Options::default();
    told.read(&answer[240..]);
    assert!(told.get(options::MESSAGE_TYPE).is_some_and(|kind| kind.len() == 1));
    assert_eq!(told.address(options::SERVER), Some(US));
    if let Some(relay) = request.options.get(options::RELAY).filter(|relay| relay.len() <= 255) {
        assert_eq!(told.get(options::RELAY), Some(relay), "the relay does not know its client again");
    }
    let given = Ipv4Addr::new(answer[16], answer[17], answer[18], answer[19]);
    let ours = [10, 1, 0].as_slice() == &given.octets()[..3] || given.octets()[..2] == [10, 2];
    assert!(given.is_unspecified() || (ours && given != US), "{given} is not to be given");
    if let To::Client(client) | To::ClientAndEverybody(client) = to {
        assert!(client.octets()[0] == 10, "{client} is on none of our networks");
    }
}
