use insta::assert_snapshot;

use crate::{rack, session};

#[test]
fn cells_are_printed_as_stored() {
    let lab = rack();
    assert_snapshot!(session(&lab, r"
        nodegrpch rack1 'hosts.ip=|n(\d+)|10.0.0.($1)|'
        gettab node=n1 nodehm.mgt
        gettab node=n1 nodehm.mgt nodelist.groups
        gettab -H node=n1 nodehm.mgt
        gettab node=rack1 hosts.ip
        gettab node=n1 hosts.ip
        gettab node=n9 nodehm.mgt
        gettab node=n1 nodehm.cons nodehm.mgt
    "), @r"
    $ nodegrpch rack1 'hosts.ip=|n(\d+)|10.0.0.($1)|'
    $ gettab node=n1 nodehm.mgt
    ipmi
    $ gettab node=n1 nodehm.mgt nodelist.groups
    nodehm.mgt: ipmi
    nodelist.groups: rack1,all
    $ gettab -H node=n1 nodehm.mgt
    nodehm.mgt: ipmi
    $ gettab node=rack1 hosts.ip
    |n(\d+)|10.0.0.($1)|
    $ gettab node=n1 hosts.ip
    $ gettab node=n9 nodehm.mgt
    $ gettab node=n1 nodehm.cons nodehm.mgt
    nodehm.mgt: ipmi
    ");
}

#[test]
fn refuses_what_is_not_there() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        gettab node=n1 bogus.mgt
        gettab node=n1 nodehm.bogus
        gettab bogus=n1 nodehm.mgt
        gettab node=n1 nodehm
        gettab n1 nodehm.mgt
        gettab node=n1
    "), @"
    $ gettab node=n1 bogus.mgt
    ------- stderr -------
    Error: No such table: bogus
    Hint: tabdump lists the tables
    [exit status: 1]
    $ gettab node=n1 nodehm.bogus
    ------- stderr -------
    Error: table nodehm has no column 'bogus'
    [exit status: 1]
    $ gettab bogus=n1 nodehm.mgt
    ------- stderr -------
    Error: table nodehm has no column 'bogus'
    [exit status: 1]
    $ gettab node=n1 nodehm
    ------- stderr -------
    Error: 'nodehm' is not of the form table.column
    [exit status: 2]
    $ gettab n1 nodehm.mgt
    ------- stderr -------
    Error: 'n1' is not of the form column=value
    [exit status: 2]
    $ gettab node=n1
    ------- stderr -------
    error: the following required arguments were not provided:
      <TABLE.COLUMN>...

    Usage: gettab <KEY=VALUE> <TABLE.COLUMN>...

    For more information, try '--help'.
    [exit status: 2]
    ");
}
