use insta::assert_snapshot;

use crate::{rack, session};

#[test]
fn expands_folds_and_counts() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        noderange rack1
        noderange -e n1 n3
        noderange -f all,-n2
        noderange -c all@rack1
        noderange -S ' ' all
        noderange -f mgt==ipmi
        noderange -c rack1,-rack1
        noderange -f rack1,-rack1
        noderange n9
    "), @"
    $ noderange rack1
    n1
    n2
    n3
    $ noderange -e n1 n3
    n1
    n3
    $ noderange -f all,-n2
    n[1,3-4]
    $ noderange -c all@rack1
    3
    $ noderange -S ' ' all
    n1 n2 n3 n4
    $ noderange -f mgt==ipmi
    n[1-3]
    $ noderange -c rack1,-rack1
    0
    $ noderange -f rack1,-rack1
    $ noderange n9
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: n9
    [exit status: 1]
    ");
}

#[test]
fn combines_ranges() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        noderange -f all -x rack1
        noderange -f all -i rack1 -i n2-n4
        noderange -f n1 n4 -i all -x n1
        noderange -f n1,-n2 n2
    "), @"
    $ noderange -f all -x rack1
    n4
    $ noderange -f all -i rack1 -i n2-n4
    n[2-3]
    $ noderange -f n1 n4 -i all -x n1
    n4
    $ noderange -f n1,-n2 n2
    n[1-2]
    ");
}

#[test]
fn reads_standard_input() {
    let lab = rack();
    assert_snapshot!(session(&lab, r"
        printf 'n3 n1\nn2,n4\n' | noderange -f -
        nodels rack1 | noderange -c - n4
        printf '' | noderange -f -
        printf '' | noderange -c -
        printf 'n1\nn9\n' | noderange -f -
    "), @r"
    $ printf 'n3 n1\nn2,n4\n' | noderange -f -
    n[1-4]
    $ nodels rack1 | noderange -c - n4
    4
    $ printf '' | noderange -f -
    $ printf '' | noderange -c -
    0
    $ printf 'n1\nn9\n' | noderange -f -
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: n9
    [exit status: 1]
    ");
}

#[test]
fn needs_no_database() {
    let lab = crate::lab();
    assert_snapshot!(session(&lab, "
        noderange -n -f x3 x1 x2 web-1
        noderange -n r[1-2]n[1-2]
        noderange -n -c x[1-100000]
        noderange -n -f 'x[1-20]' -x 'x[5-6]' -i 'x[1-9]'
        noderange -n mgt==ipmi
        noderange -n 'a b('
        seq -f x%05g 1 100000 | noderange -n -f -
        ls $XCRANE_HOME
    "), @"
    $ noderange -n -f x3 x1 x2 web-1
    web-1,x[1-3]
    $ noderange -n r[1-2]n[1-2]
    r1n1
    r1n2
    r2n1
    r2n2
    $ noderange -n -c x[1-100000]
    100000
    $ noderange -n -f 'x[1-20]' -x 'x[5-6]' -i 'x[1-9]'
    x[1-4,7-9]
    $ noderange -n mgt==ipmi
    ------- stderr -------
    Error: cannot select by 'mgt': there is no attribute 'mgt'
    [exit status: 1]
    $ noderange -n 'a b('
    ------- stderr -------
    Error: unexpected 'b' at character 3 of noderange 'a b('
    [exit status: 1]
    $ seq -f x%05g 1 100000 | noderange -n -f -
    x[00001-100000]
    $ ls $XCRANE_HOME
    ");
}

#[test]
fn refuses_contradictions() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        noderange
        noderange -f -c all
        noderange -f -S , all
        noderange n[3-1]
    "), @"
    $ noderange
    ------- stderr -------
    error: the following required arguments were not provided:
      <NODERANGE>...

    Usage: noderange <NODERANGE>...

    For more information, try '--help'.
    [exit status: 2]
    $ noderange -f -c all
    ------- stderr -------
    error: the argument '--fold' cannot be used with '--count'

    Usage: noderange --fold <NODERANGE>...

    For more information, try '--help'.
    [exit status: 2]
    $ noderange -f -S , all
    ------- stderr -------
    error: the argument '--fold' cannot be used with '--separator <TEXT>'

    Usage: noderange --fold <NODERANGE>...

    For more information, try '--help'.
    [exit status: 2]
    $ noderange n[3-1]
    ------- stderr -------
    Error: the range '3-1' runs downwards
    [exit status: 1]
    ");
}

#[test]
fn lists_without_any_name_are_errors_as_empty_ranges_are() {
    let lab = rack();
    lab.run("mkdef -t network blue driver=bridge net=10.80.0.0 mask=/16 hosts=all").success();
    let commands = [
        "mknet",
        "lsnet",
        "rmnet",
        "rmnet -f -d",
        "chknet",
        "mkhost",
        "lshost",
        "rmhost",
        "mkregistry",
        "lsregistry",
        "rmregistry",
        "lsdef",
        "lsdef -t network",
        "rmdef",
        "rmdef -t network",
        "chdef -t network",
        "mkdef -t network",
    ];
    for command in commands {
        for list in ["''", ",", "' , '"] {
            let option = if command.contains("def") { " -o" } else { "" };
            let change = if command.starts_with(['c', 'm']) && command.contains("def") { " mask=/24" } else { "" };
            let run = lab.shell(&format!("{command}{option} {list}{change}"));
            assert!(run.code == 1 && run.stdout.is_empty(), "{command} {list}: {run}");
            assert!(run.stderr.starts_with("Error: "), "{command} {list}: {run}");
        }
    }
    assert_eq!(lab.run("lsnet").code, 1, "the network has been changed");
}
