//! Exec: running a program on a node without a terminal.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tables::Node;
use tokio::sync::mpsc;

use crate::Result;

/// Runs programs on nodes.
#[async_trait]
pub trait Exec: Send + Sync {
    /// Runs to the end and returns the exit code; output goes to `output` as it comes. Dropping the future ends the
    /// program where the backend can.
    async fn run(&self, node: &Node, invocation: &Invocation, output: mpsc::Sender<Output>) -> Result<i64>;
}

/// What to run, as whom, with what.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    pub program: Program,
    pub user: Option<String>,
    pub environment: BTreeMap<String, String>,
    /// Written to the program's standard input, which is then closed.
    pub stdin: Vec<u8>,
}

/// A command line for the node's shell, or arguments passed as they are.
#[derive(Debug, Clone)]
pub enum Program {
    Shell(String),
    Argv(Vec<String>),
}

impl Default for Program {
    fn default() -> Self {
        Self::Shell(String::new())
    }
}

/// A piece of a program's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
}
