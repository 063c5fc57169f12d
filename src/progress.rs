//! Progress of transfers and of steps, as bars on a terminal and not at all elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::ProgressBar;
use plugins::Event;

use crate::ui::Ui;

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
            Event::Done { host, what } => {
                if let Some(bar) = bars.remove(&(host, what)) {
                    bar.finish_and_clear();
                }
            }
        }
    }
}
