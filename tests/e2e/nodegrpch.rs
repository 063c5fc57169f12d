use insta::assert_snapshot;

use crate::{rack, session};

#[test]
fn members_agree_with_the_group() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech n1 vmhost=h9
        nodegrpch rack1 vm.host=h1 vm.cpus=2
        nodels all vm.host vm.cpus -b
        tabdump vm
        nodegrpch rack1,all vm.host=h2
        nodels all vm.host -b
        defundo --last 1
        nodels all vm.host
    "), @r#"
    $ nodech n1 vmhost=h9
    $ nodegrpch rack1 vm.host=h1 vm.cpus=2
    ------- stderr -------
    Warning: 'vm.host' of n1 gave way to that of group 'rack1'
    $ nodels all vm.host vm.cpus -b
    n1: vm.host: h1 (inherited from group rack1)
    n1: vm.cpus: 2 (inherited from group rack1)
    n2: vm.host: h1 (inherited from group rack1)
    n2: vm.cpus: 2 (inherited from group rack1)
    n3: vm.host: h1 (inherited from group rack1)
    n3: vm.cpus: 2 (inherited from group rack1)
    n4: vm.host: 
    n4: vm.cpus: 
    $ tabdump vm
    #node,mgr,host,migrationdest,storage,storagemodel,storagecache,storageformat,cfgstore,memory,cpus,nics,nicmodel,bootorder,clockoffset,virtflags,master,vncport,textconsole,powerstate,beacon,datacenter,cluster,guestostype,othersettings,physlots,vidmodel,vidproto,vidpassword,comments,disable
    "rack1",,"h1",,,,,,,,"2",,,,,,,,,,,,,,,,,,,,
    $ nodegrpch rack1,all vm.host=h2
    $ nodels all vm.host -b
    n1: h2 (inherited from group rack1)
    n2: h2 (inherited from group rack1)
    n3: h2 (inherited from group rack1)
    n4: h2 (inherited from group all)
    $ defundo --last 1
    Took back 5.
    $ nodels all vm.host
    n1: h1
    n2: h1
    n3: h1
    n4:
    "#);
}

#[test]
fn lists_of_groups_grow_and_shrink() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodegrpch rack1 postscripts.postscripts=a,b
        nodegrpch rack1 postscripts.postscripts,=c postscripts.postscripts^=a
        gettab node=rack1 postscripts.postscripts
        nodegrpch -d rack1 postscripts
        gettab node=rack1 postscripts.postscripts
    "), @"
    $ nodegrpch rack1 postscripts.postscripts=a,b
    $ nodegrpch rack1 postscripts.postscripts,=c postscripts.postscripts^=a
    $ gettab node=rack1 postscripts.postscripts
    c,b
    $ nodegrpch -d rack1 postscripts
    $ gettab node=rack1 postscripts.postscripts
    ");
}

#[test]
fn refuses_nodes_and_what_groups_have_not() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodegrpch n1 vm.host=h1
        nodegrpch rack1 groups=x
        nodegrpch rack1 mgt==ipmi vm.host=h1
        nodegrpch new vm.host=h1
        nodegrpch , vm.host=h1
    "), @"
    $ nodegrpch n1 vm.host=h1
    ------- stderr -------
    Error: 'n1' is a node, no group
    Hint: change it with: nodech
    [exit status: 1]
    $ nodegrpch rack1 groups=x
    ------- stderr -------
    Error: nodelist.groups belongs to each node alone
    Hint: change it with: nodech NODERANGE
    [exit status: 1]
    $ nodegrpch rack1 mgt==ipmi vm.host=h1
    ------- stderr -------
    Error: nodegrpch takes no conditions, such as one on 'mgt'
    [exit status: 2]
    $ nodegrpch new vm.host=h1
    ------- stderr -------
    Warning: no node is in group 'new' yet
    $ nodegrpch , vm.host=h1
    ------- stderr -------
    Error: No group in ',', it takes names by comma.
    [exit status: 1]
    ");
}
