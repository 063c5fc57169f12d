//! A node goes from one step of its chain to the next.

use std::path::Path;

use netboot::discovery::step_id;
use netboot::script::State;
use tables::{Origin, Tables};

use super::{Steps, Wanted};
use crate::failure::Failure;

/// Makes what comes after the step of that id be what the node does; nothing where it does something else by now.
pub(crate) fn follow(tables: &Tables, keys: &[String], home: &Path, name: &str, id: &str) -> Result<(), Failure> {
    let Some(node) = tables.resolve(&[name.to_owned()])?.pop().filter(|node| step_id(node) == id) else {
        return Ok(());
    };
    let steps = match node.get("currchain") {
        Some(rest) => rest.parse::<Steps>().map_err(|why| Failure::refused(format!("the chain of {name}: {why}")))?,
        None => match State::of(&node).afterwards() {
            Some(state) => state.into(),
            None => return Ok(()),
        },
    };
    let nodes = [node];
    let wanted = Wanted::with_keys(tables, keys.to_vec(), home, steps, &nodes)?;
    wanted.check(&nodes[0])?;
    let reason = format!("{name} has done {}", State::of(&nodes[0]));
    let origin = Origin { user: "xcrane".into(), command: "xcrane serve".into(), reason: Some(reason) };
    tables.try_edit(&origin, |edit| match edit.resolve(&[name.to_owned()])?.pop() {
        Some(now) if step_id(&now) == id => wanted.write(edit, &nodes),
        _ => Ok(()),
    })
}
