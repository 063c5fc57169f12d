//! Serial over LAN: its packets, and what makes them a reliable stream of bytes, each way one packet at a time. Pure.
//!
//! ```text
//! sequence (4 bits, 0: needs no answer) | answered sequence (4 bits) | bytes accepted of that | flags | bytes
//! ```

use std::collections::VecDeque;

use super::message::Request;
use super::reader::Reader;

const APPLICATION: u8 = 0x06;
const PAYLOAD: u8 = 0x01;
/// The first console of a BMC; hardly any has a second.
const INSTANCE: u8 = 0x01;

/// Encrypted and authenticated; alerts that the BMC would send over the serial port wait meanwhile.
pub(super) fn activate() -> Request {
    Request::new(APPLICATION, 0x48, &[PAYLOAD, INSTANCE, 0xc4, 0, 0, 0])
}

pub(super) fn deactivate() -> Request {
    Request::new(APPLICATION, 0x49, &[PAYLOAD, INSTANCE, 0, 0, 0, 0])
}

/// Which session the console belongs to.
pub(super) fn get_owner() -> Request {
    Request::new(APPLICATION, 0x4b, &[PAYLOAD, INSTANCE])
}

/// The BMC's number for that session; 0 is none.
pub(super) fn owner(answer: &[u8]) -> Option<u32> {
    Reader::new(answer).u32()
}

/// What the completion codes of an activation say beside the common ones.
pub(super) fn refusal(code: u8) -> Option<&'static str> {
    Some(match code {
        TAKEN => "another client has its console",
        0x81 => "serial over LAN is disabled there",
        0x82 => "it has no more consoles to give",
        0x83 | 0x84 => "it does not encrypt its console",
        _ => return None,
    })
}

/// The completion code of an activation while another session has the console.
pub(super) const TAKEN: u8 = 0x80;

/// How many bytes the BMC takes in one packet.
pub(super) fn room(answer: &[u8]) -> Option<usize> {
    const MOST: usize = 200;
    let mut reader = Reader::new(answer);
    let (_auxiliary, inbound) = (reader.u32()?, reader.u16()?);
    // There are BMCs that swap the two bytes or say zero.
    Some(usize::from(inbound).saturating_sub(HEADER).clamp(1, MOST))
}

const HEADER: usize = 4;

/// One packet, either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    sequence: u8,
    answers: u8,
    accepted: u8,
    flags: u8,
    bytes: Vec<u8>,
}

/// Flags of what a BMC sends.
const REFUSED: u8 = 0x40;
const UNAVAILABLE: u8 = 0x20;
const DEACTIVATED: u8 = 0x10;
/// A flag of what we send.
const BREAK: u8 = 0x10;

impl Frame {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut bytes = vec![self.sequence, self.answers, self.accepted, self.flags];
        bytes.extend(&self.bytes);
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let [sequence, answers, accepted, flags] = reader.array()?;
        Some(Self {
            sequence: sequence & 0x0f,
            answers: answers & 0x0f,
            accepted,
            flags,
            bytes: reader.rest().to_vec(),
        })
    }

    /// Whether the BMC says with it that the console is no longer ours.
    pub(super) fn is_farewell(&self) -> bool {
        self.flags & DEACTIVATED != 0
    }

    /// Whether it carries what the machine has said.
    pub(super) fn says(&self) -> bool {
        self.sequence != 0
    }
}

/// The state of both directions.
#[derive(Debug)]
pub(super) struct Flow {
    /// What the BMC takes at once.
    room: usize,
    typed: VecDeque<u8>,
    breaks: usize,
    last: u8,
    /// Sent, and not answered yet.
    sent: Option<Frame>,
    /// The BMC takes nothing now.
    held: bool,
    /// The last packet that was heard, and how much of it was taken in.
    heard: Option<(u8, usize)>,
}

/// What may wait here before it is sent.
const WAITING: usize = 4096;

impl Flow {
    pub(super) fn new(room: usize) -> Self {
        Self { room, typed: VecDeque::new(), breaks: 0, last: 0, sent: None, held: false, heard: None }
    }

    /// A packet that carries nothing, to begin with: a BMC that still has the last number of the console before would
    /// take our first one for a repetition. Nobody waits for its answer.
    pub(super) fn greeting(&mut self) -> Frame {
        Frame { sequence: self.number(), answers: 0, accepted: 0, flags: 0, bytes: Vec::new() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.typed.len() < WAITING
    }

    pub(super) fn type_in(&mut self, bytes: &[u8]) {
        self.typed.extend(bytes);
    }

    /// Sends a break as soon as the packet under way is answered.
    pub(super) fn send_break(&mut self) {
        self.breaks += 1;
    }

    /// From 1 to 15, and again.
    fn number(&mut self) -> u8 {
        self.last = self.last % 15 + 1;
        self.last
    }

    /// The next packet to send, if there is something to send and the one before is answered.
    pub(super) fn next(&mut self) -> Option<Frame> {
        if self.sent.is_some() || self.held || (self.breaks == 0 && self.typed.is_empty()) {
            return None;
        }
        let (flags, count) = if self.breaks > 0 { (BREAK, 0) } else { (0, self.room.min(self.typed.len())) };
        self.breaks = self.breaks.saturating_sub(1);
        let bytes = self.typed.drain(..count).collect();
        let frame = Frame { sequence: self.number(), answers: 0, accepted: 0, flags, bytes };
        self.sent = Some(frame.clone());
        Some(frame)
    }

    /// The packet under way, to be sent again.
    pub(super) fn again(&self) -> Option<&Frame> {
        self.sent.as_ref()
    }

    /// Gives up a packet that carries nothing typed; true if it was one.
    pub(super) fn drop_empty(&mut self) -> bool {
        self.sent.take_if(|frame| frame.bytes.is_empty()).is_some()
    }

    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// Tries anew to send to a BMC that did not take anything.
    pub(super) fn release(&mut self) {
        self.held = false;
    }

    /// Takes in what a packet says of ours; true if it answers the one under way.
    pub(super) fn answered(&mut self, frame: &Frame) -> bool {
        let refused = frame.flags & (REFUSED | UNAVAILABLE) != 0;
        let answer = self.sent.take_if(|sent| frame.answers != 0 && sent.sequence == frame.answers);
        let Some(sent) = answer else {
            // It may have been full a moment ago.
            self.held &= refused;
            return false;
        };
        let rest = sent.bytes.get(usize::from(frame.accepted)..).unwrap_or_default();
        // What takes nothing is asked again later, also when it does not say why.
        self.held = refused || (!rest.is_empty() && frame.accepted == 0);
        for byte in rest.iter().rev() {
            self.typed.push_front(*byte);
        }
        true
    }

    /// What a packet brings that was not heard before, and the answer to it.
    pub(super) fn taken(&mut self, frame: &Frame) -> Option<(Vec<u8>, Frame)> {
        if !frame.says() {
            return None;
        }
        let whole = frame.bytes.len().min(usize::from(u8::MAX));
        // A repeated packet may have grown meanwhile.
        let known = match self.heard {
            Some((sequence, known)) if sequence == frame.sequence => known.min(whole),
            // The one before, which was long on its way.
            Some((sequence, _)) if sequence == frame.sequence % 15 + 1 => return None,
            _ => 0,
        };
        self.heard = Some((frame.sequence, whole));
        let accepted = u8::try_from(whole).unwrap_or(u8::MAX);
        let answer = Frame { sequence: 0, answers: frame.sequence, accepted, flags: 0, bytes: Vec::new() };
        Some((frame.bytes[known..whole].to_vec(), answer))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(sequence: u8, text: &str) -> Frame {
        Frame { sequence, answers: 0, accepted: 0, flags: 0, bytes: text.into() }
    }

    fn answer(answers: u8, accepted: u8, flags: u8) -> Frame {
        Frame { sequence: 0, answers, accepted, flags, bytes: Vec::new() }
    }

    fn text(frame: Option<Frame>) -> String {
        frame.map_or("-".into(), |frame| format!("{} {}", frame.sequence, String::from_utf8(frame.bytes).unwrap()))
    }

    #[test]
    fn requests_are_those_of_the_specification() {
        assert_eq!(activate(), Request::new(6, 0x48, &[1, 1, 0xc4, 0, 0, 0]));
        assert_eq!(room(&[0, 0, 0, 0, 32, 0, 0, 1, 0x6f, 2, 0xff, 0xff]), Some(28));
        assert_eq!((room(&[0, 0, 0, 0, 0, 0]), room(&[0, 0, 0, 0, 0, 1]), room(&[0; 5])), (Some(1), Some(200), None));
        assert_eq!(owner(&[4, 3, 2, 1, 9]), Some(0x0102_0304));
    }

    #[test]
    fn one_packet_is_under_way_at_a_time() {
        let mut flow = Flow::new(4);
        assert_eq!(flow.greeting().write(), [1, 0, 0, 0]);
        flow.type_in(b"abcdef");
        assert_eq!(text(flow.next()), "2 abcd");
        assert_eq!(text(flow.next()), "-");
        assert!(!flow.answered(&answer(1, 0, 0)));
        assert_eq!(text(flow.again().cloned()), "2 abcd");
        // Only two of the four were taken; then all.
        assert!(flow.answered(&answer(2, 2, 0)));
        assert_eq!(text(flow.next()), "3 cdef");
        assert!(flow.answered(&answer(3, 4, 0)));
        assert_eq!(flow.again(), None);
        assert_eq!(text(flow.next()), "-");
    }

    #[test]
    fn a_bmc_that_is_full_is_waited_for() {
        let mut flow = Flow::new(4);
        flow.type_in(b"abcdef");
        flow.next().unwrap();
        assert!(flow.answered(&answer(1, 1, REFUSED)));
        assert_eq!((flow.is_held(), text(flow.next())), (true, "-".into()));
        // It has room again.
        assert!(!flow.answered(&answer(1, 1, 0)));
        assert_eq!(text(flow.next()), "2 bcde");
        // It takes nothing, and does not say why.
        assert!(flow.answered(&answer(2, 0, 0)));
        assert_eq!(text(flow.next()), "-");
        flow.release();
        assert_eq!(text(flow.next()), "3 bcde");
    }

    #[test]
    fn a_break_is_a_packet_of_its_own() {
        let mut flow = Flow::new(4);
        flow.type_in(b"a");
        flow.send_break();
        assert_eq!(flow.next().unwrap().write(), [1, 0, 0, BREAK]);
        assert!(flow.drop_empty());
        assert_eq!(text(flow.next()), "2 a");
        assert!(!flow.drop_empty());
    }

    #[test]
    fn what_was_heard_is_said_once() {
        let mut flow = Flow::new(4);
        let mut heard = |sequence, text: &str| {
            let taken = flow.taken(&said(sequence, text));
            taken.map_or("-".into(), |(bytes, answer)| {
                format!("{} {:?}", String::from_utf8(bytes).unwrap(), &answer.write()[1..3])
            })
        };
        assert_eq!(heard(7, "boot"), "boot [7, 4]");
        assert_eq!(heard(7, "boot"), " [7, 4]");
        assert_eq!(heard(7, "booting"), "ing [7, 7]");
        assert_eq!(heard(8, "x"), "x [8, 1]");
        assert_eq!(heard(7, "booting"), "-");
        assert_eq!(heard(0, ""), "-");
    }

    /// What happens to packets on their way.
    #[derive(Debug, Clone, Copy)]
    enum Fate {
        Arrives,
        Lost,
        Twice,
    }

    fn fates() -> impl Strategy<Value = Vec<Fate>> {
        let fate = prop_oneof![3 => Just(Fate::Arrives), 1 => Just(Fate::Lost), 1 => Just(Fate::Twice)];
        prop::collection::vec(fate, 1..40)
    }

    fn copies(fate: Option<Fate>) -> usize {
        match fate {
            Some(Fate::Lost) => 0,
            Some(Fate::Twice) => 2,
            Some(Fate::Arrives) | None => 1,
        }
    }

    proptest! {
        /// Two of them talk over a line that loses and doubles packets: all arrives, in order and once.
        #[test]
        fn nothing_is_lost_or_doubled(text in prop::collection::vec(any::<u8>(), 0..300), room in 1..50usize, fates in fates()) {
            let (mut here, mut there) = (Flow::new(room), Flow::new(room));
            here.type_in(&text);
            let (mut arrived, mut fates) = (Vec::new(), fates.into_iter());
            for _ in 0..1000 {
                let Some(frame) = here.next().or_else(|| here.again().cloned()) else { break };
                for _ in 0..copies(fates.next()) {
                    let Some((bytes, answer)) = there.taken(&frame) else { continue };
                    arrived.extend(bytes);
                    for _ in 0..copies(fates.next()) {
                        here.answered(&answer);
                    }
                }
            }
            prop_assert_eq!(arrived, text);
        }

        #[test]
        fn what_is_written_is_read(sequence in 0..16u8, answers in 0..16u8, accepted: u8, flags: u8, bytes: Vec<u8>) {
            let frame = Frame { sequence, answers, accepted, flags, bytes };
            prop_assert_eq!(Frame::read(&frame.write()), Some(frame));
        }

        #[test]
        fn hostile_bytes_do_no_harm(packets: Vec<Vec<u8>>) {
            let mut flow = Flow::new(8);
            flow.type_in(&[7; 100]);
            for packet in &packets {
                flow.next();
                if let Some(frame) = Frame::read(packet) {
                    flow.answered(&frame);
                    flow.taken(&frame);
                }
                room(packet);
                owner(packet);
                // Nothing typed appears from nowhere.
                prop_assert!(flow.typed.len() <= 100);
            }
        }
    }
}
