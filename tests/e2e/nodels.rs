use insta::assert_snapshot;

use crate::{lab, rack, session};

#[test]
fn lists_nodes_and_columns_in_the_order_asked_for() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodels
        nodels rack1
        nodels n1 nodehm.mgt
        nodels n1 mgt groups
        nodels n1 groups mgt
        nodels n1-n2 tags
        nodels n1 -H mgt
        nodels n4 vmhost
    "), @"
    $ nodels
    n1
    n2
    n3
    n4
    $ nodels rack1
    n1
    n2
    n3
    $ nodels n1 nodehm.mgt
    n1: ipmi
    $ nodels n1 mgt groups
    n1: mgt: ipmi
    n1: groups: rack1,all
    $ nodels n1 groups mgt
    n1: groups: rack1,all
    n1: mgt: ipmi
    $ nodels n1-n2 tags
    n1: rack1,all
    n2: rack1,all
    $ nodels n1 -H mgt
    n1: mgt: ipmi
    $ nodels n4 vmhost
    n4:
    ");
}

#[test]
fn says_where_values_come_from() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodegrpch rack1 vm.host=h1 nodehm.cons=ipmi
        nodech n1 vm.host=h2
        nodels rack1 vm.host -b
        nodels n1 vm.host nodehm.cons -b
        nodels n1 vm.host nodehm.cons mgt nodehm.power --json
    "), @r#"
    $ nodegrpch rack1 vm.host=h1 nodehm.cons=ipmi
    $ nodech n1 vm.host=h2
    $ nodels rack1 vm.host -b
    n1: h2
    n2: h1 (inherited from group rack1)
    n3: h1 (inherited from group rack1)
    $ nodels n1 vm.host nodehm.cons -b
    n1: vm.host: h2
    n1: nodehm.cons: ipmi (inherited from group rack1)
    $ nodels n1 vm.host nodehm.cons mgt nodehm.power --json
    {"node":"n1","vm.host":"h2","nodehm.cons":"ipmi","mgt":"ipmi","nodehm.power":null}
    "#);
}

#[test]
fn conditions_narrow_the_range() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodels all mgt==docker
        nodels all 'groups=~rack1' mgt
        nodels all 'mgt!=ipmi' groups
        nodels all 'mgt!~^(ipmi|x)$'
        nodels all nodelist.status==
        nodels all mgt==none
        nodels all 'mgt=~('
        nodels all bogus==1
    "), @"
    $ nodels all mgt==docker
    n4
    $ nodels all 'groups=~rack1' mgt
    n1: mgt: ipmi
    n2: mgt: ipmi
    n3: mgt: ipmi
    $ nodels all 'mgt!=ipmi' groups
    n4: groups: all
    $ nodels all 'mgt!~^(ipmi|x)$'
    n4
    $ nodels all nodelist.status==
    n1
    n2
    n3
    n4
    $ nodels all mgt==none
    $ nodels all 'mgt=~('
    ------- stderr -------
    Error: bad regular expression '(': unclosed group
    [exit status: 2]
    $ nodels all bogus==1
    ------- stderr -------
    Error: there is no attribute or column 'bogus'
    [exit status: 1]
    ");
}

#[test]
fn a_table_is_shown_whole_and_passwords_are_not() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech n1 ipmi.bmc=n1-bmc ipmi.password=secret
        nodels n1 ipmi
        nodels n1 ipmi.password
        nodels n1 ipmi.bmc ipmi.password --json
    "), @r#"
    $ nodech n1 ipmi.bmc=n1-bmc ipmi.password=secret
    $ nodels n1 ipmi
    n1: ipmi.node: n1
    n1: ipmi.bmc: n1-bmc
    n1: ipmi.bmcport: 
    n1: ipmi.taggedvlan: 
    n1: ipmi.bmcid: 
    n1: ipmi.username: 
    n1: ipmi.password: ***
    n1: ipmi.comments: 
    n1: ipmi.disable: 
    $ nodels n1 ipmi.password
    n1: ***
    $ nodels n1 ipmi.bmc ipmi.password --json
    {"node":"n1","ipmi.bmc":"n1-bmc","ipmi.password":"***"}
    "#);
}

#[test]
fn hidden_nodes_show_when_asked_for() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech n2 nodelist.hidden=1
        nodels
        nodels -S
        nodels n2
    "), @"
    $ nodech n2 nodelist.hidden=1
    $ nodels
    n1
    n3
    n4
    $ nodels -S
    n1
    n2
    n3
    n4
    $ nodels n2
    n2
    ");
}

#[test]
fn expressions_are_computed_and_faults_told() {
    let lab = rack();
    assert_snapshot!(session(&lab, r"
        nodegrpch all 'hosts.ip=|n(\d+)|10.0.0.($1+100)|'
        nodels all hosts.ip
        nodech n1 'hosts.ip=|n(\d+)|10.0.0.($1/0)|'
        nodels n1-n2 hosts.ip
    "), @r"
    $ nodegrpch all 'hosts.ip=|n(\d+)|10.0.0.($1+100)|'
    $ nodels all hosts.ip
    n1: 10.0.0.101
    n2: 10.0.0.102
    n3: 10.0.0.103
    n4: 10.0.0.104
    $ nodech n1 'hosts.ip=|n(\d+)|10.0.0.($1/0)|'
    $ nodels n1-n2 hosts.ip
    n1: 
    n2: 10.0.0.102
    ------- stderr -------
    n1: Error: cannot compute hosts.ip: division by zero at character 19 of '|n(\d+)|10.0.0.($1/0)|'
    [exit status: 1]
    ");
}

#[test]
fn refuses_what_is_not_there() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodels n9,n1,x
        nodels n1 nodehm.mgtt
        nodels n1 site.value
        nodels n1 bmc
        nodels n[1-
        nodels ''
        nodels rack1,-rack1
    "), @"
    $ nodels n9,n1,x
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: n9,x
    [exit status: 1]
    $ nodels n1 nodehm.mgtt
    ------- stderr -------
    Error: nodehm.mgtt not a valid table.column description
    Hint: did you mean 'nodehm.mgt'?
    [exit status: 1]
    $ nodels n1 site.value
    ------- stderr -------
    Error: site.value not a valid table.column description
    [exit status: 1]
    $ nodels n1 bmc
    ------- stderr -------
    Error: 'bmc' is kept in several places: ipmi.bmc, openbmc.bmc
    [exit status: 1]
    $ nodels n[1-
    ------- stderr -------
    Error: no ']' for the '[' at character 2 of noderange 'n[1-'
    [exit status: 1]
    $ nodels ''
    ------- stderr -------
    Error: the noderange is blank
    [exit status: 1]
    $ nodels rack1,-rack1
    ");
    assert_snapshot!(session(&self::lab(), "nodels"), @"$ nodels");
}
