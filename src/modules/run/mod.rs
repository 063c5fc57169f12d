//! Runs a method the way that its module says, and hears what it says. A file a way; a further one is its file and its arm in
//! [`Call::hear`].

mod ansible;
mod builtin;
mod container;
mod local;
mod node;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream::{LocalBoxStream, StreamExt, iter, once};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tables::Node;

use super::contract::{Change, Conversation, MOST, Message, Request, said};
use super::manifest::{Method, Run, Way};
use super::secrets::Secrets;
use super::site::Ready;
use super::{Module, WHOLE};
use crate::context::Context;
use crate::failure::Failure;
use crate::remote::Line;

/// How many nodes a module works on at once.
const AT_ONCE: usize = 32;

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
    let answers = match ready.module.manifest.methods[&method].way {
        Way::Ansible => once(ansible::run(cx, ready, method, asked)).flat_map(iter).boxed_local(),
        Way::Builtin | Way::Local | Way::Node | Way::Container => {
            iter(asked).map(move |asked| one(cx, ready, method, asked)).buffer_unordered(AT_ONCE).boxed_local()
        }
    };
    answers.map(|(target, answer)| (target.clone(), answer.map_err(|failure| about(&target, failure)))).boxed_local()
}

async fn one<T: DeserializeOwned>(
    cx: &Context,
    ready: &Ready<'_>,
    method: Method,
    asked: Asked<'_>,
) -> (String, Result<T, Failure>) {
    let Asked { target, node, changes, backup } = asked;
    let request = Request { backup: backup.as_ref(), ..ready.request(method, &target, changes) };
    let call = Call { module: ready.module, method, request: &request, secrets: &ready.secrets };
    let answer = call.carry_out::<T>(cx, node.as_ref()).await.map(|said| {
        said.warnings.iter().for_each(|warning| cx.ui.warning(warning));
        said.result
    });
    (target, answer)
}

/// A failure that says on which node it was.
fn about(target: &str, failure: Failure) -> Failure {
    match target {
        WHOLE => failure,
        target => Failure { message: format!("{target}: {}", failure.message), ..failure },
    }
}

/// What a run has said beside its result.
#[derive(Debug, Default)]
struct Heard {
    conversation: Conversation,
    warnings: Vec<String>,
    stderr: String,
    size: usize,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Said<T> {
    pub(crate) result: T,
    pub(crate) warnings: Vec<String>,
}

impl Call<'_> {
    /// Runs it where its module says; `node` is there for a method that runs on each.
    pub(crate) async fn carry_out<T: DeserializeOwned>(
        self,
        cx: &Context,
        node: Option<&Node>,
    ) -> Result<Said<T>, Failure> {
        let run = &self.module.manifest.methods[&self.method];
        let mut heard = Heard::default();
        let code = self.hear(cx, node, run, &mut heard).await?;
        if heard.size > MOST {
            return Err(self.failed(&format!("it said more than {} MiB", MOST >> 20), ""));
        }
        let warnings = heard.warnings.iter().map(|warning| said(&self.secrets.mask(warning))).collect();
        match heard.conversation.result(self.method, code) {
            Ok(result) => Ok(Said { result, warnings }),
            Err(why) => Err(self.failed(&why, &heard.stderr)),
        }
    }

    /// What it ended with.
    async fn hear(self, cx: &Context, node: Option<&Node>, run: &Run, heard: &mut Heard) -> Result<i64, Failure> {
        match (run.way, node) {
            (Way::Local, _) => local::run(self, run, heard).await,
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

    /// What the program hears.
    fn input(self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec(self.request).map_err(|error| self.failed(&error.to_string(), ""))
    }

    /// The file that the module names, which it must have.
    fn program(self, run: &Run) -> Result<PathBuf, Failure> {
        let name = run.program.as_deref().unwrap_or(Path::new(""));
        let path = self.module.directory.join(name);
        match path.is_file() {
            true => Ok(path),
            false => Err(self.failed(&format!("there is no {}", path.display()), "")),
        }
    }

    fn too_long(self, run: &Run) -> Failure {
        self.failed(&format!("it did not end within {} s, and was ended", run.limit), "")
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

impl Heard {
    fn hear(&mut self, line: Line) {
        match line {
            Line::Stdout(line) => {
                self.size += line.len();
                if self.size <= MOST
                    && let Some(Message::Warning(warning)) = self.conversation.hear(&line)
                {
                    self.warnings.push(warning);
                }
            }
            Line::Stderr(line) if self.stderr.len() < WORDS => {
                self.stderr.push_str(&line);
                self.stderr.push('\n');
            }
            Line::Stderr(_) => {}
        }
    }
}
