use insta::assert_snapshot;

use crate::{lab_with_guests, session};

#[test]
fn the_words_of_xcats_plugin_are_understood() {
    let lab = lab_with_guests(1);
    assert_snapshot!(session(&lab, r#"
        mkdocker c1
        mkdocker c2 image=busybox:lab 'command=sleep 1000' 'dockerflag={"Labels":{"site":"lab"}}'
        nodels c2 nodetype.provmethod docker.command vm.othersettings
        mkdocker c3 command=sh
        mkdocker c3 dockerflag=x
        nodels c3 vm.othersettings
        mkdocker c3 colour=red
        mkdocker c9
    "#), @r#"
    $ mkdocker c1
    c1: created
    $ mkdocker c2 image=busybox:lab 'command=sleep 1000' 'dockerflag={"Labels":{"site":"lab"}}'
    c2: created
    $ nodels c2 nodetype.provmethod docker.command vm.othersettings
    c2: nodetype.provmethod: busybox:lab
    c2: docker.command: sleep 1000
    c2: vm.othersettings: {"Labels":{"site":"lab"}}
    $ mkdocker c3 command=sh
    ------- stderr -------
    Error: Must set 'image' if use 'command'
    [exit status: 2]
    $ mkdocker c3 dockerflag=x
    ------- stderr -------
    Error: 'dockerflag=x' is refused: it is not JSON: expected value at line 1 column 1
    [exit status: 1]
    $ nodels c3 vm.othersettings
    c3: 
    $ mkdocker c3 colour=red
    ------- stderr -------
    Error: 'colour=red' is none of image=, command=, dockerflag=
    [exit status: 2]
    $ mkdocker c9
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: c9
    [exit status: 1]
    "#);
    let inspect = "inspect -f '{{.Config.Cmd}} {{index .Config.Labels \"site\"}}' c2";
    assert_eq!(lab.host("h1").docker(inspect).success(), "[sleep 1000] lab");
}
