//! How containers fare, from what the engine shows of them.

use serde_json::Value;

use crate::{Health, Life, Vitals};

/// Reads an inspect answer.
pub(super) fn vitals(found: &Value) -> Vitals {
    let state = &found["State"];
    let life = match state["Status"].as_str() {
        Some("running") => Life::Running,
        Some("paused") => Life::Suspended,
        Some("restarting") => Life::Restarting,
        _ => Life::Off,
    };
    Vitals {
        image: found["Image"].as_str().unwrap_or_default().to_owned(),
        life,
        restarts: found["RestartCount"].as_u64().unwrap_or_default(),
        exit_code: state["ExitCode"].as_i64().unwrap_or_default(),
        health: health(&state["Health"]),
    }
}

/// A container without a check has no such object, on some engines one that says `none`.
fn health(shown: &Value) -> Option<Health> {
    match shown["Status"].as_str()? {
        "starting" => Some(Health::Starting),
        "healthy" => Some(Health::Healthy),
        "unhealthy" => {
            let last = shown["Log"].as_array().and_then(|log| log.last());
            let said = last.and_then(|last| last["Output"].as_str()).unwrap_or_default();
            Some(Health::Unhealthy { said: said.trim().to_owned() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_engines_words_for_life_and_health() {
        let check = |state: Value, life: Life, expected: Option<Health>| {
            let vitals = vitals(&json!({ "State": state, "RestartCount": 2 }));
            assert_eq!((vitals.life, vitals.health, vitals.restarts), (life, expected, 2));
        };
        check(json!({ "Status": "running" }), Life::Running, None);
        check(json!({ "Status": "running", "Health": { "Status": "none" } }), Life::Running, None);
        check(
            json!({ "Status": "running", "Health": { "Status": "starting" } }),
            Life::Running,
            Some(Health::Starting),
        );
        let sick = json!({ "Status": "unhealthy", "Log": [{ "Output": "old" }, { "Output": "no db\n" }] });
        let said = Some(Health::Unhealthy { said: "no db".into() });
        check(json!({ "Status": "running", "Health": sick }), Life::Running, said);
        check(json!({ "Status": "restarting" }), Life::Restarting, None);
        check(json!({ "Status": "paused" }), Life::Suspended, None);
        check(json!({ "Status": "exited" }), Life::Off, None);
        check(json!({ "Status": "created" }), Life::Off, None);
        assert_eq!(vitals(&json!({ "State": { "Status": "exited", "ExitCode": 3 } })).exit_code, 3);
    }
}
