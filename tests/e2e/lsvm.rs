use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{lab_with_guests, session};

#[test]
fn hosts_list_their_guests_and_guests_themselves() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1,c2").success();
    lab.run("rpower c1 on").success();
    assert_snapshot!(session(&lab, "
        lsvm h1
        lsvm c3
        lsvm n9
        lsvm c1,-c1
    "), @"
    $ lsvm h1
    h1: c1 running 10.100.0.1 busybox:lab
    h1: c2 created 10.100.0.2 busybox:lab
    $ lsvm c3
    ------- stderr -------
    c3: Error: no such guest on h1
    Hint: make it with: mkvm NODERANGE
    [exit status: 1]
    $ lsvm n9
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: n9
    [exit status: 1]
    $ lsvm c1,-c1
    ------- stderr -------
    Error: No node in 'c1,-c1', check the noderange syntax.
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("lsvm c1"), @"
    c1: Id: $ID
    c1: Host: h1
    c1: Image: busybox:lab
    c1: State: running
    c1: Command: serve
    c1: CPU: no limit
    c1: Memory: no limit
    c1: Network: cluster 10.100.0.1 02:42:0a:64:00:01
    c1: Restart: no
    c1: Created: $TIME
    c1: Definition: equal
    ");
    lab.run("chdef c1 vmmemory=64").success();
    assert_snapshot!(lab.shell("lsvm c1 | grep Definition"), @"c1: Definition: differs: vmmemory: 64, container has none");
    let listed: Value = serde_json::from_str(&lab.run("lsvm h1 --json").success()).unwrap();
    let first = &listed["answer"][0];
    assert_eq!(
        [&first["name"], &first["state"], &first["ip"], &first["managed"]],
        [&json!("c1"), &json!("running"), &json!("10.100.0.1"), &json!(true)]
    );
    let details: Value = serde_json::from_str(&lab.run("lsvm c1 --json").success()).unwrap();
    assert_eq!(details["answer"]["HostConfig"]["NetworkMode"], "cluster");
}

#[test]
fn a_host_that_is_gone_is_named() {
    let lab = lab_with_guests(2);
    lab.run("mkvm all").success();
    lab.run("chdef -t site connecttimeout=3").success();
    lab.host("h2").power_off();
    let run = lab.run("lsvm h1,h2").sorted();
    assert_eq!(run.stdout.lines().filter(|line| line.starts_with("h1: ")).count(), 3, "{run}");
    assert!(run.stderr.starts_with("h2: Error: "), "{run}");
    assert_eq!(run.code, 1);
}
