//! `rspconfig` on BMCs that speak Redfish: they move, lie, forget, and drop whoever was logged in with a former password.

use std::net::Ipv4Addr;

use ::lab::{Lab, RedfishFault as Fault, RedfishUser};
use insta::assert_snapshot;

use crate::{lab, session};

fn define(lab: &Lab) {
    lab.run("mkdef n1 groups=all mgt=redfish bmc=10.78.0.1 bmcusername=admin bmcpassword=secret").success();
    lab.run("chdef -t site connecttimeout=1").success();
}

fn user(name: &str, role: &str) -> RedfishUser {
    RedfishUser { name: name.into(), password: "guess".into(), role: role.into(), enabled: !name.is_empty() }
}

const FIRST: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);

#[test]
fn users_and_passwords_are_changed_or_left() {
    let mut lab = lab().env("XCRANE_LOG", "trace");
    let bmcs = lab.redfish_bmcs();
    define(&lab);
    bmcs.change(FIRST, |machine| machine.controller.users.push(user("guest", "ReadOnly")));
    assert_eq!(
        lab.run("rspconfig n1 users").stdout,
        "n1: BMC User 1: admin Administrator enabled\nn1: BMC User 2: guest ReadOnly enabled\n"
    );
    let change = |line: &str, password: &str| {
        let run = lab.run_with_stdin(line, &format!("{password}\n"));
        assert!(!run.to_string().contains(password) && !run.to_string().contains("secret"), "{run}");
        run
    };
    // Everybody who was logged in is thrown out by it.
    assert_eq!(change("rspconfig n1 password", "hunter2").stdout, "n1: BMC password of admin: changed\n");
    assert_eq!(bmcs.machine(FIRST).password, "hunter2");
    assert_eq!(lab.run("rpower n1 stat").stdout, "n1: off\n");
    assert_eq!(change("rspconfig n1 username=ada password", "sesame").stdout, "n1: BMC password of ada: changed\n");
    assert_eq!(lab.run("rspconfig n1 users").stdout.lines().last(), Some("n1: BMC User 3: ada Administrator enabled"));
    // By a place, where there are places.
    bmcs.change(FIRST, |machine| {
        machine.controller.users.truncate(1);
        machine.controller.users.push(user("", ""));
        machine.controller.has_places = true;
    });
    assert_eq!(change("rspconfig n1 username=eve password", "sesame").stdout, "n1: BMC password of eve: changed\n");
    assert_eq!(bmcs.machine(FIRST).controller.users[1].name, "eve");
    let run = change("rspconfig n1 userid=2 username=eve password", "sesame");
    assert!(run.stderr.contains("cannot change a user: 'eve' is user 3 already\n"), "{run}");
    bmcs.fault(FIRST, Some(Fault::Picky));
    let run = change("rspconfig n1 password", "other77");
    assert!(run.stderr.contains(r#"too weak: {"Password":"***"}; it is as it was"#), "{run}");
    bmcs.fault(FIRST, Some(Fault::Forgetful));
    let run = change("rspconfig n1 password", "other77");
    assert!(
        run.stderr.contains("it does not let in user 'admin': user or password is wrong; it is as it was\n"),
        "{run}"
    );
    bmcs.fault(FIRST, None);
    // A run that was killed after the BMC had the new password, and before the tables had it.
    bmcs.change(FIRST, |machine| machine.password = "other77".into());
    assert_eq!(change("rspconfig n1 password", "other77").stdout, "n1: BMC password of admin: changed\n");
    assert_eq!(lab.run("rpower n1 stat").stdout, "n1: off\n");
}

#[test]
fn a_bmc_that_moves_is_followed_by_its_certificate() {
    let mut lab = lab();
    let bmcs = lab.redfish_bmcs();
    define(&lab);
    for there in [[10, 78, 3, 3], [10, 78, 3, 4]] {
        bmcs.fault(there.into(), Some(Fault::Absent));
    }
    bmcs.change(FIRST, |machine| machine.controller.is_given = true);
    assert_snapshot!(session(&lab, "
        rspconfig n1
        rspconfig n1 ip=10.78.0.2
        rspconfig n1 gateway=10.80.0.1
        rspconfig n1 ip=10.78.3.3 netmask=255.255.255.0 vlan=7
        lsdef n1 -i bmc -c
        rpower n1 on
        rspconfig n1 vlan=off gateway=10.78.3.1
        rspconfig n1 --json
        chdef n1 bmc=10.78.0.1
        rspconfig n1 ip=10.78.3.3
        lsdef n1 -i bmc -c
    "), @r#"
    $ rspconfig n1
    n1: BMC IP: 10.78.0.1 (not fixed)
    n1: BMC Netmask: 255.255.0.0
    n1: BMC Gateway: 0.0.0.0
    n1: BMC VLAN ID: disabled
    $ rspconfig n1 ip=10.78.0.2
    ------- stderr -------
    n1: Error: BMC 10.78.0.1: cannot change its network: a BMC answers at 10.78.0.2 already
    [exit status: 1]
    $ rspconfig n1 gateway=10.80.0.1
    ------- stderr -------
    n1: Error: BMC 10.78.0.1: cannot change its network: gateway 10.80.0.1 is not in the network of 10.78.0.1/255.255.0.0
    [exit status: 1]
    $ rspconfig n1 ip=10.78.3.3 netmask=255.255.255.0 vlan=7
    n1: BMC IP: 10.78.3.3
    n1: BMC Netmask: 255.255.255.0
    n1: BMC VLAN ID: 7
    $ lsdef n1 -i bmc -c
    n1: bmc=10.78.3.3
    $ rpower n1 on
    n1: on
    $ rspconfig n1 vlan=off gateway=10.78.3.1
    n1: BMC Gateway: 10.78.3.1
    n1: BMC VLAN ID: disabled
    $ rspconfig n1 --json
    {"node":"n1","answer":{"ip":"10.78.3.3","fixed":true,"netmask":"255.255.255.0","gateway":"10.78.3.1","vlan":null}}
    $ chdef n1 bmc=10.78.0.1
    1 object definitions have been created or modified.
    $ rspconfig n1 ip=10.78.3.3
    n1: BMC IP: 10.78.3.3
    $ lsdef n1 -i bmc -c
    n1: bmc=10.78.3.3
    "#);
    // The pin has moved along, and nobody was pinned at the address that was taken.
    let pins: Vec<_> =
        std::fs::read_dir(lab.state().join("bmcs")).unwrap().map(|pin| pin.unwrap().file_name()).collect();
    assert_eq!(pins, ["10.78.3.3:443"]);
    let there = Ipv4Addr::new(10, 78, 3, 3);
    bmcs.change(there, |machine| machine.controller.is_newer = false);
    assert_eq!(lab.run("rspconfig n1 ip=10.78.3.4").stdout, "n1: BMC IP: 10.78.3.4\n");
    bmcs.fault(Ipv4Addr::new(10, 78, 3, 4), Some(Fault::Forgetful));
    let run = lab.run("rspconfig n1 gateway=10.78.3.254");
    assert!(run.stderr.contains("it has taken the values and not kept them; it is as it was\n"), "{run}");
}
