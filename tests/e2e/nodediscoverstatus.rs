//! `nodediscoverstatus`: which node is next.

use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn the_next_node_is_the_first_without_a_machine() {
    let lab = lab();
    lab.run("mkdef n9 groups=all mac=52:54:00:00:00:01").success();
    assert_snapshot!(session(&lab, "
        nodediscoverstatus
        nodediscoverstart noderange=n[9-10]
        nodediscoverstatus
        chdef n9 mac=
        nodediscoverstatus
    "), @"
    $ nodediscoverstatus
    Sequential Discovery: not started
    $ nodediscoverstart noderange=n[9-10]
    Sequential Discovery: Started:
        Number of free node names: 1
    $ nodediscoverstatus
    Sequential Discovery: Started, noderange=n[9-10], next is n10
    $ chdef n9 mac=
    1 object definitions have been created or modified.
    $ nodediscoverstatus
    Sequential Discovery: Started, noderange=n[9-10], next is n9
    ");
}
