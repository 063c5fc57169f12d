//! Switching servers off and starting them anew through their systems. What is off hears nothing, and a system that hangs
//! does nothing: this is beside a BMC or in place of a missing one.

use std::time::Duration;

use async_trait::async_trait;
use tables::Node;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Connection, Exit, NAME, Ssh, target_of};
use crate::host::{Ran, collect, line, why};
use crate::{Error, Power, PowerAction, PowerReading, PowerState, Powered, Reach, Reached, Result, chain};

/// `systemctl` asks the services first and answers at once; without it the program of that name does what it does there.
const SCRIPT: &str = r#"command -v systemctl >/dev/null 2>&1 && exec systemctl "$1"; exec "$1""#;

/// How long a connection may outlive a program that was ended with the system.
const GOING: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[async_trait]
impl Power for Ssh {
    fn check(&self, node: &Node, action: PowerAction) -> Result<()> {
        order(action)?;
        target_of(node, None, self.connections.settings()).map(drop)
    }

    async fn state(&self, node: &Node) -> Result<PowerReading> {
        let word = match self.reach(node).await? {
            Reached::Sshd => "sshd",
            Reached::Ping => "ping",
            Reached::Nothing => {
                let what = node.get("ip").unwrap_or(node.name()).to_owned();
                let source = "it answers neither by ssh nor to ping, which does not say that it is off".into();
                return Err(Error::Unreachable { what, source });
            }
        };
        Ok(PowerReading { state: PowerState::On, word: word.into() })
    }

    async fn apply(&self, node: &Node, action: PowerAction) -> Result<Powered> {
        let (order, word) = order(action)?;
        let connection = self.connect(node, None).await?;
        let what = format!("{}: cannot {order}", connection.target());
        let limit = self.connections.settings().request_limit;
        let late = |_| Error::TimedOut { what: what.clone(), after: limit };
        let deadline = Instant::now() + limit;
        // Before the system has begun with it, a connection that is lost says that nothing was done.
        let command = line(&["sh", "-c", SCRIPT, "sh", order]);
        let process = timeout_at(deadline, connection.exec(&command)).await.map_err(late)??;
        match timeout_at(deadline, collect(process, tokio::io::empty())).await.map_err(late)? {
            Ok(Ran { exit: Exit::Code(0), .. }) => (),
            // The connection goes with the system that it was made to, and so may the program.
            Ok(Ran { exit: Exit::Signal(_), .. }) | Err(_) if is_lost_soon(&connection).await => (),
            Ok(Ran { exit, stderr, .. }) => return Err(Error::Refused { what, why: why(&exit, &stderr) }),
            Err(error) => {
                let why = format!("whether it was done is not known: {}", chain(&error));
                return Err(Error::Garbled { what, why });
            }
        }
        Ok(Powered { word, changed: true, under_way: true, warning: None })
    }
}

/// Whether the connection is lost, or is about to be.
async fn is_lost_soon(connection: &Connection) -> bool {
    let deadline = Instant::now() + GOING;
    while !connection.is_lost() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK_AGAIN).await;
    }
    true
}

/// What the system is told, and the word for it. Whatever answers is on, so that booting it means restarting it.
fn order(action: PowerAction) -> Result<(&'static str, &'static str)> {
    match action {
        PowerAction::Softoff => Ok(("poweroff", "softoff")),
        PowerAction::Reset | PowerAction::Boot => Ok(("reboot", "reset")),
        PowerAction::On | PowerAction::Off | PowerAction::Cycle | PowerAction::Suspend | PowerAction::Resume => {
            Err(Error::Unsupported { what: action.word().into(), column: "power", driver: NAME.into() })
        }
    }
}
