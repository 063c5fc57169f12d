//! What is told while a plan is carried out: lines for people, or replies for scripts.

use serde_json::{Value, json};

use super::WHOLE;
use super::plan::{Part, Unit, shown};
use super::run::about;
use crate::context::Context;
use crate::failure::Failure;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// What a part that was deferred is, now that it can be said.
pub(super) fn settled(cx: &Context, now: &Part, until: &[String]) {
    let Part { module, units, .. } = now;
    if cx.progress_format() == Format::Json {
        return say(cx, WHOLE, json!({ "module": module, "until": until, "planned": units }));
    }
    cx.ui.line(&format!("{module}: planned now that {} is applied:", until.join(" and ")));
    now.shown(cx.progress_format()).iter().for_each(|line| cx.ui.line(&format!("    {line}")));
}

/// What was done, as it was written down together.
pub(super) fn done(cx: &Context, module: &str, units: &[&Unit]) {
    match cx.progress_format() {
        Format::Json => {
            units.iter().for_each(|unit| say(cx, &unit.target, json!({ "module": module, "changes": unit.changes })));
        }
        format => shown(module, units.iter().copied(), format).iter().for_each(|line| cx.ui.line(line)),
    }
}

/// What was not done, and why.
pub(super) fn failed(cx: &Context, target: &str, failure: Failure) {
    match cx.progress_format() {
        Format::Json => {
            cx.ui.reply(Format::Json, Reply { node: node(target), body: Body::Error(failure.message) });
            cx.ui.hints(&failure.hints);
        }
        Format::Lines | Format::Folded => cx.ui.failure(&about(target, failure)),
    }
}

fn say(cx: &Context, target: &str, data: Value) {
    let body = Body::Answer(Answer { data: Some(data), ..Answer::default() });
    cx.ui.reply(Format::Json, Reply { node: node(target), body });
}

fn node(target: &str) -> Option<String> {
    (target != WHOLE).then(|| target.to_owned())
}
