//! The DHCP of `xcrane serve` with others in between: a server that gives the addresses, and a relay from another wire.

use std::time::Duration;

use ::lab::{Wait, Wire, wait_for};
use insta::assert_snapshot;

use crate::lab;
use crate::serve::{define_network, serve};

/// Machines are emulated, on one that may be busy: calm, they are there in half a minute.
const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn a_machine_has_the_address_of_the_sites_server_and_boots_from_us() {
    // Its firmware asks as PXE says, and iPXE, which it loads, once more as iPXE.
    let lab = lab().uefi_machines(1);
    define_network(&lab);
    lab.run(&lab.server(1).definition().join(" ")).success();
    lab.run("nodeset m1 boot").success();
    let site = lab.client("52:54:00:77:00:fe");
    site.shell("ip addr add 10.77.0.2/24 dev eth0").success();
    let mut dnsmasq = site.spawn(
        "dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=eth0 --bind-interfaces --no-ping \
         --user=root --pid-file= --log-facility=- --log-dhcp --dhcp-leasefile=/dev/null --dhcp-range=10.77.0.150,10.77.0.160,1h \
         --dhcp-host=52:54:00:77:00:01,10.77.0.101",
    );
    dnsmasq.expect_error("DHCP, IP range 10.77.0.150", LIMIT);
    let mut daemon = serve(&lab, "--proxy");

    lab.run("rpower m1 on").success();
    for _ in ["firmware", "iPXE"] {
        dnsmasq.expect_error("DHCPACK(eth0) 10.77.0.101 52:54:00:77:00:01", LIMIT);
    }
    daemon.expect_error("snponly.efi", LIMIT);
    wait_for("its script", LIMIT, || match lab.run("nodels m1 nodelist.status").stdout {
        shown if shown == "m1: booting\n" => Wait::Ready(()),
        shown => Wait::NotYet(format!("{shown}{}", lab.server(1).console())),
    });
    lab.run("rpower m1 off").success();
    let why = lab.run("bootwhy m1").stdout;
    for stage in ["DHCP, firmware", "loader            snponly.efi, ", "DHCP, iPXE", "script"] {
        assert!(why.contains(stage), "{stage} is not in\n{why}");
    }
    // Of us it has no address.
    assert_snapshot!(lab.run("tabdump lease").success(), @"#ip,mac,until,client,comments,disable");
}

#[test]
fn machines_behind_a_relay_have_their_reservations() {
    let lab = lab().network();
    define_network(&lab);
    lab.run(
        "mkdef -t network far net=10.99.0.0 mask=255.255.255.0 gateway=10.99.0.1 dynamicrange=10.99.0.200-10.99.0.210",
    )
    .success();
    lab.run("mkdef n1 groups=all mac=52:54:00:77:00:01 ip=10.99.0.9").success();
    lab.run("nodeset n1 boot").success();
    // The relay is the router between the two, too, as at sites; it drops answers that do not have its option 82 (-D).
    let router = lab.client("52:54:00:77:00:fe");
    router.join(Wire::Second, "10.99.0.1/24");
    router.shell("ip addr add 10.77.0.2/24 dev eth0 && echo 1 >/proc/sys/net/ipv4/ip_forward").success();
    lab.shell("ip route add 10.99.0.0/24 via 10.77.0.2").success();
    let mut relay = router.spawn("dhcrelay -4 -d --no-pid -a -D -id eth1 -iu eth0 10.77.0.254");
    relay.expect_error("Sending on   LPF/eth1", LIMIT);
    let _daemon = serve(&lab, "");

    let n1 = lab.client_on_wire("52:54:00:77:00:01");
    n1.udhcpc(&["-V", "PXEClient:Arch:00000:UNDI:002001", "-x", "0x5d:0000"]).success();
    assert_eq!(n1.address(), "10.99.0.9/24");
    assert_snapshot!(n1.told(), @"
    boot_file=undionly.kpxe
    broadcast=10.99.0.255
    dns=10.77.0.254
    hostname=n1
    ip=10.99.0.9
    lease=43200
    mask=24
    router=10.99.0.1
    serverid=10.77.0.254
    siaddr=10.77.0.254
    subnet=255.255.255.0
    ");
    n1.shell("ip route add default via 10.99.0.1").success();
    n1.shell("tftp -m binary 10.77.0.254 -c get undionly.kpxe $LEASE.loader && cmp $LEASE.loader /usr/lib/ipxe/undionly.kpxe").success();
    let script = n1.shell("curl -sf http://10.77.0.254/node/52-54-00-77-00-01").success();
    assert!(script.contains("n1 boots from its disk"), "{script}");

    let stranger = lab.client_on_wire("52:54:00:77:00:aa");
    stranger.dhclient().success();
    assert_eq!(stranger.address(), "10.99.0.200/24");
    stranger.dhclient().success();
    assert_eq!(stranger.address(), "10.99.0.200/24");
    assert!(lab.run("tabdump lease").success().contains("10.99.0.200"));
}
