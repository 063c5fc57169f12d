//! `rmnet` on real hosts: nothing stays behind.

use insta::assert_snapshot;

use crate::lab;
use crate::mknet::{lab_with_blue, traces};

#[test]
fn no_trace_stays_on_the_hosts() {
    let lab = lab_with_blue(2, 2);
    lab.run("mknet blue").success();
    assert_ne!(traces(&lab, "h1"), "");
    assert_snapshot!(lab.run("rmhost h1"), @"
    ------- stderr -------
    h1: Error: it carries network blue; take that away first
    Error: nothing was done: h1 cannot be served as defined
    Hint: take network blue away with: mknet blue hosts=h2
    [exit status: 1]
    ");
    lab.run("mkvm all").success();
    lab.run("rpower all on").success();
    assert_snapshot!(lab.run("rmnet blue").sorted(), @"
    ------- stderr -------
    Error: nothing was done: it cannot be done on h[1-2]
    Hint: remove them with rmvm; rmnet -f takes a network away from under them
    h1: Error: blue: containers are on it: c1
    h2: Error: blue: containers are on it: c2
    [exit status: 1]
    ");
    lab.run("rmvm -f c1").success();
    assert_eq!(lab.run("rmnet blue --plan -f").code, 2);
    assert_snapshot!(lab.run("rmnet blue -f").sorted(), @"
    h1: blue: removed
    h2: blue: removed
    ");
    assert_eq!((traces(&lab, "h1"), traces(&lab, "h2")), (String::new(), String::new()));
    assert_snapshot!(lab.run("lsnet"), @"blue: bridge 10.80.0.0/16 hosts h[1-2], made on none");
    assert_eq!(lab.run("rpower c2 stat").to_string(), "c2: on\n");
    lab.run("rmnet blue -d").success();
    assert_eq!(lab.run("lsnet").to_string(), "");
}

#[test]
fn a_network_whose_definition_has_gone_is_still_taken_away() {
    let lab = lab_with_blue(2, 2);
    lab.run("mknet blue").success();
    lab.run("rmdef -t network blue").success();
    assert_snapshot!(lab.run("lsnet"), @"
    ------- stderr -------
    blue: Warning: not defined any more, but made on h[1-2]
    ");
    lab.run("rmnet blue").success();
    assert_eq!((traces(&lab, "h1"), traces(&lab, "h2")), (String::new(), String::new()));
    assert_snapshot!(lab.run("rmnet blue"), @"
    ------- stderr -------
    Error: Could not find an object named 'blue' of type 'network'.
    [exit status: 1]
    ");
}

#[test]
fn a_host_that_is_no_node_any_more_is_forgotten() {
    let lab = lab_with_blue(2, 2);
    lab.run("mknet blue").success();
    lab.run("rmdef h2").success();
    lab.run("chdef -t network blue hosts=h1").success();
    assert_snapshot!(lab.run("rmnet blue"), @"
    h1: blue: removed
    ------- stderr -------
    Warning: h2 is no node any more; what it has of network blue stays there
    ");
    assert_eq!(lab.run("rmnet blue").stderr, "");
}

#[test]
fn something_has_to_be_named() {
    let lab = lab();
    assert_eq!(lab.run("rmnet").code, 2);
    assert_eq!(lab.run("rmnet blue").code, 1);
}
