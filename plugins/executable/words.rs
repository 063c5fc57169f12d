//! What an executable says to people, on its standard error: read for as long as it speaks, or its next word would end it, and kept
//! as far as anybody is shown it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Characters that are shown, and bytes that hold as many of them whatever they are.
const SHOWN: usize = 2000;
const KEPT: usize = 4 * SHOWN;

/// The last words; whoever reads and whoever shows them share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Words(Arc<Mutex<Vec<u8>>>);

impl Words {
    /// Hears a program to its end.
    pub(super) async fn follow(mut self, mut stderr: impl AsyncRead + Unpin) {
        let mut piece = vec![0; 8192];
        // Where it cannot be read what was heard counts.
        while let Ok(count @ 1..) = stderr.read(&mut piece).await {
            self.hear(&piece[..count]);
        }
    }

    /// The last of it behind what is said of its end; nothing where it has said nothing.
    pub(super) fn tail(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let words = String::from_utf8_lossy(&kept);
        let words = words.trim();
        let start = words.char_indices().rev().take(SHOWN).last().map_or(0, |(at, _)| at);
        if words.is_empty() { String::new() } else { format!("\n{}", &words[start..]) }
    }

    fn hear(&mut self, piece: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(piece);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }
}

impl Write for Words {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.hear(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_kept_and_no_more() {
        let mut words = Words::default();
        assert_eq!(words.tail(), "");
        for number in 0..100_000 {
            writeln!(words, "line {number}").unwrap();
        }
        assert!(words.0.lock().unwrap().len() <= KEPT);
        let tail = words.tail();
        assert!(tail.ends_with("line 99998\nline 99999") && tail.chars().count() == SHOWN + 1, "{tail}");
    }
}
