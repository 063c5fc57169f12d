//! Progress of long work, told to whoever watches; drivers never print.

use std::sync::Arc;

/// What a driver tells while it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `what` on `host` has `done` of `total` bytes; `total` 0 means not known yet.
    Bytes { host: String, what: String, done: u64, total: u64 },
    /// `what` begins on `host`, as step `number` of `total`.
    Step { host: String, what: String, number: usize, total: usize },
    /// Something went another way than was meant on `host`, and goes on.
    Note { host: String, text: String },
    /// `what` on `host` is over; without words, all of its steps.
    Done { host: String, what: String },
}

impl Event {
    /// The same event of a host that goes by another name, such as its node's instead of its address.
    pub fn of(self, name: &str) -> Self {
        let host = name.to_owned();
        match self {
            Self::Bytes { what, done, total, .. } => Self::Bytes { host, what, done, total },
            Self::Step { what, number, total, .. } => Self::Step { host, what, number, total },
            Self::Note { text, .. } => Self::Note { host, text },
            Self::Done { what, .. } => Self::Done { host, what },
        }
    }
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

    /// Tells whoever watches.
    pub fn tell(&self, event: Event) {
        (self.0)(event);
    }
}
