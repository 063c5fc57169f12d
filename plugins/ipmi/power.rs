//! Switching machines on and off through their BMCs.

use std::time::Duration;

use async_trait::async_trait;
use tables::Node;
use tokio::time::{Instant, sleep};

use super::chassis::{self, Control};
use super::session::Session;
use super::{Ipmi, check};
use crate::{Error, Power, PowerAction, PowerReading, PowerState, Powered, Result};

/// How long a machine may take to be off or on after it was told to; a BMC takes some seconds for it.
const SWITCHING: Duration = Duration::from_secs(20);
/// How often the BMC is asked meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[async_trait]
impl Power for Ipmi {
    fn check(&self, node: &Node, action: PowerAction) -> Result<()> {
        check(self, node)?;
        match action {
            PowerAction::Suspend | PowerAction::Resume => Err(Error::Unsupported {
                what: if action == PowerAction::Suspend { "suspend" } else { "resume" }.into(),
                column: "mgt",
                driver: super::NAME.into(),
            }),
            PowerAction::On
            | PowerAction::Off
            | PowerAction::Softoff
            | PowerAction::Reset
            | PowerAction::Boot
            | PowerAction::Cycle => Ok(()),
        }
    }

    async fn state(&self, node: &Node) -> Result<PowerReading> {
        let mut session = self.session(node).await?;
        let on = is_on(&mut session).await?;
        let state = if on { PowerState::On } else { PowerState::Off };
        Ok(PowerReading { state, word: word(on).into() })
    }

    async fn apply(&self, node: &Node, action: PowerAction) -> Result<Powered> {
        Power::check(self, node, action)?;
        let mut session = self.session(node).await?;
        let on = is_on(&mut session).await?;
        match (action, on) {
            (PowerAction::On, true) => Ok(nothing("on")),
            (PowerAction::Off | PowerAction::Reset, false) => Ok(nothing("off")),
            (PowerAction::Softoff, false) => Ok(nothing("softoff")),
            (PowerAction::Cycle, false) => Err(Error::Refused {
                what: format!("{}: cannot cycle", session.name()),
                why: "the machine is off".into(),
            }),
            (PowerAction::On | PowerAction::Boot, false) => switch(&mut session, true).await,
            (PowerAction::Off, true) => switch(&mut session, false).await,
            (PowerAction::Reset | PowerAction::Boot, true) => tell(&mut session, Control::Reset, "reset").await,
            (PowerAction::Cycle, true) => tell(&mut session, Control::Cycle, "cycle").await,
            (PowerAction::Softoff, true) => tell(&mut session, Control::Soft, "softoff").await,
            (PowerAction::Suspend | PowerAction::Resume, _) => unreachable!("checked above"),
        }
    }
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn nothing(word: &'static str) -> Powered {
    Powered { word, changed: false, under_way: false, warning: None }
}

async fn is_on(session: &mut Session) -> Result<bool> {
    const DOING: &str = "tell the power state";
    let status = session.ask(DOING, &chassis::status()).await?;
    chassis::is_on(&status).ok_or_else(|| session.garbled(DOING))
}

async fn tell(session: &mut Session, control: Control, word: &'static str) -> Result<Powered> {
    session.ask(word, &chassis::control(control)).await?;
    Ok(Powered { word, changed: true, under_way: true, warning: None })
}

/// Switches, and waits until the BMC says that it is so: it answers as soon as it has heard.
async fn switch(session: &mut Session, on: bool) -> Result<Powered> {
    let control = if on { Control::Up } else { Control::Down };
    session.ask(if on { "switch on" } else { "switch off" }, &chassis::control(control)).await?;
    let start = Instant::now();
    let mut warning = None;
    while is_on(session).await? != on {
        if start.elapsed() >= SWITCHING {
            let (told, still) = (word(on), word(!on));
            warning = Some(format!("told to be {told}, and still {still} after {} s", SWITCHING.as_secs()));
            break;
        }
        sleep(LOOK_AGAIN).await;
    }
    Ok(Powered { word: word(on), changed: true, under_way: true, warning })
}
