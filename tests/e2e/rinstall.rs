//! `rinstall` on simulated BMCs: what is set, in which order, and what is told of nodes on their way.

use std::time::Duration;

use ::lab::{Bmcs, Fault, Lab, Wait, wait_for};
use insta::assert_snapshot;

use crate::{lab, session};

/// n1 and n2 with BMCs that are off, and an image.
pub(crate) fn machines() -> (Lab, Bmcs) {
    let mut lab = lab();
    let bmcs = lab.simulated_bmcs();
    define_machines(&lab);
    (lab, bmcs)
}

fn define_machines(lab: &Lab) {
    let image = lab.home().join("image");
    lab.shell("mkdir image && cd image && touch kernel initrd.gz rootimg.sfs").success();
    lab.run(&format!("mkdef -t osimage deb12 imagetype=linux provmethod=netboot rootimgdir={}", image.display()))
        .success();
    lab.run(
        "mkdef n[1-2] groups=all mgt=ipmi bmc='|10.78.0.($1)|' bmcusername=admin bmcpassword=secret \
         mac='|52:54:00:00:00:0($1)|' provmethod=deb12",
    )
    .success();
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
    [exit status: 2]
    $ chdef n2 mac=52:54:00:00:00:02 addkcmdline='a || b'
    1 object definitions have been created or modified.
    $ rinstall all
    ------- stderr -------
    n2: Error: the kernel's command line has the word '||', at which iPXE ends it
    Error: nothing was done: n2 cannot be served as defined
    Hint: the others can be served: NODERANGE,-(n2) leaves out who cannot
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
    // It runs on, and what was set for it is taken back, all of it: else it would lose its disk some day.
    let shown = "nodels n1 chain.currstate chain.currchain bootparams.kernel nodetype.provmethod nodelist.status";
    lab.run("nodeset n1 boot").success();
    let before = lab.run(shown).success();
    lab.shell("cp -r image other").success();
    let other = lab.home().join("other");
    lab.run(&format!("mkdef -t osimage other imagetype=linux provmethod=netboot rootimgdir={}", other.display()))
        .success();
    let ended = lab.run("rinstall all osimage=other,shell");
    assert!(ended.code == 1 && !ended.stderr.contains("still set"), "{ended}");
    assert_eq!(lab.run(shown).success(), before);
    assert_eq!(lab.run("nodeset all stat").success(), "n1: boot\nn2: netboot other,shell");
    // Somebody has set something else meanwhile: that stays.
    let failing = lab.spawn("rinstall n1 osimage=other");
    wait_for("what is set", Duration::from_secs(20), || match lab.run("nodeset n1 stat").stdout {
        shown if shown == "n1: netboot other\n" => Wait::Ready(()),
        shown => Wait::NotYet(shown),
    });
    lab.run("nodeset n1 shell").success();
    let ended = failing.wait(Duration::from_secs(30));
    assert!(ended.code == 1 && !ended.stderr.contains("still set"), "{ended}");
    assert_eq!(lab.run("nodeset n1 stat").success(), "n1: shell");
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

#[test]
fn many_are_asked_for_and_staggered_and_none_loses_what_runs_on_it() {
    let mut lab = crate::lab_with_guests(1);
    let bmcs = lab.simulated_bmcs();
    define_machines(&lab);
    lab.run(
        "chdef h1 groups=hosts,all mgt=ipmi bmc=10.78.0.9 bmcusername=admin bmcpassword=secret mac=52:54:00:00:00:09 provmethod=deb12",
    )
    .success();
    lab.run("mkvm c1").success();
    lab.run("rpower c1,h1 on").success();
    let controls = |last: u8| bmcs.machine(std::net::Ipv4Addr::new(10, 78, 0, last)).controls;
    assert_snapshot!(session(&lab, "
        rinstall n1,h1
        rnetboot h1 shell
        rinstall h1 --drain --force 2>&1 | head -n 1
        rinstall n1 --stagger 8 2>&1 | head -n 1
        nodeset n1,h1 stat
    "), @"
    $ rinstall n1,h1
    ------- stderr -------
    h1: Error: containers run on it: c1
    Error: nothing was done: h1 cannot be served as defined
    Hint: stop them with: rpower c1 off (--drain does so too); or use --force
    [exit status: 1]
    $ rnetboot h1 shell
    ------- stderr -------
    h1: Error: containers run on it: c1
    Error: nothing was done: h1 cannot be served as defined
    Hint: stop them with: rpower c1 off (--drain does so too); or use --force
    [exit status: 1]
    $ rinstall h1 --drain --force 2>&1 | head -n 1
    error: the argument '--drain' cannot be used with '--force'
    $ rinstall n1 --stagger 8 2>&1 | head -n 1
    error: invalid value '8' for '--stagger <N/SECONDS>': it takes how many nodes at a time and how many seconds apart, such as 8/5
    $ nodeset n1,h1 stat
    h1: boot
    n1: boot
    ");
    let limit = Duration::from_secs(60);
    let mut terminal = lab.spawn_pty("rinstall h1,n[1-2] --drain -m 2", 24, 80);
    terminal.expect("boot: 3 nodes, h1,n[1-2]? [y/N]", limit);
    terminal.send("n\r");
    assert_eq!(terminal.wait(limit).code, 1);
    assert_eq!(lab.run("rpower c1 stat").success(), "c1: on");
    assert_eq!((controls(1), controls(9)), (vec![], vec![1]), "a no is a no");

    let drained = lab.run("rinstall h1 --drain");
    assert_snapshot!(drained.clone().sorted(), @"
    c1: off
    h1: reset
    ------- stderr -------
    Hint: these containers were stopped, and stay off until you say: rpower c1 on
    ");
    assert!(drained.stdout.ends_with("h1: reset\n"), "the server came before its containers: {drained}");
    assert_eq!(lab.run("nodeset h1 stat").success(), "h1: netboot deb12");
    lab.run("rpower c1 on").success();
    assert_eq!(lab.run("rinstall h1 --force").to_string(), "h1: reset\n");
    assert_eq!(controls(9), [1, 3, 3]);

    let mut staggered = lab.spawn("rinstall n[1-2] --stagger 1/60");
    staggered.expect("n1: on", limit);
    staggered.interrupt();
    let run = staggered.wait(limit);
    assert_eq!(run.code, 130, "{run}");
    assert_snapshot!(run.stderr, @"
    Not done: n2
    Hint: n2 is still set to netboot deb12; take it back with: nodeset n2 boot
    ");
    assert_eq!((controls(1), controls(2)), (vec![1], vec![]));
    // What it is to do is written down for both: the next one goes on from there.
    assert_eq!(lab.run("nodeset n2 stat").success(), "n2: netboot deb12");
    let start = std::time::Instant::now();
    lab.run("rinstall n[1-2] --stagger 1/2").success();
    assert!(start.elapsed() >= Duration::from_secs(2), "{:?}", start.elapsed());
}
