//! The server with clients that others have written.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

/// A server on all addresses of this machine, with files in a directory of its own.
struct Served {
    place: tempfile::TempDir,
    port: u16,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<io::Result<()>>,
}

impl Served {
    async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("root")).unwrap();
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let (port, stop) = (socket.local_addr().unwrap().port(), CancellationToken::new());
        let root = Root::new([place.path().join("root")]);
        let running = tokio::spawn(serve(socket, root, Events::default(), stop.clone()));
        Self { place, port, stop, running }
    }

    /// Puts a file of so many bytes there, no two stretches of which are alike.
    fn file(&self, name: &str, length: u32) -> Vec<u8> {
        let bytes: Vec<u8> =
            (0..length).map(|at| (at.wrapping_mul(0x9e37_79b1) >> 24) as u8 ^ (at >> 9) as u8).collect();
        fs::write(self.place.path().join("root").join(name), &bytes).unwrap();
        bytes
    }

    /// Runs a client: its exit code and what it has fetched to `got`. The word PORT stands for the server's.
    async fn client(&self, line: &str) -> (i32, Vec<u8>) {
        let got: PathBuf = self.place.path().join("got");
        fs::remove_file(&got).ok(); // it may not be there
        let line = line.replace("PORT", &self.port.to_string());
        let mut command = Command::new("sh");
        command.args(["-c", &line]).current_dir(self.place.path()).kill_on_drop(true);
        let ended = timeout(LIMIT, command.output()).await.expect("the client does not end").unwrap();
        (ended.status.code().unwrap_or(-1), fs::read(got).unwrap_or_default())
    }

    async fn ask(&self, address: &str) -> UdpSocket {
        let client = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let server: SocketAddr = format!("{address}:{}", self.port).parse().unwrap();
        client.send_to(b"\0\x01f\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0", server).await.unwrap();
        client
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(LIMIT, self.running).await.expect("the server does not stop").unwrap().unwrap();
    }
}

#[tokio::test]
async fn clients_of_others_fetch_files() {
    let served = Served::new().await;
    for length in [1, 511, 512, 1468, 2936, 300_000] {
        let name = format!("f{length}");
        let bytes = served.file(&name, length);
        for line in [
            "curl -s -o got tftp://127.0.0.1:PORT/NAME",
            "curl -s -o got --tftp-blksize 1468 tftp://127.0.0.1:PORT/NAME",
            "curl -s -o got --tftp-blksize 65464 tftp://127.0.0.1:PORT/NAME",
            "curl -s -o got --tftp-no-options tftp://127.0.0.1:PORT/NAME",
            "atftp -g -r NAME -l got --option 'windowsize 16' --option 'blksize 1432' --option 'tsize 0' 127.0.0.1 PORT",
        ] {
            let (code, got) = served.client(&line.replace("NAME", &name)).await;
            assert!(code == 0 && got == bytes, "{line}: exit {code}, {} of {length} bytes", got.len());
        }
    }
    // curl does not take 0 for a length, and makes no file of nothing.
    served.file("f0", 0);
    assert_eq!(served.client("curl -s -o got --tftp-no-options tftp://127.0.0.1:PORT/f0").await, (0, Vec::new()));
    let long = served.file("long", 40 << 20);
    let (code, got) = served.client("curl -s -o got tftp://127.0.0.1:PORT/long").await;
    assert!(code == 0 && got == long, "more than 65535 blocks: exit {code}, {} bytes", got.len());
    fs::write(served.place.path().join("root/text"), "a\nb\n").unwrap();
    let (code, got) = served.client("curl -s -o got --use-ascii tftp://127.0.0.1:PORT/text").await;
    assert_eq!((code, got.as_slice()), (0, &b"a\r\nb\r\n"[..]));
    served.file("text", (64 << 10) + 1);
    let (code, got) = served.client("curl -s -o got --use-ascii tftp://127.0.0.1:PORT/text").await;
    assert!(code != 0 && got.is_empty(), "text is kept in memory: exit {code}, {} bytes", got.len());
    served.end().await;
}

#[tokio::test]
async fn what_is_not_to_be_read_or_written_is_refused() {
    let served = Served::new().await;
    served.file("f", 100);
    fs::write(served.place.path().join("secret"), "s").unwrap();
    std::os::unix::fs::symlink("../secret", served.place.path().join("root/out")).unwrap();
    // 68 is "file not found", 69 "access violation".
    for (line, expected) in [
        ("curl -s -o got tftp://127.0.0.1:PORT/absent", 68),
        ("curl -s -o got tftp://127.0.0.1:PORT/out", 69),
        ("curl -s -o got --path-as-is tftp://127.0.0.1:PORT/../secret", 69),
        ("curl -s -T secret tftp://127.0.0.1:PORT/new", 69),
    ] {
        let (code, got) = served.client(line).await;
        assert_eq!((code, got.len()), (expected, 0), "{line}");
    }
    assert!(!served.place.path().join("root/new").exists());
    served.end().await;
}

#[tokio::test]
async fn an_answer_comes_from_the_address_that_was_asked() {
    let served = Served::new().await;
    served.file("f", 5000);
    for address in ["127.0.0.1", "127.0.0.2"] {
        // As OVMF does it: it asks for the length, ends that as an error, and asks again.
        let (client, mut bytes) = (served.ask(address).await, [0; 1500]);
        let (length, from) = timeout(LIMIT, client.recv_from(&mut bytes)).await.unwrap().unwrap();
        assert_eq!(from.ip().to_string(), address);
        assert_eq!(&bytes[..length], b"\0\x06tsize\x005000\0blksize\x001468\0windowsize\x004\0");
        client.send_to(&packet::error(8, "User aborted the transfer"), from).await.unwrap();
        let again = served.ask(address).await;
        let (_, from) = timeout(LIMIT, again.recv_from(&mut bytes)).await.unwrap().unwrap();
        again.send_to(b"\0\x04\0\0", from).await.unwrap();
        for block in 1..=4 {
            let length = timeout(LIMIT, again.recv(&mut bytes)).await.unwrap().unwrap();
            assert_eq!((length, bytes[3]), (if block == 4 { 5000 - 3 * 1468 + 4 } else { 1472 }, block));
        }
        again.send_to(b"\0\x04\0\x04", from).await.unwrap();
    }
    served.end().await;
}

#[tokio::test]
async fn strange_packets_harm_nobody() {
    let served = Served::new().await;
    let bytes = served.file("f", 5000);
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    stranger.connect(("127.0.0.1", served.port)).await.unwrap();
    let mut runner = TestRunner::deterministic();
    let packets = proptest::collection::vec(proptest::num::u8::ANY, 0..200);
    for number in 0..2000_u16 {
        let mut packet = packets.new_tree(&mut runner).unwrap().current();
        if let [first, second, ..] = packet.as_mut_slice() {
            (*first, *second) = (0, (number % 7) as u8);
        }
        stranger.send(&packet).await.ok(); // an answer to one before may have found the port closed
    }
    // Packets of transfers come from anybody too.
    let (client, mut answer) = (served.ask("127.0.0.1").await, [0; 1500]);
    let (_, session) = timeout(LIMIT, client.recv_from(&mut answer)).await.unwrap().unwrap();
    for number in 0..200_u16 {
        stranger.send_to(&number.to_be_bytes(), session).await.ok(); // it is connected elsewhere
        client.send_to(&[&[0, 4][..], &number.wrapping_mul(997).to_be_bytes()].concat(), session).await.ok();
    }
    let (code, got) = served.client("curl -s -o got tftp://127.0.0.1:PORT/f").await;
    assert!(code == 0 && got == bytes, "exit {code}");
    served.end().await;
}
