mod stanzas;

use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn defines_nodes_by_a_range() {
    let lab = lab();
    assert_snapshot!(session(&lab, r"
        mkdef n[1-3] groups=all,web mgt=ipmi bmc='/\z/-bmc/' ip='|10.0.0.($1)|'
        lsdef n2
        mkdef n3-n5 groups=all
        mkdef n1 groups=all
        mkdef n9
        lsdef
        tabdump hosts
    "), @r#"
    $ mkdef n[1-3] groups=all,web mgt=ipmi bmc='/\z/-bmc/' ip='|10.0.0.($1)|'
    3 object definitions have been created or modified.
    $ lsdef n2
    Object name: n2
        bmc=n2-bmc
        groups=all,web
        ip=10.0.0.2
        mgt=ipmi
    $ mkdef n3-n5 groups=all
    2 object definitions have been created or modified.
    ------- stderr -------
    Warning: A definition for 'n3' already exists. No changes will be made.  Run again with '-f' option to force replace.
    [exit status: 1]
    $ mkdef n1 groups=all
    ------- stderr -------
    Warning: A definition for 'n1' already exists. No changes will be made.  Run again with '-f' option to force replace.
    Error: 0 object definitions have been created or modified.
    [exit status: 1]
    $ mkdef n9
    ------- stderr -------
    Error: The 'groups' attribute is required when creating node definitions.
    Error: 0 object definitions have been created or modified.
    [exit status: 1]
    $ lsdef
    n1  (node)
    n2  (node)
    n3  (node)
    n4  (node)
    n5  (node)
    $ tabdump hosts
    #node,ip,hostnames,otherinterfaces,comments,disable
    "n1","|10.0.0.($1)|",,,,
    "n2","|10.0.0.($1)|",,,,
    "n3","|10.0.0.($1)|",,,,
    "#);
}

/// Command, exit code and what it says.
const REFUSED: &[(&str, i32, &[&str])] = &[
    (
        "mkdef n2 groups=all bogus=1 vmhots=h1",
        1,
        &[
            "Error: 'bogus' is not a valid attribute name for an object type of 'node'.",
            "Error: Skipping to the next attribute.",
            "Error: 'vmhots' is not a valid attribute name for an object type of 'node'.",
            "Error: Skipping to the next attribute.",
            "Hint: did you mean 'vmhost'?",
        ],
    ),
    (
        "mkdef -t bogus -o x a=b",
        1,
        &[
            "Error: ",
            "Type 'bogus' is not a valid xCAT object type.",
            "Hint: types: auditlog boottarget circuit eventlog firmware group kit kitcomponent kitrepo monitoring network node notification osdistro osdistroupdate osimage pdu policy rack registry route site taskstate zone",
        ],
    ),
    (
        "mkdef -t netwrk -o x net=10.0.0.0",
        1,
        &["Error: ", "Type 'netwrk' is not a valid xCAT object type.", "Hint: did you mean 'network'?"],
    ),
    ("mkdef n2,n.3 groups=all", 1, &["Error: The object name 'n.3' is invalid, Cannot use '.' in node name."]),
    (
        "mkdef 'n2,x!y' groups=all",
        1,
        &["Error: 'x!y' has no operator, expected one of == != =~ !~ = < <= > >= at character 4 of noderange 'n2,x!y'"],
    ),
    (
        "mkdef n2 groups=all bmc=10.1.0.2",
        1,
        &["Error: Cannot set the attribute 'bmc' of 'n2' unless mgt=ipmi or mgt=redfish or mgt=openbmc."],
    ),
    (
        "mkdef -f n1,n2 groups=all bmc=10.1.0.2",
        1,
        &["Error: Cannot set the attribute 'bmc' of 'n[1-2]' unless mgt=ipmi or mgt=redfish or mgt=openbmc."],
    ),
    (
        r"mkdef n2 groups=all 'ip=|n(\d+|x|'",
        1,
        &[
            r"Error: 'ip=|n(\d+|x|' is refused: expected a number, a text, $1 or a function at character 4 of '|n(\d+|x|'",
        ],
    ),
    (
        "mkdef n2 groups=all ip=10.0.0.300",
        1,
        &["Error: 'ip=10.0.0.300' is refused: it is neither an address nor an expression"],
    ),
    (
        "mkdef n2 groups=all mac=02:00:00:00:01",
        1,
        &["Error: 'mac=02:00:00:00:01' is refused: '02:00:00:00:01' is neither a MAC address nor an expression"],
    ),
    (
        "mkdef n2 groups=all mgt=docker 'vmothersetting={a:1}'",
        1,
        &["Error: 'vmothersetting={a:1}' is refused: it is not JSON: key must be a string at line 1 column 2"],
    ),
    (
        "mkdef n2 groups=all mgt=docker vmothersetting=privileged",
        1,
        &["Error: 'vmothersetting=privileged' is refused: it is not JSON: expected value at line 1 column 1"],
    ),
    (
        "mkdef -t network -o cluster gateway=10.0.0.1",
        1,
        &["Error: The attributes net, mask are required to define the network 'cluster'."],
    ),
    ("mkdef -t group -o g1 members=n1,n2", 1, &["Error: Invalid nodes and/or groups in noderange: n2"]),
    ("mkdef -t group -o g1 members='n[1-'", 1, &["Error: no ']' for the '[' at character 2 of noderange 'n[1-'"]),
    (
        "mkdef n2 n3 groups=all",
        2,
        &[
            "Error: 'n3' is not of the form attribute=value",
            "Hint: all names are one word: n1,n2 or 'n[1-2]', quoted so that the shell leaves brackets alone",
        ],
    ),
    ("mkdef", 2, &["Error: no object was named", "Hint: --help shows examples"]),
    ("mkdef groups=all", 2, &["Error: no object was named", "Hint: --help shows examples"]),
];

#[test]
fn a_refused_command_changes_nothing() {
    let lab = lab();
    lab.run("mkdef n1 groups=all mgt=docker").success();
    for (line, code, said) in REFUSED {
        let run = lab.shell(line);
        assert_eq!((run.stdout.as_str(), run.code), ("", *code), "{line}\n{run}");
        assert_eq!(run.stderr.lines().collect::<Vec<_>>(), *said, "{line}");
    }
    assert_snapshot!(session(&lab, "
        lsdef -a
        lsdef n1
        deflog
    "), @"
    $ lsdef -a
    all (group)
    clustersite (site)
    n1 (node)
    $ lsdef n1
    Object name: n1
        groups=all
        mgt=docker
    $ deflog
    1 $TIME root 2 rows: xcrane mkdef n1 groups=all mgt=docker
    ");
}

#[test]
fn force_replaces_a_definition() {
    let lab = lab();
    lab.run("mkdef n1 groups=all mgt=docker ip=10.0.0.1").success();
    assert_snapshot!(session(&lab, "
        mkdef -f n1,n2 groups=all vmhost=h1
        lsdef n1,n2
        mkdef -f n1
        lsdef n1
    "), @"
    $ mkdef -f n1,n2 groups=all vmhost=h1
    2 object definitions have been created or modified.
    $ lsdef n1,n2
    Object name: n1
        groups=all
        vmhost=h1
    Object name: n2
        groups=all
        vmhost=h1
    $ mkdef -f n1
    ------- stderr -------
    Error: The 'groups' attribute is required when creating node definitions.
    Error: 0 object definitions have been created or modified.
    [exit status: 1]
    $ lsdef n1
    Object name: n1
        groups=all
        vmhost=h1
    ");
}

#[test]
fn a_group_is_made_of_a_range_or_of_conditions() {
    let lab = lab();
    lab.run("mkdef n[1-4] groups=all mgt=docker vmhost='|h(($1-1)%2+1)|'").success();
    assert_snapshot!(session(&lab, "
        mkdef -t group -o odd members=n[1-3],-n2 vmmemory=2G
        mkdef -t group -o all vmmemory=1G
        mkdef -t group -o onh2 -d -w mgt==docker -w 'vmhost=~^h2$'
        lsdef -t group -l
        lsdef onh2 -i vmhost,groups -c
        lsdef odd -i vmmemory -c
        mkdef -t group -o x -d -w colour==red
        mkdef -t group -o x -d -w mgt
        mkdef -t group -o x -d
        mkdef -t group -o x -d -w mgt==ipmi members=n1
        mkdef x -d -w mgt==ipmi
        lsdef -t group
    "), @"
    $ mkdef -t group -o odd members=n[1-3],-n2 vmmemory=2G
    1 object definitions have been created or modified.
    $ mkdef -t group -o all vmmemory=1G
    ------- stderr -------
    Warning: A definition for 'all' already exists. No changes will be made.  Run again with '-f' option to force replace.
    Error: 0 object definitions have been created or modified.
    [exit status: 1]
    $ mkdef -t group -o onh2 -d -w mgt==docker -w 'vmhost=~^h2$'
    1 object definitions have been created or modified.
    $ lsdef -t group -l
    Object name: all
        grouptype=static
        members=n1,n2,n3,n4
    Object name: odd
        grouptype=static
        members=n1,n3
        vmmemory=2G
    Object name: onh2
        grouptype=dynamic
        wherevals=mgt==docker::vmhost=~^h2$
    $ lsdef onh2 -i vmhost,groups -c
    n2: groups=all
    n2: vmhost=h2
    n4: groups=all
    n4: vmhost=h2
    $ lsdef odd -i vmmemory -c
    n1: vmmemory=2G
    n3: vmmemory=2G
    $ mkdef -t group -o x -d -w colour==red
    ------- stderr -------
    Error: there is no attribute or column 'colour'
    [exit status: 1]
    $ mkdef -t group -o x -d -w mgt
    ------- stderr -------
    Error: 'mgt' has no operator, expected one of == != =~ !~ = < <= > >=
    [exit status: 2]
    $ mkdef -t group -o x -d
    ------- stderr -------
    error: the following required arguments were not provided:
      -w <ATTR<OP>VALUE>

    Usage: mkdef --dynamic -w <ATTR<OP>VALUE> --type <TYPES> --objects <NAMES> [NODERANGE|ATTR=VALUE]...

    For more information, try '--help'.
    [exit status: 2]
    $ mkdef -t group -o x -d -w mgt==ipmi members=n1
    ------- stderr -------
    Error: members= and -d exclude each other: the conditions say who is a member
    [exit status: 2]
    $ mkdef x -d -w mgt==ipmi
    ------- stderr -------
    Error: -d goes with -t group
    [exit status: 2]
    $ lsdef -t group
    all  (group)
    odd  (group)
    onh2  (group)
    ");
}

#[test]
fn templates_give_what_is_left_open() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        lsdef --template
        lsdef --template container
        mkdef --template container c1 groups=all
        mkdef --template container c1 groups=all vmhost=h1 image=busybox dockertty=no
        mkdef --template contaner c2 groups=all
        mkdef --template container -t group -o g1
        lsdef -a
        lsdef c1
    "), @"
    $ lsdef --template
    container  (node)
    dockerhost  (node)
    server  (node)
    $ lsdef --template container
    Object name: container
        mgt=docker
        groups=MANDATORY:The groups of the container, such as all,web
        vmhost=MANDATORY:The node that is its Docker host
        provmethod=MANDATORY:The image, such as registry:5000/site/web:1
        dockerrestart=unless-stopped
        dockertty=yes
        vmnics=OPTIONAL:The Docker network
        ip=OPTIONAL:Its address in that network
        vmcpus=OPTIONAL:How many CPUs it may use
        vmmemory=OPTIONAL:Its memory, such as 2G
    $ mkdef --template container c1 groups=all
    ------- stderr -------
    Error: template 'container' also needs: vmhost= (The node that is its Docker host), provmethod= (The image, such as registry:5000/site/web:1)
    [exit status: 1]
    $ mkdef --template container c1 groups=all vmhost=h1 image=busybox dockertty=no
    1 object definitions have been created or modified.
    $ mkdef --template contaner c2 groups=all
    ------- stderr -------
    Error: no template 'contaner'
    Hint: lsdef --template lists them
    [exit status: 1]
    $ mkdef --template container -t group -o g1
    ------- stderr -------
    Error: template 'container' is for type 'node'
    [exit status: 2]
    $ lsdef -a
    all (group)
    c1 (node)
    clustersite (site)
    $ lsdef c1
    Object name: c1
        dockerrestart=unless-stopped
        dockertty=no
        groups=all
        mgt=docker
        provmethod=busybox
        vmhost=h1
    ");
}

#[test]
fn one_address_of_two_nodes_is_said() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        mkdef n1 groups=all ip=10.0.0.1 mac=02:00:00:00:00:01
        mkdef n2 groups=all ip=10.0.0.1 mac=02-00-00-00-00-01
        mkdef n[10-19] groups=net9 ip='|10.0.9.($1)|'
        mkdef x groups=net9 ip=10.0.9.12
        mkdef N1 groups=all
    "), @"
    $ mkdef n1 groups=all ip=10.0.0.1 mac=02:00:00:00:00:01
    1 object definitions have been created or modified.
    $ mkdef n2 groups=all ip=10.0.0.1 mac=02-00-00-00-00-01
    1 object definitions have been created or modified.
    ------- stderr -------
    Warning: ip 10.0.0.1 is of several nodes: n[1-2]
    Warning: mac 02:00:00:00:00:01 is of several nodes: n[1-2]
    $ mkdef n[10-19] groups=net9 ip='|10.0.9.($1)|'
    10 object definitions have been created or modified.
    $ mkdef x groups=net9 ip=10.0.9.12
    1 object definitions have been created or modified.
    ------- stderr -------
    Warning: ip 10.0.9.12 is of several nodes: n12,x
    $ mkdef N1 groups=all
    1 object definitions have been created or modified.
    ------- stderr -------
    Warning: N1: DNS does not tell capital letters from small ones
    ");
}

#[test]
fn site_settings_are_one_object() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        mkdef -t site domain=cluster.org anything=goes
        lsdef -t site
        lsdef -t site -l
        tabdump site
    "), @r#"
    $ mkdef -t site domain=cluster.org anything=goes
    1 object definitions have been created or modified.
    $ lsdef -t site
    clustersite  (site)
    $ lsdef -t site -l
    Object name: clustersite
        anything=goes
        domain=cluster.org
    $ tabdump site
    #key,value,comments,disable
    "domain","cluster.org",,
    "anything","goes",,
    "#);
}

#[test]
fn the_name_of_a_disabled_node_is_taken() {
    let lab = lab();
    lab.run("mkdef n1 groups=all").success();
    lab.run("nodech n1 nodelist.disable=1").success();
    assert_snapshot!(session(&lab, "
        lsdef n1
        mkdef n1 groups=all
        mkdef -f n1 groups=all
        lsdef n1
    "), @"
    $ lsdef n1
    No object definitions have been found
    ------- stderr -------
    Error: Could not find an object named 'n1' of type 'node'.
    [exit status: 1]
    $ mkdef n1 groups=all
    ------- stderr -------
    Warning: A definition for 'n1' already exists. No changes will be made.  Run again with '-f' option to force replace.
    Error: 0 object definitions have been created or modified.
    [exit status: 1]
    $ mkdef -f n1 groups=all
    1 object definitions have been created or modified.
    $ lsdef n1
    Object name: n1
        groups=all
    ");
}
