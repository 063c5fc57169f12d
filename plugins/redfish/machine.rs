//! The machine behind a BMC: which of the systems that this tells of is the node, and what is asked of it.

use std::collections::HashSet;

use hyper::Method;
use serde_json::Value;
use tokio::time::timeout;

use super::document::{Document, last};
use super::quirks::Quirks;
use super::session::{Answer, Ask, Session};
use crate::{Error, Result};

/// Pages of a collection; one that never ends comes to an end.
const PAGES: usize = 200;
/// What a collection may have; it is read within the limit of one answer.
const MEMBERS: usize = 1024;
/// Systems that are looked at for a name.
const SYSTEMS: usize = 64;
const LOOKING: &str = "find the machine";

pub(super) struct Machine {
    pub(super) session: Session,
    path: String,
    /// What was last read of it, and which version that is.
    pub(super) now: Document,
    pub(super) quirks: &'static Quirks,
}

impl Machine {
    /// The only machine of a BMC, else the one that is called like the node; within the limit of one answer.
    pub(super) async fn find(session: Session, node: &str) -> Result<Self> {
        let (limit, late) = (session.limit(), late(&session, LOOKING));
        timeout(limit, Self::found(session, node)).await.map_err(|_| late)?
    }

    async fn found(mut session: Session, node: &str) -> Result<Self> {
        let quirks = Quirks::of(&session.root);
        let systems = session.root.link(&["Systems"]);
        let systems = systems.ok_or_else(|| session.garbled(LOOKING, "it tells of no systems"))?;
        let mut paths = members(&mut session, LOOKING, &systems).await?;
        paths.retain(|path| !quirks.parts.iter().any(|part| last(path).starts_with(part)));
        let path = match paths.as_slice() {
            [] => return Err(session.garbled(LOOKING, "it tells of no systems")),
            [only] => only.clone(),
            several => named(&mut session, several, node).await?,
        };
        let (now, _) = session.get(LOOKING, &path).await?;
        Ok(Self { session, path, now, quirks })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Reads anew what the machine is.
    pub(super) async fn look(&mut self, doing: &str) -> Result<&Document> {
        self.now = self.session.get(doing, &self.path).await?.0;
        Ok(&self.now)
    }

    /// Has an action done that may well be refused. It may go on when this comes back.
    pub(super) async fn post(&mut self, doing: &str, target: &str, body: &Value) -> Result<Answer> {
        self.session.try_ask(Ask { doing, method: &Method::POST, path: target, body: Some(body), tag: None }).await
    }

    /// Has an action done that must be a success.
    pub(super) async fn act(&mut self, doing: &str, target: &str, body: &Value) -> Result<()> {
        let answer = self.post(doing, target, body).await?;
        self.session.succeeded(doing, target, answer).map(drop)
    }

    /// The first of what the machine is linked to, else the first that the BMC has at all.
    pub(super) async fn beside(
        &mut self,
        doing: &str,
        link: &str,
        collection: &str,
    ) -> Result<Option<(String, Document)>> {
        let linked = self.now.links(&["Links", link]);
        let paths = match (linked.is_empty(), self.session.root.link(&[collection])) {
            (true, Some(collection)) => members(&mut self.session, doing, &collection).await?,
            _ => linked,
        };
        let Some(path) = paths.into_iter().next() else { return Ok(None) };
        let (document, _) = self.session.get(doing, &path).await?;
        Ok(Some((path, document)))
    }
}

/// The system that is called like the node: by its id, else by its name.
async fn named(session: &mut Session, paths: &[String], node: &str) -> Result<String> {
    let is_node = |text: &str| text.eq_ignore_ascii_case(node);
    if let Some(path) = paths.iter().find(|path| is_node(last(path))) {
        return Ok(path.clone());
    }
    for path in paths.iter().take(SYSTEMS) {
        let (system, _) = session.get(LOOKING, path).await?;
        if ["Name", "HostName"].iter().filter_map(|member| system.text(&[member])).any(|name| is_node(&name)) {
            return Ok(path.clone());
        }
    }
    let ids: Vec<&str> = paths.iter().map(|path| last(path)).take(8).collect();
    let why = format!("it has {} systems ({}), and none is called {node}", paths.len(), ids.join(", "));
    Err(session.refused(LOOKING, why))
}

/// The paths of what is in a collection.
pub(super) async fn members(session: &mut Session, doing: &str, path: &str) -> Result<Vec<String>> {
    let (limit, late) = (session.limit(), late(session, doing));
    timeout(limit, all_members(session, doing, path)).await.map_err(|_| late)?
}

async fn all_members(session: &mut Session, doing: &str, path: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut pages = Pages::of(path);
    while let Some(page) = pages.next(session, doing).await? {
        paths.extend(page.links(&["Members"]));
        if paths.len() > MEMBERS {
            return Err(session.garbled(doing, format!("{path} has more than {MEMBERS} members")));
        }
    }
    Ok(paths)
}

/// What is in a collection, as it stands in one answer where the BMC does that, else asked for one by one. `sign` is a member
/// of what came as a whole. What cannot be read for itself is left out.
pub(super) async fn whole_members(session: &mut Session, doing: &str, path: &str, sign: &str) -> Result<Vec<Document>> {
    let mut pages = match session.expands() {
        true => Pages::of(&format!("{path}?$expand=.($levels=1)")),
        false => Pages::of(path),
    };
    let mut all = Vec::new();
    while let Some(page) = pages.next(session, doing).await? {
        for member in page.objects(&["Members"]) {
            match member.link(&[]) {
                Some(path) if !member.has(sign) => all.extend(session.find(doing, &path).await?),
                _ => all.push(member),
            }
            if all.len() > MEMBERS {
                return Err(session.garbled(doing, format!("{path} has more than {MEMBERS} members")));
            }
        }
    }
    Ok(all)
}

fn late(session: &Session, doing: &str) -> Error {
    Error::TimedOut { what: format!("{}: cannot {doing}", session.name()), after: session.limit() }
}

/// The pages of a collection.
pub(super) struct Pages {
    next: Option<String>,
    seen: HashSet<String>,
}

impl Pages {
    pub(super) fn of(path: &str) -> Self {
        Self { next: Some(path.to_owned()), seen: HashSet::new() }
    }

    pub(super) async fn next(&mut self, session: &mut Session, doing: &str) -> Result<Option<Document>> {
        let Some(path) = self.next.take() else { return Ok(None) };
        if self.seen.len() >= PAGES || !self.seen.insert(path.clone()) {
            return Err(session.garbled(doing, format!("{path} never ends")));
        }
        let (page, _) = session.get(doing, &path).await?;
        self.next = page.path(&["Members@odata.nextLink"]);
        Ok(Some(page))
    }
}

/// What nobody has told us how to do.
pub(super) fn not_offered(session: &Session, doing: &str, offered: &[String]) -> Error {
    session.refused(doing, format!("it offers {} only", offered.join(", ")))
}
