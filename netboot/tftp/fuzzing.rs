//! The door of target `tftp`: the packets of one client, from its request to the end of its transfer, without sockets.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tokio::runtime::{Builder, Runtime};

use super::options::Agreed;
use super::packet::{self, Packet, Request};
use super::source::Source;
use super::window::{Step, Window};
use crate::fuzzing::packets;
use crate::root::Root;

const SECRET: &[u8] = b"what no client may read";
/// Some are shorter than a block, one is longer than a piece of the source.
const FILES: &[(&str, usize)] = &[("ipxe.efi", 200_000), ("undionly.kpxe", 512), ("dir/empty", 0), ("text", 3_000)];

/// A directory that is served, with a secret beside it.
pub struct Tftp {
    root: Root,
    runtime: Runtime,
}

impl Tftp {
    /// With its files in that directory.
    pub fn new(home: &Path) -> Self {
        let root = home.join("served");
        for (name, length) in FILES {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("it is in the root")).expect("the directory is ours");
            fs::write(path, b"\r\n.x".repeat(length / 4)).expect("the directory is ours");
        }
        fs::write(home.join("secret"), SECRET).expect("the directory is ours");
        symlink("../secret", root.join("out")).expect("the directory is ours");
        let runtime = Builder::new_current_thread().build().expect("it needs nothing");
        Self { root: Root::new([root]), runtime }
    }

    /// Says how many packets were sent. An empty one stands for silence.
    pub fn run(&mut self, input: &[u8]) -> usize {
        let mut packets = packets(input);
        let Some(Packet::Read(request)) = packets.next().and_then(packet::decode) else { return 0 };
        let Ok(opened) = self.root.open(&request.name) else { return 0 };
        let Ok(source) = Source::new(opened, request.mode) else { return 0 };
        self.runtime.block_on(send(source, &request, packets))
    }
}

async fn send<'p>(mut source: Source, request: &Request, mut packets: impl Iterator<Item = &'p [u8]>) -> usize {
    let agreed = Agreed::on(request, source.length);
    assert!((8..=1468).contains(&agreed.block) && (1..=64).contains(&agreed.window), "{agreed:?}");
    let last = source.length / agreed.block as u64 + 1;
    let mut window = Window::new(agreed.window, last, !agreed.told.is_empty());
    let mut step = window.start();
    let mut sent = 0;
    loop {
        match step {
            Step::Send(blocks) => {
                assert!(blocks.end <= last + 1 && blocks.end - blocks.start <= agreed.window.max(1), "{blocks:?}");
                for block in blocks.filter(|block| *block > 0) {
                    let bytes = source.block(block, agreed.block).await.expect("nobody changes the file");
                    assert_eq!(bytes.len() < agreed.block, block == last, "only the last one is short");
                    assert!(!bytes.windows(SECRET.len()).any(|part| part == SECRET), "it has left its root");
                }
                sent += 1;
            }
            Step::Wait => {}
            Step::Done | Step::GiveUp => return sent,
        }
        let Some(packet) = packets.next() else { return sent };
        step = match packet::decode(packet) {
            Some(Packet::Ack(block)) => window.acknowledged(block),
            Some(Packet::Error { .. }) => return sent,
            Some(_) => Step::Wait,
            None => window.silent(),
        };
    }
}
