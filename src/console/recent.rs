//! The latest output of a console, to be shown again.

use std::collections::VecDeque;

/// A few screens.
const KEPT: usize = 32 * 1024;

/// Keeps the latest bytes and forgets the oldest.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    bytes: VecDeque<u8>,
    forgotten: bool,
}

impl Recent {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let excess = self.bytes.len().saturating_sub(KEPT);
        self.bytes.drain(..excess);
        self.forgotten |= excess > 0;
    }

    /// What is kept, from the beginning of a line on.
    pub(crate) fn lines(&self) -> Vec<u8> {
        let bytes = self.bytes.iter().copied();
        if !self.forgotten {
            return bytes.collect();
        }
        bytes.skip_while(|&byte| byte != b'\n').skip(1).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_latest_whole_lines() {
        let mut recent = Recent::default();
        assert_eq!(recent.lines(), b"");
        recent.add(b"first\r\nsecond");
        assert_eq!(recent.lines(), b"first\r\nsecond");
        recent.add(&b"x".repeat(KEPT - 8));
        recent.add(b"\r\nlast");
        assert_eq!(recent.lines(), b"last");
    }
}
