//! One ssh connection to one host, carrying many channels at once.
//!
//! libssh2 sessions are not concurrent, so each connection has a thread of its own that alone talks to libssh2 (see
//! [`super::driver`]). What is given out here are pipes to that thread; they work from any runtime.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::channel::Start;
use super::driver::{Driver, Request};
use super::login::login;
use super::pipe::{Process, Stream};
use crate::{Error, Result, Secret, Settings, Size};

/// How many programs run at once on one connection: sshd's default `MaxSessions`.
const SESSIONS: usize = 10;

/// Milliseconds to wait before asking again for a session that was refused.
const SESSION_PAUSES: [u64; 5] = [5, 20, 80, 320, 1280];

/// Whom to log in to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    pub user: String,
    /// A name, an IPv4 or an IPv6 address.
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Target {
    /// Writes `host:port`, which is how errors name a target.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// An open, logged-in connection. It ends when it and everything it gave out have been dropped.
pub struct Connection {
    target: Target,
    settings: Settings,
    requests: mpsc::UnboundedSender<Request>,
    sessions: Arc<Semaphore>,
    lost: Arc<OnceLock<String>>,
}

impl Connection {
    /// Connects, checks the host key and logs in, all within `settings.connect_limit`.
    pub async fn open(target: &Target, settings: &Settings) -> Result<Self> {
        Self::open_as(target, settings, None).await
    }

    /// The same by a password instead of keys, as BMCs want it.
    pub(crate) async fn open_as(target: &Target, settings: &Settings, password: Option<Secret>) -> Result<Self> {
        let (reply, opened) = oneshot::channel();
        let (requests, receiver) = mpsc::unbounded_channel();
        let lost = Arc::new(OnceLock::new());
        let work = Work {
            target: target.clone(),
            settings: settings.clone(),
            requests: receiver,
            giver: requests.downgrade(),
            lost: lost.clone(),
            password,
        };
        thread::Builder::new()
            .name(format!("ssh {}", target.host))
            .spawn(move || work.run(reply))
            .map_err(|error| unreachable(target, error))?;
        // The thread keeps the limit itself, unless the ssh agent hangs: libssh2 waits for that one without end.
        match timeout(settings.connect_limit + Duration::from_secs(1), opened).await {
            Ok(Ok(result)) => result?,
            Ok(Err(_)) => return Err(unreachable(target, io::Error::other("the ssh thread ended early"))),
            Err(_) => {
                return Err(Error::TimedOut { what: format!("login to {target}"), after: settings.connect_limit });
            }
        }
        let (target, settings) = (target.clone(), settings.clone());
        Ok(Self { target, settings, requests, sessions: Arc::new(Semaphore::new(SESSIONS)), lost })
    }

    /// Another one to the same target, which shows that it can be reached now.
    pub async fn again(&self) -> Result<Self> {
        Self::open(&self.target, &self.settings).await
    }

    /// Connects to a unix socket on the host. Any number may be open at once; dropping the stream closes it.
    pub async fn stream(&self, path: &str) -> Result<Stream> {
        let (reply, answer) = oneshot::channel();
        let what = format!("{path} on {}", self.target);
        self.ask(Request::Stream { path: path.into(), reply }, answer, what).await
    }

    /// Runs a command line by the login shell of the host. Ten run at once, further ones wait for their turn.
    pub async fn exec(&self, command: &str) -> Result<Process> {
        let permit = self.sessions.clone().acquire_owned().await.expect("the semaphore is never closed");
        let permit = Arc::new(permit);
        // sshd counts a session a moment longer than its channel lives, and its limit may be lower than ours.
        for pause in SESSION_PAUSES {
            match self.start(Start::Command(command.into()), permit.clone()).await {
                Err(Error::Refused { .. }) => sleep(Duration::from_millis(pause)).await,
                result => return result,
            }
        }
        self.start(Start::Command(command.into()), permit).await
    }

    /// Starts what the user has at login, on a terminal.
    pub(crate) async fn terminal(&self, size: Size) -> Result<Process> {
        let permit = self.sessions.clone().acquire_owned().await.expect("the semaphore is never closed");
        self.start(Start::Login(Some(size)), Arc::new(permit)).await
    }

    async fn start(&self, start: Start, permit: Arc<OwnedSemaphorePermit>) -> Result<Process> {
        let (reply, answer) = oneshot::channel();
        let what = format!("starting a program on {}", self.target);
        self.ask(Request::Exec { start, permit, reply }, answer, what).await
    }

    /// True once the connection broke; nothing more can be asked of it.
    pub fn is_lost(&self) -> bool {
        self.lost.get().is_some() || self.requests.is_closed()
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How long it may take to make one.
    pub(crate) fn login_limit(&self) -> Duration {
        self.settings.connect_limit
    }

    async fn ask<T>(&self, request: Request, answer: oneshot::Receiver<Answer<T>>, what: String) -> Result<T> {
        if request.text().contains('\0') {
            return Err(Error::Refused { what, why: "a NUL byte cannot be sent".into() });
        }
        if self.requests.send(request).is_err() {
            return Err(self.broken());
        }
        match timeout(self.settings.request_limit, answer).await {
            Ok(Ok(Ok(opened))) => Ok(opened),
            Ok(Ok(Err(why))) => Err(Error::Refused { what, why }),
            Ok(Err(_)) => Err(self.broken()),
            Err(_) => Err(Error::TimedOut { what, after: self.settings.request_limit }),
        }
    }

    fn broken(&self) -> Error {
        let reason = self.lost.get().map_or("the connection has ended", String::as_str);
        unreachable(&self.target, io::Error::other(reason.to_string()))
    }
}

/// What the host said: the thing asked for, or its words of refusal. A broken connection drops the sender instead.
pub(super) type Answer<T> = std::result::Result<T, String>;

/// The error of a host that cannot be talked to.
pub(super) fn unreachable(target: &Target, source: io::Error) -> Error {
    Error::Unreachable { what: target.to_string(), source: source.into() }
}

/// What the thread of a connection starts with.
struct Work {
    target: Target,
    settings: Settings,
    requests: mpsc::UnboundedReceiver<Request>,
    giver: mpsc::WeakUnboundedSender<Request>,
    lost: Arc<OnceLock<String>>,
    password: Option<Secret>,
}

impl Work {
    fn run(self, reply: oneshot::Sender<Result<()>>) {
        // A runtime of its own: the ciphers of forty hosts then share all cores, and no slow caller delays a host.
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(reply.send(Err(unreachable(&self.target, error)))),
        };
        runtime.block_on(self.serve(reply));
        // A name that is still being looked up must not keep the thread.
        runtime.shutdown_background();
    }

    async fn serve(self, reply: oneshot::Sender<Result<()>>) {
        let login = login(&self.target, &self.settings, self.password.as_ref());
        let login = timeout(self.settings.connect_limit, login).await;
        match login.unwrap_or_else(|_| Err(login_timed_out(&self.target, &self.settings))) {
            // A caller that has given up meanwhile leaves the driver without anyone to serve, and it ends.
            Ok(wire) => {
                reply.send(Ok(())).ok();
                Driver::new(wire, (self.requests, self.giver), self.settings.request_limit).run(&self.lost).await;
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }
}

fn login_timed_out(target: &Target, settings: &Settings) -> Error {
    Error::TimedOut { what: format!("login to {target}"), after: settings.connect_limit }
}
