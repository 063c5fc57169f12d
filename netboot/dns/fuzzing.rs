//! The door of target `dns`: messages of one client to what is known of some nodes, and what other servers say to those that are
//! passed on.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::RData;
use tables::{Origin, Tables, schema};

use super::answer::{Asked, Said, answer, room};
use super::forward::is_answer;
use super::names::Names;
use crate::fuzzing::{Filled, packets};

const ROWS: &[Filled] = &[
    ("site", &["domain"], &[("value", "site.org")]),
    ("site", &["forwarders"], &[("value", "10.1.0.53")]),
    ("networks", &["10.1.0.0", "255.255.0.0"], &[("netname", "lab"), ("domain", "cluster.org")]),
    ("networks", &["fd00:1::", "/64"], &[("netname", "six")]),
    ("nodelist", &["n1"], &[("groups", "all")]),
    ("nodelist", &["n2"], &[("groups", "all")]),
    ("hosts", &["n1"], &[("ip", "10.1.0.1"), ("hostnames", "www")]),
    ("hosts", &["n2"], &[("ip", "fd00:1::2")]),
];
const US: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 254);
/// What every client takes.
const LEAST: usize = 512;

/// What is known of some nodes.
pub struct Dns(Names);

impl Dns {
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
        Self(Names::read(&tables).expect("the tables are right"))
    }

    /// Says how many were answered. The first byte chooses how they come; behind one that is passed on stands what others say to it.
    pub fn run(&mut self, input: &[u8]) -> usize {
        let Some((how, input)) = input.split_first() else { return 0 };
        let asked = Asked { ours: US, forwards: how & 1 == 0, tcp: how & 2 != 0 };
        let (mut packets, mut answered) = (packets(input), 0);
        while let Some(question) = packets.next() {
            match answer(question, &self.0, asked) {
                Said::Nothing => {}
                Said::Answer(told) => {
                    self.check(question, &told, asked);
                    answered += 1;
                }
                Said::Forward(query) => {
                    assert!(asked.forwards && query.metadata.recursion_desired, "nobody wants others to be asked");
                    let Some(reply) = packets.next() else { continue };
                    if is_answer(reply, question, &query) {
                        assert_eq!(reply[..2], question[..2], "it is another one's");
                        answered += 1;
                    }
                }
            }
        }
        answered
    }

    /// What holds of every answer of ours.
    fn check(&self, question: &[u8], told: &[u8], asked: Asked) {
        assert!(question[2] & 0x80 == 0, "two servers would not come to an end");
        let most = Message::from_vec(question).map_or(LEAST, |query| room(&query));
        assert!(asked.tcp || told.len() <= most, "{} bytes of {most}", told.len());
        let reply = Message::from_vec(told).expect("others can read what we write");
        assert_eq!(reply.metadata.message_type, MessageType::Response);
        assert_eq!(reply.metadata.id.to_be_bytes(), question[..2], "it is another one's");
        for record in &reply.answers {
            assert_eq!(Some(&record.name), reply.queries.first().map(|query| &query.name));
            match &record.data {
                RData::A(address) => self.check_known(address.0.into()),
                RData::AAAA(address) => self.check_known(address.0.into()),
                RData::PTR(_) | RData::NS(_) | RData::SOA(_) => {}
                other => panic!("{other} is in no table"),
            }
        }
    }

    fn check_known(&self, address: IpAddr) {
        assert!(address == IpAddr::V4(US) || !self.0.pointers(address).is_empty(), "{address} is nobody's");
    }
}
