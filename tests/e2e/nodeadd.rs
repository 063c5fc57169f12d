use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn new_names_become_nodes() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        nodeadd n[01-03],login groups=rack1,all nodehm.mgt=docker vmhost=h1 -m 'first rack'
        nodels all groups mgt vm.host
        tabdump vm
        deflog
    "), @r#"
    $ nodeadd n[01-03],login groups=rack1,all nodehm.mgt=docker vmhost=h1 -m 'first rack'
    $ nodels all groups mgt vm.host
    login: groups: rack1,all
    login: mgt: docker
    login: vm.host: h1
    n01: groups: rack1,all
    n01: mgt: docker
    n01: vm.host: h1
    n02: groups: rack1,all
    n02: mgt: docker
    n02: vm.host: h1
    n03: groups: rack1,all
    n03: mgt: docker
    n03: vm.host: h1
    $ tabdump vm
    #node,mgr,host,migrationdest,storage,storagemodel,storagecache,storageformat,cfgstore,memory,cpus,nics,nicmodel,bootorder,clockoffset,virtflags,master,vncport,textconsole,powerstate,beacon,datacenter,cluster,guestostype,othersettings,physlots,vidmodel,vidproto,vidpassword,comments,disable
    "login",,"h1",,,,,,,,,,,,,,,,,,,,,,,,,,,,
    "n01",,"h1",,,,,,,,,,,,,,,,,,,,,,,,,,,,
    "n02",,"h1",,,,,,,,,,,,,,,,,,,,,,,,,,,,
    "n03",,"h1",,,,,,,,,,,,,,,,,,,,,,,,,,,,
    $ deflog
    1 $TIME root 12 rows: nodeadd n[01-03],login groups=rack1,all nodehm.mgt=docker vmhost=h1 -m 'first rack'  (first rack)
    "#);
}

#[test]
fn what_is_there_is_changed() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        nodeadd n1,n2 groups=a
        nodeadd n2,n3 groups=b mgt=ipmi
        nodels n1-n3 groups mgt
        nodeadd n1 mgt=docker
        nodeadd n1 groups,=c
        nodels n1 groups mgt
    "), @"
    $ nodeadd n1,n2 groups=a
    $ nodeadd n2,n3 groups=b mgt=ipmi
    $ nodels n1-n3 groups mgt
    n1: groups: a
    n1: mgt: 
    n2: groups: b
    n2: mgt: ipmi
    n3: groups: b
    n3: mgt: ipmi
    $ nodeadd n1 mgt=docker
    $ nodeadd n1 groups,=c
    $ nodels n1 groups mgt
    n1: groups: c,a
    n1: mgt: docker
    ");
}

#[test]
fn nothing_is_added_unless_all_can_be() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        nodeadd n5 mgt=kvm
        nodeadd n5,n1.dom groups=a
        nodeadd n5 groups=a nodehm.mgtt=x
        nodeadd n5 groups=a mgt==x
        nodeadd n5
        nodeadd n[5-1] groups=a
        nodels
    "), @"
    $ nodeadd n5 mgt=kvm
    ------- stderr -------
    Error: The 'groups' attribute is required when creating node definitions.
    Hint: nodeadd n5 groups=GROUP …
    [exit status: 1]
    $ nodeadd n5,n1.dom groups=a
    ------- stderr -------
    Error: The object name 'n1.dom' is invalid, Cannot use '.' in node name.
    [exit status: 1]
    $ nodeadd n5 groups=a nodehm.mgtt=x
    ------- stderr -------
    Error: nodehm.mgtt not a valid table.column description
    Hint: did you mean 'nodehm.mgt'?
    [exit status: 1]
    $ nodeadd n5 groups=a mgt==x
    ------- stderr -------
    Error: nodeadd takes no conditions, such as one on 'mgt'
    [exit status: 2]
    $ nodeadd n5
    ------- stderr -------
    error: the following required arguments were not provided:
      <TABLE.COLUMN=VALUE>...

    Usage: nodeadd <NODERANGE> <TABLE.COLUMN=VALUE>...

    For more information, try '--help'.
    [exit status: 2]
    $ nodeadd n[5-1] groups=a
    ------- stderr -------
    Error: the range '5-1' runs downwards
    [exit status: 1]
    $ nodels
    ");
}
