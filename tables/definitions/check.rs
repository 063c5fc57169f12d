//! Values that can never mean anything are refused when they are set, not when they are used.

use super::{Refusal, cells};
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
        cells::fault(place.table.name, place.column.name, value)
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
        check("currstate", "iscsiboot", "");
        let why = "states are boot, shell, standby, offline, discover, reboot, shutdown, runcmd=…, runimage=…, install …, netboot …; \
             nodeset sets them";
        for bad in ["garbage", "netboot", "runcmd=", "boot now", "Boot"] {
            check("currstate", bad, why);
        }
    }

    #[test]
    fn chains() {
        check("chain", "runcmd=bmcsetup,osimage=rhels7-x86_64-netboot-compute:reboot4deploy", "");
        check("chain", "runimage=http://10.0.0.1/a.tgz, osimage ,shutdown", "");
        check("currchain", "garbage", "");
        check("chain", "shell+=NEXTRECORD", "");
        check("chain", "+=NEXTRECORD", "");
        let why = |word: &str| {
            let words = "boot, shell, standby, offline, discover, reboot, shutdown";
            format!("'{word}' is no step: {words}, osimage[=…], runcmd=…, runimage=…, by comma")
        };
        for (bad, word) in [("garbage", "garbage"), ("runcmd=", "runcmd="), ("shell,,boot", ""), ("runcmd=a b,c", "c")]
        {
            check("chain", bad, &why(word));
        }
    }

    #[test]
    fn networks() {
        let network = objects::find("network").unwrap();
        let check = |attribute: &str, value: &str, expected: &str| {
            let place = network.named(attribute).next().unwrap();
            let why = match check_value(attribute, place, value) {
                Err(Refusal::BadValue { why, .. }) => why,
                other => format!("{other:?}").replace("Ok(())", ""),
            };
            assert_eq!(why, expected, "{attribute}={value}");
        };
        for good in ["10.1.0.0", "fd00::", "fd00::/64"] {
            check("net", good, "");
        }
        for bad in ["10.1", "lab", "10.1.0.0/x", "10.1.0.0/33"] {
            check("net", bad, "it is not the address of a network, such as 10.1.0.0");
        }
        for good in ["255.255.0.0", "/16", "64", "/64", "0.0.0.0"] {
            check("mask", good, "");
        }
        for bad in ["255.0.255.0", "/129", "-1", "10.1.0.0", "mask"] {
            check("mask", bad, "it is not a mask, such as 255.255.0.0 or /16");
        }
        for good in
            ["10.1.0.1-10.1.0.9", "10.1.2.0/24", "10.1.0.1-10.1.0.9, 10.1.2.0/24;10.1.3.0/24", "fd00::1-fd00::9"]
        {
            check("dynamicrange", good, "");
        }
        for (bad, part) in [
            ("10.1.0.9-10.1.0.1", "10.1.0.9-10.1.0.1"),
            ("10.1.0.1-fd00::1", "10.1.0.1-fd00::1"),
            ("10.1.2.0/24,all", "all"),
            ("10.1.0.1-9", "10.1.0.1-9"),
            ("10.1.0.0/33", "10.1.0.0/33"),
        ] {
            check("dynamicrange", bad, &format!("'{part}' is neither FIRST-LAST nor a subnet such as 10.1.2.0/24"));
        }
        for good in ["10.1.0.1", "<xcatmaster>", "fd00::1"] {
            check("gateway", good, "");
        }
        check("gateway", "router", "'router' is neither an address nor <xcatmaster>");
        check("mtu", "9000", "");
        for bad in ["67", "65536", "big"] {
            check("mtu", bad, "it is not a number from 68 to 65535");
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
