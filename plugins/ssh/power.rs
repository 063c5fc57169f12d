//! Switching servers off and starting them anew through their systems. What is off hears nothing, and a system that hangs
//! does nothing: this is beside a BMC or in place of a missing one.

use async_trait::async_trait;
use tables::Node;
use tokio::time::timeout;

use super::{Exit, NAME, Ssh, target_of};
use crate::host::{Host, Ran, why};
use crate::{Error, Power, PowerAction, PowerReading, PowerState, Powered, Reach, Reached, Result};

/// `systemctl` asks the services first and answers at once; without it the program of that name does what it does there.
const SCRIPT: &str = r#"command -v systemctl >/dev/null 2>&1 && exec systemctl "$1"; exec "$1""#;

#[async_trait]
impl Power for Ssh {
    fn check(&self, node: &Node, action: PowerAction) -> Result<()> {
        target_of(node, None, self.connections.settings())?;
        order(action).map(drop)
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
        let host = Host::Ssh(connection.clone());
        let limit = self.connections.settings().request_limit;
        match timeout(limit, host.try_run(&["sh", "-c", SCRIPT, "sh", order], &[])).await {
            Ok(Ok(Ran { exit: Exit::Code(0) | Exit::Signal(_), .. })) => (),
            Ok(Ok(Ran { exit, stderr, .. })) => return Err(Error::Refused { what, why: why(&exit, &stderr) }),
            // The connection goes with the system that it was made to.
            Ok(Err(_)) if connection.is_lost() => (),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(Error::TimedOut { what, after: limit }),
        }
        Ok(Powered { word, changed: true, under_way: true, warning: None })
    }
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
