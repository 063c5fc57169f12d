use insta::assert_snapshot;

use crate::{lab_with_guests, session};

#[test]
fn lines_come_under_the_names_of_nodes() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1,c2").success();
    lab.run("rpower c1,c2 on").success();
    assert_snapshot!(lab.run("psh h1,c1,c2 'echo one; echo two >&2'").sorted(), @"
    c1: one
    c1: two
    c2: one
    c2: two
    h1: one
    h1: two
    ");
    assert_snapshot!(lab.run("psh c1,c2,c3 'exit 3'").sorted(), @"
    ------- stderr -------
    Hint: make it with: mkvm NODERANGE
    c1: Error: *** the command exited with error code 3.
    c2: Error: *** the command exited with error code 3.
    c3: Error: no such guest on h1
    [exit status: 3]
    ");
    assert_snapshot!(lab.run("psh c1,h1 --json 'echo out; exit 2'").sorted(), @r#"
    {"node":"c1","answer":"out"}
    {"node":"c1","error":"*** the command exited with error code 2."}
    {"node":"h1","answer":"out"}
    {"node":"h1","error":"*** the command exited with error code 2."}
    [exit status: 2]
    "#);
    assert_snapshot!(session(&lab, "
        psh -t 0.5 c1 'sleep 100'
        psh c9 true
        psh c1 printf 'no line end'
    "), @"
    $ psh -t 0.5 c1 'sleep 100'
    ------- stderr -------
    c1: Error: timeout exceeded: no end within 0.5 s
    [exit status: 1]
    $ psh c9 true
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: c9
    [exit status: 1]
    $ psh c1 printf 'no line end'
    c1: no
    ");
}
