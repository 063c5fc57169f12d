//! Where each value of a node comes from, and what it overrides.

use tables::definitions::check_attribute;
use tables::schema::Kind;
use tables::{Explained, Place, Tables};

use super::{Wanted, not_found};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Explains the attributes of nodes, all or those asked for; names of no node are said and passed over.
pub(crate) fn why(cx: &Context, tables: &Tables, wanted: &[Wanted], asked: &[String]) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Done;
    for Wanted { object, names, .. } in wanted {
        asked.iter().try_for_each(|attribute| check_attribute(object, attribute))?;
        if object.name != "node" {
            return Err(Failure::usage(format!("--why is about nodes: type '{}' inherits nothing", object.name)));
        }
        let known = tables.object_names(object)?;
        let (there, missing): (Vec<String>, Vec<String>) =
            names.iter().cloned().partition(|name| known.binary_search(name).is_ok());
        for name in &missing {
            cx.ui.failure(&not_found(object, name));
            outcome = Outcome::SomeFailed;
        }
        let is_asked = |explained: &&Explained| {
            asked.is_empty() || asked.iter().any(|name| object.proper_name(name) == explained.attribute.name)
        };
        for (name, attributes) in there.iter().zip(tables.explain(&there)?) {
            cx.ui.line(&format!("Object name: {name}"));
            for line in attributes.iter().filter(is_asked).flat_map(reasons) {
                cx.ui.line(&format!("    {line}"));
            }
        }
        if there.is_empty() {
            cx.ui.line("No object definitions have been found");
        }
    }
    Ok(outcome)
}

/// `mgt=docker  (group web)`, then what had less weight and what could not be computed.
fn reasons(explained: &Explained) -> Vec<String> {
    let secret = explained.attribute.column.kind == Kind::Secret;
    let shown = |text: &str| if secret { "***".to_owned() } else { text.to_owned() };
    let place = |place: &Place| match place {
        Place::Own => "own".to_owned(),
        Place::Group(group) => format!("group {group}"),
        Place::Defaults => "xcatdefaults".to_owned(),
    };
    let value = &explained.value;
    let text = value.text.as_deref().unwrap_or_default();
    let used: Vec<_> = value.given.iter().filter(|given| given.used).collect();
    let from = used.iter().map(|given| match given.text == text {
        true => place(&given.place),
        false => format!("{}: {}", place(&given.place), shown(&given.text)),
    });
    let from = from.collect::<Vec<_>>().join(", ");
    let mut lines = vec![format!("{}={}  ({from})", explained.attribute.name, shown(text))];
    let overridden = value.given.iter().filter(|given| !given.used);
    lines.extend(overridden.map(|given| format!("    overrides {} of {}", shown(&given.text), place(&given.place))));
    lines.extend(value.fault.iter().map(|fault| format!("    unset: {fault}")));
    lines
}
