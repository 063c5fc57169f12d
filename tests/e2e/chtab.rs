use insta::assert_snapshot;

use crate::{lab, rack, session, write};

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

#[test]
fn what_chdef_refuses_every_other_command_refuses_too() {
    let lab = rack();
    write(&lab, "mac.csv", "#node,mac\n\"n1\",\"02:00:00:00:00:01\"\n\"n2\",\"02-00\"\n");
    assert_snapshot!(session(&lab, r"
        chtab node=n1 mac.mac=02:00
        nodech n1 hosts.ip=10.0.0
        nodegrpch rack1 chain.currstate=garbage
        nodeadd n9 groups=all chain.chain=runcmd=a,garbage
        tabrestore mac.csv
        sed -i s/02-00/02-00-00-00-00-02/ mac.csv; tabrestore mac.csv
        TABEDITOR='sed -i s/02-00-00-00-00-02/02/' tabedit mac 2>&1 | head -n 1
        chtab netname=lab networks.net=10.1.0.0 networks.mask=255.0.255.0
        chdef -t network lab net=10.1.0.0 mask=/16 dynamicrange=10.1.0.9-10.1.0.1
        mkdef -t network lab net=10.1.0.0 mask=/16 gateway=router mtu=9
        mkdef -t network lab net=10.1.0.0 mask=/16 gateway='<xcatmaster>' mtu=9000 dynamicrange=10.1.2.0/24
        tabdump mac
    "), @r#"
    $ chtab node=n1 mac.mac=02:00
    ------- stderr -------
    Error: table mac, row n1: 'mac=02:00' cannot be: '02:00' is neither a MAC address nor an expression
    [exit status: 1]
    $ nodech n1 hosts.ip=10.0.0
    ------- stderr -------
    Error: table hosts, row n1: 'ip=10.0.0' cannot be: it is neither an address nor an expression
    [exit status: 1]
    $ nodegrpch rack1 chain.currstate=garbage
    ------- stderr -------
    Error: table chain, row rack1: 'currstate=garbage' cannot be: states are boot, shell, standby, offline, discover, reboot, shutdown, runcmd=…, runimage=…, install …, netboot …; nodeset sets them
    [exit status: 1]
    $ nodeadd n9 groups=all chain.chain=runcmd=a,garbage
    ------- stderr -------
    Error: table chain, row n9: 'chain=runcmd=a,garbage' cannot be: 'garbage' is no step: boot, shell, standby, offline, discover, reboot, shutdown, osimage[=…], runcmd=…, runimage=…, by comma
    [exit status: 1]
    $ tabrestore mac.csv
    ------- stderr -------
    Error: table mac, row n2: 'mac=02-00' cannot be: '02-00' is neither a MAC address nor an expression
    [exit status: 1]
    $ sed -i s/02-00/02-00-00-00-00-02/ mac.csv; tabrestore mac.csv
    $ TABEDITOR='sed -i s/02-00-00-00-00-02/02/' tabedit mac 2>&1 | head -n 1
    Error: table mac, row n2: 'mac=02' cannot be: '02' is neither a MAC address nor an expression
    $ chtab netname=lab networks.net=10.1.0.0 networks.mask=255.0.255.0
    ------- stderr -------
    Error: table networks, row 10.1.0.0,255.0.255.0: 'mask=255.0.255.0' cannot be: it is not a mask, such as 255.255.0.0 or /16
    [exit status: 1]
    $ chdef -t network lab net=10.1.0.0 mask=/16 dynamicrange=10.1.0.9-10.1.0.1
    ------- stderr -------
    Error: 'dynamicrange=10.1.0.9-10.1.0.1' is refused: '10.1.0.9-10.1.0.1' is neither FIRST-LAST nor a subnet such as 10.1.2.0/24
    [exit status: 1]
    $ mkdef -t network lab net=10.1.0.0 mask=/16 gateway=router mtu=9
    ------- stderr -------
    Error: 'gateway=router' is refused: 'router' is neither an address nor <xcatmaster>
    Error: 'mtu=9' is refused: it is not a number from 68 to 65535
    [exit status: 1]
    $ mkdef -t network lab net=10.1.0.0 mask=/16 gateway='<xcatmaster>' mtu=9000 dynamicrange=10.1.2.0/24
    1 object definitions have been created or modified.
    $ tabdump mac
    #node,interface,mac,comments,disable
    "n1",,"02:00:00:00:00:01",,
    "n2",,"02-00-00-00-00-02",,
    "#);
}
