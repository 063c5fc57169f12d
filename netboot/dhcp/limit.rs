//! How much one client may ask: some at once, then so many a second. The rest is dropped unanswered.

use std::collections::HashMap;
use std::time::Duration;

use crate::mac::Mac;

/// A machine that boots sends a dozen packets, those of its three systems together.
const AT_ONCE: u32 = 20;
/// One more is allowed after so long.
const EACH: Duration = Duration::from_millis(200);
/// So many clients are kept in mind; those that have been quiet are forgotten first.
const CLIENTS: usize = 65_536;

/// Who has asked how much of late.
#[derive(Debug, Default)]
pub(crate) struct Limit(HashMap<Mac, Duration>);

impl Limit {
    /// Whether this client is answered now. `now` is the time since whenever.
    ///
    /// What is kept is when all that it has asked will have been allowed: that is less than a stretch ahead, or it waits.
    pub(crate) fn allows(&mut self, client: Mac, now: Duration) -> bool {
        if self.0.len() >= CLIENTS {
            self.0.retain(|_, busy_until| *busy_until > now);
        }
        if self.0.len() >= CLIENTS {
            self.0.clear(); // a flood of forged addresses is not to take the memory of the machine
        }
        let busy_until = self.0.entry(client).or_default();
        let most = now + EACH * AT_ONCE;
        // What lies further ahead comes of a clock that was set back, which must not silence a client.
        let next = if *busy_until > most { now } else { now.max(*busy_until) } + EACH;
        let is_allowed = next <= most;
        if is_allowed {
            *busy_until = next;
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_never_stops_is_slowed_down_and_others_are_not() {
        let mut limit = Limit::default();
        let (loud, quiet) = (Mac([1; 6]), Mac([2; 6]));
        let start = Duration::from_secs(1_000_000);
        let answered = |limit: &mut Limit, at: Duration| (0..100).filter(|_| limit.allows(loud, at)).count();
        assert_eq!(answered(&mut limit, start), 20);
        assert!(limit.allows(quiet, start));
        assert_eq!(answered(&mut limit, start + Duration::from_secs(1)), 5);
        assert_eq!(answered(&mut limit, start + Duration::from_secs(60)), 20);
        assert!(limit.allows(loud, start - Duration::from_secs(3600)), "the clock was set back");
    }

    #[test]
    fn a_flood_of_clients_does_not_fill_the_memory() {
        let mut limit = Limit::default();
        for number in 0..200_000_u64 {
            let [_, _, octets @ ..] = number.to_be_bytes();
            limit.allows(Mac(octets), Duration::from_secs(5));
        }
        assert!(limit.0.len() <= CLIENTS);
    }
}
