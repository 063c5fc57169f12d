//! HTTPS as registries and BMCs are asked: whom TLS trusts, one dialled stream, accounts, answers of bounded length.

use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Secret;

/// An answer as a whole.
pub(crate) struct Whole {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Reads an answer to its end, unless that is further away than `longest`.
pub(crate) async fn whole(
    answer: Response<Incoming>,
    longest: usize,
) -> Result<Whole, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, longest).collect().await?.to_bytes();
    Ok(Whole { status: parts.status, headers: parts.headers, body })
}

/// An account in the manner of RFC 7617; no log shows it.
pub(crate) fn basic(user: &str, password: &Secret) -> HeaderValue {
    let words = BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()));
    let mut value = HeaderValue::try_from(format!("Basic {words}")).expect("base64 is what a header may hold");
    value.set_sensitive(true);
    value
}

pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// Trusts the authorities of a PEM text and no other.
pub(crate) fn trusting(authorities: &[u8]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities) {
        roots.add(authority.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("there is no certificate in it".into());
    }
    let builder = ClientConfig::builder_with_provider(provider().into()).with_safe_default_protocol_versions();
    Ok(builder.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth())
}

/// Trusts whom a verifier trusts.
pub(crate) fn trusting_by(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider().into()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// A connection over which the other side has shown that its certificate is its own.
pub(crate) async fn dial(
    address: impl ToSocketAddrs,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    over(TcpStream::connect(address).await?, name, tls).await
}

/// The same over what is connected already.
pub(crate) async fn over(
    socket: TcpStream,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    socket.set_nodelay(true)?;
    TlsConnector::from(tls).connect(name, socket).await
}
