//! Runs a method's program, here or on a node, and hears what it says.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plugins::{Invocation, Program};
use serde::de::DeserializeOwned;
use tables::Node;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use super::Module;
use super::contract::{Conversation, MOST, Message, Request};
use super::manifest::{Method, Run, Way};
use super::secrets::Secrets;
use crate::context::Context;
use crate::failure::Failure;
use crate::remote::{self, Line};

/// Of what a program that failed has said to people, this much is shown.
const LAST_WORDS: usize = 2000;

/// Takes variables up to an empty line and the program as a line of base64, and runs that with the rest of the input. None of
/// it is in a command line, which others can read, and nothing of it stays.
const RECEIVE: &str =
    "umask 077; d=$(mktemp -d) || exit 125; trap 'rm -rf \"$d\"' EXIT; trap 'exit 129' HUP; trap 'exit 143' TERM
while IFS= read -r variable && [ -n \"$variable\" ]; do export \"$variable\"; done
IFS= read -r program && printf %s \"$program\" | base64 -d >\"$d/program\" && chmod 700 \"$d/program\" || exit 125
cd \"$d\" && ./program ";

/// One run of a method, of what it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) module: &'a Module,
    pub(crate) method: Method,
    pub(crate) request: &'a Request<'a>,
    /// Never shown, whatever the program says.
    pub(crate) secrets: &'a Secrets,
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
        let input = serde_json::to_vec(self.request).map_err(|error| self.failed(&error.to_string(), ""))?;
        let mut heard = Heard::default();
        let limit = Duration::from_secs(run.limit);
        let code = match (run.way, node) {
            (Way::Node, Some(node)) => self.on_node(cx, node, run, &input, limit, &mut heard).await?,
            (Way::Local, _) => match tokio::time::timeout(limit, self.here(run, &input, &mut heard)).await {
                Ok(code) => code?,
                Err(_) => {
                    return Err(
                        self.failed(&format!("it did not end within {} s, and was ended", run.limit), &heard.stderr)
                    );
                }
            },
            (way, _) => return Err(self.failed(&format!("methods cannot run by way '{way}' yet"), "")),
        };
        if heard.size > MOST {
            return Err(self.failed(&format!("it said more than {} MiB", MOST >> 20), ""));
        }
        let warnings = heard.warnings.iter().map(|warning| self.secrets.mask(warning)).collect();
        match heard.conversation.result(self.method, code) {
            Ok(result) => Ok(Said { result, warnings }),
            Err(why) => Err(self.failed(&why, &heard.stderr)),
        }
    }

    async fn here(self, run: &Run, input: &[u8], heard: &mut Heard) -> Result<i64, Failure> {
        let program = self.program(run)?;
        let cannot = |error: std::io::Error| self.failed(&format!("cannot run {}: {error}", program.display()), "");
        let mut child = Command::new(&program)
            .arg(self.method.name())
            .envs(self.request.variables())
            .current_dir(&self.module.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for us; what it started ends with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot)?;
        let _group = Group(child.id());
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                stdin.write_all(input).await.ok(); // a program that does not read it says so by what it answers
            }
        };
        let mut words = Vec::new();
        let listen = async {
            if let Some(stderr) = stderr {
                stderr.take(1 << 20).read_to_end(&mut words).await.ok();
            }
        };
        let read = async {
            let Some(stdout) = stdout else { return };
            let mut lines = BufReader::new(stdout.take(MOST as u64 + 1)).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                heard.hear(Line::Stdout(line));
            }
        };
        tokio::join!(write, listen, read);
        heard.stderr = String::from_utf8_lossy(&words).into_owned();
        let status = child.wait().await.map_err(cannot)?;
        Ok(status.code().map_or(-1, i64::from))
    }

    async fn on_node(
        self,
        cx: &Context,
        node: &Node,
        run: &Run,
        input: &[u8],
        limit: Duration,
        heard: &mut Heard,
    ) -> Result<i64, Failure> {
        let program = self.program(run)?;
        let text = std::fs::read(&program)
            .map_err(|error| self.failed(&format!("cannot read {}: {error}", program.display()), ""))?;
        let variables: String =
            self.request.variables().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let stdin = [format!("{variables}\n{}\n", STANDARD.encode(&text)).as_bytes(), input].concat();
        let program = Program::Shell(format!("{RECEIVE}{}", self.method.name()));
        let invocation = Invocation { program, stdin, ..Invocation::default() };
        let hear = |line: Line| heard.hear(line);
        remote::run(cx.backends()?, node, &invocation, Some(limit), hear).await
    }

    fn program(self, run: &Run) -> Result<std::path::PathBuf, Failure> {
        let name = run.program.as_deref().unwrap_or(Path::new(""));
        let path = self.module.directory.join(name);
        match path.is_file() {
            true => Ok(path),
            false => Err(self.failed(&format!("there is no {}", path.display()), "")),
        }
    }

    fn failed(self, why: &str, words: &str) -> Failure {
        let mut start = words.len().saturating_sub(LAST_WORDS);
        while !words.is_char_boundary(start) {
            start += 1;
        }
        let words = words[start..].trim();
        let words = if words.is_empty() { String::new() } else { format!("\n{words}") };
        let message = format!("{} of module {}: {why}{words}", self.method, self.module.manifest.name());
        Failure::refused(self.secrets.mask(&message))
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
            Line::Stderr(line) if self.stderr.len() < 1 << 20 => {
                self.stderr.push_str(&line);
                self.stderr.push('\n');
            }
            Line::Stderr(_) => {}
        }
    }
}

/// The processes of a program; they end when nobody waits for them any more.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let id = self.0.and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id {
            // Gone already is as well.
            nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL).ok();
        }
    }
}
