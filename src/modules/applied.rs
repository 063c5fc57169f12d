//! The config that a module was applied with: what is asked of machines as they are goes by that, and not by what was edited
//! since.

use serde_json::{Map, Value};
use tables::noderange::fold;

use super::config::Config;
use super::site::Site;
use super::state::Document;
use super::{Module, secrets};
use crate::context::Context;
use crate::failure::Failure;

/// A config that was applied, with the secrets of now: those are kept nowhere else.
pub(crate) fn config(
    cx: &Context,
    site: &Site,
    module: &Module,
    document: &Document,
    applied: &Map<String, Value>,
) -> Result<Map<String, Value>, Failure> {
    let schema = &module.manifest.config;
    let config = match secrets::has_any(schema) {
        true => secrets::with(schema, applied, &Config::read(&site.home, module)?.values(module)?),
        false => applied.clone(),
    };
    let gone = gone(cx, document);
    Ok(match &module.manifest.targets {
        // The range that it was applied to has names that mean nothing any more.
        Some(key) if !gone.is_empty() => {
            let stay = document.targets.keys().filter(|name| !gone.contains(*name));
            config.into_iter().chain([(key.clone(), fold(stay).into())]).collect()
        }
        _ => config,
    })
}

/// The module's nodes that are in no table any more.
pub(crate) fn gone(cx: &Context, document: &Document) -> Vec<String> {
    // Mostly there are none, which one look at all of them tells.
    if cx.nodes(&fold(document.targets.keys())).is_ok() {
        return Vec::new();
    }
    document.targets.keys().filter(|name| cx.nodes(name).is_err()).cloned().collect()
}
