//! What every machine of a cluster has in common: users and their keys, time, the kernel's settings, limits.
//!
//! Files are ours as a whole; of what is an admin's too (users, keys) only what the config names is looked at.

use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::setup::{Fact, File, Follow, Thing, Unit};

const SYSCTL: &str = "/etc/sysctl.d/60-xcrane.conf";
const LIMITS: &str = "/etc/security/limits.d/60-xcrane.conf";
const TIME_SOURCES: &str = "/etc/chrony/sources.d/xcrane.sources";
const WRITTEN: &str = "# Written by module node-base of xcrane.\n";

const HAS_USER: &str = r#"[ "$(id -u "$1")" = "$2" ]"#;
const MAKE_USER: &str = r#"PATH=$PATH:/usr/sbin:/sbin; useradd --create-home --shell /bin/bash --uid "$2" "$1""#;
/// Root reads and writes in the user's own directory only as that user, who may have put links there.
const AS_USER: &str = r#"home=$(getent passwd "$1" | cut -d: -f6) && [ "$home" ] || { echo "there is no user $1" >&2; exit 1; }
as_user() { setpriv --reuid="$1" --regid="$(id -g "$1")" --init-groups env HOME="$home" sh -c "$3" sh "$2"; }
as_user "$1" "$2" "#;
const HAS_KEY: &str = r#"'grep -qxF -e "$1" "$HOME/.ssh/authorized_keys"'"#;
/// Whoever is not there any more is let in by nothing.
const NO_USER: &str = "getent passwd \"$1\" || exit 0\n";
const LACKS_KEY: &str = r#"'! grep -qxF -e "$1" "$HOME/.ssh/authorized_keys"'"#;
const ADD_KEY: &str = r#"'umask 077; mkdir -p "$HOME/.ssh" && printf "%s\n" "$1" >>"$HOME/.ssh/authorized_keys"'"#;
const TAKE_KEY: &str =
    r#"'umask 077; f=$HOME/.ssh/authorized_keys; grep -vxF -e "$1" "$f" >"$f.new"; mv -f "$f.new" "$f"'"#;
const HAS_ZONE: &str = r#"[ "$(readlink -f /etc/localtime)" = "$(readlink -f "/usr/share/zoneinfo/$1")" ]"#;
const SET_ZONE: &str = r#"[ -f "/usr/share/zoneinfo/$1" ] || { echo "there is no time zone $1" >&2; exit 1; }
ln -snf "/usr/share/zoneinfo/$1" /etc/localtime && echo "$1" >/etc/timezone"#;
/// Values of several words are separated by whatever the kernel likes.
const HAS_VALUE: &str = r#"PATH=$PATH:/usr/sbin:/sbin; [ "$(echo $(sysctl -n "$1"))" = "$(echo $2)" ]"#;
const SET_VALUE: &str = r#"PATH=$PATH:/usr/sbin:/sbin; sysctl -q -w "$1=$2""#;

/// A user with the same number everywhere, as in `ada:2000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub number: u32,
}

/// A key that lets somebody in, as in `ada ssh-ed25519 AAAA… ada@desk`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub user: String,
    pub line: String,
}

/// A setting of the kernel, as in `vm.swappiness=10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: String,
}

/// What a machine is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    pub packages: Vec<String>,
    pub users: Vec<User>,
    pub keys: Vec<Key>,
    /// Keys that were let in before, and are not any more.
    pub former_keys: Vec<Key>,
    pub time_zone: Option<String>,
    /// Without any, time is left alone.
    pub time_servers: Vec<String>,
    pub sysctl: Vec<Setting>,
    /// Lines of limits.conf.
    pub limits: Vec<String>,
}

impl FromStr for User {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let user = text.split_once(':').and_then(|(name, number)| {
            Some(Self { name: Some(name).filter(|name| is_user(name))?.to_owned(), number: number.parse().ok()? })
        });
        user.ok_or_else(|| format!("'{text}' is not NAME:NUMBER, as ada:2000 is"))
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let key = text.split_once(' ').filter(|(user, line)| is_user(user) && line.split(' ').count() >= 2);
        match key.filter(|_| !text.contains(char::is_control)) {
            Some((user, line)) => Ok(Self { user: user.to_owned(), line: line.to_owned() }),
            None => Err(format!("'{text}' is not USER KEY, as 'ada ssh-ed25519 AAAA… ada@desk' is")),
        }
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'))
        };
        match text.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, value)) if is_name(name) && !value.is_empty() && !value.contains(char::is_control) => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err(format!("'{text}' is not NAME=VALUE, as vm.swappiness=10 is")),
        }
    }
}

fn is_user(name: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
    name.len() <= 32 && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && name.chars().all(is_fit)
}

/// What must be true of the machine.
pub fn wanted(config: &Config) -> Vec<Thing> {
    let mut things = Vec::new();
    // The package starts its service, which is to know them from its first moment on.
    let times = lines_of(TIME_SOURCES, config.time_servers.iter().map(|it| format!("server {it} iburst\n")).collect());
    things.push(times);
    let time = if config.time_servers.is_empty() { Vec::new() } else { vec!["chrony".to_owned()] };
    let packages: Vec<String> = config.packages.iter().cloned().chain(time).collect();
    if !packages.is_empty() {
        things.push(Thing::Packages(packages));
    }
    for User { name, number } in &config.users {
        let what = format!("user {name} has the number {number}");
        things.push(Thing::Fact(Fact::shell(what, HAS_USER, MAKE_USER, &[name, &number.to_string()])));
    }
    let key = |key: &Key, what: &str, (unless, check): (&str, &str), make: &str| {
        let script = |script: &str| format!("{AS_USER}{script}");
        let arguments = [key.user.as_str(), key.line.as_str()];
        Thing::Fact(Fact::shell(
            format!("{} {what} {}", key.user, seen(key)),
            &format!("{unless}{}", script(check)),
            &script(make),
            &arguments,
        ))
    };
    things.extend(config.keys.iter().map(|it| key(it, "is let in by", ("", HAS_KEY), ADD_KEY)));
    let former = config.former_keys.iter().filter(|it| !config.keys.contains(it));
    things.extend(former.map(|it| key(it, "is not let in any more by", (NO_USER, LACKS_KEY), TAKE_KEY)));
    if let Some(zone) = &config.time_zone {
        things.push(Thing::Fact(Fact::shell(format!("the time zone is {zone}"), HAS_ZONE, SET_ZONE, &[zone])));
    }
    if !config.time_servers.is_empty() {
        things.push(Thing::Unit(time_service()));
    }
    let lines = config.sysctl.iter().map(|Setting { name, value }| format!("{name} = {value}\n")).collect();
    things.push(lines_of(SYSCTL, lines));
    things.extend(config.sysctl.iter().map(|Setting { name, value }| {
        Thing::Fact(Fact::shell(format!("{name} is {value} now"), HAS_VALUE, SET_VALUE, &[name, value]))
    }));
    things.push(lines_of(LIMITS, config.limits.iter().map(|line| format!("{line}\n")).collect()));
    things
}

fn time_service() -> Unit {
    Unit {
        name: "chrony.service".into(),
        enabled: true,
        active: true,
        follows: vec![TIME_SOURCES.into()],
        follow_by: Follow::Restart,
    }
}

fn lines_of(path: &str, lines: Vec<String>) -> Thing {
    match lines.is_empty() {
        true => Thing::NoFile(path.into()),
        false => Thing::File(File::public(path, format!("{WRITTEN}{}", lines.concat()))),
    }
}

/// A key as people know it: by its comment, and by a part of its digest since two may have the same.
fn seen(key: &Key) -> String {
    let comment = key.line.rsplit(' ').next().filter(|_| key.line.split(' ').count() > 2).unwrap_or("a key");
    format!("{comment} ({})", &crate::hex(&Sha256::digest(&key.line))[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::{Family, Observed, Step, plan};

    fn titles(config: &Config) -> Vec<String> {
        let observed = Observed { family: Some(Family::Apt), ..Observed::default() };
        plan(&wanted(config), &observed).iter().map(Step::title).collect()
    }

    #[test]
    fn each_part_of_the_config_is_a_thing() {
        let config = Config {
            packages: vec!["numactl".into()],
            users: vec!["ada:2000".parse().unwrap()],
            keys: vec!["ada ssh-ed25519 AAAA ada@desk".parse().unwrap()],
            former_keys: vec!["ada ssh-ed25519 BBBB".parse().unwrap()],
            time_zone: Some("Etc/UTC".into()),
            time_servers: vec!["10.0.0.1".into()],
            sysctl: vec!["vm.swappiness = 10".parse().unwrap()],
            limits: vec!["* - memlock unlimited".into()],
        };
        insta::assert_snapshot!(titles(&config).join("\n"), @"
        create /etc/chrony/sources.d/xcrane.sources
        install numactl, chrony
        make it so that user ada has the number 2000
        make it so that ada is let in by ada@desk (7919610f)
        make it so that ada is not let in any more by a key (95fb9b34)
        make it so that the time zone is Etc/UTC
        enable chrony.service
        reload the units of systemd
        start chrony.service
        create /etc/sysctl.d/60-xcrane.conf
        make it so that vm.swappiness is 10 now
        create /etc/security/limits.d/60-xcrane.conf
        ");
        assert!(titles(&Config::default()).is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!("ada".parse::<User>().is_err() && "Ada:1".parse::<User>().is_err() && "a;b:1".parse::<User>().is_err());
        assert!("ada".parse::<Key>().is_err() && "ada key".parse::<Key>().is_err());
        assert!("ada ssh-rsa A\nroot".parse::<Key>().is_err());
        assert!(
            "vm".parse::<Setting>().is_err()
                && "a b=1".parse::<Setting>().is_err()
                && "vm=".parse::<Setting>().is_err()
        );
    }
}
