//! Connections: how many, from whom, and how they end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{Id, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::wire::Wire;
use super::{Ends, Server};

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
    let mut connections = Connections::default();
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            Some(ended) = connections.running.join_next_with_id() => connections.ended(match ended {
                Ok((id, ())) => id,
                Err(error) => error.id(),
            }),
            accepted = listener.accept(), if connections.running.len() < CONNECTIONS => match accepted {
                Ok((stream, client)) => connections.begin(stream, client, &server, &stop),
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
    fn begin(&mut self, stream: TcpStream, client: SocketAddr, server: &Arc<Server>, stop: &CancellationToken) {
        let count = self.counts.entry(client.ip()).or_default();
        let Ok(ours) = stream.local_addr() else { return };
        if *count >= CONNECTIONS_OF_ONE {
            debug!(%client, "http: refused, it has too many connections");
            return;
        }
        *count += 1;
        stream.set_nodelay(true).ok(); // slower, no worse
        let ends = Ends { client, ours };
        let started = self.running.spawn(connection(stream, ends, server.clone(), stop.clone()));
        self.clients.insert(started.id(), client.ip());
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
    let answer = service_fn(move |request| {
        let server = server.clone();
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
        debug!(client = %ends.client, %error, "http: connection ended");
    }
}
