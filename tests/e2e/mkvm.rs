//! `mkvm` on real engines.

use insta::assert_snapshot;

use crate::{lab, lab_with_guests};

#[test]
fn twice_is_once() {
    let lab = lab_with_guests(2);
    assert_snapshot!(lab.run("mkvm all -V").sorted(), @"
    c1: created
    c2: created
    c3: created
    c4: created
    c5: created
    c6: created
    ");
    assert_snapshot!(lab.run("mkvm all"), @"");
    assert_snapshot!(lab.run("mkvm c1 -V"), @"c1: unchanged");
    let inspect =
        "inspect -f '{{.HostConfig.NetworkMode}} {{.NetworkSettings.Networks.cluster.IPAMConfig.IPv4Address}}' c2";
    assert_eq!(lab.host("h2").docker(inspect).success(), "cluster 10.100.0.2");
}

#[test]
fn a_different_guest_is_shown_and_force_makes_it_anew() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1,c2").success();
    lab.run("chdef c1 vmmemory=64 dockerenv='A=1'").success();
    assert_snapshot!(lab.run("mkvm c1,c2").sorted(), @"
    ------- stderr -------
    Hint: make it anew with: mkvm --force NODERANGE
    c1: Error: exists on h1 and differs from its definition: dockerenv: A=1, container has none; vmmemory: 64, container has none
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("mkvm c1,c2 --force -V").sorted(), @"
    c1: re-created
    c2: unchanged
    ");
    assert_eq!(lab.host("h1").docker("inspect -f {{.HostConfig.Memory}} c1").success(), "67108864");
}

#[test]
fn all_definitions_are_checked_before_the_first_is_made() {
    let lab = lab_with_guests(1);
    lab.run("chdef c2 dockerrestart=sometimes").success();
    lab.run("chdef c3 vmhost=h9").success();
    lab.run("chdef c4 image=").success();
    assert_snapshot!(lab.run("mkvm all"), @"
    ------- stderr -------
    c2: Error: attribute 'dockerrestart': 'sometimes' is not a restart policy; it takes no, always, unless-stopped, on-failure or on-failure:COUNT
    c3: Error: attribute 'vmhost': 'h9' is not a defined node; it takes the node that is the container's Docker host
    c4: Error: attribute 'provmethod': is not set; it takes the name of an image or the path of an image archive
    Error: nothing was done: c[2-4] cannot be served as defined
    [exit status: 1]
    ");
    assert_eq!(lab.host("h1").docker("ps -aq").success(), "");
}

#[test]
fn what_the_engine_refuses_is_said_per_node() {
    let lab = lab_with_guests(1);
    lab.run("chdef c2 image=10.77.0.254:5000/none:1").success();
    assert_snapshot!(lab.run("mkvm c1-c4 -V").sorted(), @r#"
    c1: created
    c3: created
    c4: created
    ------- stderr -------
    c2: Error: h1: cannot pull image 10.77.0.254:5000/none:1: the host does not have it and its registry cannot be reached (Get "http://10.77.0.254:5000/v2/": dial tcp 10.77.0.254:5000: connect: connection refused)
    [exit status: 1]
    "#);
    assert_snapshot!(lab.run("mkvm c1,c2 --json").sorted(), @r#"
    {"node":"c1","answer":"unchanged"}
    {"node":"c2","error":"h1: cannot pull image 10.77.0.254:5000/none:1: the host does not have it and its registry cannot be reached (Get \"http://10.77.0.254:5000/v2/\": dial tcp 10.77.0.254:5000: connect: connection refused)"}
    [exit status: 1]
    "#);
}

#[test]
fn nothing_named_is_nothing_made() {
    let lab = lab();
    assert_snapshot!(lab.run("mkvm"), @"
    ------- stderr -------
    error: the following required arguments were not provided:
      <NODERANGE>

    Usage: xcrane mkvm <NODERANGE>

    For more information, try '--help'.
    [exit status: 2]
    ");
}
