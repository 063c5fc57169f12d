//! Copies to and from containers.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::exec::running;
use crate::world::World;

#[tokio::test]
async fn there_and_back() {
    let world = World::new();
    let node = running(&world, "n1", &[]).await;
    let files = world.backends.files(&node).expect("docker copies");
    let local = world.lab.home();
    let tree = local.join("tree");
    fs::create_dir_all(tree.join("deep")).expect("made");
    fs::write(tree.join("deep/script"), "#!/bin/sh\n").expect("written");
    fs::set_permissions(tree.join("deep/script"), fs::Permissions::from_mode(0o750)).expect("set");
    symlink("deep/script", tree.join("link")).expect("linked");
    fs::write(local.join("plain"), vec![7; 3_000_000]).expect("written");
    let shell = |line: &str| world.lab.host("h1").docker(&format!("exec n1 {line}")).stdout;

    files.put(&node, None, &[tree.clone(), local.join("plain")], "/tmp").await.expect("into a directory");
    assert_eq!(shell("stat -c %a /tmp/tree/deep/script").trim(), "750");
    assert_eq!(shell("readlink /tmp/tree/link").trim(), "deep/script");
    assert_eq!(shell("stat -c %s /tmp/plain").trim(), "3000000");
    files.put(&node, None, &[local.join("plain")], "/tmp/renamed").await.expect("under a name");
    assert_eq!(shell("stat -c %s /tmp/renamed").trim(), "3000000");
    files.put(&node, None, std::slice::from_ref(&tree), "/tmp/other").await.expect("a directory under a name");
    assert_eq!(shell("stat -c %a /tmp/other/deep/script").trim(), "750");
    shell("ln -s /tmp /to");
    files.put(&node, None, &[local.join("plain")], "/to").await.expect("into a link to a directory");

    let back = local.join("back");
    fs::create_dir(&back).expect("made");
    files.get(&node, None, &["/tmp/tree".into(), "/tmp/plain".into()], &back).await.expect("copied");
    assert_eq!(fs::read(back.join("tree/deep/script")).expect("read"), b"#!/bin/sh\n");
    let mode = fs::metadata(back.join("tree/deep/script")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o750);
    assert_eq!(fs::metadata(back.join("plain")).expect("there").len(), 3_000_000);
}

#[tokio::test]
async fn refusals_name_the_path() {
    let world = World::new();
    let node = running(&world, "n1", &[]).await;
    let files = world.backends.files(&node).expect("docker copies");
    let local = world.lab.home();
    fs::write(local.join("a"), "a").expect("written");
    let both = [local.join("a"), local.join("a")];
    let put = async |sources: &[std::path::PathBuf], destination: &str| {
        files.put(&node, None, sources, destination).await.expect_err("refused").to_string()
    };
    let check = |text: &str, expected: &str| assert!(text.contains(expected), "{text}");
    check(&put(&both, "/tmp/nowhere").await, "/tmp/nowhere");
    check(&put(&both[..1], "/no/such/dir").await, "/no/such");
    check(&put(&both[..1], "/tmp/nowhere/").await, "/tmp/nowhere/");
    check(&put(&[local.join("missing")], "/tmp").await, "missing");
    let got = files.get(&node, None, &["/no/such".into()], &local).await.expect_err("refused").to_string();
    check(&got, "/no/such");
    let absent = world.node("n2", &[]);
    assert!(matches!(files.put(&absent, None, &both[..1], "/tmp").await, Err(plugins::Error::Absent { .. })));
    assert!(matches!(files.get(&absent, None, &["/tmp".into()], &local).await, Err(plugins::Error::Absent { .. })));
}
