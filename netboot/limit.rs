//! How much one client may ask: some at once, then so many a second. The rest waits, or is dropped unanswered.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// So many clients are kept in mind; those that have been quiet are forgotten first.
const CLIENTS: usize = 65_536;

/// Who has asked how much of late.
#[derive(Debug)]
pub(crate) struct Limit<C> {
    at_once: u32,
    /// One more is allowed after so long.
    each: Duration,
    clients: HashMap<C, Duration>,
}

impl<C: Eq + Hash> Limit<C> {
    pub(crate) fn new(at_once: u32, each: Duration) -> Self {
        Self { at_once, each, clients: HashMap::new() }
    }

    /// Whether this client is answered now. `now` is the time since whenever.
    pub(crate) fn allows(&mut self, client: C, now: Duration) -> bool {
        self.wait(client, now, Duration::ZERO).is_some()
    }

    /// How long this client is to wait for its answer; None where that is longer than `longest`, and nothing is owed it then.
    ///
    /// What is kept is when all that it has asked will have been allowed: that is less than a stretch ahead, or it waits.
    pub(crate) fn wait(&mut self, client: C, now: Duration, longest: Duration) -> Option<Duration> {
        if self.clients.len() >= CLIENTS {
            self.make_room(now);
        }
        let busy_until = self.clients.entry(client).or_default();
        let most = now + self.each * self.at_once;
        // What lies further ahead comes of a clock that was set back, which must not silence a client.
        let next = if *busy_until > most + longest { now } else { now.max(*busy_until) } + self.each;
        let wait = next.saturating_sub(most);
        (wait <= longest).then(|| {
            *busy_until = next;
            wait
        })
    }

    /// Forgets who has been quiet. In a flood of forged clients that is not enough: then those go that have asked least, half of
    /// all, so that whoever is loud is not let off by the flood, and the memory of the machine is not filled.
    fn make_room(&mut self, now: Duration) {
        self.clients.retain(|_, busy_until| *busy_until > now);
        if self.clients.len() > CLIENTS / 2 {
            let mut until: Vec<Duration> = self.clients.values().copied().collect();
            let (_, median, _) = until.select_nth_unstable(CLIENTS / 2);
            let median = *median;
            self.clients.retain(|_, busy_until| *busy_until > median);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: Duration = Duration::from_millis(200);

    #[test]
    fn a_client_that_never_stops_is_slowed_down_and_others_are_not() {
        let mut limit = Limit::new(20, EACH);
        let start = Duration::from_secs(1_000_000);
        let answered = |limit: &mut Limit<&str>, at: Duration| (0..100).filter(|_| limit.allows("loud", at)).count();
        assert_eq!(answered(&mut limit, start), 20);
        assert!(limit.allows("quiet", start));
        assert_eq!(answered(&mut limit, start + Duration::from_secs(1)), 5);
        assert_eq!(answered(&mut limit, start + Duration::from_secs(60)), 20);
        assert!(limit.allows("loud", start - Duration::from_secs(3600)), "the clock was set back");
    }

    #[test]
    fn who_can_wait_is_answered_in_turn_until_that_takes_too_long() {
        let mut limit = Limit::new(2, EACH);
        let (start, longest) = (Duration::from_secs(1_000_000), Duration::from_millis(500));
        let mut waits =
            |at| (0..6).map(|_| limit.wait("loud", at, longest).map(|wait| wait.as_millis())).collect::<Vec<_>>();
        assert_eq!(waits(start), [Some(0), Some(0), Some(200), Some(400), None, None]);
        assert_eq!(waits(start + EACH), [Some(400), None, None, None, None, None]);
    }

    #[test]
    fn a_flood_of_clients_does_not_fill_the_memory() {
        let mut limit = Limit::new(20, EACH);
        for client in 0..200_000_u64 {
            limit.allows(client, Duration::from_secs(5));
        }
        assert!(limit.clients.len() <= CLIENTS);
    }
    #[test]
    fn a_flood_of_clients_lets_nobody_off() {
        let mut limit = Limit::new(20, EACH);
        let start = Duration::from_secs(5);
        while limit.allows(0, start) {}
        for client in 1..200_000_u64 {
            limit.allows(client, start);
        }
        assert!(!limit.allows(0, start));
    }
}
