//! `rbeacon` on simulated BMCs, and what a real one is told.

use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn the_light_is_switched_and_another_program_sees_it() {
    let mut lab = lab();
    let bmcs = lab.simulated_bmcs();
    lab.run("mkdef n[1-2] groups=all mgt=ipmi bmc='|10.78.0.($1+0)|' bmcusername=admin bmcpassword=secret").success();
    assert_snapshot!(session(&lab, "
        rbeacon all on -b
        rbeacon n1 stat
        rbeacon n1 off
        rbeacon n2 blink
        rbeacon all stat
    ").replace("n2: on\nn1: off", "n1: off\nn2: on"), @"
    $ rbeacon all on -b
    n[1-2]: on
    $ rbeacon n1 stat
    n1: on
    $ rbeacon n1 off
    n1: off
    $ rbeacon n2 blink
    n2: on
    $ rbeacon all stat
    n1: off
    n2: on
    ");
    let tool = "ipmitool -I lanplus -C 17 -H 10.78.0.2 -U admin -P secret";
    lab.shell(&format!("{tool} chassis identify 9")).success();
    assert_eq!(lab.run("rbeacon n2 stat").to_string(), "n2: blink\n");
    assert_eq!(bmcs.machine("10.78.0.1".parse().unwrap()).light, 0);
}

#[test]
fn a_real_bmc_is_told() {
    let lab = lab().servers(1);
    lab.run("mkdef n1 groups=all mgt=ipmi bmc=10.79.0.1 bmcusername=admin bmcpassword=secret").success();
    // ipmi_sim does not tell what its light does.
    assert_snapshot!(session(&lab, "
        rbeacon n1 on
        rbeacon n1 off
        rbeacon n1 stat
    "), @"
    $ rbeacon n1 on
    n1: on
    $ rbeacon n1 off
    n1: off
    $ rbeacon n1 stat
    n1: unknown
    ");
    assert_eq!(lab.server(1).log(), "identify 0 1\nidentify 0 0\n");
}
