//! Where machines are otherwise than a module left them.

use futures_util::StreamExt;
use serde_json::Value;

use super::config::Config;
use super::contract::{Audit, Finding};
use super::manifest::Method;
use super::run::answers;
use super::site::{Ready, Site};
use super::turn::Turn;
use super::{Module, state};
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

/// Asks a module of its nodes; with `adopt` what is harmless becomes the state, of each node of which nothing else is told.
pub(crate) async fn audit(cx: &Context, site: &mut Site, module: &Module, adopt: bool) -> Result<Vec<Found>, Failure> {
    let name = module.manifest.name();
    let _turn = if adopt { Some(turn(cx, site, module)?) } else { None };
    let Some(installed) = site.installed.get(name) else {
        return Err(Failure::refused(format!(
            "module {name} was not applied, so that there is nothing to compare with"
        ))
        .hint(format!("what it would do: xcrane module plan {name}")));
    };
    let config = Config::read(&site.home, module)?.values(module)?;
    let ready = site.ready(cx, module, config)?;
    let mut document = installed.document.clone();
    let mut found = Vec::new();
    let mut answers = answers::<Audit>(cx, &ready, Method::Audit, ready.asked(Method::Audit));
    while let Some((target, answer)) = answers.next().await {
        let mut adopted = false;
        let answer = answer.map(|audit| {
            let is_harmless = audit.findings.iter().all(|finding| finding.harmless);
            let state = audit.state.filter(|state| adopt && is_harmless && *state != Value::Null);
            if let Some(state) = state.filter(|state| state != document.of(&target)) {
                document.remember(&target, state);
                adopted = true;
            }
            masked(audit.findings, &ready)
        });
        found.push(Found { answer, target, adopted });
    }
    drop(answers);
    found.sort_by(|one, other| one.target.cmp(&other.target));
    if document != installed.document {
        state::save(cx, &document, installed.serial)?;
    }
    Ok(found)
}

/// An apply of the module is not disturbed, and what it has done before is known.
fn turn(cx: &Context, site: &mut Site, module: &Module) -> Result<Turn, Failure> {
    let config = Config::read(&site.home, module)?.values(module)?;
    let targets = site.ready(cx, module, config)?.targets;
    let names: Vec<String> = targets.iter().map(|node| node.name().to_owned()).collect();
    let turn = Turn::take(&site.home, &[module.manifest.name().to_owned()], &names)?;
    site.renew(cx)?;
    Ok(turn)
}

fn masked(findings: Vec<Finding>, ready: &Ready<'_>) -> Vec<Finding> {
    let masked = |text: Option<String>| text.map(|text| ready.secrets.mask(&text));
    let findings = findings.into_iter().map(|finding| Finding {
        what: ready.secrets.mask(&finding.what),
        from: masked(finding.from),
        to: masked(finding.to),
        ..finding
    });
    findings.collect()
}
