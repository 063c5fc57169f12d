//! Which packets of a session were seen already: a packet that comes twice, or very late, is none.

/// How far behind the newest a packet may be.
const WIDTH: u32 = 32;

#[derive(Debug, Default)]
pub(super) struct Window {
    newest: Option<u32>,
    /// Bit n: the packet n before the newest was seen.
    seen: u32,
}

impl Window {
    /// Whether a packet with this number is new; to be asked of proved packets only.
    pub(super) fn admits(&mut self, sequence: u32) -> bool {
        let Some(newest) = self.newest else {
            (self.newest, self.seen) = (Some(sequence), 1);
            return true;
        };
        let ahead = sequence.wrapping_sub(newest).cast_signed();
        if ahead > 0 {
            self.newest = Some(sequence);
            self.seen = self.seen.checked_shl(ahead.unsigned_abs()).unwrap_or(0) | 1;
            return true;
        }
        let bit = 1_u32.checked_shl(ahead.unsigned_abs()).filter(|_| ahead.unsigned_abs() < WIDTH);
        let Some(bit) = bit.filter(|bit| self.seen & bit == 0) else { return false };
        self.seen |= bit;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_packet_is_admitted_once() {
        let mut window = Window::default();
        let admitted: Vec<bool> = [5, 5, 7, 6, 6, 40, 8, 9, 41].iter().map(|&n| window.admits(n)).collect();
        assert_eq!(admitted, [true, false, true, true, false, true, false, true, true]);
    }

    #[test]
    fn numbers_go_round() {
        let mut window = Window::default();
        let admitted: Vec<bool> = [u32::MAX, 1, 0, u32::MAX, 2].iter().map(|&n| window.admits(n)).collect();
        assert_eq!(admitted, [true, true, true, false, true]);
    }

    proptest! {
        #[test]
        fn nothing_is_admitted_twice(numbers in prop::collection::vec(0..100u32, 0..200)) {
            let mut window = Window::default();
            let mut admitted: Vec<u32> = numbers.into_iter().filter(|&n| window.admits(n)).collect();
            let count = admitted.len();
            admitted.sort_unstable();
            admitted.dedup();
            prop_assert_eq!(admitted.len(), count);
        }

        #[test]
        fn any_number_will_do(numbers: Vec<u32>) {
            let mut window = Window::default();
            numbers.into_iter().for_each(|n| { window.admits(n); });
        }
    }
}
