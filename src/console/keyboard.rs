//! What is typed or piped at a console, on its way to the node.

use tokio::sync::mpsc;

use crate::console::escape::{Escapes, Event};
use crate::console::terminal;

/// The way from the user to the node: read here, found to be keys or data, kept until the node takes it.
pub(crate) struct Keyboard {
    events: Events,
    waiting: Vec<u8>,
}

/// The user's end of it.
pub(crate) struct Events {
    /// None until it is opened, and after its end.
    typed: Option<mpsc::Receiver<Vec<u8>>>,
    escapes: Option<Escapes>,
    interactive: bool,
    over: bool,
}

impl Keyboard {
    /// One that nobody listens to yet: what is typed stays with the terminal.
    pub(crate) fn closed(interactive: bool) -> Self {
        Self { events: Events { typed: None, escapes: None, interactive, over: false }, waiting: Vec::new() }
    }

    /// Begins to read; without `escapes` every byte is data.
    pub(crate) fn open(interactive: bool, escapes: bool) -> Self {
        let events = Events {
            typed: Some(terminal::input()),
            escapes: escapes.then(Escapes::default),
            interactive,
            over: false,
        };
        Self { events, waiting: Vec::new() }
    }

    /// Both ends, for waiting at both.
    pub(crate) fn split(&mut self) -> (&mut Events, &[u8]) {
        (&mut self.events, &self.waiting)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The node took this many bytes.
    pub(crate) fn sent(&mut self, length: usize) {
        self.waiting.drain(..length.min(self.waiting.len()));
    }

    /// The node takes no more.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// Nothing more will be typed.
    pub(crate) fn is_over(&self) -> bool {
        self.events.over
    }

    /// Nothing more will be typed, and the node has it all.
    pub(crate) fn is_sent(&self) -> bool {
        self.events.over && self.waiting.is_empty()
    }
}

impl Events {
    /// What is typed next. May be dropped and called again without losing anything.
    ///
    /// While data waits for the node a pipe is not read on; a terminal is, so that one can leave a node that hangs.
    pub(crate) async fn next(&mut self, all_sent: bool) -> Vec<Event> {
        let Some(typed) = self.typed.as_mut().filter(|_| self.interactive || all_sent) else {
            return std::future::pending().await;
        };
        let bytes = typed.recv().await;
        match (bytes, &mut self.escapes) {
            (Some(bytes), Some(escapes)) => escapes.feed(&bytes),
            (Some(bytes), None) => vec![Event::Data(bytes)],
            (None, escapes) => {
                (self.typed, self.over) = (None, true);
                let rest = escapes.as_mut().map(Escapes::finish).unwrap_or_default();
                if rest.is_empty() { Vec::new() } else { vec![Event::Data(rest)] }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyboard(interactive: bool, escapes: bool) -> (mpsc::Sender<Vec<u8>>, Keyboard) {
        let (sender, typed) = mpsc::channel(8);
        let mut keyboard = Keyboard::closed(interactive);
        keyboard.events.typed = Some(typed);
        keyboard.events.escapes = escapes.then(Escapes::default);
        (sender, keyboard)
    }

    #[tokio::test]
    async fn an_unfinished_escape_is_sent_at_the_end() {
        let (sender, mut keyboard) = keyboard(false, true);
        sender.send(b"a\x05".to_vec()).await.unwrap();
        drop(sender);
        assert_eq!(keyboard.events.next(true).await, [Event::Data(b"a".to_vec())]);
        assert!(!keyboard.is_over());
        assert_eq!(keyboard.events.next(true).await, [Event::Data(b"\x05".to_vec())]);
        assert!(keyboard.is_over() && keyboard.is_sent());
    }

    #[tokio::test]
    async fn piped_data_for_a_program_is_left_alone() {
        let (sender, mut keyboard) = keyboard(false, false);
        sender.send(b"\x05c.".to_vec()).await.unwrap();
        assert_eq!(keyboard.events.next(true).await, [Event::Data(b"\x05c.".to_vec())]);
    }

    #[tokio::test]
    async fn a_node_that_takes_nothing_holds_up_a_pipe_but_no_keys() {
        let soon = std::time::Duration::from_millis(20);
        for interactive in [false, true] {
            let (sender, mut keyboard) = keyboard(interactive, true);
            sender.send(b"\x05c.".to_vec()).await.unwrap();
            keyboard.send(b"waiting");
            let (events, waiting) = keyboard.split();
            let typed = tokio::time::timeout(soon, events.next(waiting.is_empty())).await;
            assert_eq!(typed.ok(), interactive.then(|| vec![Event::Leave]));
        }
    }
}
