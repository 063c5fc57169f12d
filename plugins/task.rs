//! Tasks: a program in a container of its own, which is gone afterwards.

use std::time::Duration;

use async_trait::async_trait;
use tables::Node;
use tokio::sync::mpsc;

use crate::{Output, Reference, Result};

/// Runs tasks on hosts.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// Runs to the end and returns the exit code; output goes to `output` as it comes. Dropping the future ends the
    /// container; what a killed program of ours has left of one is taken away by the next task on that host.
    async fn run(&self, host: &Node, task: &Task, output: mpsc::Sender<Output>) -> Result<i64>;
}

/// What to run, with what.
#[derive(Debug, Clone)]
pub struct Task {
    /// Whose it is, in a word, for whoever looks at the host meanwhile.
    pub name: String,
    /// Brought to the host if it is not there; its entrypoint is run.
    pub image: Reference,
    /// For the entrypoint.
    pub arguments: Vec<String>,
    /// `NAME=value`; whoever may ask the engine can read it.
    pub environment: Vec<String>,
    /// Written to standard input, which is then closed.
    pub stdin: Vec<u8>,
    /// What it finds in the directory `/shared` and cannot change: names and contents.
    pub shared: Vec<(String, Vec<u8>)>,
    /// The engine's network that it is in, unless it is the engine's own.
    pub network: Option<String>,
    /// It may take no longer.
    pub limit: Duration,
}

/// Where a task finds what it is given.
pub(crate) const SHARED: &str = "/shared";
