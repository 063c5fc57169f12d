use std::time::Duration;

use ::lab::{Lab, Wait, Wire, wait_for};
use serde_json::Value;

use crate::lab;

/// Network blue over three hosts with two containers on each, made and running.
fn lab_with_blue() -> Lab {
    let lab = lab().systemd_hosts(3).define_hosts();
    lab.run("mknet blue driver=bridge net=10.80.0.0 mask=255.255.0.0 vni=7 hosts=h[1-3]").success();
    let line = "mkdef c[1-6] groups=guests mgt=docker vmhost='|h(($1-1)%3+1)|' image=busybox:lab vmnics=blue \
                ip='|10.80.0.($1+0)|' dockerstoptimeout=1";
    lab.run(line).success();
    lab.shell("mkvm guests && rpower guests on").success();
    lab
}

/// What chknet says of blue must hold each of these lines, and its exit code.
#[track_caller]
fn check(lab: &Lab, line: &str, code: i32, expected: &[&str]) {
    let run = lab.run(line);
    for text in expected {
        assert!(run.stdout.contains(text), "no '{text}' in\n{run}");
    }
    assert_eq!(run.code, code, "{run}");
}

#[track_caller]
fn check_well(lab: &Lab) {
    let run = lab.run("chknet blue");
    assert!(run.code == 0 && !run.stdout.contains("broken") && !run.stdout.contains("wrong"), "{run}");
}

#[test]
fn a_network_is_proved_and_every_break_is_named() {
    let lab = lab_with_blue();
    check(
        &lab,
        "chknet blue",
        0,
        &[
            "blue: 3 hosts, 6 containers, packets of 1450 bytes\n",
            "blue: hosts h[1-3] -> h[1-3]: 6 of 6 pass\n",
            "blue: containers h[1-3] -> h[1-3]: 18 of 18 pass\n",
        ],
    );
    check(&lab, "chknet blue --all", 0, &["blue: containers h[1-3] -> h[1-3]: 30 of 30 pass\n"]);
    check(
        &lab,
        "chknet c1,c2 --all",
        0,
        &["blue: 2 hosts, 2 containers", "containers h[1-2] -> h[1-2]: 2 of 2 pass\n"],
    );
    check(&lab, "chknet h1,h3", 0, &["blue: 2 hosts, 4 containers", "hosts h[1,3] -> h[1,3]: 2 of 2 pass\n"]);

    let (h1, h2, h3) = (lab.host("h1"), lab.host("h2"), lab.host("h3"));
    // Nothing is learned yet of a fresh tunnel, so that what is for all is needed at once.
    h2.shell("bridge fdb del 00:00:00:00:00:00 dev vx7 dst 10.77.0.3");
    check(&lab, "chknet blue", 1, &["vx7 on h2 has no forwarding entry for h3 (10.77.0.3)\n", "mend: mknet blue\n"]);
    h2.shell("bridge fdb flush dev vx7 2>/dev/null; bridge fdb append 00:00:00:00:00:00 dev vx7 dst 10.77.0.99");
    check(
        &lab,
        "chknet blue",
        1,
        &["vx7 on h2 has a stale forwarding entry: 00:00:00:00:00:00 to 10.77.0.99, where it does not lead\n"],
    );
    lab.run("mknet blue").success();
    check_well(&lab);

    h3.shell("ip link set vx7 mtu 1400");
    check(
        &lab,
        "chknet blue",
        1,
        &["passes only small packets\n", "cause: vx7 on h3 has MTU 1400, and 1450 are needed\n"],
    );
    check(&lab, "chknet blue --mtu 1400", 0, &["packets of 1400 bytes\n"]);
    h3.shell("ip link set vx7 mtu 1450 && ip link set br-blue mtu 1450");
    check_well(&lab);

    h1.shell("ip link set vx7 nomaster");
    check(
        &lab,
        "chknet blue",
        1,
        &[
            "broken: c1 -> c[5-6]: lost\n",
            "cause: vx7 on h1 is not a port of bridge br-blue\n",
            "containers h1 -> h1: 2 of 2 pass\n",
        ],
    );
    h1.shell("ip link set vx7 master br-blue");
    check_well(&lab);
}

#[test]
fn packet_filters_strangers_and_dead_hosts_are_named() {
    let lab = lab_with_blue();
    let (h1, h2) = (lab.host("h1"), lab.host("h2"));
    // This kernel may not have br_netfilter for namespaces; then there is nothing to be dropped.
    h2.shell("sysctl -w net.bridge.bridge-nf-call-iptables=1 && iptables -I FORWARD -i br-blue -j DROP");
    check(
        &lab,
        "chknet blue",
        1,
        &[": lost\n", "cause: iptables on h2 drops packets of br-blue by '-A FORWARD -i br-blue -j DROP'"],
    );
    h2.shell("iptables -D FORWARD -i br-blue -j DROP");
    check_well(&lab);

    h1.shell("ip link set eth1 master br-blue up");
    let stranger = lab.stranger_on_wire("10.80.0.5/16");
    let mac = stranger.shell("ip -o link show | sed -n 's/.*link.ether \\([^ ]*\\).*/\\1/p'");
    let said = format!(
        "10.80.0.5 of c5 is also the address of a machine that is none of ours: {}, seen behind eth1 of h1",
        mac.trim()
    );
    check(&lab, "chknet blue", 1, &[&said]);
    stranger.leave();
    h1.shell("ip link set eth1 nomaster");
    wait_for("the end of the stranger", Duration::from_secs(60), || match lab.run("chknet blue") {
        run if run.code == 0 => Wait::Ready(()),
        run => Wait::NotYet(run.to_string()),
    });

    lab.run("chdef -t site connecttimeout=2").success();
    h2.cut();
    let run = lab.run("chknet blue");
    assert_eq!(run.code, 1, "{run}");
    assert_eq!(run.stderr.matches("h2: Error: ").count(), 1, "{run}");
    assert!(run.stdout.contains("blue: hosts h[1,3] -> h[1,3]: 2 of 2 pass\n"), "{run}");
    h2.heal();
}

#[test]
fn a_hop_that_carries_less_is_named() {
    let lab = lab().systemd_hosts(3).define_hosts();
    lab.run("mknet blue driver=bridge uplink=eth1 net=10.80.0.0 mask=255.255.0.0 hosts=h[1-3]").success();
    let line =
        "mkdef c[1-3] groups=guests mgt=docker vmhost='|h($1)|' image=busybox:lab vmnics=blue ip='|10.80.0.($1+0)|'";
    lab.run(line).success();
    lab.shell("mkvm guests && rpower guests on").success();
    check_well(&lab);
    lab.host("h3").mtu(Wire::Second, 1400);
    let cause = "packets of 1500 bytes get lost between h3 and every other host through eth1: what h3 is plugged into carries less";
    check(
        &lab,
        "chknet blue",
        1,
        &[
            "blue: hosts h[1-3] -> h[1-3]: 6 of 6 pass\n",
            "broken: c[1-2] -> c3: passes only small packets\n",
            "broken: c3 -> c[1-2]: passes only small packets\n",
            &format!("cause: {cause}\n"),
        ],
    );
    check(&lab, "chknet blue --mtu 1400", 0, &["packets of 1400 bytes\n"]);
    lab.host("h3").mtu(Wire::Second, 1500);
    check_well(&lab);
}

#[test]
fn scripts_read_a_link_a_line() {
    let lab = lab_with_blue();
    lab.host("h3").shell("ip link set vx7 down");
    let run = lab.run("chknet blue --json");
    assert_eq!(run.code, 1, "{run}");
    let links: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let between = |from: &str, to: &str| {
        links.iter().map(|link| &link["answer"]).find(|link| link["from"] == from && link["to"] == to)
    };
    assert_eq!(between("h1", "h3").unwrap()["result"], "pass");
    let lost = links.iter().map(|link| &link["answer"]).filter(|link| link["result"] == "lost");
    let lost: Vec<&Value> = lost.collect();
    assert!(!lost.is_empty() && lost.iter().all(|link| link["tohost"] == "h3" || link["fromhost"] == "h3"), "{run}");
    assert!(lost.iter().all(|link| link["cause"] == "vx7 on h3 is down"), "{run}");
    assert!(links.iter().any(|link| link["answer"]["wrong"] == "vx7 on h3 is down"), "{run}");
}

#[test]
fn what_is_no_network_is_refused() {
    let lab = lab();
    lab.run("mkdef h1 groups=hosts ip=10.77.0.1").success();
    let run = lab.run("chknet h1");
    assert!(
        run.code == 1 && run.stderr.contains("Error: no network is carried by hosts, or used by guests, of 'h1'\n"),
        "{run}"
    );
    let run = lab.run("chknet bleu");
    assert!(run.code == 1 && run.stderr.contains("bleu"), "{run}");
}

#[test]
fn a_range_that_somebody_has_is_refused_with_a_free_one() {
    let lab = lab().systemd_hosts(2).define_hosts();
    lab.host("h2").shell("ip link set eth1 up && ip route add 10.80.4.0/22 dev eth1");
    let line = |net: &str| format!("mknet blue driver=bridge net={net} mask=255.255.0.0 hosts=h[1-2]");
    let run = lab.run(&line("10.80.0.0"));
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stderr.contains("blue: 10.80.0.0/16 overlaps route 10.80.4.0/22 dev eth1 on h2\n"), "{run}");
    assert!(run.stderr.contains("Hint: free is 10.81.0.0/16: give it net=10.81.0.0 mask=255.255.0.0\n"), "{run}");
    assert_eq!(lab.host("h1").run("ls /sys/class/net/br-blue").code, 2);
    let run = lab.run(&line("10.100.0.0"));
    assert!(
        run.stderr.contains("10.100.0.0/16 overlaps network cluster 10.100.0.0/16 of its engine on h[1-2]\n"),
        "{run}"
    );
    lab.run("mkdef n1 groups=all mgt=ipmi bmc=10.90.0.7").success();
    let run = lab.run(&line("10.90.0.0"));
    assert!(run.stderr.contains("10.90.0.0/16 overlaps the addresses of BMCs (n1)\n"), "{run}");
    lab.run(&line("10.81.0.0")).success();
    lab.run("mknet blue").success();
}
