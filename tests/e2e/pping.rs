use insta::assert_snapshot;

use crate::{lab_with_guests, session};

#[test]
fn who_answers_is_told_from_who_does_not() {
    let lab = lab_with_guests(2);
    lab.run("chdef -t site connecttimeout=3").success();
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();
    lab.host("h2").power_off();
    assert_snapshot!(lab.run("pping h1,h2,c1").sorted(), @"
    c1: ping
    h1: ping
    h2: noping
    ");
    assert_snapshot!(lab.run("pping h1,c1 --json").sorted(), @r#"
    {"node":"c1","answer":"ping"}
    {"node":"h1","answer":"ping"}
    "#);
    assert_snapshot!(session(&lab, "
        pping h1,c1 -b
        pping h1,h9
    "), @"
    $ pping h1,c1 -b
    c1,h1: ping
    $ pping h1,h9
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: h9
    [exit status: 1]
    ");
}
