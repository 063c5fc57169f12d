//! Progress of transfers and of steps: bars on a terminal, lines of JSON for scripts that ask, nothing elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use plugins::Event;
use serde_json::{Value, json};

use crate::reply::{Body, Reply};
use crate::ui::{Format, Ui};

/// Between two events of the same transfer; what it ends with is told in any case.
const PACE: Duration = Duration::from_millis(500);

/// One bar a host and transfer, and one a host that is being set up.
pub(crate) struct Bars {
    ui: Arc<Ui>,
    bars: Mutex<HashMap<(String, String), ProgressBar>>,
}

impl Bars {
    pub(crate) fn new(ui: Arc<Ui>) -> Self {
        Self { ui, bars: Mutex::new(HashMap::new()) }
    }

    pub(crate) fn show(&self, event: Event) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Bytes { host, what, done, total } => {
                let title = format!("{host}: {what}");
                let bar = bars.entry((host, what)).or_insert_with(|| self.ui.bytes(&title, total));
                bar.set_length(total);
                bar.set_position(done);
            }
            Event::Step { host, what, number, total } => {
                let bar = bars.entry((host.clone(), String::new())).or_insert_with(|| self.ui.steps(&host));
                bar.set_message(format!("{what} ({number}/{total})"));
            }
            Event::Note { host, text } => {
                self.ui.reply(Format::Lines, Reply { node: Some(host), body: Body::Warning(text) });
            }
            Event::Done { host, what } => {
                if let Some(bar) = bars.remove(&(host, what)) {
                    bar.finish_and_clear();
                }
            }
        }
    }
}

/// One reply an event, not more often than somebody could follow.
pub(crate) struct Events {
    ui: Arc<Ui>,
    transfers: Mutex<HashMap<(String, String), Transfer>>,
}

/// When its last event was told, and how far it has come since.
struct Transfer {
    told: Instant,
    untold: Option<(u64, u64)>,
}

impl Events {
    pub(crate) fn new(ui: Arc<Ui>) -> Self {
        Self { ui, transfers: Mutex::new(HashMap::new()) }
    }

    pub(crate) fn tell(&self, event: Event) {
        let mut transfers = self.transfers.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Bytes { host, what, done, total } => {
                let known = transfers.get_mut(&(host.clone(), what.clone()));
                if let Some(transfer) = known.filter(|transfer| transfer.told.elapsed() < PACE) {
                    transfer.untold = Some((done, total));
                    return;
                }
                transfers.insert((host.clone(), what.clone()), Transfer { told: Instant::now(), untold: None });
                self.say(host, json!({ "what": what, "done": done, "total": total }));
            }
            Event::Step { host, what, number, total } => {
                self.say(host, json!({ "what": what, "step": number, "steps": total }));
            }
            Event::Note { host, text } => {
                self.ui.reply(Format::Json, Reply { node: Some(host), body: Body::Warning(text) });
            }
            Event::Done { host, what } => {
                let last = transfers.remove(&(host.clone(), what.clone())).and_then(|transfer| transfer.untold);
                if let Some((done, total)) = last {
                    self.say(host.clone(), json!({ "what": what, "done": done, "total": total }));
                }
                self.say(host, json!({ "what": what, "ended": true }));
            }
        }
    }

    fn say(&self, host: String, progress: Value) {
        self.ui.reply(Format::Json, Reply { node: Some(host), body: Body::Progress(progress) });
    }
}
