//! Logging in: connect, check the host's key, prove who we are. The caller sets the time limit.
//!
//! Secrets never appear in an error: keys are named by their files.

use std::env;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use ssh2::{ErrorCode, KeyboardInteractivePrompt, MethodType, Prompt, Session};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

use super::connection::{Target, unreachable};
use super::known_hosts::{self, Known};
use super::wire::{Wire, settled};
use crate::{Error, Result, Secret, Settings};

/// LIBSSH2_ERROR_BANNER_RECV, BANNER_SEND, SOCKET_SEND, SOCKET_DISCONNECT, SOCKET_RECV: the host hung up on us.
const HUNG_UP: [ErrorCode; 5] = [
    ErrorCode::Session(-2),
    ErrorCode::Session(-3),
    ErrorCode::Session(-7),
    ErrorCode::Session(-13),
    ErrorCode::Session(-43),
];

/// LIBSSH2_ERROR_AUTHENTICATION_FAILED, PUBLICKEY_UNVERIFIED.
const NOT_ACCEPTED: [ErrorCode; 2] = [ErrorCode::Session(-18), ErrorCode::Session(-19)];

/// Logs in to the host: by a password if there is one, else by keys.
pub(super) async fn login(target: &Target, settings: &Settings, password: Option<&Secret>) -> Result<Wire> {
    let end = Instant::now() + settings.connect_limit;
    let known = known_hosts::find(target, &settings.known_hosts)?;
    let mut wire = greet(target, end, &known).await?;
    known_hosts::check(&wire.session, target, settings, &known)?;
    let login = Login { target, wire: &mut wire, tried: Vec::new() };
    match password {
        Some(password) => login.by_password(password).await?,
        None => login.authenticate(&settings.ssh_keys).await?,
    }
    watch(wire.tcp(), settings.request_limit).map_err(|error| unreachable(target, error))?;
    Ok(wire)
}

/// Connects and agrees on keys. A busy sshd hangs up on newcomers at random (`MaxStartups`), so that is tried again.
async fn greet(target: &Target, end: Instant, known: &[Known]) -> Result<Wire> {
    let unreachable = |error: io::Error| unreachable(target, error);
    let found = lookup_host((target.host.as_str(), target.port)).await.map_err(unreachable)?;
    let addresses: Vec<_> = found.collect();
    let mut longest = 100;
    loop {
        let tcp = connect(&addresses, end).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let mut wire = Wire::new(tcp).map_err(unreachable)?;
        prefer_known(&wire.session, known).map_err(|error| unreachable(error.into()))?;
        let mut session = wire.session.clone();
        let greeted = wire.call(|_| settled(session.handshake())).await;
        let (hung_up, error) = match greeted {
            Ok(Ok(())) => return Ok(wire),
            Ok(Err(error)) => (HUNG_UP.contains(&error.code()), error.into()),
            Err(error) => (true, error),
        };
        let pause = Duration::from_millis(50 + random() % longest);
        if !hung_up || Instant::now() + pause > end {
            return Err(unreachable(error));
        }
        sleep(pause).await;
        longest = (longest * 2).min(2000);
    }
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Tries the addresses in order; each gets its share of the time.
async fn connect(addresses: &[SocketAddr], end: Instant) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (index, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::Error::new(io::ErrorKind::TimedOut, format!("{address} does not answer")),
        }
    }
    Err(failure)
}

/// Asks for a host key of a type that we know, as the host may have several.
fn prefer_known(session: &Session, known: &[Known]) -> Result<(), ssh2::Error> {
    let offered = session.supported_algs(MethodType::HostKey)?;
    let (mut first, rest): (Vec<_>, Vec<_>) =
        offered.into_iter().partition(|algorithm| known.iter().any(|entry| entry.is_for(algorithm)));
    first.extend(rest);
    session.method_pref(MethodType::HostKey, &first.join(","))
}

/// A login under way: what has been tried is told if nothing helps.
struct Login<'a> {
    target: &'a Target,
    wire: &'a mut Wire,
    tried: Vec<String>,
}

impl Login<'_> {
    async fn authenticate(mut self, keys: &[PathBuf]) -> Result<()> {
        let user = &self.target.user;
        let asked = |session: &Session| settled(session.auth_methods(user).map(String::from));
        let methods = self.ask(asked).await?;
        if self.wire.session.authenticated() {
            return Ok(());
        }
        let methods = methods.map_err(|error| unreachable(self.target, error.into()))?;
        // Most users have one key of the three that are looked for.
        let present: Vec<_> = keys.iter().filter(|key| key.exists()).collect();
        if present.is_empty() {
            let names: Vec<_> = keys.iter().map(|key| key.display().to_string()).collect();
            self.failed(format!("no key file ({})", names.join(", ")));
        }
        for key in present {
            if self.try_key(key).await? {
                return Ok(());
            }
        }
        if self.try_agent().await? {
            return Ok(());
        }
        Err(self.denied(format!("the host accepts {methods}; tried: {}", self.tried.join("; "))))
    }

    /// Says it once: some BMCs shut out who is wrong a few times.
    async fn by_password(mut self, password: &Secret) -> Result<()> {
        let user = &self.target.user;
        let methods = self.ask(|session| settled(session.auth_methods(user).map(String::from))).await?;
        if self.wire.session.authenticated() {
            return Ok(());
        }
        let methods = methods.map_err(|error| unreachable(self.target, error.into()))?;
        let has = |name: &str| methods.split(',').any(|method| method == name);
        let answer = if has("password") {
            self.ask(|session| settled(session.userauth_password(user, password.reveal()))).await?
        } else if has("keyboard-interactive") {
            self.ask(|session| settled(session.userauth_keyboard_interactive(user, &mut Says(password)))).await?
        } else {
            return Err(self.denied(format!("it takes no passwords, but {methods}")));
        };
        match answer {
            Ok(()) => Ok(()),
            Err(error) if HUNG_UP.contains(&error.code()) => Err(unreachable(self.target, error.into())),
            Err(_) => Err(self.denied("user or password is wrong".into())),
        }
    }

    fn denied(&self, why: String) -> Error {
        Error::Denied { what: format!("login as {} to {}", self.target.user, self.target), why }
    }

    async fn ask<T>(&mut self, call: impl FnMut(&Session) -> io::Result<T>) -> Result<T> {
        self.wire.call(call).await.map_err(|error| unreachable(self.target, error))
    }

    async fn try_key(&mut self, key: &Path) -> Result<bool> {
        let name = key.display();
        let text = match fs::read_to_string(key) {
            Ok(text) => text,
            Err(error) => return Ok(self.failed(format!("{name} ({error})"))),
        };
        if is_encrypted(&text) {
            return Ok(self.failed(format!("{name} (has a passphrase: load it into the ssh agent with ssh-add)")));
        }
        let user = &self.target.user;
        match self.ask(|session| settled(session.userauth_pubkey_file(user, None, key, None))).await? {
            Ok(()) => Ok(true),
            Err(error) if HUNG_UP.contains(&error.code()) => Err(unreachable(self.target, error.into())),
            Err(error) if NOT_ACCEPTED.contains(&error.code()) => Ok(self.failed(format!("{name} (not accepted)"))),
            Err(error) => Ok(self.failed(format!("{name} ({})", error.message()))),
        }
    }

    async fn try_agent(&mut self) -> Result<bool> {
        if env::var_os("SSH_AUTH_SOCK").is_none() {
            return Ok(self.failed("no ssh agent (SSH_AUTH_SOCK is not set)".into()));
        }
        let identities = self.wire.session.agent().and_then(|mut agent| {
            agent.connect()?;
            agent.list_identities()?;
            Ok((agent.identities()?, agent))
        });
        let (identities, agent) = match identities {
            Ok(found) => found,
            Err(error) => return Ok(self.failed(format!("the ssh agent ({})", error.message()))),
        };
        let user = &self.target.user;
        for identity in &identities {
            match self.ask(|_| settled(agent.userauth(user, identity))).await? {
                Ok(()) => return Ok(true),
                Err(error) if HUNG_UP.contains(&error.code()) => return Err(unreachable(self.target, error.into())),
                Err(_) => (),
            }
        }
        Ok(self.failed(format!("{} keys of the ssh agent", identities.len())))
    }

    fn failed(&mut self, what: String) -> bool {
        self.tried.push(what);
        false
    }
}

/// Answers whatever is asked with the password.
struct Says<'a>(&'a Secret);

impl KeyboardInteractivePrompt for Says<'_> {
    fn prompt(&mut self, _user: &str, _words: &str, prompts: &[Prompt<'_>]) -> Vec<String> {
        prompts.iter().map(|_| self.0.reveal().to_owned()).collect()
    }
}

/// OpenSSH's own format names its cipher right after the magic; in the older ones it says so in words.
fn is_encrypted(key: &str) -> bool {
    /// "openssh-key-v1", NUL, and the string "none", in base64.
    const PLAIN: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbm";
    let own_format = key.contains("BEGIN OPENSSH PRIVATE KEY");
    key.contains("ENCRYPTED") || (own_format && !key.contains(PLAIN))
}

/// Lets the kernel find out about a host that has gone silently: half the limit idle, then probes for the other half.
fn watch(socket: &TcpStream, limit: Duration) -> io::Result<()> {
    let seconds = u32::try_from(limit.as_secs()).unwrap_or(u32::MAX).clamp(4, 7200);
    let millis = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    setsockopt(socket, sockopt::TcpUserTimeout, &millis)?;
    setsockopt(socket, sockopt::TcpKeepIdle, &(seconds / 2))?;
    setsockopt(socket, sockopt::TcpKeepInterval, &(seconds / 4))?;
    setsockopt(socket, sockopt::TcpKeepCount, &2)?;
    setsockopt(socket, sockopt::KeepAlive, &true)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_a_passphrase_are_recognised() {
        let check = |text: &str, expected: bool| assert_eq!(is_encrypted(text), expected, "{text}");
        let begin = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
        check(&format!("{begin}b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB"), false);
        check(&format!("{begin}b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0"), true);
        check("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", true);
        check("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", false);
    }
}
