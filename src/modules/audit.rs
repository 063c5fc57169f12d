//! Where machines are otherwise than a module left them.

use futures_util::stream::{StreamExt, iter};
use serde_json::Value;
use tables::Node;

use super::config::Config;
use super::contract::{Audit, Finding};
use super::manifest::Method;
use super::plan::{AT_ONCE, about};
use super::run::Call;
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
    let asked = iter(ready.units(Method::Audit)).map(|(target, node)| ask(cx, &ready, target, node));
    let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
    let mut document = installed.document.clone();
    let mut found = Vec::new();
    for (target, answer) in answers {
        let answer = answer.map(|audit| {
            if let (Some(state), true) = (audit.state, adopt) {
                document.remember(&target, state);
            }
            audit.findings
        });
        found.push(Found { answer: answer.map_err(|failure| about(&target, failure)), target });
    }
    if document != installed.document {
        state::save(cx, &document, installed.serial)?;
    }
    Ok(found)
}

async fn ask(cx: &Context, ready: &Ready<'_>, target: String, node: Option<Node>) -> (String, Result<Audit, Failure>) {
    let request = ready.request(Method::Audit, &target, &[]);
    let call = Call { module: ready.module, method: Method::Audit, request: &request, secrets: &ready.secrets };
    let answer = call.carry_out::<Audit>(cx, node.as_ref()).await.map(|said| {
        said.warnings.iter().for_each(|warning| cx.ui.warning(warning));
        let masked = |text: Option<String>| text.map(|text| ready.secrets.mask(&text));
        let findings = said.result.findings.into_iter().map(|finding| Finding {
            what: ready.secrets.mask(&finding.what),
            from: masked(finding.from),
            to: masked(finding.to),
            ..finding
        });
        Audit { findings: findings.collect(), state: said.result.state.filter(|state| *state != Value::Null) }
    });
    (target, answer)
}
