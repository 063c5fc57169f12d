//! Devices on real hosts that have the names of ours: those of others are refused by name and never taken away, those that
//! we made before devices had marks are ours.

use insta::assert_snapshot;

use crate::mknet::{await_reach, lab_with_blue, traces};

/// What mknet left on a host before it marked devices, in short.
const OLD_SCRIPT: &str = "cat >/etc/xcrane/networks/blue <<'END'
#!/bin/sh
case ${1-} in
down) ip link del vx5972525; ip link del br-blue; iptables -w -D FORWARD -i br-blue -o br-blue -j ACCEPT ;;
esac
END
ip link set br-blue alias ''
ip link set vx5972525 alias ''";

#[test]
fn what_others_have_made_is_refused_by_name_and_stays() {
    let lab = lab_with_blue(2, 2);
    let host = lab.host("h2");
    host.shell("ip link add br-blue type bridge && ip link set br-blue up");
    assert_snapshot!(lab.run("mknet blue"), @"
    ------- stderr -------
    h2: Error: blue: br-blue is there and is not of this network; what others have made is not touched
    Hint: take it away there (ip link del, ovs-vsctl del-br), or choose other names: a bridge has the network's, a tunnel that of attribute vni
    Error: nothing was done: it cannot be done on h2
    [exit status: 1]
    ");
    assert_eq!(traces(&lab, "h1"), "");
    lab.run("rmnet blue").success();
    assert_eq!(host.shell("ls -d /sys/class/net/br-blue").trim(), "/sys/class/net/br-blue");
    host.shell("ip link del br-blue; ip link add vx5972525 type vxlan id 5972525 dstport 4789 local 10.77.0.2");
    let run = lab.run("mknet blue");
    assert!(run.stderr.contains("h2: Error: blue: vx5972525 is there and is not of this network"), "{run}");
    assert_eq!(lab.run("mknet blue vni=77 -b").to_string(), "h[1-2]: blue: made\n");
    // Somebody puts a device of his own in the place of ours.
    host.shell("ip link del vx77; ip link add vx77 type vxlan id 77 dstport 4790 local 10.77.0.2");
    let run = lab.run("mknet blue");
    assert!(run.code == 1 && run.stderr.contains("h2: Error: blue: vx77 is there"), "{run}");
    lab.run("rmnet blue").success();
    assert_eq!(host.shell("ls /sys/class/net | grep -E '^(br-blue|vx)'"), "vx5972525\nvx77\n");
    assert_eq!(host.shell("find /run/xcrane /etc/xcrane 2>/dev/null || :"), "");
}

#[test]
fn a_switch_of_others_is_refused_by_name_and_stays() {
    let lab = lab_with_blue(1, 1);
    let host = lab.host("h1");
    host.shell(
        "systemctl start openvswitch-switch && ovs-vsctl add-br ovs-eth1 -- set bridge ovs-eth1 datapath_type=netdev",
    );
    let line = "mknet blue driver=ovs uplink=eth1 vlanid=20";
    let run = lab.run(line);
    assert!(run.code == 1 && run.stderr.contains("h1: Error: blue: ovs-eth1 is there"), "{run}");
    lab.run("rmnet blue").success();
    assert_eq!(host.shell("ovs-vsctl list-br"), "ovs-eth1\n");
    host.shell("ovs-vsctl del-br ovs-eth1");
    lab.run(line).success();
    lab.run("mkdef -t network red driver=ovs uplink=eth1 vlanid=21 net=10.81.0.0 mask=/16 hosts=h1").success();
    lab.run("mknet red").success();
    lab.run("rmnet blue").success();
    assert_eq!(host.shell("ovs-vsctl list-br"), "ovs-eth1\n", "the switch of another network was taken away");
    lab.run("rmnet red").success();
    assert_eq!(host.shell("ovs-vsctl list-br"), "");
}

#[test]
fn devices_from_before_there_were_marks_are_ours() {
    let lab = lab_with_blue(2, 4);
    lab.run("mknet blue").success();
    lab.run("mkvm all").success();
    lab.run("rpower all on").success();
    lab.host("h1").shell(OLD_SCRIPT);
    assert_snapshot!(lab.run("mknet blue").sorted(), @"
    h1: blue: changed
    h2: blue: unchanged
    ");
    assert_eq!(lab.host("h1").shell("cat /sys/class/net/br-blue/ifalias"), "xcrane-network blue\n");
    await_reach(&lab, &["h1", "h2"], &[1, 2, 3, 4]);
    lab.host("h1").shell(OLD_SCRIPT);
    lab.run("rmvm -f all").success();
    lab.run("rmnet blue").success();
    assert_eq!(traces(&lab, "h1"), "");
}

#[test]
fn the_bridge_that_an_engine_has_made_for_its_network_is_ours() {
    let lab = lab_with_blue(2, 4);
    lab.run("mknet blue").success();
    lab.run("mkvm all").success();
    lab.run("rpower all on").success();
    lab.host("h1").shell("ip link del br-blue; systemctl restart docker; ls -d /sys/class/net/br-blue");
    assert_eq!(lab.run("lsnet blue").code, 0);
    assert_snapshot!(lab.run("mknet blue").sorted(), @"
    h1: blue: changed
    h2: blue: unchanged
    ");
    lab.host("h1").shell("systemctl restart docker");
    await_reach(&lab, &["h1", "h2"], &[1, 2, 3, 4]);
    lab.run("rmvm -f all").success();
    lab.run("rmnet blue").success();
    assert_eq!(traces(&lab, "h1"), "");
}
