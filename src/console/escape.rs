//! The keys by which a user talks to `rcons` instead of to the node: Ctrl-E, then c, then one or two more.
//!
//! Pure: bytes in, events out, however they are cut into pieces. What turns out to be no escape reaches the node unchanged,
//! only later: a Ctrl-E waits for the byte after it.

const CONTROL_E: u8 = 0x05;

/// The keys, for `^Ec?`.
pub(crate) const HELP: &[(&str, &str)] = &[
    ("^Ec.", "leave the console"),
    ("^Ec?", "list these keys"),
    ("^Ecw", "who else is attached"),
    ("^Ecr", "show the latest output again"),
    ("^Ecl0", "send a break, over a serial line"),
    ("^Ec^E", "send ^Ec itself"),
];

/// What the user typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Bytes for the node.
    Data(Vec<u8>),
    Leave,
    Help,
    Who,
    Replay,
    Break,
}

/// Finds escapes in what is typed; remembers an unfinished one.
#[derive(Debug, Default)]
pub(crate) struct Escapes {
    seen: Seen,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Seen {
    #[default]
    Nothing,
    ControlE,
    ControlEc,
    ControlEcl,
}

impl Escapes {
    /// The events in `bytes`, in order; neighbouring data is one event.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        bytes.iter().for_each(|&byte| self.step(byte, &mut events));
        events
    }

    /// The beginning of an escape that never came to its end: input is over, the node gets it.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        match std::mem::take(&mut self.seen) {
            Seen::Nothing => Vec::new(),
            Seen::ControlE => vec![CONTROL_E],
            Seen::ControlEc => vec![CONTROL_E, b'c'],
            Seen::ControlEcl => vec![CONTROL_E, b'c', b'l'],
        }
    }

    fn step(&mut self, byte: u8, events: &mut Vec<Event>) {
        self.seen = match (self.seen, byte) {
            (Seen::Nothing, CONTROL_E) => Seen::ControlE,
            (Seen::Nothing, other) => send(events, &[other]),
            (Seen::ControlE, b'c') => Seen::ControlEc,
            (Seen::ControlE, CONTROL_E) => {
                send(events, &[CONTROL_E]);
                Seen::ControlE
            }
            (Seen::ControlE, other) => send(events, &[CONTROL_E, other]),
            (Seen::ControlEc, b'.') => tell(events, Event::Leave),
            (Seen::ControlEc, b'?') => tell(events, Event::Help),
            (Seen::ControlEc, b'w') => tell(events, Event::Who),
            (Seen::ControlEc, b'r') => tell(events, Event::Replay),
            (Seen::ControlEc, b'l') => Seen::ControlEcl,
            (Seen::ControlEcl, b'0') => tell(events, Event::Break),
            // Such as `clear` typed after Ctrl-E at a shell's prompt.
            (Seen::ControlEcl, other) => send(events, &[CONTROL_E, b'c', b'l', other]),
            (Seen::ControlEc, CONTROL_E) => send(events, &[CONTROL_E, b'c']),
            // Such as `cd` typed after Ctrl-E at a shell's prompt.
            (Seen::ControlEc, other) => send(events, &[CONTROL_E, b'c', other]),
        };
    }
}

fn tell(events: &mut Vec<Event>, event: Event) -> Seen {
    events.push(event);
    Seen::Nothing
}

fn send(events: &mut Vec<Event>, bytes: &[u8]) -> Seen {
    match events.last_mut() {
        Some(Event::Data(data)) => data.extend_from_slice(bytes),
        _ => events.push(Event::Data(bytes.to_vec())),
    }
    Seen::Nothing
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(text: &str) -> Event {
        Event::Data(text.into())
    }

    #[test]
    fn knows_its_keys_and_nothing_else() {
        let check = |typed: &str, expected: &[Event]| {
            assert_eq!(Escapes::default().feed(typed.as_bytes()), expected, "{typed:?}");
        };
        check("", &[]);
        check("ls -l\r", &[data("ls -l\r")]);
        check("\x05c.", &[Event::Leave]);
        check("a\x05c?b", &[data("a"), Event::Help, data("b")]);
        check("\x05cw\x05cr", &[Event::Who, Event::Replay]);
        check("\x05c\x05", &[data("\x05c")]);
        check("\x05\x05c.", &[data("\x05"), Event::Leave]);
        check("\x05\x05\x05", &[data("\x05\x05")]);
        check("\x05x", &[data("\x05x")]);
        check("\x05cd /tmp\r", &[data("\x05cd /tmp\r")]);
        check("c.\x05.", &[data("c.\x05.")]);
        check("\x05c\x05c.", &[data("\x05cc.")]);
    }

    #[test]
    fn an_unfinished_escape_is_kept_until_the_end() {
        let check = |typed: &str, expected: &str| {
            let mut escapes = Escapes::default();
            assert_eq!(escapes.feed(typed.as_bytes()), []);
            assert_eq!(escapes.finish(), expected.as_bytes());
            assert_eq!(escapes.finish(), b"", "it is given once");
        };
        check("", "");
        check("\x05", "\x05");
        check("\x05c", "\x05c");
    }

    #[test]
    fn every_key_of_the_help_is_a_key() {
        for (keys, help) in HELP {
            let typed = keys.replace("^E", "\x05");
            let events = Escapes::default().feed(typed.as_bytes());
            assert_eq!(events.len(), 1, "{keys}");
            assert_eq!(matches!(events[0], Event::Data(_) | Event::Break), help.starts_with("send"), "{keys}");
        }
    }

    /// What an escape is made of, and other bytes, so that escapes are common.
    fn typed() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            4 => prop::sample::select(&b"\x05\x05\x05ccc.?wrll0"[..]),
            1 => any::<u8>(),
        ];
        prop::collection::vec(byte, 0..60)
    }

    fn all(pieces: &[&[u8]]) -> Vec<Event> {
        let mut escapes = Escapes::default();
        let mut events = Vec::new();
        let fed: Vec<Event> = pieces.iter().flat_map(|piece| escapes.feed(piece)).collect();
        for event in fed.into_iter().chain([Event::Data(escapes.finish())]) {
            match event {
                Event::Data(bytes) => drop(send(&mut events, &bytes)),
                other => events.push(other),
            }
        }
        events
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_same(bytes in typed(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
            prop_assert_eq!(all(&pieces), all(&[&bytes]));
        }

        #[test]
        fn without_both_its_first_bytes_nothing_is_an_escape(bytes in typed(), missing in prop::sample::select(&b"\x05c"[..])) {
            let bytes: Vec<u8> = bytes.into_iter().filter(|&byte| byte != missing).collect();
            let arrived: Vec<u8> = all(&[&bytes]).into_iter().flat_map(|event| match event {
                Event::Data(data) => data,
                other => panic!("{other:?}"),
            }).collect();
            prop_assert_eq!(arrived, bytes);
        }
    }
}
