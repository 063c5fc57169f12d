//! The byte streams under the engine's HTTP: a unix socket, TLS with a client certificate, or a socket carried over ssh.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tower_service::Service;

use crate::stream::Wire;
use crate::{Error, Result, https, ssh};

/// Opens streams to one engine; cheap to clone.
#[derive(Clone)]
pub(super) enum Dialer {
    Unix(Arc<Path>),
    Tls(Arc<TlsWay>),
    Ssh(Arc<SshWay>),
}

/// What a TLS connection needs.
pub(super) struct TlsWay {
    address: String,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

/// The engine's socket on a host that we are logged in to.
pub(super) struct SshWay {
    connection: Arc<ssh::Connection>,
    socket: String,
}

impl Dialer {
    /// All streams go over that one connection.
    pub(super) fn ssh(connection: Arc<ssh::Connection>, socket: &str) -> Self {
        Self::Ssh(Arc::new(SshWay { connection, socket: socket.to_owned() }))
    }

    pub(super) fn unix(path: &Path) -> Self {
        Self::Unix(path.into())
    }

    /// Reads `ca.pem`, `cert.pem` and `key.pem` of the directory.
    pub(super) fn tls(host: &str, port: u16, directory: &Path) -> Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| Error::Definition {
            attribute: "dockerendpoint".into(),
            why: format!("'{host}' cannot be checked against a certificate: {error}"),
        })?;
        let mut roots = rustls::RootCertStore::empty();
        for authority in certificates(&directory.join("ca.pem"))? {
            roots.add(authority).map_err(|error| bad_pem(&directory.join("ca.pem"), &error.to_string()))?;
        }
        let chain = certificates(&directory.join("cert.pem"))?;
        let key_path = directory.join("key.pem");
        let key =
            PrivateKeyDer::from_pem_slice(&read(&key_path)?).map_err(|error| bad_pem(&key_path, &error.to_string()))?;
        let provider = Arc::new(https::provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_root_certificates(roots).with_client_auth_cert(chain, key))
            .map_err(|error| bad_pem(&key_path, &error.to_string()))?;
        Ok(Self::Tls(Arc::new(TlsWay { address: format!("{host}:{port}"), name, config: Arc::new(config) })))
    }

    async fn dial(self) -> io::Result<Stream> {
        let stream: Box<dyn Duplex> = match self {
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Self::Tls(way) => Box::new(https::dial(&way.address, way.name.clone(), way.config.clone()).await?),
            Self::Ssh(way) => Box::new(way.connection.stream(&way.socket).await.map_err(io::Error::other)?),
        };
        Ok(Wire(TokioIo::new(stream)))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::File { doing: "read", path: path.display().to_string(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(bad_pem(path, "holds no certificate")),
        Err(error) => Err(bad_pem(path, &error.to_string())),
    }
}

fn bad_pem(path: &Path, why: &str) -> Error {
    let source = io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    Error::File { doing: "use", path: path.display().to_string(), source }
}

/// One open stream.
type Stream = Wire<Box<dyn Duplex>>;

/// The HTTP client asks for a connection; the address in the request is ours to ignore.
impl Service<Uri> for Dialer {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().dial())
    }
}

/// What is under a stream of whichever kind.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}
