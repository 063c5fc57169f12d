use std::time::Duration;

use insta::assert_snapshot;

use crate::{lab_with_guests, session, write};

#[test]
fn servers_and_containers_run_the_same_command() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1,c2").success();
    lab.run("rpower c1,c2 on").success();
    assert_snapshot!(lab.run("xdsh h1,c1,c2 'echo one; echo two >&2'").sorted(), @"
    c1: one
    c2: one
    h1: one
    ------- stderr -------
    c1: two
    c2: two
    h1: two
    ");
    assert_snapshot!(lab.run("xdsh c1,c2,c3 'exit 3'").sorted(), @"
    ------- stderr -------
    Hint: make it with: mkvm NODERANGE
    c1: Error: the command exited with 3
    c2: Error: the command exited with 3
    c3: Error: no such guest on h1
    [exit status: 3]
    ");
    assert_snapshot!(lab.run("xdsh c1,c2 -b 'echo same'"), @"c[1-2]: same");
    assert_snapshot!(lab.run("xdsh c1 -z 'exit 4'"), @"
    c1: Remote_command_rc = 4
    ------- stderr -------
    c1: Error: the command exited with 4
    [exit status: 1]
    ");
}

#[test]
fn scripts_environments_and_limits() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();
    write(&lab, "script", "#!/bin/sh\necho \"$0 $1 $2\" | sed 's|.*/||'\n");
    write(&lab, "environment", "COLOUR=red\nSIZE='very big'\n");
    assert_snapshot!(session(&lab, "
        xdsh c1 -e ./script one two
        xdsh h1,c1 -b -E environment 'echo $COLOUR'
        xdsh c1 -t 0.5 'sleep 100'
        xdsh c1 -t 0 true
        xdsh c9 true
        xdsh c1
    "), @"
    $ xdsh c1 -e ./script one two
    c1: sh one two
    $ xdsh h1,c1 -b -E environment 'echo $COLOUR'
    c1,h1: red
    $ xdsh c1 -t 0.5 'sleep 100'
    ------- stderr -------
    c1: Error: timeout exceeded: no end within 0.5 s
    [exit status: 1]
    $ xdsh c1 -t 0 true
    ------- stderr -------
    Error: a time limit of 0 s makes no sense
    [exit status: 2]
    $ xdsh c9 true
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: c9
    [exit status: 1]
    $ xdsh c1
    ------- stderr -------
    error: the following required arguments were not provided:
      <COMMAND>...

    Usage: xdsh <NODERANGE> <COMMAND>...

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn streams_users_and_json() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1,c2").success();
    lab.run("rpower c1 on").success();
    assert_snapshot!(lab.run("xdsh c1,h1 --json 'echo out; echo err >&2; exit 2'").sorted(), @r#"
    {"node":"c1","answer":{"stdout":"out","stderr":"err","exitcode":2}}
    {"node":"c1","error":"the command exited with 2"}
    {"node":"h1","answer":{"stdout":"out","stderr":"err","exitcode":2}}
    {"node":"h1","error":"the command exited with 2"}
    [exit status: 2]
    "#);
    assert_snapshot!(lab.run("xdsh c1,h1 -s 'echo out; echo err >&2'").sorted(), @"
    c1: out
    h1: out
    ------- stderr -------
    c1: err
    h1: err
    ");
    assert_snapshot!(session(&lab, "
        xdsh c1 -l 1000:100 'id -u; id -g'
        xdsh h1 -l nobody true
        xdsh c2 true
        xdsh c1,h1 hostname | xdshbak -c
    "), @"
    $ xdsh c1 -l 1000:100 'id -u; id -g'
    c1: 1000
    c1: 100
    $ xdsh h1 -l nobody true
    ------- stderr -------
    h1: Error: login as nobody to 10.77.0.1:22: the host accepts publickey,password; tried: $HOME/.ssh/id_ed25519 (not accepted); no ssh agent (SSH_AUTH_SOCK is not set)
    [exit status: 1]
    $ xdsh c2 true
    ------- stderr -------
    c2: Error: not running (off)
    Hint: switch it on with: rpower NODERANGE on
    [exit status: 1]
    $ xdsh c1,h1 hostname | xdshbak -c
    HOSTS -------------------------------------------------------------------------
    c1
    -------------------------------------------------------------------------------
    c1

    HOSTS -------------------------------------------------------------------------
    h1
    -------------------------------------------------------------------------------
    h1
    ");
}

#[test]
fn what_is_left_on_a_server_ends_there() {
    let lab = lab_with_guests(1);
    let sleeping = || lab.host("h1").shell("pgrep -fx 'sleep 4711' | wc -l").trim().to_owned();
    assert_snapshot!(session(&lab, "
        xdsh h1 -t 0.5 'trap \"\" TERM HUP; while sleep 4711; do :; done'
    "), @r#"
    $ xdsh h1 -t 0.5 'trap "" TERM HUP; while sleep 4711; do :; done'
    ------- stderr -------
    h1: Error: timeout exceeded: no end within 0.5 s
    [exit status: 1]
    "#);
    assert_eq!(sleeping(), "0");
    let mut running = lab.spawn("xdsh h1 -s 'echo begun; sleep 4711'");
    running.expect("begun", Duration::from_secs(60));
    running.interrupt();
    assert_snapshot!(running.wait(Duration::from_secs(60)), @"
    h1: begun
    ------- stderr -------
    Broken off: h1
    [exit status: 130]
    ");
    assert_eq!(sleeping(), "0");
}

#[test]
fn a_host_and_its_guests_share_one_connection() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1,c2").success();
    lab.run("rpower c1,c2 on").success();
    let connections = || {
        lab.host("h1")
            .shell("awk '$2 ~ /:0016$/ && $4 == \"01\"' /proc/net/tcp /proc/net/tcp6 | wc -l")
            .trim()
            .to_owned()
    };
    assert_eq!(connections(), "0");
    let mut running = lab.spawn("xdsh h1,c1,c2 -s 'echo up; sleep 2'");
    (0..3).for_each(|_| drop(running.expect("up", Duration::from_secs(60))));
    assert_eq!(connections(), "1");
    assert_eq!(running.wait(Duration::from_secs(60)).code, 0);
}
