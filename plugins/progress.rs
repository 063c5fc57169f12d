//! Progress of long work, told to whoever watches; drivers never print.

use std::sync::Arc;

/// What a driver tells while it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `what` on `host` has `done` of `total` bytes; `total` 0 means not known yet.
    Bytes { host: String, what: String, done: u64, total: u64 },
    /// `what` on `host` is over.
    Done { host: String, what: String },
}

/// Where events go; cheap to clone.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Event) + Send + Sync>);

impl Progress {
    pub fn new(watch: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(watch))
    }

    /// Drops every event.
    pub fn silent() -> Self {
        Self::new(|_| ())
    }

    pub(crate) fn tell(&self, event: Event) {
        (self.0)(event);
    }
}
