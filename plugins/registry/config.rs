//! What table registry says of a registry, read and checked.

use serde::Serialize;

use super::upstream::Upstream;
use crate::authority::{self, Issued, Purpose, Subject};
use crate::{Error, Reference, Result, Secret};

/// The port that clients take for granted with such a server.
pub const PORT: u16 = 5000;
/// The directory of all registries' own ones.
pub const STORAGE: &str = "/var/lib/xcrane/registry";
/// bcrypt looks at no more of a password.
const LONGEST_PASSWORD: usize = 72;

/// A registry as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub name: String,
    /// The node that it runs on, for messages.
    pub node: String,
    /// What stands in the names of images, without the port.
    pub address: String,
    /// Further names and addresses of the node.
    pub known_as: Vec<String>,
    pub port: u16,
    pub storage: String,
    /// None lets in everyone.
    pub accounts: Vec<Account>,
    /// What its server runs from; None for the distribution's package.
    pub image: Option<Reference>,
    /// That image is brought to the node before the plan is carried out.
    pub brings_image: bool,
    /// The registry whose images it fetches and keeps.
    pub upstream: Option<Upstream>,
    /// None: to be made when the plan is carried out.
    pub certificate: Option<Issued>,
    /// The certificate of the site's own authority; None before there is one.
    pub authority: Option<String>,
    /// Where its images were, if they are to be elsewhere from now on.
    pub former: Option<String>,
    /// Other registries are on the same node.
    pub has_neighbours: bool,
}

/// Someone whom a registry lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    pub password: Secret,
}

/// Who we are to a registry, for whoever pulls from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// As it stands in names of images, such as `10.0.0.1:5000`.
    pub registry: String,
    pub account: Account,
}

/// What of a registry is no secret, for scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub name: String,
    pub node: String,
    pub place: String,
    pub storage: String,
    pub users: Vec<String>,
    pub image: Option<String>,
    pub upstream: Option<String>,
}

impl Config {
    /// What stands before the names of its images.
    pub fn place(&self) -> String {
        match self.address.contains(':') {
            true => format!("[{}]:{}", self.address, self.port),
            false => format!("{}:{}", self.address, self.port),
        }
    }

    /// The directory that is the registry's own.
    pub fn data(&self) -> String {
        format!("{}/{}", self.storage.trim_end_matches('/'), self.name)
    }

    /// The directory that was its own.
    pub(super) fn former_data(&self) -> Option<String> {
        let former = self.former.as_ref()?;
        Some(format!("{}/{}", former.trim_end_matches('/'), self.name)).filter(|former| *former != self.data())
    }

    /// What its certificate has to be for: every name that a client may use.
    pub fn subject(&self) -> Subject {
        let known = [&self.address, &self.node].into_iter().chain(&self.known_as);
        Subject { names: authority::names(known.map(String::as_str)), purpose: Purpose::Server }
    }

    /// The name under which the authority keeps its certificate.
    pub fn certificate_name(&self) -> String {
        format!("registry-{}", self.name)
    }

    pub fn summary(&self) -> Summary {
        Summary {
            name: self.name.clone(),
            node: self.node.clone(),
            place: self.place(),
            storage: self.data(),
            users: self.accounts.iter().map(|account| account.user.clone()).collect(),
            image: self.image.as_ref().map(ToString::to_string),
            upstream: self.upstream.as_ref().map(|upstream| upstream.url.clone()),
        }
    }

    /// Refuses what could leave the file, the path or the command line that it becomes part of.
    pub fn check(&self) -> Result<()> {
        if !is_name(&self.name) {
            let why =
                format!("'{}' is not a name for a registry; it takes small letters, digits, '-' and '.'", self.name);
            return Err(wrong("name", &why));
        }
        if !self.address.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-".contains(&byte)) {
            return Err(wrong("address", &format!("'{}' is not the name or address of a host", self.address)));
        }
        if !is_directory(&self.storage) {
            return Err(wrong("storage", &format!("'{}' is not the whole path of a directory", self.storage)));
        }
        self.upstream.iter().try_for_each(|upstream| upstream.check(&self.place()))?;
        self.accounts.iter().try_for_each(check_account)
    }
}

fn check_account(account: &Account) -> Result<()> {
    let Account { user, password } = account;
    if user.is_empty() || !user.bytes().all(|byte| byte.is_ascii_graphic() && !b":\"'\\#".contains(&byte)) {
        return Err(wrong("auth", &format!("'{user}' is not the name of a user")));
    }
    match password.reveal().len() {
        0 => Err(wrong("auth", &format!("the password of {user} is empty"))),
        length if length > LONGEST_PASSWORD => {
            Err(wrong("auth", &format!("the password of {user} is longer than {LONGEST_PASSWORD} bytes")))
        }
        _ => Ok(()),
    }
}

fn is_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    text.bytes().all(legal) && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

fn is_directory(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    text.starts_with('/') && text.bytes().all(legal) && !text.split('/').any(|part| part == "..")
}

pub(super) fn wrong(attribute: &str, why: &str) -> Error {
    Error::Definition { attribute: attribute.into(), why: why.into() }
}

#[cfg(test)]
pub(super) fn example() -> Config {
    Config {
        name: "reg".into(),
        node: "h1".into(),
        address: "10.0.0.1".into(),
        known_as: vec!["h1.cluster".into()],
        port: PORT,
        storage: STORAGE.into(),
        accounts: vec![Account { user: "ada".into(), password: Secret::new("sesame") }],
        image: None,
        brings_image: false,
        upstream: None,
        certificate: None,
        authority: None,
        former: None,
        has_neighbours: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let check = |address: &str, expected: &str| {
            assert_eq!(Config { address: address.into(), ..example() }.place(), expected);
        };
        check("10.0.0.1", "10.0.0.1:5000");
        check("reg.cluster", "reg.cluster:5000");
        check("fd00::1", "[fd00::1]:5000");
    }

    #[test]
    fn certificates_are_for_every_name_once() {
        let config = Config { known_as: vec!["h1.cluster".into(), "h1".into()], ..example() };
        assert_eq!(config.subject().names, ["10.0.0.1", "h1", "h1.cluster"]);
    }

    #[test]
    fn what_could_leave_its_place_is_refused() {
        let check = |config: Config, expected: &str| {
            let said = config.check().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(said.starts_with(expected) && said.is_empty() == expected.is_empty(), "{said}");
        };
        let account = |user: &str, password: &str| Config {
            accounts: vec![Account { user: user.into(), password: Secret::new(password) }],
            ..example()
        };
        check(example(), "");
        check(Config { name: "../x".into(), ..example() }, "attribute 'name'");
        check(Config { name: "-x".into(), ..example() }, "attribute 'name'");
        check(Config { name: String::new(), ..example() }, "attribute 'name'");
        check(Config { address: "a b".into(), ..example() }, "attribute 'address'");
        check(Config { storage: "srv".into(), ..example() }, "attribute 'storage'");
        check(Config { storage: "/srv/../etc".into(), ..example() }, "attribute 'storage'");
        check(Config { storage: "/srv/$(reboot)".into(), ..example() }, "attribute 'storage'");
        let upstream = |url: &str| Config {
            upstream: Some(Upstream { url: url.into(), account: None, authority: None }),
            ..example()
        };
        check(upstream("hub"), "attribute 'upstream': 'hub' is not");
        check(upstream("https://hub"), "");
        check(upstream("https://10.0.0.1:5000"), "attribute 'upstream': a registry cannot be its own mirror");
        check(upstream("https://a:b@hub"), "attribute 'upstream': it takes no account");
        check(account("a:b", "x"), "attribute 'auth': 'a:b'");
        check(account("ada", ""), "attribute 'auth': the password of ada is empty");
        check(account("ada", &"x".repeat(73)), "attribute 'auth': the password of ada is longer");
    }

    #[test]
    fn passwords_are_not_shown() {
        assert!(!format!("{:?}", example()).contains("sesame"));
    }
}
