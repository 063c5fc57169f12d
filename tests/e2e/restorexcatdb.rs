use insta::assert_snapshot;

use crate::{lab, rack, session, write};

#[test]
fn a_dump_makes_another_home_the_same() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        dumpxCATdb -p dump
        noderm all
        restorexCATdb -p dump -m 'back again' | sed 's/[0-9]* tables/all tables/'
        nodels all groups mgt
        dumpxCATdb -p again
        diff -r dump again
        deflog -n 1
    "), @"
    $ dumpxCATdb -p dump
    $ noderm all
    $ restorexCATdb -p dump -m 'back again' | sed 's/[0-9]* tables/all tables/'
    Restored 8 rows of all tables.
    $ nodels all groups mgt
    n1: groups: rack1,all
    n1: mgt: ipmi
    n2: groups: rack1,all
    n2: mgt: ipmi
    n3: groups: rack1,all
    n3: mgt: ipmi
    n4: groups: all
    n4: mgt: docker
    $ dumpxCATdb -p again
    $ diff -r dump again
    $ deflog -n 1
    4 $TIME root 8 rows: restorexCATdb -p dump -m 'back again'  (back again)
    ");
}

#[test]
fn what_has_no_place_is_named() {
    let lab = lab();
    assert_snapshot!(session(&lab, r#"
        mkdir dump
        printf '#node,groups,colour\n"n1","all","red"\n"n2","all",\n' > dump/nodelist.csv
        printf '#a,b\n"1","2"\n' > dump/kitstuff.csv
        restorexCATdb --strict -p dump
        nodels
        restorexCATdb -p dump
        nodels all groups
    "#), @r#"
    $ mkdir dump
    $ printf '#node,groups,colour\n"n1","all","red"\n"n2","all",\n' > dump/nodelist.csv
    $ printf '#a,b\n"1","2"\n' > dump/kitstuff.csv
    $ restorexCATdb --strict -p dump
    ------- stderr -------
    Warning: not restored: kitstuff: no such table here
    Warning: not restored: nodelist.colour: no such column here (1 values)
    Error: nothing was restored: not all of the dump has a place
    [exit status: 1]
    $ nodels
    $ restorexCATdb -p dump
    Restored 2 rows of 1 tables.
    ------- stderr -------
    Warning: not restored: kitstuff: no such table here
    Warning: not restored: nodelist.colour: no such column here (1 values)
    $ nodels all groups
    n1: all
    n2: all
    "#);
}

#[test]
fn one_bad_file_restores_nothing() {
    let lab = rack();
    assert_snapshot!(session(&lab, r#"
        mkdir dump empty
        printf '#key,value\n"domain","x.org"\n' > dump/site.csv
        printf '#node,groups\n"n1","all"\n"n1","all"\n' > dump/nodelist.csv
        restorexCATdb -p dump
        tabdump site
        restorexCATdb -p empty
        restorexCATdb -p nowhere
        nodels
    "#), @r#"
    $ mkdir dump empty
    $ printf '#key,value\n"domain","x.org"\n' > dump/site.csv
    $ printf '#node,groups\n"n1","all"\n"n1","all"\n' > dump/nodelist.csv
    $ restorexCATdb -p dump
    ------- stderr -------
    Error: table 'nodelist' already has a row n1
    [exit status: 1]
    $ tabdump site
    #key,value,comments,disable
    $ restorexCATdb -p empty
    ------- stderr -------
    Error: no .csv files in empty
    [exit status: 1]
    $ restorexCATdb -p nowhere
    ------- stderr -------
    Error: cannot read nowhere: No such file or directory (os error 2)
    [exit status: 1]
    $ nodels
    n1
    n2
    n3
    n4
    "#);
}

#[test]
fn what_xcat_writes_is_taken_and_a_bad_cell_is_named() {
    let lab = lab();
    lab.shell("mkdir dump").success();
    for (table, rows) in [
        ("nodelist", "#node,groups\n\"n1\",\"all\"\n"),
        ("mac", "#node,interface,mac\n\"n1\",,\"42:aE:f0:00:00:20!n1|42aef0000021!*NOIP*\"\n"),
        (
            "chain",
            "#node,currstate,currchain,chain\n\"n1\",\"install rhels7.6-x86_64-compute\",\"boot\",\
             \"runcmd=bmcsetup,osimage=rhels7.6-x86_64-install-compute:reboot4deploy\"\n",
        ),
        (
            "networks",
            "#netname,net,mask,gateway,dynamicrange,mtu\n\
             \"10_1_0_0-255_255_0_0\",\"10.1.0.0\",\"255.255.0.0\",\"<xcatmaster>\",\"10.1.9.1-10.1.9.99\",\"1500\"\n\
             \"fd59::/64\",\"fd59::/64\",\"/64\",\"<xcatmaster>\",,\n",
        ),
    ] {
        write(&lab, &format!("dump/{table}.csv"), rows);
    }
    assert_snapshot!(session(&lab, "
        restorexCATdb --strict -p dump
        tabrestore dump/networks.csv
        sed -i s/42aef0000021/42ae/ dump/mac.csv; restorexCATdb --strict -p dump
        tabrestore dump/mac.csv
        restorexCATdb -p dump
        nodels n1 mac.mac
    "), @"
    $ restorexCATdb --strict -p dump
    Restored 5 rows of 4 tables.
    $ tabrestore dump/networks.csv
    $ sed -i s/42aef0000021/42ae/ dump/mac.csv; restorexCATdb --strict -p dump
    ------- stderr -------
    Error: table mac, row n1: 'mac=42:aE:f0:00:00:20!n1|42ae!*NOIP*' cannot be: '42ae' is neither a MAC address nor an expression
    [exit status: 1]
    $ tabrestore dump/mac.csv
    ------- stderr -------
    Error: table mac, row n1: 'mac=42:aE:f0:00:00:20!n1|42ae!*NOIP*' cannot be: '42ae' is neither a MAC address nor an expression
    [exit status: 1]
    $ restorexCATdb -p dump
    Restored 5 rows of 4 tables.
    ------- stderr -------
    Warning: restored as it stands: table mac, row n1: 'mac=42:aE:f0:00:00:20!n1|42ae!*NOIP*' cannot be: '42ae' is neither a MAC address nor an expression
    $ nodels n1 mac.mac
    n1: 42:aE:f0:00:00:20!n1|42ae!*NOIP*
    ");
}
