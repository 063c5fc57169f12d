//! Machines that nobody knows: what they say of themselves, and who decides which node they are.
//!
//! All of it is told by whoever is on the wire: it is read with limits, and what does not fit the schema is refused whole.

mod report;

use std::error::Error;

use sha2::{Digest, Sha256};
use tables::Node;

use crate::script::State;

pub use report::{Disk, Nic, Report, Unfit, is_uuid};

/// The longest report that is read, in octets.
pub const LONGEST: usize = 64 << 10;

/// Why there is no answer now; the machine asks again.
pub type Trouble = Box<dyn Error + Send + Sync>;

/// What became of a machine's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is this node.
    Node(String),
    /// It is none, for now, and why.
    Nobody(String),
}

/// Who decides about machines, on a thread that may wait.
pub trait Director: Send + Sync + 'static {
    /// Which node the machine is. Asked twice the same, it answers the same.
    fn reported(&self, report: Report) -> Result<Verdict, Trouble>;

    /// The step of that id is done: what the tables say next becomes what the node does. Where it does something else by now,
    /// nothing is changed.
    fn done(&self, node: &str, id: &str) -> Result<(), Trouble>;
}

/// What stands for a step of a node and all that comes after it, so that one that is said to be done twice is done once.
pub fn step_id(node: &Node) -> String {
    let mut hasher = Sha256::new();
    for attribute in ["currstate", "currchain"] {
        hasher.update(node.get(attribute).unwrap_or_default());
        hasher.update([0]);
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether it stands between two steps of its chain.
pub fn is_between(node: &Node) -> bool {
    State::of(node) == State::Standby && node.get("currchain").is_some()
}
