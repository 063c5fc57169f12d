//! What a module finds in `/shared` of its container: what all modules have said of themselves. Nothing that it writes there
//! comes back; its own part is the `state` of its result.

use serde_json::{Value, json};

use super::contract::Request;
use super::yaml;

/// The files by name.
pub(super) fn files(request: &Request<'_>) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut all = request.all.clone();
    all.insert(request.module.to_owned(), json!({ "state": request.state }));
    let request = serde_json::to_vec_pretty(request).map_err(|error| error.to_string())?;
    let state = yaml::write(&Value::Object(all))?;
    Ok(vec![("state.yml".into(), state.into_bytes()), ("request.json".into(), request)])
}
