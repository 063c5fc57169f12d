//! What runs in the container and how it is watched.

use serde_json::{Map, Value, json};

use super::Parsed;
use super::text::{bars, duration, list, pair, whole, words, yes_no};

pub(super) fn command(text: &str) -> Parsed {
    Ok(json!({ "Cmd": words(text)? }))
}

pub(super) fn entrypoint(text: &str) -> Parsed {
    Ok(json!({ "Entrypoint": words(text)? }))
}

pub(super) fn environment(text: &str) -> Parsed {
    let items = bars(text)?;
    let checked = items.iter().map(|item| pair(item).map(|(name, value)| format!("{name}={value}")));
    Ok(json!({ "Env": checked.collect::<Result<Vec<_>, _>>()? }))
}

pub(super) fn user(text: &str) -> Parsed {
    if text.contains(char::is_whitespace) || text.split(':').count() > 2 {
        return Err(format!("'{text}' is not a user"));
    }
    Ok(json!({ "User": text }))
}

pub(super) fn workdir(text: &str) -> Parsed {
    if !text.starts_with('/') {
        return Err(format!("'{text}' does not start with '/'"));
    }
    Ok(json!({ "WorkingDir": text }))
}

pub(super) fn hostname(text: &str) -> Parsed {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if text.len() > 253 || text.starts_with(['-', '.']) || !text.chars().all(legal) {
        return Err(format!("'{text}' is not a host name"));
    }
    Ok(json!({ "Hostname": text }))
}

/// A tty without an open stdin would make a console that cannot be typed at.
pub(super) fn tty(text: &str) -> Parsed {
    let wanted = yes_no(text)?;
    Ok(json!({ "Tty": wanted, "OpenStdin": wanted }))
}

pub(super) fn init(text: &str) -> Parsed {
    Ok(json!({ "HostConfig": { "Init": yes_no(text)? } }))
}

pub(super) fn privileged(text: &str) -> Parsed {
    Ok(json!({ "HostConfig": { "Privileged": yes_no(text)? } }))
}

pub(super) fn cap_add(text: &str) -> Parsed {
    Ok(json!({ "HostConfig": { "CapAdd": capabilities(text)? } }))
}

pub(super) fn cap_drop(text: &str) -> Parsed {
    Ok(json!({ "HostConfig": { "CapDrop": capabilities(text)? } }))
}

fn capabilities(text: &str) -> Result<Vec<String>, String> {
    let names = list(text, ',')?.into_iter().map(|name| {
        let upper = name.to_ascii_uppercase();
        let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
        let legal = !short.is_empty() && short.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        legal.then(|| short.to_owned()).ok_or_else(|| format!("'{name}' is not a capability"))
    });
    names.collect()
}

pub(super) fn restart(text: &str) -> Parsed {
    let (name, count) = match text.split_once(':') {
        Some(("on-failure", count)) => ("on-failure", whole::<u32>(count)),
        Some(_) => return Err(format!("'{text}' is not a restart policy")),
        None => (text, Some(0)),
    };
    let known = matches!(name, "no" | "always" | "unless-stopped" | "on-failure");
    match (known, count) {
        (true, Some(count)) => {
            Ok(json!({ "HostConfig": { "RestartPolicy": { "Name": name, "MaximumRetryCount": count } } }))
        }
        _ => Err(format!("'{text}' is not a restart policy")),
    }
}

pub(super) fn stop_signal(text: &str) -> Parsed {
    if whole::<u8>(text).is_some_and(|number| (1..=64).contains(&number)) {
        return Ok(json!({ "StopSignal": text }));
    }
    let upper = text.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    let start = short.split(['+', '-']).next().unwrap_or_default();
    if start.is_empty() || !short.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-".contains(&byte)) {
        return Err(format!("'{text}' is not a signal"));
    }
    Ok(json!({ "StopSignal": format!("SIG{short}") }))
}

pub(super) fn stop_timeout(text: &str) -> Parsed {
    let seconds: u32 = whole(text).ok_or_else(|| format!("'{text}' is not a number of seconds"))?;
    Ok(json!({ "StopTimeout": seconds }))
}

pub(super) fn labels(text: &str) -> Parsed {
    let mut labels = Map::new();
    for item in bars(text)? {
        let (name, value) = pair(&item)?;
        if name.starts_with("xcrane.") {
            return Err(format!("label '{name}' belongs to xcrane itself"));
        }
        labels.insert(name.into(), value.into());
    }
    Ok(json!({ "Labels": labels }))
}

/// The options are the log driver's own; the engine checks them when it makes the container.
pub(super) fn log_options(text: &str) -> Parsed {
    let mut config = Map::new();
    for item in bars(text)? {
        let (name, value) = pair(&item)?;
        config.insert(name.into(), value.into());
    }
    let driver = config.shift_remove("driver");
    let mut log = Map::from_iter([("Config".to_owned(), Value::Object(config))]);
    log.extend(driver.map(|driver| ("Type".to_owned(), driver)));
    Ok(json!({ "HostConfig": { "LogConfig": log } }))
}

pub(super) fn health(text: &str) -> Parsed {
    let mut health = Map::new();
    for item in bars(text)? {
        let (name, value) = pair(&item)?;
        let (key, value) = match name {
            "cmd" => ("Test", health_test(value)?),
            "interval" => ("Interval", nanoseconds(value)?),
            "timeout" => ("Timeout", nanoseconds(value)?),
            "start" => ("StartPeriod", nanoseconds(value)?),
            "retries" => {
                let count: u32 = whole(value).ok_or_else(|| format!("'{value}' is not a number of retries"))?;
                ("Retries", count.into())
            }
            _ => return Err(format!("'{name}' is not known")),
        };
        if health.insert(key.into(), value).is_some() {
            return Err(format!("'{name}' is given twice"));
        }
    }
    if !health.contains_key("Test") {
        return Err("cmd is not given".into());
    }
    Ok(json!({ "Healthcheck": health }))
}

fn health_test(command: &str) -> Parsed {
    if command == "none" {
        return Ok(json!(["NONE"]));
    }
    if !command.trim_start().starts_with('[') {
        return Ok(json!(["CMD-SHELL", command]));
    }
    let mut test = vec!["CMD".to_owned()];
    test.extend(words(command)?);
    Ok(json!(test))
}

fn nanoseconds(text: &str) -> Parsed {
    let time = duration(text)?;
    i64::try_from(time.as_nanos()).map(Value::from).map_err(|_| format!("'{text}' is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parse: fn(&str) -> Parsed, text: &str, expected: Option<Value>) {
        assert_eq!(parse(text).ok(), expected, "{text}");
    }

    #[test]
    fn environment_keeps_commas_and_equals_signs() {
        check(environment, "A=1|B=x,y|C=a=b|D=", Some(json!({ "Env": ["A=1", "B=x,y", "C=a=b", "D="] })));
        check(environment, "A", None);
        check(environment, "=1", None);
        check(environment, "A=1|", None);
    }

    #[test]
    fn restart_policies() {
        let policy = |name: &str, count: u32| {
            Some(json!({ "HostConfig": { "RestartPolicy": { "Name": name, "MaximumRetryCount": count } } }))
        };
        check(restart, "no", policy("no", 0));
        check(restart, "unless-stopped", policy("unless-stopped", 0));
        check(restart, "on-failure:3", policy("on-failure", 3));
        for wrong in ["sometimes", "on-failure:x", "always:3", ""] {
            check(restart, wrong, None);
        }
    }

    #[test]
    fn signals_get_their_full_name() {
        check(stop_signal, "term", Some(json!({ "StopSignal": "SIGTERM" })));
        check(stop_signal, "SIGRTMIN+3", Some(json!({ "StopSignal": "SIGRTMIN+3" })));
        check(stop_signal, "15", Some(json!({ "StopSignal": "15" })));
        for wrong in ["", "SIG", "a b", "+3"] {
            check(stop_signal, wrong, None);
        }
    }

    #[test]
    fn health_checks() {
        let shell = json!({ "Healthcheck": {
            "Test": ["CMD-SHELL", "test -e /a | true"], "Interval": 30_000_000_000_i64, "Timeout": 5_000_000_000_i64,
            "Retries": 3, "StartPeriod": 10_000_000_000_i64 } });
        check(health, r"cmd=test -e /a \| true|interval=30s|timeout=5s|retries=3|start=10s", Some(shell));
        check(health, r#"cmd=["true"]"#, Some(json!({ "Healthcheck": { "Test": ["CMD", "true"] } })));
        check(health, "cmd=none", Some(json!({ "Healthcheck": { "Test": ["NONE"] } })));
        for wrong in ["interval=3s", "cmd=a|every=3s", "cmd=a|cmd=b", "cmd=a|retries=x", "cmd=a|interval=x"] {
            check(health, wrong, None);
        }
    }

    #[test]
    fn our_own_labels_are_ours() {
        check(labels, "a=1|b.c=x=y", Some(json!({ "Labels": { "a": "1", "b.c": "x=y" } })));
        check(labels, "xcrane.node=n1", None);
    }

    #[test]
    fn log_options_name_the_driver() {
        let log = json!({ "HostConfig": { "LogConfig": { "Config": { "max-size": "10m" }, "Type": "json-file" } } });
        check(log_options, "driver=json-file|max-size=10m", Some(log));
        check(log_options, "max-size", None);
    }

    #[test]
    fn capability_names_lose_their_prefix() {
        check(cap_add, "cap_sys_nice,IPC_LOCK", Some(json!({ "HostConfig": { "CapAdd": ["SYS_NICE", "IPC_LOCK"] } })));
        check(cap_drop, "a-b", None);
        check(cap_drop, "A,,B", None);
    }

    #[test]
    fn small_ones() {
        check(user, "1000:1000", Some(json!({ "User": "1000:1000" })));
        check(user, "a b", None);
        check(workdir, "tmp", None);
        check(hostname, "a_b.c", Some(json!({ "Hostname": "a_b.c" })));
        check(hostname, "-a", None);
        check(tty, "yes", Some(json!({ "Tty": true, "OpenStdin": true })));
        check(tty, "maybe", None);
        check(stop_timeout, "-1", None);
    }
}
