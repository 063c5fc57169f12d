use insta::assert_snapshot;

use crate::{lab_with_guests, session, write};

#[test]
fn files_go_to_every_node_of_the_range() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();
    write(&lab, "motd", "hello\n");
    assert_snapshot!(lab.run("pscp motd h1,c1:/tmp/motd").sorted(), @"
    c1: done
    h1: done
    ");
    assert_snapshot!(lab.run("pscp motd c1,c2:/tmp/motd").sorted(), @"
    c1: done
    ------- stderr -------
    Hint: make it with: mkvm NODERANGE
    c2: Error: no such guest on h1
    [exit status: 1]
    ");
    assert_snapshot!(session(&lab, "
        xdsh h1,c1 -b 'cat /tmp/motd'
        pscp motd c1
        pscp motd c9:/tmp/
        pscp nothing c1:/tmp/
    "), @"
    $ xdsh h1,c1 -b 'cat /tmp/motd'
    c1,h1: hello
    $ pscp motd c1
    ------- stderr -------
    Error: 'c1' is not of the form NODERANGE:PATH
    [exit status: 2]
    $ pscp motd c9:/tmp/
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: c9
    [exit status: 1]
    $ pscp nothing c1:/tmp/
    ------- stderr -------
    Error: cannot read nothing: no such file or directory
    [exit status: 1]
    ");
}
