use std::fs;
use std::os::unix::fs::PermissionsExt;

use ::lab::Lab;
use insta::assert_snapshot;

use crate::{lab_with_guests, rack, read, session, write};

const OLD: &str = "127.0.0.1 localhost\n# by hand\n10.0.0.2 n2 old\n10.5.0.1 gateway\n";

/// The rack with addresses, but for n4.
fn addressed() -> Lab {
    let lab = rack();
    lab.shell(r"nodegrpch rack1 'hosts.ip=|n(\d+)|10.0.0.($1)|' && nodech n1 hosts.hostnames=login").success();
    write(&lab, "hosts", OLD);
    lab
}

#[test]
fn lines_are_put_in_their_places() {
    let lab = addressed();
    assert_snapshot!(session(&lab, "
        chdef -t site domain=x.org
        makehosts rack1 --file hosts
        cat hosts
        makehosts rack1 --file hosts -l
        cat hosts
        makehosts -d n1-n2 --file hosts
        cat hosts
    "), @"
    $ chdef -t site domain=x.org
    1 object definitions have been created or modified.
    $ makehosts rack1 --file hosts
    $ cat hosts
    127.0.0.1 localhost
    # by hand
    10.0.0.2 n2 n2.x.org 
    10.5.0.1 gateway
    10.0.0.1 n1 n1.x.org login
    10.0.0.3 n3 n3.x.org 
    $ makehosts rack1 --file hosts -l
    $ cat hosts
    127.0.0.1 localhost
    # by hand
    10.0.0.2 n2.x.org n2 
    10.5.0.1 gateway
    10.0.0.1 n1.x.org n1 login
    10.0.0.3 n3.x.org n3 
    $ makehosts -d n1-n2 --file hosts
    $ cat hosts
    127.0.0.1 localhost
    # by hand
    10.5.0.1 gateway
    10.0.0.3 n3.x.org n3
    ");
}

#[test]
fn every_node_is_written_when_none_is_named() {
    let lab = addressed();
    assert_snapshot!(session(&lab, "
        makehosts --file hosts
        cat hosts
        makehosts n3-n4 --file hosts
        makehosts --file new
        cat new
    "), @"
    $ makehosts --file hosts
    ------- stderr -------
    Warning: no address: n4
    $ cat hosts
    127.0.0.1 localhost
    # by hand
    10.0.0.2 n2 
    10.5.0.1 gateway
    10.0.0.1 n1 login
    10.0.0.3 n3 
    $ makehosts n3-n4 --file hosts
    ------- stderr -------
    Warning: Ignoring node 'n4', it can not be resolved.
    $ makehosts --file new
    ------- stderr -------
    Warning: no address: n4
    $ cat new
    127.0.0.1 localhost localhost.localdomain localhost4 localhost4.localdomain4
    ::1 localhost localhost.localdomain localhost6 localhost6.localdomain6
    10.0.0.1 n1 login
    10.0.0.2 n2 
    10.0.0.3 n3
    ");
}

#[test]
fn no_node_never_means_every_node() {
    let lab = addressed();
    assert_snapshot!(session(&lab, "
        makehosts rack1,-rack1 --file hosts
        makehosts -d rack1,-rack1 --file hosts
        makehosts '' --file hosts
        makehosts n9 --file hosts
    "), @"
    $ makehosts rack1,-rack1 --file hosts
    ------- stderr -------
    Error: No node in 'rack1,-rack1', check the noderange syntax.
    [exit status: 1]
    $ makehosts -d rack1,-rack1 --file hosts
    ------- stderr -------
    Error: No node in 'rack1,-rack1', check the noderange syntax.
    [exit status: 1]
    $ makehosts '' --file hosts
    ------- stderr -------
    Error: the noderange is blank
    [exit status: 1]
    $ makehosts n9 --file hosts
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: n9
    [exit status: 1]
    ");
    assert_eq!(read(&lab, "hosts"), OLD);
}

#[test]
fn a_new_file_loses_what_was_there() {
    let lab = addressed();
    assert_snapshot!(session(&lab, "
        makehosts -n n1 --file hosts
        cat hosts
        makehosts -n -d n1 --file hosts
    "), @"
    $ makehosts -n n1 --file hosts
    $ cat hosts
    127.0.0.1 localhost localhost.localdomain localhost4 localhost4.localdomain4
    ::1 localhost localhost.localdomain localhost6 localhost6.localdomain6
    10.0.0.1 n1 login
    $ makehosts -n -d n1 --file hosts
    ------- stderr -------
    error: the argument '-n' cannot be used with '--delete'

    Usage: makehosts -n --file <PATH> <NODERANGE>

    For more information, try '--help'.
    [exit status: 2]
    ");
    assert_eq!(read(&lab, "hosts.xcatbak"), OLD);
}

#[test]
fn other_interfaces_have_lines_too() {
    let lab = addressed();
    assert_snapshot!(session(&lab, "
        nodech n1 nics.nicips='eth0!10.0.0.1,ib0!10.1.0.1' hosts.otherinterfaces='-bmc:10.2.0.1'
        chtab net=10.1.0.0 networks.mask=255.255.0.0 networks.domain=ib.x.org
        chdef -t site domain=x.org
        makehosts -n n1 --file hosts
        cat hosts
        makehosts -n -a n1 --file hosts
        cat hosts
        makehosts -n -o n1 --file hosts
        cat hosts
    "), @"
    $ nodech n1 nics.nicips='eth0!10.0.0.1,ib0!10.1.0.1' hosts.otherinterfaces='-bmc:10.2.0.1'
    $ chtab net=10.1.0.0 networks.mask=255.255.0.0 networks.domain=ib.x.org
    $ chdef -t site domain=x.org
    1 object definitions have been created or modified.
    $ makehosts -n n1 --file hosts
    $ cat hosts
    127.0.0.1 localhost localhost.localdomain localhost4 localhost4.localdomain4
    ::1 localhost localhost.localdomain localhost6 localhost6.localdomain6
    10.0.0.1 n1 n1.x.org login
    10.2.0.1 n1-bmc n1-bmc.x.org 
    10.1.0.1 n1-ib0 n1-ib0.ib.x.org 
    $ makehosts -n -a n1 --file hosts
    $ cat hosts
    127.0.0.1 localhost localhost.localdomain localhost4 localhost4.localdomain4
    ::1 localhost localhost.localdomain localhost6 localhost6.localdomain6
    10.0.0.1 n1 n1.x.org login
    10.2.0.1 n1-bmc n1-bmc.x.org login
    10.1.0.1 n1-ib0 n1-ib0.ib.x.org login
    $ makehosts -n -o n1 --file hosts
    $ cat hosts
    127.0.0.1 localhost localhost.localdomain localhost4 localhost4.localdomain4
    ::1 localhost localhost.localdomain localhost6 localhost6.localdomain6
    10.0.0.1 n1 n1.x.org login
    ");
}

#[test]
fn a_broken_address_is_named_and_the_others_are_written() {
    let lab = addressed();
    assert_snapshot!(session(&lab, "
        nodech n3 'hosts.ip=|10.0.0.($1+297)|'
        makehosts rack1 --file hosts
        cat hosts
    "), @"
    $ nodech n3 'hosts.ip=|10.0.0.($1+297)|'
    $ makehosts rack1 --file hosts
    ------- stderr -------
    n3: Error: '10.0.0.300' in attribute 'ip' is not an address
    [exit status: 1]
    $ cat hosts
    127.0.0.1 localhost
    # by hand
    10.0.0.2 n2 
    10.5.0.1 gateway
    10.0.0.1 n1 login
    ");
}

#[test]
fn the_file_keeps_its_mode_and_is_left_alone_when_nothing_is_new() {
    let lab = addressed();
    let file = lab.home().join("hosts");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    lab.shell("makehosts rack1 --file hosts").success();
    let first = fs::metadata(&file).unwrap();
    assert_eq!(first.permissions().mode() & 0o777, 0o640);
    lab.shell("makehosts rack1 --file hosts").success();
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), first.modified().unwrap());
    assert_eq!(read(&lab, "hosts.xcatbak"), OLD);
}

/// A bridge and a tunnel to the other host; `peer` is the other's number.
fn wire(peer: u8) -> String {
    format!(
        "ip link add br-wire type bridge && ip link set br-wire up && \
         ip link add vx7 type vxlan id 7 dstport 4789 dev eth0 remote 10.77.0.{peer} && ip link set vx7 mtu 1450 master br-wire up && \
         docker network create --subnet 10.101.0.0/16 --gateway 10.101.255.254 -o com.docker.network.bridge.name=br-wire \
         -o com.docker.network.bridge.inhibit_ipv4=true -o com.docker.network.driver.mtu=1450 wire"
    )
}

#[test]
fn containers_find_each_other_by_name_over_hosts() {
    let lab = lab_with_guests(2);
    lab.host("h1").shell(&wire(2));
    lab.host("h2").shell(&wire(1));
    lab.run("chdef c[1-6] vmnics=wire ip='|10.101.0.($1+0)|' dockerhostsfile=yes").success();
    lab.run("mkdef s1 groups=servers nicips.ib0=10.9.0.1 nichostnamesuffixes.ib0=-ib nicaliases.ib0=fast ip=10.8.0.1")
        .success();
    assert_snapshot!(session(&lab, "
        mkvm c1
        makehosts --on hosts
        mkvm all,-servers
        rpower c1,c2 on | sort
        xdsh c1,c2 -b 'ping -c 1 -W 9 c2 | grep received'
        xdsh c2 -b 'ping -c 1 -W 9 c1 | grep received'
        xdsh c1 'tail -n +3 /etc/hosts'
        mkdef late groups=servers ip=10.8.0.2
        makehosts --on hosts
        xdsh c1,c2 -b 'grep late /etc/hosts; touch /etc/hosts'
    "), @r#"
    $ mkvm c1
    ------- stderr -------
    c1: Error: h1: cannot create: invalid mount config for type "bind": bind source path does not exist: /etc/xcrane/hosts (dockerhostsfile); write it with: makehosts --on h1
    [exit status: 1]
    $ makehosts --on hosts
    $ mkvm all,-servers
    $ rpower c1,c2 on | sort
    c1: on
    c2: on
    $ xdsh c1,c2 -b 'ping -c 1 -W 9 c2 | grep received'
    c[1-2]: 1 packets transmitted, 1 packets received, 0% packet loss
    $ xdsh c2 -b 'ping -c 1 -W 9 c1 | grep received'
    c2: 1 packets transmitted, 1 packets received, 0% packet loss
    $ xdsh c1 'tail -n +3 /etc/hosts'
    c1: 10.101.0.1 c1 
    c1: 10.101.0.2 c2 
    c1: 10.101.0.3 c3 
    c1: 10.101.0.4 c4 
    c1: 10.101.0.5 c5 
    c1: 10.101.0.6 c6 
    c1: 10.77.0.1 h1 
    c1: 10.77.0.2 h2 
    c1: 10.8.0.1 s1 
    c1: 10.9.0.1 s1-ib fast
    $ mkdef late groups=servers ip=10.8.0.2
    1 object definitions have been created or modified.
    $ makehosts --on hosts
    $ xdsh c1,c2 -b 'grep late /etc/hosts; touch /etc/hosts'
    c[1-2]: 10.8.0.2 late 
    c[1-2]: touch: /etc/hosts: Read-only file system
    ------- stderr -------
    c[1-2]: Error: the command exited with 1
    [exit status: 2]
    "#);
    lab.host("h2").power_off();
    lab.run("chdef -t site connecttimeout=2").success();
    lab.run("chdef late ip=10.8.0.3").success();
    assert_snapshot!(lab.run("makehosts --on hosts"), @"
    ------- stderr -------
    h2: Error: cannot reach 10.77.0.2:22: 10.77.0.2:22 does not answer
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("xdsh c1 'grep late /etc/hosts'"), @"c1: 10.8.0.3 late");
}
