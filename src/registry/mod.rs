//! What mkregistry, lsregistry and rmregistry share: rows of table registry made whole, and who pulls as whom.

mod wish;

use std::collections::BTreeMap;
use std::time::Duration;

use plugins::authority::Authority;
use plugins::registry::{Account, Config, Login, Mirror, PORT, STORAGE, Upstream};
use plugins::{Reference, Secret, dockerhost};
use tables::definitions::words;
use tables::schema::{self, Table};
use tables::{Node, Row, Select, Tables};

use crate::context::Context;
use crate::docker_host::Certificates;
use crate::failure::Failure;

pub(crate) use wish::{Meant, Wish};

/// Of table passwd: the accounts of registries.
pub(crate) const PASSWD_KEY: &str = "registry";
/// Two years, of which the last third is time to renew it.
const LIFETIME: Duration = Duration::from_secs(2 * 365 * 24 * 3600);

pub(crate) fn table() -> &'static Table {
    schema::find("registry").expect("table registry is in the schema")
}

pub(crate) fn passwd() -> &'static Table {
    schema::find("passwd").expect("table passwd is in the schema")
}

/// A row of table registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) node: String,
    pub(crate) address: String,
    pub(crate) port: String,
    pub(crate) storage: String,
    pub(crate) users: Vec<String>,
    pub(crate) image: String,
    pub(crate) upstream: String,
}

impl Entry {
    fn of(row: &Row) -> Self {
        let text = |column: &str| row.get(column).unwrap_or_default().to_owned();
        Self {
            name: text("name"),
            node: text("node"),
            address: text("address"),
            port: text("port"),
            storage: text("storage"),
            users: words(&text("auth")).map(str::to_owned).collect(),
            image: text("image"),
            upstream: text("upstream"),
        }
    }

    /// Its cells but for the key.
    pub(crate) fn cells(&self) -> Vec<(&'static str, String)> {
        vec![
            ("node", self.node.clone()),
            ("address", self.address.clone()),
            ("port", self.port.clone()),
            ("storage", self.storage.clone()),
            ("auth", self.users.join(",")),
            ("image", self.image.clone()),
            ("upstream", self.upstream.clone()),
        ]
    }

    fn port(&self) -> Result<u16, Failure> {
        match self.port.as_str() {
            "" => Ok(PORT),
            text => text.parse().ok().filter(|&port| port > 0).ok_or_else(|| {
                Failure::refused(format!("registry {}: port '{text}' is not a number from 1 to 65535", self.name))
            }),
        }
    }

    /// The directory of its own one.
    pub(crate) fn storage(&self) -> &str {
        if self.storage.is_empty() { STORAGE } else { &self.storage }
    }

    fn image(&self) -> Result<Option<Reference>, Failure> {
        let named = Some(&self.image).filter(|image| !image.is_empty());
        let bad = |why: String| Failure::refused(format!("registry {}: {why}", self.name));
        named.map(|image| image.parse::<Reference>().map(|image| image.complete()).map_err(bad)).transpose()
    }

    fn address(&self, node: &Node) -> String {
        match self.address.as_str() {
            "" => node.get("ip").unwrap_or(node.name()).to_owned(),
            address => address.to_owned(),
        }
    }

    /// The registry as it shall be; of certificates nothing yet.
    pub(crate) fn config(&self, node: &Node, passwords: &Passwords, all: &[Self]) -> Result<Config, Failure> {
        if plugins::is_container(node) {
            return Err(Failure::refused(format!("{} is a container; a registry is a service of a host", node.name())));
        }
        let account = |user: &String| match passwords.get(user) {
            Some(password) => Ok(Account { user: user.clone(), password: password.clone() }),
            None => Err(Failure::refused(format!("table passwd has no password of {user} for key '{PASSWD_KEY}'"))
                .hint(format!("set one with: mkregistry {} --auth {user} --password-stdin", self.node))),
        };
        let hostnames = node.get("hostnames").unwrap_or_default();
        let known = hostnames.split([',', ' ']).filter(|name| !name.is_empty());
        let config = Config {
            name: self.name.clone(),
            node: node.name().to_owned(),
            address: self.address(node),
            known_as: known.chain(node.get("ip")).map(str::to_owned).collect(),
            port: self.port()?,
            storage: self.storage().to_owned(),
            accounts: self.users.iter().map(account).collect::<Result<_, _>>()?,
            image: self.image()?,
            brings_image: false,
            upstream: Some(self.upstream.clone()).filter(|url| !url.is_empty()).map(|url| Upstream {
                url,
                account: None,
                authority: None,
            }),
            certificate: None,
            authority: None,
            former: None,
            has_neighbours: all.iter().any(|other| other.node == self.node && other.name != self.name),
        };
        config.check()?;
        Ok(config)
    }
}

/// By user.
pub(crate) type Passwords = BTreeMap<String, Secret>;

/// The registries that are defined.
pub(crate) fn entries(tables: &Tables) -> Result<Vec<Entry>, Failure> {
    Ok(tables.rows(table(), Select::All)?.iter().map(Entry::of).collect())
}

/// The registry of that name.
pub(crate) fn find(entries: &[Entry], name: &str) -> Result<Entry, Failure> {
    let known = || entries.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>().join(", ");
    entries.iter().find(|entry| entry.name == name).cloned().ok_or_else(|| match entries {
        [] => Failure::refused(format!("there is no registry '{name}'")).hint("make one with: mkregistry NODE"),
        _ => Failure::refused(format!("there is no registry '{name}'")).hint(format!("there are: {}", known())),
    })
}

/// The passwords of our registries' users.
pub(crate) fn passwords(tables: &Tables) -> Result<Passwords, Failure> {
    let rows = tables.rows(passwd(), Select::Where(&[("key", PASSWD_KEY), ("authdomain", "")]))?;
    let pair = |row: &Row| Some((row.get("username")?.to_owned(), Secret::new(row.get("password")?)));
    Ok(rows.iter().filter_map(pair).collect())
}

/// Who hosts are to registries: the first user of each of ours, and whom table passwd has for others. What is not defined
/// well is no business of those who pull from elsewhere.
pub(crate) fn logins(tables: &Tables) -> Result<Vec<Login>, Failure> {
    let rows = tables.rows(passwd(), Select::Where(&[("key", PASSWD_KEY)]))?;
    let foreign = rows.iter().filter_map(|row| {
        let account = Account { user: row.get("username")?.to_owned(), password: Secret::new(row.get("password")?) };
        Some(Login { registry: row.get("authdomain")?.to_owned(), account })
    });
    let mut logins: Vec<Login> = foreign.collect();
    if rows.is_empty() {
        return Ok(logins);
    }
    let (passwords, entries) = (passwords(tables)?, entries(tables)?);
    for entry in &entries {
        let Some(node) = tables.nodes(&entry.node).ok().and_then(|nodes| nodes.into_iter().next()) else { continue };
        let Ok(config) = entry.config(&node, &passwords, &[]) else { continue };
        let registry = config.place();
        logins.extend(config.accounts.into_iter().next().map(|account| Login { registry, account }));
    }
    Ok(logins)
}

/// Which of our registries mirror which. What is not defined well mirrors nothing.
pub(crate) fn mirrors(tables: &Tables) -> Result<Vec<Mirror>, Failure> {
    let mirror = |entry: Entry| {
        let node = tables.nodes(&entry.node).ok()?.into_iter().next()?;
        let open = Entry { users: Vec::new(), ..entry };
        let config = open.config(&node, &Passwords::new(), &[]).ok()?;
        Some(Mirror { place: config.place(), of: config.upstream?.place()?.to_owned() })
    };
    Ok(entries(tables)?.into_iter().filter(|entry| !entry.upstream.is_empty()).filter_map(mirror).collect())
}

impl Context {
    /// Adds the certificates to a registry that shall be.
    pub(crate) fn certified(&self, config: Config, certificates: Certificates) -> Result<Config, Failure> {
        let directory = self.settings()?.tls_directory;
        let authority = match certificates {
            Certificates::Make => Some(Authority::open_or_create(&directory)?),
            Certificates::Find => Authority::open(&directory)?,
        };
        let Some(authority) = authority else { return Ok(config) };
        let (name, subject) = (config.certificate_name(), config.subject());
        let certificate = match certificates {
            Certificates::Make => Some(authority.keep(&name, &subject, LIFETIME)?),
            Certificates::Find => authority.find(&name, &subject)?,
        };
        Ok(Config { certificate, authority: Some(authority.certificate().to_owned()), ..config })
    }

    /// Adds to a mirror as whom it logs in to the registry behind it and who vouches for that, as for hosts.
    pub(crate) fn introduced(&self, mut config: Config, node: &Node) -> Result<Config, Failure> {
        let logins = self.settings()?.logins;
        if let Some(upstream) = &mut config.upstream {
            let trusted = dockerhost::Config::of(node)?.trust;
            let trust = trusted.iter().find(|trust| Some(trust.registry.as_str()) == upstream.place());
            upstream.authority = trust.map(dockerhost::Trust::foreign).transpose()?.flatten();
            let login = logins.into_iter().find(|login| Some(login.registry.as_str()) == upstream.place());
            upstream.account = login.map(|login| login.account);
        }
        config.check()?;
        Ok(config)
    }

    /// What stands before the names of a registry's images.
    pub(crate) fn registry_place(&self, entry: &Entry) -> Result<String, Failure> {
        let open = Entry { users: Vec::new(), upstream: String::new(), ..entry.clone() };
        Ok(open.config(&self.registry_node(entry)?, &Passwords::new(), &[])?.place())
    }

    /// The node of a registry.
    pub(crate) fn registry_node(&self, entry: &Entry) -> Result<Node, Failure> {
        let missing = || {
            Failure::refused(format!("node '{}' of registry {} is not defined", entry.node, entry.name))
                .hint(format!("forget the registry with: chtab -d name={} registry", entry.name))
        };
        let nodes = self.tables()?.nodes(&entry.node).map_err(|_| missing())?;
        nodes.into_iter().next().ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(attributes: &[(&str, &str)]) -> Node {
        let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Node::new("h1", attributes, None)
    }

    #[test]
    fn a_row_says_as_little_as_it_likes() {
        let entry = Entry { name: "h1".into(), node: "h1".into(), ..Entry::default() };
        let config =
            entry.config(&node(&[("ip", "10.0.0.1"), ("hostnames", "reg,store")]), &Passwords::new(), &[]).unwrap();
        assert_eq!((config.place(), config.data()), ("10.0.0.1:5000".into(), "/var/lib/xcrane/registry/h1".into()));
        assert_eq!(config.subject().names, ["10.0.0.1", "h1", "reg", "store"]);
        assert_eq!(entry.config(&node(&[]), &Passwords::new(), &[]).unwrap().place(), "h1:5000");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let entry = Entry { name: "h1".into(), node: "h1".into(), ..Entry::default() };
        let check = |entry: Entry, attributes: &[(&str, &str)], expected: &str| {
            let failure = entry.config(&node(attributes), &Passwords::new(), &[]).unwrap_err();
            assert!(failure.message.contains(expected), "{}", failure.message);
        };
        check(entry.clone(), &[("mgt", "docker")], "h1 is a container");
        check(Entry { port: "0".into(), ..entry.clone() }, &[], "port '0'");
        check(Entry { image: "A b".into(), ..entry.clone() }, &[], "registry h1: 'A b' is not the name of an image");
        check(Entry { users: vec!["ada".into()], ..entry }, &[], "no password of ada");
    }

    #[test]
    fn neighbours_are_on_the_same_node() {
        let entry = |name: &str, node: &str| Entry { name: name.into(), node: node.into(), ..Entry::default() };
        let all = [entry("a", "h1"), entry("b", "h1"), entry("c", "h2")];
        let alone =
            |entry: &Entry, all: &[Entry]| !entry.config(&node(&[]), &Passwords::new(), all).unwrap().has_neighbours;
        assert!(!alone(&all[0], &all) && alone(&all[2], &all) && alone(&all[0], &all[2..]));
    }
}
