//! A session with a BMC: logging in, asking, leaving.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::document::{self, Document};
use super::line::{Failed, Line};
use super::trust::{self, Trust};
use crate::bmc::pauses::Pauses;
use crate::https::{self, Whole};
use crate::{Error, Result, Secret};

pub(super) const ROOT: &str = "/redfish/v1/";
const FIRST_PAUSE: Duration = Duration::from_millis(300);
/// No BMC is asked again later than that, whatever it wants.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Connections that break are opened anew so often for one question.
const BREAKS: usize = 3;
/// Bytes that a BMC may say in one session, whatever it leads us through.
const MOST: usize = 64 * 1024 * 1024;
/// How long all may take for which a session is opened: each answer in its limit is no end.
const LONGEST: Duration = Duration::from_secs(180);
/// How long a BMC may take to hear that we leave.
const LEAVING: Duration = Duration::from_secs(2);

/// A BMC to log in to.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// How errors call it.
    pub(super) name: String,
    pub(super) host: String,
    pub(super) address: SocketAddr,
    pub(super) user: String,
    pub(super) password: Secret,
}

impl Target {
    /// The same at another address; one that has a name keeps it.
    pub(super) fn at(&self, address: Ipv4Addr) -> Self {
        let host = if self.has_name() { self.host.clone() } else { address.to_string() };
        let peer = SocketAddr::new(address.into(), self.address.port());
        Self { name: format!("BMC {address}"), host, address: peer, ..self.clone() }
    }

    pub(super) fn has_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    /// By what its certificate is known.
    pub(super) fn place(&self) -> String {
        trust::place(&self.host, self.address)
    }
}

/// How long it may take to reach a BMC, and how long each answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) request: Duration,
}

/// An open session; dropping it tells the BMC, whose sessions are few.
pub(super) struct Session {
    /// None only while it is dropped.
    talk: Option<Talk>,
    /// What the BMC says to everybody.
    pub(super) root: Document,
    endings: TaskTracker,
}

/// Something to ask.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    /// For errors: "cannot …".
    pub(super) doing: &'a str,
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) body: Option<&'a Value>,
    /// The version of the resource that is to be changed, for BMCs that insist on it.
    pub(super) tag: Option<&'a str>,
}

/// An answer, whatever it says.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) document: Option<Document>,
    pub(super) tag: Option<String>,
    token: Option<HeaderValue>,
    location: Option<String>,
    again: Option<Duration>,
}

impl Session {
    pub(super) async fn open(
        target: Target,
        trust: &Arc<Trust>,
        limits: Limits,
        endings: &TaskTracker,
    ) -> Result<Self> {
        let Target { name, host, address, user, password } = target;
        let line = Line { name, host, address, trust: trust.clone(), open: None };
        let longest = LONGEST.max(limits.request);
        let end = Instant::now() + longest;
        let (limit, pass, secrets) = (limits.connect, Pass::Nobody, Vec::new());
        let mut talk = Talk { line, limit, user, pass, secrets, left: MOST, end, longest };
        let root = talk.root().await?;
        talk.limit = limits.request;
        // From here on it is left again, whatever comes.
        let mut session = Self { talk: Some(talk), root, endings: endings.clone() };
        let sessions = session.root.link(&["Links", "Sessions"]);
        session.talk().log_in(sessions.as_deref(), &password).await?;
        Ok(session)
    }

    fn talk(&mut self) -> &mut Talk {
        self.talk.as_mut().expect("only the end of a session takes it")
    }

    /// Lets all that is asked from now on take so long.
    pub(super) fn may_take(&mut self, longest: Duration) {
        let talk = self.talk();
        (talk.end, talk.longest) = (Instant::now() + longest, longest);
    }

    /// Another password that no error may show.
    pub(super) fn hide(&mut self, user: &str, password: &Secret) {
        self.talk().secrets.extend(forms(user, password));
    }

    /// How errors call the BMC.
    pub(super) fn name(&self) -> &str {
        self.talk.as_ref().map_or("", |talk| &talk.line.name)
    }

    /// How long an answer may take.
    pub(super) fn limit(&self) -> Duration {
        self.talk.as_ref().map_or(Duration::ZERO, |talk| talk.limit)
    }

    /// Whether the members of a collection can be had with it, in one answer.
    pub(super) fn expands(&self) -> bool {
        let can = |what: &str| self.root.flag(&["ProtocolFeaturesSupported", "ExpandQuery", what]) == Some(true);
        can("NoLinks") || can("ExpandAll")
    }

    /// Reads a resource, and its version.
    pub(super) async fn get(&mut self, doing: &str, path: &str) -> Result<(Document, Option<String>)> {
        let answer = self.try_ask(Ask { doing, method: &Method::GET, path, body: None, tag: None }).await?;
        let answer = self.succeeded(doing, path, answer)?;
        let document = answer.document.ok_or_else(|| self.garbled(doing, "its answer is no JSON object"))?;
        Ok((document, answer.tag))
    }

    /// Reads a resource that may be gone, or broken, without any of the others being so.
    pub(super) async fn find(&mut self, doing: &str, path: &str) -> Result<Option<Document>> {
        let answer = self.try_ask(Ask { doing, method: &Method::GET, path, body: None, tag: None }).await?;
        if answer.status == StatusCode::NOT_FOUND || answer.status.is_server_error() {
            return Ok(None);
        }
        Ok(self.succeeded(doing, path, answer)?.document)
    }

    /// The answer of something that may well be refused.
    pub(super) async fn try_ask(&mut self, ask: Ask<'_>) -> Result<Answer> {
        self.talk().ask(ask).await
    }

    /// Changes members of a resource. A BMC that wants to know which version is changed is told so.
    pub(super) async fn change(&mut self, doing: &str, path: &str, body: &Value) -> Result<()> {
        let ask = Ask { doing, method: &Method::PATCH, path, body: Some(body), tag: None };
        let mut answer = self.try_ask(ask).await?;
        if matches!(answer.status, StatusCode::PRECONDITION_REQUIRED | StatusCode::PRECONDITION_FAILED) {
            let (_, tag) = self.get(doing, path).await?;
            answer = self.try_ask(Ask { tag: tag.as_deref(), ..ask }).await?;
        }
        self.succeeded(doing, path, answer).map(drop)
    }

    /// An answer that must be a success.
    pub(super) fn succeeded(&self, doing: &str, path: &str, answer: Answer) -> Result<Answer> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let talk = self.talk.as_ref().expect("only the end of a session takes it");
        Err(talk.refusal(doing, path, &answer))
    }

    pub(super) fn garbled(&self, doing: &str, why: impl Into<String>) -> Error {
        Error::Garbled { what: cannot(self.name(), doing), why: why.into() }
    }

    pub(super) fn refused(&self, doing: &str, why: impl Into<String>) -> Error {
        Error::Refused { what: cannot(self.name(), doing), why: why.into() }
    }
}

fn cannot(name: &str, doing: &str) -> String {
    format!("{name}: cannot {doing}")
}

impl Drop for Session {
    fn drop(&mut self) {
        if let (Some(talk), Ok(runtime)) = (self.talk.take(), Handle::try_current()) {
            self.endings.spawn_on(talk.leave(), &runtime);
        }
    }
}

/// As whom we speak.
enum Pass {
    Nobody,
    /// The account with each question, where a BMC has no sessions.
    Account(HeaderValue),
    Session {
        token: HeaderValue,
        path: Option<String>,
    },
}

struct Talk {
    line: Line,
    /// For each answer.
    limit: Duration,
    user: String,
    pass: Pass,
    /// What no error may show, though a BMC may say it back to us.
    secrets: Vec<Secret>,
    /// Bytes that it may still say.
    left: usize,
    /// When all has to be done, and how long that is from the beginning.
    end: Instant,
    longest: Duration,
}

impl Talk {
    /// What every BMC that speaks Redfish says to everybody.
    async fn root(&mut self) -> Result<Document> {
        let doing = "speak Redfish";
        let answer = self.ask(Ask { doing, method: &Method::GET, path: ROOT, body: None, tag: None }).await;
        let answer = answer.map_err(|error| match error {
            Error::TimedOut { after, .. } => Error::Unreachable {
                what: self.line.name.clone(),
                source: format!("no answer within {} s", after.as_secs_f32()).into(),
            },
            other => other,
        })?;
        if !answer.status.is_success() {
            return Err(self.refusal(doing, ROOT, &answer));
        }
        let why = "its answer is no JSON object".into();
        answer.document.ok_or_else(|| Error::Garbled { what: cannot(&self.line.name, doing), why })
    }

    async fn log_in(&mut self, sessions: Option<&str>, password: &Secret) -> Result<()> {
        const DOING: &str = "log in";
        self.pass = Pass::Account(https::basic(&self.user, password));
        self.secrets = forms(&self.user, password);
        let Some(path) = sessions else { return Ok(()) };
        let account = std::mem::replace(&mut self.pass, Pass::Nobody);
        let body = json!({ "UserName": self.user, "Password": password.reveal() });
        let ask = Ask { doing: DOING, method: &Method::POST, path, body: Some(&body), tag: None };
        let answer = self.ask(ask).await?;
        debug!(bmc = self.line.name, status = answer.status.as_u16(), "login");
        match (answer.status, answer.token) {
            (status, Some(mut token)) if status.is_success() => {
                token.set_sensitive(true);
                self.secrets.extend(token.to_str().map(Secret::new));
                let told = || answer.document.as_ref()?.path(&["@odata.id"]);
                self.pass = Pass::Session { token, path: answer.location.or_else(told) };
            }
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED, _) => {
                self.pass = account;
            }
            (status, None) if status.is_success() => {
                let why = "it has opened a session and gives no token for it".into();
                return Err(Error::Garbled { what: cannot(&self.line.name, DOING), why });
            }
            (_, token) => return Err(self.refusal(DOING, path, &Answer { token, ..answer })),
        }
        Ok(())
    }

    /// Asks until there is an answer that is more than "not now", within the limit.
    async fn ask(&mut self, ask: Ask<'_>) -> Result<Answer> {
        let own = Instant::now() + self.limit;
        let (deadline, after) = if self.end < own { (self.end, self.longest) } else { (own, self.limit) };
        let mut pauses = Pauses::from(FIRST_PAUSE);
        let mut breaks = 0;
        loop {
            let request = self.written(ask)?;
            let pause = match timeout_at(deadline, self.line.send(request)).await {
                Err(_) => {
                    return Err(Error::TimedOut { what: cannot(&self.line.name, ask.doing), after });
                }
                Ok(Err(Failed::Final(error))) => return Err(error),
                Ok(Err(Failed::Broken { heard, why })) => {
                    debug!(bmc = self.line.name, heard, why, "broken");
                    breaks += 1;
                    self.broken(ask, heard, breaks, why)?;
                    pauses.pause()
                }
                Ok(Ok(whole)) => {
                    let left = self.left.checked_sub(whole.body.len()).ok_or_else(|| self.endless(ask.doing))?;
                    self.left = left;
                    let mut answer = Answer::of(whole);
                    if let Some(document) = answer.document.as_mut().filter(|_| !answer.status.is_success()) {
                        document.hide(&self.secrets);
                    }
                    if !answer.is_busy() {
                        return Ok(answer);
                    }
                    let pause = answer.again.unwrap_or_else(|| pauses.pause());
                    if Instant::now().checked_add(pause).is_none_or(|then| then >= deadline) {
                        return Err(self.refusal(ask.doing, ask.path, &answer));
                    }
                    pause
                }
            };
            sleep(pause).await;
        }
    }

    fn endless(&self, doing: &str) -> Error {
        let why = format!("it has said more than {} MiB", MOST / 1024 / 1024);
        Error::Garbled { what: cannot(&self.line.name, doing), why }
    }

    /// Whether a question is asked again whose connection broke: not if the BMC may have done what it was asked for.
    fn broken(&self, ask: Ask<'_>, heard: bool, breaks: usize, why: String) -> Result<()> {
        if heard && ask.method != Method::GET {
            let why = format!("whether it was done is not known, because the connection broke: {why}");
            return Err(Error::Garbled { what: cannot(&self.line.name, ask.doing), why });
        }
        if breaks > BREAKS {
            return Err(Error::Unreachable { what: self.line.name.clone(), source: why.into() });
        }
        Ok(())
    }

    fn written(&self, ask: Ask<'_>) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(ask.method).uri(ask.path);
        request = request.header(header::HOST, self.line.place()).header(header::ACCEPT, "application/json");
        request = request.header("OData-Version", "4.0");
        request = match &self.pass {
            Pass::Nobody => request,
            Pass::Account(account) => request.header(header::AUTHORIZATION, account),
            Pass::Session { token, .. } => request.header("X-Auth-Token", token),
        };
        if let Some(tag) = ask.tag {
            request = request.header(header::IF_MATCH, tag);
        }
        if ask.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = ask.body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        request
            .body(Full::new(body))
            .map_err(|error| Error::Garbled { what: cannot(&self.line.name, ask.doing), why: error.to_string() })
    }

    /// An answer that is no success, in words.
    fn refusal(&self, doing: &str, path: &str, answer: &Answer) -> Error {
        let what = cannot(&self.line.name, doing);
        let says = |message: &str| answer.document.as_ref().is_some_and(|document| document.says(message));
        let reason = answer.document.as_ref().and_then(Document::reason);
        let because = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        if says("SessionLimitExceeded") {
            return Error::Refused { what: self.line.name.clone(), why: "it has no free session".into() };
        }
        match answer.status {
            StatusCode::UNAUTHORIZED => {
                let why = format!("it does not let in user '{}': user or password is wrong", self.user);
                Error::Denied { what: self.line.name.clone(), why }
            }
            StatusCode::FORBIDDEN => Error::Denied { what, why: "the user has not the privilege for it".into() },
            StatusCode::NOT_FOUND => Error::Refused { what, why: format!("it has no {path}") },
            _ if answer.is_busy() => Error::Refused {
                what,
                why: match answer.again {
                    Some(again) => format!("it is busy, and wants to be asked again after {} s", again.as_secs()),
                    None => "it is busy".into(),
                },
            },
            status => Error::Refused { what, why: format!("it answers {}{because}", status.as_u16()) },
        }
    }

    /// Tells the BMC that we leave. Without that it would keep the session for minutes, and it has few.
    async fn leave(mut self) {
        let Pass::Session { path: Some(path), .. } = &self.pass else { return };
        let path = path.clone();
        let ask = Ask { doing: "log out", method: &Method::DELETE, path: &path, body: None, tag: None };
        if let Ok(request) = self.written(ask) {
            timeout(LEAVING, self.line.send(request)).await.ok();
        }
    }
}

/// How long to wait before asking again. Where it is a date, it is as good as none.
fn again(text: &str) -> Option<Duration> {
    text.parse().ok().map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// A password as it is sent, and as a BMC may say it back.
fn forms(user: &str, password: &Secret) -> Vec<Secret> {
    let in_json = Value::from(password.reveal()).to_string();
    let account = BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()));
    [&account, &in_json[1..in_json.len() - 1], password.reveal()].into_iter().map(Secret::new).collect()
}

impl Answer {
    fn of(whole: Whole) -> Self {
        let Whole { status, headers, body } = whole;
        let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let document = Document::parse(&body);
        let written = || document.as_ref()?.text(&["@odata.etag"]);
        Self {
            status,
            tag: text(header::ETAG).map(str::to_owned).or_else(written),
            token: headers.get("X-Auth-Token").cloned(),
            location: text(header::LOCATION).and_then(document::local),
            again: text(header::RETRY_AFTER).and_then(again),
            document,
        }
    }

    fn is_busy(&self) -> bool {
        matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_as_long_as_a_bmc_likes() {
        let check =
            |text: &str, seconds: Option<u64>| assert_eq!(again(text).map(|pause| pause.as_secs()), seconds, "{text}");
        check("120", Some(120));
        check("18446744073709551615", Some(3600));
        check("18446744073709551616", None);
        check("-1", None);
        check("Wed, 21 Oct 2026 07:28:00 GMT", None);
    }

    #[test]
    fn what_is_said_back_shows_no_password() {
        let hidden = |password: &str, said: &str| {
            let body = json!({ "error": { "message": said } }).to_string();
            let mut document = Document::parse(body.as_bytes()).unwrap();
            document.hide(&forms("me", &Secret::new(password)));
            document.reason().unwrap()
        };
        assert_eq!(hidden("hunter2", "hunter2 is not hunter2"), "*** is not ***");
        assert_eq!(hidden("a\"b", r#"{"Password":"a\"b"}"#), r#"{"Password":"***"}"#);
        assert_eq!(hidden("hunter2", "Basic bWU6aHVudGVyMg=="), "Basic ***");
        assert_eq!(hidden("", "no"), "no");
        // Where the text is cut, half a password is a password.
        assert!(!hidden("hunter2", &format!("{}hunter2", "x".repeat(509))).contains('h'));
    }
}
