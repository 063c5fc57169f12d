//! How long an answer is waited for before the question is asked again: longer each time, and never by all at once.

use std::time::Duration;

use crate::secret::random_bytes;

const LONGEST: Duration = Duration::from_secs(2);

/// The next pause, each half as long again as the one before, give or take a quarter.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(crate) fn from(first: Duration) -> Self {
        Self { next: first }
    }

    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 3 / 2).min(LONGEST.max(pause));
        // Without random numbers they are all alike, which is no reason to fail.
        let [chance] = random_bytes().unwrap_or([128]);
        pause * 3 / 4 + pause * u32::from(chance) / 512
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        let mut pauses = Pauses::from(Duration::from_millis(400));
        let taken: Vec<u128> = (0..6).map(|_| pauses.pause().as_millis()).collect();
        let nominal = [400, 600, 900, 1350, 2000, 2000];
        for (taken, nominal) in taken.iter().zip(nominal) {
            assert!((nominal * 3 / 4..=nominal * 5 / 4).contains(taken), "{taken} of {nominal}");
        }
    }
}
