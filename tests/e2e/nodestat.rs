use insta::assert_snapshot;

use crate::{lab_with_guests, session};

#[test]
fn hosts_and_containers_say_how_far_one_gets() {
    let lab = lab_with_guests(2);
    lab.run("chdef -t site connecttimeout=3").success();
    lab.run("mkvm c1,c2").success();
    lab.run("rpower c1 on").success();
    lab.host("h2").power_off();
    assert_snapshot!(lab.run("nodestat h1,h2,c1 -u").sorted(), @"
    c1: ping
    h1: sshd
    h2: noping
    ");
    assert_snapshot!(session(&lab, "
        nodels h1,h2,c1 nodelist.status
        nodestat h1 --json
        nodestat h1,c1,c3 -b
        nodestat h9
    "), @r#"
    $ nodels h1,h2,c1 nodelist.status
    c1: ping
    h1: sshd
    h2: noping
    $ nodestat h1 --json
    {"node":"h1","answer":"sshd"}
    $ nodestat h1,c1,c3 -b
    c3: noping
    c1: ping
    h1: sshd
    $ nodestat h9
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: h9
    [exit status: 1]
    "#);
    let why = lab.run("nodestat c3,c2 -p");
    assert_eq!((why.code, &*why.stdout), (1, "c3: noping\nc2: noping\n"), "{why}");
    // Connecting and logging in have one limit, and on a busy machine either is the first to notice.
    for line in ["c3: Error: no such guest on h1", "c2: Error: ", "10.77.0.2:22", "Hint: make it with: mkvm NODERANGE"]
    {
        assert!(why.stderr.contains(line), "{why}");
    }
}
