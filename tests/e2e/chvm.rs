use insta::assert_snapshot;

use crate::{lab_with_guests, session};

#[test]
fn definition_and_guest_change_together() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1,c2").success();
    lab.run("rpower c1 on").success();
    assert_snapshot!(session(&lab, "
        chvm c1 --mem 64 --cpus 0.5
        nodels c1 vm.memory vm.cpus
        chvm c1 dockerrestart=always -m 'must stay'
        chvm c1 dockerenv=A=1
        chvm c1 dockerenv=A=1 --recreate -V
        chvm c1 --json
        chvm c1 --mem x --json
        xdsh c1 'echo $A'
        deflog c1 -n 3
    "), @r#"
    $ chvm c1 --mem 64 --cpus 0.5
    $ nodels c1 vm.memory vm.cpus
    c1: vm.memory: 64
    c1: vm.cpus: 0.5
    $ chvm c1 dockerrestart=always -m 'must stay'
    $ chvm c1 dockerenv=A=1
    ------- stderr -------
    c1: Error: exists on h1 and differs from its definition: dockerenv: A=1, container has none
    Hint: make it anew with: chvm --recreate NODERANGE
    [exit status: 1]
    $ chvm c1 dockerenv=A=1 --recreate -V
    c1: re-created
    $ chvm c1 --json
    {"node":"c1","answer":"unchanged"}
    $ chvm c1 --mem x --json
    {"node":"c1","error":"attribute 'vmmemory': 'x' is not a size; it takes a size such as 512 (MB), 512M or 4G"}
    ------- stderr -------
    Error: nothing was done: c1 cannot be served as defined
    [exit status: 1]
    $ xdsh c1 'echo $A'
    c1: 1
    $ deflog c1 -n 3
    4 $TIME root 1 row: chvm c1 --mem 64 --cpus 0.5
    5 $TIME root 1 row: chvm c1 dockerrestart=always -m 'must stay'  (must stay)
    6 $TIME root 1 row: chvm c1 dockerenv=A=1
    "#);
    let inspect = "inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.RestartPolicy.Name}}' c1";
    assert_eq!(lab.host("h1").docker(inspect).success(), "67108864 500000000 always");
}

#[test]
fn refuses_what_makes_no_sense() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1").success();
    assert_snapshot!(session(&lab, "
        chvm c1 --mem lots
        chvm c1 colour=red
        chvm c9 --cpus 1
        chvm c2 --cpus 1
        nodels c1 vm.memory
    "), @"
    $ chvm c1 --mem lots
    ------- stderr -------
    c1: Error: attribute 'vmmemory': 'lots' is not a size; it takes a size such as 512 (MB), 512M or 4G
    Error: nothing was done: c1 cannot be served as defined
    [exit status: 1]
    $ chvm c1 colour=red
    ------- stderr -------
    Error: 'colour' is not a valid attribute name for an object type of 'node'.
    [exit status: 1]
    $ chvm c9 --cpus 1
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: c9
    [exit status: 1]
    $ chvm c2 --cpus 1
    ------- stderr -------
    c2: Error: no such guest on h1
    Hint: make it with: mkvm NODERANGE
    [exit status: 1]
    $ nodels c1 vm.memory
    c1:
    ");
}
