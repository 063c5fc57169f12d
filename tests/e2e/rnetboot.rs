//! `rnetboot`, which is `rinstall` by another name.

use crate::rinstall::machines;

#[test]
fn a_node_boots_from_the_network_once() {
    let (lab, bmcs) = machines();
    lab.run("rnetboot n1 shell").success();
    let machine = bmcs.machine("10.78.0.1".parse().unwrap());
    assert_eq!((machine.on, machine.boot), (true, [0x80, 0x04, 0, 0, 0]));
    assert_eq!(lab.run("nodeset n1").success(), "n1: shell");
    assert!(!bmcs.machine("10.78.0.2".parse().unwrap()).on);
}
