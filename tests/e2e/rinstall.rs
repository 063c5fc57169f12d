//! `rinstall` on simulated BMCs: what is set, in which order, and what is told of nodes on their way.

use std::time::Duration;

use ::lab::{Bmcs, Fault, Lab, Wait, wait_for};
use insta::assert_snapshot;

use crate::{lab, session};

/// n1 and n2 with BMCs that are off, and an image.
pub(crate) fn machines() -> (Lab, Bmcs) {
    let mut lab = lab();
    let bmcs = lab.simulated_bmcs();
    let image = lab.home().join("image");
    lab.shell("mkdir image && cd image && touch kernel initrd.gz rootimg.sfs").success();
    lab.run(&format!("mkdef -t osimage deb12 imagetype=linux provmethod=netboot rootimgdir={}", image.display()))
        .success();
    lab.run(
        "mkdef n[1-2] groups=all mgt=ipmi bmc='|10.78.0.($1)|' bmcusername=admin bmcpassword=secret \
         mac='|52:54:00:00:00:0($1)|' provmethod=deb12",
    )
    .success();
    (lab, bmcs)
}

#[test]
fn nodes_boot_the_image_from_the_network() {
    let (lab, bmcs) = machines();
    assert_snapshot!(lab.run("rinstall all -u").sorted(), @"
    n1: on
    n2: on
    ");
    let machine = bmcs.machine("10.78.0.2".parse().unwrap());
    assert_eq!((machine.on, machine.boot), (true, [0xa0, 0x04, 0, 0, 0]));
    assert_snapshot!(session(&lab, "
        nodeset all stat -b
        nodels all nodelist.status
        chdef n2 mac=
        nodeset n1 offline
        rinstall all
        nodeset all stat
        rinstall n1 osimage=bogus
        rinstall n1 shell --wait 1
        chdef n2 mac=52:54:00:00:00:02 addkcmdline='a || b'
        rinstall all
        nodeset all stat
        chdef n2 addkcmdline=
    "), @"
    $ nodeset all stat -b
    n[1-2]: netboot deb12
    $ nodels all nodelist.status
    n1: powering-on
    n2: powering-on
    $ chdef n2 mac=
    1 object definitions have been created or modified.
    $ nodeset n1 offline
    n1: offline
    $ rinstall all
    ------- stderr -------
    n2: Error: No MAC address available for this node
    Error: nothing was done: n2 cannot be served as defined
    Hint: set it with: chdef NODE mac=…
    [exit status: 1]
    $ nodeset all stat
    n1: offline
    n2: netboot deb12
    $ rinstall n1 osimage=bogus
    ------- stderr -------
    Error: Cannot find the OS image bogus in the osimage table
    [exit status: 1]
    $ rinstall n1 shell --wait 1
    ------- stderr -------
    Error: --wait is for osimage, runcmd and runimage: who boots otherwise does not say when it is up
    [exit status: 1]
    $ chdef n2 mac=52:54:00:00:00:02 addkcmdline='a || b'
    1 object definitions have been created or modified.
    $ rinstall all
    ------- stderr -------
    n2: Error: the kernel's command line has the word '||', at which iPXE ends it
    Error: nothing was done: n2 cannot be served as defined
    [exit status: 1]
    $ nodeset all stat
    n1: offline
    n2: netboot deb12
    $ chdef n2 addkcmdline=
    1 object definitions have been created or modified.
    ");
    // What nodes say of themselves comes through the tables.
    lab.run("chtab node=n1 nodelist.status=off").success();
    lab.run("chtab node=n2 nodelist.status=off").success();
    let mut waiting = lab.spawn("rinstall all --wait 100");
    // Only a status after the command's own counts.
    wait_for("the statuses of the command", Duration::from_secs(20), || {
        match lab.run("nodels all nodelist.status").stdout {
            shown if shown.matches("powering-on").count() == 2 => Wait::Ready(()),
            shown => Wait::NotYet(shown),
        }
    });
    for line in ["n1: netbooting", "n1: booted", "n2: failed"] {
        let (node, status) = line.split_once(": ").unwrap();
        lab.run(&format!("chtab node={node} nodelist.status={status}")).success();
        waiting.expect(line, Duration::from_secs(20));
    }
    let ended = waiting.wait(Duration::from_secs(20));
    assert_eq!(ended.code, 1, "{ended}");
    let ended = lab.run("rinstall n2 --wait 1");
    assert!(ended.code == 1 && ended.stderr.contains("not up after 1 s, still powering-on: n2"), "{ended}");
    // One that is not reached stays what it was, and the others are waited for.
    bmcs.fault("10.78.0.1".parse().unwrap(), Some(Fault::Dead));
    lab.run("chdef -t site connecttimeout=3").success();
    let ended = lab.run("rinstall all --wait 1");
    assert!(ended.code == 1 && ended.stderr.contains("n1: Error: "), "{ended}");
    assert!(ended.stderr.contains("not up after 1 s, still powering-on: n2"), "{ended}");
    assert_eq!(lab.run("nodels n1 nodelist.status").stdout, "n1: booted\n");
    lab.run("chdef -t site nodestatus=n").success();
    let refused = lab.run("rinstall all --wait 1");
    assert!(refused.code == 1 && refused.stderr.contains("this site does not want"), "{refused}");
}

#[test]
fn the_console_of_a_node_that_boots_is_opened() {
    let lab = lab().servers(1);
    lab.shell("mkdir image && cd image && touch kernel initrd.gz rootimg.sfs").success();
    let image = lab.home().join("image");
    lab.run(&format!("mkdef -t osimage deb12 imagetype=linux provmethod=netboot rootimgdir={}", image.display()))
        .success();
    lab.run(
        "mkdef n1 groups=all mgt=ipmi bmc=10.79.0.1 bmcusername=admin bmcpassword=secret mac=52:54:00:00:00:01 provmethod=deb12",
    )
    .success();
    let limit = Duration::from_secs(60);
    let mut console = lab.spawn_pty("rinstall n1 -c", 24, 80);
    console.expect("n1: on", limit);
    console.expect("[n1: ^Ec. leaves", limit);
    lab.serial(1).say("iPXE initialising devices...\r\n");
    console.expect("iPXE initialising devices...", limit);
    console.send("\x05c.");
    console.expect("[left n1]", limit);
    assert_eq!(console.wait(limit).code, 0);
    assert_eq!(lab.server(1).ipmitool("chassis power status").success(), "Chassis Power is on");
    assert_eq!(lab.run("nodels n1 nodelist.status").stdout, "n1: powering-on\n");
    lab.run("mkdef n2 groups=all mgt=ipmi bmc=10.79.0.2").success();
    assert_snapshot!(lab.run("rinstall all -c"), @"
    ------- stderr -------
    Error: -c takes one node, 'all' names 2
    [exit status: 1]
    ");
}
