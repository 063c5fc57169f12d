use std::time::Duration;

use insta::assert_snapshot;

use crate::{lab, session, write};

/// Longer than anything takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn sets_and_clears_attributes() {
    let lab = lab();
    lab.run("mkdef n[1-2] groups=web mgt=docker").success();
    lab.run("chdef -t group -o web vmhost=h1").success();
    assert_snapshot!(session(&lab, "
        chdef n1 vmhost=h2 vmmemory=2G
        lsdef n1
        chdef n1 vmhost= vmmemory=
        lsdef n1
        chdef n1-n2 mgt=docker
        chdef n1,n9 vmcpus=2
        chdef n9 groups=web
        chdef -t group -o web vmhost=
        lsdef -t group
        chdef n1
        chdef n1 n2 vmcpus=2
        chdef nothing
    "), @"
    $ chdef n1 vmhost=h2 vmmemory=2G
    1 object definitions have been created or modified.
    $ lsdef n1
    Object name: n1
        groups=web
        mgt=docker
        vmhost=h2
        vmmemory=2G
    $ chdef n1 vmhost= vmmemory=
    1 object definitions have been created or modified.
    $ lsdef n1
    Object name: n1
        groups=web
        mgt=docker
        vmhost=h1
    $ chdef n1-n2 mgt=docker
    2 object definitions have been created or modified.
    $ chdef n1,n9 vmcpus=2
    1 object definitions have been created or modified.
    ------- stderr -------
    Error: Attribute 'groups' is not specified for node 'n9', skipping to the next node.
    [exit status: 1]
    $ chdef n9 groups=web
    1 object definitions have been created or modified.
    New object definitions 'n9' have been created.
    $ chdef -t group -o web vmhost=
    1 object definitions have been created or modified.
    $ lsdef -t group
    web  (group)
    $ chdef n1
    ------- stderr -------
    Error: no attribute was given
    Hint: chdef NODERANGE attribute=value
    [exit status: 2]
    $ chdef n1 n2 vmcpus=2
    ------- stderr -------
    Error: 'n2' is not of the form attribute=value
    Hint: all names are one word: n1,n2 or 'n[1-2]', quoted so that the shell leaves brackets alone
    [exit status: 2]
    $ chdef nothing
    ------- stderr -------
    Error: no attribute was given
    Hint: chdef NODERANGE attribute=value
    [exit status: 2]
    ");
}

#[test]
fn lists_grow_and_shrink() {
    let lab = lab();
    lab.run("mkdef n[1-3] groups=all dockerenv='A=1,2'").success();
    assert_snapshot!(session(&lab, "
        chdef -p n1-n2 groups=web,all
        chdef -m n1-n3 groups=web
        chdef -p n1 dockerenv=B=3
        lsdef n1-n3 -i groups,dockerenv -c
        chdef -m n9 groups=all
        chdef -m n1 groups=all
        lsdef n1
        chdef -p -m n1 groups=all
    "), @"
    $ chdef -p n1-n2 groups=web,all
    2 object definitions have been created or modified.
    $ chdef -m n1-n3 groups=web
    2 object definitions have been created or modified.
    ------- stderr -------
    Error: web is not in the attribute of 'groups' for the 'n3' definition.
    [exit status: 1]
    $ chdef -p n1 dockerenv=B=3
    1 object definitions have been created or modified.
    $ lsdef n1-n3 -i groups,dockerenv -c
    n1: dockerenv=A=1,2|B=3
    n1: groups=all
    n2: dockerenv=A=1,2
    n2: groups=all
    n3: dockerenv=A=1,2
    n3: groups=all
    $ chdef -m n9 groups=all
    ------- stderr -------
    Error: Could not find an object named 'n9' of type 'node'.
    Error: 0 object definitions have been created or modified.
    [exit status: 1]
    $ chdef -m n1 groups=all
    1 object definitions have been created or modified.
    $ lsdef n1
    Object name: n1
        dockerenv=A=1,2|B=3
    $ chdef -p -m n1 groups=all
    ------- stderr -------
    error: the argument '--plus' cannot be used with '--minus'

    Usage: chdef --plus <NODERANGE|ATTR=VALUE>...

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn a_list_that_leaves_its_group_is_said() {
    let lab = lab();
    lab.run("mkdef n[1-3] groups=web").success();
    lab.run("chdef -t group -o web postscripts=syslog,mine").success();
    assert_snapshot!(session(&lab, "
        chdef -p n1-n2 postscripts=more
        lsdef n1-n3 -i postscripts -c
        lsdef n1 --why
        chdef -m n3 postscripts=absent
    "), @"
    $ chdef -p n1-n2 postscripts=more
    2 object definitions have been created or modified.
    ------- stderr -------
    Warning: 'postscripts' of n[1-2] came from group 'web' and does not follow the group from now on
    $ lsdef n1-n3 -i postscripts -c
    n1: postscripts=syslog,mine,more
    n2: postscripts=syslog,mine,more
    n3: postscripts=syslog,mine
    $ lsdef n1 --why
    Object name: n1
        groups=web  (own)
        postscripts=syslog,mine,more  (own)
            overrides syslog,mine of group web
    $ chdef -m n3 postscripts=absent
    ------- stderr -------
    Error: absent is not in the attribute of 'postscripts' for the 'n3' definition.
    Error: 0 object definitions have been created or modified.
    [exit status: 1]
    ");
}

#[test]
fn a_change_of_mgt_that_hides_values_is_said() {
    let lab = lab();
    lab.run("mkdef n[1-3] groups=all mgt=ipmi bmc='/$/-bmc/' bmcusername=admin").success();
    assert_snapshot!(session(&lab, "
        chdef n1-n2 mgt=openbmc
        lsdef n1
        chdef n3 mgt=redfish
        chdef n1 bmc=
        chdef n1 mgt=docker bmc=10.0.0.1
        chdef n2 mgt=docker bmc= bmcusername=
        chdef n1-n2 mgt=ipmi
        lsdef n1-n2
    "), @"
    $ chdef n1-n2 mgt=openbmc
    2 object definitions have been created or modified.
    ------- stderr -------
    Warning: n[1-2]: still stored but not shown with mgt=openbmc: bmc, bmcusername
    $ lsdef n1
    Object name: n1
        groups=all
        mgt=openbmc
    $ chdef n3 mgt=redfish
    1 object definitions have been created or modified.
    $ chdef n1 bmc=
    1 object definitions have been created or modified.
    $ chdef n1 mgt=docker bmc=10.0.0.1
    ------- stderr -------
    Error: Cannot set the attribute 'bmc' of 'n1' unless mgt=ipmi or mgt=redfish or mgt=openbmc.
    [exit status: 1]
    $ chdef n2 mgt=docker bmc= bmcusername=
    1 object definitions have been created or modified.
    $ chdef n1-n2 mgt=ipmi
    2 object definitions have been created or modified.
    $ lsdef n1-n2
    Object name: n1
        bmc=n1-bmc
        bmcusername=admin
        groups=all
        mgt=ipmi
    Object name: n2
        groups=all
        mgt=ipmi
    ");
}

#[test]
fn an_object_gets_another_name() {
    let lab = lab();
    lab.run("mkdef n1,n2 groups=web mgt=docker").success();
    assert_snapshot!(session(&lab, "
        chdef -o n1 -n n9
        lsdef
        tabdump nodehm
        chdef -t group -o web -n www
        nodels www
        chdef n9 -n n2
        chdef n1 -n n3
        chdef n9 -n n.3
        chdef n9 -n n3 mgt=kvm
        chdef n2,n9 -n n3
        chdef -t site -n x
    "), @r#"
    $ chdef -o n1 -n n9
    Changed the object name from n1 to n9.
    $ lsdef
    n2  (node)
    n9  (node)
    $ tabdump nodehm
    #node,power,mgt,cons,termserver,termport,conserver,serialport,serialspeed,serialflow,getmac,cmdmapping,consoleondemand,consoleenabled,comments,disable
    "n9",,"docker",,,,,,,,,,,,,
    "n2",,"docker",,,,,,,,,,,,,
    $ chdef -t group -o web -n www
    Changed the object name from web to www.
    $ nodels www
    n2
    n9
    $ chdef n9 -n n2
    ------- stderr -------
    Error: an object named 'n2' of type 'node' exists already
    [exit status: 1]
    $ chdef n1 -n n3
    ------- stderr -------
    Error: Could not find an object named 'n1' of type 'node'.
    [exit status: 1]
    $ chdef n9 -n n.3
    ------- stderr -------
    Error: The object name 'n.3' is invalid, Cannot use '.' in node name.
    [exit status: 1]
    $ chdef n9 -n n3 mgt=kvm
    ------- stderr -------
    Error: -n takes one object and no attributes
    [exit status: 2]
    $ chdef n2,n9 -n n3
    ------- stderr -------
    Error: -n takes one object and no attributes
    [exit status: 2]
    $ chdef -t site -n x
    ------- stderr -------
    Error: 'clustersite' cannot have another name
    [exit status: 1]
    "#);
}

#[test]
fn members_of_a_group_come_and_go() {
    let lab = lab();
    lab.run("mkdef n[1-5] groups=all").success();
    assert_snapshot!(session(&lab, "
        chdef -t group -o g members=n1-n3
        chdef -p -t group -o g members=n5
        chdef -m -t group -o g members=n1,n4
        nodels g
        chdef -t group -o g,h members=n4
        lsdef -t group -o g,h
        chdef -t group -o g members=
        lsdef -t group -o g
        chdef -t group -o big -d -w 'node=~n'
        chdef -t group -o big -d -w 'groups=~h'
        nodels big
    "), @"
    $ chdef -t group -o g members=n1-n3
    1 object definitions have been created or modified.
    New object definitions 'g' have been created.
    $ chdef -p -t group -o g members=n5
    1 object definitions have been created or modified.
    $ chdef -m -t group -o g members=n1,n4
    ------- stderr -------
    Error: n4 is not in the attribute of 'members' for the 'g' definition.
    Error: 0 object definitions have been created or modified.
    [exit status: 1]
    $ nodels g
    n1
    n2
    n3
    n5
    $ chdef -t group -o g,h members=n4
    2 object definitions have been created or modified.
    New object definitions 'h' have been created.
    $ lsdef -t group -o g,h
    Object name: g
        grouptype=static
        members=n4
    Object name: h
        grouptype=static
        members=n4
    $ chdef -t group -o g members=
    1 object definitions have been created or modified.
    $ lsdef -t group -o g
    Object name: g
        grouptype=static
    $ chdef -t group -o big -d -w 'node=~n'
    1 object definitions have been created or modified.
    New object definitions 'big' have been created.
    $ chdef -t group -o big -d -w 'groups=~h'
    1 object definitions have been created or modified.
    $ nodels big
    n4
    ");
}

#[test]
fn settings_of_the_site() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        chdef -t site domain=cluster.org nameservers=10.0.0.1
        chdef -p -t site nameservers=10.0.0.2
        chdef -t site clustersite domain=
        lsdef -t site -i nameservers,domain
        rmdef -t site
        chdef -m -t site nameservers=10.0.0.9
    "), @"
    $ chdef -t site domain=cluster.org nameservers=10.0.0.1
    1 object definitions have been created or modified.
    $ chdef -p -t site nameservers=10.0.0.2
    1 object definitions have been created or modified.
    $ chdef -t site clustersite domain=
    1 object definitions have been created or modified.
    $ lsdef -t site -i nameservers,domain
    Object name: clustersite
        domain=
        nameservers=10.0.0.1,10.0.0.2
    $ rmdef -t site
    ------- stderr -------
    Error: 'clustersite' is always there and cannot be removed
    Hint: a single setting: chdef -t site attribute=
    [exit status: 1]
    $ chdef -m -t site nameservers=10.0.0.9
    ------- stderr -------
    Error: 10.0.0.9 is not in the attribute of 'nameservers' for the 'clustersite' definition.
    Error: 0 object definitions have been created or modified.
    [exit status: 1]
    ");
}

#[test]
fn stanzas_change_what_they_name() {
    let lab = lab();
    lab.run("mkdef n[1-2] groups=all mgt=docker").success();
    write(&lab, "more", "n1:\n  objtype=node\n  groups=web\nn3:\n  objtype=node\n  groups=web\n");
    assert_snapshot!(session(&lab, "
        chdef -p -z < more
        lsdef n1,n3
        chdef -z n1 mgt=kvm < more
    "), @"
    $ chdef -p -z < more
    2 object definitions have been created or modified.
    New object definitions 'n3' have been created.
    $ lsdef n1,n3
    Object name: n1
        groups=all,web
        mgt=docker
    Object name: n3
        groups=web
    $ chdef -z n1 mgt=kvm < more
    ------- stderr -------
    Error: with -z everything comes from standard input: give no names and no attributes
    [exit status: 2]
    ");
}

#[test]
fn part_of_a_port_changes_and_the_others_stay() {
    let lab = lab();
    lab.run("mkdef n1 groups=all nicips.eth1=10.1.0.1 nicips.ib0=10.2.0.1").success();
    assert_snapshot!(session(&lab, "
        chdef n1 nicips.eth1=10.1.0.7
        chdef -p n1 nicips.ib0=10.2.0.9
        lsdef n1 --nics
        lsdef n1 -i nicips.ib0,nictypes.eth1
        chdef n1 nicips.eth1= nicnetworks.ib0=ibnet
        lsdef n1
        tabdump nics
    "), @r#"
    $ chdef n1 nicips.eth1=10.1.0.7
    1 object definitions have been created or modified.
    $ chdef -p n1 nicips.ib0=10.2.0.9
    1 object definitions have been created or modified.
    $ lsdef n1 --nics
    Object name: n1
        nicips.eth1=10.1.0.7
        nicips.ib0=10.2.0.1|10.2.0.9
    $ lsdef n1 -i nicips.ib0,nictypes.eth1
    Object name: n1
        nicips.ib0=10.2.0.1|10.2.0.9
        nictypes.eth1=
    $ chdef n1 nicips.eth1= nicnetworks.ib0=ibnet
    1 object definitions have been created or modified.
    $ lsdef n1
    Object name: n1
        groups=all
        nicips.ib0=10.2.0.1|10.2.0.9
        nicnetworks.ib0=ibnet
    $ tabdump nics
    #node,nicips,nichostnamesuffixes,nichostnameprefixes,nictypes,niccustomscripts,nicnetworks,nicaliases,nicextraparams,nicdevices,nicsadapter,comments,disable
    "n1","ib0!10.2.0.1|10.2.0.9",,,,,"ib0!ibnet",,,,,,
    "#);
}

#[test]
fn passwords_do_not_get_into_the_journal() {
    let lab = lab();
    lab.run("mkdef n1 groups=all mgt=ipmi").success();
    assert_snapshot!(session(&lab, "
        chdef n1 bmcpassword=secret bmcusername=admin
        lsdef n1
        lsdef n1 --json
        lsdef n1 -z
        deflog -l
        deflog --json | grep -c secret
        chdef n1 'bmcpassword=|($9|'
    "), @r#"
    $ chdef n1 bmcpassword=secret bmcusername=admin
    1 object definitions have been created or modified.
    $ lsdef n1
    Object name: n1
        bmcpassword=***
        bmcusername=admin
        groups=all
        mgt=ipmi
    $ lsdef n1 --json
    {"name":"n1","type":"node","attributes":{"bmcpassword":"***","bmcusername":"admin","groups":"all","mgt":"ipmi"}}
    $ lsdef n1 -z
    # <xCAT data object stanza file>

    n1:
        objtype=node
        bmcusername=admin
        groups=all
        mgt=ipmi
    ------- stderr -------
    Warning: passwords are left out; dumpxCATdb keeps them
    $ deflog -l
    1 $TIME root 2 rows: xcrane mkdef n1 groups=all mgt=ipmi
        nodehm n1: mgt: - -> ipmi
        nodelist n1: groups: - -> all
    2 $TIME root 1 row: chdef n1 'bmcpassword=***' bmcusername=admin
        ipmi n1: password: - -> ***
        ipmi n1: username: - -> admin
    $ deflog --json | grep -c secret
    0
    [exit status: 1]
    $ chdef n1 'bmcpassword=|($9|'
    ------- stderr -------
    Error: 'bmcpassword=***' is refused: expected an operator or ')' at character 5 of '|($9|'
    [exit status: 1]
    "#);
}

#[test]
fn several_admins_at_once_lose_nothing() {
    let lab = lab();
    lab.run("mkdef n[1-50] groups=all").success();
    let admins = |letter: char| (0..10).map(move |number| format!("chdef -p n[1-50] groups={letter}{number}"));
    let running: Vec<_> = admins('a').chain(admins('b')).map(|line| lab.spawn(&line)).collect();
    for admin in running {
        assert_eq!(admin.wait(LIMIT).success(), "50 object definitions have been created or modified.");
    }
    let groups = lab.run("lsdef n[1-50] -i groups -c").success();
    for line in groups.lines() {
        assert_eq!(line.split(',').count(), 21, "{line}");
    }
    assert_eq!(groups.lines().count(), 50);
}
