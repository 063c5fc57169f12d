//! `lsnet`: what the tables say, and what the hosts say.

use insta::assert_snapshot;

use crate::lab;
use crate::mknet::lab_with_blue;

#[test]
fn states_of_hosts_and_containers() {
    let lab = lab_with_blue(3, 4);
    lab.run("chdef -t site connecttimeout=3").success();
    assert_snapshot!(lab.run("lsnet blue -b"), @"h[1-3]: blue: missing");
    lab.run("chdef -t network blue hosts=h1,h2").success();
    lab.run("mknet blue").success();
    lab.run("mkvm c1,c2,c4").success();
    assert_snapshot!(lab.run("lsnet blue -l").sorted(), @"
    h1: blue: made
    h1: blue: with c[1,4]
    h2: blue: made
    h2: blue: with c2
    ");
    lab.host("h2").shell("ip link del br-blue");
    lab.run("chdef -t network blue hosts=h2,h3").success();
    let states = lab.run("lsnet blue").sorted();
    assert_snapshot!(states, @"
    h1: blue: left over: remove the engine's network; disable xcrane-network@blue.service; stop xcrane-network@blue.service; make it so that vx5972525 and br-blue are gone; delete /etc/systemd/system/xcrane-network@blue.service; delete /etc/xcrane/networks/blue; reload the units of systemd
    h2: blue: differs: change /etc/xcrane/networks/blue; make it so that bridge br-blue is joined by vx5972525 to h3; reload xcrane-network@blue.service for /etc/xcrane/networks/blue
    h3: blue: missing
    ");
    lab.host("h3").power_off();
    let run = lab.run("lsnet blue --json").sorted();
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stdout.contains(r#""network":"blue","state":"left over""#), "{run}");
    assert!(run.stdout.contains(r#""containers":["c1","c4"]"#), "{run}");
    assert!(run.stdout.contains(r#"{"node":"h3","error":"cannot reach"#), "{run}");
}

#[test]
fn the_tables_alone_say_what_is_defined() {
    let lab = lab();
    assert_eq!(lab.run("lsnet").to_string(), "");
    lab.run("mkdef h[1-3] groups=hosts ip='|10.77.0.($1+0)|'").success();
    lab.run("mkdef -t network blue driver=bridge net=10.80.0.0 mask=/16 hosts=hosts mtu=1400").success();
    lab.run("mkdef -t network broken driver=bridge net=10.81.0.0 mask=/16").success();
    lab.run("mkdef -t network plain net=10.82.0.0 mask=/16").success();
    assert_snapshot!(lab.run("lsnet"), @"
    blue: bridge 10.80.0.0/16 hosts h[1-3], made on none
    ------- stderr -------
    broken: Error: attribute 'hosts': is not set; it takes the hosts that carry it, as a noderange
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("lsnet --json"), @r#"
    {"node":"blue","answer":{"network":{"name":"blue","driver":"bridge","subnet":"10.80.0.0/16","gateway":null,"range":null,"mtu":1400,"vlan":null,"vni":5972525,"hub":null,"uplink":null,"options":{},"members":[{"host":"h1","address":"10.77.0.1"},{"host":"h2","address":"10.77.0.2"},{"host":"h3","address":"10.77.0.3"}]},"made":[]}}
    {"node":"broken","error":"attribute 'hosts': is not set; it takes the hosts that carry it, as a noderange"}
    [exit status: 1]
    "#);
    assert_snapshot!(lab.run("lsnet plain"), @"
    ------- stderr -------
    Error: network plain: attribute 'driver': is not set; it takes one of: bridge, ovs, overlay, macvlan, ipvlan
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("lsnet nope"), @"
    ------- stderr -------
    Error: Could not find an object named 'nope' of type 'network'.
    Hint: define it with: mknet nope driver=bridge net=… mask=… hosts=…
    [exit status: 1]
    ");
}
