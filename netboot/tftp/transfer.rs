//! One file to one client: the thin loop around [`Window`] that owns the socket.

use std::io;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::options::Agreed;
use super::packet::{self, Packet};
use super::source::Source;
use super::window::{Step, Window};

/// How long to wait for an answer at first, and at last, where the client does not say it.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Why a transfer did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// OVMF asks twice, the first time only for the length.
    #[error("the client ended it: error {code} {text:?}")]
    Ended { code: u16, text: String },
    #[error("the client is silent")]
    Silent,
    #[error("the client has gone")]
    Gone,
    #[error("the file cannot be read")]
    File(#[source] io::Error),
    #[error("the network failed")]
    Network(#[source] io::Error),
}

/// Sends the file over a socket that is connected to the client.
pub(super) async fn send(socket: &UdpSocket, mut source: Source, agreed: &Agreed) -> Result<(), Error> {
    let last = source.length / agreed.block as u64 + 1;
    let mut window = Window::new(agreed.window, last, !agreed.told.is_empty());
    let mut step = window.start();
    let mut packet = Vec::with_capacity(agreed.block + 4);
    loop {
        match step {
            Step::Send(blocks) => {
                for block in blocks {
                    fill(&mut packet, block, &mut source, agreed).await.map_err(Error::File)?;
                    socket.send(&packet).await.map_err(network)?;
                }
            }
            Step::Done => return Ok(()),
            Step::GiveUp => return Err(Error::Silent),
            // One that repeats itself must not keep us from sending again: that waits for the moment set before.
            Step::Wait => {}
        }
        let pause = agreed.pause.unwrap_or_else(|| LONGEST_PAUSE.min(PAUSE * 2_u32.pow(window.tries)));
        step = answer(socket, &mut window, Instant::now() + pause).await?;
    }
}

async fn fill(packet: &mut Vec<u8>, block: u64, source: &mut Source, agreed: &Agreed) -> io::Result<()> {
    if block == 0 {
        *packet = packet::options(&agreed.told);
        return Ok(());
    }
    #[expect(clippy::cast_possible_truncation, reason = "block numbers go on with 0 after 65535")]
    packet::data(packet, block as u16, source.block(block, agreed.block).await?);
    Ok(())
}

/// What to do after the next packet that means something, or when there is none until `end`.
async fn answer(socket: &UdpSocket, window: &mut Window, end: Instant) -> Result<Step, Error> {
    let mut bytes = [0; 512];
    loop {
        let Ok(received) = timeout_at(end, socket.recv(&mut bytes)).await else { return Ok(window.silent()) };
        match packet::decode(&bytes[..received.map_err(network)?]) {
            Some(Packet::Ack(block)) => match window.acknowledged(block) {
                Step::Wait => {}
                step => return Ok(step),
            },
            Some(Packet::Error { code, text }) => return Err(Error::Ended { code, text }),
            // Another request from the same port, or nothing that we know.
            Some(Packet::Read(_) | Packet::Write) | None => {}
        }
    }
}

fn network(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::Gone,
        _ => Error::Network(error),
    }
}
