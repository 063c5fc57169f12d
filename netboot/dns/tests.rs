//! Answers from real tables, as the library reads them; sockets with another server behind them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RecordType};
use proptest::prelude::*;
use tables::{Origin, Tables, schema};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answer::{Asked, Said, answer};
use super::*;
use crate::live::Live;

const LIMIT: Duration = Duration::from_secs(20);
const US: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 254);

fn set(tables: &Tables, cells: &[(&str, &[&str], &str, &str)]) {
    let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
    let change = |edit: &mut tables::Edit<'_>| -> tables::Result<()> {
        for (table, key, column, value) in cells {
            edit.set(schema::find(table).unwrap(), key, &[(column, value)])?;
        }
        Ok(())
    };
    tables.edit(&origin, change).unwrap();
}

/// Nodes n1 to n3 in a network of 10.1.0.0/16 and one of 10.9.0.128/25, of IPv6 too.
fn site() -> (tempfile::TempDir, Arc<Tables>) {
    let home = tempfile::tempdir().unwrap();
    let tables = Arc::new(Tables::open(home.path()).unwrap());
    set(
        &tables,
        &[
            ("site", &["domain"], "value", "site.org"),
            ("networks", &["10.1.0.0", "255.255.0.0"], "domain", "Cluster.org"),
            ("networks", &["10.9.0.128", "255.255.255.128"], "netname", "small"),
            ("networks", &["fd00:1::", "/64"], "netname", "six"),
            ("nodelist", &["n1"], "groups", "all"),
            ("nodelist", &["N2"], "groups", "all"),
            ("nodelist", &["n3"], "groups", "all"),
            ("nodelist", &["broken"], "groups", "all"),
            ("hosts", &["n1"], "ip", "10.1.0.1"),
            ("hosts", &["n1"], "hostnames", "www, a.else.where"),
            ("hosts", &["N2"], "ip", "10.9.0.130"),
            ("hosts", &["n3"], "ip", "fd00:1::3"),
            ("hosts", &["broken"], "ip", "|broken|10.1.0.900|"),
            ("nics", &["n1"], "nicips", "ib0!10.1.7.1|fd00:1::1"),
            ("nics", &["n1"], "nicaliases", "ib0!fast"),
        ],
    );
    (home, tables)
}

fn query(name: &str, kind: RecordType) -> Message {
    let mut query = Message::new(7, MessageType::Query, OpCode::Query);
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    query
}

fn asked() -> Asked {
    Asked { ours: US, forwards: true, tcp: false }
}

/// The answer in words: its code, flags, then what it says.
fn said(names: &Names, query: &Message) -> String {
    match answer(&query.to_vec().unwrap(), names, asked()) {
        Said::Nothing => "silence".into(),
        Said::Forward(_) => "forward".into(),
        Said::Answer(bytes) => {
            let reply = Message::from_vec(&bytes).unwrap();
            assert_eq!((reply.metadata.id, &reply.queries), (7, &query.queries));
            let data = |records: &[hickory_proto::rr::Record]| {
                records.iter().map(|record| format!(" {}", record.data)).collect::<String>()
            };
            let authority: String = reply.authorities.iter().map(|record| format!(" [{}]", record.name)).collect();
            format!("{:?}{}{authority}", reply.metadata.response_code, data(&reply.answers))
        }
    }
}

#[test]
fn names_and_addresses_are_those_of_the_tables() {
    let (_home, tables) = site();
    let names = Names::read(&tables).unwrap();
    let check = |name: &str, kind: RecordType, expected: &str| {
        assert_eq!(said(&names, &query(name, kind)), expected, "{name} {kind}");
    };
    use RecordType::{A, AAAA, ANY, AXFR, MX, NS, PTR, SOA};
    check("n1.cluster.org.", A, "NoError 10.1.0.1");
    check("N1.CLUSTER.org.", A, "NoError 10.1.0.1");
    check("n1.", A, "NoError 10.1.0.1");
    check("www.cluster.org.", A, "NoError 10.1.0.1");
    check("a.else.where.", A, "NoError 10.1.0.1");
    check("n2.site.org.", A, "NoError 10.9.0.130");
    check("n1-ib0.cluster.org.", A, "NoError 10.1.7.1");
    check("fast.cluster.org.", ANY, "NoError 10.1.7.1");
    check("n1-ib0-2.site.org.", AAAA, "NoError fd00:1::1");
    check("n3.site.org.", AAAA, "NoError fd00:1::3");
    check("n3.site.org.", A, "NoError [site.org.]");
    check("n1.cluster.org.", MX, "NoError [cluster.org.]");
    check("n9.cluster.org.", A, "NXDomain [cluster.org.]");
    check("x.n1.cluster.org.", A, "NXDomain [cluster.org.]");
    check("broken.cluster.org.", A, "NXDomain [cluster.org.]");
    check("notcluster.org.", A, "Refused");
    check("else.where.", A, "Refused");
    check("org.", NS, "Refused");

    check("1.0.1.10.in-addr.arpa.", PTR, "NoError n1.cluster.org.");
    check("1.7.1.10.IN-ADDR.arpa.", PTR, "NoError n1-ib0.cluster.org.");
    check("130.0.9.10.in-addr.arpa.", PTR, "NoError n2.site.org.");
    check("131.0.9.10.in-addr.arpa.", PTR, "NoError [131.0.9.10.in-addr.arpa.]");
    check("1.0.9.10.in-addr.arpa.", PTR, "Refused");
    check("2.0.1.10.in-addr.arpa.", PTR, "NXDomain [1.10.in-addr.arpa.]");
    check("0.1.10.in-addr.arpa.", PTR, "NoError [1.10.in-addr.arpa.]");
    check("10.in-addr.arpa.", NS, "Refused");
    check("x.1.0.1.10.in-addr.arpa.", PTR, "NXDomain [1.10.in-addr.arpa.]");
    let six = format!("3.{}1.0.0.0.0.0.d.f.ip6.arpa.", "0.".repeat(23));
    check(&six, PTR, "NoError n3.site.org.");

    check("cluster.org.", NS, "NoError ns.cluster.org.");
    check("ns.cluster.org.", A, "NoError 10.1.0.254");
    check("1.10.in-addr.arpa.", NS, "NoError ns.site.org.");
    check("cluster.org.", AXFR, "Refused");
    assert!(said(&names, &query("cluster.org.", SOA)).starts_with("NoError ns.cluster.org. hostmaster.cluster.org."));
}

#[test]
fn what_is_no_question_for_us_is_said_so() {
    let (_home, tables) = site();
    let names = Names::read(&tables).unwrap();
    let plain = query("n1.cluster.org.", RecordType::A);
    let check = |change: fn(&mut Message), expected: &str| {
        let mut query = plain.clone();
        change(&mut query);
        assert_eq!(said(&names, &query), expected);
    };
    check(|query| query.queries[0].query_class = DNSClass::CH, "Refused");
    check(|query| query.metadata.op_code = OpCode::Update, "NotImp");
    check(|query| query.queries.clear(), "FormErr");
    check(|query| query.metadata.message_type = MessageType::Response, "silence");
    check(
        |query| {
            let mut edns = Edns::new();
            edns.set_version(1);
            query.edns = Some(edns);
        },
        "BADSIG", // 16, which stands for BADVERS as well
    );
    assert!(matches!(answer(&[0, 7, 1, 0, 0, 9, 0, 0, 0, 0, 0, 0], &names, asked()), Said::Answer(_)), "FORMERR");
    assert!(matches!(answer(b"short", &names, asked()), Said::Nothing));

    set(&tables, &[("site", &["forwarders"], "value", "10.1.0.53,none 10.1.0.54")]);
    let names = Names::read(&tables).unwrap();
    assert_eq!(names.forwarders.len(), 2);
    assert_eq!(said(&names, &query("example.com.", RecordType::A)), "forward");
    assert_eq!(said(&names, &query("n9.cluster.org.", RecordType::A)), "NXDomain [cluster.org.]");
    let outside = query("example.com.", RecordType::A).to_vec().unwrap();
    let Said::Answer(bytes) = answer(&outside, &names, Asked { forwards: false, ..asked() }) else {
        panic!("no answer")
    };
    assert_eq!(Message::from_vec(&bytes).unwrap().metadata.response_code, ResponseCode::Refused);
}

#[test]
fn many_questions_at_once_get_a_short_no() {
    let mut many = query("n1.cluster.org.", RecordType::A);
    for number in 0..200 {
        let name = Name::from_ascii(format!("n{number}.else.where.")).unwrap();
        many.add_query(Query::query(name, RecordType::A));
    }
    let Said::Answer(bytes) = answer(&many.to_vec().unwrap(), names(), asked()) else { panic!("no answer") };
    assert!(bytes.len() <= 512, "{} bytes", bytes.len());
    assert_eq!(Message::from_vec(&bytes).unwrap().metadata.response_code, ResponseCode::FormErr);
}

#[test]
fn an_answer_is_no_longer_than_its_way_allows() {
    let (_home, tables) = site();
    let rows: Vec<String> = (0..60).map(|number| format!("m{number}")).collect();
    for (number, name) in rows.iter().enumerate() {
        let ip = format!("10.1.2.{number}");
        set(
            &tables,
            &[
                ("nodelist", &[name], "groups", "all"),
                ("hosts", &[name], "ip", &ip),
                ("hosts", &[name], "hostnames", "many.cluster.org"),
            ],
        );
    }
    let names = Names::read(&tables).unwrap();
    let mut query = query("many.cluster.org.", RecordType::A);
    let mut check = |size: Option<u16>, tcp: bool, truncated: bool| {
        query.edns = size.map(|size| {
            let mut edns = Edns::new();
            edns.set_max_payload(size);
            edns
        });
        let Said::Answer(bytes) = answer(&query.to_vec().unwrap(), &names, Asked { tcp, ..asked() }) else { panic!() };
        let reply = Message::from_vec(&bytes).unwrap();
        assert_eq!(reply.metadata.truncation, truncated, "{size:?} {tcp}");
        assert_eq!(reply.answers.len(), if truncated { 0 } else { 60 });
        assert_eq!(reply.edns.is_some(), size.is_some());
        assert!(tcp || bytes.len() <= usize::from(size.unwrap_or(512)));
    };
    check(None, false, true);
    check(None, true, false);
    check(Some(1000), false, true);
    check(Some(1232), false, false);
    check(Some(4096), false, false);
}

proptest! {
    #[test]
    fn no_bytes_do_harm(mut bytes: Vec<u8>, flips: Vec<(u8, u8)>) {
        let names = names();
        let _ = answer(&bytes, names, asked());
        bytes = query("x.1.0.1.10.in-addr.arpa.", RecordType::ANY).to_vec().unwrap();
        for (place, value) in flips {
            let place = usize::from(place) % bytes.len();
            bytes[place] = value;
        }
        let _ = answer(&bytes, names, asked());
    }
}

/// Those of the site, read once.
fn names() -> &'static Names {
    static NAMES: std::sync::OnceLock<Names> = std::sync::OnceLock::new();
    NAMES.get_or_init(|| Names::read(&site().1).unwrap())
}

/// A server on loopback, and where it is.
async fn served(tables: Arc<Tables>) -> (std::net::SocketAddr, CancellationToken) {
    let server = Arc::new(Server::new(Live::open(tables, Names::read).unwrap()));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(serve_udp(socket, server.clone(), stop.clone()));
    tokio::spawn(serve_tcp(listener, server, stop.clone()));
    (address, stop)
}

async fn by_udp(server: std::net::SocketAddr, query: &Message) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server).await.unwrap();
    socket.send(&query.to_vec().unwrap()).await.unwrap();
    let mut reply = [0; 4096];
    let length = timeout(LIMIT, socket.recv(&mut reply)).await.expect("no answer").unwrap();
    Message::from_vec(&reply[..length]).unwrap()
}

#[tokio::test]
async fn both_ways_are_answered_and_a_change_is_live() {
    let (home, tables) = site();
    let (server, stop) = served(tables).await;
    let others = Tables::open(home.path()).unwrap();
    let n1 = query("n1.cluster.org.", RecordType::A);
    let address = |reply: &Message| reply.answers[0].data.to_string();
    assert_eq!(address(&by_udp(server, &n1).await), "10.1.0.1");
    set(&others, &[("hosts", &["n1"], "ip", "10.1.0.9")]);
    assert_eq!(address(&by_udp(server, &n1).await), "10.1.0.9");

    let mut stream = TcpStream::connect(server).await.unwrap();
    for _ in 0..2 {
        let bytes = n1.to_vec().unwrap();
        // In pieces, as it may come.
        stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
        stream.write_all(&bytes[..5]).await.unwrap();
        stream.flush().await.unwrap();
        stream.write_all(&bytes[5..]).await.unwrap();
        let length = timeout(LIMIT, stream.read_u16()).await.expect("no answer").unwrap();
        let mut reply = vec![0; usize::from(length)];
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!(address(&Message::from_vec(&reply).unwrap()), "10.1.0.9");
    }
    // Connections of one client have an end, and take nothing from others.
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(server).await.unwrap());
    }
    assert_eq!(address(&by_udp(server, &n1).await), "10.1.0.9");
    let mut closed = [0];
    let last = silent.last_mut().unwrap();
    assert_eq!(timeout(LIMIT, last.read(&mut closed)).await.expect("it stays open").unwrap_or(0), 0);
    stop.cancel();
}

#[tokio::test]
async fn what_others_answer_comes_back_and_what_anybody_forges_does_not() {
    let upstream = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let forwarder = upstream.local_addr().unwrap();
    let answering = tokio::spawn(async move {
        let mut bytes = [0; 4096];
        let (length, client) = upstream.recv_from(&mut bytes).await.unwrap();
        let asked = Message::from_vec(&bytes[..length]).unwrap();
        let mut forged = asked.clone();
        forged.metadata.message_type = MessageType::Response;
        forged.metadata.id = asked.metadata.id.wrapping_add(1);
        upstream.send_to(&forged.to_vec().unwrap(), client).await.unwrap();
        forged.metadata.id = asked.metadata.id;
        forged.queries[0].name = Name::from_ascii("other.com.").unwrap();
        upstream.send_to(&forged.to_vec().unwrap(), client).await.unwrap();
        forged.queries.clone_from(&asked.queries);
        forged.metadata.response_code = ResponseCode::NXDomain;
        upstream.send_to(&forged.to_vec().unwrap(), client).await.unwrap();
    });
    let query = query("example.com.", RecordType::A);
    let bytes = query.to_vec().unwrap();
    let dead = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let reply = forward::ask(&bytes, &query, &[dead, forwarder], false).await.unwrap();
    let reply = Message::from_vec(&reply).unwrap();
    assert_eq!((reply.metadata.id, reply.metadata.response_code), (7, ResponseCode::NXDomain));
    answering.await.unwrap();
    let reply = Message::from_vec(&forward::ask(&bytes, &query, &[dead], false).await.unwrap()).unwrap();
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
}

#[test]
fn who_is_none_of_ours_is_asked_for_nothing() {
    let names = names();
    let has = |address: &str| names.has_network(address.parse::<IpAddr>().unwrap());
    assert_eq!([has("10.1.200.1"), has("10.9.0.1"), has("fd00:1::9"), has("8.8.8.8")], [true, false, true, false]);
}
