use insta::assert_snapshot;

use crate::{lab_with_guests, session};

#[test]
fn running_guests_are_spared_unless_forced() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1,c2").success();
    lab.run("rpower c1 on").success();
    assert_snapshot!(session(&lab, "
        rmvm c1
        rmvm c2
        rmvm c2
        rmvm c1 -f -V
        nodels c1-c2
        rmvm c9
        rmvm
    "), @"
    $ rmvm c1
    ------- stderr -------
    c1: Error: h1: cannot remove: Cannot rmvm active guest (use -f argument to force)
    [exit status: 1]
    $ rmvm c2
    $ rmvm c2
    ------- stderr -------
    c2: Warning: nothing to remove: no such guest on h1
    $ rmvm c1 -f -V
    c1: removed
    $ nodels c1-c2
    c1
    c2
    $ rmvm c9
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: c9
    [exit status: 1]
    $ rmvm
    ------- stderr -------
    error: the following required arguments were not provided:
      <NODERANGE>

    Usage: rmvm <NODERANGE>

    For more information, try '--help'.
    [exit status: 2]
    ");
    assert_eq!(lab.host("h1").docker("ps -aq").success(), "");
}
