//! Sessions: the container's own terminal, its log, programs on terminals of their own.

use std::time::Duration;

use plugins::{Attach, Invocation, PowerAction, Program, Session, Size};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::exec::running;
use crate::world::World;

const LIMIT: Duration = Duration::from_secs(30);
const TTY: [(&str, &str); 3] = [("dockertty", "yes"), ("dockercommand", "/bin/sh"), ("dockerstoptimeout", "0")];

/// Reads until `text` has come; what came up to then.
async fn expect(session: &mut Session, text: &str) -> String {
    let mut all = Vec::new();
    let read = async {
        let mut chunk = [0; 4096];
        while !String::from_utf8_lossy(&all).contains(text) {
            match session.output.read(&mut chunk).await.expect("readable") {
                0 => break,
                count => all.extend_from_slice(&chunk[..count]),
            }
        }
    };
    let ended = tokio::time::timeout(LIMIT, read).await;
    let all = String::from_utf8_lossy(&all).into_owned();
    assert!(ended.is_ok() && all.contains(text), "waited for '{text}', got '{all}'");
    all
}

async fn type_in(session: &mut Session, text: &str) {
    session.input.as_mut().expect("takes input").write_all(text.as_bytes()).await.expect("written");
}

#[tokio::test]
async fn the_containers_own_terminal() {
    let world = World::new();
    let node = running(&world, "n1", &TTY).await;
    let console = world.backends.console(&node).expect("docker has consoles");
    let mut session = console
        .attach(&node, Attach { size: Some(Size { rows: 41, columns: 101 }), ..Attach::default() })
        .await
        .expect("attached");
    assert_eq!(session.note, None);
    type_in(&mut session, "stty size; echo $((6*7))\n").await;
    let shown = expect(&mut session, "42\r\n").await;
    assert!(shown.contains("41 101"), "{shown}");
    session.control.resize(Size { rows: 30, columns: 90 }).await.expect("resized");
    type_in(&mut session, "stty size\n").await;
    expect(&mut session, "30 90").await;
    // The engine's default detach keys must reach the terminal.
    type_in(&mut session, "cat -v\n").await;
    type_in(&mut session, "\u{10}\u{11}x\u{1e}\n").await;
    expect(&mut session, "^Px^^").await;
    assert_eq!(session.control.exit_code().await.expect("asked"), None);

    let power = world.backends.power(&node).expect("docker powers");
    power.apply(&node, PowerAction::Reset).await.expect("restarted");
    let mut rest = Vec::new();
    tokio::time::timeout(LIMIT, session.output.read_to_end(&mut rest)).await.expect("it ends").expect("readable");
    tokio::time::timeout(LIMIT, console.wait_running(&node)).await.expect("in time").expect("runs");
    let mut session = console.attach(&node, Attach::default()).await.expect("attached again");
    type_in(&mut session, "echo $((6*7))\n").await;
    expect(&mut session, "42\r\n").await;
}

#[tokio::test]
async fn without_a_terminal_the_log_is_followed() {
    let world = World::new();
    let command = ("dockercommand", "sh -c 'echo begin; while :; do echo more; sleep 0.2; done'");
    let node = running(&world, "n1", &[command, ("dockerstoptimeout", "0")]).await;
    let console = world.backends.console(&node).expect("docker has consoles");
    for _ in 0..2 {
        let mut session = console.attach(&node, Attach::default()).await.expect("attached");
        assert!(session.input.is_none());
        assert!(session.note.as_deref().is_some_and(|note| note.contains("dockertty")));
        let shown = expect(&mut session, "more\nmore").await;
        assert_eq!(shown.matches("begin").count(), 1, "{shown}");
        world.backends.power(&node).expect("docker powers").apply(&node, PowerAction::Reset).await.expect("restarted");
    }
}

#[tokio::test]
async fn a_program_on_its_own_terminal() {
    let world = World::new();
    let node = running(&world, "n1", &[]).await;
    let console = world.backends.console(&node).expect("docker has consoles");
    let invocation = Invocation {
        program: Program::Shell("stty size; read x; echo got $x; exit 5".into()),
        ..Invocation::default()
    };
    let mut session = console.open(&node, &invocation, Some(Size { rows: 33, columns: 77 })).await.expect("opened");
    type_in(&mut session, "this\n").await;
    expect(&mut session, "got this").await;
    let mut rest = Vec::new();
    tokio::time::timeout(LIMIT, session.output.read_to_end(&mut rest)).await.expect("it ends").expect("readable");
    assert_eq!(session.control.exit_code().await.expect("known"), Some(5));
}
