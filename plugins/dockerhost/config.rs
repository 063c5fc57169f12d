//! What table dockerhost says of a host, read and checked.

use std::path::PathBuf;

use ipnetwork::IpNetwork;
use tables::{Node, urls};

use super::pools::{self, Pool};
use super::wrong;
use crate::authority::{self, Issued, Purpose, Subject};
use crate::docker::{is_container, tls_place};
use crate::setup::Family;
use crate::{Error, Result};

const LOG_MAX_SIZE: &str = "10m";
const LOG_MAX_FILE: &str = "3";
/// Where an engine keeps its data unless it is told otherwise.
pub(super) const DATA_ROOT: &str = "/var/lib/docker";

/// A Docker host as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The node's name, for messages.
    pub name: String,
    pub packages: Vec<String>,
    /// None: kept as they are, or chosen from what is free.
    pub pools: Option<Vec<Pool>>,
    pub mtu: Option<u32>,
    pub log_max_size: Option<String>,
    pub log_max_file: Option<String>,
    pub live_restore: Option<bool>,
    pub shutdown_timeout: Option<u64>,
    pub mirrors: Vec<String>,
    pub insecure: Vec<String>,
    pub trust: Vec<Trust>,
    pub data_root: Option<String>,
    /// Set where the endpoint is `tcp://`.
    pub listen: Option<Listen>,
    /// Networks of the site that the engine's own must keep clear of, with their names.
    pub networks: Vec<(String, IpNetwork)>,
    /// The certificate of the site's own authority; None before there is one.
    pub authority: Option<String>,
}

/// Where the engine listens, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub host: String,
    pub port: u16,
    /// What its certificate has to be for.
    pub subject: Subject,
    /// None: to be made when the plan is carried out.
    pub certificate: Option<Issued>,
}

/// A registry, and who vouches for it; None for the site's own authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    pub registry: String,
    pub authority: Option<PathBuf>,
}

impl Trust {
    /// The certificate of another authority than the site's own.
    pub fn foreign(&self) -> Result<Option<String>> {
        let read = |path: &PathBuf| {
            let unreadable = |source| Error::File { doing: "read", path: path.display().to_string(), source };
            std::fs::read_to_string(path).map_err(unreadable)
        };
        self.authority.as_ref().map(read).transpose()
    }
}

impl Config {
    /// Reads the attributes of a host. Networks and certificates are the caller's to add.
    pub fn of(node: &Node) -> Result<Self> {
        if is_container(node) {
            return Err(wrong("mgt", "'docker' makes this node a container; name the hosts that carry them"));
        }
        let words = |attribute: &str| words(node.get(attribute).unwrap_or_default());
        let config = Self {
            name: node.name().to_owned(),
            packages: words("dockerpackages"),
            pools: node.get("dockerpools").map(pools::parse).transpose().map_err(|why| wrong("dockerpools", why))?,
            mtu: number(node, "dockermtu", 68, 65_535)?.and_then(|mtu| u32::try_from(mtu).ok()),
            log_max_size: size(node, "dockerlogmaxsize")?,
            log_max_file: number(node, "dockerlogmaxfile", 1, 1000)?.map(|count| count.to_string()),
            live_restore: yes_no(node, "dockerliverestore")?,
            shutdown_timeout: number(node, "dockershutdowntimeout", 1, 86_400)?,
            mirrors: words("dockermirrors"),
            insecure: words("dockerinsecure"),
            trust: trusted(&words("dockertrust"), words("dockerregistries"))?,
            data_root: path(node, "dockerdataroot")?,
            listen: listen(node)?,
            networks: Vec::new(),
            authority: None,
        };
        check_words(&config)?;
        Ok(config)
    }

    /// Where images, containers and volumes are.
    pub(super) fn data_root(&self) -> &str {
        self.data_root.as_deref().unwrap_or(DATA_ROOT)
    }

    /// The packages that bring an engine, `|` between alternatives.
    pub(super) fn packages(&self, family: Option<Family>) -> Vec<String> {
        if !self.packages.is_empty() {
            return self.packages.clone();
        }
        match family {
            Some(Family::Apt) | None => vec!["docker.io|docker-ce|moby-engine".into()],
            Some(Family::Dnf) => vec!["docker-ce|moby-engine|docker".into()],
        }
    }

    pub(super) fn log_max_size(&self) -> &str {
        self.log_max_size.as_deref().unwrap_or(LOG_MAX_SIZE)
    }

    pub(super) fn log_max_file(&self) -> &str {
        self.log_max_file.as_deref().unwrap_or(LOG_MAX_FILE)
    }
}

fn words(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What becomes part of a command line or of a path must not be able to leave it.
fn check_words(config: &Config) -> Result<()> {
    let plain = |word: &str| {
        !word.starts_with('-') && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:_+|-".contains(&byte))
    };
    if let Some(word) = config.packages.iter().find(|word| !plain(word)) {
        return Err(wrong("dockerpackages", format!("'{word}' is not the name of a package")));
    }
    let registries = config.trust.iter().map(|trust| ("dockertrust", &trust.registry));
    let registries = registries.chain(config.insecure.iter().map(|registry| ("dockerinsecure", registry)));
    for (attribute, registry) in registries {
        let host = registry.split('/').next().unwrap_or_default();
        if host.is_empty()
            || host.starts_with('.')
            || !plain(host)
            || (attribute == "dockertrust" && registry.contains('/'))
        {
            return Err(wrong(attribute, format!("'{registry}' is not a registry; it takes HOST:PORT")));
        }
    }
    if config.mirrors.iter().any(|mirror| urls::has_account(mirror)) {
        return Err(wrong("dockermirrors", "it takes no account ('@') in an address, because everybody can read it"));
    }
    match config.mirrors.iter().find(|mirror| !mirror.starts_with("http://") && !mirror.starts_with("https://")) {
        Some(mirror) => Err(wrong("dockermirrors", format!("'{mirror}' does not begin with http:// or https://"))),
        None => Ok(()),
    }
}

fn number(node: &Node, attribute: &str, least: u64, most: u64) -> Result<Option<u64>> {
    let Some(text) = node.get(attribute) else { return Ok(None) };
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.map(Some).ok_or_else(|| wrong(attribute, format!("'{text}' is not a number from {least} to {most}")))
}

fn yes_no(node: &Node, attribute: &str) -> Result<Option<bool>> {
    match node.get(attribute) {
        None => Ok(None),
        Some("yes" | "1" | "true") => Ok(Some(true)),
        Some("no" | "0" | "false") => Ok(Some(false)),
        Some(other) => Err(wrong(attribute, format!("'{other}' is neither yes nor no"))),
    }
}

fn size(node: &Node, attribute: &str) -> Result<Option<String>> {
    let Some(text) = node.get(attribute) else { return Ok(None) };
    let digits = text.strip_suffix(['k', 'm', 'g']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) || digits.starts_with('0') {
        return Err(wrong(attribute, format!("'{text}' is not a size such as 10m")));
    }
    Ok(Some(text.to_owned()))
}

fn path(node: &Node, attribute: &str) -> Result<Option<String>> {
    let Some(text) = node.get(attribute) else { return Ok(None) };
    let text = text.trim_end_matches('/');
    if !text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err(wrong(attribute, format!("'{text}' is not the path of a directory of its own")));
    }
    Ok(Some(text.to_owned()))
}

/// Registries that the host shall ask first are trusted as well, by the site's authority unless another one is named.
fn trusted(trusted: &[String], asked: Vec<String>) -> Result<Vec<Trust>> {
    let mut all: Vec<Trust> = trusted.iter().map(|word| trust(word)).collect::<Result<_>>()?;
    for registry in asked {
        if !is_place(&registry) {
            return Err(wrong("dockerregistries", format!("'{registry}' is not a registry; it takes HOST:PORT")));
        }
        if !all.iter().any(|known| known.registry == registry) {
            all.push(Trust { registry, authority: None });
        }
    }
    Ok(all)
}

fn is_place(registry: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".:-_[]".contains(&byte);
    !registry.starts_with(['.', '-']) && registry.bytes().all(legal)
}

fn trust(word: &str) -> Result<Trust> {
    let (registry, authority) = word.split_once('=').map_or((word, None), |(registry, path)| (registry, Some(path)));
    if authority.is_some_and(|path| !path.starts_with('/')) {
        return Err(wrong("dockertrust", format!("'{word}' does not name a file by its whole path")));
    }
    Ok(Trust { registry: registry.into(), authority: authority.map(PathBuf::from) })
}

/// An engine listens only where its endpoint says so, and its certificate is for every name that a client may use.
fn listen(node: &Node) -> Result<Option<Listen>> {
    let Some((host, port)) = tls_place(node)? else { return Ok(None) };
    let known = [Some(host.as_str()), Some(node.name()), node.get("ip")];
    let names = authority::names(known.into_iter().flatten());
    let subject = Subject { names, purpose: Purpose::Server };
    Ok(Some(Listen { host, port, subject, certificate: None }))
}
