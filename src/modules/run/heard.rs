//! What a run has said, line by line: its end is asked for when it has ended, the rest is told while it goes on.

use std::rc::Rc;

use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::WORDS;
use super::watch::Watch;
use crate::modules::contract::{Conversation, MOST, Message};
use crate::modules::manifest::Method;
use crate::remote::Line;

/// All of one run.
pub(super) struct Heard {
    conversation: Conversation,
    warnings: Vec<String>,
    stderr: String,
    /// Bytes on standard output, with the ends of lines.
    size: usize,
    over: Rc<Notify>,
    watch: Watch,
}

impl Heard {
    pub(super) fn new(watch: Watch) -> Self {
        let (conversation, over) = (Conversation::default(), Rc::default());
        Self { conversation, warnings: Vec::new(), stderr: String::new(), size: 0, over, watch }
    }

    pub(super) fn hear(&mut self, line: Line) {
        match line {
            Line::Stdout(line) => {
                self.size += line.len() + 1;
                match self.is_over() {
                    true => self.over.notify_one(),
                    false => self.take(&line),
                }
            }
            Line::Stderr(line) if self.stderr.len() < WORDS => {
                self.stderr.push_str(&line);
                self.stderr.push('\n');
            }
            Line::Stderr(_) => {}
        }
    }

    fn take(&mut self, line: &str) {
        match self.conversation.hear(line) {
            Some(Message::Progress(text)) => self.watch.show(&text),
            Some(Message::Warning(warning)) => self.warnings.push(warning),
            Some(Message::Result(_) | Message::Error(_)) | None => {}
        }
    }

    /// Whether it has said more than any program may.
    pub(super) fn is_over(&self) -> bool {
        self.size > MOST
    }

    /// What tells that it has.
    pub(super) fn over(&self) -> Rc<Notify> {
        self.over.clone()
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Its words for people, so far.
    pub(super) fn words(&self) -> &str {
        &self.stderr
    }

    /// What came of it, given how the program ended, and its words for people.
    pub(super) fn end<T: DeserializeOwned>(self, method: Method, code: i64) -> (Result<T, String>, String) {
        (self.conversation.result(method, code), self.stderr)
    }
}
