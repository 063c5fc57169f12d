//! `mkvm` on real engines.

use insta::assert_snapshot;

use crate::{lab, lab_with_guests, session};

#[test]
fn twice_is_once() {
    let lab = lab_with_guests(2);
    assert_snapshot!(lab.run("mkvm all -V").sorted(), @"
    c1: created
    c2: created
    c3: created
    c4: created
    c5: created
    c6: created
    ");
    assert_snapshot!(lab.run("mkvm all"), @"");
    assert_snapshot!(lab.run("mkvm c1 -V"), @"c1: unchanged");
    let inspect =
        "inspect -f '{{.HostConfig.NetworkMode}} {{.NetworkSettings.Networks.cluster.IPAMConfig.IPv4Address}}' c2";
    assert_eq!(lab.host("h2").docker(inspect).success(), "cluster 10.100.0.2");
}

#[test]
fn a_different_guest_is_shown_and_force_makes_it_anew() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1,c2").success();
    lab.run("chdef c1 vmmemory=64 dockerenv='A=1'").success();
    assert_snapshot!(lab.run("mkvm c1,c2").sorted(), @"
    ------- stderr -------
    Hint: make it anew with: mkvm --force NODERANGE
    c1: Error: exists on h1 and differs from its definition: dockerenv: A=1, container has none; vmmemory: 64, container has none
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("mkvm c1,c2 --force -V").sorted(), @"
    c1: re-created
    c2: unchanged
    ");
    assert_eq!(lab.host("h1").docker("inspect -f {{.HostConfig.Memory}} c1").success(), "67108864");
}

#[test]
fn all_definitions_are_checked_before_the_first_is_made() {
    let lab = lab_with_guests(1);
    lab.run("chdef c2 dockerrestart=sometimes").success();
    lab.run("chdef c3 vmhost=h9").success();
    lab.run("chdef c4 image=").success();
    assert_snapshot!(lab.run("mkvm all"), @"
    ------- stderr -------
    c2: Error: attribute 'dockerrestart': 'sometimes' is not a restart policy; it takes no, always, unless-stopped, on-failure or on-failure:COUNT
    c3: Error: attribute 'vmhost': 'h9' is not a defined node; it takes the node that is the container's Docker host
    c4: Error: attribute 'provmethod': is not set; it takes the name of an image or the path of an image archive
    Error: nothing was done: c[2-4] cannot be served as defined
    Hint: the others can be served: NODERANGE,-(c[2-4]) leaves out who cannot
    [exit status: 1]
    ");
    assert_eq!(lab.host("h1").docker("ps -aq").success(), "");
}

#[test]
fn what_the_engine_refuses_is_said_per_node() {
    let lab = lab_with_guests(1);
    lab.run("chdef c2 image=10.77.0.254:5000/none:1").success();
    assert_snapshot!(lab.run("mkvm c1-c4 -V").sorted(), @r#"
    c1: created
    c3: created
    c4: created
    ------- stderr -------
    c2: Error: h1: cannot pull image 10.77.0.254:5000/none:1: the host does not have it and its registry cannot be reached (Get "http://10.77.0.254:5000/v2/": dial tcp 10.77.0.254:5000: connect: connection refused)
    [exit status: 1]
    "#);
    assert_snapshot!(lab.run("mkvm c1,c2 --json").sorted(), @r#"
    {"node":"c1","answer":"unchanged"}
    {"node":"c2","error":"h1: cannot pull image 10.77.0.254:5000/none:1: the host does not have it and its registry cannot be reached (Get \"http://10.77.0.254:5000/v2/\": dial tcp 10.77.0.254:5000: connect: connection refused)"}
    [exit status: 1]
    "#);
}

#[test]
fn nothing_named_is_nothing_made() {
    let lab = lab();
    assert_snapshot!(lab.run("mkvm"), @"
    ------- stderr -------
    error: the following required arguments were not provided:
      <NODERANGE>

    Usage: xcrane mkvm <NODERANGE>

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn every_port_gets_a_mac_address_that_stays() {
    let lab = lab_with_guests(2);
    lab.run("chdef c1 mac=02:77:00:00:00:01").success();
    lab.run("chdef c3 ip= vmnics=cluster").success();
    lab.run("chdef c4 mac=02:42:0a:64:00:02").success();
    assert_snapshot!(session(&lab, "
        mkvm c1-c4
        mkvm c1-c4 -V | sort
        lsdef c1-c4 -i mac -c
        lsdef c2 -i mac --why
        deflog -n 2
    "), @"
    $ mkvm c1-c4
    $ mkvm c1-c4 -V | sort
    c1: unchanged
    c2: unchanged
    c3: unchanged
    c4: unchanged
    $ lsdef c1-c4 -i mac -c
    c1: mac=02:77:00:00:00:01
    c2: mac=02:d4:ac:df:c8:1b
    c3: mac=02:c1:12:20:2a:8f
    c4: mac=02:42:0a:64:00:02
    $ lsdef c2 -i mac --why
    Object name: c2
        mac=02:d4:ac:df:c8:1b  (own)
    $ deflog -n 2
    6 $TIME root 1 row: xcrane chdef c4 mac=02:42:0a:64:00:02
    7 $TIME root 2 rows: mkvm c1-c4
    ");
    // An engine that chooses an address may choose that of a guest which is off.
    lab.run("rpower c1,c2,c4 on").success();
    lab.run("rpower c3 on").success();
    let mac = |host: &str, name: &str| {
        let place = "{{.NetworkSettings.Networks.cluster.MacAddress}}";
        lab.host(host).docker(&format!("inspect -f {place} {name}")).success()
    };
    let known = ["c2", "c3"].map(|name| lab.run(&format!("nodels {name} mac.mac")).success());
    assert_eq!([format!("c2: {}", mac("h2", "c2")), format!("c3: {}", mac("h1", "c3"))], known);
}

#[test]
fn addresses_are_looked_at_over_all_nodes_before_anything_is_made() {
    let lab = lab_with_guests(2);
    lab.run("mkdef -t network cluster net=10.100.0.0 mask=255.255.0.0 gateway=10.100.255.254 staticrange=10.100.0.1-10.100.9.254")
        .success();
    lab.run("mkdef s1 groups=servers ip=10.9.0.1 nicips.ib0=10.100.0.2").success();
    lab.run("chdef c3 ip=10.100.255.254").success();
    lab.run("chdef c4 ip=10.77.0.1 vmnics=cluster").success();
    lab.run("chdef c5 mac=02:77:00:00:00:01").success();
    lab.run("chdef c6 mac=02-77-00-00-00-01").success();
    assert_snapshot!(lab.run("mkvm all,-servers"), @"
    ------- stderr -------
    c2,s1: Error: all have ip 10.100.0.2
    c3: Error: ip 10.100.255.254 is that of the router of network cluster
    c4,h1: Error: all have ip 10.77.0.1
    c[5-6]: Error: all have mac 02:77:00:00:00:01
    Error: nothing was done: an address is of one node only
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("mkvm c1,c5"), @"
    ------- stderr -------
    c[5-6]: Error: all have mac 02:77:00:00:00:01
    Error: nothing was done: an address is of one node only
    [exit status: 1]
    ");
    lab.run("chdef c3 ip=10.100.10.3").success();
    lab.run("chdef c4 ip=10.200.0.4").success();
    lab.run("chdef c1 ip=10.100.0.0").success();
    lab.run("chdef c5 mac=").success();
    assert_snapshot!(lab.run("mkvm c1,c3,c4"), @"
    ------- stderr -------
    c1: Error: ip 10.100.0.0 is of network cluster (10.100.0.0/16) itself
    c3: Error: ip 10.100.10.3 is not among those for nodes in network cluster: 10.100.0.1-10.100.9.254 (staticrange)
    c4: Error: ip 10.200.0.4 is not in network cluster, which is 10.100.0.0/16
    Error: nothing was done: every port has an address of its network
    [exit status: 1]
    ");
    lab.run("mkdef -t network flat net=10.201.0.0 mask=255.255.0.0 driver=ipvlan").success();
    lab.run("chdef c6 ip=10.201.0.6 vmnics=flat").success();
    assert_snapshot!(lab.run("mkvm c6"), @"
    ------- stderr -------
    c6: Error: mac 02:77:00:00:00:01 is of no use in network flat, where ports have that of the uplink
    Error: nothing was done: every port has an address of its network
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("chvm c3 ip=10.100.0.2"), @"
    ------- stderr -------
    c[2-3],s1: Error: all have ip 10.100.0.2
    Error: nothing was done: an address is of one node only
    [exit status: 1]
    ");
    assert_eq!([lab.host("h1").docker("ps -aq").success(), lab.host("h2").docker("ps -aq").success()], ["", ""]);
    assert_snapshot!(lab.run("lsdef c3 -i ip,mac -c"), @"
    c3: ip=10.100.10.3
    c3: mac=
    ");
}

#[test]
fn several_networks_and_a_chosen_router() {
    let lab = lab_with_guests(1);
    lab.host("h1").docker("network create --subnet 10.201.0.0/24 back").success();
    lab.run("chdef -t group web vmnics=cluster,back nicips.eth1='|10.201.0.($1+10)|'").success();
    lab.run("chdef c[1-6] vmnics=").success();
    assert_snapshot!(lab.run("mkvm c1"), @"
    ------- stderr -------
    c1: Error: h1: cannot create: its engine speaks API 1.41 and sends the default route through network 'back', not through 'cluster': the first by name of those that are not internal; set dockergateway=back, or make network 'back' internal (a network object without gateway is); those from API 1.48 on can be told
    [exit status: 1]
    ");
    lab.run("chdef -t group web dockergateway=back").success();
    assert_snapshot!(session(&lab, "
        mkvm c1,c2
        rpower c1 on
        lsvm c1 | grep Network
        xdsh c1 'ip route | grep default'
        chvm c1 vmnics=cluster dockergateway=cluster
        chvm c1 -V vmnics=cluster dockergateway=cluster nicips='eth0!10.100.0.1'
        xdsh c1 'ip route | grep default'
        lsdef c1 -i mac,nicips,vmnics
    "), @"
    $ mkvm c1,c2
    $ rpower c1 on
    c1: on
    $ lsvm c1 | grep Network
    c1: Network: cluster 10.100.0.1 02:42:0a:64:00:01
    c1: Network: back 10.201.0.11 02:42:0a:c9:00:0b default route
    $ xdsh c1 'ip route | grep default'
    c1: default via 10.201.0.1 dev eth0 
    $ chvm c1 vmnics=cluster dockergateway=cluster
    ------- stderr -------
    c1: Error: attribute 'nicips': eth1 has an address but no network: vmnics has cluster
    Error: nothing was done: c1 cannot be served as defined
    [exit status: 1]
    $ chvm c1 -V vmnics=cluster dockergateway=cluster nicips='eth0!10.100.0.1'
    c1: changed
    $ xdsh c1 'ip route | grep default'
    c1: default via 10.100.255.254 dev eth1 
    $ lsdef c1 -i mac,nicips,vmnics
    Object name: c1
        mac=02:42:0a:64:00:01|02:42:0a:c9:00:0b!c1-eth1
        nicips.eth0=10.100.0.1
        vmnics=cluster
    ");
}

#[test]
fn a_packed_root_file_system_is_an_image_too() {
    let lab = lab_with_guests(1);
    let packed = lab.host("h1").shell(
        "docker create --name plain busybox:lab >/dev/null && docker export plain | base64 -w 0; docker rm plain >/dev/null",
    );
    crate::write(&lab, "packed", &packed);
    lab.shell("base64 -d packed >root.tar; echo none >none.tar").success();
    assert_snapshot!(session(&lab, "
        chdef c1 image=$HOME/root.tar 'dockercommand=sh -c \"echo of a root; exec sleep 1000\"'
        mkvm c1 -V
        mkvm c1 -V
        rpower c1 on
        xdsh c1 'cat /etc/hostname; test -x /bin/busybox'
        chdef c2 image=$HOME/none.tar
        mkvm c2
    "), @r#"
    $ chdef c1 image=$HOME/root.tar 'dockercommand=sh -c "echo of a root; exec sleep 1000"'
    1 object definitions have been created or modified.
    $ mkvm c1 -V
    c1: created
    $ mkvm c1 -V
    c1: unchanged
    $ rpower c1 on
    c1: on
    $ xdsh c1 'cat /etc/hostname; test -x /bin/busybox'
    c1: c1
    $ chdef c2 image=$HOME/none.tar
    1 object definitions have been created or modified.
    $ mkvm c2
    ------- stderr -------
    c2: Error: h1: cannot load image $HOME/none.tar: Error processing tar file(exit status 1): unexpected EOF
    [exit status: 1]
    "#);
}
