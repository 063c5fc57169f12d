//! Connections: how many, from whom, and how they end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{Id, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::wire::Wire;
use super::{Ends, Server};
use crate::events::{Kind, subject};

/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS: usize = 4096;
const CONNECTIONS_OF_ONE: u32 = 512;
/// How long a request may take to arrive.
const ASKING: Duration = Duration::from_secs(10);
/// Before a listener that fails is asked again: we have no descriptors left, say.
const PAUSE: Duration = Duration::from_millis(100);
/// How long answers under way may take when we are told to stop.
const ENDING: Duration = Duration::from_secs(5);

/// Serves until `stop`; answers under way get a few seconds to end.
///
/// # Errors
/// If the listener has no address.
pub async fn serve(listener: TcpListener, server: Arc<Server>, stop: CancellationToken) -> io::Result<()> {
    listener.local_addr()?;
    let device = SockRef::from(&listener).device().ok().flatten().unwrap_or_default();
    let interface: Arc<str> = String::from_utf8_lossy(&device).into();
    let mut connections = Connections::default();
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            Some(ended) = connections.running.join_next_with_id() => connections.ended(match ended {
                Ok((id, ())) => id,
                Err(error) => error.id(),
            }),
            accepted = listener.accept(), if connections.running.len() < CONNECTIONS => match accepted {
                Ok((stream, client)) => match stream.local_addr() {
                    Ok(ours) => connections.begin(stream, Ends { client, ours, interface: interface.clone() }, &server, &stop),
                    Err(error) => debug!(%client, %error, "http: gone at once"),
                },
                Err(error) => {
                    warn!(%error, "http: cannot accept");
                    sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let all = async { while connections.running.join_next().await.is_some() {} };
    timeout(ENDING, all).await.ok(); // the rest is broken off
    Ok(())
}

#[derive(Default)]
struct Connections {
    running: JoinSet<()>,
    clients: HashMap<Id, IpAddr>,
    counts: HashMap<IpAddr, u32>,
}

impl Connections {
    fn begin(&mut self, stream: TcpStream, ends: Ends, server: &Arc<Server>, stop: &CancellationToken) {
        let client = ends.client.ip();
        let count = self.counts.entry(client).or_default();
        if *count >= CONNECTIONS_OF_ONE {
            return server.events.tell(|| ends.event(Kind::Limited, subject::HTTP));
        }
        *count += 1;
        stream.set_nodelay(true).ok(); // slower, no worse
        let started = self.running.spawn(connection(stream, ends, server.clone(), stop.clone()));
        self.clients.insert(started.id(), client);
    }

    fn ended(&mut self, id: Id) {
        let Some(client) = self.clients.remove(&id) else { return };
        if let Some(count) = self.counts.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&client);
            }
        }
    }
}

async fn connection(stream: TcpStream, ends: Ends, server: Arc<Server>, stop: CancellationToken) {
    let client = ends.client;
    let answer = service_fn(move |request| {
        let (server, ends) = (server.clone(), ends.clone());
        async move { Ok::<_, Infallible>(server.answer(request, ends).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(ASKING).max_buf_size(64 << 10);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(Wire::new(stream)), answer));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%client, %error, "http: connection ended");
    }
}
