//! `bmcdiscover` on real BMCs, on thousands of simulated ones, and on strangers that mean no good.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use ::lab::{Fault, RedfishFault};
use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn real_bmcs_are_found_and_defined() {
    let lab = lab().servers(2);
    assert_snapshot!(session(&lab, "
        bmcdiscover --range 10.79.0.1-2 | sort
        chtab key=ipmi passwd.username=admin passwd.password=secret
        bmcdiscover --range 10.79.0.1-10.79.0.2 | sort
        bmcdiscover --range 10.79.0.1,10.79.0.2 --anonymous --json | sort
        bmcdiscover --range 10.79.0.2 -z
        bmcdiscover --range 10.79.0.2 -z | mkdef -z
        bmcdiscover --range 10.79.0.1-2 -w | sort
        chdef -t node -o node-a9k-sn-0001 bmc=10.79.0.1:623
        bmcdiscover --range 10.79.0.1 -w
        chdef -t node -o node-a9k-sn-0001 bmc=10.79.0.9
        bmcdiscover --range 10.79.0.1 -w
        rmdef node-a9k-sn-0001
        bmcdiscover --range 10.79.0.1 -w --anonymous
        bmcdiscover --range 10.79.0.1 -w
        lsdef all -i bmc,mgt,mtm,serial -c
        rpower all stat
        bmcdiscover --range 10.79.0.1-3 | sort
        bmcdiscover --range 10.79.0.x
    "), @r#"
    $ bmcdiscover --range 10.79.0.1-2 | sort
    10.79.0.1,ipmi,,,,,674523a1-ab89-efcd-a123-$ID
    10.79.0.2,ipmi,,,,,674523a1-ab89-efcd-a123-$ID
    $ chtab key=ipmi passwd.username=admin passwd.password=secret
    $ bmcdiscover --range 10.79.0.1-10.79.0.2 | sort
    10.79.0.1,ipmi,Acme Corp,Anvil 9000,A9K,SN-0001,674523a1-ab89-efcd-a123-$ID
    10.79.0.2,ipmi,Acme Corp,Anvil 9000,A9K,SN-0001,674523a1-ab89-efcd-a123-$ID
    $ bmcdiscover --range 10.79.0.1,10.79.0.2 --anonymous --json | sort
    {"answer":{"bmc":"10.79.0.1","mgt":"ipmi","speaks":["ipmi"],"vendor":null,"product":null,"mtm":null,"serial":null,"guid":"674523a1-ab89-efcd-a123-$ID","node":null}}
    {"answer":{"bmc":"10.79.0.2","mgt":"ipmi","speaks":["ipmi"],"vendor":null,"product":null,"mtm":null,"serial":null,"guid":"674523a1-ab89-efcd-a123-$ID","node":null}}
    $ bmcdiscover --range 10.79.0.2 -z
    node-a9k-sn-0001:
        objtype=node
        groups=all
        bmc=10.79.0.2
        hwtype=bmc
        mgt=ipmi
        mtm=A9K
        nodetype=mp
        serial=SN-0001

    $ bmcdiscover --range 10.79.0.2 -z | mkdef -z
    1 object definitions have been created or modified.
    $ bmcdiscover --range 10.79.0.1-2 -w | sort
    10.79.0.1,ipmi,Acme Corp,Anvil 9000,A9K,SN-0001,674523a1-ab89-efcd-a123-$ID
    10.79.0.2,ipmi,Acme Corp,Anvil 9000,A9K,SN-0001,674523a1-ab89-efcd-a123-$ID
    ------- stderr -------
    Warning: node-a9k-sn-0001: defined already, with another BMC; left as it is
    Error: 0 object definitions have been created or modified.
    $ chdef -t node -o node-a9k-sn-0001 bmc=10.79.0.1:623
    1 object definitions have been created or modified.
    $ bmcdiscover --range 10.79.0.1 -w
    10.79.0.1,ipmi,Acme Corp,Anvil 9000,A9K,SN-0001,674523a1-ab89-efcd-a123-$ID
    ------- stderr -------
    Nothing new to define.
    $ chdef -t node -o node-a9k-sn-0001 bmc=10.79.0.9
    1 object definitions have been created or modified.
    $ bmcdiscover --range 10.79.0.1 -w
    10.79.0.1,ipmi,Acme Corp,Anvil 9000,A9K,SN-0001,674523a1-ab89-efcd-a123-$ID
    ------- stderr -------
    Warning: node-a9k-sn-0001: defined already, with another BMC; left as it is
    Error: 0 object definitions have been created or modified.
    [exit status: 1]
    $ rmdef node-a9k-sn-0001
    1 object definitions have been removed.
    $ bmcdiscover --range 10.79.0.1 -w --anonymous
    10.79.0.1,ipmi,,,,,674523a1-ab89-efcd-a123-$ID
    1 object definitions have been created or modified.
    $ bmcdiscover --range 10.79.0.1 -w
    10.79.0.1,ipmi,Acme Corp,Anvil 9000,A9K,SN-0001,674523a1-ab89-efcd-a123-$ID
    ------- stderr -------
    Nothing new to define.
    $ lsdef all -i bmc,mgt,mtm,serial -c
    node-10-79-0-1: bmc=10.79.0.1
    node-10-79-0-1: mgt=ipmi
    node-10-79-0-1: mtm=
    node-10-79-0-1: serial=
    $ rpower all stat
    node-10-79-0-1: off
    $ bmcdiscover --range 10.79.0.1-3 | sort
    10.79.0.1,ipmi,Acme Corp,Anvil 9000,A9K,SN-0001,674523a1-ab89-efcd-a123-$ID
    10.79.0.2,ipmi,Acme Corp,Anvil 9000,A9K,SN-0001,674523a1-ab89-efcd-a123-$ID
    $ bmcdiscover --range 10.79.0.x
    ------- stderr -------
    Error: '10.79.0.x' is no range of IPv4 addresses
    Hint: it takes 10.0.0.1-254, 10.0.0.9-10.0.1.20 or 10.1.0.0/24, several by comma
    [exit status: 2]
    "#);
}

#[test]
fn who_is_not_let_in_is_told_what_anyone_is() {
    let mut lab = lab();
    let bmcs = lab.simulated_bmcs();
    bmcs.change(Ipv4Addr::new(10, 78, 0, 2), |machine| machine.password = "other".into());
    bmcs.fault(Ipv4Addr::new(10, 78, 0, 3), Some(Fault::Dead));
    bmcs.fault(Ipv4Addr::new(10, 78, 0, 4), Some(Fault::Garbage));
    bmcs.fault(Ipv4Addr::new(10, 78, 0, 5), Some(Fault::Deaf(2)));
    let found = lab.run_with_stdin("bmcdiscover --range 10.78.0.1-5 -u admin -w", "secret\n");
    assert_snapshot!(found.sorted(), @"
    10.78.0.1,ipmi,Intel,,,,2d62616c-6d62-2d63-6c61-$ID
    10.78.0.2,ipmi,,,,,2d62616c-6d62-2d63-6c61-$ID
    10.78.0.5,ipmi,Intel,,,,2d62616c-6d62-2d63-6c61-$ID
    3 object definitions have been created or modified.
    ------- stderr -------
    Warning: 10.78.0.2: BMC 10.78.0.2: wrong password for user 'admin'
    ");
    // The account that was typed belongs to those that let us in.
    assert_snapshot!(lab.run("tabdump ipmi"), @r#"
    #node,bmc,bmcport,taggedvlan,bmcid,username,password,comments,disable
    "node-10-78-0-1","10.78.0.1",,,,"admin","secret",,
    "node-10-78-0-2","10.78.0.2",,,,,,,
    "node-10-78-0-5","10.78.0.5",,,,"admin","secret",,
    "#);
}

#[test]
fn thousands_are_asked_together() {
    let mut lab = lab();
    let bmcs = lab.simulated_bmcs();
    for number in 0..2048_u32 {
        bmcs.fault(Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 78, 8, 0)) + number), Some(Fault::Dead));
    }
    let start = Instant::now();
    let found = lab.run("bmcdiscover --range 10.78.0.0/20").success();
    let took = start.elapsed();
    assert_eq!(found.lines().count(), 2047);
    // Dead ones take two seconds, all at once.
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn the_emulator_of_others_is_found() {
    let lab = lab().emulated();
    assert_snapshot!(session(&lab, "
        bmcdiscover --range 10.79.1.1-2
        chtab key=redfish passwd.username=admin passwd.password=secret
        bmcdiscover --range 10.79.1.1 -w
        lsdef node-10-79-1-1 -i bmc,mgt,bmcusername,hwtype -c
        rpower node-10-79-1-1 stat
        bmcdiscover --range 10.79.1.1 -w
        bmcdiscover --range 10.79.1.1 --anonymous -z
        bmcdiscover --range 10.79.1.1 --mgt ipmi
        bmcdiscover --range 10.79.1.1 --mgt ssh
    "), @"
    $ bmcdiscover --range 10.79.1.1-2
    10.79.1.1,redfish,,,,,85775665-c110-4b85-8989-$ID
    $ chtab key=redfish passwd.username=admin passwd.password=secret
    $ bmcdiscover --range 10.79.1.1 -w
    10.79.1.1,redfish,,,,,85775665-c110-4b85-8989-$ID
    1 object definitions have been created or modified.
    ------- stderr -------
    Not logged in to BMCs that would be told the password by Redfish and whose certificates are not known: 1. With -u they are told.
    $ lsdef node-10-79-1-1 -i bmc,mgt,bmcusername,hwtype -c
    node-10-79-1-1: bmc=10.79.1.1
    node-10-79-1-1: bmcusername=
    node-10-79-1-1: hwtype=bmc
    node-10-79-1-1: mgt=redfish
    $ rpower node-10-79-1-1 stat
    node-10-79-1-1: off
    $ bmcdiscover --range 10.79.1.1 -w
    10.79.1.1,redfish,Sushy Emulator,,,,a1234567-89ab-4def-8123-$ID
    ------- stderr -------
    Nothing new to define.
    $ bmcdiscover --range 10.79.1.1 --anonymous -z
    node-10-79-1-1:
        objtype=node
        groups=all
        bmc=10.79.1.1
        hwtype=bmc
        mgt=redfish
        nodetype=mp

    $ bmcdiscover --range 10.79.1.1 --mgt ipmi
    $ bmcdiscover --range 10.79.1.1 --mgt ssh
    ------- stderr -------
    Error: no BMC is found by 'ssh'
    Hint: it takes ipmi, redfish
    [exit status: 2]
    ");
}

#[test]
fn strangers_that_speak_redfish_are_told_no_password() {
    let mut lab = lab();
    let (by_ipmi, by_redfish) = (lab.simulated_bmcs(), lab.redfish_bmcs());
    let at = |number| Ipv4Addr::new(10, 78, 0, number);
    for number in 2..=7 {
        by_ipmi.fault(at(number), Some(Fault::Dead));
    }
    let bad =
        [RedfishFault::Absent, RedfishFault::Mute, RedfishFault::Garbage, RedfishFault::Deep, RedfishFault::Endless];
    for (number, fault) in (3..).zip(bad) {
        by_redfish.fault(at(number), Some(fault));
    }
    by_redfish.fault(at(8), Some(RedfishFault::Absent));
    lab.run("chtab key=ipmi passwd.username=admin passwd.password=secret").success();
    let start = Instant::now();
    assert_snapshot!(lab.run("bmcdiscover --range 10.78.0.1-8").sorted(), @"
    10.78.0.1,ipmi+redfish,Intel,,,,2d62616c-6d62-2d63-6c61-$ID
    10.78.0.2,redfish,Acme,,,,b0000000-0000-4000-8000-$ID
    10.78.0.8,ipmi,Intel,,,,2d62616c-6d62-2d63-6c61-$ID
    ------- stderr -------
    Not logged in to BMCs that would be told the password by Redfish and whose certificates are not known: 1. With -u they are told.
    ");
    // Who is silent has its limit, and those beside it are not waited for.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    for number in 1..=2 {
        assert_eq!(by_redfish.machine(at(number)).heard, ["GET /redfish/v1/"]);
    }
    // Unless that was asked for; who answers is not known by it either.
    by_redfish.change(at(1), |machine| machine.password = "other".into());
    let found = lab.run_with_stdin("bmcdiscover --range 10.78.0.1-2 --mgt redfish -u admin -w", "secret\n");
    assert_snapshot!(found.sorted(), @"
    10.78.0.1,redfish,Acme,,,,b0000000-0000-4000-8000-$ID
    10.78.0.2,redfish,Acme Corp,,Anvil 9000,SN-0001,a1234567-89ab-4def-8123-$ID
    2 object definitions have been created or modified.
    ------- stderr -------
    Warning: 10.78.0.1: BMC 10.78.0.1: it does not let in user 'admin': user or password is wrong
    ");
    assert_snapshot!(lab.run("tabdump ipmi"), @r#"
    #node,bmc,bmcport,taggedvlan,bmcid,username,password,comments,disable
    "node-10-78-0-1","10.78.0.1",,,,,,,
    "node-anvil-9000-sn-0001","10.78.0.2",,,,"admin","secret",,
    "#);
    let pins = lab.state().join("bmcs");
    assert!(!pins.exists());
    // Who was known by another certificate is told nothing more, whoever asks.
    std::fs::create_dir_all(&pins).unwrap();
    std::fs::write(pins.join("10.78.0.2:443"), "sha256:00\n").unwrap();
    let before = by_redfish.machine(at(2)).heard.len();
    let run = lab.run_with_stdin("bmcdiscover --range 10.78.0.2 -u admin", "secret\n");
    assert!(run.stdout.starts_with("10.78.0.2,redfish,Acme,,,,"), "{run}");
    assert!(run.stderr.contains("its certificate has changed"), "{run}");
    assert_eq!(by_redfish.machine(at(2)).heard[before..], ["GET /redfish/v1/"]);
}
