//! How much one client may ask of the server: one that asks without end waits, and the others do not.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tracing::debug;

use super::route::Route;
use crate::limit::Limit;

/// What is answered from the database: a script, a status. Many nodes may be behind one address.
const ASKED_AT_ONCE: u32 = 200;
const ASKED_EACH: Duration = Duration::from_millis(20);
/// What is only a file.
const FILES_AT_ONCE: u32 = 10_000;
const FILES_EACH: Duration = Duration::from_micros(200);
/// Who would wait longer is refused.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Limits {
    began: Instant,
    asked: Mutex<Limit<IpAddr>>,
    files: Mutex<Limit<IpAddr>>,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            asked: Mutex::new(Limit::new(ASKED_AT_ONCE, ASKED_EACH)),
            files: Mutex::new(Limit::new(FILES_AT_ONCE, FILES_EACH)),
        }
    }

    /// Forgets who has asked how much.
    #[cfg(any(test, fuzzing))]
    pub(super) fn forget(&self) {
        let new = Self::new();
        for (limit, new) in [(&self.asked, new.asked), (&self.files, new.files)] {
            *limit.lock().unwrap_or_else(PoisonError::into_inner) =
                new.into_inner().unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until it is the client's turn; false where that would take too long.
    pub(super) async fn let_pass(&self, client: IpAddr, route: Option<&Route>) -> bool {
        let limit = match route {
            Some(Route::Start | Route::Image(..) | Route::Media(..) | Route::Shared(..)) | None => &self.files,
            Some(_) => &self.asked,
        };
        let now = self.began.elapsed();
        let wait = limit.lock().unwrap_or_else(PoisonError::into_inner).wait(client, now, LONGEST_WAIT);
        match wait {
            Some(Duration::ZERO) => {}
            Some(wait) => sleep(wait).await,
            None => debug!(%client, "http: refused, it asks too much"),
        }
        wait.is_some()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::mac::Mac;

    #[test]
    fn one_that_floods_waits_then_is_refused_and_others_are_not() {
        let limits = Limits::new();
        let (loud, quiet) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let script = Route::Script(Mac([2; 6]));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _inside = runtime.enter();
        let asked: Vec<_> = (0..2000).map(|_| limits.let_pass(loud, Some(&script)).now_or_never()).collect();
        let count = |wanted: Option<bool>| asked.iter().filter(|passed| **passed == wanted).count();
        let (at_once, waiting, refused) = (count(Some(true)), count(None), count(Some(false)));
        assert!(at_once >= 200 && waiting >= 200 && refused > 1000, "{at_once} {waiting} {refused}");
        assert_eq!(limits.let_pass(quiet, Some(&script)).now_or_never(), Some(true));
        // Files are many, and cost less.
        assert_eq!(limits.let_pass(loud, None).now_or_never(), Some(true));
    }
}
