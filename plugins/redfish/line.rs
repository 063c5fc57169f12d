//! One connection to a BMC; opened anew where the BMC has closed it, as many do after each answer.

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{Full, LengthLimitError};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;

use super::trust::{self, Trust};
use crate::https::{self, Whole};
use crate::{Error, Result, chain};

/// No answer is longer. A page of a log may have a thousand events.
const LONGEST: usize = 2 * 1024 * 1024;

pub(super) struct Line {
    /// How errors call the BMC.
    pub(super) name: String,
    pub(super) host: String,
    pub(super) address: SocketAddr,
    pub(super) trust: Arc<Trust>,
    pub(super) open: Option<SendRequest<Full<Bytes>>>,
}

/// Why there is no answer.
pub(super) enum Failed {
    Final(Error),
    /// The connection broke; whether the BMC has heard the question is known only where it has not.
    Broken {
        heard: bool,
        why: String,
    },
}

impl Line {
    /// `HOST:PORT`, as a request has it; the port only where it is not the usual one.
    pub(super) fn place(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.address.port() {
            super::PORT => host,
            port => format!("{host}:{port}"),
        }
    }

    /// Asks once, as long as it may take.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> std::result::Result<Whole, Failed> {
        if self.open.as_ref().is_none_or(SendRequest::is_closed) {
            self.open = Some(self.connect().await.map_err(Failed::Final)?);
        }
        // Taken away meanwhile: whoever stops waiting for an answer leaves no line on which it is still to come.
        let mut open = self.open.take().expect("opened above");
        let answer = async {
            open.ready().await?;
            open.send_request(request).await
        };
        let answer = answer
            .await
            .map_err(|error: hyper::Error| Failed::Broken { heard: !error.is_canceled(), why: broken(&error) })?;
        let whole =
            https::whole(answer, LONGEST).await.map_err(|error| match error.downcast::<LengthLimitError>() {
                Ok(_) => Failed::Final(self.garbled(format!("its answer is longer than {LONGEST} bytes"))),
                Err(error) => Failed::Broken { heard: true, why: broken(error.as_ref()) },
            })?;
        self.open = Some(open);
        Ok(whole)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        #[cfg(any(test, fuzzing))]
        if let Some(open) = super::fuzzing::connect().await {
            return Ok(open);
        }
        let name = ServerName::try_from(self.host.clone()).unwrap_or_else(|_| self.address.ip().into());
        let stream = https::dial(self.address, name, self.trust.tls()?).await.map_err(|error| self.unreached(error))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let shown = shown.ok_or_else(|| self.garbled("it shows no certificate".into()))?;
        self.trust.admit(&self.name, &trust::place(&self.host, self.address), shown)?;
        let shaken = handshake(TokioIo::new(stream)).await;
        let (open, connection) = shaken.map_err(|error| self.unreachable(error.into()))?;
        // It ends with the line; what broke it is told to whoever waits for an answer.
        tokio::spawn(async move { connection.await.ok() });
        Ok(open)
    }

    fn unreached(&self, error: std::io::Error) -> Error {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match (tls, &self.trust.authority) {
            (Some(rustls::Error::InvalidCertificate(_)), Some(file)) => Error::Denied {
                what: self.name.clone(),
                why: format!("the authorities in {} do not vouch for its certificate", file.display()),
            },
            _ => self.unreachable(error.into()),
        }
    }

    fn unreachable(&self, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
        Error::Unreachable { what: self.name.clone(), source }
    }

    fn garbled(&self, why: String) -> Error {
        Error::Garbled { what: self.name.clone(), why }
    }
}

/// Why a connection broke; of an end that was not announced TLS says more than anybody wants to read.
fn broken(error: &dyn std::error::Error) -> String {
    let why = chain(error);
    if why.contains("close_notify") { "it ends the connection without an answer".into() } else { why }
}
