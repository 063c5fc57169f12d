//! `rpower` on real containers.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::{lab, lab_with_guests};

#[test]
fn verbs_and_words() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1").success();
    let check = |verb: &str, expected: &str| assert_eq!(lab.run(&format!("rpower c1 {verb}")).to_string(), expected);
    check("stat", "c1: off\n");
    check("state", "c1: created\n");
    check("reset", "c1: off\n");
    check("on", "c1: on\n");
    check("on", "c1: on\n");
    check("stat", "c1: on\n");
    check("status", "c1: on\n");
    check("state", "c1: running\n");
    check("suspend", "c1: suspend\n");
    check("stat", "c1: suspend\n");
    check("unpause", "c1: resume\n");
    check("reset", "c1: reset\n");
    check("boot", "c1: reset\n");
    check("off", "c1: off\n");
    check("boot", "c1: on\n");
    check("stop", "c1: off\n");
    check("start", "c1: on\n");
    assert_eq!(lab.host("h1").docker("inspect -f {{.State.Status}} c1").success(), "running");
}

#[test]
fn status_follows() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1").success();
    let status = || lab.run("lsdef c1 -i status -c").stdout;
    lab.run("rpower c1 on").success();
    assert_eq!(status(), "c1: status=booted\n");
    lab.run("rpower c1 off").success();
    assert_eq!(status(), "c1: status=off\n");
    lab.run("chdef -t site nodestatus=n").success();
    lab.run("rpower c1 on").success();
    assert_eq!(status(), "c1: status=off\n");
}

#[test]
fn a_process_that_ignores_the_signal_is_killed_and_that_is_said() {
    let lab = lab_with_guests(1);
    lab.run(r#"chdef c1 dockercommand='["sh","-c","trap : TERM; while :; do sleep 1; done"]'"#).success();
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();
    assert_snapshot!(lab.run("rpower c1 off"), @"
    c1: off
    ------- stderr -------
    c1: Warning: did not stop within 1 s and was killed
    ");
}

#[test]
fn equal_answers_fold_and_json_is_one_object_a_line() {
    let lab = lab_with_guests(2);
    lab.run("mkvm all").success();
    lab.run("rpower c1-c3 on").success();
    assert_snapshot!(lab.run("rpower all stat -b"), @"
    c[4-6]: off
    c[1-3]: on
    ");
    assert_snapshot!(lab.run("rpower all stat --json").sorted(), @r#"
    {"node":"c1","answer":"on"}
    {"node":"c2","answer":"on"}
    {"node":"c3","answer":"on"}
    {"node":"c4","answer":"off"}
    {"node":"c5","answer":"off"}
    {"node":"c6","answer":"off"}
    "#);
}

#[test]
fn a_dead_host_costs_one_limit_and_the_rest_answer() {
    let lab = lab_with_guests(2);
    lab.run("mkvm all").success();
    lab.run("rpower all on").success();
    lab.run("chdef -t site connecttimeout=3").success();
    lab.host("h2").power_off();
    let start = Instant::now();
    let run = lab.run("rpower all stat").sorted();
    assert!(start.elapsed() < Duration::from_secs(20), "three nodes of a dead host took {:?}", start.elapsed());
    assert_snapshot!(run, @"
    c1: on
    c3: on
    c5: on
    ------- stderr -------
    c2: Error: cannot reach 10.77.0.2:22: 10.77.0.2:22 does not answer
    c4: Error: cannot reach 10.77.0.2:22: 10.77.0.2:22 does not answer
    c6: Error: cannot reach 10.77.0.2:22: 10.77.0.2:22 does not answer
    [exit status: 1]
    ");
}

#[test]
fn bad_requests_touch_nothing() {
    let lab = lab();
    lab.run("mkdef c1 groups=all mgt=docker image=x vmhost=h9").success();
    lab.run("mkdef n1 groups=all").success();
    lab.run("mkdef n2 groups=all mgt=bogus").success();
    assert_snapshot!(lab.run("rpower c1,nope stat"), @"
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: nope
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rpower c1 stat"), @"
    ------- stderr -------
    c1: Error: attribute 'vmhost': 'h9' is not a defined node; it takes the node that is the container's Docker host
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rpower n1,n2 off"), @"
    ------- stderr -------
    n1: Error: attribute 'mgt' is not set; it takes one of: docker, ipmi, redfish, ssh, wol
    n2: Error: attribute 'mgt' is 'bogus', which is not a backend; it takes one of: docker, ipmi, redfish, ssh, wol
    Error: nothing was done: n[1-2] cannot be served as defined
    Hint: set it with: chdef NODERANGE mgt=…
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rpower all,-all off"), @"
    ------- stderr -------
    Error: No node in 'all,-all', check the noderange syntax.
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rpower c1 explode"), @"
    ------- stderr -------
    error: invalid value 'explode' for '<ACTION>'
      [possible values: stat, state, on, off, softoff, reset, boot, cycle, suspend, resume]

    For more information, try '--help'.
    [exit status: 2]
    ");
    assert_snapshot!(lab.run("rpower"), @"
    ------- stderr -------
    error: the following required arguments were not provided:
      <NODERANGE>
      <ACTION>

    Usage: xcrane rpower <NODERANGE> <ACTION>

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn what_is_done_to_nodes_is_audited() {
    let lab = lab_with_guests(1);
    assert_snapshot!(crate::session(&lab, "
        mkvm c1
        rpower c1 on
        rpower c1 stat
        xdsh c1 'echo it | cat'
        chvm c1 vmothersetting= bmcpassword=secret
        chdef -t site auditskipcmds=rmvm,xdsh
        xdsh c1 true
        rmvm c1 -f
        rpower c9 on
        tabdump auditlog | cut -d , -f 1,3,5-9
        lsdef -a | grep auditlog
        deflog | grep -c auditlog
    "), @r#"
    $ mkvm c1
    $ rpower c1 on
    c1: on
    $ rpower c1 stat
    c1: on
    $ xdsh c1 'echo it | cat'
    c1: it
    $ chvm c1 vmothersetting= bmcpassword=secret
    ------- stderr -------
    Error: Cannot set the attribute 'bmcpassword' of 'c1' unless mgt=ipmi or mgt=redfish or mgt=openbmc.
    [exit status: 1]
    $ chdef -t site auditskipcmds=rmvm,xdsh
    1 object definitions have been created or modified.
    $ xdsh c1 true
    $ rmvm c1 -f
    $ rpower c9 on
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: c9
    [exit status: 1]
    $ tabdump auditlog | cut -d , -f 1,3,5-9
    #recid,userid,clienttype,command,noderange,args,status
    "1","root","cli","mkvm","c1",,"allowed"
    "2","root","cli","rpower","c1","on","allowed"
    "3","root","cli","xdsh","c1","'echo it | cat'","allowed"
    "4","root","cli","chvm","c1","vmothersetting= 'bmcpassword=***'","allowed"
    "5","root","cli","rpower","c9","on","allowed"
    $ lsdef -a | grep auditlog
    [exit status: 1]
    $ deflog | grep -c auditlog
    0
    [exit status: 1]
    "#);
}
