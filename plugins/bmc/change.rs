//! Changes of a BMC itself: the wait until it is as it was told to be, and what is said where it is not.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{Error, Result};

/// How often a BMC with another network is asked whether it is there; it may take seconds to be.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How many times as long as for a login it is waited for.
const PATIENCE: u32 = 4;

/// The wait for a BMC that is about to be otherwise.
pub(crate) struct Patience {
    deadline: Instant,
}

impl Patience {
    /// With a BMC that is let `limit` for a login.
    pub(crate) fn of(limit: Duration) -> Self {
        Self { deadline: Instant::now() + limit * PATIENCE }
    }

    /// Comes back when it may be tried again; with the error if time is up, or the BMC says that it is not so.
    pub(crate) async fn after(&self, error: Error) -> Result<()> {
        let is_final = matches!(error, Error::Denied { .. } | Error::Changed { .. });
        if is_final || Instant::now() + LOOK_AGAIN >= self.deadline {
            return Err(error);
        }
        sleep(LOOK_AGAIN).await;
        Ok(())
    }
}

/// The refusal of a change of the BMC that is called so.
pub(crate) fn refused(name: &str, doing: &str, why: String) -> Error {
    Error::Refused { what: format!("{name}: cannot {doing}"), why }
}

/// What failed, and what has become of the BMC.
pub(crate) fn undone(name: &str, doing: &str, failed: &Error, back: Result<()>) -> Error {
    let failed = crate::chain(failed);
    let why = match back {
        Ok(()) => format!("{failed}; it is as it was"),
        Err(error) => format!("{failed}; and it could not be put back: {}", crate::chain(&error)),
    };
    refused(name, doing, why)
}
