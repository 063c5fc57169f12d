use insta::assert_snapshot;

use crate::{lab_with_guests, session};

#[test]
fn containers_go() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1,c2").success();
    lab.run("rpower c1 on").success();
    assert_snapshot!(session(&lab, "
        rmdocker c1
        rmdocker c1 -f
        rmdocker c2
        rmdocker c9
    "), @"
    $ rmdocker c1
    ------- stderr -------
    c1: Error: h1: cannot remove: Cannot rmvm active guest (use -f argument to force)
    [exit status: 1]
    $ rmdocker c1 -f
    c1: success
    $ rmdocker c2
    c2: success
    $ rmdocker c9
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: c9
    [exit status: 1]
    ");
    assert_eq!(lab.host("h1").docker("ps -aq").success(), "");
}
