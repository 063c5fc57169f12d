//! `rspconfig` on real BMCs with ipmitool as the second opinion, and on simulated ones that move or lie.

use std::net::Ipv4Addr;

use ::lab::{Fault, Lab};
use insta::assert_snapshot;

use crate::bmcs::without_counts;
use crate::{lab, session};

fn define(lab: &Lab, bmc: &str) {
    lab.run(&format!("mkdef n1 groups=all mgt=ipmi bmc={bmc} bmcusername=admin bmcpassword=secret")).success();
}

#[test]
fn a_real_bmc_has_another_network_or_keeps_its_own() {
    let lab = lab().servers(1);
    define(&lab, "10.79.0.1");
    // A BMC of the lab stays where it is, whatever its address is said to be: nobody is found at the new one.
    assert_snapshot!(without_counts(session(&lab, "
        rspconfig n1
        rspconfig n1 netmask=255.255.0.0 gateway=10.79.0.254
        rspconfig n1 gateway=10.80.0.1
        chdef -t site connecttimeout=1
        rspconfig n1 ip=10.79.0.77
        rspconfig n1 --json
        lsdef n1 -i bmc -c
    ")), @r#"
    $ rspconfig n1
    n1: BMC IP: 10.79.0.1
    n1: BMC Netmask: 255.255.255.0
    n1: BMC Gateway: 0.0.0.0
    n1: BMC VLAN ID: disabled
    $ rspconfig n1 netmask=255.255.0.0 gateway=10.79.0.254
    n1: BMC Netmask: 255.255.0.0
    n1: BMC Gateway: 10.79.0.254
    $ rspconfig n1 gateway=10.80.0.1
    ------- stderr -------
    n1: Error: BMC 10.79.0.1: cannot change its network: gateway 10.80.0.1 is not in the network of 10.79.0.1/255.255.0.0
    [exit status: 1]
    $ chdef -t site connecttimeout=1
    1 object definitions have been created or modified.
    $ rspconfig n1 ip=10.79.0.77
    ------- stderr -------
    n1: Error: BMC 10.79.0.1: cannot change its network: cannot reach BMC 10.79.0.77: no answer to N requests in 0.7 s; it is as it was
    [exit status: 1]
    $ rspconfig n1 --json
    {"node":"n1","answer":{"ip":"10.79.0.1","fixed":true,"netmask":"255.255.0.0","gateway":"10.79.0.254","vlan":null}}
    $ lsdef n1 -i bmc -c
    n1: bmc=10.79.0.1
    "#);
    let seen = lab.server(1).ipmitool("lan print 1").success();
    for line in [
        "IP Address              : 10.79.0.1",
        "Subnet Mask             : 255.255.0.0",
        "Default Gateway IP      : 10.79.0.254",
    ] {
        assert!(seen.contains(line), "{line} is not in {seen}");
    }
}

#[test]
fn a_real_bmc_has_other_users_and_passwords() {
    let lab = lab().servers(1);
    define(&lab, "10.79.0.1");
    assert_snapshot!(lab.run("rspconfig n1 users"), @"
    n1: BMC User 2: admin administrator enabled
    n1: BMC User 3: guest user enabled
    ");
    assert_eq!(
        lab.run_with_stdin("rspconfig n1 password", "better\n").to_string(),
        "n1: BMC password of admin: changed\n"
    );
    assert_eq!(lab.run("rpower n1 stat").to_string(), "n1: off\n");
    let tool = |user: &str, password: &str, line: &str| {
        lab.shell(&format!("ipmitool -I lanplus -C 3 -H 10.79.0.1 -U {user} -P {password} {line}"))
    };
    assert_eq!(tool("admin", "better", "power status").success(), "Chassis Power is off");
    assert_ne!(tool("admin", "secret", "power status").code, 0);
    assert_eq!(
        lab.run_with_stdin("rspconfig n1 username=ada password", "sesame\n").to_string(),
        "n1: BMC password of ada: changed\n"
    );
    assert_eq!(tool("ada", "sesame", "power status").success(), "Chassis Power is off");
    assert_snapshot!(session(&lab, "
        rspconfig n1 users
        rspconfig n1 password=x
        echo 123456789012345678901 | rspconfig n1 password
        echo x | rspconfig n1 userid=2 username=ada password
        tabdump ipmi
        deflog | tail -n 1
    "), @r#"
    $ rspconfig n1 users
    n1: BMC User 2: admin administrator enabled
    n1: BMC User 3: guest user enabled
    n1: BMC User 4: ada administrator enabled
    $ rspconfig n1 password=x
    ------- stderr -------
    Error: a password on the command line is seen by every user of this machine
    Hint: write password alone: it is asked for, or read from standard input
    [exit status: 2]
    $ echo 123456789012345678901 | rspconfig n1 password
    ------- stderr -------
    n1: Error: attribute 'bmcpassword': has 21 bytes, and IPMI allows 20
    [exit status: 1]
    $ echo x | rspconfig n1 userid=2 username=ada password
    ------- stderr -------
    n1: Error: BMC 10.79.0.1: cannot change a user: 'ada' is user 4 already
    [exit status: 1]
    $ tabdump ipmi
    #node,bmc,bmcport,taggedvlan,bmcid,username,password,comments,disable
    "n1","10.79.0.1",,,,"admin","better",,
    $ deflog | tail -n 1
    2 $TIME root 1 row: xcrane rspconfig n1 password
    "#);
}

#[test]
fn a_bmc_that_moves_is_followed() {
    let mut lab = lab();
    let bmcs = lab.simulated_bmcs();
    define(&lab, "10.78.0.1");
    bmcs.change(Ipv4Addr::new(10, 78, 0, 1), |machine| machine.network.source = 2);
    bmcs.fault(Ipv4Addr::new(10, 78, 3, 3), Some(Fault::Dead));
    lab.run("mkdef n2 groups=all mgt=ipmi bmc=10.78.0.9").success();
    lab.run("mkdef n3 groups=all mgt=ipmi bmc=n3-bmc").success();
    lab.run("mkdef n3-bmc groups=bmcs ip=10.78.0.8").success();
    lab.run("chdef -t site connecttimeout=1").success();
    assert_snapshot!(session(&lab, "
        rspconfig n1 ip
        rspconfig n1 ip=10.78.0.2
        rspconfig n1 ip=10.78.0.9
        rspconfig n1 ip=10.78.0.8
        rspconfig n1 ip=10.78.255.255
        rspconfig n1 ip=10.78.3.3 netmask=255.255.255.0 vlan=7
        lsdef n1 -i bmc -c
        rpower n1 on
        rspconfig n1 vlan
        rspconfig n1 vlan=off
        rspconfig n1 ip=10.99.0.1
        rpower n1 stat
        chdef n1 bmc=10.78.0.1
        rspconfig n1 ip=10.78.3.3
        lsdef n1 -i bmc -c
    "), @"
    $ rspconfig n1 ip
    n1: BMC IP: 10.78.0.1 (not fixed)
    $ rspconfig n1 ip=10.78.0.2
    ------- stderr -------
    n1: Error: BMC 10.78.0.1: cannot change its network: a BMC answers at 10.78.0.2 already
    [exit status: 1]
    $ rspconfig n1 ip=10.78.0.9
    ------- stderr -------
    Error: ip=10.78.0.9: the BMC of n2 is said to be there
    Hint: where it is: lsdef n2 -i bmc
    [exit status: 2]
    $ rspconfig n1 ip=10.78.0.8
    ------- stderr -------
    Error: ip=10.78.0.8: the BMC of n3 is said to be there
    Hint: where it is: lsdef n3 -i bmc
    [exit status: 2]
    $ rspconfig n1 ip=10.78.255.255
    ------- stderr -------
    n1: Error: BMC 10.78.0.1: cannot change its network: 10.78.255.255 is the broadcast address of its network
    [exit status: 1]
    $ rspconfig n1 ip=10.78.3.3 netmask=255.255.255.0 vlan=7
    n1: BMC IP: 10.78.3.3
    n1: BMC Netmask: 255.255.255.0
    n1: BMC VLAN ID: 7
    $ lsdef n1 -i bmc -c
    n1: bmc=10.78.3.3
    $ rpower n1 on
    n1: on
    $ rspconfig n1 vlan
    n1: BMC VLAN ID: 7
    $ rspconfig n1 vlan=off
    n1: BMC VLAN ID: disabled
    $ rspconfig n1 ip=10.99.0.1
    ------- stderr -------
    n1: Error: BMC 10.78.3.3: cannot change its network: cannot reach BMC 10.99.0.1: Network is unreachable (os error 101)
    [exit status: 1]
    $ rpower n1 stat
    n1: on
    $ chdef n1 bmc=10.78.0.1
    1 object definitions have been created or modified.
    $ rspconfig n1 ip=10.78.3.3
    n1: BMC IP: 10.78.3.3
    $ lsdef n1 -i bmc -c
    n1: bmc=10.78.3.3
    ");
    assert_eq!(bmcs.machine(Ipv4Addr::new(10, 78, 3, 3)).network.source, 1);
}

#[test]
fn what_a_bmc_does_not_keep_is_put_back() {
    let mut lab = lab().env("XCRANE_LOG", "trace");
    let bmcs = lab.simulated_bmcs();
    define(&lab, "10.78.0.1");
    lab.run("chdef -t site connecttimeout=1").success();
    let address = Ipv4Addr::new(10, 78, 0, 1);
    bmcs.fault(address, Some(Fault::Forgetful));
    let run = lab.run_with_stdin("rspconfig n1 password", "hunter2\n");
    assert!(run.stderr.contains("n1: Error: BMC 10.78.0.1: cannot change a user: BMC 10.78.0.1: wrong password for user 'admin'; it is as it was\n"), "{run}");
    assert!(!run.to_string().contains("hunter2") && !run.to_string().contains("secret"), "{run}");
    let run = lab.run("rspconfig n1 gateway=10.78.0.254");
    assert!(run.stderr.contains("it has taken the values and not kept them; it is as it was\n"), "{run}");
    bmcs.fault(address, Some(Fault::EndsSessions { keeps: false }));
    let run = lab.run_with_stdin("rspconfig n1 password", "hunter2\n");
    assert!(run.stderr.contains("wrong password for user 'admin'; it is as it was\n"), "{run}");
    bmcs.fault(address, Some(Fault::EndsSessions { keeps: true }));
    assert_eq!(lab.run_with_stdin("rspconfig n1 password", "sesame\n").stdout, "n1: BMC password of admin: changed\n");
    bmcs.fault(address, None);
    // A run that was killed after the BMC had the new password, and before the tables had it.
    bmcs.change(address, |machine| machine.password = "hunter2".into());
    let run = lab.run_with_stdin("rspconfig n1 password", "hunter2\n");
    assert_eq!(run.stdout, "n1: BMC password of admin: changed\n");
    assert!(!run.to_string().contains("hunter2"), "{run}");
    assert_eq!(lab.run("rpower n1 stat").stdout, "n1: off\n");
}
