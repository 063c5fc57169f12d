//! `nodediscoverstart`: what is refused; what it does is in `nodediscoverdef.rs`, where machines report.

use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn discovery_in_order_needs_nodes() {
    let lab = lab();
    lab.run("mkdef n1 groups=all mac=52:54:00:00:00:01").success();
    assert_snapshot!(session(&lab, "
        nodediscoverstart groups=all
        nodediscoverstart noderange=n1
        nodediscoverstart noderange=n[1-3] rack=r1
        nodediscoverstart noderange=n[1-3] osimage=bogus
        nodediscoverstart noderange=n[1-3] hostiprange=10.0.0
        nodediscoverstart noderange=n[1-3]
        nodediscoverstart noderange=n[1-3]
        nodediscoverstart noderange=n[1-4]
    "), @"
    $ nodediscoverstart groups=all
    ------- stderr -------
    Error: noderange=… is missing: which nodes machines are to become, in this order
    [exit status: 2]
    $ nodediscoverstart noderange=n1
    ------- stderr -------
    Error: every node of n1 is a machine already
    [exit status: 1]
    $ nodediscoverstart noderange=n[1-3] rack=r1
    ------- stderr -------
    Error: 'rack' is none of noderange, hostiprange, groups, osimage
    [exit status: 2]
    $ nodediscoverstart noderange=n[1-3] osimage=bogus
    ------- stderr -------
    Error: Cannot find the OS image bogus in the osimage table
    [exit status: 1]
    $ nodediscoverstart noderange=n[1-3] hostiprange=10.0.0
    ------- stderr -------
    Error: '10.0.0' is no range of IPv4 addresses
    Hint: it takes 10.0.0.1-254, 10.0.0.9-10.0.1.20 or 10.1.0.0/24, several by comma
    [exit status: 2]
    $ nodediscoverstart noderange=n[1-3]
    Sequential Discovery: Started:
        Number of free node names: 2
    $ nodediscoverstart noderange=n[1-3]
    Sequential Discovery: Started:
        Number of free node names: 2
    $ nodediscoverstart noderange=n[1-4]
    ------- stderr -------
    Error: discovery in order is on already, for noderange=n[1-3]
    Hint: end it: nodediscoverstop
    [exit status: 1]
    ");
}
