//! What a module finds in `/shared` of its container: what all modules have said of themselves. Nothing that it writes there
//! comes back; its own part is the `state` of its result.

use serde_json::{Value, json};

use super::contract::Request;
use super::schema::Schema;
use super::{secrets, yaml};

/// The files by name. They are in a volume, which whoever may ask the engine can read, and so have no secrets of the config: these
/// are on the program's standard input alone.
pub(super) fn files(schema: &Schema, request: &Request<'_>) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut all = request.all.clone();
    all.insert(request.module.to_owned(), json!({ "state": request.state }));
    let config = secrets::without(schema, request.config);
    let request = serde_json::to_vec_pretty(&Request { config: &config, ..request.clone() })
        .map_err(|error| error.to_string())?;
    let state = yaml::write(&Value::Object(all))?;
    Ok(vec![("state.yml".into(), state.into_bytes()), ("request.json".into(), request)])
}
