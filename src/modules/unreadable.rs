//! Modules whose row of table module somebody has made unreadable by hand: each is told by name, with the way back, and stands
//! in nobody else's way.

use tables::Row;
use tables::journal::{Entry, Filter};

use super::state;
use super::words::said;
use crate::context::Context;
use crate::failure::Failure;

/// What of such a row can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// As far as there is one: what is put in its place counts on from it.
    pub(crate) serial: u64,
    why: String,
    hints: Vec<String>,
}

impl Unreadable {
    pub(super) fn of(cx: &Context, row: &Row, why: &str) -> Result<Self, Failure> {
        let name = row.get("module").unwrap_or_default();
        let entries = cx.tables()?.journal(&Filter { key: Some(name), ..Filter::default() })?;
        let mut hints: Vec<String> = entries.iter().rev().find_map(|entry| changed(entry, name)).unwrap_or_default();
        hints.push(format!("take back what was printed of it before: xcrane module state {name} --import FILE"));
        hints.push(format!("forget it, and leave its machines as they are: xcrane module remove --force {name}"));
        // A node may have said what is in it.
        let why = said(&format!("the state of module {name} in table module cannot be read: {why}"));
        Ok(Self { serial: serial(|column| row.get(column)).unwrap_or_default(), why, hints })
    }

    pub(crate) fn failure(&self) -> Failure {
        Failure { hints: self.hints.clone(), ..Failure::refused(self.why.clone()) }
    }
}

/// Who has made it so, and how that is taken back where it could be read before.
fn changed(entry: &Entry, name: &str) -> Option<Vec<String>> {
    let change = entry.changes.iter().find(|change| change.table == "module" && change.key == [name])?;
    let (id, who, command) = (entry.id, &entry.origin.user, &entry.origin.command);
    let before = change.before.as_ref();
    let was_readable = before.is_some_and(|cells| state::read(|column| cells.get(column).map(String::as_str)).is_ok());
    let back = if was_readable { format!("; and take it back: defundo {id}") } else { String::new() };
    let last = said(&format!("{who} has changed it last: {command}"));
    Some(vec![last, format!("see what was changed: deflog -l {name}{back}")])
}

/// The number of a row's state; none is that of one which was never applied.
pub(super) fn serial<'c>(cell: impl Fn(&str) -> Option<&'c str>) -> Result<u64, String> {
    let Some(serial) = cell("serial") else { return Ok(0) };
    serial.parse().map_err(|_| format!("its serial '{serial}' is no number"))
}
