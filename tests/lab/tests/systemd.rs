//! Hosts on which systemd is the first process: real units, restarts, packages.

use std::time::Duration;

use lab::{Lab, Wait, skipped, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_host_keeps_its_files_and_containers_over_a_restart_and_a_power_cut_and_no_network_of_its_own() {
    if skipped("docker") {
        return;
    }
    let lab = Lab::new("/bin/sh").systemd_hosts(1);
    let host = lab.host("h1");
    assert_eq!(host.run("systemctl is-system-running").success(), "running");
    assert_eq!(host.run("systemctl is-enabled openvswitch-switch").stdout, "disabled\n");
    host.docker("run -d --name c1 --restart=always --network cluster --ip 10.100.0.1 busybox:lab").success();
    host.shell("touch /etc/mine && ip link add br9 type bridge && iptables -N MINE");
    host.run("systemctl enable openvswitch-switch").success();

    let restarts: [(&str, &dyn Fn()); 2] = [
        ("restart", &|| host.reboot()),
        ("power cut", &|| {
            host.power_off();
            host.power_on();
        }),
    ];
    for (what, restart) in restarts {
        restart();
        host.shell("test -e /etc/mine && ! ip link show br9 2>/dev/null && ! iptables -S MINE 2>/dev/null");
        wait_for(what, LIMIT, || match host.docker("inspect -f {{.State.Status}} c1").success().as_str() {
            "running" => Wait::Ready(()),
            other => Wait::NotYet(other.to_owned()),
        });
        assert_eq!(host.run("systemctl is-active openvswitch-switch").stdout, "active\n", "after the {what}");
        assert_eq!(host.run("cat /sys/class/net/eth1/address").stdout, "02:4c:00:00:01:01\n", "after the {what}");
    }
}

#[test]
fn a_bare_host_has_an_ssh_server_and_no_engine() {
    if skipped("docker") {
        return;
    }
    let lab = Lab::new("/bin/sh").systemd_hosts(1).bare_hosts(1);
    let options = "-i .ssh/id_ed25519 -o UserKnownHostsFile=.ssh/known_hosts -o BatchMode=yes";
    let run = lab.run(&format!("-c 'ssh {options} root@10.77.0.2 \"hostname; which dockerd ovs-vsctl iperf3\"'"));
    assert_eq!(run.stdout, "h2\n");
    assert_eq!(lab.host("h2").run("systemctl is-system-running").success(), "running");
    lab.host("h2").reboot();
    assert_eq!(lab.host("h1").docker("run --rm busybox:lab ping -q -c 1 -W 5 10.77.0.2").code, 0);
}

#[test]
fn a_light_host_can_be_restarted_too() {
    if skipped("docker") {
        return;
    }
    let lab = Lab::new("/bin/sh").hosts(1);
    let host = lab.host("h1");
    host.shell("touch /etc/mine /run/mine");
    host.reboot();
    host.shell("test -e /etc/mine && ! test -e /run/mine");
}
