//! A question and what is known → an answer, or that others are to be asked. Pure: bytes in, bytes out.

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, NS, PTR, SOA};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::names::Names;

/// How long others may keep what they were told, in seconds: a table may change any moment.
const KEEP: u32 = 30;
/// The same for what is not there: somebody may be waiting for a node that is being defined.
const KEEP_NOTHING: u32 = 5;
/// What a header takes.
const HEADER: usize = 12;
/// What every client takes, and what fits into any path (DNS flag day 2020).
const LEAST: u16 = 512;
const MOST: u16 = 1232;

/// How a question came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// The address of ours that was asked.
    pub(super) ours: Ipv4Addr,
    /// Whether we ask others for this client.
    pub(super) forwards: bool,
    pub(super) tcp: bool,
}

/// What becomes of a question.
#[derive(Debug)]
pub(super) enum Said {
    /// It is none.
    Nothing,
    Answer(Vec<u8>),
    /// Others are to be asked.
    Forward(Message),
}

/// What is known of a name. Zones are those whose authority speaks.
enum Found {
    Records(Vec<RData>),
    Nothing { zone: Option<Name>, exists: bool },
    NotOurs,
}

/// Answers one message.
pub(super) fn answer(bytes: &[u8], names: &Names, asked: Asked) -> Said {
    // What is an answer itself is never answered: two servers would not come to an end.
    if bytes.len() < HEADER || bytes[2] & 0x80 != 0 {
        return Said::Nothing;
    }
    let Ok(query) = Message::from_vec(bytes) else {
        let id = u16::from_be_bytes([bytes[0], bytes[1]]);
        let refused = Message::error_msg(id, OpCode::Query, ResponseCode::FormErr);
        return refused.to_vec().map_or(Said::Nothing, Said::Answer);
    };
    let mut reply = begun(&query);
    reply.metadata.recursion_available = asked.forwards && !names.forwarders.is_empty();
    let [question] = query.queries.as_slice() else {
        reply.metadata.response_code = ResponseCode::FormErr;
        // Said back, hundreds of questions would have no room in any answer.
        reply.queries.clear();
        return written(&reply, &query, asked.tcp);
    };
    let refusal = refusal(&query, question);
    reply.metadata.response_code = refusal.unwrap_or(ResponseCode::NoError);
    if refusal.is_some() {
        return written(&reply, &query, asked.tcp);
    }
    match find(question, names, asked.ours) {
        Found::Records(data) => {
            reply.metadata.authoritative = true;
            reply.answers = data.into_iter().map(|data| record(question.name.clone(), data)).collect();
        }
        Found::Nothing { zone, exists } => {
            reply.metadata.authoritative = true;
            reply.metadata.response_code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
            let authority = zone.map(|zone| Record::from_rdata(zone.clone(), KEEP_NOTHING, soa(&zone, names)));
            reply.authorities.extend(authority);
        }
        Found::NotOurs if reply.metadata.recursion_available && query.metadata.recursion_desired => {
            return Said::Forward(query);
        }
        Found::NotOurs => reply.metadata.response_code = ResponseCode::Refused,
    }
    written(&reply, &query, asked.tcp)
}

/// The reply to a query that others could not answer, or whose answer has no room.
pub(super) fn failed(query: &Message, code: ResponseCode, truncated: bool) -> Option<Vec<u8>> {
    let mut reply = begun(query);
    reply.metadata.response_code = code;
    reply.metadata.truncation = truncated;
    reply.metadata.recursion_available = true;
    reply.to_vec().ok()
}

/// How long an answer by UDP may be.
pub(super) fn room(query: &Message) -> usize {
    usize::from(query.edns.as_ref().map_or(LEAST, Edns::max_payload).clamp(LEAST, MOST))
}

fn begun(query: &Message) -> Message {
    let mut reply = Message::new(query.metadata.id, MessageType::Response, query.metadata.op_code);
    reply.metadata = Metadata::response_from_request(&query.metadata);
    reply.queries.clone_from(&query.queries);
    if query.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(MOST);
        reply.edns = Some(edns);
    }
    reply
}

/// Why it is not even looked up.
fn refusal(query: &Message, question: &Query) -> Option<ResponseCode> {
    if query.metadata.op_code != OpCode::Query {
        return Some(ResponseCode::NotImp);
    }
    if query.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return Some(ResponseCode::BADVERS);
    }
    let whole_zone = matches!(question.query_type, RecordType::AXFR | RecordType::IXFR);
    let other_class = !matches!(question.query_class, DNSClass::IN | DNSClass::ANY);
    (whole_zone || other_class).then_some(ResponseCode::Refused)
}

fn written(reply: &Message, query: &Message, tcp: bool) -> Said {
    let Ok(bytes) = reply.to_vec() else {
        return failed(query, ResponseCode::ServFail, false).map_or(Said::Nothing, Said::Answer);
    };
    if tcp || bytes.len() <= room(query) {
        return Said::Answer(bytes);
    }
    failed(query, ResponseCode::NoError, true).map_or(Said::Nothing, Said::Answer)
}

fn find(question: &Query, names: &Names, ours: Ipv4Addr) -> Found {
    let labels = usize::from(question.name.num_labels());
    // Of a name below an address the address is what tells whose it is.
    let reverse = (3..=labels).rev().find_map(|count| {
        let name = question.name.trim_to(count);
        Some((count, name.parse_arpa_name().ok()?))
    });
    match reverse {
        Some((count, part)) => find_address(question, names, part.addr(), part.prefix_len(), labels > count),
        None => find_name(question, names, ours),
    }
}

/// What is known of an address, or of the first bits of one.
fn find_address(question: &Query, names: &Names, address: IpAddr, bits: u8, below: bool) -> Found {
    let Some(zone_bits) = names.zone_bits(address).filter(|zone_bits| bits >= *zone_bits) else {
        return Found::NotOurs;
    };
    let step = if address.is_ipv4() { 8 } else { 4 };
    let zone = question.name.trim_to(2 + usize::from(zone_bits / step));
    let pointers = if bits == (if address.is_ipv4() { 32 } else { 128 }) { names.pointers(address) } else { &[] };
    let mut data = Vec::new();
    if !below && bits == zone_bits {
        data.extend(apex(&zone, names, question.query_type));
    }
    if !below && matches!(question.query_type, RecordType::PTR | RecordType::ANY) {
        data.extend(pointers.iter().filter_map(|name| Some(RData::PTR(PTR(absolute(name)?)))));
    }
    let is_part = bits < if address.is_ipv4() { 32 } else { 128 };
    let exists = !below && (is_part || bits == zone_bits || !pointers.is_empty());
    if data.is_empty() { Found::Nothing { zone: Some(zone), exists } } else { Found::Records(data) }
}

fn find_name(question: &Query, names: &Names, ours: Ipv4Addr) -> Found {
    let name = question.name.to_lowercase().to_ascii();
    let name = name.trim_end_matches('.');
    let domain = names.domain_of(name);
    let zone = domain.and_then(absolute);
    let mut data = Vec::new();
    if let Some(zone) = zone.as_ref().filter(|_| domain == Some(name)) {
        data.extend(apex(zone, names, question.query_type));
    }
    let own = [IpAddr::V4(ours)];
    let is_own = domain.is_some_and(|domain| name.strip_prefix("ns.") == Some(domain));
    let addresses = names.addresses(name).or(is_own.then_some(&own));
    data.extend(addresses.unwrap_or_default().iter().filter_map(|address| match (address, question.query_type) {
        (IpAddr::V4(address), RecordType::A | RecordType::ANY) => Some(RData::A(A(*address))),
        (IpAddr::V6(address), RecordType::AAAA | RecordType::ANY) => Some(RData::AAAA(AAAA(*address))),
        _ => None,
    }));
    if !data.is_empty() {
        return Found::Records(data);
    }
    let exists = addresses.is_some() || domain == Some(name) || (domain.is_some() && names.is_above(name));
    if exists || zone.is_some() { Found::Nothing { zone, exists } } else { Found::NotOurs }
}

/// What is asked for of what stands at the top of a zone.
fn apex(zone: &Name, names: &Names, asked: RecordType) -> Vec<RData> {
    let soa = matches!(asked, RecordType::SOA | RecordType::ANY).then(|| soa(zone, names));
    let ns = matches!(asked, RecordType::NS | RecordType::ANY).then(|| RData::NS(NS(own_name(zone, names))));
    soa.into_iter().chain(ns).collect()
}

fn soa(zone: &Name, names: &Names) -> RData {
    let contact = zone.prepend_label("hostmaster").unwrap_or_else(|_| zone.clone());
    // Nobody transfers our zones: these are the usual hours.
    RData::SOA(SOA::new(own_name(zone, names), contact, names.serial, 3600, 600, 86400, KEEP_NOTHING))
}

/// Our own name: `ns` in the domain, that of the site for what is no domain.
fn own_name(zone: &Name, names: &Names) -> Name {
    let is_domain = zone.parse_arpa_name().is_err();
    let domain = names.own_domain().filter(|_| !is_domain).and_then(absolute);
    let domain = domain.as_ref().unwrap_or(zone);
    domain.prepend_label("ns").unwrap_or_else(|_| zone.clone())
}

fn record(name: Name, data: RData) -> Record {
    Record::from_rdata(name, KEEP, data)
}

/// None for what the tables call a name and DNS does not.
fn absolute(name: &str) -> Option<Name> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}
