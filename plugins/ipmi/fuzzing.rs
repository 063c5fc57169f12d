//! The door of target `ipmi`: what a BMC sends, to each reader. What it must prove is proved for it: no fuzzer guesses a code.

use super::cipher::{Keys, Suite};
use super::handshake::{self, Login, Privilege};
use super::message::{Request, Response};
use super::packet::{self, Kind, Packet};
use super::reading::{self, Reading};
use super::sol::{Flow, Frame};
use super::window::Window;
use super::{account, chassis, fru, identity, lan, makers, plain, sdr, sel, sol};
use crate::fuzzing::{check_shown, packets};
use crate::{Secret, Vital};

const SUITES: [Suite; 2] = [Suite::Sha256, Suite::Sha1];
const SESSION: u32 = 0x0102_0304;

/// Says whether something was read. The first byte chooses the reader, the second one the suite.
pub fn run(input: &[u8]) -> bool {
    let &[reader, suite, ref input @ ..] = input else { return false };
    let suite = SUITES[usize::from(suite % 2)];
    match reader % 8 {
        0 => wire(suite, input),
        1 => session(suite, input),
        2 => login(suite, input).is_some(),
        3 => serial(input),
        4 => sensors(input).is_some(),
        5 => store(input),
        6 => log(input),
        _ => answers(input),
    }
}

/// Packets as they come, proved by nobody.
fn wire(suite: Suite, input: &[u8]) -> bool {
    let keys = Keys::new(suite, b"key of a session");
    let mut known = false;
    for packet in packets(input) {
        let read = Packet::read(packet);
        if let Some(read) = &read {
            read.console();
            read.bare();
            assert_eq!(read.unsealed(&keys), None, "nobody has the keys");
        }
        let plain = plain::read(packet);
        known |= read.is_some() || plain.is_some();
        plain.and_then(Response::read).and_then(|response| plain::capabilities(&response.data));
    }
    known
}

/// What a session brings that somebody has proved.
fn session(suite: Suite, input: &[u8]) -> bool {
    let keys = Keys::new(suite, b"key of a session");
    let mut window = Window::default();
    let mut newest = None;
    let mut read = false;
    for payload in packets(input) {
        let Some((number, payload)) = payload.split_first_chunk::<4>() else { continue };
        let sequence = u32::from_le_bytes(*number);
        let sealed = packet::sealed(&keys, [7; 16], (SESSION, sequence), Kind::Message, payload);
        let packet = Packet::read(&sealed).expect("we have written it");
        assert_eq!((packet.console(), packet.sequence), (Some(SESSION), sequence));
        assert_eq!(packet.unsealed(&keys).as_deref(), Some(payload));
        if newest == Some(sequence) {
            assert!(!window.admits(sequence), "a packet comes twice");
        } else if window.admits(sequence) {
            newest = Some(sequence);
        }
        if let Some(response) = Response::read(payload) {
            Request::new(6, 1, &[]).is_answered_by(&response, number[0]);
            super::completion::words(response.code);
            read = true;
        }
        // As it would be decrypted, had the BMC encrypted it badly.
        keys.decrypt(payload);
    }
    read
}

/// The three answers of a login, with the codes that belong to them.
fn login(suite: Suite, input: &[u8]) -> Option<()> {
    let mut packets = packets(input);
    let managed = match handshake::opened(packets.next()?, suite)? {
        Ok(managed) => managed,
        Err(refusal) => {
            check_shown(&refusal.words("user"));
            return Some(());
        }
    };
    let password = Secret::new("password");
    let (nonce, privilege) = ([5; 16], Privilege::Administrator);
    let login = Login { suite, user: "user", password: &password, privilege, console: SESSION, managed, nonce };
    let head = packets.next()?;
    let (console, managed) = (SESSION.to_le_bytes(), managed.to_le_bytes());
    let user = [&[privilege as u8 | 0x10, 4], &b"user"[..]].concat();
    let (theirs, guid) = (head.get(8..24).unwrap_or_default(), head.get(24..40).unwrap_or_default());
    let parts = [&console[..], &managed, &nonce, theirs, guid, &user];
    let proof = suite.hmac(password.reveal().as_bytes(), &parts);
    let answered = match login.answered(&[head.get(..40).unwrap_or(head), &proof].concat(), 1)? {
        Ok(answered) => answered,
        Err(refusal) => {
            check_shown(&refusal.words("user"));
            return Some(());
        }
    };
    assert_eq!(answered.guid, guid);
    identity::told(answered.guid);
    let tail = packets.next()?;
    let head = tail.get(..8).unwrap_or(tail);
    let key = suite.hmac(password.reveal().as_bytes(), &[&nonce, theirs, &user]);
    let mut code = suite.hmac(&key, &[&nonce, &managed, guid]);
    code.truncate(suite.short_length());
    let finished = login.finished(&[head, &code].concat(), &answered)?;
    let status = head.get(1).copied();
    assert_eq!(
        finished.is_ok(),
        status == Some(0) && head.len() == 8,
        "its code is right, unless it is not where it belongs"
    );
    if status == Some(0) {
        assert!(!matches!(login.finished(tail, &answered), Some(Ok(()))), "nobody guesses a code");
    }
    Some(())
}

/// A console on which somebody has typed.
fn serial(input: &[u8]) -> bool {
    const TYPED: usize = 100;
    let mut packets = packets(input);
    let Some(room) = packets.next().and_then(sol::room) else { return false };
    let mut flow = Flow::new(room);
    flow.greeting();
    flow.type_in(&[7; TYPED]);
    let mut heard = false;
    for packet in packets {
        if let Some(next) = flow.next() {
            assert_eq!(Frame::read(&next.write()), Some(next));
        }
        let Some(frame) = Frame::read(packet) else {
            flow.release();
            flow.drop_empty();
            continue;
        };
        frame.is_farewell();
        flow.answered(&frame);
        if let Some((said, answer)) = flow.taken(&frame) {
            assert!(said.len() <= packet.len());
            assert!(!answer.says(), "two that answer each other's answers never end");
            heard = true;
        }
        assert!(flow.has_room(), "nothing typed appears from nowhere");
        sol::owner(packet);
    }
    heard
}

/// The record of sensors, and what each answers.
fn sensors(input: &[u8]) -> Option<()> {
    let mut packets = packets(input);
    let record = packets.next()?;
    sdr::reservation(record);
    let (_next, record) = sdr::piece(record)?;
    let head = sdr::Head::read(record)?;
    let sensors = sdr::sensors(head, record.get(5..)?)?;
    assert!(sensors.len() <= 16);
    let (answer, limits, factors) = (packets.next()?, packets.next()?, packets.next()?);
    for sensor in &sensors {
        check_shown(&sensor.name);
        check_shown(&sensor.unit.words());
        let Some(Some(reading)) = Reading::read(answer) else { continue };
        check_shown(&reading.words(sensor.kind, sensor.events));
        reading.beyond();
        let Some(conversion) = sensor.conversion else { continue };
        let conversion = if conversion.needs_factors() { conversion.with_factors(factors) } else { Some(conversion) };
        let limits = reading::limits(limits).unwrap_or_default();
        for byte in limits.iter().map(|(_, byte)| *byte).chain([reading.byte]) {
            let Some(value) = conversion.and_then(|conversion| conversion.value(byte)) else { continue };
            assert!(value.is_finite());
            let digits = conversion.map_or(0, |conversion| conversion.digits());
            check_shown(&format!("{value:.digits$}"));
        }
    }
    (!sensors.is_empty()).then_some(())
}

/// An inventory store: its header, and one area, whose sums are made right.
fn store(input: &[u8]) -> bool {
    let mut packets = packets(input);
    let (Some(header), Some(area)) = (packets.next(), packets.next()) else { return false };
    fru::areas(header);
    fru::areas(&with_sum(header));
    fru::length(area);
    let area = with_sum(area);
    let mut known = false;
    for kind in [fru::Area::Chassis, fru::Area::Board, fru::Area::Product] {
        let fields = fru::fields(kind, &area);
        known |= fields.is_some();
        fields.iter().flatten().for_each(|field| check_shown(field));
    }
    known
}

/// The same, its last byte such that the sum of all is zero.
fn with_sum(bytes: &[u8]) -> Vec<u8> {
    let mut whole = bytes.to_vec();
    if let Some(last) = whole.pop() {
        whole.push(last.wrapping_sub(bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))));
    }
    whole
}

fn log(input: &[u8]) -> bool {
    let mut known = false;
    for answer in packets(input) {
        sel::reservation(answer);
        sel::is_cleared(answer);
        if let Some((_next, event)) = sel::entry(answer) {
            check_shown(&event.text);
            known = true;
        }
    }
    known
}

/// Answers of a few bytes, each as if it were one to every question.
fn answers(input: &[u8]) -> bool {
    let mut known = false;
    for answer in packets(input) {
        if let Some(controller) = identity::controller(answer) {
            controller.facts().into_iter().filter_map(|(_, value)| value).for_each(|value| check_shown(&value));
            check_shown(&makers::name(controller.manufacturer).unwrap_or_default());
            known = true;
        }
        check_shown(&identity::guid(answer).unwrap_or_default());
        account::access(answer);
        account::name(answer);
        lan::channel(answer);
        lan::value::<4>(answer);
        lan::value::<2>(answer).map(lan::vlan);
        chassis::is_on(answer);
        for vital in [Vital::Power, Vital::Chassis, Vital::Light] {
            chassis::vitals(vital, answer);
        }
        chassis::boot(answer);
    }
    known
}
