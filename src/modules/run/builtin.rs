//! Methods that are functions of ours; what they answer is heard as if a program had said it.

use serde_json::{Value, json};
use tables::Node;

use super::{Call, Heard};
use crate::context::Context;
use crate::failure::Failure;
use crate::modules::builtin::{self, Job};
use crate::modules::manifest::Run;
use crate::remote::Line;

pub(super) async fn run(
    call: Call<'_>,
    cx: &Context,
    node: Option<&Node>,
    run: &Run,
    heard: &mut Heard,
) -> Result<i64, Failure> {
    let job = Job { cx, request: call.request, node };
    let answered = tokio::time::timeout(run.time(), builtin::answer(call.method, &job)).await;
    let (result, warnings) = match answered {
        Err(_) => return Err(call.too_long(run)),
        Ok(Err(failure)) => return Err(call.named(failure)),
        Ok(Ok(answered)) => answered,
    };
    let warnings = warnings.into_iter().map(|warning| json!({ "warning": warning }));
    warnings.chain([json!({ "result": result })]).for_each(|said: Value| heard.hear(Line::Stdout(said.to_string())));
    Ok(0)
}
