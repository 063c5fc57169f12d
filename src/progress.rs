//! Progress of transfers, as bars on a terminal and not at all elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::ProgressBar;
use plugins::Event;

use crate::ui::Ui;

/// One bar a host and transfer.
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
            Event::Done { host, what } => {
                if let Some(bar) = bars.remove(&(host, what)) {
                    bar.finish_and_clear();
                }
            }
        }
    }
}
