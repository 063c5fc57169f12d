use insta::assert_snapshot;

use crate::{rack, session};

#[test]
fn tables_of_the_node_and_of_its_groups_are_named() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodegrpch rack1 vm.host=h1
        nodech n4 mac.mac=02:00:00:00:00:04
        tabgrep n1
        tabgrep n4
        tabgrep rack1
        tabgrep n9
    "), @"
    $ nodegrpch rack1 vm.host=h1
    $ nodech n4 mac.mac=02:00:00:00:00:04
    $ tabgrep n1
    nodehm
    nodelist
    vm
    $ tabgrep n4
    mac
    nodehm
    nodelist
    $ tabgrep rack1
    vm
    $ tabgrep n9
    ");
}
