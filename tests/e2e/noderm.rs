use insta::assert_snapshot;

use crate::{rack, session};

#[test]
fn nodes_go_from_every_table() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech n1-n2 vm.host=h1 hosts.ip=10.0.0.1 switch.switch=s1 switch.port=1
        tabgrep n1
        noderm n1
        nodels
        tabdump vm
        tabdump switch
        defundo --last 1
        tabgrep n1
    "), @r#"
    $ nodech n1-n2 vm.host=h1 hosts.ip=10.0.0.1 switch.switch=s1 switch.port=1
    $ tabgrep n1
    hosts
    nodehm
    nodelist
    switch
    vm
    $ noderm n1
    $ nodels
    n2
    n3
    n4
    $ tabdump vm
    #node,mgr,host,migrationdest,storage,storagemodel,storagecache,storageformat,cfgstore,memory,cpus,nics,nicmodel,bootorder,clockoffset,virtflags,master,vncport,textconsole,powerstate,beacon,datacenter,cluster,guestostype,othersettings,physlots,vidmodel,vidproto,vidpassword,comments,disable
    "n2",,"h1",,,,,,,,,,,,,,,,,,,,,,,,,,,,
    $ tabdump switch
    #node,switch,port,vlan,interface,comments,disable
    "n2","s1","1",,,,
    $ defundo --last 1
    Took back 4.
    $ tabgrep n1
    hosts
    nodehm
    nodelist
    switch
    vm
    "#);
}

#[test]
fn all_or_none() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        noderm n1,n9
        noderm n1,-n1
        noderm
        nodels
        noderm all -m sold
        nodels
        deflog -n 1
    "), @"
    $ noderm n1,n9
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: n9
    [exit status: 1]
    $ noderm n1,-n1
    ------- stderr -------
    Error: No node in 'n1,-n1', check the noderange syntax.
    [exit status: 1]
    $ noderm
    ------- stderr -------
    error: the following required arguments were not provided:
      <NODERANGE>

    Usage: noderm <NODERANGE>

    For more information, try '--help'.
    [exit status: 2]
    $ nodels
    n1
    n2
    n3
    n4
    $ noderm all -m sold
    $ nodels
    $ deflog -n 1
    3 $TIME root 8 rows: noderm all -m sold  (sold)
    ");
}
