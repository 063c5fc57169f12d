//! The only file that writes to a terminal.
//!
//! stdout is the answer, stderr is everything else. A reader that goes away (`lsdef | head`) ends the writing, not the work.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use tables::noderange::Names;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::reply::{Answer, Body, Reply};

/// What a person who was asked has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreement {
    Yes,
    No,
    /// Ctrl-C.
    Interrupted,
    /// Nobody is there to answer.
    Nobody,
}

/// How replies are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// A line as soon as it is known.
    #[default]
    Lines,
    /// Equal answers of many nodes under one folded name, at the end.
    Folded,
    /// A JSON object a line.
    Json,
}

/// Where answers, warnings and progress go.
pub(crate) struct Ui {
    out: Mutex<Out>,
    bars: MultiProgress,
}

struct Out {
    stdout: BufWriter<io::Stdout>,
    /// Why the answer cannot be written; nothing more is tried then.
    lost: Option<io::Error>,
    /// Text (with its stream) to the nodes that said it; filled only when folding.
    folded: BTreeMap<(bool, String), Vec<String>>,
}

impl Ui {
    pub(crate) fn new() -> Self {
        let out = Out { stdout: BufWriter::with_capacity(1 << 16, io::stdout()), lost: None, folded: BTreeMap::new() };
        let target =
            if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { out: Mutex::new(out), bars: MultiProgress::with_draw_target(target) }
    }

    /// Writes one reply and makes sure that a reader sees it now.
    pub(crate) fn reply(&self, format: Format, reply: Reply) {
        match format {
            Format::Lines => self.lines(&reply),
            Format::Folded => self.lock().fold(reply),
            Format::Json => {
                if let Ok(text) = serde_json::to_string(&reply) {
                    self.bars.suspend(|| self.lock().line(&text));
                }
            }
        }
        self.bars.suspend(|| self.lock().flush());
    }

    fn lines(&self, reply: &Reply) {
        let prefix = reply.node.as_ref().map(|node| format!("{node}: ")).unwrap_or_default();
        self.bars.suspend(|| match &reply.body {
            Body::Answer(answer) => {
                let mut out = self.lock();
                answer.lines.iter().for_each(|line| out.line(&format!("{prefix}{line}")));
                drop(out);
                answer.errors.iter().for_each(|line| self.stderr(&format!("{prefix}{line}")));
            }
            Body::Progress(_) => {}
            Body::Warning(text) => self.said(&prefix, &format!("Warning: {text}")),
            Body::Error(text) => self.said(&prefix, &format!("Error: {text}")),
        });
    }

    /// A text of several lines, such as one that quotes a log, has its node before each. It may quote what another machine
    /// said, which must not reach the terminal as orders to it.
    fn said(&self, prefix: &str, text: &str) {
        text.lines().for_each(|line| self.stderr(&format!("{prefix}{}", harmless(line))));
    }

    /// Writes the replies kept back by [`Format::Folded`].
    pub(crate) fn finish_folding(&self) {
        let folded = std::mem::take(&mut self.lock().folded);
        for ((to_stderr, text), nodes) in folded {
            let names = tables::noderange::fold(&nodes);
            if to_stderr {
                self.said(&format!("{names}: "), &text);
                continue;
            }
            text.lines().for_each(|line| self.lock().line(&format!("{names}: {line}")));
        }
        self.lock().flush();
    }

    /// A line of the answer, kept in a buffer until the command ends.
    pub(crate) fn line(&self, text: &str) {
        self.lock().line(text);
    }

    /// Names as lines of the answer, of which there may be very many.
    pub(crate) fn names(&self, names: &Names) {
        if !names.is_empty() {
            self.lock().line(&names.joined("\n"));
        }
    }

    /// Bytes of the answer as they are.
    pub(crate) fn write(&self, bytes: &[u8]) {
        self.lock().write(bytes);
    }

    /// False once the reader of our output has gone.
    pub(crate) fn has_reader(&self) -> bool {
        self.lock().lost.is_none()
    }

    /// Makes what was written so far visible.
    pub(crate) fn flush(&self) {
        self.lock().flush();
    }

    /// Why part of the answer could not be written; a reader that goes away has read enough.
    pub(crate) fn loss(&self) -> Option<String> {
        let lost = &self.lock().lost;
        lost.as_ref().filter(|error| error.kind() != io::ErrorKind::BrokenPipe).map(ToString::to_string)
    }

    /// Bytes to stderr as they are: the error output of a program on a node.
    pub(crate) fn write_error(&self, bytes: &[u8]) {
        self.flush();
        self.bars.suspend(|| io::stderr().write_all(bytes)).ok(); // nobody left to tell
    }

    /// A note beside the answer.
    pub(crate) fn note(&self, text: &str) {
        self.bars.suspend(|| self.stderr(text));
    }

    pub(crate) fn warning(&self, text: &str) {
        self.note(&format!("Warning: {text}"));
    }

    pub(crate) fn error(&self, text: &str) {
        self.note(&format!("Error: {text}"));
    }

    /// Asks a person.
    pub(crate) async fn confirm(&self, question: &str) -> Agreement {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Agreement::Nobody;
        }
        self.flush();
        write!(io::stderr(), "{question} [y/N] ").ok(); // nobody left to tell
        tokio::select! {
            answer = typed() => match answer.is_ok_and(|line| matches!(line.trim(), "y" | "Y" | "yes")) {
                true => Agreement::Yes,
                false => Agreement::No,
            },
            _ = tokio::signal::ctrl_c() => {
                writeln!(io::stderr()).ok(); // nobody left to tell
                Agreement::Interrupted
            }
        }
    }

    /// Takes a line of standard input; who types it is asked, and does not see it. None after Ctrl-C.
    pub(crate) async fn secret(&self, question: &str) -> io::Result<Option<String>> {
        let bare = |line: String| Some(line.trim_end_matches(['\r', '\n']).to_owned());
        if !io::stdin().is_terminal() {
            return typed().await.map(bare);
        }
        // Heard from before the echo goes, so that it cannot end us while it is off.
        let mut interrupted = signal(SignalKind::interrupt())?;
        let silence = Silence::enter()?;
        self.flush();
        write!(io::stderr(), "{question}: ")?;
        let line = tokio::select! {
            line = typed() => line.map(bare),
            _ = interrupted.recv() => Ok(None),
        };
        drop(silence);
        writeln!(io::stderr())?;
        line
    }

    /// A failure with its hints.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.error(&failure.message);
        self.hints(&failure.hints);
    }

    pub(crate) fn hints(&self, hints: &[String]) {
        hints.iter().for_each(|hint| self.note(&format!("Hint: {hint}")));
    }

    /// True when a person watches the answer.
    pub(crate) fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// A bar that counts nodes; hidden unless stderr is a terminal.
    pub(crate) fn count(&self, what: &str, total: usize) -> ProgressBar {
        let style = ProgressStyle::with_template("{prefix} {pos}/{len} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(total as u64).with_style(style).with_prefix(what.to_owned());
        self.bars.add(bar)
    }

    /// A bar that counts bytes of a transfer.
    pub(crate) fn bytes(&self, what: &str, total: u64) -> ProgressBar {
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bars.add(ProgressBar::new(total).with_style(style).with_prefix(what.to_owned()))
    }

    /// A line that tells the step a host is at.
    pub(crate) fn steps(&self, host: &str) -> ProgressBar {
        let style =
            ProgressStyle::with_template("{prefix}: {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.bars.add(ProgressBar::new_spinner().with_style(style).with_prefix(host.to_owned()));
        bar.enable_steady_tick(Duration::from_secs(1));
        bar
    }

    fn stderr(&self, text: &str) {
        self.lock().flush();
        writeln!(io::stderr(), "{text}").ok(); // nobody left to tell
    }

    fn lock(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next line of standard input.
async fn typed() -> io::Result<String> {
    let (sender, line) = oneshot::channel();
    // A thread of its own: reading a terminal cannot be broken off, and must not keep the program.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        sender.send(read.map(|_| line)).ok(); // interrupted meanwhile
    });
    line.await.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()))
}

/// The terminal on standard input shows nothing of what is typed until this is dropped.
struct Silence {
    before: Termios,
}

impl Silence {
    fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // The keys that end or stop a program without a word; the shell would go on without echo.
        silent.special_codes[SpecialCodeIndex::VQUIT] = 0;
        silent.special_codes[SpecialCodeIndex::VSUSP] = 0;
        let guard = Self { before };
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(guard)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        tcsetattr(io::stdin(), OptionalActions::Now, &self.before).ok(); // a terminal that hung up needs no restoring
    }
}

impl Out {
    fn line(&mut self, text: &str) {
        self.write(text.as_bytes());
        self.write(b"\n");
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.lost.is_none() {
            self.lost = self.stdout.write_all(bytes).err();
        }
    }

    fn flush(&mut self) {
        if self.lost.is_none() {
            self.lost = self.stdout.flush().err();
        }
    }

    fn fold(&mut self, reply: Reply) {
        let (to_stderr, text) = match reply.body {
            Body::Answer(Answer { mut lines, errors, .. }) => {
                lines.extend(errors);
                (false, lines.join("\n"))
            }
            Body::Progress(_) => return,
            Body::Warning(text) => (true, format!("Warning: {text}")),
            Body::Error(text) => (true, format!("Error: {text}")),
        };
        if !text.is_empty() {
            self.folded.entry((to_stderr, text)).or_default().push(reply.node.unwrap_or_default());
        }
    }
}

/// The line with its control characters written out.
pub(crate) fn harmless(line: &str) -> std::borrow::Cow<'_, str> {
    let is_order = |letter: char| letter.is_control() && letter != '\t';
    if !line.contains(is_order) {
        return line.into();
    }
    let written = |letter: char| match is_order(letter) {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    line.chars().map(written).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_machine_said_gives_the_terminal_no_orders() {
        assert_eq!(harmless("h1: plain\ttext é"), "h1: plain\ttext é");
        assert_eq!(harmless("\u{1b}]0;x\u{7}\u{9b}1m"), r"\u{1b}]0;x\u{7}\u{9b}1m");
    }
}
