use insta::assert_snapshot;

use crate::{lab_with_guests, session};

#[test]
fn running_containers_and_logs() {
    let lab = lab_with_guests(1);
    lab.run(
        "mkdef c7 groups=web mgt=docker vmhost=h1 image=busybox:lab 'dockercommand=sh -c \"echo hello; sleep 1000\"'",
    )
    .success();
    lab.run("mkvm c1,c7").success();
    lab.run("rpower c7 on").success();
    let listed = lab.run("lsdocker h1").success();
    assert_eq!(listed.lines().filter(|line| line.contains("/c")).count(), 1, "only what runs:\n{listed}");
    assert!(listed.contains("busybox:lab") && listed.ends_with("/c7"), "{listed}");
    assert_snapshot!(session(&lab, "
        lsdocker c7 -l
        lsdocker c2
        lsdocker c9
    "), @"
    $ lsdocker c7 -l
    c7: hello
    $ lsdocker c2
    ------- stderr -------
    c2: Error: No such container
    [exit status: 1]
    $ lsdocker c9
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: c9
    [exit status: 1]
    ");
}
