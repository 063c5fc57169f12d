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
use std::fmt::Write;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, Response, StatusCode};
use tables::Node;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::warn;

use crate::arrivals::Arrivals;
use crate::discovery::Director;
use crate::events::{Event, Events, Kind, subject};
use crate::hostkey;
use crate::mac::Mac;
use crate::recent::Recent;
use crate::root::{self, Opened, Refused, Root};
use crate::script::{self, Around, State, Templates};
use limits::Limits;
use maintenance::{Discovery, Query};
use route::Route;
use token::{Purpose, Tokens};
use told::Fetch;

pub use accept::serve;
pub use neighbour::neighbour_at;
pub use route::encoded;
pub use site::{LiveSite, Site};

/// The port unless a site says otherwise.
pub const PORT: u16 = 80;

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Answer = Response<Body>;

/// What a node may say of itself (`nodelist.status`, in xCAT's words).
const STATUSES: &[&str] = &[
    "discovering",
    "discovered",
    "configuring",
    "configured",
    "standingby",
    "shell",
    "bmcready",
    "installing",
    "installed",
    "netbooting",
    "booting",
    "postbooting",
    "booted",
    "failed",
];
/// So many files of so many bytes are kept for a moment for whoever asks next.
const SMALL_FILES: usize = 256;
const SMALLEST: u64 = 32 << 10;
const LONGEST_STATUS: usize = 256;
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
        let Some(route) = route else { return status(StatusCode::NOT_FOUND) };
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        match route {
            Route::Status(mac) if head.method == Method::POST => {
                let word = match said(body).await {
                    Ok(word) => word,
                    Err(code) => return status(code),
                };
                waiting(move || self.told(mac, bearer(&head.headers), &word, &ends)).await
            }
            Route::Status(_) => not_allowed("POST"),
            Route::Discover(mac) if head.method == Method::POST => {
                self.discover(mac, Query::of(&head.uri), ends, body).await
            }
            Route::Discover(_) => not_allowed("POST"),
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
                let (fetch, path) =
                    (self.fetch(told::part(&name), format!("{image}/{name}"), ends), format!("image/{image}/{name}"));
                let answer = match self.recent.find(&path) {
                    Some(small) => content::answer_small(&small, &head.headers),
                    None => waiting(move || self.image(&image, &name, path, &head.headers)).await,
                };
                if head.method == Method::GET { fetch.watch(answer) } else { answer }
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
                let answer = match self.recent.find(&path) {
                    Some(small) => content::answer_small(&small, &head.headers),
                    None => waiting(move || self.shared(&share, &name, path, &head.headers)).await,
                };
                if head.method == Method::GET { fetch.watch(answer) } else { answer }
            }
        }
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

    /// The script of a machine. Fetching it is where a boot begins: the node gets a token, and its status follows. Not so
    /// while it is up, for whoever is on it can ask, too; unless DHCP has just heard of its firmware.
    fn script(&self, mac: Mac, ends: &Ends, begins: bool) -> Answer {
        let mut node = match self.site.node_of(mac) {
            Ok(node) => node,
            Err(error) => return unavailable(&error),
        };
        if let Some(known) = node.as_ref().filter(|node| begins && neighbour::is_at(node, mac, ends.client.ip()))
            // Users of a node that is to reboot have not done so when they ask.
            && (self.arrivals.has(mac) || !self.may_be_up(known))
            && let Some(further) = self.begun(mac, known, ends)
        {
            node = Some(further);
        }
        let (client, server) = (ends.client.ip(), address(ends.ours));
        let known = node.as_ref().filter(|node| begins && neighbour::is_at(node, mac, client));
        // What was installed has yet to say that it is up, with the token of the installation.
        let known = known.filter(|node| !awaits_first_start(node));
        let arrives = known.is_some() && self.arrivals.take(mac);
        let is_up = known.is_some_and(|node| self.may_be_up(node) && !(arrives && begins_anew(node)));
        let token = known.map(|node| self.tokens.give(node.name(), is_up, client, SystemTime::now()));
        let genesis = has_genesis(&self.home);
        let ours = ends.ours.ip().to_string();
        let digest = node.as_ref().and_then(|node| self.digest(node));
        let digest = digest.as_deref();
        let around = Around { server: &server, address: &ours, digest, mac, token: token.as_deref(), genesis };
        let written = script::write(&self.templates, node.as_ref(), &around);
        let state = node.as_ref().map_or(State::Discover, State::of);
        let event = |kind| ends.event(kind, state.word());
        // Who cannot be the node has no part in what is known of it.
        let own = |kind| event(kind).of(mac).node(node.as_ref().map(Node::name));
        self.events.tell(|| match (&written, known) {
            (Err(error), Some(_)) => own(Kind::NoScript).detail(chain(error)),
            (Err(error), None) => event(Kind::NoScript).detail(format_args!("{mac}: {}", chain(error))),
            (Ok(_), Some(_)) if is_up => own(Kind::Script).detail("it is up already, its files stay shut"),
            (Ok(_), Some(_)) => own(Kind::Script).detail(state.image()),
            (Ok(_), None) if node.is_none() => event(Kind::Script).of(mac).detail("no node has this MAC address"),
            (Ok(_), None) => event(Kind::Script).detail(format_args!("of {mac}, which is not there: without a token")),
        });
        if let (Ok(_), Some(node)) = (&written, known.filter(|_| !is_up))
            && let Err(error) = self.site.record(node.name(), state.status())
        {
            self.tokens.is_unheard(node.name());
            warn!(node = node.name(), %error, "http: status not written");
        }
        text(written)
    }

    /// Whether there may be others on a node who ask in its name. Until it has no power they still are, and it is said to be
    /// switched on before its BMC is asked. That it is on its way, or was never heard of, decides only where this very daemon
    /// would not hear of its firmware.
    fn may_be_up(&self, node: &Node) -> bool {
        match node.get("status") {
            None | Some("powering-on") => self.arrivals.is_fed(),
            // The others that boot so are in the maintenance system.
            Some("booting") => matches!(State::of(node), State::Boot | State::Offline),
            Some(status) => has_users(status),
        }
    }

    /// A node says how far it has come.
    fn told(&self, mac: Mac, token: Option<String>, word: &str, ends: &Ends) -> Answer {
        let Some(token) = token else { return self.denied(ends, mac, StatusCode::UNAUTHORIZED) };
        let Some(word) = STATUSES.iter().copied().find(|known| *known == word) else {
            return status(StatusCode::BAD_REQUEST);
        };
        // What says it again because the answer was lost says nothing new.
        let purpose = if word == "booted" { Purpose::Booted } else { Purpose::Status };
        let node = match self.proven(mac, &token, purpose, ends) {
            Ok(node) => node,
            Err(unproven) => return self.denied(ends, mac, unproven),
        };
        let name = node.name();
        match self.is_of_an_earlier_boot(&node, &token) {
            Ok(false) => {}
            Ok(true) => return self.denied(ends, mac, StatusCode::FORBIDDEN),
            Err(error) => return unavailable(&error),
        }
        // Who has not booted since has not done the step that is set now, and who says it again has done no other one.
        let came_up = word == "booted"
            && node.get("status") != Some("booted")
            && self.tokens.accepts(name, &token, Purpose::Status, SystemTime::now());
        if word == "installed"
            && provision::is_installed(&node)
            && let Err(error) = self.site.installed(name)
        {
            return unavailable(&error);
        }
        if let Err(error) = self.site.record(name, word) {
            return unavailable(&error);
        }
        self.events.tell(|| ends.event(Kind::Status, word).of(mac).node(Some(name)));
        // Of one that has failed to do all that was to be done the same holds: somebody may be on it. In the maintenance system
        // nobody is, and it asks what comes then.
        if word == "booted" || word == "failed" && !State::of(&node).is_maintenance() {
            self.tokens.is_up(name);
            self.arrivals.take(mac);
        }
        if came_up {
            self.came_up(name, mac, ends);
        }
        empty(StatusCode::NO_CONTENT)
    }

    /// Whether a token is of a boot before the one that a node is switched on for. With the script of that its status goes on, unless
    /// it could not be written then.
    fn is_of_an_earlier_boot(&self, node: &Node, token: &str) -> tables::Result<bool> {
        let begins = node.get("status") == Some("powering-on") && self.site.keeps_statuses()?;
        Ok(begins && !self.tokens.was_unheard(node.name(), token))
    }

    /// A file that only one node may have.
    fn own(&self, mac: Mac, name: &str, headers: &HeaderMap, ends: &Ends) -> Answer {
        let Some(token) = bearer(headers) else { return self.denied(ends, mac, StatusCode::UNAUTHORIZED) };
        match self.proven(mac, &token, Purpose::Files, ends) {
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

/// Whether a node with this status may have users by now, as far as that says: only these words tell that nobody is on it but what
/// says them. Others do not, of whoever they are: `sshd` of a look at it, `unknown` of one that was lost sight of.
fn has_users(status: &str) -> bool {
    const ALONE: [&str; 10] = [
        "netbooting",
        "postbooting",
        "installing",
        "installed",
        "discovering",
        "discovered",
        "configuring",
        "configured",
        "standingby",
        "bmcready",
    ];
    !ALONE.contains(&status)
}

/// Whether a node that was up and is in its firmware now begins a boot that somebody hears the end of: what boots from its disk does
/// not say that it is up again.
fn begins_anew(node: &Node) -> bool {
    node.get("status") != Some("booted") || !matches!(State::of(node), State::Boot | State::Offline)
}

/// Whether a node was installed and has not come up since.
fn awaits_first_start(node: &Node) -> bool {
    node.get("status") == Some("installed") && State::of(node) == State::Boot
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

fn file(opened: Result<Opened, Refused>, headers: &HeaderMap) -> Answer {
    match opened {
        Ok(opened) => content::answer(opened, headers),
        Err(Refused::Absent) => status(StatusCode::NOT_FOUND),
        Err(Refused::Denied) => status(StatusCode::FORBIDDEN),
        Err(Refused::Failed(error)) => unavailable(&error),
    }
}

/// The word in the body of a request.
async fn said(body: Incoming) -> Result<String, StatusCode> {
    let arriving = timeout(ARRIVING, Limited::new(body, LONGEST_STATUS).collect()).await;
    let body = arriving.map_err(|_| StatusCode::REQUEST_TIMEOUT)?.map_err(|_| StatusCode::BAD_REQUEST)?;
    let bytes = body.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).trim().trim_start_matches("status=").to_owned())
}

/// The token in an address, for what cannot send headers.
fn asked_with(uri: &hyper::Uri) -> Option<String> {
    uri.query().and_then(|query| query.strip_prefix("token=")).map(str::to_owned)
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(|token| token.trim().to_owned())
}

fn text(written: Result<String, script::Error>) -> Answer {
    let (code, text) = match written {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", chain(&error))),
    };
    let mut answer = empty(code);
    content::set(&mut answer, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    // It is another one for each boot.
    content::set(&mut answer, header::CACHE_CONTROL, "no-store");
    *answer.body_mut() = full(text);
    answer
}

fn status(code: StatusCode) -> Answer {
    let mut answer = empty(code);
    *answer.body_mut() = full(format!("{}\n", code.canonical_reason().unwrap_or_default()));
    answer
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut answer = status(StatusCode::METHOD_NOT_ALLOWED);
    content::set(&mut answer, header::ALLOW, methods);
    answer
}

/// To one that asks more than it could wait for.
fn too_many() -> Answer {
    let mut answer = status(StatusCode::TOO_MANY_REQUESTS);
    content::set(&mut answer, header::RETRY_AFTER, "5");
    content::set(&mut answer, header::CONNECTION, "close");
    answer
}

/// Trouble of ours, which may be over soon.
fn unavailable(error: &dyn std::error::Error) -> Answer {
    warn!(error = %chain(error), "http: cannot answer");
    status(StatusCode::SERVICE_UNAVAILABLE)
}

fn empty(code: StatusCode) -> Answer {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = code;
    answer
}

fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, ": {cause}").expect("a String takes all");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
