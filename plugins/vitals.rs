//! How guests fare: whether one that was just made is good.

use serde::Serialize;

/// How a guest fares at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vitals {
    /// What it was made from, by the host's own name for that; see [`crate::HostImage::id`].
    pub image: String,
    pub life: Life,
    /// How often it has ended by itself and was started again since somebody started it.
    pub restarts: u64,
    /// What its main process ended with when it last did.
    pub exit_code: i64,
    /// What its own check of its health says; None for one that has no such check.
    pub health: Option<Health>,
}

/// What a guest does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Life {
    /// It was never started, or has ended.
    Off,
    Running,
    /// It is frozen.
    Suspended,
    /// It has ended and will be started again.
    Restarting,
}

/// The health of a guest, by its own check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Health {
    /// It was started a moment ago, and the check has not passed yet.
    Starting,
    Healthy,
    Unhealthy {
        /// What the check said the last time.
        said: String,
    },
}
