//! The thread of a simulator: its socket is in the network of the lab, and it ends with whoever has started it.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, setns};

use crate::error::{Error, Result, at};

/// A simulator that serves, until this is dropped.
#[derive(Debug)]
pub(crate) struct Simulation {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Simulation {
    /// Serves on what `bind` makes in the network of the process `keeper`; `serve` ends soon after its flag is set.
    pub(crate) fn start<S: Send + 'static>(
        keeper: u32,
        bind: fn() -> Result<S>,
        serve: impl FnOnce(S, &AtomicBool) + Send + 'static,
    ) -> Result<Self> {
        let path = PathBuf::from(format!("/proc/{keeper}/ns/net"));
        let namespace = File::open(&path).map_err(at(&path))?;
        // A namespace is a thread's own; the socket stays in the one that it was made in.
        let socket = std::thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| refused("the network of the lab", &errno))?;
            bind()
        });
        let socket = socket.join().map_err(|_| Error::Refused("the thread of the BMCs failed".into()))??;
        let ended = Arc::new(AtomicBool::new(false));
        let stop = ended.clone();
        let thread = std::thread::spawn(move || serve(socket, &stop));
        Ok(Self { ended, thread: Some(thread) })
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// What a simulator needs and does not get.
pub(crate) fn refused(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Refused(format!("{what}: {error}"))
}
