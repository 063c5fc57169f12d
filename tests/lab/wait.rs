//! Waiting for something to become true, with a limit and a last status to report. Nothing in a test sleeps otherwise.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// What a look at the world found.
#[derive(Debug)]
pub enum Wait<T> {
    /// It is so; this is the result.
    Ready(T),
    /// It is not so yet; this is what was seen instead.
    NotYet(String),
}

/// Looks again and again until `look` is ready, and panics with the last status when `limit` is over.
pub fn wait_for<T>(what: &str, limit: Duration, look: impl FnMut() -> Wait<T>) -> T {
    try_wait_for(what, limit, look).unwrap_or_else(|error| panic!("{error}"))
}

/// Looks again and again until `look` is ready.
pub(crate) fn try_wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Wait<T>) -> Result<T> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        let status = match look() {
            Wait::Ready(found) => return Ok(found),
            Wait::NotYet(status) => status,
        };
        if start.elapsed() >= limit {
            return Err(Error::TimedOut { what: what.to_owned(), limit, status });
        }
        std::thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_until_ready() {
        let mut looks = 0;
        let found = wait_for("three looks", Duration::from_secs(10), || {
            looks += 1;
            if looks == 3 { Wait::Ready("here") } else { Wait::NotYet(format!("look {looks}")) }
        });
        assert_eq!((found, looks), ("here", 3));
    }

    #[test]
    fn names_the_last_status_when_the_limit_is_over() {
        let error = try_wait_for::<()>("the moon", Duration::ZERO, || Wait::NotYet("cheese".into())).unwrap_err();
        assert_eq!(error.to_string(), "the moon: not after 0 s: cheese");
    }
}
