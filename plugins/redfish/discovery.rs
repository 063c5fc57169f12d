//! Whether a BMC that speaks Redfish is at an address, and which: what it tells anyone, and more if it lets us in.
//!
//! Whoever answers is a stranger. It is asked for the root of its service alone, which needs no login (DSP0266), by a connection
//! of its own that trusts nobody; nothing that it shows is remembered, and no account of the site's is shown to it.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::document::Document;
use super::machine::Machine;
use super::session::{ROOT, Session, Target};
use super::trust::{self, Trust};
use super::{NAME, PORT, Redfish};
use crate::registry::Account;
use crate::{AsWhom, Discovery, Error, Found, Result, https};

/// A machine that is there takes a connection sooner. Most addresses have nobody who could.
const CONNECT: Duration = Duration::from_secs(2);
/// How long it may take to say what it is.
const ANSWER: Duration = Duration::from_secs(5);
/// How long it may take to tell more.
const CLOSER: Duration = Duration::from_secs(30);
/// No root of a service is longer, and there may be thousands.
const LONGEST: usize = 256 * 1024;

#[async_trait]
impl Discovery for Redfish {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn probe(&self, address: IpAddr, as_whom: AsWhom<'_>) -> Result<Option<Found>> {
        let peer = SocketAddr::new(address, PORT);
        let Some(socket) = connect(peer).await? else { return Ok(None) };
        let Some(root) = self.introduction(socket, address).await? else { return Ok(None) };
        let text = |member: &str| root.text(&[member]);
        let mut found = Found {
            guid: text("UUID").map(|uuid| uuid.to_lowercase()),
            vendor: text("Vendor"),
            product: text("Product"),
            speaks: vec![NAME],
            ..Found::at(address)
        };
        if let Err(error) = self.ask_as(as_whom, &mut found).await {
            found.trouble = Some(crate::chain(&error));
        }
        Ok(Some(found))
    }
}

impl Redfish {
    /// What it tells to everybody; None for who does not speak Redfish.
    async fn introduction(&self, socket: TcpStream, address: IpAddr) -> Result<Option<Document>> {
        let tls = self.strangers.tls()?;
        // Thousands at once would make each other late.
        let turn = self.introductions.acquire().await;
        let root = timeout(ANSWER, async {
            let stream = https::over(socket, ServerName::from(address), tls).await.ok()?;
            root(stream, address).await
        });
        let root = root.await.ok().flatten();
        drop(turn);
        Ok(root)
    }

    /// Asks for more, where the BMC may know who we are: the site's account is for BMCs that are known by their certificates,
    /// another for whoever is asked.
    async fn ask_as(&self, as_whom: AsWhom<'_>, found: &mut Found) -> Result<()> {
        let (host, peer) = (found.address.to_string(), SocketAddr::new(found.address, PORT));
        let knows = self.trust.knows(&trust::place(&host, peer))?;
        let account = match as_whom {
            AsWhom::Nobody => None,
            AsWhom::Site => self.account.as_ref(),
            AsWhom::Account(account) => Some(account),
        };
        match (account, as_whom) {
            (None, _) => Ok(()),
            (Some(_), AsWhom::Site) if !knows => {
                found.is_stranger = true;
                Ok(())
            }
            (Some(account), _) => {
                let trust = if knows { &self.trust } else { &self.strangers };
                let closer = timeout(CLOSER, self.look_closer(account, trust, found));
                let what = format!("BMC {host}: cannot tell what it is");
                *found = closer.await.map_err(|_| Error::TimedOut { what, after: CLOSER })??;
                Ok(())
            }
        }
    }

    /// What is told only to those who log in.
    async fn look_closer(&self, account: &Account, trust: &Arc<Trust>, found: &Found) -> Result<Found> {
        let Account { user, password } = account.clone();
        let (host, address) = (found.address.to_string(), SocketAddr::new(found.address, PORT));
        let target = Target { name: format!("BMC {host}"), host: host.clone(), address, user, password };
        let session = Session::open(target, trust, self.limits, &self.endings).await?;
        let machine = Machine::find(session, &host).await?;
        let text = |member: &str| machine.now.text(&[member]);
        let known = found.clone();
        Ok(Found {
            guid: text("UUID").map(|uuid| uuid.to_lowercase()).or(known.guid),
            vendor: text("Manufacturer").or(known.vendor),
            model: text("Model"),
            serial: text("SerialNumber"),
            ..known
        })
    }
}

/// None where nobody is; an error where the question could not be sent.
async fn connect(peer: SocketAddr) -> Result<Option<TcpStream>> {
    match timeout(CONNECT, TcpStream::connect(peer)).await {
        Err(_) => Ok(None),
        Ok(Ok(socket)) => Ok(Some(socket)),
        Ok(Err(error)) if is_nobody(&error) => Ok(None),
        Ok(Err(error)) => Err(Error::Unreachable { what: format!("BMC {}", peer.ip()), source: error.into() }),
    }
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::HostUnreachable | ErrorKind::TimedOut
    )
}

/// The root of the service behind a connection; None for who has none, or says more than anybody wants to hear.
pub(super) async fn root<S>(stream: S, address: IpAddr) -> Option<Document>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut open, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::get(ROOT)
        .header(header::HOST, address.to_string())
        .header(header::ACCEPT, "application/json")
        .header("OData-Version", "4.0")
        .body(Empty::<Bytes>::new());
    let answer = open.send_request(request.ok()?).await.ok()?;
    let whole = https::whole(answer, LONGEST).await.ok()?;
    Document::parse(&whole.body).filter(|root| whole.status == StatusCode::OK && is_root(root))
}

/// Whether it is what every service of Redfish has, rather than somebody's JSON.
fn is_root(document: &Document) -> bool {
    let kind = document.text(&["@odata.type"]);
    document.text(&["RedfishVersion"]).is_some() || kind.is_some_and(|kind| kind.starts_with("#ServiceRoot."))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::error::Elapsed;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// What is made of somebody who says `said` after the question, and `more` again and again until nobody listens; an error if
    /// that takes longer than `limit`.
    async fn heard_within(
        limit: Duration,
        said: &str,
        more: Option<&str>,
    ) -> std::result::Result<Option<String>, Elapsed> {
        let (ours, mut theirs) = duplex(64 * 1024);
        let (said, more) = (said.to_owned(), more.map(str::to_owned));
        tokio::spawn(async move {
            let mut asked = [0; 1024];
            let length = theirs.read(&mut asked).await.unwrap_or_default();
            let asked = String::from_utf8_lossy(&asked[..length]).to_lowercase();
            assert!(asked.starts_with("get /redfish/v1/ http/1.1\r\n") && !asked.contains("authorization"), "{asked}");
            theirs.write_all(said.as_bytes()).await.ok();
            while let Some(more) = &more {
                if theirs.write_all(more.as_bytes()).await.is_err() {
                    return;
                }
            }
            // Nothing more comes, and the line stays open.
            theirs.read_exact(&mut [0; 1]).await.ok();
        });
        let root = timeout(limit, root(ours, HERE)).await?;
        Ok(root.and_then(|root| root.text(&["RedfishVersion"])))
    }

    /// The same without waiting for anything.
    async fn heard(said: &str, more: Option<&str>) -> Option<String> {
        heard_within(Duration::from_secs(60), said, more).await.expect("an end is not waited for")
    }

    fn answer(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn a_root_is_told_from_all_else() {
        let version = r#"{"RedfishVersion":"1.6.0"}"#;
        assert_eq!(heard(&answer("200 OK", version), None).await.as_deref(), Some("1.6.0"));
        for body in ["", "<html>", "[]", "7", "{}", r#"{"RedfishVersion":7}"#, r#"{"RedfishVersion":"1.6.0""#] {
            assert_eq!(heard(&answer("200 OK", body), None).await, None, "{body}");
        }
        for status in ["401 Unauthorized", "404 Not Found", "302 Found\r\nLocation: https://10.0.0.9/", "500 Oops"] {
            assert_eq!(heard(&answer(status, version), None).await, None, "{status}");
        }
        let deep = format!("{{\"RedfishVersion\":\"1\",\"Oem\":{}", "[".repeat(100_000));
        assert_eq!(heard(&answer("200 OK", &deep), None).await, None);
        assert!(is_root(&Document::parse(br##"{"@odata.type":"#ServiceRoot.v1_3_0.ServiceRoot"}"##).unwrap()));
    }

    #[tokio::test]
    async fn who_never_ends_is_nobody() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
        assert_eq!(heard(chunked, Some(&chunk)).await, None);
        assert_eq!(heard("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", Some(&chunk)).await, None);
        assert_eq!(heard("HTTP/1.1 200 OK\r\nX: ", Some(&"x".repeat(0x400))).await, None);
        assert_eq!(heard("SSH-2.0-x\r\n", None).await, None);
        // Silent, at once or in the middle.
        for said in ["", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"] {
            assert!(heard_within(Duration::from_millis(100), said, None).await.is_err(), "{said}");
        }
    }
}
