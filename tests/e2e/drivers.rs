//! Networks of every driver on real hosts: containers reach each other at full size, also after restarts, and a host whose
//! own port is moved stays reachable or goes back.

use std::net::Ipv4Addr;
use std::time::Duration;

use lab::{Lab, Station, Wait, unreached, wait_for};

use crate::lab;

/// No busy machine is slower than this.
const LIMIT: Duration = Duration::from_secs(180);
const HOSTS: [&str; 4] = ["h1", "h2", "h3", "h4"];

/// A network that containers are in, and the largest packet that has to pass.
struct Net {
    name: &'static str,
    definition: &'static str,
    /// It is 10.NUMBER.0.0/16.
    number: u8,
    mtu: u16,
}

impl Net {
    fn addresses(&self, containers: &[u8]) -> Vec<Ipv4Addr> {
        containers.iter().map(|container| Ipv4Addr::new(10, self.number, 1, container + 10)).collect()
    }
}

const fn net(definition: &'static str, mtu: u16) -> Net {
    Net { name: "net", definition, number: 80, mtu }
}

/// Four hosts with systemd, and containers that are defined on network `net` of 10.80.0.0/16.
fn lab_with_containers(containers: u8) -> Lab {
    let lab = lab().systemd_hosts(4).define_hosts();
    let line = format!(
        "mkdef c[1-{containers}] groups=web mgt=docker vmhost='|h(($1-1)%4+1)|' image=busybox:lab vmnics=net \
         ip='|\\D+(\\d+)|10.80.1.($1+10)|' dockerrestart=always dockerstoptimeout=1"
    );
    lab.run(&line).success();
    lab
}

fn make(lab: &Lab, net: &Net) {
    let Net { name, definition, number, .. } = net;
    lab.run(&format!("mknet {name} net=10.{number}.0.0 mask=255.255.0.0 hosts=h[1-4] {definition}")).success();
    lab.run("mkvm web").success();
    lab.run("rpower web on").success();
}

/// Every container asks every one, in every network, by the largest packet that it is said to carry. A larger one does not
/// even begin.
fn all_reach_all(lab: &Lab, hosts: &[&str], nets: &[Net], containers: &[u8], when: &str) {
    for net in nets {
        let targets = net.addresses(containers);
        let stations = wait_for(&format!("all containers reach all in {} {when}", net.name), LIMIT, || {
            let stations: Vec<Station> = hosts.iter().flat_map(|host| lab.host(host).stations()).collect();
            let missed = unreached(&stations, &targets, net.mtu).unwrap_or_else(|error| vec![error.to_string()]);
            if stations.len() == containers.len() && missed.is_empty() {
                return Wait::Ready(stations);
            }
            Wait::NotYet(format!("{} of {} run\n{}", stations.len(), containers.len(), missed.join("\n")))
        });
        let larger = unreached(&stations[..1], &targets[1..2], net.mtu + 1).expect("it is asked");
        assert!(larger[0].ends_with("(EMSGSIZE: Message too long)"), "{larger:?}");
    }
}

fn on_all(hosts: &[&str], act: impl Fn(&str) + Sync) {
    let act = &act;
    std::thread::scope(|scope| {
        for host in hosts {
            scope.spawn(move || act(host));
        }
    });
}

/// An engine with many containers in many networks takes its time, and longer where others do the same.
fn restart_engine(lab: &Lab, host: &str) {
    let host = lab.host(host);
    let state = || host.shell("systemctl show -p MainPID -p ActiveState docker");
    let before = state();
    host.shell("systemctl --no-block restart docker");
    wait_for("the engine's restart", LIMIT, || match state() {
        now if now != before && now.contains("ActiveState=active") => Wait::Ready(()),
        now => Wait::NotYet(now),
    });
}

/// Restarts of engines and of hosts; then the networks are as they should be without our help.
fn carries_on(lab: &Lab, hosts: &[&str], nets: &[Net], containers: &[u8]) {
    all_reach_all(lab, hosts, nets, containers, "at first");
    on_all(hosts, |host| restart_engine(lab, host));
    all_reach_all(lab, hosts, nets, containers, "after the engines' restart");
    on_all(hosts, |host| lab.host(host).reboot());
    all_reach_all(lab, hosts, nets, containers, "after the hosts' restart");
    for net in nets {
        let plan = lab.run(&format!("mknet {} --plan", net.name));
        assert_eq!(plan.code, 0, "{plan}");
    }
}

/// Removes containers and networks; nothing of a network is left that the kernel knows.
fn leaves_no_trace(lab: &Lab, nets: &[Net]) {
    lab.run("rmvm -f web").success();
    for net in nets.iter().rev() {
        lab.run(&format!("rmnet {}", net.name)).success();
    }
    for host in HOSTS {
        has_no_trace(lab, host, nets);
    }
}

fn has_no_trace(lab: &Lab, host: &str, nets: &[Net]) {
    let host = lab.host(host);
    let ports = host.shell("ls /sys/class/net | grep -vxE 'lo|eth0|eth1|docker0|ovs-netdev|br-[0-9a-f]{12}' || :");
    assert_eq!(ports.trim(), "", "ports are left");
    assert_eq!(host.shell("find /etc/xcrane /run/xcrane -type f 2>/dev/null || :").trim(), "", "files are left");
    let (rules, networks) = (host.shell("iptables-save"), host.docker("network ls").success());
    for net in nets {
        assert!(!rules.contains(&format!("br-{}", net.name)), "rules are left: {rules}");
        assert!(!networks.contains(&format!(" {} ", net.name)), "it is left to the engine: {networks}");
    }
}

/// One of each driver, at the same time: the hosts' own addresses are on the bridge of the first, below the tunnels of others.
const ALL: [Net; 4] = [
    Net { name: "lan", definition: "driver=bridge uplink=eth0", number: 80, mtu: 1500 },
    Net { name: "mesh", definition: "driver=bridge", number: 81, mtu: 1450 },
    Net { name: "switch", definition: "driver=ovs vlanid=20", number: 82, mtu: 1446 },
    Net { name: "wire", definition: "driver=macvlan uplink=eth1", number: 83, mtu: 1500 },
];

#[test]
fn forty_containers_reach_each_other_through_every_driver_whatever_restarts() {
    let lab = lab().systemd_hosts(4).define_hosts();
    on_all(&HOSTS, |host| drop(lab.host(host).shell("ip link set eth1 down")));
    let line = "mkdef c[1-40] groups=web mgt=docker vmhost='|h(($1-1)%4+1)|' image=busybox:lab \
                vmnics=lan,mesh,switch,wire ip='|\\D+(\\d+)|10.80.1.($1+10)|' nicips.eth1='|\\D+(\\d+)|10.81.1.($1+10)|' \
                nicips.eth2='|\\D+(\\d+)|10.82.1.($1+10)|' nicips.eth3='|\\D+(\\d+)|10.83.1.($1+10)|' \
                dockerrestart=always dockerstoptimeout=1";
    lab.run(line).success();
    for Net { name, definition, number, .. } in &ALL {
        let object = format!("-t network {name} net=10.{number}.0.0 mask=255.255.0.0 hosts=h[1-4]");
        lab.run(&format!("mkdef {object} {definition}")).success();
    }
    lab.run("mknet lan,mesh,switch,wire").success();
    lab.run("mkvm web").success();
    lab.run("rpower web on").success();
    let containers: Vec<u8> = (1..=40).collect();
    carries_on(&lab, &HOSTS, &ALL, &containers);
    let proved = lab.run("chknet lan,mesh,switch,wire");
    assert_eq!(proved.code, 0, "{proved}");

    lab.run("rmvm -f 'web@vmhost=h4'").success();
    lab.run("mknet lan,mesh,switch,wire hosts=h[1-3]").success();
    has_no_trace(&lab, "h4", &ALL);
    let rest: Vec<u8> = containers.into_iter().filter(|container| container % 4 != 0).collect();
    all_reach_all(&lab, &HOSTS, &ALL, &rest, "after a host was taken out");
    leaves_no_trace(&lab, &ALL);
}

#[test]
fn open_vswitch_with_tunnels_and_a_tag() {
    let lab = lab_with_containers(8);
    let net = [net("driver=ovs vlanid=20", 1446)];
    let containers: Vec<u8> = (1..=8).collect();
    make(&lab, &net[0]);
    assert_eq!(lab.host("h1").shell("ovs-vsctl get port po-net tag").trim(), "20");
    all_reach_all(&lab, &HOSTS, &net, &containers, "at first");
    // From then on the hosts reach each other through the second one only.
    lab.run("rmvm -f web").success();
    lab.run("mknet net hub=h2").success();
    lab.run("mkvm web").success();
    lab.run("rpower web on").success();
    all_reach_all(&lab, &HOSTS, &net, &containers, "through a hub");
    lab.host("h2").shell("ovs-vsctl del-port po-net");
    assert_eq!(lab.run("mknet net --plan").code, 2);
    lab.run("mknet net").success();
    all_reach_all(&lab, &HOSTS, &net, &containers, "after a port was taken out by hand");
    // The switch of one host is late: after the first attempt of the unit that makes the network.
    let h3 = lab.host("h3");
    h3.shell(
        "mv /usr/bin/ovs-vsctl /usr/bin/ovs-vsctl.real && printf '#!/bin/sh\\n[ -e /run/was-late ] || { case \"$*\" in *timeout=30*) \
         touch /run/was-late; exit 1;; esac; }\\nexec /usr/bin/ovs-vsctl.real \"$@\"\\n' >/usr/bin/ovs-vsctl && \
         chmod +x /usr/bin/ovs-vsctl",
    );
    h3.reboot();
    all_reach_all(&lab, &HOSTS, &net, &containers, "after a switch was late");
    h3.shell("test -e /run/was-late && mv /usr/bin/ovs-vsctl.real /usr/bin/ovs-vsctl");
    leaves_no_trace(&lab, &net);
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
fn the_port_that_a_host_is_reached_by_moves_into_a_bridge() {
    let lab = lab_with_containers(8);
    let net = [net("driver=bridge uplink=eth0", 1500)];
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
    make(&lab, &net[0]);
    carries_on(&lab, &HOSTS, &net, &(1..=8).collect::<Vec<u8>>());
    for host in HOSTS {
        let addresses =
            lab.host(host).shell("ip -o -4 addr show dev br-net; ip -o -4 addr show dev eth0; ip route show default");
        assert!(addresses.contains("10.77.0.") && !addresses.contains("dev eth0"), "{host}: {addresses}");
    }
    leaves_no_trace(&lab, &net);
    let files = "ls /etc/systemd/network /etc/network/interfaces.d; grep -r xcrane /etc/network /etc/systemd || :";
    assert_eq!(h3.shell("ls /etc/systemd/network").trim(), "eth0.network");
    assert!(!h4.shell(files).contains("xcrane"));
    on_all(&HOSTS, |host| lab.host(host).reboot());
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
fn killed_while_ports_move_the_next_run_completes_it() {
    let lab = lab().systemd_hosts(2).define_hosts();
    for Net { name, definition, number, .. } in &ALL {
        let object = format!("-t network {name} net=10.{number}.0.0 mask=255.255.0.0 hosts=h[1-2]");
        lab.run(&format!("mkdef {object} {definition}")).success();
    }
    for moment in [700, 1400, 2100, 2800, 3500] {
        let running = lab.spawn("mknet lan,mesh,switch,wire");
        // The moment is what the test is about.
        std::thread::sleep(Duration::from_millis(moment));
        running.kill();
        let _ = running.wait(LIMIT);
    }
    lab.run("mknet lan,mesh,switch,wire").success();
    assert_eq!(lab.run("mknet lan,mesh,switch,wire --plan").code, 0);
    for moment in [500, 1000] {
        let running = lab.spawn("rmnet lan,mesh,switch,wire");
        std::thread::sleep(Duration::from_millis(moment));
        running.kill();
        let _ = running.wait(LIMIT);
    }
    lab.run("rmnet lan,mesh,switch,wire").success();
    has_no_trace(&lab, "h1", &ALL);
    has_no_trace(&lab, "h2", &ALL);
    assert_eq!(lab.run("xdsh h[1-2] 'ip -o -4 addr show dev eth0 | wc -l'").sorted().stdout, "h1: 1\nh2: 1\n");
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
    let known = || {
        [&h1, &h2].map(|host| {
            host.shell(
                "ls /sys/class/net; docker network ls --format '{{.Name}}'; iptables-save | grep -v '^#' | sed 's/\\[.*//'; \
                 find /etc/xcrane /run/xcrane -type f 2>/dev/null || :",
            )
        })
    };
    // A worker has the swarm's own network some time after it has joined.
    h2.shell("timeout 60 sh -c 'until docker network ls | grep -qw ingress; do sleep 0.2; done'");
    let before = known();
    lab.run(line).success();
    assert_eq!(lab.run("mknet net --plan").code, 0);
    let define = "mkdef c[1-4] groups=web mgt=docker vmhost='|h(($1-1)%2+1)|' image=busybox:lab vmnics=net \
                  ip='|\\D+(\\d+)|10.80.1.($1+10)|' dockerrestart=always dockerstoptimeout=1";
    lab.run(define).success();
    // A worker gets to know the network with its first container.
    lab.run("mkvm web").success();
    lab.run("rpower web on").success();
    let (hosts, nets, containers) = (["h1", "h2"], [net("driver=overlay", 1450)], [1, 2, 3, 4]);
    all_reach_all(&lab, &hosts, &nets, &containers, "at first");
    // An engine whose swarm takes its time gives up on the containers that it should start again.
    let power_on = || {
        wait_for("the swarm starts containers", LIMIT, || match lab.run("rpower web on") {
            run if run.code == 0 => Wait::Ready(()),
            run => Wait::NotYet(run.to_string()),
        });
    };
    on_all(&hosts, |host| restart_engine(&lab, host));
    power_on();
    all_reach_all(&lab, &hosts, &nets, &containers, "after the engines' restart");
    on_all(&hosts, |host| lab.host(host).reboot());
    power_on();
    all_reach_all(&lab, &hosts, &nets, &containers, "after the hosts' restart");
    lab.run("rmvm -f web").success();
    lab.run("rmnet net").success();
    // A worker forgets it when its manager tells it to. The bridge to the outside and its port are the swarm's own.
    let wanted = before.each_ref().map(|text| without_gateway(text));
    wait_for("nothing is left", LIMIT, || match known().each_ref().map(|text| without_gateway(text)) {
        now if now == wanted => Wait::Ready(()),
        now => Wait::NotYet(format!("before: {wanted:#?}\nnow: {now:#?}")),
    });
}

fn without_gateway(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> =
        text.lines().filter(|line| !line.contains("docker_gwbridge") && !line.starts_with("veth")).collect();
    lines.sort_unstable();
    lines
}
