//! Executables as backends: the sample for machines of QEMU, as a site would use it.

use std::path::Path;
use std::time::Duration;

use insta::assert_snapshot;

use crate::{lab, session, write};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_machine_of_an_executable_is_made_powered_watched_and_removed() {
    let lab = lab();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/examples/plugins.d/qemu");
    lab.shell(&format!("mkdir -p $XCRANE_HOME/plugins.d && cp {} $XCRANE_HOME/plugins.d/", sample.display())).success();
    lab.run("chdef -t site connecttimeout=60").success();
    assert_snapshot!(session(&lab, "
        mkdef v1,v2 groups=vms mgt=qemu vmmemory=64M vmstorage=8
        rpower v1 stat
        mkvm vms
        mkvm v1 -V
        rpower v1 stat
        rpower v1 on
        rpower v1 stat
        rpower v2 stat
        rpower v1 state
        rpower v1 suspend
        rvitals v1
        lsvm v1
        mkdef desk groups=desks ip=127.0.0.1 hosttype=qemu
        lsvm desk
    "), @"
    $ mkdef v1,v2 groups=vms mgt=qemu vmmemory=64M vmstorage=8
    2 object definitions have been created or modified.
    $ rpower v1 stat
    ------- stderr -------
    v1: Error: power of $XCRANE_HOME/plugins.d/qemu: there is no such machine; make it with: mkvm
    [exit status: 1]
    $ mkvm vms
    $ mkvm v1 -V
    v1: unchanged
    $ rpower v1 stat
    v1: off
    $ rpower v1 on
    v1: on
    $ rpower v1 stat
    v1: on
    $ rpower v2 stat
    v2: off
    $ rpower v1 state
    v1: running
    $ rpower v1 suspend
    ------- stderr -------
    v1: Error: suspend is not supported when using mgt=qemu
    Error: nothing was done: v1 cannot be served as defined
    [exit status: 1]
    $ rvitals v1
    ------- stderr -------
    v1: Error: reading sensors is not supported when using mgt=qemu
    [exit status: 1]
    $ lsvm v1
    v1: State: on
    v1: Disk: 8M
    $ mkdef desk groups=desks ip=127.0.0.1 hosttype=qemu
    1 object definitions have been created or modified.
    $ lsvm desk
    desk: v1 on -
    desk: v2 off -
    ");
    // The firmware writes to the serial line when the machine begins anew.
    let mut console = lab.spawn_pty("rcons v1", 24, 80);
    console.expect("^Ec. leaves", LIMIT);
    lab.run("rpower v1 reset").success();
    console.expect("SeaBIOS", LIMIT);
    console.send("\x05c.");
    assert_eq!(console.wait(LIMIT).code, 0);
    lab.shell(
        "printf '#!/bin/sh\\nexec sleep 60\\n' >$XCRANE_HOME/plugins.d/dead; chmod 755 $XCRANE_HOME/plugins.d/dead",
    )
    .success();
    lab.run("chdef -t site connecttimeout=1").success();
    assert_snapshot!(session(&lab, "
        mkdef d1 groups=dead mgt=dead
        rpower d1 stat
        mkdef x1 groups=dead mgt=nobody
        rpower x1 stat
        rmvm vms
        rmvm -f v1
        rpower v2 stat
    "), @"
    $ mkdef d1 groups=dead mgt=dead
    1 object definitions have been created or modified.
    $ rpower d1 stat
    ------- stderr -------
    d1: Error: backend dead: metadata of $XCRANE_HOME/plugins.d/dead: no answer after 1 s
    [exit status: 1]
    $ mkdef x1 groups=dead mgt=nobody
    1 object definitions have been created or modified.
    $ rpower x1 stat
    ------- stderr -------
    x1: Error: attribute 'mgt' is 'nobody', which is not a backend; it takes one of: docker, ipmi, redfish, ssh, wol, dead, qemu
    [exit status: 1]
    $ rmvm vms
    ------- stderr -------
    v1: Error: remove of $XCRANE_HOME/plugins.d/qemu: it runs; rmvm -f removes it all the same
    [exit status: 1]
    $ rmvm -f v1
    $ rpower v2 stat
    ------- stderr -------
    v2: Error: power of $XCRANE_HOME/plugins.d/qemu: there is no such machine; make it with: mkvm
    [exit status: 1]
    ");
    assert_eq!(lab.shell("ls $XCRANE_HOME/backends/qemu").success(), "", "a machine is left");
    assert_eq!(lab.shell("pgrep -f [b]ackends/qemu/v1").code, 1, "a machine runs");
}

#[test]
fn what_an_executable_says_is_held_to_the_page() {
    let lab = lab();
    lab.run("chdef -t site connecttimeout=60").success();
    lab.run("mkdef b1 groups=toys mgt=toybmc").success();
    let program = |on: &str| {
        let metadata = r#"{"result":{"capabilities":["power"],"actions":["on"]}}"#;
        let script = format!(
            "#!/bin/sh\nread -r request\ncase $1$request in\nmetadata*) echo '{metadata}' ;;\n\
             *'\"action\":\"on\"'*) printf '%s\\n' '{on}' ;;\n*) echo '{{\"result\":{{\"state\":\"off\"}}}}' ;;\nesac\n"
        );
        write(&lab, "toybmc", &script);
        lab.shell("mkdir -p $XCRANE_HOME/plugins.d && cp toybmc $XCRANE_HOME/plugins.d/").success();
    };
    program(r#"{"result":{"state":"up"}}"#);
    assert_snapshot!(session(&lab, "
        rpower b1 on
        chmod +x $XCRANE_HOME/plugins.d/toybmc
        rpower b1 on
    "), @"
    $ rpower b1 on
    ------- stderr -------
    b1: Error: attribute 'mgt' is 'toybmc', and $XCRANE_HOME/plugins.d/toybmc is not executable
    Error: nothing was done: b1 cannot be served as defined
    Hint: make it one that can be run: chmod +x $XCRANE_HOME/plugins.d/toybmc
    [exit status: 1]
    $ chmod +x $XCRANE_HOME/plugins.d/toybmc
    $ rpower b1 on
    ------- stderr -------
    b1: Error: power of backend toybmc: its result is not that of the contract: unknown field `state`, expected `changed` or `warning`
    [exit status: 1]
    ");
    program("{\"warning\":\"hmm\"}\n{\"result\":{\"changed\":true,\"warning\":\"it is warm\"}}");
    assert_snapshot!(session(&lab, "
        rpower b1 on
        rpower b1 on --json
    "), @r#"
    $ rpower b1 on
    b1: on
    ------- stderr -------
    b1: Warning: hmm
    b1: Warning: it is warm
    $ rpower b1 on --json
    {"node":"b1","warning":"hmm"}
    {"node":"b1","warning":"it is warm"}
    {"node":"b1","answer":"on"}
    "#);
    lab.shell(r#"sed -i 's/"actions":."on"/&,"blink"/' $XCRANE_HOME/plugins.d/toybmc"#).success();
    assert_snapshot!(session(&lab, "rpower b1 on"), @"
    $ rpower b1 on
    ------- stderr -------
    b1: Error: backend toybmc: metadata of backend toybmc: its result is not that of the contract: unknown variant `blink`, expected one of `on`, `off`, `softoff`, `reset`, `boot`, `cycle`, `suspend`, `resume`
    Error: nothing was done: b1 cannot be served as defined
    [exit status: 1]
    ");
}
