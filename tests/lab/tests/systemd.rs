//! Hosts on which systemd is the first process: real units, restarts, packages.

use std::time::Duration;

use lab::{Lab, Run, Wait, Wire, skipped, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

fn ssh(lab: &Lab, address: &str, command: &str) -> Run {
    let options = "-i .ssh/id_ed25519 -o UserKnownHostsFile=.ssh/known_hosts -o BatchMode=yes";
    lab.run(&format!("-c 'ssh {options} root@{address} \"{command}\"'"))
}

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
    assert_eq!(ssh(&lab, "10.77.0.2", "hostname; which dockerd ovs-vsctl iperf3").stdout, "h2\n");
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

#[test]
fn a_bare_host_becomes_a_docker_host_without_the_internet() {
    if skipped("docker") {
        return;
    }
    let lab = Lab::new("/bin/sh").bare_hosts(1);
    let host = lab.host("h1");
    let source = lab.package_source();
    assert_eq!(lab.package_source(), source, "asking twice changes nothing");
    host.shell(&format!("echo 'deb [trusted=yes] {source} ./' >/etc/apt/sources.list && apt-get -q update"));
    let install = "DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install";
    host.shell(&format!("{install} docker.io ifupdown"));
    host.shell(&format!("{install} --simulate openvswitch-switch docker-registry network-manager iperf3"));
    assert_eq!(host.run("systemctl is-active docker containerd").success(), "active\nactive");
    assert_eq!(host.docker("info -f {{.Driver}}").success(), "overlay2");
    host.reboot();
    wait_for("the engine", LIMIT, || match host.docker("ps -q") {
        run if run.code == 0 => Wait::Ready(()),
        run => Wait::NotYet(run.to_string()),
    });
    assert!(lab.package_directory().join("Packages").exists());
}

#[test]
fn a_stranger_answers_for_its_address_until_it_leaves() {
    if skipped("docker") {
        return;
    }
    let lab = Lab::new("/bin/sh").hosts(1);
    let host = lab.host("h1");
    host.shell("ip addr add 10.99.0.1/16 dev eth1");
    for (stranger, address) in
        [(lab.stranger("10.77.0.77"), "10.77.0.77"), (lab.stranger_on_wire("10.99.0.9/16"), "10.99.0.9")]
    {
        let ping = format!("ping -q -c 1 -W 5 {address}");
        assert_eq!(host.run(&ping).code, 0, "{address}");
        assert_eq!(host.run(&format!("arping -q -D -c 1 -I eth0 {address}")).code, i32::from(address == "10.77.0.77"));
        assert!(stranger.shell("ip -br addr").contains(address));
        stranger.leave();
        assert_ne!(host.run(&format!("ping -q -c 1 -W 1 {address}")).code, 0, "{address}");
    }
}

#[test]
fn a_wire_is_cut_and_made_narrow_alone() {
    if skipped("docker") {
        return;
    }
    let lab = Lab::new("/bin/sh").systemd_hosts(2);
    let (h1, h2) = (lab.host("h1"), lab.host("h2"));
    h1.shell("ip addr add 10.99.0.1/16 dev eth1");
    h2.shell("ip addr add 10.99.0.2/16 dev eth1");
    let reached = |size: u16, address: &str| h1.run(&format!("ping -q -c 1 -W 2 -M do -s {size} {address}")).code == 0;
    assert!(reached(1472, "10.99.0.2") && reached(1472, "10.77.0.2"));
    h2.mtu(Wire::Second, 1400);
    assert!(reached(1372, "10.99.0.2") && !reached(1472, "10.99.0.2") && reached(1472, "10.77.0.2"));
    h2.cut_wire();
    assert!(!reached(56, "10.99.0.2") && reached(56, "10.77.0.2"));
    h2.heal();
    assert!(reached(56, "10.99.0.2"));

    h1.stop_engine();
    assert_eq!(h1.run("systemctl is-active docker docker.socket").stdout, "inactive\ninactive\n");
    h1.start_engine();
    h1.hang_engine();
    assert_eq!(h1.run("timeout 1 docker ps").code, 124);
    h1.heal();
    assert_eq!(h1.docker("ps -q").code, 0);
    h1.fill_disk();
    assert!(h1.docker("run --rm busybox:lab dd if=/dev/zero of=/big bs=1M count=1").stderr.contains("no space left"));
}

#[test]
fn a_host_can_have_its_addresses_from_its_own_files() {
    if skipped("docker") {
        return;
    }
    let lab = Lab::new("/bin/sh").bare_hosts(1);
    let host = lab.host("h1");
    let network = "[Match]\nName=eth0\n[Network]\nAddress=10.77.0.1/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n";
    host.shell(&format!("printf '{network}' >/etc/systemd/network/eth0.network; systemctl enable systemd-networkd"));
    host.addresses_itself();
    host.reboot();
    let managed = host.run("networkctl status eth0 --no-pager").success();
    assert!(managed.contains("routable (configured)"), "{managed}");
    assert_eq!(ssh(&lab, "10.77.0.1", "hostname").success(), "h1");
    assert_eq!(host.run("ip -br addr show eth1").stdout.split_whitespace().nth(1), Some("DOWN"));
}
