//! What BuildKit tells while it works: `StatusResponse` of its control API, in protobuf. The few fields that are shown are
//! read here, for which no compiler of protobuf is needed.

use std::collections::{HashMap, VecDeque};

/// Lines of a step that are kept for when it fails.
const LINES: usize = 20;
/// Bytes of such a line.
const LINE: usize = 1000;
/// Steps of a build that are told apart.
const STEPS: usize = 10_000;

/// The build so far.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// In the order in which they were heard of.
    steps: Vec<Vertex>,
    places: HashMap<String, usize>,
    logs: HashMap<String, VecDeque<String>>,
    latest: Option<usize>,
}

/// A step of a build.
#[derive(Debug, Default, Clone)]
struct Vertex {
    digest: String,
    name: String,
    is_started: bool,
    is_completed: bool,
    error: String,
}

/// What is being done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step<'a> {
    pub(super) name: &'a str,
    pub(super) number: usize,
    pub(super) total: usize,
}

impl Trace {
    /// Takes in what was said.
    pub(super) fn read(&mut self, message: &[u8]) {
        for (field, value) in Fields(message) {
            match (field, value) {
                (1, Value::Bytes(vertex)) => self.vertex(vertex),
                (3, Value::Bytes(log)) => self.log(log),
                _ => {}
            }
        }
    }

    fn vertex(&mut self, message: &[u8]) {
        let mut vertex = Vertex::default();
        for (field, value) in Fields(message) {
            match (field, value) {
                (1, Value::Bytes(text)) => vertex.digest = words(text),
                (3, Value::Bytes(text)) => vertex.name = words(text),
                (5, _) => vertex.is_started = true,
                (6, _) => vertex.is_completed = true,
                (7, Value::Bytes(text)) => vertex.error = words(text),
                _ => {}
            }
        }
        let place = self.places.get(&vertex.digest).copied();
        let place = place.or_else(|| {
            let place = self.steps.len();
            (place < STEPS).then(|| {
                self.places.insert(vertex.digest.clone(), place);
                self.steps.push(Vertex::default());
                place
            })
        });
        let Some(place) = place else { return };
        if vertex.is_started && !vertex.is_completed {
            self.latest = Some(place);
        }
        self.steps[place] = vertex;
    }

    fn log(&mut self, message: &[u8]) {
        let (mut digest, mut text) = (String::new(), String::new());
        for (field, value) in Fields(message) {
            match (field, value) {
                (1, Value::Bytes(bytes)) => digest = words(bytes),
                (4, Value::Bytes(bytes)) => text = String::from_utf8_lossy(bytes).into_owned(),
                _ => {}
            }
        }
        if !self.places.contains_key(&digest) {
            return;
        }
        let kept = self.logs.entry(digest).or_default();
        for line in text.lines() {
            kept.push_back(line.chars().take(LINE).collect());
            if kept.len() > LINES {
                kept.pop_front();
            }
        }
    }

    /// The step that was begun last.
    pub(super) fn step(&self) -> Option<Step<'_>> {
        let latest = &self.steps[self.latest?];
        let number = self.steps.iter().filter(|step| step.is_started).count();
        Some(Step { name: &latest.name, number, total: self.steps.len() })
    }

    /// An error with the last words of the step that failed.
    pub(super) fn explained(&self, error: &str) -> String {
        // Whatever called whatever is of no use to who wrote the instructions.
        let error = error.rsplit("failed to create LLB definition: ").next().unwrap_or(error);
        let error = error.trim_start_matches("failed to solve with frontend dockerfile.v0: ");
        let failed = self.steps.iter().find(|step| !step.error.is_empty());
        let Some(failed) = failed else { return error.to_owned() };
        let said = self.logs.get(&failed.digest).into_iter().flatten();
        let said: Vec<String> = said.map(|line| format!("  {line}")).collect();
        let lines: Vec<&str> = said.iter().map(String::as_str).collect();
        [&[&*format!("in step {}: {error}", failed.name)], lines.as_slice()].concat().join("\n")
    }
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(LINE)]).into_owned()
}

/// A field of a message.
enum Value<'a> {
    Number,
    Bytes(&'a [u8]),
}

/// The fields of a message, up to the first that makes no sense.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.number()?;
        let value = match key & 7 {
            0 => self.number().map(|_| Value::Number),
            1 => self.bytes(8).map(|_| Value::Number),
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                self.bytes(length).map(Value::Bytes)
            }
            5 => self.bytes(4).map(|_| Value::Number),
            _ => None,
        };
        Some((key >> 3, value?))
    }
}

impl<'a> Fields<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// Seven bits a byte, the lowest first; the eighth tells that more follow.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.bytes(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
    }

    #[test]
    fn a_build_as_it_goes_on() {
        let mut trace = Trace::default();
        assert_eq!(trace.step(), None);
        let one = [field(1, b"d1"), field(3, b"[1/2] FROM a")].concat();
        let two = [field(1, b"d2"), field(2, b"d1"), field(3, b"[2/2] RUN x")].concat();
        trace.read(&[field(1, &one), field(1, &two)].concat());
        assert_eq!(trace.step(), None);
        trace.read(&field(1, &[two.clone(), field(5, &[8, 1])].concat()));
        assert_eq!(trace.step(), Some(Step { name: "[2/2] RUN x", number: 1, total: 2 }));
        trace.read(&field(3, &[field(1, b"d2"), vec![3 << 3, 1], field(4, b"out\nmore\n")].concat()));
        let failed = [two, field(5, &[8, 1]), field(6, &[8, 2]), field(7, b"exit code: 3")].concat();
        trace.read(&field(1, &failed));
        assert_eq!(trace.explained("executor failed"), "in step [2/2] RUN x: executor failed\n  out\n  more");
        let wrapped = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: line 2: what";
        assert_eq!(Trace::default().explained(wrapped), "line 2: what");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut trace = Trace::default();
            trace.read(&bytes);
            drop(trace.explained("x"));
        }
    }
}
