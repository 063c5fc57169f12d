//! `xcrane serve`: services that run side by side until one is told to stop.

mod log;
mod notify;
mod privileges;
mod reconciler;
mod recorder;
mod services;
mod user;

use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::outcome::Outcome;

pub(crate) use log::{Log, start as start_log};
pub(crate) use services::Services;
pub(crate) use user::Account;

/// How long services may take to end; HTTP gives answers under way five seconds.
const ENDING: Duration = Duration::from_secs(8);

/// The services of one process.
pub(crate) struct Daemon {
    stop: CancellationToken,
    tasks: JoinSet<()>,
    asked: [Signal; 2],
}

impl Daemon {
    pub(crate) fn new() -> Result<Self, Failure> {
        let heard = |kind: SignalKind| {
            signal(kind).map_err(|error| Failure::refused(format!("cannot listen for signals: {error}")))
        };
        let asked = [heard(SignalKind::terminate())?, heard(SignalKind::interrupt())?];
        Ok(Self { stop: CancellationToken::new(), tasks: JoinSet::new(), asked })
    }

    /// Starts a service, which is given what tells it to stop.
    pub(crate) fn start<F>(&mut self, service: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(service(self.stop.clone()));
    }

    /// Gives away what only binding took, says that all is up, and waits until somebody ends the program.
    pub(crate) async fn run(mut self, home: &Path, user: Option<&Account>) -> Result<Outcome, Failure> {
        privileges::give_away(home, user)?;
        notify::ready();
        self.start(notify::beat);
        tracing::info!("ready");
        let [terminated, interrupted] = &mut self.asked;
        let outcome = tokio::select! {
            _ = terminated.recv() => Ok(Outcome::Done),
            _ = interrupted.recv() => Ok(Outcome::Interrupted),
            ended = self.tasks.join_next() => Err(Failure::refused(match ended {
                Some(Err(panic)) => format!("a service has broken down: {panic}"),
                _ => "a service has ended by itself".into(),
            })),
        };
        notify::stopping();
        tracing::info!("stopping");
        self.stop.cancel();
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(ENDING, all_ended).await.is_err() {
            tracing::warn!("services that do not end are left");
        }
        outcome
    }
}
