use insta::assert_snapshot;

use crate::{rack, session};

#[test]
fn sets_and_clears() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech n1-n2 nodehm.mgt=docker vmhost=h1
        nodech n2 vmhost=
        nodech n1 nodelist.comments=@=odd
        nodels n1-n2 mgt vmhost nodelist.comments
        tabdump vm
        deflog -n 3
    "), @r#"
    $ nodech n1-n2 nodehm.mgt=docker vmhost=h1
    $ nodech n2 vmhost=
    $ nodech n1 nodelist.comments=@=odd
    $ nodels n1-n2 mgt vmhost nodelist.comments
    n1: mgt: docker
    n1: vmhost: h1
    n1: nodelist.comments: =odd
    n2: mgt: docker
    n2: vmhost: 
    n2: nodelist.comments: 
    $ tabdump vm
    #node,mgr,host,migrationdest,storage,storagemodel,storagecache,storageformat,cfgstore,memory,cpus,nics,nicmodel,bootorder,clockoffset,virtflags,master,vncport,textconsole,powerstate,beacon,datacenter,cluster,guestostype,othersettings,physlots,vidmodel,vidproto,vidpassword,comments,disable
    "n1",,"h1",,,,,,,,,,,,,,,,,,,,,,,,,,,,
    $ deflog -n 3
    3 $TIME root 4 rows: nodech n1-n2 nodehm.mgt=docker vmhost=h1
    4 $TIME root 1 row: nodech n2 vmhost=
    5 $TIME root 1 row: nodech n1 nodelist.comments=@=odd
    "#);
}

#[test]
fn lists_grow_and_shrink() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech n1 groups,=spare
        nodech n1 groups,=spare
        nodels n1 groups
        nodech n1 groups^=rack1 groups,=rack2
        nodels n1 groups
        nodech n1 groups^=never
        nodels n1 groups
        nodech n1 'docker.env=A=1,2'
        nodech n1 'docker.env,=B=3,4'
        nodels n1 docker.env
    "), @"
    $ nodech n1 groups,=spare
    $ nodech n1 groups,=spare
    $ nodels n1 groups
    n1: spare,rack1,all
    $ nodech n1 groups^=rack1 groups,=rack2
    $ nodels n1 groups
    n1: rack2,spare,all
    $ nodech n1 groups^=never
    $ nodels n1 groups
    n1: rack2,spare,all
    $ nodech n1 'docker.env=A=1,2'
    $ nodech n1 'docker.env,=B=3,4'
    $ nodels n1 docker.env
    n1: B=3,4|A=1,2
    ");
}

#[test]
fn a_list_of_a_group_becomes_the_nodes_own() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodegrpch rack1 postscripts.postscripts=setup
        nodech n1 postscripts.postscripts,=first
        nodels rack1 postscripts.postscripts
    "), @"
    $ nodegrpch rack1 postscripts.postscripts=setup
    $ nodech n1 postscripts.postscripts,=first
    ------- stderr -------
    Warning: 'postscripts.postscripts' of 'n1' came from group 'rack1' and is its own from now on
    $ nodels rack1 postscripts.postscripts
    n1: first,setup
    n2: setup
    n3: setup
    ");
}

#[test]
fn conditions_narrow_the_range() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech all mgt==docker vmhost=h1
        nodech all 'mgt!=docker' nodepos.rack=2
        nodels all vmhost nodepos.rack
        nodech all mgt==none vmhost=h9
        nodech all mgt==docker
        nodech all bogus==1 vmhost=h9
    "), @"
    $ nodech all mgt==docker vmhost=h1
    $ nodech all 'mgt!=docker' nodepos.rack=2
    $ nodels all vmhost nodepos.rack
    n1: vmhost: 
    n1: nodepos.rack: 2
    n2: vmhost: 
    n2: nodepos.rack: 2
    n3: vmhost: 
    n3: nodepos.rack: 2
    n4: vmhost: h1
    n4: nodepos.rack: 
    $ nodech all mgt==none vmhost=h9
    $ nodech all mgt==docker
    ------- stderr -------
    Error: nothing is to be changed
    Hint: write table.column=value; == only compares
    [exit status: 2]
    $ nodech all bogus==1 vmhost=h9
    ------- stderr -------
    Error: there is no attribute or column 'bogus'
    [exit status: 1]
    ");
}

#[test]
fn rows_are_removed() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech all vmhost=h1
        nodech -d rack1 vm nodehm
        tabdump vm
        tabdump nodehm
        nodech -d n4 nodelist
        nodech -d n4 vm.host
        nodech -d n4
    "), @r#"
    $ nodech all vmhost=h1
    $ nodech -d rack1 vm nodehm
    $ tabdump vm
    #node,mgr,host,migrationdest,storage,storagemodel,storagecache,storageformat,cfgstore,memory,cpus,nics,nicmodel,bootorder,clockoffset,virtflags,master,vncport,textconsole,powerstate,beacon,datacenter,cluster,guestostype,othersettings,physlots,vidmodel,vidproto,vidpassword,comments,disable
    "n4",,"h1",,,,,,,,,,,,,,,,,,,,,,,,,,,,
    $ tabdump nodehm
    #node,power,mgt,cons,termserver,termport,conserver,serialport,serialspeed,serialflow,getmac,cmdmapping,consoleondemand,consoleenabled,comments,disable
    "n4",,"docker",,,,,,,,,,,,,
    $ nodech -d n4 nodelist
    ------- stderr -------
    Error: without its row in nodelist a node is no node
    Hint: remove nodes with: noderm NODERANGE
    [exit status: 1]
    $ nodech -d n4 vm.host
    ------- stderr -------
    Error: 'vm.host' is not a table about nodes
    Hint: with -d name tables, not columns
    [exit status: 2]
    $ nodech -d n4
    ------- stderr -------
    error: the following required arguments were not provided:
      <TABLE.COLUMN=VALUE|CONDITION>...

    Usage: nodech --delete <NODERANGE> <TABLE.COLUMN=VALUE|CONDITION>...

    For more information, try '--help'.
    [exit status: 2]
    "#);
}

#[test]
fn nothing_is_changed_unless_all_can_be() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech n1,n9 vmhost=h1
        nodech n1 vmhost=h1 vmhots=h2
        nodech n1 vm.hots=h2
        nodech n1 nodelist.node=n9
        nodech n1 vmhost
        nodech n1,-n1 vmhost=h1
        nodech n1
        tabdump vm
    "), @"
    $ nodech n1,n9 vmhost=h1
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: n9
    [exit status: 1]
    $ nodech n1 vmhost=h1 vmhots=h2
    ------- stderr -------
    Error: vmhots not a valid table.column description
    Hint: did you mean 'vmhost'?
    [exit status: 1]
    $ nodech n1 vm.hots=h2
    ------- stderr -------
    Error: vm.hots not a valid table.column description
    Hint: did you mean 'vm.host'?
    [exit status: 1]
    $ nodech n1 nodelist.node=n9
    ------- stderr -------
    Error: nodelist.node is the name itself
    Hint: give a node another name with: chdef -o OLD -n NEW
    [exit status: 1]
    $ nodech n1 vmhost
    ------- stderr -------
    Error: 'vmhost' is not of the form table.column=value
    [exit status: 2]
    $ nodech n1,-n1 vmhost=h1
    ------- stderr -------
    Error: No node in 'n1,-n1', check the noderange syntax.
    [exit status: 1]
    $ nodech n1
    ------- stderr -------
    error: the following required arguments were not provided:
      <TABLE.COLUMN=VALUE|CONDITION>...

    Usage: nodech <NODERANGE> <TABLE.COLUMN=VALUE|CONDITION>...

    For more information, try '--help'.
    [exit status: 2]
    $ tabdump vm
    #node,mgr,host,migrationdest,storage,storagemodel,storagecache,storageformat,cfgstore,memory,cpus,nics,nicmodel,bootorder,clockoffset,virtflags,master,vncport,textconsole,powerstate,beacon,datacenter,cluster,guestostype,othersettings,physlots,vidmodel,vidproto,vidpassword,comments,disable
    ");
}
