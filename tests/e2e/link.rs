use std::fs;

use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn every_command_has_a_link() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        mkdir bin
        xcrane link bin
        bin/nodels
        bin/nodels --version
        xcrane link bin
        xcrane link --target /opt/xcrane bin
    "), @"
    $ mkdir bin
    $ xcrane link bin
    $ bin/nodels
    $ bin/nodels --version
    nodels 0.1.0
    $ xcrane link bin
    $ xcrane link --target /opt/xcrane bin
    ");
    assert_eq!(fs::read_link(lab.home().join("bin/nodels")).unwrap(), std::path::Path::new("/opt/xcrane"));
}

#[test]
fn what_is_in_the_way_is_left_alone() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        mkdir bin
        echo mine > bin/nodels
        ln -s /usr/bin/other bin/rpower
        xcrane link bin
        cat bin/nodels
        xcrane link nowhere
    "), @"
    $ mkdir bin
    $ echo mine > bin/nodels
    $ ln -s /usr/bin/other bin/rpower
    $ xcrane link bin
    ------- stderr -------
    Error: cannot make bin/nodels: a file of that name is in the way
    Error: cannot make bin/rpower: it is a link to /usr/bin/other
    [exit status: 1]
    $ cat bin/nodels
    mine
    $ xcrane link nowhere
    ------- stderr -------
    Error: nowhere is not a directory
    [exit status: 1]
    ");
}
