//! Runs a method the way that its module says, and hears what it says. A file a way; a further one is its file and its arm in
//! [`Call::hear`].

mod alone;
mod ansible;
mod batches;
mod builtin;
mod container;
mod heard;
mod local;
mod node;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream::{LocalBoxStream, StreamExt, iter};
use jiff::Zoned;
use nix::unistd::gethostname;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tables::Node;

pub(crate) use batches::gathered;
use heard::Heard;
use watch::Watch;

use super::contract::{Change, MOST, Request};
use super::manifest::{Method, Run, Way};
use super::secrets::Secrets;
use super::site::{self, Ready};
use super::words::said;
use super::{Module, WHOLE};
use crate::context::Context;
use crate::failure::Failure;
use crate::remote::Line;
use crate::reply::{Body, Reply};
use crate::ui::Format;

/// Of what a program that failed has said to people, this much is shown.
const LAST_WORDS: usize = 2000;

/// Of what it says to people, this much is kept.
const WORDS: usize = 1 << 20;

/// One run of a method, of what it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) module: &'a Module,
    pub(crate) method: Method,
    pub(crate) request: &'a Request<'a>,
    /// Never shown, whatever the program says.
    pub(crate) secrets: &'a Secrets,
}

/// What a method is asked about: a node, or the whole.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) target: String,
    pub(crate) node: Option<Node>,
    /// For `apply`.
    pub(crate) changes: &'a [Change],
    /// For `restore`.
    pub(crate) backup: Option<Value>,
}

/// What each target answers, as it comes. A failure before the first of them is one of the whole.
pub(crate) fn answers<'a, T: DeserializeOwned + 'a>(
    cx: &'a Context,
    ready: &'a Ready<'a>,
    method: Method,
    asked: Vec<Asked<'a>>,
) -> LocalBoxStream<'a, (String, Result<T, Failure>)> {
    let at_once = ready.at_once(method);
    match ready.module.manifest.methods[&method].way {
        Way::Ansible => batches::plays(cx, ready, method, asked).flat_map(iter).boxed_local(),
        Way::Builtin | Way::Local | Way::Node | Way::Container => {
            iter(asked).map(move |asked| one(cx, ready, method, asked)).buffer_unordered(at_once).boxed_local()
        }
    }
}

async fn one<T: DeserializeOwned>(
    cx: &Context,
    ready: &Ready<'_>,
    method: Method,
    asked: Asked<'_>,
) -> (String, Result<T, Failure>) {
    let Asked { target, node, changes, backup } = asked;
    let request = Request { backup: backup.as_ref(), ..ready.request(method, &target, changes) };
    // One that is to go is not among the targets any more.
    let gone = node.as_ref().filter(|_| request.target.is_none()).map(site::told);
    let request = Request { target: request.target.or(gone.as_ref()), ..request };
    let call = Call { module: ready.module, method, request: &request, secrets: &ready.secrets };
    let answer = call.carry_out::<T>(cx, node.as_ref()).await;
    (target, answer)
}

/// A failure that says on which node it was, for who shows it in no line of the node's own.
pub(crate) fn about(target: &str, failure: Failure) -> Failure {
    match target {
        WHOLE => failure,
        target => Failure { message: format!("{target}: {}", failure.message), ..failure },
    }
}

impl Call<'_> {
    /// Runs it where its module says; `node` is there for a method that runs on each.
    pub(crate) async fn carry_out<T: DeserializeOwned>(self, cx: &Context, node: Option<&Node>) -> Result<T, Failure> {
        let run = &self.module.manifest.methods[&self.method];
        let mut heard = Heard::new(Watch::of(cx, self));
        let over = heard.over();
        let code = tokio::select! {
            biased;
            () = over.notified() => Err(self.too_much()),
            code = self.hear(cx, node, run, &mut heard) => code,
        };
        heard.warnings().iter().for_each(|warning| self.warn(cx, warning));
        // What was cut off for its length is not what a program has said.
        let code = if heard.is_over() { Err(self.too_much()) } else { code };
        let (result, words) = heard.end(self.method, code?);
        result.map_err(|why| self.failed(&why, &words))
    }

    /// Tells a warning of a program, and whose it is.
    fn warn(self, cx: &Context, warning: &str) {
        let (module, method) = (self.request.module, self.method);
        let text = self.secrets.mask(&format!("{method} of module {module}: {warning}"));
        // It is told at once: what is folded is told with the answers, which may be long in coming.
        let format = if cx.progress_format() == Format::Json { Format::Json } else { Format::Lines };
        cx.ui.reply(format, Reply { node: Some(self.whom().to_owned()), body: Body::Warning(text) });
    }

    /// The node that it is about, or the module where it is the whole.
    fn whom(&self) -> &str {
        let target = self.request.target.and_then(|target| target.get("name")).and_then(Value::as_str);
        target.unwrap_or(self.request.module)
    }

    /// What it ended with.
    async fn hear(self, cx: &Context, node: Option<&Node>, run: &Run, heard: &mut Heard) -> Result<i64, Failure> {
        match (run.way, node) {
            (Way::Local, _) => local::run(self, cx, run, heard).await,
            (Way::Node, Some(node)) => node::run(self, cx, node, run, heard).await,
            (Way::Container, _) => container::run(self, cx, run, heard).await,
            (Way::Builtin, node) => builtin::run(self, cx, node, run, heard).await,
            (Way::Ansible, _) => self.told(heard),
            (way @ Way::Node, _) => Err(self.failed(&format!("methods cannot run by way '{way}' yet"), "")),
        }
    }

    /// What is asked once, of a playbook: it has no words of its own.
    fn told(self, heard: &mut Heard) -> Result<i64, Failure> {
        let result = match self.method {
            Method::Metadata => json!({ "labels": self.module.manifest.labels }),
            Method::Init => json!({ "config": {} }),
            _ => return Err(self.failed("a playbook runs on nodes", "")),
        };
        heard.hear(Line::Stdout(json!({ "result": result }).to_string()));
        Ok(0)
    }

    /// Who is at work, for those who have to wait.
    fn holder(self, cx: &Context) -> String {
        let host = gethostname().unwrap_or_default();
        let now = Zoned::now().strftime("%Y-%m-%d %H:%M:%S");
        let (method, who, process) = (self.method, cx.who(), std::process::id());
        format!("{method} of {who} on {}, process {process}, since {now}", host.to_string_lossy())
    }

    /// What the program hears.
    fn input(self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec(self.request).map_err(|error| self.failed(&error.to_string(), ""))
    }

    /// The file that the module names, which it must have.
    fn program(self, run: &Run) -> Result<PathBuf, Failure> {
        let name = run.program.as_deref().unwrap_or(Path::new(""));
        let path = self.module.directory.join(name);
        if !path.is_file() {
            return Err(self.failed(&format!("there is no {}", path.display()), ""));
        }
        plugins::trusted(&path).map_err(|error| self.failed(&plugins::chain(&error), ""))?;
        Ok(path)
    }

    /// The failure of something else, told as one of this run.
    fn named(self, failure: Failure) -> Failure {
        Failure { message: self.failed(&failure.message, "").message, ..failure }
    }

    fn too_long(self, run: &Run) -> Failure {
        self.failed(&format!("it did not end within {} s, and was ended", run.limit), "")
    }

    fn too_much(self) -> Failure {
        self.failed(&format!("it said more than {} MiB, and was ended", MOST >> 20), "")
    }

    /// Why it failed, with the last of what it has said to people.
    fn failed(self, why: &str, words: &str) -> Failure {
        let mut start = words.len().saturating_sub(LAST_WORDS);
        while !words.is_char_boundary(start) {
            start += 1;
        }
        let words = words[start..].trim();
        let words = if words.is_empty() { String::new() } else { format!("\n{words}") };
        let message = format!("{} of module {}: {why}{words}", self.method, self.module.manifest.name());
        Failure::refused(said(&self.secrets.mask(&message)))
    }
}

impl Run {
    fn time(&self) -> Duration {
        Duration::from_secs(self.limit)
    }
}
