//! Long work on files, on a thread of its own: Ctrl-C tells it to stop, and it looks from time to time whether it was told so.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::spawn_blocking;

use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::pressed;
use crate::outcome::Outcome;

/// Does the work, which is over before this is, also after Ctrl-C.
pub(crate) async fn run<T: Send + 'static>(
    cx: &Context,
    work: impl FnOnce(&AtomicBool) -> T + Send + 'static,
) -> Result<T, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let mut work = spawn_blocking(move || work(&told));
    let mut keyboard = cx.keyboard();
    let ended = tokio::select! {
        ended = &mut work => Some(ended),
        () = pressed(&mut keyboard) => None,
    };
    cx.give_back(keyboard);
    match ended {
        Some(ended) => ended.map_err(|error| Failure::refused(error.to_string())),
        None => {
            stop.store(true, Ordering::Relaxed);
            work.await.ok(); // it ends soon, with an error
            Err(Failure { outcome: Outcome::Interrupted, ..Failure::refused("interrupted") })
        }
    }
}

/// What is read until the work is told to stop.
pub(crate) struct Reading<'a, R> {
    pub(crate) from: R,
    pub(crate) stop: &'a AtomicBool,
}

impl<R: Read> Read for Reading<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stop.load(Ordering::Relaxed) {
            // No ErrorKind::Interrupted: that means to read once more.
            true => Err(io::Error::other("interrupted")),
            false => self.from.read(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_any_more_once_that_was_said() {
        let stop = AtomicBool::new(false);
        let mut reading = Reading { from: io::repeat(b'x'), stop: &stop };
        io::copy(&mut (&mut reading).take(10_000), &mut io::sink()).unwrap();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(io::copy(&mut reading, &mut io::sink()).unwrap_err().to_string(), "interrupted");
    }
}
