//! The backend: programs and files on servers.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tables::Node;
use tokio::sync::mpsc;

use super::sshd::Sshd;
use crate::host::Host;
use crate::ssh::{Connections, Ssh, Target};
use crate::{Error, Exec, Files, Invocation, Output, Program, Settings};

fn backend(sshd: &Sshd) -> Ssh {
    let settings = sshd.settings();
    let connections = Arc::new(Connections::new(&settings));
    Ssh { settings, connections, port: sshd.port }
}

fn node() -> Node {
    Node::new("n1", BTreeMap::from([("ip".into(), "127.0.0.1".into())]), None)
}

/// Runs to the end; stdout, stderr, exit code.
async fn run(ssh: &Ssh, invocation: Invocation) -> (String, String, i64) {
    let (sender, mut receiver) = mpsc::channel(4);
    let node = node();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let gather = async {
        while let Some(piece) = receiver.recv().await {
            match piece {
                Output::Stdout(bytes) => out.extend(bytes),
                Output::Stderr(bytes) => err.extend(bytes),
            }
        }
    };
    let (code, ()) = tokio::join!(ssh.run(&node, &invocation, sender), gather);
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), code.unwrap())
}

fn shell(line: &str) -> Invocation {
    Invocation { program: Program::Shell(line.into()), ..Invocation::default() }
}

#[tokio::test]
async fn programs_get_what_the_invocation_says() {
    let sshd = Sshd::start("");
    let ssh = backend(&sshd);
    let check = async |invocation: Invocation, expected: (&str, i64)| {
        let (out, _, code) = run(&ssh, invocation).await;
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
    let error = backend(&sshd).run(&node(), &invocation, mpsc::channel(1).0).await.unwrap_err();
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
    ssh.put(&node(), None, &[source.clone(), sshd.path("id.pub")], &to(&there)).await.unwrap();
    assert_eq!(listing(&there.join("tree")), listing(&source));
    assert!(listing(&source).contains("-rws"), "{}", listing(&source));
    assert_eq!(fs::read(there.join("id.pub")).unwrap(), fs::read(sshd.path("id.pub")).unwrap());
    ssh.put(&node(), None, std::slice::from_ref(&source), &to(&there.join("renamed"))).await.unwrap();
    assert_eq!(listing(&there.join("renamed")), listing(&source));
    ssh.put(&node(), None, &[source.join("link")], &to(&there.join("copy"))).await.unwrap();
    assert!(there.join("copy").symlink_metadata().unwrap().is_file());
    let back = sshd.path("back");
    fs::create_dir(&back).unwrap();
    ssh.get(&node(), None, &[to(&there.join("tree")), to(&there.join("tree/link"))], &back).await.unwrap();
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
    let put = async |sources: &[PathBuf], to: &str| ssh.put(&node(), None, sources, to).await;
    check(
        put(std::slice::from_ref(&file), "/nonexistent/place/x").await,
        &["127.0.0.1:/nonexistent/place/x: ", "/nonexistent/place"],
    );
    check(put(&[file.clone(), file.clone()], "/nonexistent").await, &["/nonexistent", "not a directory"]);
    check(put(&["/nonexistent/a".into()], "/tmp").await, &["cannot read /nonexistent/a", "No such file"]);
    let get = ssh.get(&node(), None, &["/nonexistent/b".into()], sshd.directory.path()).await;
    check(get, &["127.0.0.1:/nonexistent/b", "/nonexistent"]);
}
