//! Where machines are otherwise than a module left them.

use futures_util::StreamExt;
use serde_json::Value;

use super::config::Config;
use super::contract::{Audit, Finding};
use super::manifest::Method;
use super::run::answers;
use super::site::{Ready, Site};
use super::{Module, state};
use crate::context::Context;
use crate::failure::Failure;

/// What was found on one node, or of the whole.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) target: String,
    pub(crate) answer: Result<Vec<Finding>, Failure>,
}

/// Asks a module of its nodes; with `adopt` what is harmless becomes the state.
pub(crate) async fn audit(cx: &Context, site: &Site, module: &Module, adopt: bool) -> Result<Vec<Found>, Failure> {
    let name = module.manifest.name();
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
        let answer = answer.map(|audit| {
            if let (Some(state), true) = (audit.state.filter(|state| *state != Value::Null), adopt) {
                document.remember(&target, state);
            }
            masked(audit.findings, &ready)
        });
        found.push(Found { answer, target });
    }
    drop(answers);
    found.sort_by(|one, other| one.target.cmp(&other.target));
    if document != installed.document {
        state::save(cx, &document, installed.serial)?;
    }
    Ok(found)
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
