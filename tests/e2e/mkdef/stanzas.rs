//! Definitions as stanzas on standard input.

use insta::assert_snapshot;

use crate::{lab, session, write};

#[test]
fn stanzas_are_read_from_standard_input() {
    let lab = lab();
    write(
        &lab,
        "site.stanza",
        "\
# <xCAT data object stanza file>

web:
    objtype=group
    members=n1,n2
    vmmemory=1G

default-node:
    mgt=docker
    groups=all

n1:
    objtype=node
    vmhost=h1
n2:
    objtype=node
    vmhost=h2
    mgt=ipmi
    bmc=10.1.0.2
    bmcpassword=secret

cluster:
    objtype=network
    net=10.0.0.0
    mask=255.0.0.0
",
    );
    assert_snapshot!(session(&lab, "
        mkdef -z < site.stanza
        lsdef -a -l
        deflog
        tabdump ipmi
        mkdef -z n1 < site.stanza
    "), @r#"
    $ mkdef -z < site.stanza
    4 object definitions have been created or modified.
    $ lsdef -a -l
    Object name: all
        grouptype=static
        members=n1,n2
    Object name: web
        grouptype=static
        members=n1,n2
        vmmemory=1G
    Object name: cluster
        mask=255.0.0.0
        net=10.0.0.0
    Object name: n1
        groups=all,web
        mgt=docker
        vmhost=h1
        vmmemory=1G
    Object name: n2
        bmc=10.1.0.2
        bmcpassword=***
        groups=all,web
        mgt=ipmi
        vmhost=h2
        vmmemory=1G
    Object name: clustersite
    $ deflog
    1 $TIME root 10 rows: mkdef -z
    $ tabdump ipmi
    #node,bmc,bmcport,taggedvlan,bmcid,username,password,comments,disable
    "n2","10.1.0.2",,,,,"secret",,
    $ mkdef -z n1 < site.stanza
    ------- stderr -------
    Error: with -z everything comes from standard input: give no names and no attributes
    [exit status: 2]
    "#);
}

#[test]
fn what_is_written_as_stanzas_can_be_read_again() {
    let lab = lab();
    lab.run("mkdef n[1-3] groups=all,web mgt=docker vmhost=h1 nicips.eth1='|10.1.0.($1)|' usercomment='a, \"b\"'")
        .success();
    lab.run("chdef -t group -o web members=n1,n2 vmmemory=1G").success();
    lab.run("mkdef -t network -o cluster net=10.0.0.0 mask=255.0.0.0").success();
    assert_snapshot!(session(&lab, "
        lsdef -a -z > before
        rmdef -t node,group -a -f
        rmdef -t network -a -f
        lsdef -a
        mkdef -z < before
        lsdef -a -z > after
        diff before after
    "), @"
    $ lsdef -a -z > before
    $ rmdef -t node,group -a -f
    5 object definitions have been removed.
    $ rmdef -t network -a -f
    1 object definitions have been removed.
    $ lsdef -a
    clustersite (site)
    $ mkdef -z < before
    7 object definitions have been created or modified.
    $ lsdef -a -z > after
    $ diff before after
    ");
}

#[test]
fn a_bad_stanza_file_defines_nothing() {
    let lab = lab();
    let check = |text: &str| lab.run_with_stdin("mkdef -z", text).to_string();
    assert_snapshot!(check("n1:\n  objtype=node\n  groups=all\nn2:\n  groups all\n"), @"
    ------- stderr -------
    Error: line 5: expected 'name:' or 'attribute=value', found 'groups all'
    [exit status: 1]
    ");
    assert_snapshot!(check("n1:\n  objtype=node\n  groups=all\nn2:\n  groups=all\n"), @"
    ------- stderr -------
    Error: No objtype value was specified for 'n2'. Cannot create object definition.
    Hint: the stanza begins at line 4; add objtype=node
    [exit status: 1]
    ");
    assert_snapshot!(check("n1:\n  objtype=node\n  groups=all\n  mtg=docker\n"), @"
    ------- stderr -------
    Error: line 1: 'mtg' is not a valid attribute name for an object type of 'node'.
    Hint: did you mean 'mtm'?
    [exit status: 1]
    ");
    assert_snapshot!(check("n1:\n  objtype=nod\n  groups=all\n"), @"
    ------- stderr -------
    Error: line 1: Type 'nod' is not a valid xCAT object type.
    Hint: did you mean 'node'?
    [exit status: 1]
    ");
    assert_snapshot!(check("  mgt=docker\n"), @"
    ------- stderr -------
    Error: line 1: expected 'name:' before the first attribute, found 'mgt=docker'
    [exit status: 1]
    ");
    assert_snapshot!(check("n1:\n  objtype=node\n  groups=all\n  ip=nowhere\n"), @"
    ------- stderr -------
    Error: line 1: 'ip=nowhere' is refused: it is neither an address nor an expression
    [exit status: 1]
    ");
    assert_snapshot!(check(""), @"
    ------- stderr -------
    Error: no object definitions on standard input
    [exit status: 1]
    ");
    assert_snapshot!(session(&lab, "
        tabdump nodelist
        deflog
    "), @"
    $ tabdump nodelist
    #node,groups,status,statustime,appstatus,appstatustime,primarysn,hidden,updatestatus,updatestatustime,zonename,comments,disable
    $ deflog
    ");
}
