use insta::assert_snapshot;

use crate::{lab, session};

/// n1 to n4 with BMCs, a network and a setting.
fn site() -> ::lab::Lab {
    let lab = lab();
    lab.run(r"mkdef n[1-4] groups=compute,all mgt=ipmi bmc='/\z/-bmc/'").success();
    lab.run("mkdef -t network -o cluster net=10.0.0.0 mask=255.0.0.0").success();
    lab.run("mkdef -t network -o mgmt net=11.0.0.0 mask=255.0.0.0 vlanid=7").success();
    lab.run("chdef -t site domain=cluster.org").success();
    lab
}

#[test]
fn names_are_listed_with_their_types() {
    let lab = site();
    assert_snapshot!(session(&lab, "
        lsdef
        lsdef -t network
        lsdef -t node,network
        lsdef -a
        lsdef -t network -a
        lsdef -s n1,n3
        lsdef -s n1,n9
        lsdef -t site
        lsdef -t route
        lsdef -t netwrok
    "), @"
    $ lsdef
    n1  (node)
    n2  (node)
    n3  (node)
    n4  (node)
    $ lsdef -t network
    cluster  (network)
    mgmt  (network)
    $ lsdef -t node,network
    cluster  (network)
    mgmt  (network)
    n1  (node)
    n2  (node)
    n3  (node)
    n4  (node)
    $ lsdef -a
    all (group)
    cluster (network)
    clustersite (site)
    compute (group)
    mgmt (network)
    n1 (node)
    n2 (node)
    n3 (node)
    n4 (node)
    $ lsdef -t network -a
    cluster (network)
    mgmt (network)
    $ lsdef -s n1,n3
    n1  (node)
    n3  (node)
    $ lsdef -s n1,n9
    n1  (node)
    ------- stderr -------
    Error: Could not find an object named 'n9' of type 'node'.
    Hint: did you mean 'n1'?
    [exit status: 1]
    $ lsdef -t site
    clustersite  (site)
    $ lsdef -t route
    No object definitions have been found
    $ lsdef -t netwrok
    ------- stderr -------
    Error: 
    Type 'netwrok' is not a valid xCAT object type.
    Hint: did you mean 'network'?
    [exit status: 1]
    ");
}

#[test]
fn named_objects_are_shown_with_their_attributes() {
    let lab = site();
    assert_snapshot!(session(&lab, "
        lsdef n3
        lsdef -l n3
        lsdef -t node -o n3
        lsdef -t network mgmt
        lsdef -t group -o compute
        lsdef -t site -o clustersite
        lsdef -t site -l
        lsdef -t network -l
    "), @"
    $ lsdef n3
    Object name: n3
        bmc=n3-bmc
        groups=compute,all
        mgt=ipmi
    $ lsdef -l n3
    Object name: n3
        bmc=n3-bmc
        groups=compute,all
        mgt=ipmi
    $ lsdef -t node -o n3
    Object name: n3
        bmc=n3-bmc
        groups=compute,all
        mgt=ipmi
    $ lsdef -t network mgmt
    Object name: mgmt
        mask=255.0.0.0
        net=11.0.0.0
        vlanid=7
    $ lsdef -t group -o compute
    Object name: compute
        grouptype=static
        members=n1,n2,n3,n4
    $ lsdef -t site -o clustersite
    Object name: clustersite
        domain=cluster.org
    $ lsdef -t site -l
    Object name: clustersite
        domain=cluster.org
    $ lsdef -t network -l
    Object name: cluster
        mask=255.0.0.0
        net=10.0.0.0
    Object name: mgmt
        mask=255.0.0.0
        net=11.0.0.0
        vlanid=7
    ");
}

#[test]
fn chosen_attributes_show_also_where_unset() {
    let lab = site();
    assert_snapshot!(session(&lab, "
        lsdef n3 -i mgt,bmc,vmhost
        lsdef n1,n2 -i mgt,bmc -c
        lsdef n3 -c
        lsdef n3 -i mgt,bogus
        lsdef n3 -i mtg,bogus -c
        lsdef -i bmc -c
        lsdef -t network -i net,vlanid -c
        lsdef n1 -i image,dockerhost -c
    "), @"
    $ lsdef n3 -i mgt,bmc,vmhost
    Object name: n3
        bmc=n3-bmc
        mgt=ipmi
        vmhost=
    $ lsdef n1,n2 -i mgt,bmc -c
    n1: bmc=n1-bmc
    n1: mgt=ipmi
    n2: bmc=n2-bmc
    n2: mgt=ipmi
    $ lsdef n3 -c
    ------- stderr -------
    Error: The flags '-c' and '-i' must be used together.
    [exit status: 2]
    $ lsdef n3 -i mgt,bogus
    Object name: n3
        mgt=ipmi
    ------- stderr -------
    Error: 'bogus' is not a valid attribute name for an object type of 'node'.
    [exit status: 1]
    $ lsdef n3 -i mtg,bogus -c
    ------- stderr -------
    Error: 'mtg' is not a valid attribute name for an object type of 'node'.
    Hint: did you mean 'mtm'?
    Error: 'bogus' is not a valid attribute name for an object type of 'node'.
    [exit status: 1]
    $ lsdef -i bmc -c
    n1: bmc=n1-bmc
    n2: bmc=n2-bmc
    n3: bmc=n3-bmc
    n4: bmc=n4-bmc
    $ lsdef -t network -i net,vlanid -c
    cluster: net=10.0.0.0
    cluster: vlanid=
    mgmt: net=11.0.0.0
    mgmt: vlanid=7
    $ lsdef n1 -i image,dockerhost -c
    n1: provmethod=
    n1: vmhost=
    ");
}

#[test]
fn a_missing_object_does_not_keep_the_others() {
    let lab = site();
    assert_snapshot!(session(&lab, "
        lsdef n1,n9 -i mgt -c
        lsdef n9
        lsdef m1
        lsdef -t network -o cluser,mgmt -i net
        lsdef --why n9,n1 -i mgt
        lsdef --json n9,n1
        lsdef 'n[8-9]' -z
        lsdef all,-compute
        lsdef n1 n2
        lsdef n1 mgt=ipmi
        lsdef -a n1
    "), @r#"
    $ lsdef n1,n9 -i mgt -c
    n1: mgt=ipmi
    ------- stderr -------
    Error: Could not find an object named 'n9' of type 'node'.
    Hint: did you mean 'n1'?
    [exit status: 1]
    $ lsdef n9
    No object definitions have been found
    ------- stderr -------
    Error: Could not find an object named 'n9' of type 'node'.
    Hint: did you mean 'n1'?
    [exit status: 1]
    $ lsdef m1
    No object definitions have been found
    ------- stderr -------
    Error: Could not find an object named 'm1' of type 'node'.
    Hint: did you mean 'n1'?
    [exit status: 1]
    $ lsdef -t network -o cluser,mgmt -i net
    Object name: mgmt
        net=11.0.0.0
    ------- stderr -------
    Error: Could not find an object named 'cluser' of type 'network'.
    Hint: did you mean 'cluster'?
    [exit status: 1]
    $ lsdef --why n9,n1 -i mgt
    Object name: n1
        mgt=ipmi  (own)
    ------- stderr -------
    Error: Could not find an object named 'n9' of type 'node'.
    [exit status: 1]
    $ lsdef --json n9,n1
    {"name":"n9","type":"node","error":"Could not find an object named 'n9' of type 'node'."}
    {"name":"n1","type":"node","attributes":{"bmc":"n1-bmc","groups":"compute,all","mgt":"ipmi"}}
    [exit status: 1]
    $ lsdef 'n[8-9]' -z
    No object definitions have been found
    ------- stderr -------
    Error: Could not find an object named 'n8' of type 'node'.
    Hint: did you mean 'n1'?
    Error: Could not find an object named 'n9' of type 'node'.
    Hint: did you mean 'n1'?
    [exit status: 1]
    $ lsdef all,-compute
    ------- stderr -------
    Error: No node in 'all,-compute', check the noderange syntax.
    [exit status: 1]
    $ lsdef n1 n2
    ------- stderr -------
    Error: 'n2' is one word too many
    Hint: all names are one word: n1,n2 or 'n[1-2]', quoted so that the shell leaves brackets alone
    [exit status: 2]
    $ lsdef n1 mgt=ipmi
    ------- stderr -------
    Error: 'mgt=ipmi' is one word too many
    Hint: this command sets nothing; to choose by value: lsdef -w attribute==value
    [exit status: 2]
    $ lsdef -a n1
    ------- stderr -------
    Error: -a is all objects: it takes no names
    [exit status: 2]
    "#);
}

#[test]
fn conditions_choose_objects() {
    let lab = site();
    lab.run("chdef n2 mgt=kvm").success();
    assert_snapshot!(session(&lab, "
        lsdef -w mgt==kvm -s
        lsdef -w mgt!=kvm -w 'node=~[13]' -i mgt -c
        lsdef n1-n3 -w mgt=~ip -s
        lsdef -t network -w netname==mgmt
        lsdef -t network -w vlanid!= -i vlanid -c
        lsdef -t group -w groupname=~^c -s
        lsdef -w mgt==hmc
        lsdef -w colour==red
        lsdef -w mgt
        lsdef -w 'mgt=~('
    "), @"
    $ lsdef -w mgt==kvm -s
    n2  (node)
    $ lsdef -w mgt!=kvm -w 'node=~[13]' -i mgt -c
    n1: mgt=ipmi
    n3: mgt=ipmi
    $ lsdef n1-n3 -w mgt=~ip -s
    n1  (node)
    n3  (node)
    $ lsdef -t network -w netname==mgmt
    Object name: mgmt
        mask=255.0.0.0
        net=11.0.0.0
        vlanid=7
    $ lsdef -t network -w vlanid!= -i vlanid -c
    mgmt: vlanid=7
    $ lsdef -t group -w groupname=~^c -s
    compute  (group)
    $ lsdef -w mgt==hmc
    No object definitions have been found
    $ lsdef -w colour==red
    ------- stderr -------
    Error: 'colour' is not a valid attribute name for an object type of 'node'.
    [exit status: 1]
    $ lsdef -w mgt
    ------- stderr -------
    Error: 'mgt' has no operator, expected one of == != =~ !~ = < <= > >=
    [exit status: 2]
    $ lsdef -w 'mgt=~('
    ------- stderr -------
    Error: bad regular expression '(': unclosed group
    [exit status: 2]
    ");
}

#[test]
fn stanzas_have_their_header_and_blank_lines() {
    let lab = site();
    assert_snapshot!(session(&lab, "
        lsdef n1,n2 -z
        lsdef -t network,site -z -a
        lsdef n1 -z -i mgt
    "), @"
    $ lsdef n1,n2 -z
    # <xCAT data object stanza file>

    n1:
        objtype=node
        bmc=n1-bmc
        groups=compute,all
        mgt=ipmi

    n2:
        objtype=node
        bmc=n2-bmc
        groups=compute,all
        mgt=ipmi
    $ lsdef -t network,site -z -a
    # <xCAT data object stanza file>

    cluster:
        objtype=network
        mask=255.0.0.0
        net=10.0.0.0

    mgmt:
        objtype=network
        mask=255.0.0.0
        net=11.0.0.0
        vlanid=7

    clustersite:
        objtype=site
        domain=cluster.org
    $ lsdef n1 -z -i mgt
    # <xCAT data object stanza file>

    n1:
        objtype=node
        mgt=ipmi
    ");
}

#[test]
fn json_is_one_object_a_line() {
    let lab = site();
    assert_snapshot!(session(&lab, "
        lsdef n1-n2 --json
        lsdef --json -s
        lsdef n1 --json -i vmhost
        lsdef -t network mgmt --json
        lsdef -w mgt==hmc --json
    "), @r#"
    $ lsdef n1-n2 --json
    {"name":"n1","type":"node","attributes":{"bmc":"n1-bmc","groups":"compute,all","mgt":"ipmi"}}
    {"name":"n2","type":"node","attributes":{"bmc":"n2-bmc","groups":"compute,all","mgt":"ipmi"}}
    $ lsdef --json -s
    {"name":"n1","type":"node"}
    {"name":"n2","type":"node"}
    {"name":"n3","type":"node"}
    {"name":"n4","type":"node"}
    $ lsdef n1 --json -i vmhost
    {"name":"n1","type":"node","attributes":{"vmhost":""}}
    $ lsdef -t network mgmt --json
    {"name":"mgmt","type":"network","attributes":{"mask":"255.0.0.0","net":"11.0.0.0","vlanid":"7"}}
    $ lsdef -w mgt==hmc --json
    "#);
}

#[test]
fn why_says_where_values_come_from() {
    let lab = site();
    lab.run("chdef -t group -o compute vmmemory=1G postscripts=mine 'ip=|n(\\d+)|10.0.0.($1/0)|'").success();
    lab.run("chdef -t group -o all vmmemory=2G vmcpus=2 bmcpassword=secret mgt=ipmi").success();
    lab.run("chdef n1 vmmemory=3G").success();
    assert_snapshot!(session(&lab, "
        lsdef n1 --why
        lsdef n2 --why -i vmmemory,ip
        lsdef -t network mgmt --why
        lsdef n1 --why --json
    "), @r"
    $ lsdef n1 --why
    Object name: n1
        bmc=n1-bmc  (own: /\z/-bmc/)
        bmcpassword=***  (group all)
        groups=compute,all  (own)
        ip=  (group compute: |n(\d+)|10.0.0.($1/0)|)
            unset: division by zero at character 19 of '|n(\d+)|10.0.0.($1/0)|'
        mgt=ipmi  (own)
            overrides ipmi of group all
        postscripts=mine  (group compute)
        vmcpus=2  (group all)
        vmmemory=3G  (own)
            overrides 1G of group compute
            overrides 2G of group all
    $ lsdef n2 --why -i vmmemory,ip
    Object name: n2
        ip=  (group compute: |n(\d+)|10.0.0.($1/0)|)
            unset: division by zero at character 19 of '|n(\d+)|10.0.0.($1/0)|'
        vmmemory=1G  (group compute)
            overrides 2G of group all
    $ lsdef -t network mgmt --why
    ------- stderr -------
    Error: --why is about nodes: type 'network' inherits nothing
    [exit status: 2]
    $ lsdef n1 --why --json
    ------- stderr -------
    error: the argument '--why' cannot be used with '--json'

    Usage: lsdef --why <NODERANGE|ATTR=VALUE>...

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn the_past_is_shown_as_it_was() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        mkdef n1 groups=all mgt=docker
        sleep 1; date '+%F %T' > then; sleep 1
        chdef n1 mgt=ipmi
        mkdef n2 groups=all
        lsdef n1 -i mgt -c
        lsdef n1,n2 -i mgt -c --at \"$(cat then)\"
        lsdef --at \"$(cat then)\"
        lsdef all -s --at \"$(cat then)\"
        lsdef n1 --at 2020-01-01
        lsdef --at 2020-01-01
        lsdef n1 --why --at \"$(cat then)\"
        lsdef n1 --at yesterday
    "), @r#"
    $ mkdef n1 groups=all mgt=docker
    1 object definitions have been created or modified.
    $ sleep 1; date '+%F %T' > then; sleep 1
    $ chdef n1 mgt=ipmi
    1 object definitions have been created or modified.
    $ mkdef n2 groups=all
    1 object definitions have been created or modified.
    $ lsdef n1 -i mgt -c
    n1: mgt=ipmi
    $ lsdef n1,n2 -i mgt -c --at "$(cat then)"
    n1: mgt=docker
    ------- stderr -------
    Error: Could not find an object named 'n2' of type 'node'.
    Hint: did you mean 'n1'?
    [exit status: 1]
    $ lsdef --at "$(cat then)"
    n1  (node)
    $ lsdef all -s --at "$(cat then)"
    n1  (node)
    $ lsdef n1 --at 2020-01-01
    No object definitions have been found
    ------- stderr -------
    Error: Could not find an object named 'n1' of type 'node'.
    [exit status: 1]
    $ lsdef --at 2020-01-01
    No object definitions have been found
    $ lsdef n1 --why --at "$(cat then)"
    Object name: n1
        groups=all  (own)
        mgt=docker  (own)
    $ lsdef n1 --at yesterday
    ------- stderr -------
    Error: 'yesterday' is not a time
    Hint: write it as 2026-11-21 or '$TIME'
    [exit status: 2]
    "#);
}

#[test]
fn hidden_nodes_show_when_asked_for() {
    let lab = site();
    lab.run("chdef n2 hidden=1").success();
    assert_snapshot!(session(&lab, "
        lsdef
        lsdef -S
        lsdef n2 -i hidden -c
    "), @"
    $ lsdef
    n1  (node)
    n3  (node)
    n4  (node)
    $ lsdef -S
    n1  (node)
    n2  (node)
    n3  (node)
    n4  (node)
    $ lsdef n2 -i hidden -c
    n2: hidden=1
    ");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let lab = lab();
    lab.run("mkdef n[0001-2000] groups=all mgt=docker").success();
    assert_snapshot!(lab.shell("lsdef all -l | head -3"), @"
    Object name: n0001
        groups=all
        mgt=docker
    ");
    assert_snapshot!(lab.shell("lsdef | head -1; lsdef -a -z | true"), @"
    n0001  (node)
    ");
    assert_snapshot!(lab.shell("lsdef all -l > /dev/full"), @"
    ------- stderr -------
    Error: cannot write the answer: No space left on device (os error 28)
    [exit status: 1]
    ");
}
