use insta::assert_snapshot;

use crate::{rack, read, session, write};

#[test]
fn nodes_go_from_the_tables_and_from_the_hosts_file() {
    let lab = rack();
    write(&lab, "hosts", "127.0.0.1 localhost\n10.9.9.9 n2-old n2\n10.0.0.77 other\n");
    assert_snapshot!(session(&lab, "
        nodech n1 hosts.ip=10.0.0.1
        makehosts n1 --file hosts
        cat hosts
        nodepurge n1-n2 --file hosts
        nodels
        cat hosts
    "), @"
    $ nodech n1 hosts.ip=10.0.0.1
    $ makehosts n1 --file hosts
    $ cat hosts
    127.0.0.1 localhost
    10.9.9.9 n2-old n2
    10.0.0.77 other
    10.0.0.1 n1 
    $ nodepurge n1-n2 --file hosts
    $ nodels
    n3
    n4
    $ cat hosts
    127.0.0.1 localhost
    10.0.0.77 other
    ");
}

#[test]
fn without_a_hosts_file_none_is_made() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodepurge n1 --file hosts
        ls
        nodels
        nodepurge n9 --file hosts
    "), @"
    $ nodepurge n1 --file hosts
    $ ls
    xcrane.toml
    $ nodels
    n2
    n3
    n4
    $ nodepurge n9 --file hosts
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: n9
    [exit status: 1]
    ");
}

#[test]
fn a_file_that_cannot_be_changed_keeps_the_nodes() {
    let lab = rack();
    write(&lab, "hosts", "10.0.0.1 n1\n");
    assert_snapshot!(session(&lab, "
        nodepurge n1 --file nowhere/hosts
        nodels n1
    "), @"
    $ nodepurge n1 --file nowhere/hosts
    ------- stderr -------
    Error: cannot open nowhere: No such file or directory (os error 2)
    [exit status: 1]
    $ nodels n1
    n1
    ");
    assert_eq!(read(&lab, "hosts"), "10.0.0.1 n1\n");
}
