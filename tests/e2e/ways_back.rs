//! A change that cuts its host off is taken back by the host, also when its power goes in the middle.

use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};

use crate::lab;

const LIMIT: Duration = Duration::from_secs(120);
const NET: &str = "mknet net driver=bridge uplink=eth0 net=10.80.0.0 mask=255.255.0.0 hosts=h1";
/// An admin's file that comes before ours, by which the bridge gets no address.
const SPOIL: &str =
    "printf '[Match]\\nName=br-net\\n\\n[Network]\\nLinkLocalAddressing=no\\n' >/etc/systemd/network/00-aaa.network";

/// A host that gives itself its address, and gets none when that moves into a bridge.
fn spoilt() -> Lab {
    let lab = lab().systemd_hosts(1).define_hosts();
    let host = lab.host("h1");
    host.shell(
        "printf '[Match]\\nName=eth0\\n\\n[Network]\\nAddress=10.77.0.1/24\\nGateway=10.77.0.254\\n' \
         >/etc/systemd/network/eth0.network && systemctl enable systemd-networkd",
    );
    host.addresses_itself();
    host.reboot();
    host.shell(SPOIL);
    lab
}

#[test]
fn a_bad_change_does_not_outlive_a_power_cut() {
    let lab = spoilt();
    let host = lab.host("h1");
    let running = lab.spawn(NET);
    wait_for("the port has moved", LIMIT, || match host.run("ls -d /sys/class/net/eth0/master") {
        run if run.code == 0 => Wait::Ready(()),
        run => Wait::NotYet(run.to_string()),
    });
    host.power_off();
    let run = running.wait(LIMIT);
    assert_eq!(run.code, 1, "{run}");
    // Waits until it is reached.
    host.power_on();
    wait_for("the host has gone back", LIMIT, || match host.shell("ls /etc/xcrane /sys/class/net").as_str() {
        text if text.contains("undo") || text.contains("br-net") => Wait::NotYet(text.to_owned()),
        _ => Wait::Ready(()),
    });
    assert!(host.shell("ip -o -4 addr show dev eth0").contains("10.77.0.1/24"));
    assert_eq!(host.shell("ls /etc/systemd/network"), "00-aaa.network\neth0.network\n");
    assert_eq!(host.shell("find /etc/systemd/system -name 'xcrane-undo*'"), "");

    host.shell("rm /etc/systemd/network/00-aaa.network");
    // On a busy machine the network is still on its way back when its files are.
    wait_for("the host is reached", LIMIT, || match lab.run("xdsh h1 true") {
        run if run.code == 0 => Wait::Ready(()),
        run => Wait::NotYet(run.to_string()),
    });
    lab.run("mknet net").success();
    assert_eq!(host.shell("ls /etc/xcrane"), "networks\n", "a change that was kept has a way back");
    assert_eq!(host.shell("find /etc/systemd/system -name 'xcrane-undo*'"), "");
    host.reboot();
    assert!(host.shell("ip -o -4 addr show dev br-net").contains("10.77.0.1/24"));
    lab.run("rmnet net").success();
    assert_ne!(host.run("test -e /etc/xcrane").code, 0);
}
