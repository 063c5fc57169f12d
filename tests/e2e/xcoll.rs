use insta::assert_snapshot;

use crate::{rack, session, write};

#[test]
fn equal_output_stands_under_one_heading() {
    let lab = rack();
    write(&lab, "output", "n2: up\nn1: up\nn3: up\nn4: down\nn1: fine\nn2: fine\nn3: fine\nnobody\n");
    assert_snapshot!(session(&lab, "
        xcoll < output
        xcoll -n -c < output
        xcoll -i < output | head -8
        lsdef all -i groups -c | xcoll -c
        xcoll -i -c < output
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

    $ xcoll -i -c < output
    ------- stderr -------
    error: the argument '-i' cannot be used with '-c'

    Usage: xcoll -i

    For more information, try '--help'.
    [exit status: 2]
    ");
}
