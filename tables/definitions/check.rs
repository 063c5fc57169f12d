//! Values that can never mean anything are refused when they are set, not when they are used.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::Refusal;
use crate::expression;
use crate::objects::Attribute;
use crate::prune;
use crate::schema::{Kind, Scope};

/// Refuses a value that nothing could be made of: an expression that cannot be computed for any node, an address that is
/// none, JSON that is no object. Unsetting is always fine.
pub fn check_value(attribute: &str, place: &Attribute, value: &str) -> Result<(), Refusal> {
    if value.is_empty() {
        return Ok(());
    }
    let why = if place.table.scope == Scope::Node && expression::is_expression(value) {
        expression::check(value).err().map(|error| error.to_string())
    } else {
        match (place.table.name, place.column.name) {
            ("hosts", "ip") => fault_of_address(value),
            ("mac", "mac") => fault_of_macs(value),
            ("chain", "currstate") => fault_of_state(value),
            ("circuit" | "feed", "watts") => fault_of_number(value, 1..=10_000_000),
            ("ssh", "port") => fault_of_number(value, 1..=0xffff),
            ("fabric", "vni") => fault_of_number(value, 1..=0xff_ffff),
            ("vm", "othersettings") if value.trim_start().starts_with(['{', '[', '"']) => fault_of_json(value),
            _ => None,
        }
    };
    let Some(why) = why else { return Ok(()) };
    let shown = if place.column.kind == Kind::Secret { "***" } else { value };
    Err(Refusal::BadValue { attribute: attribute.into(), value: shown.into(), why })
}

/// The value of a setting of the site, if it can be one; most are free text.
pub(super) fn check_setting(setting: &str, value: String) -> Result<String, Refusal> {
    match prune::fault_of_setting(setting, &value).filter(|_| !value.is_empty()) {
        None => Ok(value),
        Some(why) => Err(Refusal::BadValue { attribute: setting.into(), value, why }),
    }
}

/// Why a text is no JSON object, with the place.
pub(super) fn fault_of_json(text: &str) -> Option<String> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(_)) => None,
        Ok(_) => Some("it is JSON, but not an object: { … }".into()),
        Err(error) => Some(format!("it is not JSON: {error}")),
    }
}

fn fault_of_address(text: &str) -> Option<String> {
    text.parse::<IpAddr>().is_err().then(|| "it is neither an address nor an expression".into())
}

fn fault_of_number(text: &str, accepted: RangeInclusive<u32>) -> Option<String> {
    let fits = text.parse().is_ok_and(|number: u32| accepted.contains(&number));
    (!fits).then(|| format!("it is not a number from {} to {}", accepted.start(), accepted.end()))
}

/// What a node does when it boots, in the words that netboot writes and reads.
fn fault_of_state(text: &str) -> Option<String> {
    const WORDS: [&str; 7] = ["boot", "shell", "standby", "offline", "discover", "reboot", "shutdown"];
    const IMAGES: [&str; 3] = ["install ", "netboot ", "statelite "];
    const TASKS: [&str; 2] = ["runcmd=", "runimage="];
    let begins = |words: &[&str]| words.iter().any(|word| text.strip_prefix(word).is_some_and(|rest| !rest.is_empty()));
    let fits = WORDS.contains(&text) || begins(&IMAGES) || begins(&TASKS);
    (!fits).then(|| {
        format!("states are {}, runcmd=…, runimage=…, install …, netboot …; nodeset sets them", WORDS.join(", "))
    })
}

/// `MAC`, or several as `MAC!name|MAC!*NOIP*`.
fn fault_of_macs(text: &str) -> Option<String> {
    let macs = text.split('|').map(|part| part.split_once('!').map_or(part, |(mac, _)| mac));
    let bad = macs.into_iter().find(|mac| !is_mac(mac));
    bad.map(|bad| format!("'{bad}' is neither a MAC address nor an expression"))
}

/// Six octets of Ethernet, eight or twenty of InfiniBand; with colons, hyphens or nothing between them.
fn is_mac(text: &str) -> bool {
    let separator = text.chars().find(|letter| !letter.is_ascii_hexdigit());
    let hexadecimal = |text: &str| text.bytes().all(|digit| digit.is_ascii_hexdigit());
    match separator {
        None => text.len() == 12 && hexadecimal(text),
        Some(separator @ (':' | '-')) => {
            let mut octets = 0;
            let all = text.split(separator).all(|octet| {
                octets += 1;
                octet.len() == 2 && hexadecimal(octet)
            });
            all && matches!(octets, 6 | 8 | 20)
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{self, NODE};

    /// `expected` is the reason, or empty for a good value.
    #[track_caller]
    fn check(attribute: &str, value: &str, expected: &str) {
        let place = NODE.named(attribute).next().unwrap();
        let why = match check_value(attribute, place, value) {
            Ok(()) => String::new(),
            Err(Refusal::BadValue { why, .. }) => why,
            Err(other) => panic!("{other}"),
        };
        assert_eq!(why, expected, "{attribute}={value}");
    }

    #[test]
    fn addresses() {
        check("ip", "10.0.0.1", "");
        check("ip", "fd00::1", "");
        check("ip", r"|n(\d+)|10.0.0.($1+0)|", "");
        for bad in ["10.0.0", "10.0.0.256", "n1", "10.0.0.1/24", "10.0.0.1,10.0.0.2"] {
            check("ip", bad, "it is neither an address nor an expression");
        }
    }

    #[test]
    fn ports() {
        check("sshport", "22", "");
        check("sshport", "|($1+2200)|", "");
        for bad in ["0", "65536", "ssh", "-1"] {
            check("sshport", bad, "it is not a number from 1 to 65535");
        }
    }

    #[test]
    fn hardware_addresses() {
        for good in
            ["02:42:0a:00:00:07", "02-42-0A-00-00-07", "02420a000007", "02:42:0a:00:00:07!n1|02:42:0a:00:00:08!*NOIP*"]
        {
            check("mac", good, "");
        }
        let guid = "80:00:02:08:fe:80:00:00:00:00:00:00:f4:52:14:03:00:7b:cb:a1";
        check("mac", guid, "");
        check("mac", "02:42:0a:00:00", "'02:42:0a:00:00' is neither a MAC address nor an expression");
        check("mac", "02:42:0a:00:00:0g", "'02:42:0a:00:00:0g' is neither a MAC address nor an expression");
        check("mac", "02:42-0a:00:00:07", "'02:42-0a:00:00:07' is neither a MAC address nor an expression");
        check("mac", "02420a00000", "'02420a00000' is neither a MAC address nor an expression");
    }

    #[test]
    fn expressions() {
        check("vmhost", "|h($1%4+1)|", "");
        check("vmhost", "/var/lib/", "");
        check("vmhost", "|h($1%|", "expected a number, a text, $1 or a function at character 7 of '|h($1%|'");
    }

    #[test]
    fn states_of_nodes() {
        check("currstate", "netboot debian12-x86_64-compute", "");
        check("currstate", "runcmd=a b", "");
        check("currstate", "reboot", "");
        let why = "states are boot, shell, standby, offline, discover, reboot, shutdown, runcmd=…, runimage=…, install …, netboot …; \
             nodeset sets them";
        for bad in ["garbage", "netboot", "runcmd=", "boot now", "Boot"] {
            check("currstate", bad, why);
        }
    }

    #[test]
    fn further_settings() {
        check("vmothersetting", r#"{"Labels": {"a": "b"}}"#, "");
        check("vmothersetting", "machine:q35;cpu:host", "");
        check("vmothersetting", "[]", "it is JSON, but not an object: { … }");
        check("vmothersetting", r#"{"a": }"#, "it is not JSON: expected value at line 1 column 7");
    }

    #[test]
    fn numbers_of_tunnels() {
        let place = objects::find("network").unwrap().named("vni").next().unwrap();
        let check = |value: &str, fits: bool| assert_eq!(check_value("vni", place, value).is_ok(), fits, "{value}");
        check("1", true);
        check("16777215", true);
        check("", true);
        ["0", "16777216", "-1", "1.5", "blue"].into_iter().for_each(|value| check(value, false));
    }

    #[test]
    fn a_bad_password_is_not_repeated() {
        let place = NODE.named("bmcpassword").next().unwrap();
        let refusal = check_value("bmcpassword", place, "|($1|").unwrap_err();
        assert!(refusal.to_string().starts_with("'bmcpassword=***' is refused"), "{refusal}");
    }
}
