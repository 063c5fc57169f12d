use std::fs;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::{lab_with_guests, read, session, write};

#[test]
fn files_go_to_servers_and_containers_and_come_back() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1,c2").success();
    lab.run("rpower c1,c2 on").success();
    write(&lab, "motd", "hello\n");
    fs::set_permissions(lab.home().join("motd"), fs::Permissions::from_mode(0o751)).unwrap();
    assert_snapshot!(lab.run("xdcp c1,c2,h1 motd /tmp/ --json").sorted(), @r#"
    {"node":"c1","answer":"copied"}
    {"node":"c2","answer":"copied"}
    {"node":"h1","answer":"copied"}
    "#);
    assert_snapshot!(session(&lab, "
        xdcp h1,c1,c2 motd /tmp/motd
        xdsh h1,c1,c2 -b 'cat /tmp/motd; stat -c %a /tmp/motd'
        mkdir -p tree/deep && echo x > tree/deep/file
        xdcp c1 -R tree /opt/
        xdsh c1 'cat /opt/tree/deep/file'
        mkdir back && xdcp c1,c2 -P /tmp/motd back
        ls back
    "), @"
    $ xdcp h1,c1,c2 motd /tmp/motd
    $ xdsh h1,c1,c2 -b 'cat /tmp/motd; stat -c %a /tmp/motd'
    c[1-2],h1: hello
    c[1-2],h1: 751
    $ mkdir -p tree/deep && echo x > tree/deep/file
    $ xdcp c1 -R tree /opt/
    ------- stderr -------
    c1: Error: h1: cannot copy to /opt/: there is no such directory
    [exit status: 1]
    $ xdsh c1 'cat /opt/tree/deep/file'
    ------- stderr -------
    c1: cat: can't open '/opt/tree/deep/file': No such file or directory
    c1: Error: the command exited with 1
    [exit status: 1]
    $ mkdir back && xdcp c1,c2 -P /tmp/motd back
    $ ls back
    motd._c1
    motd._c2
    ");
    assert_eq!(read(&lab, "back/motd._c1"), "hello\n");
}

#[test]
fn failures_are_counted_and_named() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();
    write(&lab, "motd", "hello\n");
    assert_snapshot!(lab.run("xdcp c1,c2,c3 motd /tmp/motd").sorted(), @"
    ------- stderr -------
    Hint: make it with: mkvm NODERANGE
    c2: Error: no such guest on h1
    c3: Error: no such guest on h1
    [exit status: 2]
    ");
    assert_snapshot!(session(&lab, "
        xdcp c1 nothing /tmp/
        xdcp c1 motd /no/such/directory/
        xdcp c1 -P /no/such/file .
        xdcp c9 motd /tmp/
        xdcp c1 motd
    "), @"
    $ xdcp c1 nothing /tmp/
    ------- stderr -------
    Error: cannot read nothing: no such file or directory
    [exit status: 1]
    $ xdcp c1 motd /no/such/directory/
    ------- stderr -------
    c1: Error: h1: cannot copy to /no/such/directory/: there is no such directory
    [exit status: 1]
    $ xdcp c1 -P /no/such/file .
    ------- stderr -------
    c1: Error: h1: cannot copy /no/such/file: Could not find the file /no/such/file in container c1
    [exit status: 1]
    $ xdcp c9 motd /tmp/
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: c9
    [exit status: 1]
    $ xdcp c1 motd
    ------- stderr -------
    error: 2 values required by '<PATH> <PATH>...'; only 1 was provided

    Usage: xdcp [OPTIONS] <NODERANGE> <PATH> <PATH>...

    For more information, try '--help'.
    [exit status: 2]
    ");
}
