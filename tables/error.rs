//! What can go wrong with the tables, by what the caller could do about it.

use std::io;
use std::path::PathBuf;

use crate::criterion::CriterionError;
use crate::expression::ExpressionError;
use crate::noderange;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Display says what we were doing and leaves the cause to `source`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A node lacks an attribute that the work needs.
    #[error("attribute '{attribute}' (table {table}) is not set")]
    Missing { attribute: String, table: String },
    /// An object cannot be defined as asked.
    #[error(transparent)]
    Definition(#[from] crate::definitions::Refusal),
    /// Names in a range that are neither node nor group; nothing of the range was used.
    #[error("Invalid nodes and/or groups in noderange: {}", names.join(","))]
    InvalidNames { names: Vec<String> },
    /// The range is well formed but holds no node.
    #[error("No node in '{range}', check the noderange syntax.")]
    EmptyRange { range: String },
    /// Any other trouble with a range, which shows where it is.
    #[error(transparent)]
    Range(noderange::Error),
    /// The value of an attribute could not be computed from the node's name.
    #[error("cannot compute attribute '{attribute}'")]
    Expression { attribute: String, source: ExpressionError },
    #[error("cannot read the conditions of {place}")]
    Criterion { place: String, source: CriterionError },
    /// What stands before the operator of a condition.
    #[error("there is no attribute or column '{key}'")]
    UnknownKey { key: String },
    #[error("'{name}' is not a table")]
    UnknownTable { name: String },
    #[error("table '{table}' has no column '{column}'")]
    UnknownColumn { table: String, column: String },
    /// A cell that can never mean anything.
    #[error("table {table}, row {key}: '{column}={value}' cannot be: {why}")]
    BadCell { table: &'static str, key: String, column: &'static str, value: String, why: String },
    /// A row with that key is there already.
    #[error("table '{table}' already has a row {key}")]
    KeyTaken { table: String, key: String },
    /// The address of a service holds who we are to it, which everybody could read.
    #[error("column '{column}' of table {table} takes no account ('@') in an address, because everybody can read it")]
    Account { table: String, column: String },
    /// Rows that an undo would restore look different from what the undone change left.
    #[error("changed since: {}", rows.join(", "))]
    ChangedSince { rows: Vec<String> },
    #[error("the journal has no entry {}", ids.iter().map(i64::to_string).collect::<Vec<_>>().join(","))]
    NoSuchEntry { ids: Vec<i64> },
    /// Older entries than those needed were pruned.
    #[error("the journal does not reach back to that time: older entries were pruned")]
    Forgotten,
    /// The tables as they were at a time in the past cannot be changed.
    #[error("the past cannot be changed")]
    Past,
    /// Another command held the database for longer than we wait.
    #[error("database {} is locked by another command", path.display())]
    Locked { path: PathBuf },
    #[error("database {} is corrupt or not a database of xcrane", path.display())]
    Corrupt { path: PathBuf, source: rusqlite::Error },
    /// The file, its directory or the file system does not let us write (SQLite writes beside the file even to read).
    #[error("database {} cannot be opened for writing", path.display())]
    Unwritable { path: PathBuf, source: rusqlite::Error },
    #[error("no space left for database {}", path.display())]
    DiskFull { path: PathBuf, source: rusqlite::Error },
    /// A newer xcrane has migrated the database.
    #[error("database {} has version {found}, this program knows up to {known}: use a newer xcrane", path.display())]
    TooNew { path: PathBuf, found: i64, known: i64 },
    #[error("database {} failed", path.display())]
    Database { path: PathBuf, source: rusqlite::Error },
    #[error("cannot {doing} {}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
}

impl From<noderange::Error> for Error {
    fn from(error: noderange::Error) -> Self {
        match error.kind {
            noderange::Kind::Unknown { names } => Self::InvalidNames { names },
            _ => Self::Range(error),
        }
    }
}
