//! The backend: programs and files on servers.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tables::Node;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::sshd::Sshd;
use crate::host::Host;
use crate::ssh::{Connections, Ssh, Target, target_of};
use crate::{Error, Exec, Files, Invocation, Output, Program, Settings};

fn backend(sshd: &Sshd) -> Ssh {
    Ssh::new(Arc::new(Connections::new(&sshd.settings())), &TaskTracker::new())
}

fn node(sshd: &Sshd) -> Node {
    let attributes = [("ip".to_owned(), "127.0.0.1".to_owned()), ("sshport".to_owned(), sshd.port.to_string())];
    Node::new("n1", BTreeMap::from(attributes), None)
}

/// Runs to the end; stdout, stderr, exit code.
async fn run(ssh: &Ssh, node: &Node, invocation: Invocation) -> (String, String, i64) {
    let (sender, mut receiver) = mpsc::channel(4);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let gather = async {
        while let Some(piece) = receiver.recv().await {
            match piece {
                Output::Stdout(bytes) => out.extend(bytes),
                Output::Stderr(bytes) => err.extend(bytes),
            }
        }
    };
    let (code, ()) = tokio::join!(ssh.run(node, &invocation, sender), gather);
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), code.unwrap())
}

fn shell(line: &str) -> Invocation {
    Invocation { program: Program::Shell(line.into()), ..Invocation::default() }
}

#[tokio::test]
async fn programs_get_what_the_invocation_says() {
    let sshd = Sshd::start("");
    let ssh = backend(&sshd);
    let node = node(&sshd);
    let check = async |invocation: Invocation, expected: (&str, i64)| {
        let (out, _, code) = run(&ssh, &node, invocation).await;
        assert_eq!((out.as_str(), code), expected);
    };
    check(shell("echo $((1+1)) | cat; exit 7"), ("2\n", 7)).await;
    check(shell("kill -KILL $$"), ("", 137)).await;
    let words = ["printf", "[%s]", "a b", "$HOME", "it's", "*", ""];
    let argv = Invocation { program: Program::Argv(words.map(String::from).into()), ..Invocation::default() };
    check(argv, ("[a b][$HOME][it's][*][]", 0)).await;
    check(Invocation { stdin: b"hello".to_vec(), ..shell("cat") }, ("hello", 0)).await;
    let odd = "a 'quoted'\n$(value) with \\ and two lines\n";
    let environment = BTreeMap::from([("ODD".to_string(), odd.to_string()), ("B".into(), "2".into())]);
    let invocation = Invocation { environment, stdin: b"input".to_vec(), ..shell("printf '%s' \"$ODD$B\"; cat") };
    check(invocation, (&format!("{odd}2input"), 0)).await;
    let big = vec![b'x'; 3_000_000];
    check(Invocation { stdin: big.clone(), ..shell("wc -c") }, ("3000000\n", 0)).await;
    check(Invocation { stdin: big, ..shell("true") }, ("", 0)).await;
}

#[tokio::test]
async fn a_variable_needs_a_name() {
    let sshd = Sshd::start("");
    let environment = BTreeMap::from([("A=1; reboot; B".to_string(), String::new())]);
    let invocation = Invocation { environment, ..shell("true") };
    let error = backend(&sshd).run(&node(&sshd), &invocation, mpsc::channel(1).0).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

#[tokio::test]
async fn everybody_shares_one_connection_until_it_breaks() {
    let sshd = Sshd::start("");
    let connections = Arc::new(Connections::new(&sshd.settings()));
    let target = sshd.target();
    let all = futures_util::future::join_all((0..50).map(|_| connections.get(&target))).await;
    let first = all[0].as_ref().unwrap();
    assert!(all.iter().all(|one| Arc::ptr_eq(one.as_ref().unwrap(), first)));
    assert_eq!(sshd.sessions(), 1);
    sshd.signal_sessions(Signal::SIGKILL);
    while !first.is_lost() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let renewed = connections.get(&target).await.unwrap();
    assert!(!Arc::ptr_eq(&renewed, first));
}

#[tokio::test]
async fn a_dead_host_costs_one_limit_in_all() {
    // Listens and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let sshd = Sshd::start("");
    let settings = Settings { connect_limit: Duration::from_secs(1), ..sshd.settings() };
    let connections = Connections::new(&settings);
    let target = Target { port, ..sshd.target() };
    let start = Instant::now();
    for _ in 0..3 {
        let all = futures_util::future::join_all((0..20).map(|_| connections.get(&target))).await;
        assert!(all.iter().all(|one| matches!(one, Err(Error::TimedOut { .. }))));
    }
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_error_of_a_host_names_it_and_the_program() {
    let sshd = Sshd::start("");
    let connections = Connections::new(&sshd.settings());
    let host = Host::Ssh(connections.get(&sshd.target()).await.unwrap());
    assert_eq!(host.run(&["echo", "a  b"]).await.unwrap(), b"a  b\n");
    let error = host.run(&["ls", "/no such"]).await.unwrap_err().to_string();
    assert!(error.starts_with("127.0.0.1: ls '/no such': ls: cannot access"), "{error}");
}

/// A tree with a program, a link and an empty directory.
fn tree(at: &Path) -> PathBuf {
    fs::create_dir_all(at.join("tree/sub/empty")).unwrap();
    fs::write(at.join("tree/run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at.join("tree/run"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::write(at.join("tree/sub/data"), vec![7; 300_000]).unwrap();
    symlink("sub/data", at.join("tree/link")).unwrap();
    std::os::unix::fs::chown(at.join("tree/sub/data"), Some(1234), Some(1235)).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(at.join("tree/sub/data")).unwrap().set_modified(old).unwrap();
    at.join("tree")
}

/// Asks tar itself: names, modes, owners, times, sizes and links must be the same.
fn listing(directory: &Path) -> String {
    let output = std::process::Command::new("sh")
        .args(["-c", "cd \"$1\" && find . -printf '%P %M %U:%G %s %T@ %l\\n' | sed 's/ 4096 / /' | sort", "sh"])
        .arg(directory)
        .output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    // Directories are made anew; tar in Rust and elsewhere keeps whole seconds of the rest.
    let whole = |line: &str| line.split('.').next().unwrap_or_default().to_string();
    text.lines().filter(|line| !line.contains(" d")).map(whole).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn files_go_there_and_back_unchanged() {
    let sshd = Sshd::start("");
    let ssh = backend(&sshd);
    let source = tree(sshd.directory.path());
    let there = sshd.path("there");
    fs::create_dir(&there).unwrap();
    let to = |path: &Path| path.to_str().unwrap().to_string();
    ssh.put(&node(&sshd), None, &[source.clone(), sshd.path("id.pub")], &to(&there)).await.unwrap();
    assert_eq!(listing(&there.join("tree")), listing(&source));
    assert!(listing(&source).contains("-rws"), "{}", listing(&source));
    assert_eq!(fs::read(there.join("id.pub")).unwrap(), fs::read(sshd.path("id.pub")).unwrap());
    ssh.put(&node(&sshd), None, std::slice::from_ref(&source), &to(&there.join("renamed"))).await.unwrap();
    assert_eq!(listing(&there.join("renamed")), listing(&source));
    ssh.put(&node(&sshd), None, &[source.join("link")], &to(&there.join("copy"))).await.unwrap();
    assert!(there.join("copy").symlink_metadata().unwrap().is_file());
    let back = sshd.path("back");
    fs::create_dir(&back).unwrap();
    ssh.get(&node(&sshd), None, &[to(&there.join("tree")), to(&there.join("tree/link"))], &back).await.unwrap();
    assert_eq!(listing(&back.join("tree")), listing(&source));
    assert_eq!(fs::read(back.join("link")).unwrap().len(), 300_000);
}

#[tokio::test]
async fn copies_that_must_fail_say_why() {
    let sshd = Sshd::start("");
    let ssh = backend(&sshd);
    let check = |result: crate::Result<()>, expected: &[&str]| {
        let error = result.unwrap_err();
        let text = super::chain(&error);
        expected.iter().for_each(|part| assert!(text.contains(part), "{text:?} lacks {part:?}"));
    };
    let file = sshd.path("id.pub");
    let put = async |sources: &[PathBuf], to: &str| ssh.put(&node(&sshd), None, sources, to).await;
    check(
        put(std::slice::from_ref(&file), "/nonexistent/place/x").await,
        &["127.0.0.1:/nonexistent/place/x: ", "/nonexistent/place"],
    );
    check(put(&[file.clone(), file.clone()], "/nonexistent").await, &["/nonexistent", "not a directory"]);
    check(put(&["/nonexistent/a".into()], "/tmp").await, &["cannot read /nonexistent/a", "No such file"]);
    let get = ssh.get(&node(&sshd), None, &["/nonexistent/b".into()], sshd.directory.path()).await;
    check(get, &["127.0.0.1:/nonexistent/b", "/nonexistent"]);
}

#[test]
fn a_node_says_where_its_sshd_is() {
    let settings = Sshd::start("").settings();
    let check = |attributes: &[(&str, &str)], user: Option<&str>, expected: &str| {
        let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let target = target_of(&Node::new("n1", attributes, None), user, &settings);
        assert_eq!(target.map_or_else(|error| error.to_string(), |to| format!("{}@{to}", to.user)), expected);
    };
    check(&[], None, "root@n1:22");
    check(&[("ip", "fd00::1"), ("sshport", "2222")], None, "root@[fd00::1]:2222");
    check(&[("sshuser", "ada")], None, "ada@n1:22");
    check(&[("sshuser", "ada")], Some("eve"), "eve@n1:22");
    check(&[("sshport", "0")], None, "attribute 'sshport': '0' of 'n1' is not a port; it takes 1 to 65535");
}

/// The processes with that text in their command line.
fn running(text: &str) -> Vec<Pid> {
    let found = std::process::Command::new("pgrep").args(["-f", text]).output().unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    found.lines().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

/// Waits until no process has that text in its command line; false if one still has after a while.
async fn is_gone(text: &str) -> bool {
    for _ in 0..150 {
        if running(text).is_empty() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

/// Starts the line, leaves it after its first output, and waits for the end of what goes on behind it.
async fn leave(line: &str) {
    let sshd = Sshd::start("");
    let endings = TaskTracker::new();
    let ssh = Ssh::new(Arc::new(Connections::new(&sshd.settings())), &endings);
    let (sender, mut receiver) = mpsc::channel(4);
    let (node, invocation) = (node(&sshd), shell(line));
    tokio::select! {
        ended = ssh.run(&node, &invocation, sender) => panic!("it ended by itself: {ended:?}"),
        said = receiver.recv() => assert_eq!(said, Some(Output::Stdout(b"begun\n".to_vec()))),
    }
    endings.close();
    tokio::time::timeout(Duration::from_secs(30), endings.wait()).await.expect("ending a program has an end itself");
}

#[tokio::test]
async fn a_program_ends_when_its_caller_leaves() {
    // Words that no other process of this machine has.
    let word = format!("3{}", std::process::id());
    leave(&format!("echo begun; sleep {word}1; true")).await;
    assert!(is_gone(&format!("sleep {word}1")).await);
    // It pays no heed to its caller's leaving, nor to a polite signal.
    leave(&format!("trap '' HUP TERM PIPE; echo begun; while sleep {word}2; do :; done")).await;
    assert!(is_gone(&format!("sleep {word}2")).await);
    // What it started goes too, under another environment as well, but not in a session of its own.
    leave(&format!("env -i sleep {word}3 & setsid env -i sleep {word}4 & sleep 0.3; echo begun; wait")).await;
    assert!(is_gone(&format!("sleep {word}3")).await);
    let daemons = running(&format!("sleep {word}4"));
    daemons.iter().for_each(|daemon| kill(*daemon, Signal::SIGKILL).unwrap());
    assert_eq!(daemons.len(), 1);
}
