//! `nodediscoverstop`: done twice it is done once.

use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn discovery_in_order_ends() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        nodediscoverstop
        nodediscoverstart noderange=n[1-2]
        nodediscoverstop
        nodediscoverstop
        deflog -n 1
    "), @"
    $ nodediscoverstop
    Sequential Discovery: not started
    $ nodediscoverstart noderange=n[1-2]
    Sequential Discovery: Started:
        Number of free node names: 2
    $ nodediscoverstop
    Sequential Discovery: Done, 0 nodes in all
    $ nodediscoverstop
    Sequential Discovery: not started
    $ deflog -n 1
    2 $TIME root 1 row: nodediscoverstop
    ");
}
