//! Switching containers on and off.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use hyper::Method;
use serde_json::Value;
use tables::Node;

use super::engine::{Answer, Asked, Engine, Refusal};
use super::guests::{absent_or, inspect, log};
use super::listing::list;
use super::{Docker, endpoint, handle, networks};
use crate::{Error, Power, PowerAction, PowerReading, PowerState, Powered, Result};

/// How long a container must live to count as started.
const SETTLE: Duration = Duration::from_millis(300);
/// How long one that is restarted is watched for its exit code, and how often.
const LIVES: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Lines of its log that are shown for a container that died at once.
const LAST_LINES: usize = 5;
/// The engine's own default between stop signal and kill, in seconds.
const STOP_TIMEOUT: u64 = 10;
/// What the engine reports for a main process that was killed: 128 + SIGKILL.
const KILLED: i64 = 137;

#[async_trait]
impl Power for Docker {
    fn check(&self, node: &Node, _: PowerAction) -> Result<()> {
        endpoint::host_of(node).map(drop)
    }

    async fn state(&self, node: &Node) -> Result<PowerReading> {
        let engine = self.engine(node).await?;
        let listing = list(&engine).await?;
        let container = listing.get(node.name()).ok_or_else(|| Error::Absent { host: engine.host.clone() })?;
        Ok(PowerReading { state: power_state(&container.state), word: container.state.clone() })
    }

    async fn apply(&self, node: &Node, action: PowerAction) -> Result<Powered> {
        let engine = self.engine(node).await?;
        let container = Container { engine: &engine, name: node.name() };
        let outcome = match action {
            PowerAction::On => container.on("on").await,
            PowerAction::Off => container.off("off").await,
            PowerAction::Softoff => container.softoff().await,
            PowerAction::Reset => container.reset().await,
            PowerAction::Boot => container.boot().await,
            PowerAction::Cycle => container.cycle().await,
            PowerAction::Suspend => container.pause("pause", "suspend").await,
            PowerAction::Resume => container.pause("unpause", "resume").await,
        };
        engine.listings.outdate();
        outcome
    }
}

/// The engine's word in xCAT's words.
fn power_state(word: &str) -> PowerState {
    match word {
        "running" => PowerState::On,
        "exited" | "created" => PowerState::Off,
        "paused" => PowerState::Suspended,
        _ => PowerState::Other,
    }
}

fn done(word: &'static str) -> Powered {
    Powered { word, changed: true, under_way: false, warning: None }
}

fn nothing(word: &'static str) -> Powered {
    Powered { word, changed: false, under_way: false, warning: None }
}

/// One container of one engine.
pub(super) struct Container<'a> {
    pub(super) engine: &'a Engine,
    pub(super) name: &'a str,
}

impl Container<'_> {
    async fn post(&self, action: &str) -> Asked<Answer> {
        let container = handle::container(self.engine, self.name).await?;
        self.engine.ask(Method::POST, &format!("/containers/{container}/{action}"), None).await
    }

    fn refused(&self, no: Refusal, doing: &str) -> Error {
        absent_or(no, &self.engine.host, doing)
    }

    fn refuse<T>(&self, doing: &str, why: &str) -> Result<T> {
        Err(Error::Refused { what: format!("{}: cannot {doing}", self.engine.host), why: why.into() })
    }

    pub(super) async fn on(&self, word: &'static str) -> Result<Powered> {
        match self.post("start").await? {
            Ok(answer) if answer.status == 304 => Ok(nothing(word)),
            Ok(_) => self.settled(done(word)).await,
            Err(no) if no.message.contains("paused") => {
                self.post("unpause").await?.map_err(|no| self.refused(no, "start"))?;
                Ok(done(word))
            }
            Err(no) if no.message.contains("Address already in use") => {
                let holder = networks::holder(self.engine, self.name).await?;
                let message = holder.unwrap_or(no.message);
                Err(self.refused(Refusal { message, ..no }, "start"))
            }
            Err(no) => Err(self.refused(no, "start")),
        }
    }

    /// Looks again after a moment: a main process that ends at once is a failed start, and only its log says why.
    async fn settled(&self, mut powered: Powered) -> Result<Powered> {
        tokio::time::sleep(SETTLE).await;
        let found = self.between_lives().await?;
        let state = &found["State"];
        let restarts = found["RestartCount"].as_u64().unwrap_or_default();
        if state["Running"] == true && state["Restarting"] != true && restarts == 0 {
            return Ok(powered);
        }
        let code = state["ExitCode"].as_i64().unwrap_or_default();
        if code == 0 && restarts == 0 {
            powered.warning = Some("the command of the container ended at once, with exit code 0".into());
            return Ok(powered);
        }
        let mut why = format!("the container ended at once with exit code {code}");
        if restarts > 0 {
            why = format!("the container ends at once again and again, with exit code {code}");
        }
        if state["OOMKilled"] == true {
            why.push_str(", killed because it was out of memory");
        }
        // An unreadable log must not hide the failure that it was wanted for.
        let last = log(self.engine, self.name, Some(LAST_LINES)).await.unwrap_or_default();
        if !last.is_empty() {
            why = format!("{why}; its last output was:\n{}", last.trim_end());
        }
        self.refuse("keep it running", &why)
    }

    /// Inspects the container; one that is restarted tells its exit code only while it waits for its next life.
    async fn between_lives(&self) -> Result<Value> {
        let start = Instant::now();
        loop {
            let found = inspect(self.engine, self.name).await?;
            let dead = found["State"]["Restarting"] == true || found["State"]["Running"] != true;
            let stable = found["RestartCount"].as_u64().unwrap_or_default() == 0;
            if dead || stable || start.elapsed() > LIVES {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Stops gracefully, then by force; tells when force was needed.
    pub(super) async fn off(&self, word: &'static str) -> Result<Powered> {
        let found = inspect(self.engine, self.name).await?;
        if found["State"]["Running"] != true {
            return Ok(nothing(word));
        }
        let seconds = stop_timeout(&found);
        let paused = found["State"]["Paused"] == true;
        if paused {
            // A frozen process cannot answer the stop signal.
            self.post("unpause").await?.map_err(|no| self.refused(no, "stop"))?;
        }
        self.end(&format!("stop?t={seconds}"), seconds, "stop").await?;
        let found = inspect(self.engine, self.name).await?;
        let code = found["State"]["ExitCode"].as_i64();
        let asked_to_die = matches!(found["Config"]["StopSignal"].as_str(), Some("SIGKILL" | "KILL" | "9"));
        let warning =
            (code == Some(KILLED) && !asked_to_die).then(|| format!("did not stop within {seconds} s and was killed"));
        Ok(Powered { word, changed: true, under_way: false, warning })
    }

    /// A request that lasts as long as the container takes to stop.
    async fn end(&self, action: &str, seconds: u64, doing: &str) -> Result<()> {
        let limit = Duration::from_secs(seconds).saturating_add(self.engine.request_limit);
        let path = format!("/containers/{}/{action}", handle::container(self.engine, self.name).await?);
        let answer = self.engine.ask_for(Method::POST, &path, None, limit).await?;
        answer.map(drop).map_err(|no| self.refused(no, doing))
    }

    async fn softoff(&self) -> Result<Powered> {
        let found = inspect(self.engine, self.name).await?;
        if found["State"]["Running"] != true {
            return Ok(nothing("softoff"));
        }
        let signal = found["Config"]["StopSignal"].as_str().filter(|signal| !signal.is_empty()).unwrap_or("SIGTERM");
        self.post(&format!("kill?signal={}", signal.replace('+', "%2B")))
            .await?
            .map_err(|no| self.refused(no, "signal"))?;
        if found["State"]["Paused"] == true {
            self.post("unpause").await?.map_err(|no| self.refused(no, "signal"))?;
        }
        Ok(Powered { under_way: true, ..done("softoff") })
    }

    async fn reset(&self) -> Result<Powered> {
        let found = inspect(self.engine, self.name).await?;
        if found["State"]["Running"] != true {
            return Ok(nothing("off"));
        }
        self.restart(&found, "reset").await
    }

    async fn boot(&self) -> Result<Powered> {
        let found = inspect(self.engine, self.name).await?;
        if found["State"]["Running"] == true { self.restart(&found, "reset").await } else { self.on("on").await }
    }

    async fn restart(&self, found: &Value, word: &'static str) -> Result<Powered> {
        if found["State"]["Paused"] == true {
            self.post("unpause").await?.map_err(|no| self.refused(no, "restart"))?;
        }
        let seconds = stop_timeout(found);
        self.end(&format!("restart?t={seconds}"), seconds, "restart").await?;
        self.settled(done(word)).await
    }

    async fn cycle(&self) -> Result<Powered> {
        let off = self.off("cycle").await?;
        if !off.changed {
            return self.refuse("cycle", "it is off");
        }
        let on = self.on("cycle").await?;
        Ok(Powered { warning: off.warning.or(on.warning), ..on })
    }

    /// `pause` and `unpause`, which the engine refuses with 409 in words that depend on its version.
    async fn pause(&self, action: &str, word: &'static str) -> Result<Powered> {
        match self.post(action).await? {
            Ok(_) => Ok(done(word)),
            Err(no) if no.message.contains("already paused") || no.message.contains("is not paused") => {
                let found = inspect(self.engine, self.name).await?;
                if found["State"]["Running"] == true { Ok(nothing(word)) } else { self.refuse(word, "it is off") }
            }
            Err(no) if no.message.contains("not running") => self.refuse(word, "it is off"),
            Err(no) => Err(self.refused(no, word)),
        }
    }
}

/// The container's own time between stop signal and kill, in seconds.
fn stop_timeout(found: &Value) -> u64 {
    found["Config"]["StopTimeout"].as_u64().unwrap_or(STOP_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_words_in_xcats() {
        let check = |word: &str, expected: PowerState| assert_eq!(power_state(word), expected);
        check("running", PowerState::On);
        check("exited", PowerState::Off);
        check("created", PowerState::Off);
        check("paused", PowerState::Suspended);
        check("restarting", PowerState::Other);
        check("removing", PowerState::Other);
    }

    #[test]
    fn the_stop_timeout_is_the_containers() {
        assert_eq!(stop_timeout(&serde_json::json!({ "Config": { "StopTimeout": 3 } })), 3);
        assert_eq!(stop_timeout(&serde_json::json!({ "Config": {} })), STOP_TIMEOUT);
    }
}
