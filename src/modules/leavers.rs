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

/// Why a module has nothing to do with a node any more.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Why {
    /// Its config does not mean it.
    Unmeant,
    /// No table has it.
    Gone,
}

/// What is said of them, and what to do.
pub(crate) fn told(manifest: &Manifest, names: &[String], why: Why) -> Option<(String, String)> {
    let name = manifest.name();
    let range = tables::noderange::fold(names);
    let (verb, is, it) = match names {
        [] => return None,
        [_] => ("was", "is", "it"),
        _ => ("were", "are", "them"),
    };
    let scale = || format!("take {it} out of {name} with: xcrane module scale {name}");
    let by_hand = || {
        format!("take {it} out of its state: xcrane module state {name} > FILE, then xcrane module state --import FILE")
    };
    let scales = manifest.methods.contains_key(&Method::Scale);
    let (what, hint) = match why {
        Why::Unmeant => (
            format!(", whose config does not mean {it} any more; nothing is done to {it}"),
            match scales {
                true => scale(),
                false => {
                    format!("put {range} into the config of {name} again; or undo there what it did, and {}", by_hand())
                }
            },
        ),
        Why::Gone => (
            format!(" and {is} in no table any more"),
            format!(
                "define {range} again; or see that the config of {name} does not name {it} either, and {}",
                if scales { scale() } else { by_hand() }
            ),
        ),
    };
    Some((format!("{range}: {verb} set up by {name}{what}"), hint))
}
