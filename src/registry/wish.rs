//! A registry as somebody wants it now, with what is known of it: what mkregistry and module registry share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plugins::archive::Archive;
use plugins::registry::{self, Config};
use plugins::{Secret, setup};
use tables::Node;

use super::{Entry, PASSWD_KEY, Passwords, entries, passwd, passwords, table};
use crate::context::Context;
use crate::docker_host::{self, Certificates};
use crate::failure::Failure;
use crate::images::archives;
use crate::plan::Plan;

/// What was said of a registry. What was not said is as it was, or as is usual.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    /// The node that it runs on.
    pub(crate) noderange: String,
    pub(crate) name: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) storage: Option<String>,
    pub(crate) auth: Vec<String>,
    pub(crate) password_stdin: bool,
    pub(crate) upstream: Option<String>,
    pub(crate) packages: Option<PathBuf>,
    pub(crate) image: Option<PathBuf>,
    pub(crate) reason: Option<String>,
}

/// The registry as it is to be, of what was said and what is known.
pub(crate) struct Meant {
    pub(crate) node: Node,
    pub(crate) config: Config,
    /// The image of its server.
    pub(crate) archive: Option<Arc<Archive>>,
    /// Whether it is in table registry.
    pub(crate) is_known: bool,
    entry: Entry,
    /// Passwords that are not in the tables yet, by user.
    new: Vec<(String, Secret)>,
}

impl Wish {
    /// The registry with all that was said; nothing of it is kept yet.
    pub(crate) async fn meant(&self, cx: &Context, certificates: Certificates) -> Result<Meant, Failure> {
        let node = self.node(cx)?;
        let all = entries(cx.tables()?)?;
        let archive = match &self.image {
            Some(path) => Some(Arc::new(archives::open(path).await?)),
            None => None,
        };
        let entry = self.entry(cx, &node, &all, archive.as_deref())?;
        let mut passwords = passwords(cx.tables()?)?;
        let new = self.new_passwords(cx, &entry, &passwords).await?;
        passwords.extend(new.iter().cloned());
        let known = all.iter().find(|known| known.name == entry.name);
        let former = known.map(|known| known.storage().to_owned()).filter(|storage| storage != entry.storage());
        let brings_image = archive.is_some();
        let config = Config { former, brings_image, ..entry.config(&node, &passwords, &all)? };
        let config = cx.certified(cx.introduced(config, &node)?, certificates)?;
        Ok(Meant { is_known: known.is_some(), node, config, archive, entry, new })
    }

    fn node(&self, cx: &Context) -> Result<Node, Failure> {
        if let Some(directory) = self.packages.as_ref().filter(|directory| !directory.is_dir()) {
            return Err(Failure::refused(format!("{} is not a directory", directory.display())));
        }
        if self.password_stdin && self.auth.len() != 1 {
            return Err(Failure::usage("--password-stdin is for one user, and --auth names several"));
        }
        let mut nodes = cx.nodes(&self.noderange)?;
        match (nodes.pop(), nodes.is_empty()) {
            (Some(node), true) => Ok(node),
            _ => Err(Failure::refused(format!("'{}' is more than one node; a registry is on one", self.noderange))),
        }
    }

    /// What is known of the registry, with what was said now.
    fn entry(&self, cx: &Context, node: &Node, all: &[Entry], archive: Option<&Archive>) -> Result<Entry, Failure> {
        let name = self.name.clone().unwrap_or_else(|| node.name().to_owned());
        let known = all.iter().find(|entry| entry.name == name).cloned();
        let known = known.unwrap_or_else(|| Entry { name, node: node.name().to_owned(), ..Entry::default() });
        if known.node != node.name() {
            return Err(Failure::refused(format!("registry {} is on {} already", known.name, known.node))
                .hint(format!("remove it there with: rmregistry {}", known.name)));
        }
        Ok(Entry {
            address: self.address.clone().unwrap_or(known.address),
            port: self.port.map_or(known.port, |port| port.to_string()),
            storage: self.storage.clone().unwrap_or(known.storage),
            users: if self.auth.is_empty() { known.users } else { self.auth.clone() },
            image: archive.map(|archive| self.name_of(archive)).transpose()?.unwrap_or(known.image),
            upstream: self.upstream(cx, all)?.unwrap_or(known.upstream),
            ..known
        })
    }

    /// What the only image of an archive is called.
    fn name_of(&self, archive: &Archive) -> Result<String, Failure> {
        let file = self.image.as_deref().map(Path::display);
        match archive.images() {
            [image] => image.names.first().cloned().ok_or("its image has no name"),
            _ => Err("it holds several images"),
        }
        .map_err(|why| {
            Failure::refused(format!("{} is not the image of one server: {why}", file.expect("it was opened")))
        })
    }

    /// The URL behind the mirror, also where one of our own registries is meant.
    fn upstream(&self, cx: &Context, all: &[Entry]) -> Result<Option<String>, Failure> {
        let Some(said) = &self.upstream else { return Ok(None) };
        let Some(own) = all.iter().find(|entry| &entry.name == said) else { return Ok(Some(said.clone())) };
        Ok(Some(format!("https://{}", cx.registry_place(own)?)))
    }

    /// Passwords that are not in the tables yet, by user.
    async fn new_passwords(
        &self,
        cx: &Context,
        entry: &Entry,
        known: &Passwords,
    ) -> Result<Vec<(String, Secret)>, Failure> {
        if self.password_stdin {
            let user = self.auth.first().cloned().unwrap_or_default();
            let password = cx.password(&format!("Password of {user}")).await?;
            return Ok(vec![(user, password)]);
        }
        let lacking = entry.users.iter().filter(|user| self.auth.contains(user) && !known.contains_key(*user));
        lacking.map(|user| Ok((user.clone(), Secret::random()?))).collect()
    }

    /// What is to be done on the node.
    pub(crate) async fn look(&self, cx: &Context, meant: &Meant) -> Result<Plan, Failure> {
        let Meant { node, config, .. } = meant;
        let host = cx.backends()?.host(node).await?;
        let observed = setup::observe(&host, &registry::questions(config)).await?;
        let wanted = registry::wanted(config, &observed)?;
        let mut steps = docker_host::steps(&host, &wanted).await?;
        if let Some(directory) = &self.packages {
            steps = setup::packages_from(steps, directory);
        }
        Ok(Plan { node: node.clone(), steps, notes: registry::notes(config, &observed), stops: 0 })
    }

    /// Writes it into the tables. Comes before the first change of the node, so that a run that is killed can be completed.
    pub(crate) fn keep(&self, cx: &Context, meant: &Meant) -> Result<(), Failure> {
        let Meant { entry, new, .. } = meant;
        let cells = entry.cells();
        let cells: Vec<(&str, &str)> = cells.iter().map(|(column, value)| (*column, value.as_str())).collect();
        cx.tables()?.edit(&cx.origin(self.reason.clone()), |edit| {
            edit.set(table(), &[&entry.name], &cells)?;
            for (user, password) in new {
                let chosen = [("key", PASSWD_KEY), ("username", user.as_str()), ("authdomain", "")];
                edit.set_where(passwd(), &chosen, &[("password", password.reveal())])?;
            }
            Ok(())
        })?;
        Ok(())
    }
}
