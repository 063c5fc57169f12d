//! Where machines are otherwise than a module left them. They are asked with the config that it was applied with: what was
//! edited since is for a plan.

use futures_util::StreamExt;
use serde_json::{Map, Value};

use super::config::Config;
use super::contract::{Audit, Finding};
use super::manifest::Method;
use super::run::{Asked, answers};
use super::site::{Ready, Site};
use super::state::{Document, Installed};
use super::turn::Turn;
use super::{Module, WHOLE, applied, leavers, state};
use crate::context::Context;
use crate::failure::Failure;

/// What was found on one node, or of the whole.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) target: String,
    pub(crate) answer: Result<Vec<Finding>, Failure>,
    /// Whether it is the state now.
    pub(crate) adopted: bool,
}

/// What an audit has found.
#[derive(Debug)]
pub(crate) struct Audited {
    pub(crate) found: Vec<Found>,
    /// Nodes that the config does not mean any more.
    pub(crate) left: Vec<String>,
    /// Nodes that are in no table any more.
    pub(crate) gone: Vec<String>,
    /// How far a plan has come that is not finished.
    pub(crate) half_applied: Option<String>,
}

/// Asks a module of its nodes; with `adopt` what is harmless becomes the state, of each node of which nothing else is told.
pub(crate) async fn audit(cx: &Context, site: &mut Site, module: &Module, adopt: bool) -> Result<Audited, Failure> {
    let name = module.manifest.name();
    let _turn = if adopt { Some(turn(cx, site, name)?) } else { None };
    let installed = applied(site, name)?;
    let mut document = installed.document.clone();
    let mut found = Vec::new();
    for (ready, asked) in questions(cx, site, module, &installed.document)? {
        let mut answers = answers::<Audit>(cx, &ready, Method::Audit, asked);
        while let Some((target, answer)) = answers.next().await {
            let mut adopted = false;
            let answer = answer.map(|audit| {
                if let Some(state) = harmless(&audit).filter(|state| adopt && **state != *document.of(&target)) {
                    document.remember(&target, state.clone());
                    adopted = true;
                }
                masked(audit.findings, &ready)
            });
            found.push(Found { answer, target, adopted });
        }
    }
    found.sort_by(|one, other| one.target.cmp(&other.target));
    if document != installed.document {
        state::save(cx, &document, installed.serial)?;
    }
    let gone = applied::gone(cx, &installed.document);
    Ok(Audited {
        found,
        left: left(cx, site, module, &gone),
        gone,
        half_applied: document.unfinished.map(|unfinished| unfinished.told()),
    })
}

fn applied<'s>(site: &'s Site, name: &str) -> Result<&'s Installed, Failure> {
    site.known(name)?.ok_or_else(|| {
        let why = format!("module {name} was not applied, so that there is nothing to compare with");
        Failure::refused(why).hint(format!("what it would do: xcrane module plan {name}"))
    })
}

/// The state that a target proposes, where all that it tells is harmless.
fn harmless(audit: &Audit) -> Option<&Value> {
    let state = audit.state.as_ref().filter(|state| **state != Value::Null);
    state.filter(|_| audit.findings.iter().all(|finding| finding.harmless))
}

/// Whom to ask, and with which config: while a plan is half carried out, those that it has not come to are as they were before.
fn questions<'m>(
    cx: &Context,
    site: &Site,
    module: &'m Module,
    document: &Document,
) -> Result<Vec<(Ready<'m>, Vec<Asked<'m>>)>, Failure> {
    let half = document.unfinished.as_ref();
    let Some(new) = half.and_then(|half| half.config.as_ref()).or(document.config.as_ref()) else {
        let name = module.manifest.name();
        cx.ui.warning(&format!(
            "an older version has applied {name}, and not kept its config: it is asked with that of now"
        ));
        let ready = site.ready(cx, module, Config::read(&site.home, module)?.values(module)?)?;
        let asked = ready.asked(Method::Audit);
        return Ok(vec![(ready, asked)]);
    };
    let is_known = |target: &str| target == WHOLE || document.targets.contains_key(target);
    let is_behind = |target: &str| half.is_some_and(|half| half.is_behind(target));
    let question = |config: &Map<String, Value>, behind: bool| {
        let ready = site.ready(cx, module, applied::config(cx, site, module, document, config)?)?;
        let mut asked = ready.asked(Method::Audit);
        asked.retain(|asked| is_known(&asked.target) && is_behind(&asked.target) == behind);
        Ok((ready, asked))
    };
    let of_before = half.and(document.config.as_ref()).map(|old| question(old, true));
    [question(new, false)].into_iter().chain(of_before).collect()
}

/// A config that cannot be read says nothing of this; who plans is told of it.
fn left(cx: &Context, site: &Site, module: &Module, gone: &[String]) -> Vec<String> {
    let now = Config::read(&site.home, module).and_then(|config| config.values(module));
    let left =
        now.and_then(|config| site.ready(cx, module, config)).map(|ready| leavers::of(&ready)).unwrap_or_default();
    left.into_iter().filter(|name| !gone.contains(name)).collect()
}

/// An apply of the module is not disturbed, and what it has done before is known.
fn turn(cx: &Context, site: &mut Site, name: &str) -> Result<Turn, Failure> {
    let nodes: Vec<String> = applied(site, name)?.document.targets.keys().cloned().collect();
    let turn = Turn::take(&site.home, &[name.to_owned()], &nodes)?;
    site.renew(cx)?;
    Ok(turn)
}

fn masked(findings: Vec<Finding>, ready: &Ready<'_>) -> Vec<Finding> {
    let masked = |finding: Finding| {
        let (from, to) = ready.secrets.mask_both(finding.from, finding.to);
        Finding { what: ready.secrets.mask(&finding.what), from, to, ..finding }
    };
    findings.into_iter().map(masked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_harmless_as_a_whole_is_taken() {
        let check = |findings: &[bool], state: Value, expected: bool| {
            let finding =
                |harmless: &bool| serde_json::json!({ "kind": "changed", "what": "it", "harmless": harmless });
            let findings: Vec<Value> = findings.iter().map(finding).collect();
            let audit = serde_json::json!({ "findings": findings, "state": state });
            assert_eq!(harmless(&serde_json::from_value(audit).unwrap()).is_some(), expected);
        };
        check(&[true, true], 1.into(), true);
        check(&[true, false], 1.into(), false);
        check(&[false], 1.into(), false);
        check(&[true], Value::Null, false);
    }
}
