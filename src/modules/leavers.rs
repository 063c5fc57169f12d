//! Nodes that a module was applied to, and that its config does not mean any more. They are told by name, and nothing is done
//! to them unasked.

use super::builtin;
use super::manifest::{Manifest, Method};
use super::site::Ready;

/// Their names. What a built-in module has left itself, or is about to, is none.
pub(crate) fn of(ready: &Ready<'_>) -> Vec<String> {
    let is_meant = |name: &str| ready.targets.iter().any(|node| node.name() == name);
    let known = ready.document.targets.iter().filter(|(name, said)| !builtin::has_left(said) && !is_meant(name));
    known.map(|(name, _)| name.clone()).collect()
}

/// What is said of them, and what to do.
pub(crate) fn told(manifest: &Manifest, names: &[String]) -> Option<(String, String)> {
    let name = manifest.name();
    let range = tables::noderange::fold(names);
    let (verb, it) = match names {
        [] => return None,
        [_] => ("was", "it"),
        _ => ("were", "them"),
    };
    let what =
        format!("{range}: {verb} set up by {name}, whose config does not mean {it} any more; nothing is done to {it}");
    let hint = match manifest.methods.contains_key(&Method::Scale) {
        true => format!("take {it} out of {name} with: xcrane module scale {name}"),
        false => format!(
            "put {range} into the config of {name} again; or undo there what it did, and take {it} out of its state: \
             xcrane module state {name} > FILE, then xcrane module state --import FILE"
        ),
    };
    Some((what, hint))
}
