//! How far a module's program has come, shown to whoever waits: a line of its own on a terminal, replies for scripts that take
//! JSON, lines on stderr for who wants to be told more. Nobody else is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use serde_json::json;

use super::Call;
use crate::context::Context;
use crate::modules::manifest::Method;
use crate::modules::secrets::Secrets;
use crate::reply::{Body, Reply};
use crate::ui::{Format, Ui, harmless};

/// Between two replies about the same run.
const PACE: Duration = Duration::from_millis(500);

/// One run, watched.
pub(super) struct Watch {
    ui: Arc<Ui>,
    manner: Manner,
    module: String,
    method: Method,
    /// The node, or the module where it runs once.
    whom: String,
    secrets: Secrets,
    bar: Option<ProgressBar>,
    told: Option<Instant>,
}

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Bar,
    Lines,
    Json,
}

impl Watch {
    pub(super) fn of(cx: &Context, call: Call<'_>) -> Self {
        let manner = match cx.progress_format() {
            Format::Json => Manner::Json,
            Format::Lines | Format::Folded if cx.verbose => Manner::Lines,
            Format::Lines | Format::Folded => Manner::Bar,
        };
        Self {
            ui: cx.ui.clone(),
            manner,
            module: call.request.module.to_owned(),
            method: call.method,
            whom: call.whom().to_owned(),
            secrets: call.secrets.clone(),
            bar: None,
            told: None,
        }
    }

    /// Shows where it is. What it says is one line, whatever it holds.
    pub(super) fn show(&mut self, text: &str) {
        let text = self.secrets.mask(text);
        let text = text.lines().next().unwrap_or_default();
        match self.manner {
            // Bars are hidden where stderr is no terminal.
            Manner::Bar => {
                let title = self.title();
                self.bar.get_or_insert_with(|| self.ui.steps(&title)).set_message(harmless(text).into_owned());
            }
            Manner::Lines => self.ui.note(&format!("{}: {}", self.title(), harmless(text))),
            Manner::Json => self.reply(text),
        }
    }

    fn title(&self) -> String {
        let Self { module, method, whom, .. } = self;
        if whom == module { format!("{method} of {module}") } else { format!("{method} of {module} on {whom}") }
    }

    /// Not more often than somebody could follow.
    fn reply(&mut self, text: &str) {
        if self.told.is_some_and(|told| told.elapsed() < PACE) {
            return;
        }
        self.told = Some(Instant::now());
        let data = json!({ "module": self.module, "method": self.method.name(), "what": text });
        self.ui.reply(Format::Json, Reply { node: Some(self.whom.clone()), body: Body::Progress(data) });
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
