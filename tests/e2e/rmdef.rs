use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn removes_everything_that_is_said_of_a_node() {
    let lab = lab();
    lab.run("mkdef n[1-3] groups=all mgt=docker vmhost=h1 ip='|10.0.0.($1)|'").success();
    assert_snapshot!(session(&lab, "
        rmdef n1-n2
        lsdef
        tabdump vm
        tabdump hosts
        rmdef n3,n9
        rmdef n9
        defundo 2
        lsdef n1
    "), @r#"
    $ rmdef n1-n2
    2 object definitions have been removed.
    $ lsdef
    n3  (node)
    $ tabdump vm
    #node,mgr,host,migrationdest,storage,storagemodel,storagecache,storageformat,cfgstore,memory,cpus,nics,nicmodel,bootorder,clockoffset,virtflags,master,vncport,textconsole,powerstate,beacon,datacenter,cluster,guestostype,othersettings,physlots,vidmodel,vidproto,vidpassword,comments,disable
    "n3",,"h1",,,,,,,,,,,,,,,,,,,,,,,,,,,,
    $ tabdump hosts
    #node,ip,hostnames,otherinterfaces,comments,disable
    "n3","|10.0.0.($1)|",,,,
    $ rmdef n3,n9
    1 object definitions have been removed.
    ------- stderr -------
    Error: Could not find an object named 'n9' of type 'node'.
    [exit status: 1]
    $ rmdef n9
    No objects have been removed from the xCAT database.
    ------- stderr -------
    Error: Could not find an object named 'n9' of type 'node'.
    [exit status: 1]
    $ defundo 2
    Took back 2.
    $ lsdef n1
    Object name: n1
        groups=all
        ip=10.0.0.1
        mgt=docker
        vmhost=h1
    "#);
}

#[test]
fn a_group_goes_and_its_nodes_stay() {
    let lab = lab();
    lab.run("mkdef n[1-2] groups=all,web").success();
    lab.run("chdef -t group -o web vmmemory=2G").success();
    lab.run("mkdef -t group -o big -d -w vmmemory==2G").success();
    assert_snapshot!(session(&lab, "
        rmdef -t group -o web,big,absent
        lsdef n1
        lsdef -t group
        tabdump vm
        tabdump nodegroup
        rmdef -t group -o all
        lsdef
    "), @"
    $ rmdef -t group -o web,big,absent
    2 object definitions have been removed.
    ------- stderr -------
    Error: Could not find an object named 'absent' of type 'group'.
    [exit status: 1]
    $ lsdef n1
    Object name: n1
        groups=all
    $ lsdef -t group
    all  (group)
    $ tabdump vm
    #node,mgr,host,migrationdest,storage,storagemodel,storagecache,storageformat,cfgstore,memory,cpus,nics,nicmodel,bootorder,clockoffset,virtflags,master,vncport,textconsole,powerstate,beacon,datacenter,cluster,guestostype,othersettings,physlots,vidmodel,vidproto,vidpassword,comments,disable
    $ tabdump nodegroup
    #groupname,grouptype,members,membergroups,wherevals,comments,disable
    $ rmdef -t group -o all
    1 object definitions have been removed.
    $ lsdef
    n1  (node)
    n2  (node)
    ");
}

#[test]
fn all_of_a_type_needs_force() {
    let lab = lab();
    lab.run("mkdef n[1-3] groups=all").success();
    lab.run("mkdef -t network -o cluster net=10.0.0.0 mask=255.0.0.0").success();
    assert_snapshot!(session(&lab, "
        rmdef
        rmdef -a -f
        rmdef -t node -a 2>&1 | head -1
        rmdef -t node -a -f n1
        rmdef n1 n2
        rmdef n1 mgt=docker
        rmdef -t site -o clustersite
        rmdef -t route -a -f
        lsdef
        rmdef -t node -a -f
        rmdef -t network -o cluster
        lsdef -a
    "), @"
    $ rmdef
    ------- stderr -------
    Error: no object was named
    Hint: all of a type: rmdef -t TYPE -a -f
    [exit status: 2]
    $ rmdef -a -f
    ------- stderr -------
    error: the following required arguments were not provided:
      --type <TYPES>

    Usage: rmdef --force --type <TYPES> --all [NODERANGE|ATTR=VALUE]...

    For more information, try '--help'.
    [exit status: 2]
    $ rmdef -t node -a 2>&1 | head -1
    error: the following required arguments were not provided:
    $ rmdef -t node -a -f n1
    ------- stderr -------
    Error: -a is all objects: it takes no names
    [exit status: 2]
    $ rmdef n1 n2
    ------- stderr -------
    Error: 'n2' is one word too many
    Hint: all names are one word: n1,n2 or 'n[1-2]', quoted so that the shell leaves brackets alone
    [exit status: 2]
    $ rmdef n1 mgt=docker
    ------- stderr -------
    Error: 'mgt=docker' is one word too many
    Hint: this command sets nothing; to choose by value: lsdef -w attribute==value
    [exit status: 2]
    $ rmdef -t site -o clustersite
    ------- stderr -------
    Error: 'clustersite' is always there and cannot be removed
    Hint: a single setting: chdef -t site attribute=
    [exit status: 1]
    $ rmdef -t route -a -f
    No objects have been removed from the xCAT database.
    [exit status: 1]
    $ lsdef
    n1  (node)
    n2  (node)
    n3  (node)
    $ rmdef -t node -a -f
    3 object definitions have been removed.
    $ rmdef -t network -o cluster
    1 object definitions have been removed.
    $ lsdef -a
    clustersite (site)
    ");
}

#[test]
fn what_was_made_from_nodes_goes_first_on_request() {
    let lab = crate::lab_with_guests(1);
    lab.run("mkvm c1-c3").success();
    lab.run("rpower c2 on").success();
    crate::write(&lab, "hosts", "10.100.0.1 c1\n10.100.0.2 c2\n10.9.9.9 other\n");
    assert_snapshot!(session(&lab, "
        rmdef -C c2 --file hosts
        nodels c2
        rmdef -C -f c1,c2,c4 --file hosts
        cat hosts
        nodels all
        rmdef c3 --file hosts
    "), @"
    $ rmdef -C c2 --file hosts
    ------- stderr -------
    c2: Error: h1: cannot remove: Cannot rmvm active guest (use -f argument to force)
    Error: the definitions stay: not everything that was made from them could be removed
    [exit status: 1]
    $ nodels c2
    c2
    $ rmdef -C -f c1,c2,c4 --file hosts
    3 object definitions have been removed.
    ------- stderr -------
    c4: Warning: nothing to remove: no such guest on h1
    $ cat hosts
    10.9.9.9 other
    $ nodels all
    c3
    c5
    c6
    $ rmdef c3 --file hosts
    ------- stderr -------
    error: the following required arguments were not provided:
      --cleanup

    Usage: rmdef --cleanup --file <PATH> <NODERANGE|ATTR=VALUE>...

    For more information, try '--help'.
    [exit status: 2]
    ");
    assert_eq!(lab.host("h1").docker("ps -a --format {{.Names}}").success(), "c3");
}
