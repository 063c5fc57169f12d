//! What client and server agree on before the first block (RFC 2347, 2348, 2349, 7440).

use std::time::Duration;

use super::packet::Request;

/// What an Ethernet frame holds beside the headers of IPv4, UDP and TFTP: the fragments of a larger packet are more than
/// some firmware puts together.
const LARGEST_BLOCK: u64 = 1468;
const SMALLEST_BLOCK: u64 = 8;
const USUAL_BLOCK: usize = 512;
/// More in flight fills the buffers of switches, and gains nothing.
const WIDEST_WINDOW: u64 = 64;
/// Longer pauses would keep the transfer of a client that went away for minutes.
const LONGEST_PAUSE: u64 = 30;

/// How a file is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) block: usize,
    /// Blocks that may be on their way.
    pub(crate) window: u64,
    /// How long to wait for an answer, where the client has said so.
    pub(crate) pause: Option<Duration>,
    /// The options that were agreed on, as the client is told; none means no such packet.
    pub(crate) told: Vec<(String, String)>,
}

impl Agreed {
    /// What becomes of the client's wishes; `length` is the file's. Only what was asked for is answered, an option that
    /// makes no sense as if it had not been asked.
    pub(crate) fn on(request: &Request, length: u64) -> Self {
        let mut agreed = Self { block: USUAL_BLOCK, window: 1, pause: None, told: Vec::new() };
        for (option, wanted) in &request.options {
            let is_told = |(told, _): &(String, String)| told.eq_ignore_ascii_case(option);
            let Some(wanted) = wanted.parse().ok().filter(|_| !agreed.told.iter().any(is_told)) else { continue };
            if let Some(value) = agreed.grant(&option.to_ascii_lowercase(), wanted, length) {
                agreed.told.push((option.clone(), value.to_string()));
            }
        }
        agreed
    }

    fn grant(&mut self, option: &str, wanted: u64, length: u64) -> Option<u64> {
        match (option, wanted) {
            ("blksize", SMALLEST_BLOCK..) => {
                let granted = wanted.min(LARGEST_BLOCK);
                self.block = usize::try_from(granted).ok()?;
                Some(granted)
            }
            ("windowsize", 1..) => {
                self.window = wanted.min(WIDEST_WINDOW);
                Some(self.window)
            }
            ("timeout", 1..=LONGEST_PAUSE) => {
                self.pause = Some(Duration::from_secs(wanted));
                Some(wanted)
            }
            ("tsize", _) => Some(length),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::Mode;
    use super::*;

    fn check(wanted: &str, expected: &str) {
        let pairs = wanted.split_whitespace().filter_map(|word| word.split_once('='));
        let options = pairs.map(|(option, value)| (option.into(), value.into())).collect();
        let request = Request { name: "f".into(), mode: Mode::Octet, options };
        let agreed = Agreed::on(&request, 170_000);
        let told: Vec<String> = agreed.told.iter().map(|(option, value)| format!("{option}={value}")).collect();
        assert_eq!(told.join(" "), expected, "{wanted}");
    }

    #[test]
    fn only_what_makes_sense_is_agreed_to() {
        check("", "");
        check("tsize=0 blksize=1468 windowsize=4", "tsize=170000 blksize=1468 windowsize=4");
        check("blksize=1432 tsize=0", "blksize=1432 tsize=170000");
        check("BlkSize=65464 timeout=5", "BlkSize=1468 timeout=5");
        check("blksize=7 windowsize=0 timeout=0 timeout=255", "");
        check("windowsize=65535 multicast= bogus=1", "windowsize=64");
        check("blksize=100 blksize=200 BLKSIZE=300", "blksize=100");
        check("blksize=-1 blksize=x blksize=99999999999999999999999 tsize=x", "");
    }
}
