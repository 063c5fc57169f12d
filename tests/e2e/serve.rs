//! `xcrane serve` with the DHCP clients that people have.

use std::time::Duration;

use ::lab::{Lab, Running};
use insta::assert_snapshot;

use crate::lab;

const LIMIT: Duration = Duration::from_secs(60);
const N1: &str = "52:54:00:77:00:01";
const STRANGER: &str = "52:54:00:77:00:aa";

/// A lab with a defined network and node n1.
fn site() -> Lab {
    let lab = lab().network();
    lab.run(
        "mkdef -t network cluster net=10.77.0.0 mask=255.255.255.0 gateway=10.77.0.1 domain=cluster.org \
         nameservers='<xcatmaster>' dynamicrange=10.77.0.200-10.77.0.220 mtu=1400",
    )
    .success();
    lab.run(&format!("mkdef n1 groups=all mac={N1} ip=10.77.0.9")).success();
    lab
}

fn serve(lab: &Lab, more: &str) -> Running {
    let mut daemon = lab.spawn(&format!("xcrane serve --interface br0 {more}"));
    daemon.expect_error("ready", LIMIT);
    daemon
}

#[test]
fn clients_have_what_the_tables_say_at_that_moment() {
    let lab = site();
    let daemon = serve(&lab, "");
    let n1 = lab.client(N1);
    n1.udhcpc(&["-O", "hostname", "-O", "mtu"]).success();
    assert_eq!(n1.address(), "10.77.0.9/24");
    assert_snapshot!(n1.told(), @"
    broadcast=10.77.0.255
    dns=10.77.0.254
    domain=cluster.org
    hostname=n1
    ip=10.77.0.9
    lease=43200
    mask=24
    mtu=1400
    router=10.77.0.1
    serverid=10.77.0.254
    subnet=255.255.255.0
    ");
    lab.run("chdef n1 ip=10.77.0.10").success();
    n1.udhcpc(&[]).success();
    assert_eq!(n1.address(), "10.77.0.10/24");

    let stranger = lab.client(STRANGER);
    stranger.udhcpc(&[]).success();
    assert_eq!(stranger.address(), "10.77.0.200/24");
    lab.run("chdef -t network cluster dynamicrange=").success();
    let refused = stranger.udhcpc(&["-t", "1"]);
    assert!(refused.code != 0 && stranger.address().is_empty(), "{refused}");
    let wire = lab.client_on_wire(N1);
    assert!(wire.udhcpc(&["-t", "1"]).code != 0, "another wire is not served");

    daemon.terminate();
    let ended = daemon.wait(LIMIT);
    assert_eq!(ended.code, 0, "{ended}");
}

#[test]
fn leases_outlive_a_killed_daemon() {
    let lab = site();
    let daemon = serve(&lab, "--services dhcp");
    let clients = ["aa", "bb"].map(|last| lab.client(&format!("52:54:00:77:00:{last}")));
    for (client, address) in clients.iter().zip(["10.77.0.200/24", "10.77.0.201/24"]) {
        client.dhclient().success();
        assert_eq!(client.address(), address);
    }
    // What it needed to begin is gone: a daemon that is taken over can do little.
    let status = lab.shell(&format!("grep -E '^(CapPrm|CapEff|NoNewPrivs)' /proc/{}/status", daemon.pid())).success();
    assert_snapshot!(status.replace('\t', " "), @"
    CapPrm: 0000000000000000
    CapEff: 0000000000000000
    NoNewPrivs: 1
    ");
    daemon.kill();
    drop(daemon);
    assert_snapshot!(lab.run("tabdump lease").success().replace(|digit: char| digit.is_ascii_digit(), "0"), @r#"
    #ip,mac,until,client,comments,disable
    "00.00.0.000","00:00:00:00:00:aa","0000000000",,,
    "00.00.0.000","00:00:00:00:00:bb","0000000000",,,
    "#);

    let _daemon = serve(&lab, "--services dhcp");
    let third = lab.client("52:54:00:77:00:cc");
    third.udhcpc(&[]).success();
    assert_eq!(third.address(), "10.77.0.202/24");
    // The client remembers its lease and asks for that address only.
    let second = clients[1].dhclient();
    assert!(!second.stderr.contains("DHCPDISCOVER"), "{second}");
    assert_eq!(clients[1].address(), "10.77.0.201/24");
    // It is told that this is not its address any more, and does not wait until the lease ends.
    lab.run("mkdef n2 groups=all mac=52:54:00:77:00:bb ip=10.77.0.20").success();
    let moved = clients[1].dhclient();
    assert!(moved.stderr.contains("DHCPNAK"), "{moved}");
    assert_eq!(clients[1].address(), "10.77.0.20/24");
}

#[test]
fn a_router_solicitation_is_answered_with_no_router() {
    let lab = site();
    let _daemon = serve(&lab, "--services ra");
    let client = lab.client(STRANGER);
    // The kernel asks for a router by itself when the port comes up, and counts what it hears.
    let heard = "for try in $(seq 300); do
        grep -q '^Icmp6InRouterAdvertisements[[:space:]]*[1-9]' /proc/net/snmp6 && break; sleep 0.1
    done; awk '$1 == \"Icmp6InRouterAdvertisements\" {print ($2 > 0)}' /proc/net/snmp6; ip -6 route show default";
    assert_eq!(client.shell(heard).success(), "1", "it hears of a router, and has none");
}

#[test]
fn what_cannot_be_served_is_said_before_anything_is() {
    let lab = site();
    assert_snapshot!(lab.run("xcrane serve"), @"
    ------- stderr -------
    Error: no interface is named, and answers go out on no others
    Hint: xcrane serve --interface eth1, or chdef -t site dhcpinterfaces=eth1
    [exit status: 1]
    ");
    lab.run("chdef -t site dhcpinterfaces=nowhere0").success();
    assert_snapshot!(lab.run("xcrane serve"), @"
    ------- stderr -------
    Error: cannot serve dhcp on interface nowhere0: it is not there, or has no IPv4 address
    [exit status: 1]
    ");
    let _daemon = serve(&lab, "");
    let second = lab.run("xcrane serve -i br0");
    assert!(second.stderr.contains("another DHCP server runs on this machine"), "{second}");
}
