//! Programs in containers, without a terminal.

use std::time::Duration;

use plugins::{Invocation, Output, PowerAction, Program};
use tables::Node;
use tokio::sync::mpsc;

use crate::world::World;

struct Ran {
    code: i64,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

async fn run(world: &World, node: &Node, invocation: &Invocation) -> plugins::Result<Ran> {
    let exec = world.backends.exec(node).expect("docker runs programs");
    let (sender, mut receiver) = mpsc::channel(16);
    let gather = async {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        while let Some(piece) = receiver.recv().await {
            match piece {
                Output::Stdout(bytes) => stdout.extend(bytes),
                Output::Stderr(bytes) => stderr.extend(bytes),
            }
        }
        (stdout, stderr)
    };
    let (code, (stdout, stderr)) = tokio::join!(exec.run(node, invocation, sender), gather);
    Ok(Ran { code: code?, stdout, stderr })
}

pub(crate) async fn running(world: &World, name: &str, attributes: &[(&str, &str)]) -> Node {
    let node = world.node(name, attributes);
    world.backends.guests(&node).expect("docker makes guests").create(&node, false).await.expect("made");
    let power = world.backends.power(&node).expect("docker powers");
    power.apply(&node, PowerAction::On).await.expect("runs");
    node
}

fn shell(line: &str) -> Invocation {
    Invocation { program: Program::Shell(line.into()), ..Invocation::default() }
}

#[tokio::test]
async fn output_and_exit_codes() {
    let world = World::new();
    let node = running(&world, "n1", &[]).await;
    let ran = run(&world, &node, &shell("echo out; echo err >&2; exit 7")).await.expect("ran");
    assert_eq!((ran.code, ran.stdout, ran.stderr), (7, b"out\n".to_vec(), b"err\n".to_vec()));
    let ran = run(&world, &node, &shell("hostname")).await.expect("ran");
    assert_eq!((ran.code, ran.stdout), (0, b"n1\n".to_vec()));
    let ran = run(&world, &node, &shell("true")).await.expect("ran");
    assert_eq!((ran.code, ran.stdout), (0, Vec::new()));
    let argv = Program::Argv(["echo", "a  b", "$HOME"].map(str::to_owned).into());
    let ran = run(&world, &node, &Invocation { program: argv, ..Invocation::default() }).await.expect("ran");
    assert_eq!(ran.stdout, b"a  b $HOME\n");
    let big = run(&world, &node, &shell("dd if=/dev/zero bs=1024 count=2000 2>/dev/null")).await.expect("ran");
    assert_eq!(big.stdout.len(), 2_048_000);
    let missing = run(&world, &node, &shell("/no/such")).await.expect("the shell ran");
    assert_eq!(missing.code, 127);
}

#[tokio::test]
async fn user_environment_and_input() {
    let world = World::new();
    let node = running(&world, "n1", &[]).await;
    let invocation = Invocation {
        user: Some("1000:100".into()),
        environment: [("GREETING".to_owned(), "a b".to_owned())].into(),
        stdin: b"typed\n".repeat(50_000),
        ..shell("id -u; echo $GREETING; wc -l")
    };
    let ran = run(&world, &node, &invocation).await.expect("ran");
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "1000\na b\n50000\n");
    let unread = Invocation { stdin: vec![b'x'; 300_000], ..shell("exit 3") };
    assert_eq!(run(&world, &node, &unread).await.expect("ran").code, 3);
}

#[tokio::test]
async fn what_cannot_run() {
    let world = World::new();
    let off = world.node("n1", &[]);
    world.backends.guests(&off).expect("docker makes guests").create(&off, false).await.expect("made");
    let error = run(&world, &off, &shell("true")).await.err().expect("it is off").to_string();
    assert!(error.contains("not running"), "{error}");
    assert!(matches!(run(&world, &world.node("n2", &[]), &shell("true")).await, Err(plugins::Error::Absent { .. })));
}

#[tokio::test]
async fn dropping_ends_the_program() {
    let world = World::new();
    let node = running(&world, "n1", &[]).await;
    let slow = shell("sleep 4242; true");
    let ended = tokio::time::timeout(Duration::from_secs(2), run(&world, &node, &slow)).await;
    assert!(ended.is_err());
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if !world.lab.host("h1").docker("top n1").stdout.contains("sleep 4242") {
            return;
        }
    }
    panic!("the program still runs");
}
