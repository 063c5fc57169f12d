//! One command on many nodes: what xdsh and psh share.

use std::time::Duration;

use plugins::{Backends, Exec, Invocation, Output};
use tables::Node;
use tokio::sync::mpsc;

use crate::failure::Failure;

/// Pieces of output on their way.
pub(crate) const PIECES: usize = 64;

/// A whole line of a program's output, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    Stdout(String),
    Stderr(String),
}

/// Runs a program on a node, hands on its output line by line, and returns its exit code.
pub(crate) async fn run(
    backends: &Backends,
    node: &Node,
    invocation: &Invocation,
    limit: Option<Duration>,
    line: impl FnMut(Line),
) -> Result<i64, Failure> {
    let exec: &dyn Exec = backends.exec(node)?;
    let (sender, receiver) = mpsc::channel(PIECES);
    follow(exec.run(node, invocation, sender), receiver, limit, line).await
}

/// Waits for a program that is run somewhere, and hands on its output line by line.
pub(crate) async fn follow(
    program: impl Future<Output = plugins::Result<i64>>,
    mut output: mpsc::Receiver<Output>,
    limit: Option<Duration>,
    mut line: impl FnMut(Line),
) -> Result<i64, Failure> {
    let program = async {
        match limit {
            None => Ok(program.await?),
            Some(limit) => match tokio::time::timeout(limit, program).await {
                Ok(code) => Ok(code?),
                Err(_) => Err(Failure::refused(format!("timeout exceeded: no end within {} s", limit.as_secs_f64()))),
            },
        }
    };
    let reading = async {
        let (mut stdout, mut stderr) = (Lines::default(), Lines::default());
        while let Some(output) = output.recv().await {
            match output {
                Output::Stdout(bytes) => stdout.feed(&bytes, |text| line(Line::Stdout(text))),
                Output::Stderr(bytes) => stderr.feed(&bytes, |text| line(Line::Stderr(text))),
            }
        }
        stdout.end(|text| line(Line::Stdout(text)));
        stderr.end(|text| line(Line::Stderr(text)));
    };
    tokio::join!(program, reading).0
}

/// What is longer is handed on in pieces: a program may say anything, and we have only so much memory.
const LONGEST: usize = (16 << 20) + 1;

/// Cuts a stream into lines; bytes that are no UTF-8 are shown as replacement characters.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(String)) {
        let (mut start, mut unread) = (0, self.0.len());
        self.0.extend_from_slice(bytes);
        while let Some(length) = self.0[unread..].iter().position(|&byte| byte == b'\n') {
            let end = unread + length;
            line(text(&self.0[start..end]));
            (start, unread) = (end + 1, end + 1);
        }
        self.0.drain(..start);
        if self.0.len() >= LONGEST {
            line(text(&std::mem::take(&mut self.0)));
        }
    }

    fn end(self, mut line: impl FnMut(String)) {
        if !self.0.is_empty() {
            line(text(&self.0));
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let mut seen = Vec::new();
        let mut lines = Lines::default();
        for piece in ["a", "b\nc\r\n", "", "\n", "tail"] {
            lines.feed(piece.as_bytes(), |line| seen.push(line));
        }
        lines.end(|line| seen.push(line));
        assert_eq!(seen, ["ab", "c", "", "tail"]);
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_for_ever() {
        let (mut lines, mut seen) = (Lines::default(), 0);
        let piece = vec![b'x'; 1 << 20];
        (0..40).for_each(|_| lines.feed(&piece, |line| seen += line.len()));
        assert_eq!((seen, lines.0.len()), (34 << 20, 6 << 20));
    }
}
