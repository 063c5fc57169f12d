//! Console: a session with a node, to read, to write, to resize and to close. Terminals are the caller's business.

use async_trait::async_trait;
use tables::Node;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Invocation, Result};

/// The columns that choose the driver, first set one wins.
pub(crate) const COLUMNS: [&str; 2] = ["cons", "mgt"];

/// Opens sessions with nodes.
#[async_trait]
pub trait Console: Send + Sync {
    /// Attaches to the node's own console. The session ends when the node stops; attach again to follow a restart. One
    /// that does not run is [`crate::Error::NotRunning`].
    async fn attach(&self, node: &Node, attach: Attach) -> Result<Session>;

    /// Starts a program in the node on a terminal of its own.
    async fn open(&self, node: &Node, invocation: &Invocation, size: Option<Size>) -> Result<Session>;

    /// Waits until the node runs again; the caller sets the time limit.
    async fn wait_running(&self, node: &Node) -> Result<()>;
}

/// How to attach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attach {
    /// Of the caller's window, if there is one.
    pub size: Option<Size>,
    /// Takes a console that is for one only from whoever has it; else that is [`crate::Error::Occupied`].
    pub take_over: bool,
}

/// Inside the error by which a session ends that was cut off, perhaps for a moment only: attach again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interruption(pub String);

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub rows: u16,
    pub columns: u16,
}

/// An open console. Dropping it closes it.
pub struct Session {
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    /// None when the console can only be watched; `note` says why.
    pub input: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// What the user should know before the first byte, such as how to get a console that accepts input.
    pub note: Option<String>,
    pub control: Box<dyn Control>,
}

/// The side channel of a session.
#[async_trait]
pub trait Control: Send + Sync {
    /// Follows the window size of the caller. A line without a window has nothing to follow.
    async fn resize(&self, _size: Size) -> Result<()> {
        Ok(())
    }

    /// The exit code once `output` has ended; None where the session has none (an attached console).
    async fn exit_code(&self) -> Result<Option<i64>> {
        Ok(None)
    }

    /// Who else is attached; None where the backend cannot know.
    async fn attached(&self) -> Result<Option<Vec<String>>> {
        Ok(None)
    }

    /// Sends a break over the node's serial line; false where it has none.
    async fn send_break(&self) -> Result<bool> {
        Ok(false)
    }

    /// Ends what the session started on the node and would run on without it. Only dropping the session is not enough for
    /// that, because it takes a request and time.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
