//! Asking a registry as its clients do: over TLS that our authority vouches for, with an account.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Config;
use crate::{Error, Result};

/// Names asked for at once; the server gives no more.
const PAGE: usize = 100;

#[derive(Deserialize)]
struct Catalog {
    repositories: Vec<String>,
}

/// The names of all that a registry holds, within `limit`.
pub async fn repositories(config: &Config, limit: Duration) -> Result<Vec<String>> {
    let what = format!("registry {} at {}", config.name, config.place());
    let asked = tokio::time::timeout(limit, pages(config, &what)).await;
    asked.map_err(|_| Error::TimedOut { what, after: limit })?
}

async fn pages(config: &Config, what: &str) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    loop {
        let after = names.last().map(|last| format!("&last={last}")).unwrap_or_default();
        let body = get(config, what, &format!("/v2/_catalog?n={PAGE}{after}")).await?;
        let page: Catalog = serde_json::from_slice(&body)
            .map_err(|error| Error::Garbled { what: what.to_owned(), why: error.to_string() })?;
        let is_last = page.repositories.len() < PAGE;
        names.extend(page.repositories);
        if is_last {
            return Ok(names);
        }
    }
}

async fn get(config: &Config, what: &str, path: &str) -> Result<Bytes> {
    let unreachable =
        |source: Box<dyn std::error::Error + Send + Sync>| Error::Unreachable { what: what.to_owned(), source };
    let (connector, name) = trust(config, what)?;
    let socket =
        TcpStream::connect((config.address.as_str(), config.port)).await.map_err(|error| unreachable(error.into()))?;
    let stream = connector.connect(name, socket).await.map_err(|error| unreachable(error.into()))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(error.into()))?;
    let mut request = Request::get(path).header(header::HOST, config.place());
    if let Some(account) = config.accounts.first() {
        let words = BASE64_STANDARD.encode(format!("{}:{}", account.user, account.password.reveal()));
        request = request.header(header::AUTHORIZATION, format!("Basic {words}"));
    }
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|error| Error::Garbled { what: what.to_owned(), why: error.to_string() })?;
    let answer = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        Ok::<_, hyper::Error>((status, response.into_body().collect().await?.to_bytes()))
    };
    // The connection does the work; that it ends before the answer is the answer's error to tell.
    let (answer, _) = tokio::join!(answer, connection);
    let (status, body) = answer.map_err(|error| unreachable(error.into()))?;
    match status {
        StatusCode::OK => Ok(body),
        StatusCode::UNAUTHORIZED => {
            let user = config.accounts.first().map_or("without an account", |account| &account.user);
            Err(Error::Denied { what: what.to_owned(), why: format!("it does not let us in ({user})") })
        }
        status => Err(Error::Refused { what: what.to_owned(), why: format!("it answers {status}") }),
    }
}

fn trust(config: &Config, what: &str) -> Result<(TlsConnector, ServerName<'static>)> {
    let bad = |why: String| Error::Refused { what: what.to_owned(), why };
    let Some(authority) = &config.authority else {
        return Err(bad("there is no authority that vouches for it".into()));
    };
    let authority = CertificateDer::from_pem_slice(authority.as_bytes()).map_err(|error| bad(error.to_string()))?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority).map_err(|error| bad(error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = builder.map_err(|error| bad(error.to_string()))?.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(config.address.clone()).map_err(|error| bad(error.to_string()))?;
    Ok((TlsConnector::from(Arc::new(tls)), name))
}
