//! The table of all comparisons.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use crate::Result;
use crate::race::Figures;

/// What must hold; nothing if the figures only inform.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Target {
    /// The rival takes at least this many times as long as we do.
    pub(crate) ratio: Option<f64>,
    /// We take at most this long.
    pub(crate) time: Option<Duration>,
}

impl Target {
    /// The rival takes at least so many times as long.
    pub(crate) fn ratio(ratio: f64) -> Self {
        Self { ratio: Some(ratio), time: None }
    }

    fn text(self) -> String {
        let ratio = self.ratio.map(|ratio| format!(">= {}", times(ratio)));
        let time = self.time.map(|time| format!("<= {}", span(time)));
        let parts: Vec<String> = ratio.into_iter().chain(time).collect();
        if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
    }

    fn verdict(self, ours: Duration, ratio: Option<f64>) -> &'static str {
        if self.ratio.is_none() && self.time.is_none() {
            return "-";
        }
        let fast = self.time.is_none_or(|limit| ours <= limit);
        let faster = self.ratio.is_none_or(|wanted| ratio.is_some_and(|ratio| ratio >= wanted));
        if fast && faster { "yes" } else { "NO" }
    }
}

/// Writes a line the moment that it is known, so the widths of the columns are fixed.
pub(crate) struct Report {
    missed: usize,
    lines: usize,
}

impl Report {
    /// Writes the head of the table.
    pub(crate) fn new() -> Result<Self> {
        let names = ["what", "ours", "rival", "rival's name", "ratio", "target", "met", "peak memory", "rival's"]
            .map(str::to_owned);
        write(&names)?;
        Ok(Self { missed: 0, lines: 0 })
    }

    /// Writes a line that says of which sort the next ones are.
    pub(crate) fn section(&self, title: &str) -> Result<()> {
        Ok(writeln!(std::io::stdout(), "\n{title}")?)
    }

    /// Writes a comparison; the time that a rival takes may be scaled already.
    pub(crate) fn line(&mut self, what: &str, ours: &Figures, rival: Option<&Figures>, target: Target) -> Result<()> {
        let ratio = rival.map(|rival| rival.time.as_secs_f64() / ours.time.as_secs_f64());
        let met = target.verdict(ours.time, ratio);
        self.missed += usize::from(met == "NO");
        self.lines += 1;
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        write(&[
            what.to_owned(),
            span(ours.time),
            or_none(rival.map(|rival| span(rival.time))),
            or_none(rival.map(|rival| rival.name.clone())),
            or_none(ratio.map(times)),
            target.text(),
            met.to_owned(),
            or_none(ours.peak_kib.map(megabytes)),
            or_none(rival.and_then(|rival| rival.peak_kib).map(megabytes)),
        ])
    }

    /// Writes a comparison of bytes, of which the rival needs at least so many times as many.
    pub(crate) fn bytes(&mut self, what: &str, ours: u64, name: &str, rival: u64, wanted: f64) -> Result<()> {
        let ratio = rival as f64 / ours as f64;
        let met = if ratio >= wanted { "yes" } else { "NO" };
        self.missed += usize::from(met == "NO");
        self.lines += 1;
        let shown = |bytes: u64| megabytes(bytes / 1024);
        let cells =
            [what, &shown(ours), &shown(rival), name, &times(ratio), &Target::ratio(wanted).text(), met, "-", "-"];
        write(&cells.map(str::to_owned))
    }

    /// Writes how it ended and what may have disturbed it.
    pub(crate) fn close(&self, took: Duration) -> Result<()> {
        let processors = std::thread::available_parallelism()?;
        let load = std::fs::read_to_string("/proc/loadavg")?;
        let load = load.split_whitespace().next().unwrap_or_default().to_owned();
        Ok(writeln!(
            std::io::stdout(),
            "\n{} comparisons in {:.0} s, {} targets missed; {processors} processors, load {load} at the end",
            self.lines,
            took.as_secs_f64(),
            self.missed
        )?)
    }
}

const WIDTHS: [usize; 9] = [44, 9, 9, 38, 7, 19, 4, 12, 9];

fn write(cells: &[String; 9]) -> Result<()> {
    let mut line = String::new();
    for (place, (cell, width)) in cells.iter().zip(WIDTHS).enumerate() {
        // Words begin at the left, figures end at the right.
        match place {
            0 | 3 | 5 | 6 => write!(line, "{cell:<width$} ")?,
            _ => write!(line, "{cell:>width$} ")?,
        }
    }
    Ok(writeln!(std::io::stdout(), "{}", line.trim_end())?)
}

fn span(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    match millis {
        ..10.0 => format!("{millis:.1} ms"),
        ..1000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1000.0),
    }
}

fn times(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}x") } else { format!("{ratio:.0}x") }
}

fn megabytes(kib: u64) -> String {
    format!("{} MB", (kib + 512) / 1024)
}
