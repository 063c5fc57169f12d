//! Which blocks are to be sent when (RFC 1350 §6, RFC 7440): pure, it knows neither sockets nor time.
//!
//! Blocks count from 1 without end; on the wire their number has 16 bits and goes on with 0 after 65535. Block 0 stands for
//! the packet of options, which is acknowledged like a block.

use std::ops::Range;

/// How often the same blocks are sent in vain.
const TRIES: u32 = 5;

/// The sender's side of a transfer.
#[derive(Debug)]
pub(crate) struct Window {
    /// How many blocks may be on their way.
    size: u64,
    /// The last block, which is the first that is not full.
    last: u64,
    /// The first block that is not acknowledged.
    base: u64,
    /// The first block that was not sent yet.
    next: u64,
    /// How often `base` was sent since the client was last heard of it.
    pub(crate) tries: u32,
    /// Whether a repeated acknowledgement has had blocks from `base` sent again.
    repeated: bool,
}

/// What the sender does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Send(Range<u64>),
    Wait,
    Done,
    GiveUp,
}

impl Window {
    /// `options` tells whether the client is to acknowledge those first.
    pub(crate) fn new(size: u64, last: u64, options: bool) -> Self {
        let base = u64::from(!options);
        Self { size, last, base, next: base, tries: 0, repeated: false }
    }

    pub(crate) fn start(&mut self) -> Step {
        self.send()
    }

    /// The client has all blocks up to this one.
    pub(crate) fn acknowledged(&mut self, block: u16) -> Step {
        #[expect(clippy::cast_possible_truncation, reason = "that is how blocks are numbered on the wire")]
        let before = (self.base as u16).wrapping_sub(1);
        let count = u64::from(block.wrapping_sub(before));
        if count == 0 {
            return self.repeat();
        }
        if count > self.next - self.base {
            return Step::Wait;
        }
        self.base += count;
        (self.tries, self.repeated) = (0, false);
        if self.base > self.last { Step::Done } else { self.send() }
    }

    /// Nothing came for too long.
    pub(crate) fn silent(&mut self) -> Step {
        self.tries += 1;
        if self.tries >= TRIES { Step::GiveUp } else { self.send() }
    }

    /// A client that misses the first block of a window says again what it has. Only once is that answered by sending, and
    /// never where a window is one block: else a packet that the network has doubled would double all that follow.
    fn repeat(&mut self) -> Step {
        let may = self.size > 1 && self.base > 0 && !self.repeated;
        self.repeated = true;
        if may { self.send() } else { Step::Wait }
    }

    /// From the first block that is missing on.
    fn send(&mut self) -> Step {
        self.next = if self.base == 0 { 1 } else { (self.base + self.size).min(self.last + 1) };
        Step::Send(self.base..self.next)
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "as on the wire")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_block_at_a_time() {
        let mut window = Window::new(1, 2, true);
        assert_eq!(window.start(), Step::Send(0..1));
        assert_eq!(window.acknowledged(1), Step::Wait, "it was not sent");
        assert_eq!(window.acknowledged(0), Step::Send(1..2));
        assert_eq!(window.acknowledged(0), Step::Wait, "no packet is doubled");
        assert_eq!(window.silent(), Step::Send(1..2));
        assert_eq!(window.acknowledged(1), Step::Send(2..3));
        assert_eq!(window.acknowledged(2), Step::Done);
    }

    #[test]
    fn a_window_goes_back_to_what_is_missing() {
        let mut window = Window::new(4, 9, false);
        assert_eq!(window.start(), Step::Send(1..5));
        assert_eq!(window.acknowledged(2), Step::Send(3..7));
        assert_eq!(window.acknowledged(2), Step::Send(3..7), "the first of the window was lost");
        assert_eq!(window.acknowledged(2), Step::Wait);
        assert_eq!(window.acknowledged(6), Step::Send(7..10));
        assert_eq!(window.acknowledged(9), Step::Done);
    }

    #[test]
    fn silence_ends_it() {
        let mut window = Window::new(1, 1, false);
        window.start();
        let steps: Vec<Step> = (0..TRIES).map(|_| window.silent()).collect();
        assert_eq!(steps.last(), Some(&Step::GiveUp));
        assert!(steps[..steps.len() - 1].iter().all(|step| *step == Step::Send(1..2)));
    }

    #[test]
    fn numbers_begin_anew_after_65535() {
        let mut window = Window::new(8, 70_000, false);
        let mut step = window.start();
        let mut sent = 0;
        while let Step::Send(blocks) = step {
            assert_eq!(blocks.start, sent + 1);
            sent = blocks.end - 1;
            step = window.acknowledged(sent as u16);
        }
        assert_eq!((step, sent), (Step::Done, 70_000));
    }

    /// A client of RFC 7440 behind a wire that loses packets as `lost` says; which blocks it was given in their order.
    fn received(size: u64, last: u64, lost: &[bool]) -> Vec<u64> {
        let mut losses = lost.iter().copied().chain(std::iter::repeat(false));
        let mut window = Window::new(size, last, true);
        let (mut step, mut has, mut got) = (window.start(), None, Vec::new());
        loop {
            let blocks = match step {
                Step::Send(blocks) => blocks,
                Step::Wait => 0..0,
                Step::Done | Step::GiveUp => return got,
            };
            let arrived: Vec<u64> = blocks.filter(|_| !losses.next().unwrap_or_default()).collect();
            for block in &arrived {
                if has.map_or(0, |has| has + 1) == *block {
                    has = Some(*block);
                    got.push(*block);
                }
            }
            // It says what it has when the window ends or something is missing; what it says may be lost as well.
            let heard = has.filter(|_| !arrived.is_empty() && !losses.next().unwrap_or_default());
            step = match heard {
                Some(block) => window.acknowledged(block as u16),
                None => window.silent(),
            };
            if step == Step::Wait {
                step = window.silent();
            }
        }
    }

    proptest! {
        #[test]
        fn all_blocks_arrive_whatever_is_lost(size in 1_u64..9, last in 1_u64..40, lost in proptest::collection::vec(proptest::bool::weighted(0.1), 0..80)) {
            let got = received(size, last, &lost);
            prop_assert_eq!(&got, &(0..got.len() as u64).collect::<Vec<_>>(), "in their order");
            // Each try in vain costs a packet at least.
            if lost.iter().filter(|lost| **lost).count() < TRIES as usize {
                prop_assert_eq!(got.len() as u64, last + 1);
            }
        }

        #[test]
        fn no_acknowledgement_panics(size in 1_u64..70, last in 1_u64..100_000, options: bool, blocks in proptest::collection::vec(any::<u16>(), 0..100)) {
            let mut window = Window::new(size, last, options);
            window.start();
            for block in blocks {
                if let Step::Send(blocks) = window.acknowledged(block) {
                    prop_assert!(blocks.start <= blocks.end && blocks.end <= last + 1 && blocks.end - blocks.start <= size.max(1));
                }
            }
        }
    }
}
