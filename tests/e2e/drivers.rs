//! Networks of every driver on real hosts: containers reach each other at full size, also after restarts, and a host whose
//! own port is moved stays reachable or goes back.

use std::time::Duration;

use lab::{Lab, Wait, wait_for};

use crate::lab;

const LIMIT: Duration = Duration::from_secs(120);
const HOSTS: [&str; 4] = ["h1", "h2", "h3", "h4"];

/// Two on each host; more would fill the one table of neighbours that all hosts of a lab share.
const CONTAINERS: usize = 8;

/// Four hosts with systemd, and containers that are defined on network `net` of 10.80.0.0/16.
fn lab_with_containers() -> Lab {
    let lab = lab().systemd_hosts(4).define_hosts();
    let line = format!(
        "mkdef c[1-{CONTAINERS}] groups=web,all mgt=docker vmhost='|h(($1-1)%4+1)|' image=busybox:lab vmnics=net \
         ip='|\\D+(\\d+)|10.80.1.($1+10)|' dockerrestart=always dockerstoptimeout=1"
    );
    lab.run(&line).success();
    lab
}

fn make(lab: &Lab, definition: &str) {
    lab.run(&format!("mknet net net=10.80.0.0 mask=255.255.0.0 hosts=h[1-4] {definition}")).success();
    lab.run("mkvm web").success();
    lab.run("rpower web on").success();
}

/// Every container asks every other one with the largest packets that the network is said to carry. They leave unbroken
/// or not at all: busybox forbids to break what fits the first port.
fn all_reach_all(lab: &Lab, mtu: u32, when: &str) {
    let others = (1..=CONTAINERS).map(|number| format!("10.80.1.{}", number + 10)).collect::<Vec<_>>().join(" ");
    let script = format!(
        "[ \"$(cat /sys/class/net/eth0/mtu)\" = {mtu} ] || echo the mtu is not {mtu}; \
         for a in {others}; do ping -q -c 1 -W 5 -s {} $a >/dev/null || echo no answer from $a; done",
        mtu - 28
    );
    on_all_hosts(|name| {
        let host = lab.host(name);
        for number in (1..=CONTAINERS).filter(|number| HOSTS[(number - 1) % HOSTS.len()] == name) {
            wait_for(&format!("c{number} reaches all {when}"), LIMIT, || {
                let run = host.run(&format!("docker exec c{number} sh -c '{script}'"));
                if run.code == 0 && run.stdout.is_empty() { Wait::Ready(()) } else { Wait::NotYet(run.to_string()) }
            });
        }
    });
}

fn on_all_hosts(act: impl Fn(&str) + Sync) {
    let act = &act;
    std::thread::scope(|scope| {
        for host in HOSTS {
            scope.spawn(move || act(host));
        }
    });
}

/// Restarts of engines and of hosts; then the network is as it should be without our help.
fn carries_on(lab: &Lab, mtu: u32) {
    all_reach_all(lab, mtu, "at first");
    on_all_hosts(|host| drop(lab.host(host).run("systemctl restart docker").success()));
    all_reach_all(lab, mtu, "after the engines' restart");
    on_all_hosts(|host| lab.host(host).reboot());
    all_reach_all(lab, mtu, "after the hosts' restart");
    assert_eq!(lab.run("mknet net --plan").code, 0, "{}", lab.run("mknet net --plan"));
}

/// Removes containers and network; nothing of the network is left that the kernel knows.
fn leaves_no_trace(lab: &Lab) {
    lab.run("rmvm -f web").success();
    lab.run("rmnet net").success();
    for host in HOSTS {
        let host = lab.host(host);
        let ports = host.shell("ls /sys/class/net | grep -vxE 'lo|eth0|eth1|docker0|ovs-netdev|br-[0-9a-f]{12}' || :");
        assert_eq!(ports.trim(), "", "ports are left");
        assert_eq!(host.shell("find /etc/xcrane /run/xcrane -type f 2>/dev/null || :").trim(), "", "files are left");
        assert_eq!(host.shell("iptables-save | grep br-net || :").trim(), "", "rules are left");
    }
}

#[test]
fn a_bridge_on_an_uplink() {
    let lab = lab_with_containers();
    make(&lab, "driver=bridge uplink=eth1");
    carries_on(&lab, 1500);
    leaves_no_trace(&lab);
}

#[test]
fn open_vswitch_with_tunnels_and_a_tag() {
    let lab = lab_with_containers();
    make(&lab, "driver=ovs vlanid=20");
    assert_eq!(lab.host("h1").shell("ovs-vsctl get port po-net tag").trim(), "20");
    carries_on(&lab, 1446);
    // From then on the hosts reach each other through the second one only.
    lab.run("rmvm -f web").success();
    make(&lab, "driver=ovs vlanid=20 hub=h2");
    all_reach_all(&lab, 1446, "through a hub");
    lab.host("h2").shell("ovs-vsctl del-port po-net");
    assert_eq!(lab.run("mknet net --plan").code, 2);
    lab.run("mknet net").success();
    all_reach_all(&lab, 1446, "after a port was taken out by hand");
    leaves_no_trace(&lab);
    let left = lab.host("h2").shell("ovs-vsctl list-br; ovs-vsctl get Open_vSwitch . other_config");
    assert_eq!(left.trim(), "{}");
}

#[test]
fn open_vswitch_is_offered_and_not_assumed() {
    let lab = lab().systemd_hosts(2).define_hosts();
    let host = lab.host("h2");
    host.shell("dpkg --purge openvswitch-switch openvswitch-common && ! command -v ovs-vsctl");
    let line = "mknet net driver=ovs net=10.80.0.0 mask=255.255.0.0 hosts=h1,h2";
    let refused = lab.run(line);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("h2: Error: net: Open vSwitch is not installed"), "{refused}");
    assert!(refused.stderr.contains("mknet --install"), "{refused}");
    assert_eq!(host.shell("ls /etc/xcrane 2>/dev/null || :").trim(), "");
    let source = lab.package_source();
    host.shell(&format!("echo 'deb [trusted=yes] {source} ./' >/etc/apt/sources.list && apt-get -q update"));
    assert_eq!(lab.run("lsnet").to_string(), "", "what was refused is defined");
    assert_eq!(lab.host("h1").shell("ls /etc/xcrane 2>/dev/null || :").trim(), "", "h1 was changed");
    lab.run("mkdef -t network net driver=ovs net=10.80.0.0 mask=255.255.0.0 hosts=h1,h2").success();
    let plan = lab.run("mknet net --plan --install");
    assert!(plan.stdout.contains("h2: net: install openvswitch-switch"), "{plan}");
    lab.run("mknet net --install").success();
    assert!(host.shell("ovs-vsctl list-br").starts_with("ovs"));
}

#[test]
fn flat_on_the_wire() {
    let lab = lab_with_containers();
    on_all_hosts(|host| drop(lab.host(host).shell("ip link set eth1 down")));
    make(&lab, "driver=macvlan uplink=eth1");
    carries_on(&lab, 1500);
    leaves_no_trace(&lab);
}

#[test]
fn the_port_that_a_host_is_reached_by_moves_into_a_bridge() {
    let lab = lab_with_containers();
    // h1 and h2 have their address from nobody, h3 from systemd-networkd, h4 from ifupdown.
    let h3 = lab.host("h3");
    h3.shell(
        "printf '[Match]\\nName=eth0\\n\\n[Network]\\nAddress=10.77.0.3/24\\nGateway=10.77.0.254\\n' \
         >/etc/systemd/network/eth0.network && systemctl enable systemd-networkd",
    );
    let h4 = lab.host("h4");
    let source = lab.package_source();
    h4.shell(&format!("echo 'deb [trusted=yes] {source} ./' >/etc/apt/sources.list && apt-get -q update"));
    h4.shell("DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install ifupdown");
    h4.shell(
        "printf 'auto eth0\\niface eth0 inet static\\n  address 10.77.0.4/24\\n  gateway 10.77.0.254\\n' \
         >/etc/network/interfaces.d/eth0; grep -q ^source /etc/network/interfaces 2>/dev/null || \
         echo 'source /etc/network/interfaces.d/*' >>/etc/network/interfaces",
    );
    for host in [&h3, &h4] {
        host.addresses_itself();
        host.reboot();
    }
    make(&lab, "driver=bridge uplink=eth0");
    carries_on(&lab, 1500);
    for host in HOSTS {
        let addresses =
            lab.host(host).shell("ip -o -4 addr show dev br-net; ip -o -4 addr show dev eth0; ip route show default");
        assert!(addresses.contains("10.77.0.") && !addresses.contains("dev eth0"), "{host}: {addresses}");
    }
    leaves_no_trace(&lab);
    let files = "ls /etc/systemd/network /etc/network/interfaces.d; grep -r xcrane /etc/network /etc/systemd || :";
    assert_eq!(h3.shell("ls /etc/systemd/network").trim(), "eth0.network");
    assert!(!h4.shell(files).contains("xcrane"));
    on_all_hosts(|host| lab.host(host).reboot());
    assert_eq!(
        lab.run("xdsh h[1-4] 'ip -o -4 addr show dev eth0 | wc -l'").sorted().stdout,
        "h1: 1\nh2: 1\nh3: 1\nh4: 1\n"
    );
}

#[test]
fn a_host_that_is_cut_off_in_the_middle_goes_back() {
    let lab = lab().systemd_hosts(2).define_hosts();
    let host = lab.host("h1");
    // The firewall comes last when the port has moved already; that takes its time here.
    host.shell(
        "mv /usr/sbin/iptables /usr/sbin/iptables.real && \
         printf '#!/bin/sh\\ncase \"$*\" in *br-net*) sleep 5;; esac\\nexec /usr/sbin/iptables-nft \"$@\"\\n' >/usr/sbin/iptables && \
         chmod +x /usr/sbin/iptables",
    );
    let running = lab.spawn("mknet net driver=bridge uplink=eth0 net=10.80.0.0 mask=255.255.0.0 hosts=h1,h2");
    wait_for("the port has moved", LIMIT, || match host.run("ls -d /sys/class/net/eth0/master") {
        run if run.code == 0 => Wait::Ready(()),
        run => Wait::NotYet(run.to_string()),
    });
    host.cut();
    let run = running.wait(LIMIT);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stderr.contains("h1: Error: ") && run.stdout.contains("h2: net: made"), "{run}");
    wait_for("the host has gone back", LIMIT, || {
        match host.shell("ip -o -4 addr show dev eth0; ls /sys/class/net").as_str() {
            text if text.contains("10.77.0.1/24") && !text.contains("br-net") => Wait::Ready(()),
            text => Wait::NotYet(text.to_owned()),
        }
    });
    host.heal();
    wait_for("the host is reached", LIMIT, || match lab.run("xdsh h1 ip route show default") {
        run if run.stdout.trim_end() == "h1: default via 10.77.0.254 dev eth0" => Wait::Ready(()),
        run => Wait::NotYet(run.to_string()),
    });
    host.shell("mv /usr/sbin/iptables.real /usr/sbin/iptables");
    lab.run("mknet net").success();
    assert_eq!(lab.run("mknet net --plan").code, 0);
}

#[test]
fn swarm_s_own() {
    let lab = lab().systemd_hosts(2).define_hosts();
    let line = "mknet net driver=overlay net=10.80.0.0 mask=255.255.0.0 hosts=h1,h2";
    let refused = lab.run(line);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("h1: Error: ") && refused.stderr.contains("is in no swarm"), "{refused}");
    let (h1, h2) = (lab.host("h1"), lab.host("h2"));
    h1.docker("swarm init --advertise-addr 10.77.0.1").success();
    let token = h1.docker("swarm join-token -q worker").success();
    h2.docker(&format!("swarm join --token {} 10.77.0.1:2377", token.trim())).success();
    let refused = lab.run(&line.replace("h1,h2", "h2"));
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("manager"), "{refused}");
    lab.run(line).success();
    assert_eq!(lab.run("mknet net --plan").code, 0);
    let define =
        "mkdef c[1-2] groups=all mgt=docker vmhost='|h($1)|' image=busybox:lab vmnics=net ip='|10.80.1.($1+0)|'";
    lab.run(define).success();
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();
    assert_eq!(h2.docker("run --rm --network net busybox:lab ping -q -c 1 -W 5 -s 1422 10.80.1.1").code, 0);
    lab.run("rmvm -f c1").success();
    lab.run("rmnet net").success();
    assert!(!h1.docker("network ls").success().contains(" net "));
}
