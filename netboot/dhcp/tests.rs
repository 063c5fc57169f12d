//! The whole service on packets as clients send them; replies are read by a library that is not ours.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dhcproto::v4::{DhcpOption, Message, OptionCode};
use dhcproto::{Decodable, Decoder};
use proptest::prelude::*;
use tables::{Edit, Origin, Tables, schema};
use tempfile::TempDir;

use super::*;
use crate::arrivals::Arrivals;
use crate::events::{Events, subject};
use crate::mac::Mac;

const KNOWN: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];
const US: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 254);
/// Where firmware sends from, which has no address yet.
const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), CLIENT_PORT);

/// Tables, a service on them, and a clock.
struct World {
    home: TempDir,
    service: Service,
    link: Link,
    now: u64,
}

/// Rows as `table key column=value|column=value; …`.
fn change(tables: &Tables, rows: &str) {
    let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
    let set = |edit: &mut Edit<'_>, row: &str| {
        let mut words = row.trim().splitn(3, ' ');
        let table = schema::find(words.next().unwrap()).unwrap();
        let key: Vec<&str> = words.next().unwrap().split(',').collect();
        let cells: Vec<(&str, &str)> =
            words.next().unwrap().split('|').map(|cell| cell.split_once('=').unwrap()).collect();
        edit.set(table, &key, &cells).map(drop)
    };
    tables.edit(&origin, |edit| rows.split(';').try_for_each(|row| set(edit, row))).unwrap();
}

const SITE: &str = "networks 10.1.0.0,255.255.255.0 netname=lab|gateway=10.1.0.1|nameservers=<xcatmaster>,10.1.0.2|\
     domain=x.org|dynamicrange=10.1.0.200-10.1.0.202|tftpserver=10.1.0.3; nodelist n1 groups=all; \
     mac n1 mac=52:54:00:00:00:01; hosts n1 ip=10.1.0.9; site dhcplease value=600";

impl World {
    fn new(rows: &str) -> Self {
        Self::with(rows, Manner::Authoritative)
    }

    fn with(rows: &str, manner: Manner) -> Self {
        let home = tempfile::tempdir().unwrap();
        change(&Tables::open(home.path()).unwrap(), rows);
        let service = Self::service(&home, manner);
        let link = Link::fixed("eth1", &["10.1.0.254/24".parse().unwrap()]);
        Self { home, service, link, now: 1_000_000 }
    }

    fn service(home: &TempDir, manner: Manner) -> Service {
        let tables = Arc::new(Tables::open(home.path()).unwrap());
        tables.set_patience(Duration::from_millis(20)).unwrap();
        Service::open(tables, manner, Served { tftp: false, http: Some(8080), dns: false }).unwrap()
    }

    /// What another program does to the tables.
    fn change(&self, rows: &str) {
        change(&Tables::open(self.home.path()).unwrap(), rows);
    }

    fn ask(&mut self, packet: &[u8]) -> Option<(Message, To)> {
        let now = Duration::from_secs(self.now);
        let (bytes, to) = self.service.answer(packet, &self.link, now)?;
        assert!(bytes.len() <= 1472 - 28, "{} bytes", bytes.len());
        Some((Message::decode(&mut Decoder::new(&bytes)).unwrap(), to))
    }

    /// Kind and address of the answer: `offer 10.1.0.9`, or `-` for silence.
    fn told(&mut self, packet: &[u8]) -> String {
        let Some((answer, _)) = self.ask(packet) else { return "-".into() };
        format!("{:?} {}", answer.opts().msg_type().unwrap(), answer.yiaddr()).to_lowercase()
    }

    /// The address that a machine has after it has asked as clients do.
    fn obtain(&mut self, mac: u8) -> String {
        let offered = match self.ask(&discover(mac)) {
            None => return "-".into(),
            Some((offer, _)) => offer.yiaddr(),
        };
        let told = self.told(&request(mac, offered));
        assert_eq!(told, format!("ack {offered}"));
        offered.to_string()
    }
}

/// A request as bytes; `options` are whole options without the end.
fn packet(kind: u8, mac: [u8; 6], own: Ipv4Addr, relay: Ipv4Addr, options: &[u8]) -> Vec<u8> {
    let mut packet = vec![1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0];
    packet.extend(own.octets());
    packet.extend([0; 8]);
    packet.extend(relay.octets());
    packet.extend(mac);
    packet.resize(236, 0);
    packet.extend([99, 130, 83, 99, 53, 1, kind]);
    packet.extend(options);
    packet.push(255);
    packet
}

const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

fn mac(last: u8) -> [u8; 6] {
    [0x52, 0x54, 0, 0, 0, last]
}

fn discover(last: u8) -> Vec<u8> {
    packet(1, mac(last), NOBODY, NOBODY, &[])
}

fn address(code: u8, address: Ipv4Addr) -> Vec<u8> {
    [&[code, 4], &address.octets()[..]].concat()
}

/// Takes up our offer.
fn request(last: u8, wanted: Ipv4Addr) -> Vec<u8> {
    packet(3, mac(last), NOBODY, NOBODY, &[address(50, wanted), address(54, US)].concat())
}

/// After a restart of the client.
fn reboot(last: u8, wanted: Ipv4Addr) -> Vec<u8> {
    packet(3, mac(last), NOBODY, NOBODY, &address(50, wanted))
}

/// iPXE's own options as its ROM in QEMU sends them.
const IPXE: &[u8] = &[
    60, 32, b'P', b'X', b'E', b'C', b'l', b'i', b'e', b'n', b't', b':', b'A', b'r', b'c', b'h', b':', b'0', b'0', b'0',
    b'0', b'0', b':', b'U', b'N', b'D', b'I', b':', b'0', b'0', b'2', b'0', b'0', b'1', 77, 4, b'i', b'P', b'X', b'E',
    93, 2, 0, 0, 94, 3, 1, 2, 1, 175, 6, 19, 1, 1, 21, 1, 1, 61, 7, 1, 0x52, 0x54, 0, 0, 0, 1,
];

/// Firmware of that class and architecture, with a machine's number.
fn firmware(class: &str, architecture: u8) -> Vec<u8> {
    let class = format!("{class}:Arch:{architecture:05}:UNDI:003000");
    let mut options = vec![60, u8::try_from(class.len()).unwrap()];
    options.extend(class.bytes());
    options.extend([93, 2, 0, architecture, 94, 3, 1, 3, 0, 97, 17, 0]);
    options.extend([7; 16]);
    options.extend([57, 2, 0xff, 0]);
    options
}

/// The field for it, without the zeros behind the name.
fn boot_file(answer: &Message) -> String {
    String::from_utf8_lossy(answer.fname().unwrap_or_default()).trim_end_matches('\0').to_owned()
}

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

#[test]
fn a_known_machine_has_its_address_and_no_other() {
    let mut world = World::new(SITE);
    assert_eq!(world.told(&discover(1)), "offer 10.1.0.9");
    assert_eq!(world.told(&request(1, ip("10.1.0.9"))), "ack 10.1.0.9");
    assert_eq!(world.told(&request(1, ip("10.1.0.10"))), "nak 0.0.0.0");
    assert_eq!(world.told(&reboot(1, ip("192.168.1.5"))), "nak 0.0.0.0");
    let of_another = [address(50, ip("10.1.0.77")), address(54, ip("10.1.0.253"))].concat();
    assert_eq!(world.told(&packet(3, KNOWN, NOBODY, NOBODY, &of_another)), "-");
    let renewal = packet(3, KNOWN, ip("10.1.0.9"), NOBODY, &[]);
    assert_eq!(world.ask(&renewal).unwrap().1, To::Client(ip("10.1.0.9")));
    let forged = packet(8, KNOWN, ip("203.0.113.7"), NOBODY, &[]);
    assert_eq!(world.ask(&forged).unwrap().1, To::Everybody);
    let tables = Tables::open(world.home.path()).unwrap();
    assert_eq!(tables.leases().unwrap(), [], "what the tables say needs no lease");
}

#[test]
fn a_client_is_told_what_the_network_is() {
    let mut world = World::new(SITE);
    let (offer, to) = world.ask(&discover(1)).unwrap();
    assert_eq!((to, offer.xid()), (To::Everybody, 0xdead_beef));
    let options = offer.opts();
    assert_eq!(options.get(OptionCode::ServerIdentifier), Some(&DhcpOption::ServerIdentifier(US)));
    assert_eq!(options.get(OptionCode::SubnetMask), Some(&DhcpOption::SubnetMask(ip("255.255.255.0"))));
    assert_eq!(options.get(OptionCode::Router), Some(&DhcpOption::Router(vec![ip("10.1.0.1")])));
    let servers = vec![US, ip("10.1.0.2")];
    assert_eq!(options.get(OptionCode::DomainNameServer), Some(&DhcpOption::DomainNameServer(servers)));
    assert_eq!(options.get(OptionCode::Hostname), Some(&DhcpOption::Hostname("n1".into())));
    assert_eq!(options.get(OptionCode::DomainName), Some(&DhcpOption::DomainName("x.org".into())));
    assert_eq!(options.get(OptionCode::AddressLeaseTime), Some(&DhcpOption::AddressLeaseTime(600)));
    let asks_little = packet(1, KNOWN, NOBODY, NOBODY, &[55, 1, 3]);
    let (offer, _) = world.ask(&asks_little).unwrap();
    assert!(offer.opts().get(OptionCode::Router).is_some() && offer.opts().get(OptionCode::Hostname).is_none());
}

#[test]
fn each_kind_of_client_is_told_what_it_can_boot() {
    let mut world = World::new(SITE);
    let mut check = |options: &[u8], file: &str| {
        let (offer, _) = world.ask(&packet(1, KNOWN, NOBODY, NOBODY, options)).unwrap();
        assert_eq!(boot_file(&offer), file, "{options:?}");
        if !file.is_empty() {
            assert_eq!(offer.siaddr(), ip("10.1.0.3"));
        }
        offer
    };
    check(&[], "");
    check(&firmware("PXEClient", 0), "undionly.kpxe");
    check(&firmware("PXEClient", 7), "snponly.efi");
    let machine = check(&firmware("PXEClient", 9), "snponly.efi");
    assert!(machine.opts().get(OptionCode::ClientMachineIdentifier).is_some());
    check(&firmware("PXEClient", 11), "ipxe-arm64.efi");
    check(&firmware("PXEClient", 6), "");
    let http = check(&firmware("HTTPClient", 16), "http://10.1.0.254:8080/loader/snponly.efi");
    let class = DhcpOption::ClassIdentifier(b"HTTPClient".to_vec());
    assert_eq!(http.opts().get(OptionCode::ClassIdentifier), Some(&class));
    let ipxe = check(IPXE, "http://10.1.0.254:8080/node/52-54-00-00-00-01");
    let no_proxy = ipxe.opts().get(OptionCode::Unknown(175)).unwrap();
    assert!(format!("{no_proxy:?}").contains("[176, 1, 1]"), "{no_proxy:?}");
    assert!(ipxe.opts().get(OptionCode::ClientIdentifier).is_some());
}

#[test]
fn firmware_without_a_loader_is_told_what_it_is() {
    let mut world = World::new(SITE);
    let (events, mut heard) = Events::heard(10);
    world.service = world.service.telling(events);
    for (architecture, expected) in [
        (6, "10.1.0.9 and no loader: UEFI of 32 bits (ia32), architecture 6"),
        (15, "10.1.0.9 and no loader: UEFI of 32 bits (ia32), architecture 15"),
        (200, "10.1.0.9 and no loader: architecture 200"),
        (7, "10.1.0.9 snponly.efi"),
    ] {
        world.ask(&packet(1, KNOWN, NOBODY, NOBODY, &firmware("PXEClient", architecture))).unwrap();
        let event = heard.try_recv().unwrap();
        assert_eq!((event.subject, event.said()), (subject::FIRMWARE, expected));
    }
}

#[test]
fn unknown_machines_share_the_dynamic_range() {
    let mut world = World::new(SITE);
    assert_eq!([7, 8].map(|mac| world.obtain(mac)), ["10.1.0.200", "10.1.0.201"]);
    assert_eq!(world.obtain(7), "10.1.0.200", "the same again");
    assert_eq!(world.told(&reboot(9, ip("10.1.0.202"))), "ack 10.1.0.202", "it is free");
    assert_eq!(world.told(&discover(10)), "-", "there are no more");
    assert_eq!(world.told(&reboot(10, ip("10.1.0.200"))), "-");
    world.now += 500;
    assert_eq!(world.obtain(8), "10.1.0.201");
    world.now += 101;
    assert_eq!(world.obtain(10), "10.1.0.202", "its lease has ended");
    assert_eq!(world.obtain(11), "10.1.0.200");
    assert_eq!(world.told(&packet(7, mac(11), ip("10.1.0.200"), NOBODY, &[])), "-");
    assert_eq!(world.obtain(12), "10.1.0.200", "it was given back");
}

#[test]
fn without_a_dynamic_range_unknown_machines_hear_nothing() {
    let mut world = World::new(&SITE.replace("dynamicrange=10.1.0.200-10.1.0.202|", ""));
    assert_eq!(world.told(&discover(7)), "-");
    assert_eq!(world.told(&reboot(7, ip("10.9.9.9"))), "-");
    assert_eq!(world.told(&discover(1)), "offer 10.1.0.9");
}

#[test]
fn leases_outlive_the_service() {
    let mut world = World::new(SITE);
    assert_eq!([7, 8].map(|mac| world.obtain(mac)), ["10.1.0.200", "10.1.0.201"]);
    world.service = World::service(&world.home, Manner::Authoritative);
    assert_eq!(world.obtain(9), "10.1.0.202");
    assert_eq!(world.obtain(8), "10.1.0.201");
    assert_eq!(world.told(&reboot(7, ip("10.1.0.200"))), "ack 10.1.0.200");
}

#[test]
fn who_comes_back_to_a_network_keeps_its_address_there() {
    let far = "networks 10.2.0.0,255.255.0.0 netname=far|dynamicrange=10.2.9.1-10.2.9.9";
    let mut world = World::new(&format!("{SITE}; {far}"));
    assert_eq!(world.obtain(7), "10.1.0.200");
    let taken = [address(50, ip("10.2.9.1")), address(54, US)].concat();
    assert_eq!(world.told(&packet(3, mac(7), NOBODY, ip("10.2.0.1"), &taken)), "ack 10.2.9.1");
    assert_eq!(world.told(&reboot(7, ip("10.1.0.200"))), "ack 10.1.0.200");
    world.service = World::service(&world.home, Manner::Authoritative);
    assert_eq!(world.told(&reboot(9, ip("10.1.0.200"))), "nak 0.0.0.0", "it is another's");
    assert_eq!(world.told(&reboot(7, ip("10.1.0.200"))), "ack 10.1.0.200");
}

#[test]
fn who_holds_the_database_does_not_keep_everybody_waiting() {
    let mut world = World::new(SITE);
    assert_eq!(world.told(&discover(7)), "offer 10.1.0.200");
    let tables = Tables::open(world.home.path()).unwrap();
    let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
    let held = tables.edit(&origin, |_| {
        assert_eq!(world.told(&request(7, ip("10.1.0.200"))), "-", "it cannot be written down");
        assert_eq!(world.told(&discover(1)), "offer 10.1.0.9");
        Ok(())
    });
    held.unwrap();
    assert_eq!(world.told(&request(7, ip("10.1.0.200"))), "-", "that is not tried for each");
    world.now += 6;
    assert_eq!(world.told(&request(7, ip("10.1.0.200"))), "ack 10.1.0.200");
}

#[test]
fn an_address_that_is_in_use_is_given_to_nobody_for_a_while() {
    let mut world = World::new(SITE);
    world.obtain(7);
    let decline = packet(4, mac(7), NOBODY, NOBODY, &[address(50, ip("10.1.0.200")), address(54, US)].concat());
    assert_eq!(world.told(&decline), "-");
    assert_eq!([7, 8, 9].map(|mac| world.obtain(mac)), ["10.1.0.201", "10.1.0.202", "-"]);
    world.now += 3_700;
    assert_eq!(world.obtain(9), "10.1.0.200");
}

#[test]
fn a_change_of_the_tables_is_live_with_the_next_packet() {
    let mut world = World::new(SITE);
    assert_eq!(world.obtain(7), "10.1.0.200");
    world.change("hosts n1 ip=10.1.0.10");
    let renewal = packet(3, KNOWN, ip("10.1.0.9"), NOBODY, &[]);
    assert_eq!(world.told(&renewal), "nak 0.0.0.0");
    let to = world.ask(&renewal).unwrap().1;
    assert_eq!(to, To::ClientAndEverybody(ip("10.1.0.9")), "who renews hears what comes to its address");
    assert_eq!(world.told(&discover(1)), "offer 10.1.0.10");
    world.change("nodelist n7 groups=all; mac n7 mac=52-54-00-00-00-07; hosts n7 ip=10.1.0.77");
    assert_eq!(world.obtain(7), "10.1.0.77");
    world.change("networks 10.1.0.0,255.255.255.0 dhcpserver=10.1.0.5");
    assert_eq!(world.told(&discover(1)), "-", "another server serves it now");
}

#[test]
fn servers_of_a_network_may_be_named() {
    let mut world = World::new(&format!("{SITE}; nodelist sn1 groups=all; hosts sn1 ip=10.1.0.5"));
    for (server, expected) in [
        ("sn1", "-"),
        ("bogus", "-"),
        ("10.1.0.254", "offer 10.1.0.9"),
        ("10.1.0.5,10.1.0.254", "-"),
        ("<xcatmaster>", "offer 10.1.0.9"),
        ("", "offer 10.1.0.9"),
    ] {
        world.change(&format!("networks 10.1.0.0,255.255.255.0 dhcpserver={server}|tftpserver=sn1"));
        assert_eq!(world.told(&discover(1)), expected, "{server}");
    }
    world.change("hosts sn1 ip=10.1.0.254; networks 10.1.0.0,255.255.255.0 dhcpserver=sn1");
    let packet = packet(1, KNOWN, NOBODY, NOBODY, &firmware("PXEClient", 7));
    assert_eq!(world.ask(&packet).unwrap().0.siaddr(), US, "it is our address, and has the loader");
}

#[test]
fn ports_are_known_by_their_own_addresses() {
    let rows = "nodelist n2 groups=all; hosts n2 ip=10.1.0.20; \
                mac n2 mac=52:54:00:00:00:02; nics n2 nicips=eth1!10.1.0.21";
    let mut world = World::new(&format!("{SITE}; {rows}"));
    let macs =
        [("mac", "52:54:00:00:00:02|52:54:00:00:00:03!n2-eth1|52:54:00:00:00:04!*NOIP*|00:11:22:33:44:55:66:77")];
    let tables = Tables::open(world.home.path()).unwrap();
    let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
    tables.edit(&origin, |edit| edit.set(schema::find("mac").unwrap(), &["n2"], &macs)).unwrap();
    assert_eq!([2, 3, 4].map(|mac| world.obtain(mac)), ["10.1.0.20", "10.1.0.21", "-"]);
    let name = world.ask(&discover(3)).unwrap().0.opts().get(OptionCode::Hostname).cloned();
    assert_eq!(name, Some(DhcpOption::Hostname("n2-eth1".into())));
}

#[test]
fn addresses_of_nodes_are_not_given_to_others() {
    let mut world = World::new(&SITE.replace("ip=10.1.0.9", "ip=10.1.0.200"));
    assert_eq!([7, 8, 9, 1].map(|mac| world.obtain(mac)), ["10.1.0.201", "10.1.0.202", "-", "10.1.0.200"]);
}

#[test]
fn relays_name_the_network_and_get_back_what_they_said() {
    let far = "networks 10.2.0.0,255.255.0.0 netname=far|dynamicrange=10.2.9.1-10.2.9.9; \
               networks 10.3.0.0,255.255.0.0 netname=farther|dynamicrange=10.3.9.1-10.3.9.9";
    let mut world = World::new(&format!("{SITE}; {far}"));
    // Remote id before circuit id, as no map of options would write them back.
    let said = [82, 10, 2, 3, b'r', b'e', b'm', 1, 3, b'p', b'o', b'r'];
    let discover = packet(1, mac(7), NOBODY, ip("10.2.0.1"), &said);
    let now = Duration::from_secs(world.now);
    let (bytes, to) = world.service.answer(&discover, &world.link, now).unwrap();
    assert_eq!(to, To::Relay(ip("10.2.0.1")));
    let end = bytes.windows(said.len()).position(|bytes| bytes == said).unwrap() + said.len();
    assert_eq!(bytes[end], 255, "it stands last");
    let (offer, _) = world.ask(&discover).unwrap();
    assert_eq!((offer.yiaddr(), offer.giaddr()), (ip("10.2.9.1"), ip("10.2.0.1")));
    let selected = packet(1, mac(8), NOBODY, ip("10.2.0.1"), &[82, 6, 5, 4, 10, 3, 0, 1]);
    assert_eq!(world.told(&selected), "offer 10.3.9.1");
    assert_eq!(world.told(&packet(1, mac(9), NOBODY, ip("10.77.0.1"), &said)), "-", "of no network of ours");
    assert_eq!(world.told(&packet(1, KNOWN, NOBODY, ip("10.2.0.1"), &said)), "offer 10.2.9.2", "away from home");
    let wrong = packet(3, mac(7), NOBODY, ip("10.2.0.1"), &address(50, ip("10.1.0.200")));
    let (nak, _) = world.ask(&wrong).unwrap();
    assert!(nak.flags().broadcast());
}

#[test]
fn beside_another_server_only_boot_files_are_told() {
    let mut world = World::with(&format!("{SITE}; noderes n5 proxydhcp=no; nodelist n5 groups=all"), Manner::Proxy);
    assert_eq!(world.told(&discover(1)), "-", "a system boots from nothing");
    let (offer, _) = world.ask(&packet(1, KNOWN, NOBODY, NOBODY, &firmware("PXEClient", 7))).unwrap();
    assert_eq!((offer.yiaddr(), &*boot_file(&offer)), (NOBODY, "snponly.efi"));
    assert!(offer.opts().get(OptionCode::AddressLeaseTime).is_none());
    let class = DhcpOption::ClassIdentifier(b"PXEClient".to_vec());
    assert_eq!(offer.opts().get(OptionCode::ClassIdentifier), Some(&class));
    let (offer, _) = world.ask(&packet(1, mac(7), NOBODY, NOBODY, IPXE)).unwrap();
    assert_eq!(boot_file(&offer), "http://10.1.0.254:8080/node/52-54-00-00-00-07");
    assert!(offer.opts().get(OptionCode::Unknown(175)).is_none());
    let at_port_4011 = packet(3, KNOWN, ip("10.1.0.9"), NOBODY, &firmware("PXEClient", 7));
    assert_eq!(world.told(&at_port_4011), "ack 0.0.0.0");
    let to_the_other = [firmware("PXEClient", 7), address(54, ip("10.1.0.253"))].concat();
    assert_eq!(world.told(&packet(3, KNOWN, NOBODY, NOBODY, &to_the_other)), "-");
    world.change("mac n5 mac=52:54:00:00:00:05");
    assert_eq!(world.told(&packet(1, mac(5), NOBODY, NOBODY, &firmware("PXEClient", 7))), "-");
    world.change("networks 10.1.0.0,255.255.255.0 dynamicrange=");
    assert_eq!(world.told(&packet(1, mac(7), NOBODY, NOBODY, IPXE)), "-", "a stranger, and none are expected");
    assert_eq!(world.told(&packet(1, KNOWN, NOBODY, NOBODY, IPXE)), "offer 0.0.0.0");
}

#[test]
fn a_client_that_never_stops_is_not_answered_for_ever() {
    let mut world = World::new(SITE);
    let answered = (0..50).filter(|_| world.told(&discover(1)) != "-").count();
    assert_eq!(answered, 20);
    assert_eq!(world.obtain(7), "10.1.0.200");
}

#[test]
fn what_has_no_room_is_left_out_and_a_long_file_has_an_option_of_its_own() {
    let long = "n".repeat(63);
    let rows = SITE.replace(" n1", &format!(" {long}")).replace("x.org", &"very.long.domain.".repeat(14));
    let mut world = World::new(&rows.replace("10.1.0.2|", &format!("{}|", vec!["10.1.0.2"; 50].join(","))));
    let (offer, _) = world.ask(&discover(1)).unwrap();
    assert_eq!(offer.yiaddr(), ip("10.1.0.9"));
    let roomy = packet(1, KNOWN, NOBODY, NOBODY, &[57, 2, 0xff, 0xff]);
    assert!(world.ask(&roomy).unwrap().0.opts().get(OptionCode::DomainName).is_some());
    assert!(offer.opts().get(OptionCode::DomainName).is_none());

    let subnet = View::read(&Tables::open(world.home.path()).unwrap()).unwrap().subnets.remove(0);
    let source = Source { tftp: None, http: Some(format!("http://{}.example.org", "a".repeat(120))) };
    let (server, address, name) = (US, Some(ip("10.1.0.9")), None);
    let manner = Manner::Authoritative;
    let facts = Facts { manner, server, subnet: &subnet, address, name, lease: 600, source: &source, dns: false };
    let asked = Request::read(&packet(1, KNOWN, NOBODY, NOBODY, IPXE)).unwrap();
    let written = reply(&asked, &facts).unwrap().write(&asked);
    let offer = Message::decode(&mut Decoder::new(&written)).unwrap();
    assert_eq!(boot_file(&offer), "");
    let file = format!("{:?}", offer.opts().get(OptionCode::BootfileName).unwrap());
    assert!(file.len() > 127, "{file}");
}

#[test]
fn what_is_no_request_is_not_answered() {
    let mut world = World::new(SITE);
    let good = discover(1);
    let spoiled = |at: usize, byte: u8| {
        let mut packet = good.clone();
        packet[at] = byte;
        packet
    };
    // A reply, another hardware, another length of address, no cookie, what servers send.
    for packet in [spoiled(0, 2), spoiled(1, 6), spoiled(2, 16), spoiled(236, 0), spoiled(242, 2), spoiled(242, 99)] {
        assert_eq!(world.told(&packet), "-");
    }
    for length in 0..good.len() - 2 {
        assert_eq!(world.told(&good[..length]), "-", "{length}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_heard(packet: Vec<u8>) {
        Request::read(&packet);
    }

    /// Whatever options come with a request, our answer is a packet that others can read, within its size, to the same client.
    #[test]
    fn every_answer_is_a_packet(
        kind in prop::sample::select(vec![1_u8, 3, 8]),
        client: [u8; 6],
        own: [u8; 4],
        relayed in any::<bool>(),
        options in prop::collection::vec((1_u8..255, prop::collection::vec(any::<u8>(), 0..80)), 0..12),
    ) {
        let mut bytes = Vec::new();
        for (code, value) in options.iter().filter(|(code, _)| *code != 53) {
            bytes.extend([*code, u8::try_from(value.len()).unwrap()]);
            bytes.extend(value);
        }
        let relay = if relayed { ip("10.1.0.1") } else { NOBODY };
        let asked = packet(kind, client, own.into(), relay, &bytes);
        let request = Request::read(&asked).unwrap();
        let row = tables::Row::new(schema::find("networks").unwrap(), ["lab", "10.1.0.0", "255.255.255.0", "", "10.1.0.1"]);
        let subnet = subnet::Subnet::read(&row, &subnet::Site::default(), &mut Vec::new()).unwrap();
        let source = Source { tftp: Some(US), http: Some("http://10.1.0.254".into()) };
        for manner in [Manner::Authoritative, Manner::Proxy] {
            let address = Some(ip("10.1.0.9"));
            let facts = Facts { manner, server: US, subnet: &subnet, address, name: Some("n1"), lease: 600, source: &source, dns: false };
            let Some(reply) = reply(&request, &facts) else { continue };
            let written = reply.write(&request);
            prop_assert!(written.len() >= 300 && written.len() <= 1444);
            prop_assert_eq!(&written[28..34], &client[..]);
            prop_assert_eq!(&written[4..8], &asked[4..8]);
            let mut read = options::Options::default();
            read.read(&written[240..]);
            prop_assert_eq!(read.get(options::SERVER), Some(&US.octets()[..]));
        }
    }
}

#[test]
fn leases_of_a_burst_are_written_at_once_or_nobody_hears_of_them() {
    let mut world = World::new(SITE);
    let now = Duration::from_secs(world.now);
    for (last, offered) in [(2, 200), (3, 201)] {
        assert_eq!(world.told(&discover(last)), format!("offer 10.1.0.{offered}"));
    }
    let asked = [request(2, Ipv4Addr::new(10, 1, 0, 200)), request(3, Ipv4Addr::new(10, 1, 0, 201)), discover(1)];
    let kinds: Vec<bool> =
        asked.iter().map(|packet| world.service.consider(packet, CLIENT, &world.link, now).unwrap().is_lease).collect();
    assert_eq!(kinds, [true, true, false], "a node has no lease");
    let tables = Tables::open(world.home.path()).unwrap();
    assert_eq!(tables.leases().unwrap(), [], "nobody has heard of them yet");
    assert!(world.service.write_leases(now));
    assert_eq!(tables.leases().unwrap().len(), 2);
    assert!(world.service.write_leases(now), "there is nothing left to write");
}

#[test]
fn only_a_node_without_an_address_is_taken_for_one_that_boots() {
    let mut world = World::new(SITE);
    let arrivals = Arc::new(Arrivals::default());
    world.service = World::service(&world.home, Manner::Authoritative).noting(arrivals.clone());
    let ipxe = [77, 4, b'i', b'P', b'X', b'E'];
    let mut arrives = |packet: &[u8], from: &str| {
        world.service.consider(packet, from.parse().unwrap(), &world.link, Duration::from_secs(world.now));
        world.now += 10;
        arrivals.take(Mac(packet[28..34].try_into().unwrap()))
    };
    let asks = |own: &str, relay: &str, options: &[u8]| packet(1, KNOWN, ip(own), ip(relay), options);
    let fresh = asks("0.0.0.0", "0.0.0.0", &ipxe);
    assert!(arrives(&fresh, "0.0.0.0:68"));
    assert!(arrives(&packet(1, KNOWN, NOBODY, NOBODY, b"\x3c\x09PXEClient\x5d\x02\x00\x07"), "0.0.0.0:68"));
    assert!(!arrives(&asks("0.0.0.0", "0.0.0.0", &[]), "0.0.0.0:68"), "a system asks, too");
    assert!(!arrives(&packet(1, mac(7), NOBODY, NOBODY, &ipxe), "0.0.0.0:68"), "it is no node");
    // Users of a system that runs.
    for from in ["0.0.0.0:40000", "10.1.0.9:40000", "10.1.0.9:68"] {
        assert!(!arrives(&fresh, from), "{from}");
    }
    assert!(!arrives(&asks("10.1.0.9", "0.0.0.0", &ipxe), "10.1.0.9:68"));
    let relayed = asks("0.0.0.0", "10.1.0.1", &ipxe);
    assert!(arrives(&relayed, "10.1.0.1:67"));
    for from in ["10.1.0.1:40000", "10.1.0.9:67"] {
        assert!(!arrives(&relayed, from), "{from}");
    }
    assert!(!arrives(&asks("0.0.0.0", "10.1.0.77", &ipxe), "10.1.0.77:67"), "it is not the router");
}

#[test]
fn a_node_does_not_boot_on_a_wire_that_is_not_its_own() {
    let far = "networks 10.2.0.0,255.255.0.0 netname=far|dynamicrange=10.2.9.1-10.2.9.9";
    let mut world = World::new(&format!("{SITE}; {far}"));
    let arrivals = Arc::new(Arrivals::default());
    world.service = World::service(&world.home, Manner::Authoritative).noting(arrivals.clone());
    let link = Link::fixed("eth2", &["10.2.0.254/16".parse().unwrap()]);
    let ipxe = packet(1, KNOWN, NOBODY, NOBODY, &[77, 4, b'i', b'P', b'X', b'E']);
    assert!(world.service.consider(&ipxe, CLIENT, &link, Duration::from_secs(world.now)).is_some());
    assert!(!arrivals.take(Mac(KNOWN)));
}
