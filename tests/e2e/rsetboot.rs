//! `rsetboot` on real and simulated BMCs.

use ::lab::Fault;
use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn a_real_bmc_is_told_and_another_program_sees_it() {
    let lab = lab().servers(1);
    lab.run("mkdef n1 groups=all mgt=ipmi bmc=10.79.0.1 bmcusername=admin bmcpassword=secret").success();
    // ipmi_sim keeps the device, and says for ever that it does not count.
    assert_snapshot!(lab.run("rsetboot n1 net"), @"
    n1: boot override inactive
    ------- stderr -------
    n1: Warning: its BMC was told Network, and says that nothing is set: it may boot as its firmware has it
    ");
    assert!(lab.server(1).ipmitool("chassis bootparam get 5").success().contains("Force PXE"));
    lab.run("rsetboot n1 bios").success();
    lab.run("rsetboot n1 default").success();
    assert_eq!(lab.server(1).log(), "boot pxe\nboot bios\nboot none\n");
}

#[test]
fn devices_and_how_long_they_hold() {
    let mut lab = lab();
    let bmcs = lab.simulated_bmcs();
    lab.run("mkdef n1 groups=all mgt=ipmi bmc=10.78.0.1 bmcusername=admin bmcpassword=secret").success();
    assert_snapshot!(session(&lab, "
        rsetboot n1
        rsetboot n1 net
        rsetboot n1 hd -p -u
        rsetboot n1 stat --json
        rsetboot n1 cd
        rsetboot n1 floppy
        rsetboot n1 setup
        rsetboot all stat -b
        rsetboot n1 default
        rsetboot n1 stat -p
        rpower n1 on
        tabdump auditlog | cut -d , -f 5-7
    "), @r#"
    $ rsetboot n1
    n1: boot override inactive
    $ rsetboot n1 net
    n1: Network
    $ rsetboot n1 hd -p -u
    n1: Hard Drive
    $ rsetboot n1 stat --json
    {"node":"n1","answer":{"device":"Hard Drive","persistent":true,"uefi":true}}
    $ rsetboot n1 cd
    n1: CD/DVD
    $ rsetboot n1 floppy
    n1: Floppy
    $ rsetboot n1 setup
    n1: BIOS Setup
    $ rsetboot all stat -b
    n1: BIOS Setup
    $ rsetboot n1 default
    n1: boot override inactive
    $ rsetboot n1 stat -p
    ------- stderr -------
    Error: -p and -u go with a device to boot from
    [exit status: 2]
    $ rpower n1 on
    n1: on
    $ tabdump auditlog | cut -d , -f 5-7
    clienttype,command,noderange
    "cli","rsetboot","n1"
    "cli","rsetboot","n1"
    "cli","rsetboot","n1"
    "cli","rsetboot","n1"
    "cli","rsetboot","n1"
    "cli","rsetboot","n1"
    "cli","rpower","n1"
    "#);
    lab.run("rsetboot n1 net -p").success();
    let shown = lab.shell("ipmitool -I lanplus -C 17 -H 10.78.0.1 -U admin -P secret chassis bootparam get 5");
    let shown = shown.success();
    assert!(shown.contains("Options apply to all future boots") && shown.contains("Force PXE"), "{shown}");
    assert_eq!(bmcs.machine("10.78.0.1".parse().unwrap()).boot, [0xc0, 0x04, 0, 0, 0]);
}

#[test]
fn what_has_no_boot_device_is_refused_before_any_other_is_touched() {
    let mut lab = lab();
    let bmcs = lab.simulated_bmcs();
    lab.run("mkdef n1 groups=all mgt=ipmi bmc=10.78.0.1 bmcusername=admin bmcpassword=secret").success();
    lab.run("mkdef n2 groups=all mgt=ipmi bmc=10.78.0.2").success();
    lab.run("mkdef c1 groups=all mgt=docker").success();
    assert_snapshot!(lab.run("rsetboot all net"), @"
    ------- stderr -------
    c1: Error: a boot device is not supported when using mgt=docker
    n2: Error: attribute 'bmcusername' (table ipmi) is not set, and table passwd has no row for key ipmi
    Error: nothing was done: c1,n2 cannot be served as defined
    Hint: set it with: chdef NODERANGE bmcusername=… bmcpassword=…; or for all BMCs, with that key: tabedit passwd
    [exit status: 1]
    ");
    assert_eq!(bmcs.machine("10.78.0.1".parse().unwrap()).boot, [0; 5]);
}

#[test]
fn a_bmc_that_keeps_another_device_is_not_believed() {
    let mut lab = lab();
    let bmcs = lab.simulated_bmcs();
    let bmc = "10.78.0.1".parse().unwrap();
    lab.shell("mkdir image && cd image && touch kernel initrd.gz rootimg.sfs").success();
    let image = lab.home().join("image");
    lab.run(&format!("mkdef -t osimage deb12 imagetype=linux provmethod=netboot rootimgdir={}", image.display()))
        .success();
    lab.run(
        "mkdef n1 groups=all mgt=ipmi bmc=10.78.0.1 bmcusername=admin bmcpassword=secret mac=52:54:00:00:00:01 \
         provmethod=deb12",
    )
    .success();
    lab.run("rsetboot n1 hd").success();
    bmcs.fault(bmc, Some(Fault::Forgetful));
    assert_snapshot!(session(&lab, "
        rsetboot n1 net
        rsetboot n1 hd
        rsetboot n1 hd -p
        rinstall n1
        nodeset n1 stat
    "), @"
    $ rsetboot n1 net
    ------- stderr -------
    n1: Error: cannot set the boot device: its BMC was told Network, and says Hard Drive
    [exit status: 1]
    $ rsetboot n1 hd
    n1: Hard Drive
    $ rsetboot n1 hd -p
    n1: Hard Drive
    ------- stderr -------
    n1: Warning: its BMC was told Hard Drive for all boots, and says that it is for the next one only
    $ rinstall n1
    ------- stderr -------
    n1: Error: cannot set the boot device: its BMC was told Network, and says Hard Drive
    [exit status: 1]
    $ nodeset n1 stat
    n1: boot
    ");
    assert!(bmcs.machine(bmc).controls.is_empty(), "its power was left alone");
}
