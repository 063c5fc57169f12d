use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn cells_are_set_and_rows_removed() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        chtab key=domain site.value=x.org
        chtab key=domain site.value=y.org site.comments='by hand'
        tabdump site
        chtab node=n1,switch=s1 switch.port=1
        chtab node=n1,switch=s2 switch.port=2
        tabdump switch
        chtab -d node=n1,switch=s1 switch
        tabdump switch
        chtab -d key=domain site -m 'no domain'
        tabdump site
        deflog -n 1
    "), @r#"
    $ chtab key=domain site.value=x.org
    $ chtab key=domain site.value=y.org site.comments='by hand'
    $ tabdump site
    #key,value,comments,disable
    "domain","y.org","by hand",
    $ chtab node=n1,switch=s1 switch.port=1
    $ chtab node=n1,switch=s2 switch.port=2
    $ tabdump switch
    #node,switch,port,vlan,interface,comments,disable
    "n1","s1","1",,,,
    "n1","s2","2",,,,
    $ chtab -d node=n1,switch=s1 switch
    $ tabdump switch
    #node,switch,port,vlan,interface,comments,disable
    "n1","s2","2",,,,
    $ chtab -d key=domain site -m 'no domain'
    $ tabdump site
    #key,value,comments,disable
    $ deflog -n 1
    6 $TIME root 1 row: chtab -d key=domain site -m 'no domain'  (no domain)
    "#);
}

#[test]
fn refuses_what_is_not_there() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        chtab key=domain bogus.value=x
        chtab key=domain site.bogus=x
        chtab bogus=domain site.value=x
        chtab key=domain site.value
        chtab key=domain value=x
        chtab domain site.value=x
        chtab key=domain
        chtab -d key=none site
        tabdump site
    "), @"
    $ chtab key=domain bogus.value=x
    ------- stderr -------
    Error: No such table: bogus
    Hint: tabdump lists the tables
    [exit status: 1]
    $ chtab key=domain site.bogus=x
    ------- stderr -------
    Error: table site has no column 'bogus'
    [exit status: 1]
    $ chtab bogus=domain site.value=x
    ------- stderr -------
    Error: table site has no column 'bogus'
    [exit status: 1]
    $ chtab key=domain site.value
    ------- stderr -------
    Error: 'site.value' is not of the form table.column=value
    [exit status: 2]
    $ chtab key=domain value=x
    ------- stderr -------
    Error: 'value=x' is not of the form table.column=value
    [exit status: 2]
    $ chtab domain site.value=x
    ------- stderr -------
    Error: 'domain' is not of the form column=value
    [exit status: 2]
    $ chtab key=domain
    ------- stderr -------
    error: the following required arguments were not provided:
      <TABLE.COLUMN=VALUE>...

    Usage: chtab <KEY=VALUE> <TABLE.COLUMN=VALUE>...

    For more information, try '--help'.
    [exit status: 2]
    $ chtab -d key=none site
    $ tabdump site
    #key,value,comments,disable
    ");
}
