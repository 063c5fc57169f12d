//! How much of the host the container may use.

use serde_json::{Map, json};

use super::Parsed;
use super::text::{decimal, list, pair, size, whole};

/// The names that the kernel's setrlimit(2) knows, in the engine's spelling.
const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// A count of processors, as everywhere else in the tables; pinning is `dockercpuset`.
pub(super) fn cpus(text: &str) -> Parsed {
    let billionths = decimal(text, 9).filter(|&billionths| billionths > 0);
    let billionths = billionths.and_then(|billionths| i64::try_from(billionths).ok());
    let billionths = billionths.ok_or_else(|| format!("'{text}' is not a number of processors"))?;
    Ok(json!({ "HostConfig": { "NanoCpus": billionths } }))
}

pub(super) fn cpuset(text: &str) -> Parsed {
    let number = |text: &str| whole::<u16>(text);
    for item in list(text, ',')? {
        let good = match item.split_once('-') {
            Some((first, last)) => number(first).zip(number(last)).is_some_and(|(first, last)| first <= last),
            None => number(item).is_some(),
        };
        if !good {
            return Err(format!("'{item}' is neither a processor number nor a range"));
        }
    }
    Ok(json!({ "HostConfig": { "CpusetCpus": text } }))
}

pub(super) fn memory(text: &str) -> Parsed {
    Ok(json!({ "HostConfig": { "Memory": size(text)? } }))
}

pub(super) fn shm_size(text: &str) -> Parsed {
    Ok(json!({ "HostConfig": { "ShmSize": size(text)? } }))
}

pub(super) fn ulimits(text: &str) -> Parsed {
    let mut limits = Vec::new();
    for item in list(text, ',')? {
        let (name, value) = pair(item)?;
        if !ULIMITS.contains(&name) {
            return Err(format!("'{name}' is none of {}", ULIMITS.join(", ")));
        }
        let (soft, hard) = value.split_once(':').unwrap_or((value, value));
        let (soft, hard) = (limit(soft)?, limit(hard)?);
        if hard >= 0 && (soft > hard || soft < 0) {
            return Err(format!("'{item}' has a soft limit above its hard limit"));
        }
        limits.push(json!({ "Name": name, "Soft": soft, "Hard": hard }));
    }
    Ok(json!({ "HostConfig": { "Ulimits": limits } }))
}

fn limit(text: &str) -> Result<i64, String> {
    match text.trim() {
        "unlimited" => Ok(-1),
        "-1" => Ok(-1),
        number => whole(number).ok_or_else(|| format!("'{text}' is not a limit")),
    }
}

pub(super) fn sysctls(text: &str) -> Parsed {
    let mut sysctls = Map::new();
    for item in list(text, ',')? {
        let (name, value) = pair(item)?;
        sysctls.insert(name.into(), value.trim().into());
    }
    Ok(json!({ "HostConfig": { "Sysctls": sysctls } }))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn check(parse: fn(&str) -> Parsed, text: &str, expected: Option<Value>) {
        assert_eq!(parse(text).ok(), expected.map(|inner| json!({ "HostConfig": inner })), "{text}");
    }

    #[test]
    fn processors() {
        check(cpus, "2", Some(json!({ "NanoCpus": 2_000_000_000_u64 })));
        check(cpus, "0.5", Some(json!({ "NanoCpus": 500_000_000 })));
        for wrong in ["0", "", "-1", "two", "0-3", "1e9"] {
            check(cpus, wrong, None);
        }
        check(cpuset, "0-3,8", Some(json!({ "CpusetCpus": "0-3,8" })));
        for wrong in ["", "3-0", "a", "1,,2", "0-"] {
            check(cpuset, wrong, None);
        }
    }

    #[test]
    fn limits_may_be_absent() {
        let memlock = json!({ "Name": "memlock", "Soft": -1, "Hard": -1 });
        let files = json!({ "Name": "nofile", "Soft": 1024, "Hard": 4096 });
        check(ulimits, "memlock=-1:-1", Some(json!({ "Ulimits": [memlock] })));
        check(ulimits, "memlock=unlimited, nofile=1024:4096", Some(json!({ "Ulimits": [memlock, files] })));
        for wrong in ["memlock", "files=1", "nofile=2:1", "nofile=-1:5", "nofile=-2", "nofile=x", ""] {
            check(ulimits, wrong, None);
        }
    }

    #[test]
    fn sizes_and_sysctls() {
        check(memory, "512", Some(json!({ "Memory": 512 << 20 })));
        check(memory, "lots", None);
        check(shm_size, "1G", Some(json!({ "ShmSize": 1 << 30 })));
        check(sysctls, "net.core.somaxconn=1024", Some(json!({ "Sysctls": { "net.core.somaxconn": "1024" } })));
        check(sysctls, "net.core.somaxconn", None);
    }
}
