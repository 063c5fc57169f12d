//! The HTTP server that nodes boot from: their scripts, files of images, what is a node's own, and what nodes say of
//! themselves.
//!
//!     GET  /boot.ipxe              the script that leads a machine to its own
//!     GET  /node/MAC               the script of the node with that address
//!     POST /node/MAC/status        where it says how far it has come     (token)
//!     GET  /node/MAC/status/booted?token=TOKEN    the same for wget
//!     GET  /node/MAC/file/NAME     what only this node may have          (token); its ssh host key is made when it is asked for first
//!     GET  /node/MAC/postscripts?token=TOKEN      what runs on it once it is up
//!     GET  /node/MAC/install/TOKEN/NAME           what its installer is to do
//!     GET  /node/MAC/step?token=TOKEN            what the maintenance system is to do
//!     GET  /node/MAC/done?token=TOKEN&id=STEP    that it has done it
//!     POST /discover/MAC           what a machine is that nobody knows
//!     GET  /image/IMAGE/NAME       files of an image
//!     GET  /media/IMAGE/NAME       packages of an image, for installers
//!     GET  /genesis/NAME           the maintenance system
//!     GET  /NAME                   iPXE, for firmware that boots by HTTP
//!
//! The token is in the script (`xcrane.token=`) and comes back in `Authorization: Bearer TOKEN`, from where the node is.

mod accept;
mod answer;
mod begin;
mod callback;
mod content;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod limits;
mod maintenance;
mod neighbour;
mod piece;
mod proof;
mod provision;
mod range;
mod route;
mod site;
mod token;
mod told;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use tables::Node;
use tokio::task::spawn_blocking;
use tracing::warn;

use crate::arrivals::Arrivals;
use crate::discovery::Director;
use crate::events::{Event, Events, Kind, subject};
use crate::hostkey;
use crate::mac::Mac;
use crate::recent::Recent;
use crate::root::{self, Opened, Refused, Root};
use crate::script::{self, Templates};
use answer::{Answer, Body, empty, file, full, not_allowed, status, text, too_many, unavailable};
use callback::said;
use limits::Limits;
use maintenance::{Discovery, Query};
use route::Route;
use token::{Purpose, Tokens};
use told::Fetch;

pub(crate) use answer::chain;

pub use accept::serve;
pub use neighbour::neighbour_at;
pub use route::encoded;
pub use site::{LiveSite, Site};

/// The port unless a site says otherwise.
pub const PORT: u16 = 80;

/// So many files of so many bytes are kept for a moment for whoever asks next.
const SMALL_FILES: usize = 256;
const SMALLEST: u64 = 32 << 10;
/// How long a report may take to arrive.
const ARRIVING: Duration = Duration::from_secs(20);

/// Why the server cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use the key of boot tokens {}", path.display())]
    Key { path: PathBuf, source: io::Error },
    #[error("the templates of boot scripts cannot be used")]
    Templates(#[from] script::Error),
}

/// What is served.
pub struct Server {
    home: PathBuf,
    site: Arc<dyn Site>,
    templates: Templates,
    tokens: Tokens,
    shares: BTreeMap<String, Root>,
    recent: Recent,
    limits: Limits,
    discovery: Option<Discovery>,
    events: Events,
    arrivals: Arc<Arrivals>,
}

/// Who asks, and under which of our addresses.
#[derive(Debug, Clone)]
struct Ends {
    client: SocketAddr,
    ours: SocketAddr,
    interface: Arc<str>,
}

impl Ends {
    /// Something that is seen of who asks.
    fn event(&self, kind: Kind, subject: &'static str) -> Event {
        Event::new(&self.interface, kind, subject).from(self.client.ip())
    }
}

impl Server {
    /// A server of that home: templates in `boot`, the maintenance system in `genesis`, files of nodes in `nodes/NODE`.
    pub fn new(home: &Path, site: Arc<dyn Site>) -> Result<Self, Error> {
        let path = home.join("boot.key");
        let tokens = Tokens::open(&path).map_err(|source| Error::Key { path, source })?;
        let templates = Templates::new(&home.join("boot"))?;
        let shares = BTreeMap::from([
            ("genesis".to_owned(), Root::new([home.join("genesis")])),
            ("loader".to_owned(), Root::new(root::loaders())),
        ]);
        Ok(Self {
            home: home.to_owned(),
            site,
            templates,
            tokens,
            shares,
            recent: Recent::new(SMALL_FILES, SMALLEST),
            limits: Limits::new(),
            discovery: None,
            events: Events::default(),
            arrivals: Arc::default(),
        })
    }

    /// Tells what is seen of machines.
    #[must_use]
    pub fn telling(self, events: Events) -> Self {
        Self { events, ..self }
    }

    /// Looks there whether a node that asks is in its firmware.
    #[must_use]
    pub fn noting(self, arrivals: Arc<Arrivals>) -> Self {
        Self { arrivals, ..self }
    }

    /// Serves also the files of `root` under `/NAME/`, to everybody.
    #[must_use]
    pub fn share(mut self, name: &str, root: Root) -> Self {
        self.shares.insert(name.to_owned(), root);
        self
    }

    /// Has machines that nobody knows be discovered, and chains of nodes be followed.
    #[must_use]
    pub fn directed(self, director: Arc<dyn Director>) -> Self {
        Self { discovery: Some(Discovery::new(director)), ..self }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>, ends: Ends) -> Answer {
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let route = Route::of(&path);
        if !self.limits.let_pass(ends.client.ip(), route.as_ref()).await {
            return too_many();
        }
        match route {
            None => status(StatusCode::NOT_FOUND),
            Some(Route::Status(mac)) if head.method == Method::POST => {
                let word = match said(body).await {
                    Ok(word) => word,
                    Err(code) => return status(code),
                };
                waiting(move || self.told(mac, bearer(&head.headers), &word, &ends)).await
            }
            Some(Route::Discover(mac)) if head.method == Method::POST => {
                self.discover(mac, Query::of(&head.uri), ends, body).await
            }
            Some(route) => self.read(route, head, ends).await,
        }
    }

    /// What is asked for without a body.
    async fn read(self: Arc<Self>, route: Route, head: Parts, ends: Ends) -> Answer {
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        match route {
            Route::Status(_) | Route::Discover(_) => not_allowed("POST"),
            Route::Callback(mac, word) if head.method == Method::GET => {
                let token = asked_with(&head.uri);
                waiting(move || self.told(mac, token, &word, &ends)).await
            }
            Route::Callback(..) => not_allowed("GET"),
            _ if !reads => not_allowed("GET, HEAD"),
            Route::Start => text(script::start(&self.templates, &address(ends.ours))),
            Route::Script(mac) => {
                let begins = head.method == Method::GET;
                waiting(move || self.script(mac, &ends, begins)).await
            }
            Route::Own(mac, name) => waiting(move || self.own(mac, &name, &head.headers, &ends)).await,
            Route::Image(image, name) => {
                let fetch = self.fetch(told::part(&name), format!("{image}/{name}"), ends);
                let path = format!("image/{image}/{name}");
                self.fetched(head, fetch, path, move |server, path, asked| server.image(&image, &name, path, asked))
                    .await
            }
            Route::Step(mac) => {
                let query = Query::of(&head.uri);
                waiting(move || self.step(mac, &query, &ends)).await
            }
            Route::Done(mac) => {
                let query = Query::of(&head.uri);
                waiting(move || self.done(mac, &query, &ends)).await
            }
            Route::Postscripts(mac) => {
                let token = asked_with(&head.uri).or_else(|| bearer(&head.headers));
                waiting(move || self.postscripts(mac, token.as_deref(), ends)).await
            }
            Route::Install(mac, token, name) => waiting(move || self.answers(mac, &token, &name, ends)).await,
            Route::Media(image, name) => waiting(move || self.media(&image, &name, &head.headers)).await,
            Route::Shared(share, name) => {
                let subject = if share == "loader" { subject::LOADER } else { told::part(&name) };
                let path = format!("{share}/{name}");
                let fetch = self.fetch(subject, path.clone(), ends);
                self.fetched(head, fetch, path, move |server, path, asked| server.shared(&share, &name, path, asked))
                    .await
            }
        }
    }

    /// A file that many fetch: what was read just now, else what `find` finds.
    async fn fetched(
        self: Arc<Self>,
        head: Parts,
        fetch: Fetch,
        path: String,
        find: impl FnOnce(&Self, String, &HeaderMap) -> Answer + Send + 'static,
    ) -> Answer {
        let answer = match self.recent.find(&path) {
            Some(small) => content::answer_small(&small, &head.headers),
            None => waiting(move || find(&self, path, &head.headers)).await,
        };
        if head.method == Method::GET { fetch.watch(answer) } else { answer }
    }

    /// Forgets who has booted, and who has asked how much.
    #[cfg(any(test, fuzzing))]
    fn forget(&self) {
        self.tokens.forget();
        self.limits.forget();
        if let Some(discovery) = &self.discovery {
            discovery.forget();
        }
    }

    fn fetch(&self, subject: &'static str, name: String, ends: Ends) -> Fetch {
        Fetch { events: self.events.clone(), ends, subject, name }
    }

    /// A file that only one node may have.
    fn own(&self, mac: Mac, name: &str, headers: &HeaderMap, ends: &Ends) -> Answer {
        let Some(token) = bearer(headers) else { return self.denied(ends, mac, StatusCode::UNAUTHORIZED) };
        // An installation may have taken its time when it asks by which key ssh is to know it.
        let purpose = if name == hostkey::FILE { Purpose::Status } else { Purpose::Files };
        match self.proven(mac, &token, purpose, ends) {
            // A node's name has neither slashes nor is it `..`: no other directory is meant.
            Ok(node) if !node.name().contains('/') && !node.name().starts_with('.') => {
                let event = || ends.event(Kind::Sent, subject::FILE).of(mac).node(Some(node.name())).detail(name);
                self.events.tell(event);
                if name == hostkey::FILE {
                    let address = node.get("ip").filter(|ip| ip.parse::<IpAddr>().is_ok());
                    let names: Vec<&str> = [node.name()].into_iter().chain(address).collect();
                    if let Err(error) = hostkey::ensure(&self.home, node.name(), &names) {
                        return unavailable(&error);
                    }
                }
                file(Root::new([self.home.join("nodes").join(node.name())]).open(name), headers)
            }
            Ok(_) => status(StatusCode::NOT_FOUND),
            Err(unproven) => self.denied(ends, mac, unproven),
        }
    }

    fn image(&self, image: &str, name: &str, path: String, headers: &HeaderMap) -> Answer {
        match self.directories(image) {
            Ok(directories) => self.public(Root::new(directories).open(name), path, headers),
            Err(error) => unavailable(&error),
        }
    }

    fn shared(&self, share: &str, name: &str, path: String, headers: &HeaderMap) -> Answer {
        match self.shares.get(share) {
            Some(root) => self.public(root.open(name), path, headers),
            None => status(StatusCode::NOT_FOUND),
        }
    }

    /// A file that everybody may have; many may ask for it at once.
    fn public(&self, opened: Result<Opened, Refused>, path: String, headers: &HeaderMap) -> Answer {
        match opened.map(|opened| (self.recent.read(path, &opened), opened)) {
            Ok((Ok(Some(small)), _)) => content::answer_small(&small, headers),
            Ok((Ok(None), opened)) => content::answer(opened, headers),
            Ok((Err(error), _)) => unavailable(&error),
            Err(refused) => file(Err(refused), headers),
        }
    }

    fn directories(&self, image: &str) -> tables::Result<Vec<PathBuf>> {
        Ok(script::image::directories(&self.home, image, self.site.image(image)?.as_ref()))
    }

    /// What the root file system of a node's image must be.
    fn digest(&self, node: &Node) -> Option<String> {
        let directories = self.directories(node.get("provmethod")?).ok()?;
        script::image::digest(&directories)
    }
}

/// Whether a home has a maintenance system.
pub fn has_genesis(home: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(home.join("genesis")) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("kernel."))
}

/// What addresses of a server of ours begin with.
pub fn address(ours: SocketAddr) -> String {
    match (ours.ip(), ours.port()) {
        (IpAddr::V4(ip), PORT) => format!("http://{ip}"),
        (IpAddr::V6(ip), PORT) => format!("http://[{ip}]"),
        _ => format!("http://{ours}"),
    }
}

/// Does what waits for disks and databases on a thread for that.
async fn waiting(work: impl FnOnce() -> Answer + Send + 'static) -> Answer {
    spawn_blocking(work).await.unwrap_or_else(|error| {
        warn!(%error, "http: an answer failed");
        status(StatusCode::INTERNAL_SERVER_ERROR)
    })
}

/// The token in an address, for what cannot send headers.
fn asked_with(uri: &hyper::Uri) -> Option<String> {
    uri.query().and_then(|query| query.strip_prefix("token=")).map(str::to_owned)
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(|token| token.trim().to_owned())
}

#[cfg(test)]
mod tests;
