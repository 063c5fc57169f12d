//! Against a real sshd.

mod servers;
mod sshd;

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use super::{Connection, Exit, Process};
use crate::{Error, Settings};
use sshd::Sshd;

async fn connect(sshd: &Sshd) -> Connection {
    Connection::open(&sshd.target(), &sshd.settings()).await.unwrap()
}

/// What a program wrote and how it ended.
async fn outcome(process: Process) -> (String, String, Exit) {
    let Process { stdin, mut stdout, mut stderr, exit } = process;
    drop(stdin);
    let (mut out, mut err) = (String::new(), String::new());
    let (a, b) = tokio::join!(stdout.read_to_string(&mut out), stderr.read_to_string(&mut err));
    a.unwrap();
    b.unwrap();
    (out, err, exit.wait().await.unwrap())
}

/// Says back what it hears on a unix socket.
fn echo(sshd: &Sshd) -> String {
    let path = sshd.path("echo.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await.ok();
            });
        }
    });
    path.to_str().unwrap().into()
}

fn chain(error: &Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

#[tokio::test]
async fn programs_run_with_separate_outputs_and_exit_codes() {
    let sshd = Sshd::start("");
    let connection = connect(&sshd).await;
    for (command, out, err, exit) in [
        ("echo out; echo err >&2; exit 3", "out\n", "err\n", Exit::Code(3)),
        ("true", "", "", Exit::Code(0)),
        ("kill -TERM $$", "", "", Exit::Signal("TERM".into())),
    ] {
        let process = connection.exec(command).await.unwrap();
        let found = outcome(process).await;
        // What the login shell's own start-up files say comes first.
        assert!(found.1.ends_with(err), "{command}: {found:?}");
        assert_eq!((found.0, found.2), (out.into(), exit), "{command}");
    }
}

#[tokio::test]
async fn a_hundred_streams_at_once() {
    let sshd = Sshd::start("");
    let connection = Arc::new(connect(&sshd).await);
    let path = echo(&sshd);
    let mut tasks = JoinSet::new();
    for number in 0..100_u8 {
        let (connection, path) = (connection.clone(), path.clone());
        tasks.spawn(async move {
            let mut stream = connection.stream(&path).await.unwrap();
            for round in 0..20 {
                let sent = vec![number ^ round; 1000];
                stream.write_all(&sent).await.unwrap();
                let mut got = vec![0; 1000];
                stream.read_exact(&mut got).await.unwrap();
                assert_eq!(got, sent);
            }
            stream.shutdown().await.unwrap();
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn programs_beyond_the_limit_of_sshd_wait_their_turn() {
    let sshd = Sshd::start("");
    let connection = Arc::new(connect(&sshd).await);
    let mut tasks = JoinSet::new();
    for number in 0..30 {
        let connection = connection.clone();
        tasks.spawn(async move {
            let process = connection.exec(&format!("sleep 0.1; echo {number}")).await.unwrap();
            let (out, _, exit) = outcome(process).await;
            assert_eq!((out, exit), (format!("{number}\n"), Exit::Code(0)));
        });
    }
    tasks.join_all().await;
}

const CHUNK: usize = 1 << 16;

/// A chunk of a big transfer: what is lost, doubled or out of order shows.
fn chunk(number: usize) -> Vec<u8> {
    let mut chunk: Vec<u8> = (0..CHUNK).map(|at| ((at * at) >> 7) as u8).collect();
    chunk[..8].copy_from_slice(&(number as u64).to_be_bytes());
    chunk
}

/// Sends 50 MB and receives them back.
async fn through(mut reader: super::Reader, mut writer: super::Writer) {
    const CHUNKS: usize = 50 * 1024 * 1024 / CHUNK;
    let send = async move {
        let mut chunk = chunk(0);
        for number in 0..CHUNKS {
            chunk[..8].copy_from_slice(&(number as u64).to_be_bytes());
            writer.write_all(&chunk).await.unwrap();
        }
        writer.shutdown().await.unwrap();
    };
    let receive = async move {
        let (mut expected, mut got) = (chunk(0), vec![0; CHUNK]);
        for number in 0..CHUNKS {
            reader.read_exact(&mut got).await.unwrap();
            expected[..8].copy_from_slice(&(number as u64).to_be_bytes());
            assert!(got == expected, "chunk {number} differs");
        }
        assert_eq!(reader.read(&mut got).await.unwrap(), 0);
    };
    tokio::join!(send, receive);
}

#[tokio::test]
async fn big_transfers_both_ways_at_once() {
    // A new key exchange every few megabytes, in the middle of everything.
    let sshd = Sshd::start("RekeyLimit 4M");
    let connection = connect(&sshd).await;
    let stream = connection.stream(&echo(&sshd)).await.unwrap();
    let program = connection.exec("cat").await.unwrap();
    tokio::join!(through(stream.reader, stream.writer), through(program.stdout, program.stdin));
    assert_eq!(program.exit.wait().await.unwrap(), Exit::Code(0));
}

/// libssh2 once left the end of an answer unread, if a packet's head had come without its tail.
#[tokio::test]
async fn answers_of_every_size_come_whole() {
    let sshd = Sshd::start("");
    let connection = connect(&sshd).await;
    let path = sshd.path("sizes.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while let Ok(size) = stream.read_u32().await {
            stream.write_all(&vec![7; size as usize]).await.unwrap();
        }
    });
    let mut stream = connection.stream(path.to_str().unwrap()).await.unwrap();
    for round in 0..400 {
        let size = 30_000 + round * 997;
        stream.write_u32(size).await.unwrap();
        let whole = stream.read_exact(&mut vec![0; size as usize]).await;
        whole.unwrap();
    }
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_no_one_else() {
    let sshd = Sshd::start("");
    let connection = connect(&sshd).await;
    let idle = connection.exec("head -c 20000000 /dev/zero").await.unwrap();
    let process = connection.exec("head -c 5000000 /dev/zero | wc -c").await.unwrap();
    assert_eq!(outcome(process).await.0, "5000000\n");
    let (out, _, exit) = outcome(idle).await;
    assert_eq!((out.len(), exit), (20_000_000, Exit::Code(0)));
}

#[tokio::test]
async fn refusals_leave_the_connection_usable() {
    let sshd = Sshd::start("");
    let connection = connect(&sshd).await;
    let error = connection.stream("/nonexistent/docker.sock").await.err().unwrap();
    assert!(matches!(&error, Error::Refused { what, .. } if what.contains("/nonexistent/docker.sock")), "{error}");
    assert_eq!(outcome(connection.exec("echo alive").await.unwrap()).await.0, "alive\n");
}

async fn check_refused(sshd: &Sshd, settings: &Settings, host: &str, expected: &[&str]) {
    let target = super::Target { host: host.into(), ..sshd.target() };
    let error = Connection::open(&target, settings).await.err().expect("the login succeeded");
    let text = chain(&error);
    expected.iter().for_each(|part| assert!(text.contains(part), "{text:?} lacks {part:?}"));
}

#[tokio::test]
async fn logins_that_must_fail() {
    let mut sshd = Sshd::start("");
    sshd::keygen(&sshd.path("stranger"), "ed25519", "");
    sshd::keygen(&sshd.path("locked"), "ed25519", "secret");
    for (key, expected) in [
        ("stranger", &["login as root to 127.0.0.1:", "publickey", "stranger", "not accepted"][..]),
        ("locked", &["locked", "has a passphrase", "ssh-add"]),
        ("missing", &["no key file (", "missing)"]),
    ] {
        let settings = Settings { ssh_keys: vec![sshd.path(key)], ..sshd.settings() };
        check_refused(&sshd, &settings, "127.0.0.1", expected).await;
    }
    let unknown = ["host key of [::1]:", "unknown host: ssh-ed25519 SHA256:", "known_hosts"];
    check_refused(&sshd, &sshd.settings(), "::1", &unknown).await;
    sshd.stop();
    check_refused(&sshd, &sshd.settings(), "127.0.0.1", &["cannot reach 127.0.0.1:", "refused"]).await;
}

#[tokio::test]
async fn a_changed_host_key_is_refused_in_any_case() {
    let mut sshd = Sshd::start("");
    for kind in ["ed25519", "ecdsa"] {
        sshd.change_host_key(kind);
        let expected = ["host key of 127.0.0.1:", "has changed", kind, "SHA256:", "known_hosts:1"];
        let lenient = Settings { accept_new_host_keys: true, ..sshd.settings() };
        check_refused(&sshd, &sshd.settings(), "127.0.0.1", &expected).await;
        check_refused(&sshd, &lenient, "127.0.0.1", &expected).await;
    }
}

#[tokio::test]
async fn a_new_host_is_remembered_if_allowed() {
    let sshd = Sshd::start("");
    let settings =
        Settings { accept_new_host_keys: true, known_hosts: vec![sshd.path("new/known_hosts")], ..sshd.settings() };
    for host in ["localhost", "::1", "127.0.0.1"] {
        let target = super::Target { host: host.into(), ..sshd.target() };
        Connection::open(&target, &settings).await.unwrap();
        Connection::open(&target, &Settings { accept_new_host_keys: false, ..settings.clone() }).await.unwrap();
    }
    let lines = fs::read_to_string(&settings.known_hosts[0]).unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
}

#[tokio::test]
async fn hashed_hosts_are_known() {
    let sshd = Sshd::start("");
    let file = sshd.path("known_hosts");
    let status = std::process::Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&file).status();
    assert!(status.unwrap().success());
    assert!(fs::read_to_string(&file).unwrap().starts_with("|1|"));
    connect(&sshd).await;
}

#[tokio::test]
async fn keys_of_every_kind_log_in() {
    let sshd = Sshd::start("");
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let key = sshd.path(kind);
        sshd::keygen(&key, kind, "");
        fs::copy(key.with_extension("pub"), sshd.path("authorized")).unwrap();
        Connection::open(&sshd.target(), &Settings { ssh_keys: vec![key], ..sshd.settings() }).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_connection_is_an_error_for_everyone_on_it() {
    let sshd = Sshd::start("");
    let connection = connect(&sshd).await;
    let mut stream = connection.stream(&echo(&sshd)).await.unwrap();
    let process = connection.exec("sleep 600").await.unwrap();
    sshd.signal_sessions(Signal::SIGKILL);
    assert_eq!(stream.read(&mut [0]).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(process.exit.wait().await.is_err());
    let error = connection.exec("true").await.err().unwrap();
    assert!(error.is_unreachable(), "{error}");
    assert!(connection.is_lost());
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    // One that has not logged in is all it takes; further ones are hung up on.
    let sshd = Sshd::start("MaxStartups 1");
    let other = sshd.greeted();
    let leave = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(other);
    };
    let (connection, ()) = tokio::join!(connect(&sshd), leave);
    assert_eq!(outcome(connection.exec("echo in").await.unwrap()).await.0, "in\n");
    let log = fs::read_to_string(sshd.path("log")).unwrap();
    assert!(log.contains("MaxStartups"), "it was not busy: {log}");
}

/// Runs once more in a network of its own, where the link can be cut.
#[tokio::test]
async fn a_cut_link_is_noticed_within_the_limit() {
    const INSIDE: &str = "XCRANE_TEST_OWN_NETWORK";
    if std::env::var_os(INSIDE).is_none() {
        let me = std::env::current_exe().unwrap();
        let mut again = std::process::Command::new("unshare");
        again.arg("--net").arg(me).args(["--exact", "ssh::tests::a_cut_link_is_noticed_within_the_limit"]);
        let output = again.env(INSIDE, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let interfaces = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    assert_eq!(interfaces.lines().skip(2).count(), 1, "this is not a network of its own: {interfaces}");
    let link = |state: &str| {
        let status = std::process::Command::new("ip").args(["link", "set", "lo", state]).status();
        assert!(status.unwrap().success());
    };
    link("up");
    let sshd = Sshd::start("");
    let settings = Settings { request_limit: Duration::from_secs(2), ..sshd.settings() };
    let idle = Connection::open(&sshd.target(), &settings).await.unwrap();
    let busy = Connection::open(&sshd.target(), &settings).await.unwrap();
    let process = idle.exec("sleep 600").await.unwrap();
    let mut stream = busy.stream(&echo(&sshd)).await.unwrap();
    link("down");
    let start = Instant::now();
    stream.write_all(b"is anyone there").await.unwrap();
    let (waited, read) = tokio::join!(process.exit.wait(), async { stream.read(&mut [0]).await });
    assert!(waited.is_err() && read.is_err());
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_frozen_server_costs_one_limit() {
    let sshd = Sshd::start("");
    let settings = Settings { request_limit: Duration::from_secs(1), ..sshd.settings() };
    let connection = Connection::open(&sshd.target(), &settings).await.unwrap();
    let path = echo(&sshd);
    drop(connection.stream(&path).await.unwrap());
    sshd.signal_sessions(Signal::SIGSTOP);
    let start = Instant::now();
    let requests = (0..20).map(|_| connection.stream(&path));
    for result in futures_util::future::join_all(requests).await {
        assert!(result.err().unwrap().is_unreachable());
    }
    assert!(connection.exec("true").await.err().unwrap().is_unreachable());
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[tokio::test]
async fn nothing_is_left_when_all_is_dropped() {
    let sshd = Sshd::start("");
    let connection = connect(&sshd).await;
    let stream = connection.stream(&echo(&sshd)).await.unwrap();
    drop(connection.exec("cat").await.unwrap());
    drop(connection);
    drop(stream);
    let end = Instant::now() + Duration::from_secs(30);
    while sshd.sessions() > 0 || thread_names().iter().any(|name| name == "ssh 127.0.0.1") {
        assert!(Instant::now() < end, "the connection outlives its users");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn thread_names() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.map(|name| name.trim_end().to_string()).collect()
}

/// Answers each request of 18 bytes in two parts, as an HTTP server does with head and body.
fn serve_in_two_parts(sshd: &Sshd) -> String {
    let path = sshd.path("two.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while stream.read_exact(&mut [0; 18]).await.is_ok() {
                    stream.write_all(b"head").await.unwrap();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    stream.write_all(b"body").await.unwrap();
                }
            });
        }
    });
    path.to_str().unwrap().into()
}

async fn call(stream: &mut super::Stream, answer: usize) -> Duration {
    let start = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    stream.read_exact(&mut vec![0; answer]).await.unwrap();
    start.elapsed()
}

#[tokio::test]
async fn an_answer_in_two_parts_is_not_held_back() {
    let sshd = Sshd::start("");
    let connection = connect(&sshd).await;
    let mut stream = connection.stream(&serve_in_two_parts(&sshd)).await.unwrap();
    let mut quickest = Duration::MAX;
    for _ in 0..50 {
        quickest = quickest.min(call(&mut stream, 8).await);
    }
    // sshd's Nagle together with a delayed acknowledgement costs 40 ms each time.
    assert!(quickest < Duration::from_millis(30), "{quickest:?}");
}

/// Prints what a call costs; run with `--no-capture` to see it.
#[tokio::test]
async fn latency() {
    let sshd = Sshd::start("");
    let connection = connect(&sshd).await;
    let path = echo(&sshd);
    let mut kept = connection.stream(&path).await.unwrap();
    let (mut new_times, mut kept_times) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let start = Instant::now();
        call(&mut connection.stream(&path).await.unwrap(), 18).await;
        new_times.push(start.elapsed());
        kept_times.push(call(&mut kept, 18).await);
    }
    new_times.sort();
    kept_times.sort();
    println!("median of a call: new channel {:?}, kept channel {:?}", new_times[100], kept_times[100]);
}
