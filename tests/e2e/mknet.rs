//! `mknet` on real hosts: containers on different hosts reach each other by the addresses in the tables, and go on so.

use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;

use crate::lab;

/// No busy machine is slower than this.
const LIMIT: Duration = Duration::from_secs(90);

/// What fits into a packet of the mesh behind the headers of IP and ICMP: 1500 - 50 - 28.
const PAYLOAD: u16 = 1422;

/// Hosts h1, h2, … with systemd, and containers c1, c2, … that are defined on them in turn, on network `blue`.
pub(crate) fn lab_with_blue(hosts: u8, guests: u8) -> Lab {
    let lab = lab().systemd_hosts(hosts).define_hosts();
    let line = format!(
        "mkdef c[1-{guests}] groups=all mgt=docker vmhost='|h(($1-1)%{hosts}+1)|' image=busybox:lab vmnics=blue \
         ip='|\\D+(\\d+)|10.80.0.($1+10)|' dockercommand='sleep 1d' dockerinit=yes dockerrestart=always"
    );
    lab.run(&line).success();
    let line = format!("mkdef -t network blue driver=bridge net=10.80.0.0 mask=255.255.0.0 hosts=h[1-{hosts}]");
    lab.run(&line).success();
    lab
}

/// The pairs of containers on these hosts of which one does not reach the other by packets of that size in one piece.
pub(crate) fn unreached(lab: &Lab, hosts: &[&str], guests: &[u8], payload: u16) -> Vec<String> {
    let numbers = guests.iter().map(u8::to_string).collect::<Vec<_>>().join(" ");
    let script = format!(
        "for name in $(docker ps --format '{{{{.Names}}}}'); do
             pid=$(docker inspect -f '{{{{.State.Pid}}}}' $name)
             for to in {numbers}; do
                 nsenter -t $pid -n ping -q -M do -c 2 -i 0.3 -W 2 -s {payload} 10.80.0.$((to + 10)) >/dev/null 2>&1 ||
                     echo $name does not reach c$to &
             done
             wait
         done"
    );
    let ask = |host: &str| lab.host(host).shell(&script).lines().map(str::to_owned).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let asked: Vec<_> = hosts.iter().map(|host| scope.spawn(|| ask(host))).collect();
        asked.into_iter().flat_map(|asked| asked.join().expect("a host is asked")).collect()
    })
}

/// Waits until all of them do; containers and neighbours need a moment to come back.
pub(crate) fn await_reach(lab: &Lab, hosts: &[&str], guests: &[u8]) {
    wait_for("the containers to reach each other", LIMIT, || {
        let running: usize = hosts.iter().map(|host| lab.host(host).docker("ps -q").success().lines().count()).sum();
        match unreached(lab, hosts, guests, PAYLOAD) {
            none if none.is_empty() && running == guests.len() => Wait::Ready(()),
            pairs => Wait::NotYet(format!("{running} of {} run; {}", guests.len(), pairs.join(", "))),
        }
    });
}

/// More of them, and restarts, are in `drivers.rs`.
#[test]
fn containers_reach_each_other_by_the_addresses_in_the_table() {
    let lab = lab_with_blue(3, 6);
    assert_snapshot!(lab.run("mkvm c1"), @"
    ------- stderr -------
    c1: Error: h1: cannot create: there is no network 'blue' (attribute vmnics) on this host; it has bridge, cluster, host, none
    Hint: make it on the hosts that carry it: mknet blue
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("mknet blue -b"), @"h[1-3]: blue: made");
    assert_snapshot!(lab.run("mknet blue -b"), @"h[1-3]: blue: unchanged");
    assert_snapshot!(lab.run("mknet blue -b --plan"), @"h[1-3]: blue: unchanged");
    lab.run("mkvm all").success();
    lab.run("rpower all on").success();
    await_reach(&lab, &["h1", "h2", "h3"], &[1, 2, 3, 4, 5, 6]);
    assert_eq!(unreached(&lab, &["h1"], &[2], PAYLOAD + 1).len(), 2, "larger packets are refused where they begin");
}

#[test]
fn hosts_come_and_go_and_a_dead_one_does_not_hold_the_others() {
    let lab = lab_with_blue(3, 6);
    lab.run("chdef -t site connecttimeout=3").success();
    lab.run("chdef -t network blue hosts=h1,h2").success();
    lab.run("mknet blue").success();
    lab.host("h3").power_off();
    assert_snapshot!(lab.run("mknet blue hosts=h1-h3").sorted(), @"
    h1: blue: changed
    h2: blue: changed
    ------- stderr -------
    h3: Error: cannot reach 10.77.0.3:22: 10.77.0.3:22 does not answer
    [exit status: 1]
    ");
    lab.host("h3").power_on();
    assert_snapshot!(lab.run("mknet blue").sorted(), @"
    h1: blue: unchanged
    h2: blue: unchanged
    h3: blue: made
    ");
    lab.run("mkvm all").success();
    lab.run("rpower all on").success();
    await_reach(&lab, &["h1", "h2", "h3"], &[1, 2, 3, 4, 5, 6]);

    assert_snapshot!(lab.run("mknet blue hosts=h1,h2").sorted(), @"
    ------- stderr -------
    Error: nothing was done: it cannot be done on h3
    Hint: remove them with rmvm; rmnet -f takes a network away from under them
    h3: Error: blue: containers are on it: c3, c6
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("mknet blue -b"), @"h[1-3]: blue: unchanged");
    lab.run("rmvm -f c3,c6").success();
    assert_snapshot!(lab.run("mknet blue hosts=h1,h2").sorted(), @"
    h1: blue: changed
    h2: blue: changed
    h3: blue: removed
    ");
    assert_eq!(traces(&lab, "h3"), "");
    await_reach(&lab, &["h1", "h2"], &[1, 2, 4, 5]);
}

/// What a host still has of network `blue`, asked of its kernel, its engine, its firewall and its disk.
pub(crate) fn traces(lab: &Lab, host: &str) -> String {
    let script = "ip -o link | grep -E 'blue|vx[0-9]'
        docker network ls | grep blue
        iptables-save | grep blue
        ls -d /etc/xcrane /etc/systemd/system/*/xcrane* /etc/systemd/system/xcrane* 2>/dev/null
        systemctl list-units --all --no-legend '*xcrane*'
        true";
    lab.host(host).shell(script)
}

#[test]
fn killed_at_any_moment_the_next_run_completes_it() {
    let lab = lab_with_blue(3, 3);
    let mut seed = u64::from(std::process::id());
    for round in 0..3 {
        for _ in 0..3 {
            let running = lab.spawn("mknet blue");
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // The moment is what the test is about.
            std::thread::sleep(Duration::from_millis(50 + (seed >> 33) % 900));
            running.kill();
            let _ = running.wait(LIMIT);
        }
        assert_eq!(lab.run("mknet blue").code, 0, "round {round}");
        assert_eq!(lab.run("lsnet blue -b").to_string(), "h[1-3]: blue: made\n");
        let running = lab.spawn("rmnet blue");
        std::thread::sleep(Duration::from_millis(50 + (seed >> 33) % 400));
        running.kill();
        let _ = running.wait(LIMIT);
        lab.run("rmnet blue").success();
        assert_eq!(traces(&lab, "h1"), "");
    }
    lab.run("mknet blue").success();
    lab.run("mkvm all").success();
    lab.run("rpower all on").success();
    await_reach(&lab, &["h1", "h2", "h3"], &[1, 2, 3]);
}

#[test]
fn ports_that_cannot_be_uplinks_are_refused_before_anything_is_done() {
    let lab = lab_with_blue(1, 1);
    let check = |definition: &str, expected: &str| {
        let run = lab.run(&format!("mknet blue {definition}"));
        assert!(run.code == 1 && run.stderr.contains(expected), "{definition}: {run}");
        assert_eq!(traces(&lab, "h1"), "", "{definition}");
    };
    check("driver=bridge uplink=docker0", "nothing was done: blue on h1: docker0 is a bridge already");
    check("driver=bridge uplink=lo", "nothing was done: blue on h1: lo is the host's way to itself");
    check("driver=bridge uplink=eth9", "cannot find the uplink of network blue: cat: /sys/class/net/eth9/mtu");
    check("driver=ovs uplink=eth0", "nothing was done: blue on h1: eth0 has the host's address 10.77.0.1/24");
    assert_snapshot!(lab.run("lsnet"), @"blue: bridge 10.80.0.0/16 hosts h1, made on none");
}

#[test]
fn a_plan_shows_files_and_changes_nothing() {
    let lab = lab_with_blue(1, 1);
    let run = lab.run("mknet blue --plan");
    assert_eq!(run.code, 2, "{run}");
    for line in [
        "h1: blue: create /etc/xcrane/networks/blue",
        "h1: blue:     +peers=''",
        "h1: blue: enable xcrane-network@blue.service",
        "h1: blue: make the engine's network: 10.80.0.0/16, mtu 1450",
    ] {
        assert!(run.stdout.lines().any(|found| found == line), "{line}\n{run}");
    }
    assert_eq!(traces(&lab, "h1"), "");
    assert_snapshot!(lab.run("lsnet"), @"blue: bridge 10.80.0.0/16 hosts h1, made on none");
    lab.run("mknet blue").success();
    lab.host("h1").shell("ip link del br-blue; echo '# by hand' >>/etc/xcrane/networks/blue");
    let run = lab.run("mknet blue --plan");
    assert!(run.stdout.contains("-# by hand") && run.stdout.contains("make it so that bridge br-blue"), "{run}");
    lab.run("mknet blue").success();
    assert_snapshot!(lab.run("lsnet blue"), @"h1: blue: made");
}

#[test]
fn a_tunnel_of_another_number_takes_the_place_of_the_first_under_running_containers() {
    let lab = lab_with_blue(2, 4);
    lab.run("mknet blue").success();
    lab.run("mkvm all").success();
    lab.run("rpower all on").success();
    assert_snapshot!(lab.run("mknet blue vni=4711 options=port=4790 -b"), @"h[1-2]: blue: changed");
    assert_eq!(lab.host("h1").shell("ls /sys/class/net | grep ^vx"), "vx4711\n");
    await_reach(&lab, &["h1", "h2"], &[1, 2, 3, 4]);
    let line = "mknet blue driver=macvlan uplink=eth1 vni= options= -b";
    assert_snapshot!(lab.run(line).sorted(), @"
    ------- stderr -------
    Error: nothing was done: it cannot be done on h[1-2]
    Hint: remove them with rmvm; rmnet -f takes a network away from under them
    h1: Error: blue: it would have to be made in another way, and containers are on it: c1, c3
    h2: Error: blue: it would have to be made in another way, and containers are on it: c2, c4
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("mknet blue -b"), @"h[1-2]: blue: unchanged");
    lab.run("rmvm -f all").success();
    assert_snapshot!(lab.run(line), @"h[1-2]: blue: changed");
    assert_eq!(lab.host("h1").shell("ls /sys/class/net | grep -E '^(vx|br-blue)' || true"), "");
    assert_eq!(lab.host("h1").docker("network inspect -f {{.Driver}} blue").success(), "macvlan");
    lab.run("rmnet blue").success();
    assert_eq!(traces(&lab, "h1"), "");
}

#[test]
fn the_smallest_uplink_decides_how_great_packets_are() {
    let lab = lab_with_blue(2, 2);
    lab.host("h2").shell("ip link set eth0 mtu 1400");
    lab.run("mknet blue").success();
    let mtu = |host: &str| lab.host(host).shell("cat /sys/class/net/br-blue/mtu");
    assert_eq!((mtu("h1"), mtu("h2")), ("1350\n".into(), "1350\n".into()));
    lab.run("mkvm all").success();
    lab.run("rpower all on").success();
    assert_snapshot!(lab.run("xdsh c1 cat /sys/class/net/eth0/mtu"), @"c1: 1350");
    assert_eq!(unreached(&lab, &["h1", "h2"], &[1, 2], 1322), Vec::<String>::new());
    assert_snapshot!(lab.run("mknet blue mtu=1450"), @"
    ------- stderr -------
    Error: nothing was done: blue on h2: eth0 carries packets of 1400 bytes, which leaves 1350, but its mtu is 1450
    Hint: give it mtu=1350, or eth0 a greater one
    [exit status: 1]
    ");
}

#[test]
fn ranges_that_live_engines_have_or_may_take_are_refused_with_a_free_one() {
    let lab = lab_with_blue(2, 2);
    lab.host("h1").shell(
        "sed -i 's|}|, \"default-address-pools\": [{\"base\": \"10.80.128.0/17\", \"size\": 24}]}|' /etc/docker/daemon.json
        systemctl restart docker",
    );
    lab.host("h2").docker("network create --subnet 10.81.4.0/24 site").success();
    assert_snapshot!(lab.run("mknet blue"), @"
    ------- stderr -------
    Error: nothing was done: blue: 10.80.0.0/16 overlaps network bridge 10.80.128.0/24 of its engine on h1; 10.80.0.0/16 overlaps pool 10.80.128.0/17 of its engine on h1
    Hint: free is 10.82.0.0/16: give it net=10.82.0.0 mask=255.255.0.0
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("mknet blue net=10.81.0.0"), @"
    ------- stderr -------
    Error: nothing was done: blue: 10.81.0.0/16 overlaps network site 10.81.4.0/24 of its engine on h2
    Hint: free is 10.82.0.0/16: give it net=10.82.0.0 mask=255.255.0.0
    [exit status: 1]
    ");
    assert_eq!((traces(&lab, "h1"), traces(&lab, "h2")), (String::new(), String::new()));
    // What was refused is not kept, and what was proposed is taken.
    assert_snapshot!(lab.run("lsnet"), @"blue: bridge 10.80.0.0/16 hosts h[1-2], made on none");
    assert_snapshot!(lab.run("mknet blue net=10.82.0.0 -b"), @"h[1-2]: blue: made");
    // The engine itself keeps out of it.
    lab.host("h1").docker("network create other").success();
    assert_snapshot!(lab.host("h1").docker("network inspect -f '{{(index .IPAM.Config 0).Subnet}}' other").success(), @"10.80.129.0/24");
}

#[test]
fn what_cannot_be_a_network_is_refused_before_anything_is_made() {
    let lab = lab();
    lab.run("mkdef h[1-3] groups=hosts ip='|10.77.0.($1+0)|'").success();
    lab.run("mkdef h9 groups=hosts").success();
    lab.run("mkdef -t network site net=10.0.0.0 mask=255.0.0.0").success();
    lab.run("mkdef -t network red net=172.20.0.0 mask=/16 driver=bridge hosts=h1 vni=7").success();
    let check = |line: &str, expected: &str| {
        let run = lab.run(line);
        let said = run.stderr.lines().next().unwrap_or_default();
        assert!(run.code == 1 && said.contains(expected), "{line}\n{run}");
    };
    check("mknet blue", "Could not find an object named 'blue' of type 'network'");
    check(
        "mknet blue driver=bridge net=10.80.0.0 mask=/16 hosts=h1-h3",
        "overlaps network 'site', which is 10.0.0.0/8",
    );
    check("mknet blue driver=bridge net=172.21.0.0 mask=/16 hosts=h1-h3 vni=7", "7 is that of network 'red' too");
    check("mknet blue driver=bridge net=172.21.0.0 mask=/16 hosts=h1,h9", "attribute 'hosts': h9 have no ip");
    check("mknet blue driver=bridge net=172.21.0.0 mask=/16 hosts=h7", "attribute 'hosts'");
    check("mknet blue driver=bridge net=172.21.0.0 mask=/16", "attribute 'hosts': is not set");
    check(
        "mknet blue driver=bridgee net=172.21.0.0 mask=/16 hosts=h1",
        "attribute 'driver': 'bridgee' is not a driver",
    );
    check("mknet blue driver=bridge net=fd00:80:: mask=/64 hosts=h1", "attribute 'net': fd00:80::/64 is IPv6");
    check("mknet blue colour=red", "'colour' is not a valid attribute name");
    lab.run("mkdef -t network lan net=172.22.0.0 mask=/16 driver=bridge hosts=h[1-2] uplink=eth1 vlanid=20").success();
    let wire = "mknet blue driver=bridge net=172.21.0.0 mask=/16 uplink=eth1";
    check(&format!("{wire} vlanid=20 hosts=h2"), "eth1.20 is that of network 'lan' too");
    lab.run("rmdef -t network lan").success();
    // What was refused is not kept.
    assert_snapshot!(lab.run("lsdef -t network"), @"
    red  (network)
    site  (network)
    ");
    assert_eq!(lab.run("mknet blue --plan hosts=h1").code, 2);
}

#[test]
fn a_row_that_cannot_be_read_stops_what_is_about_it_and_nothing_else() {
    let lab = lab();
    lab.run("mkdef h1 groups=hosts ip=10.77.0.1").success();
    lab.run("mkdef -t network blue net=10.80.0.0 mask=/16 driver=bridge hosts=h1").success();
    lab.run("mkdef -t network red net=172.20.0.0 mask=/16 driver=bridg hosts=h1").success();
    lab.run("chtab netname=old,node=h1 fabrichost.made=nonsense").success();
    let run = lab.run("lsnet");
    assert!(run.stdout.starts_with("blue: bridge") && run.stderr.contains("row old,h1 of table fabrichost"), "{run}");
    let run = lab.run("rmnet old");
    assert!(run.code == 1 && run.stderr.contains("Error: row old,h1 of table fabrichost"), "{run}");
    let run = lab.run("chknet h1");
    assert!(run.stderr.contains("Warning: passed over: network red: attribute 'driver'"), "{run}");
}
