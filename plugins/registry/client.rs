//! Asking a registry as its clients do: over TLS that our authority vouches for, with an account. The API is that of the
//! CNCF distribution, version 2.
//!
//! What a registry says is input from outside: every answer has a limit in time and in bytes, and a manifest is taken only
//! if its bytes have the digest that it was asked for by.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::Config;
use crate::https::{self, Whole};
use crate::stream::Wire;
use crate::{Error, Result, chain};

/// No answer that is read into memory is longer; registries take no longer manifests either.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// What is sent with a request.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// One registry, asked over connections that are kept.
pub struct Client {
    http: legacy::Client<Dialer, Body>,
    /// As it stands in names of images.
    place: String,
    /// For messages.
    what: String,
    user: Option<String>,
    authorization: Option<HeaderValue>,
    limit: Duration,
}

/// An answer whose body is still to come.
pub(super) type Begun = Response<hyper::body::Incoming>;

impl Client {
    /// Connects when something is asked; each answer has to be there within `limit`.
    pub fn new(config: &Config, limit: Duration) -> Result<Self> {
        let what = format!("registry {} at {}", config.name, config.place());
        let bad = |why: String| Error::Refused { what: what.clone(), why };
        let dialer = Dialer {
            address: (config.address.clone(), config.port),
            name: ServerName::try_from(config.address.clone()).map_err(|error| bad(error.to_string()))?,
            tls: trust(config).map_err(bad)?.into(),
        };
        let account = config.accounts.first();
        let authorization = account.map(|account| https::basic(&account.user, &account.password));
        Ok(Self {
            http: legacy::Client::builder(TokioExecutor::new()).build(dialer),
            place: config.place(),
            user: account.map(|account| account.user.clone()),
            authorization,
            what,
            limit,
        })
    }

    /// As it stands in names of images.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Asks for something short and reads it whole.
    pub(super) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Result<Whole> {
        self.tell(method, path, headers, Bytes::new()).await
    }

    /// The same with something short to say.
    pub(super) async fn tell(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        said: Bytes,
    ) -> Result<Whole> {
        let body = Full::new(said).map_err(|never| match never {}).boxed_unsync();
        let read = async {
            let answer = https::whole(self.begin(method, path, headers, body).await?, LONGEST_ANSWER).await;
            answer.map_err(|source| Error::Unreachable { what: self.what.clone(), source })
        };
        let answer = tokio::time::timeout(self.limit, read).await;
        answer.map_err(|_| Error::TimedOut { what: self.what.clone(), after: self.limit })?
    }

    /// Sends a request; the caller limits how long that may take. Whoever is not let in hears so here.
    pub(super) async fn begin(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Result<Begun> {
        let garbled = |why: String| Error::Garbled { what: self.what.clone(), why };
        let mut request = Request::builder().method(method).uri(format!("https://{}{path}", self.place));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(body).map_err(|error| garbled(error.to_string()))?;
        let answer = self.http.request(request).await;
        let answer = answer.map_err(|error| {
            let why = chain(&error);
            let why = why.strip_prefix("client error (Connect): ").map(str::to_owned).unwrap_or(why);
            Error::Unreachable { what: self.what.clone(), source: why.into() }
        })?;
        match answer.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let user = self.user.as_deref().unwrap_or("without an account");
                Err(Error::Denied { what: self.what.clone(), why: format!("it does not let us in ({user})") })
            }
            _ => Ok(answer),
        }
    }

    /// What is written in an answer.
    pub(super) fn parse<T: DeserializeOwned>(&self, answer: &Whole) -> Result<T> {
        serde_json::from_slice(&answer.body)
            .map_err(|error| Error::Garbled { what: self.what.clone(), why: error.to_string() })
    }

    /// An answer that is none of those expected.
    pub(super) fn refused(&self, status: StatusCode, doing: &str) -> Error {
        Error::Refused { what: self.what.clone(), why: format!("it answers {status} when asked to {doing}") }
    }

    pub(super) fn garbled(&self, why: impl Into<String>) -> Error {
        Error::Garbled { what: self.what.clone(), why: why.into() }
    }
}

/// Our authority and no other.
fn trust(config: &Config) -> std::result::Result<ClientConfig, String> {
    let authority = config.authority.as_ref().ok_or("there is no authority that vouches for it")?;
    https::trusting(authority.as_bytes())
}

/// Opens connections to one registry; cheap to clone.
#[derive(Clone)]
pub(super) struct Dialer {
    address: (String, u16),
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
}

/// One open connection.
type Stream = Wire<TlsStream<TcpStream>>;

/// The HTTP client asks for a connection; the address in the request is ours to ignore.
impl Service<Uri> for Dialer {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { address, name, tls } = self.clone();
        Box::pin(async move {
            let stream = https::dial((address.0.as_str(), address.1), name, tls).await?;
            Ok(Wire(TokioIo::new(stream)))
        })
    }
}
