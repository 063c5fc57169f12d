//! One engine: its HTTP client, its limits, and what it said. Plain requests are ours, because we need the status code
//! and JSON that no model knows; streams (exec, logs, archives, images) go through bollard over the same client.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::{ClientVersion, Docker};
use futures_util::{Stream, StreamExt};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::answer::{judge, lost, refusal, unwrapped, whole};
use super::endpoint::Endpoint;
use super::images::{Images, Nearby};
use super::listing::Listings;
use super::networks::Networks;
use super::version::{ApiVersion, Versions, agree};
use super::wire::Dialer;
use crate::bytes::in_url;
use crate::error::chain;
use crate::registry::Login;
use crate::{Error, Result, ssh};

pub(super) use super::answer::{Answer, Refusal};

/// Questions in flight at one engine.
const LOOKS: usize = 32;
/// Containers being made, started or removed at one engine. Each costs its host some 0.2 s of processor time: on hosts of
/// two processors more at once made all of them slower (4: 7.6 s for 40 starts on four hosts, 32: 9.7 s), and four
/// already are more than twenty containers a second.
const WORKS: usize = 4;
/// bollard's request body, which it does not name in public.
type Body = Either<Full<Bytes>, StreamBody<Pin<Box<dyn Stream<Item = std::io::Result<Frame<Bytes>>> + Send>>>>;

/// A connected engine, shared by all nodes of its host.
pub(super) struct Engine {
    /// The host's node name, for messages.
    pub(super) host: String,
    pub(super) api: ApiVersion,
    pub(super) docker: Docker,
    pub(super) listings: Listings,
    pub(super) images: Images,
    pub(super) networks: Networks,
    /// Tasks that go on although their caller has left; the program waits for them before it ends.
    pub(super) endings: TaskTracker,
    client: Client<Dialer, Body>,
    looks: Semaphore,
    works: Semaphore,
    pub(super) connect_limit: Duration,
    pub(super) request_limit: Duration,
    pub(super) transfer_limit: Duration,
    /// Set once the engine stopped answering: further requests fail at once instead of each waiting its own limit.
    lost: OnceLock<Arc<Error>>,
    /// Who we are to registries.
    pub(super) logins: Vec<Login>,
    pub(super) nearby: Nearby,
}

/// An answer, or the engine's own no; [`Error`] only where there was no answer at all.
pub(super) type Asked<T> = Result<std::result::Result<T, Refusal>>;

impl Engine {
    /// Connects and agrees on a version, all within the connect limit.
    pub(super) async fn open(
        host: &str,
        endpoint: &Endpoint,
        connections: &ssh::Connections,
        endings: &TaskTracker,
        nearby: Nearby,
    ) -> Result<Self> {
        let settings = connections.settings();
        let dialer = match endpoint {
            Endpoint::Unix { path } => Dialer::unix(path),
            Endpoint::Tls { host, port } => Dialer::tls(host, *port, &settings.tls_directory)?,
            Endpoint::Ssh { user, host, port, socket } => {
                let target = ssh::Target { user: user.clone(), host: host.clone(), port: *port };
                Dialer::ssh(connections.get(&target).await?, socket)
            }
        };
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(LOOKS).build(dialer);
        let what = format!("{host} ({endpoint})");
        let versions = tokio::time::timeout(settings.connect_limit, ask_version(&client, &what)).await;
        let versions =
            versions.map_err(|_| Error::TimedOut { what: what.clone(), after: settings.connect_limit })??;
        let api = agree(&versions, &what)?;
        tracing::debug!(host, %endpoint, %api, engine = versions.version, "connected");
        Ok(Self {
            host: host.to_owned(),
            api,
            docker: typed_client(&client, api, settings.request_limit)?,
            listings: Listings::default(),
            images: Images::default(),
            networks: Networks::default(),
            endings: endings.clone(),
            client,
            looks: Semaphore::new(LOOKS),
            works: Semaphore::new(WORKS),
            connect_limit: settings.connect_limit,
            request_limit: settings.request_limit,
            transfer_limit: settings.transfer_limit,
            lost: OnceLock::new(),
            logins: settings.logins.clone(),
            nearby,
        })
    }

    /// Sends a plain request that the engine answers soon.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Asked<Answer> {
        let places = if method == Method::GET { &self.looks } else { &self.works };
        let _place = places.acquire().await.expect("the semaphore is never closed");
        self.ask_for(method, path, body, self.request_limit).await
    }

    /// What the engine says at `path`; `doing` completes "HOST: cannot …".
    pub(super) async fn fetch<T: DeserializeOwned>(&self, path: &str, doing: &str) -> Result<T> {
        let answer = self.ask(Method::GET, path, None).await?;
        self.parse(&answer.map_err(|no| no.into_error(&self.host, doing))?)
    }

    /// What is written in an answer.
    pub(super) fn parse<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T> {
        serde_json::from_slice(&answer.body)
            .map_err(|error| Error::Garbled { what: self.host.clone(), why: error.to_string() })
    }

    /// Sends a request whose answer may take as long as `limit`, such as a stop; it takes no place among the others.
    pub(super) async fn ask_for(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        limit: Duration,
    ) -> Asked<Answer> {
        self.check_alive()?;
        let request = build(method, &format!("/v{}{path}", self.api), body)?;
        match self.watched(limit, send(&self.client, request)).await? {
            Ok(answer) => Ok(judge(answer)),
            Err(source) => Err(self.unreachable(source)),
        }
    }

    /// Starts a request whose answer goes on for as long as it likes, such as a log that is followed. Only the wait for
    /// its beginning has a limit.
    pub(super) async fn follow(&self, path: &str) -> Asked<Incoming> {
        let request = build(Method::GET, &format!("/v{}{path}", self.api), None)?;
        Ok(self.begin(request).await?.map(Response::into_body))
    }

    /// Turns a request into a plain stream in both directions.
    pub(super) async fn upgrade(&self, path: &str, body: Option<&Value>) -> Asked<Upgraded> {
        let mut request = build(Method::POST, &format!("/v{}{path}", self.api), body)?;
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        request.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("tcp"));
        let response = match self.begin(request).await? {
            Ok(response) => response,
            Err(no) => return Ok(Err(no)),
        };
        let upgraded = hyper::upgrade::on(response).await;
        upgraded.map(Ok).map_err(|error| self.unreachable(Box::new(error)))
    }

    /// Sends bytes as they come; the answer begins when the engine has read enough of them, so that whoever sends sees to
    /// the limit, with [`Self::alive`].
    pub(super) async fn send(
        &self,
        path: &str,
        kind: &'static str,
        body: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Asked<Incoming> {
        let frames: Pin<Box<dyn Stream<Item = std::io::Result<Frame<Bytes>>> + Send>> =
            Box::pin(body.map(|piece| piece.map(Frame::data)));
        let request = Request::post(format!("http://engine/v{}{path}", self.api))
            .header(header::CONTENT_TYPE, kind)
            .body(Either::Right(StreamBody::new(frames)));
        let request = request.map_err(|error| Error::Garbled { what: "request".into(), why: error.to_string() })?;
        let response = self.client.request(request).await.map_err(|error| self.unreachable(innermost(error)))?;
        Ok(self.judged(response).await?.map(Response::into_body))
    }

    /// Waits for work that goes on for up to `limit`, as long as the engine answers anything.
    pub(super) async fn alive<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Result<T> {
        self.check_alive()?;
        self.watched(limit, work).await
    }

    async fn begin(&self, request: Request<Body>) -> Asked<Response<Incoming>> {
        self.check_alive()?;
        let response = self.watched(self.request_limit, self.client.request(request)).await?;
        let response = response.map_err(|error| self.unreachable(innermost(error)))?;
        self.judged(response).await
    }

    /// An answer whose body is still to come, or the engine's no.
    async fn judged(&self, response: Response<Incoming>) -> Asked<Response<Incoming>> {
        let status = response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Ok(response));
        }
        let body = whole(response.into_body()).await.map_err(|error| self.unreachable(error))?;
        Ok(Err(refusal(&Answer { status: status.as_u16(), body })))
    }

    /// Waits for a request that bollard makes.
    pub(super) async fn call<T>(
        &self,
        limit: Duration,
        request: impl Future<Output = std::result::Result<T, bollard::errors::Error>>,
    ) -> Asked<T> {
        self.check_alive()?;
        match self.watched(limit, request).await? {
            Ok(done) => Ok(Ok(done)),
            Err(error) => self.explain(error).map(Err),
        }
    }

    /// Sorts bollard's errors into the engine's no and no answer.
    pub(super) fn explain(&self, error: bollard::errors::Error) -> Result<Refusal> {
        use bollard::errors::Error as Failure;
        match error {
            Failure::DockerResponseServerError { status_code, message } => {
                Ok(Refusal { status: status_code, message: unwrapped(&message) })
            }
            Failure::DockerStreamError { error } => Ok(Refusal { status: 500, message: unwrapped(&error) }),
            Failure::DockerContainerWaitError { error, .. } => Ok(Refusal { status: 500, message: unwrapped(&error) }),
            Failure::RequestTimeoutError => Err(Error::TimedOut { what: self.host.clone(), after: self.request_limit }),
            Failure::JsonDataError { message, .. } => Err(Error::Garbled { what: self.host.clone(), why: message }),
            other => Err(self.unreachable(Box::new(other))),
        }
    }

    /// Fails if the engine has stopped answering.
    pub(super) fn check_alive(&self) -> Result<()> {
        self.lost.get().map_or(Ok(()), |error| Err(error.again()))
    }

    fn unreachable(&self, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
        lost(&self.host, source)
    }

    /// Waits until `limit`, and no longer than a plain request may take once the engine does not answer anything: a host
    /// that dies in the middle of a long pull or stop costs the short limit, and costs it once.
    async fn watched<T>(&self, limit: Duration, request: impl Future<Output = T>) -> Result<T> {
        let mut request = std::pin::pin!(request);
        let mut waited = Duration::ZERO;
        while waited < limit {
            let turn = self.request_limit.min(limit - waited);
            if let Ok(done) = tokio::time::timeout(turn, &mut request).await {
                return Ok(done);
            }
            waited += turn;
            if !self.answers().await {
                let error = Error::TimedOut { what: self.host.clone(), after: waited };
                self.lost.get_or_init(|| Arc::new(error.again()));
                return Err(error);
            }
        }
        Err(Error::TimedOut { what: self.host.clone(), after: limit })
    }

    async fn answers(&self) -> bool {
        let Ok(ping) = build(Method::GET, "/_ping", None) else { return false };
        matches!(tokio::time::timeout(self.connect_limit, send(&self.client, ping)).await, Ok(Ok(_)))
    }
}

/// The part of a request that says which of all are meant.
pub(super) fn filters(wanted: &Value) -> String {
    format!("filters={}", in_url(&wanted.to_string()))
}

async fn ask_version(client: &Client<Dialer, Body>, what: &str) -> Result<Versions> {
    let request = build(Method::GET, "/version", None)?;
    let answer = send(client, request).await.map_err(|source| lost(what, source))?;
    let refused = |no: Refusal| Error::Refused { what: what.to_owned(), why: no.message };
    let body = judge(answer).map_err(refused)?.body;
    serde_json::from_slice(&body).map_err(|error| Error::Garbled { what: what.to_owned(), why: error.to_string() })
}

/// bollard over the client that we already have.
fn typed_client(client: &Client<Dialer, Body>, api: ApiVersion, limit: Duration) -> Result<Docker> {
    let client = client.clone();
    let transport = move |request: bollard::BollardRequest| {
        let answer = client.request(request);
        async move { answer.await.map_err(|error| std::io::Error::other(error).into()) }
    };
    let version = ClientVersion { major_version: api.major, minor_version: api.minor };
    Docker::connect_with_custom_transport(transport, Some("http://engine"), limit.as_secs().max(1), &version)
        .map_err(|error| Error::Garbled { what: "the engine's address".into(), why: error.to_string() })
}

fn build(method: Method, path: &str, body: Option<&Value>) -> Result<Request<Body>> {
    let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    Request::builder()
        .method(method)
        .uri(format!("http://engine{path}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Either::Left(Full::new(bytes)))
        .map_err(|error| Error::Garbled { what: format!("request {path}"), why: error.to_string() })
}

async fn send(
    client: &Client<Dialer, Body>,
    request: Request<Body>,
) -> std::result::Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let response: Response<Incoming> = client.request(request).await.map_err(innermost)?;
    let status = response.status().as_u16();
    Ok(Answer { status, body: whole(response.into_body()).await? })
}

/// The HTTP client's own words ("client error (Connect)") tell a user nothing; the cause below does.
fn innermost(error: hyper_util::client::legacy::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let text = chain(&error);
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.to_string().into();
        }
        cause = error.source();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_filter_is_taken_for_the_request() {
        let text = filters(&serde_json::json!(["a&b"]));
        assert_eq!(text, "filters=%5B%22a%26b%22%5D");
    }
}
