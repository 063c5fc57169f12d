//! What each verb of `rpower` means for a machine behind a BMC, whatever that speaks.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{Error, PowerAction, PowerReading, PowerState, Powered, Result, chain};

/// How long a machine may take to be off or on after it was told to; a BMC takes some seconds for it.
pub(crate) const SWITCHING: Duration = Duration::from_secs(20);
/// How often the BMC is asked meanwhile.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What a machine can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Push {
    On,
    Off,
    Reset,
    Cycle,
    /// As if somebody pressed the button: the system shuts down, or does not.
    Soft,
}

impl Push {
    /// What is being done, for errors.
    pub(crate) fn doing(self) -> &'static str {
        match self {
            Self::On => "switch on",
            Self::Off => "switch off",
            other => other.word(),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Reset => "reset",
            Self::Cycle => "cycle",
            Self::Soft => "softoff",
        }
    }
}

/// The power of one machine, through a BMC that we are logged in to.
pub(crate) trait Lever: Send {
    /// How errors call the BMC.
    fn name(&self) -> &str;
    fn is_on(&mut self) -> impl Future<Output = Result<bool>> + Send;
    /// Tells the machine; comes back when the BMC has heard.
    fn push(&mut self, push: Push) -> impl Future<Output = Result<()>> + Send;
}

/// Refuses what no machine behind a BMC can do.
pub(crate) fn check(action: PowerAction, driver: &str) -> Result<()> {
    match action {
        PowerAction::Suspend | PowerAction::Resume => Err(Error::Unsupported {
            what: if action == PowerAction::Suspend { "suspend" } else { "resume" }.into(),
            column: "mgt",
            driver: driver.into(),
        }),
        PowerAction::On
        | PowerAction::Off
        | PowerAction::Softoff
        | PowerAction::Reset
        | PowerAction::Boot
        | PowerAction::Cycle => Ok(()),
    }
}

pub(crate) fn reading(on: bool) -> PowerReading {
    PowerReading { state: if on { PowerState::On } else { PowerState::Off }, word: word(on).into() }
}

/// Carries out a checked action.
pub(crate) async fn apply(lever: &mut impl Lever, action: PowerAction) -> Result<Powered> {
    let on = lever.is_on().await?;
    match (action, on) {
        (PowerAction::On, true) => Ok(nothing("on")),
        (PowerAction::Off | PowerAction::Reset, false) => Ok(nothing("off")),
        (PowerAction::Softoff, false) => Ok(nothing("softoff")),
        (PowerAction::Cycle, false) => {
            Err(Error::Refused { what: format!("{}: cannot cycle", lever.name()), why: "the machine is off".into() })
        }
        (PowerAction::On | PowerAction::Boot, false) => switch(lever, true).await,
        (PowerAction::Off, true) => switch(lever, false).await,
        (PowerAction::Reset | PowerAction::Boot, true) => tell(lever, Push::Reset).await,
        (PowerAction::Cycle, true) => tell(lever, Push::Cycle).await,
        (PowerAction::Softoff, true) => tell(lever, Push::Soft).await,
        (PowerAction::Suspend | PowerAction::Resume, _) => unreachable!("checked before"),
    }
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn nothing(word: &'static str) -> Powered {
    Powered { word, changed: false, under_way: false, warning: None }
}

async fn tell(lever: &mut impl Lever, push: Push) -> Result<Powered> {
    lever.push(push).await?;
    Ok(Powered { word: push.word(), changed: true, under_way: true, warning: None })
}

/// Switches, and waits until the BMC says that it is so: it answers as soon as it has heard. Once it has heard, nothing is an
/// error that would have another backend do it again.
async fn switch(lever: &mut impl Lever, on: bool) -> Result<Powered> {
    lever.push(if on { Push::On } else { Push::Off }).await?;
    let (told, still) = (word(on), word(!on));
    let warning = match is_so(lever, on).await {
        Ok(true) => None,
        Ok(false) => Some(format!("told to be {told}, and still {still} after {} s", SWITCHING.as_secs())),
        Err(error) => Some(format!("{}: {}", unknown(told), chain(&error))),
    };
    Ok(Powered { word: word(on), changed: true, under_way: true, warning })
}

/// What is known of a machine that was told to be on or off, and of which nothing was heard then.
pub(crate) fn unknown(told: &str) -> String {
    format!("told to be {told}, and whether it is so is not known")
}

/// Waits until the machine is on or off, as wanted; false if that takes too long.
pub(crate) async fn is_so(lever: &mut impl Lever, on: bool) -> Result<bool> {
    let start = Instant::now();
    while lever.is_on().await? != on {
        if start.elapsed() >= SWITCHING {
            return Ok(false);
        }
        sleep(LOOK_AGAIN).await;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose BMC is gone after so many answers.
    struct Leaves {
        answers: usize,
        pushed: Vec<Push>,
    }

    impl Lever for Leaves {
        fn name(&self) -> &'static str {
            "BMC b1"
        }

        async fn is_on(&mut self) -> Result<bool> {
            self.answers = self.answers.checked_sub(1).ok_or_else(gone)?;
            Ok(false)
        }

        async fn push(&mut self, push: Push) -> Result<()> {
            self.pushed.push(push);
            Ok(())
        }
    }

    fn gone() -> Error {
        Error::Unreachable { what: "BMC b1".into(), source: "refused".into() }
    }

    #[tokio::test]
    async fn what_was_pushed_is_done_whatever_comes_then() {
        let mut lever = Leaves { answers: 0, pushed: Vec::new() };
        let error = apply(&mut lever, PowerAction::Boot).await.unwrap_err();
        assert!(error.is_unreachable() && lever.pushed.is_empty(), "{error}");
        let mut lever = Leaves { answers: 1, pushed: Vec::new() };
        let powered = apply(&mut lever, PowerAction::Boot).await.unwrap();
        let warning = "told to be on, and whether it is so is not known: cannot reach BMC b1: refused";
        assert_eq!((powered.word, powered.changed, powered.warning.as_deref()), ("on", true, Some(warning)));
        assert_eq!(lever.pushed, [Push::On]);
    }
}
