//! What a program writes, as it comes: to wait for a text in it, or for its end.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// One output of a running program, read by a thread of its own so that the program never has to wait for us.
#[derive(Debug)]
pub(crate) struct Stream {
    shared: Arc<(Mutex<Received>, Condvar)>,
    /// How much of it was looked at by [`Stream::expect`].
    seen: usize,
}

#[derive(Debug, Default)]
struct Received {
    bytes: Vec<u8>,
    ended: bool,
}

impl Stream {
    pub(crate) fn new(mut source: impl Read + Send + 'static) -> Self {
        let shared: Arc<(Mutex<Received>, Condvar)> = Arc::default();
        let writer = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                // The end of a terminal is the error EIO; whatever it is, there is no more.
                let count = source.read(&mut chunk).unwrap_or(0);
                let mut read = lock(&writer.0);
                read.bytes.extend_from_slice(&chunk[..count]);
                read.ended = count == 0;
                writer.1.notify_all();
                if read.ended {
                    return;
                }
            }
        });
        Self { shared, seen: 0 }
    }

    /// Waits for `text` after what was expected before; all that came up to its end.
    pub(crate) fn expect(&mut self, text: &str, limit: Duration) -> Result<String> {
        let from = self.seen;
        let find = |read: &Received| find(&read.bytes[from..], text.as_bytes()).map(|at| from + at + text.len());
        let read = self.wait(limit, |read| read.ended || find(read).is_some());
        let came = |to| String::from_utf8_lossy(&read.bytes[from..to]).into_owned();
        let Some(end) = find(&read) else {
            let status = if read.ended { "the output has ended" } else { "the program still runs" };
            let status = format!("{status}, so far:\n{}", came(read.bytes.len()));
            return Err(Error::TimedOut { what: format!("the text {text:?}"), limit, status });
        };
        let found = came(end);
        drop(read);
        self.seen = end;
        Ok(found)
    }

    /// Waits for the end of the stream, and says whether it came in time.
    pub(crate) fn ends(&self, limit: Duration) -> bool {
        self.wait(limit, |read| read.ended).ended
    }

    /// Everything that came so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.shared.0).bytes).into_owned()
    }

    fn wait(&self, limit: Duration, done: impl Fn(&Received) -> bool) -> MutexGuard<'_, Received> {
        let end = Instant::now() + limit;
        let mut read = lock(&self.shared.0);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if done(&read) || left.is_zero() {
                return read;
            }
            read = self.shared.1.wait_timeout(read, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The reading thread does nothing that could leave half a change behind.
fn lock(mutex: &Mutex<Received>) -> MutexGuard<'_, Received> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    if text.is_empty() {
        return Some(0);
    }
    bytes.windows(text.len()).position(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_text_is_found_after_the_last_one_only() {
        let mut stream = Stream::new("one two one three".as_bytes());
        assert_eq!(stream.expect("one", LIMIT).unwrap(), "one");
        assert_eq!(stream.expect("one", LIMIT).unwrap(), " two one");
        let error = stream.expect("two", LIMIT).unwrap_err().to_string();
        assert!(error.ends_with("the output has ended, so far:\n three"), "{error}");
        assert!(stream.ends(LIMIT));
        assert_eq!(stream.text(), "one two one three");
    }
}
