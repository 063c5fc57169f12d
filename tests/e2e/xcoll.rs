use ::lab::Lab;
use insta::assert_snapshot;

use crate::{rack, session, write};

/// The rack, and what its nodes have said.
fn rack_with_output() -> Lab {
    let lab = rack();
    write(&lab, "output", "n2: up\nn1: up\nn3: up\nn4: down\nn1: fine\nn2: fine\nn3: fine\nnobody\n");
    lab
}

#[test]
fn equal_output_stands_under_one_heading() {
    let lab = rack_with_output();
    assert_snapshot!(session(&lab, "
        xcoll < output
        lsdef all -i groups -c | xcoll -c
    "), @"
    $ xcoll < output
    ====================================
    UNKNOWN
    ====================================
    nobody

    ====================================
    n4
    ====================================
    down

    ====================================
    rack1
    ====================================
    up
    fine

    $ lsdef all -i groups -c | xcoll -c
    ====================================
    n4
    ====================================
    Node count = 1 
    ====================================
    groups=all

    ====================================
    rack1
    ====================================
    Node count = 3 
    ====================================
    groups=rack1,all
    ");
}

#[test]
fn headings_of_nodes() {
    assert_snapshot!(session(&rack_with_output(), "
        xcoll -n -c < output
        xcoll -i < output | head -8
        xcoll -i -c < output
    "), @"
    $ xcoll -n -c < output
    ====================================
    UNKNOWN
    ====================================
    Node count = 1 
    ====================================
    nobody

    ====================================
    n1,n2,n3
    ====================================
    Node count = 3 
    ====================================
    up
    fine

    ====================================
    n4
    ====================================
    Node count = 1 
    ====================================
    down

    $ xcoll -i < output | head -8
    ====================================
    UNKNOWN
    ====================================
    nobody

    ====================================
    n1
    ====================================
    $ xcoll -i -c < output
    ------- stderr -------
    error: the argument '-i' cannot be used with '-c'

    Usage: xcoll -i

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn what_is_called_as_a_group_hides_no_output() {
    let lab = rack();
    write(&lab, "output", "n1: up\nn2: up\nn3: up\nrack1: down\n");
    assert_snapshot!(session(&lab, "xcoll < output"), @"
    $ xcoll < output
    ====================================
    rack1
    ====================================
    down

    ====================================
    rack1
    ====================================
    up
    ");
}
