//! `reventlog` on a real BMC, to whose log another program writes.

use insta::assert_snapshot;

use crate::{lab, session, write};

#[test]
fn events_are_shown_and_cleared() {
    let lab = lab().servers(1);
    lab.run("mkdef n1 groups=all mgt=ipmi bmc=10.79.0.1 bmcusername=admin bmcpassword=secret").success();
    write(
        &lab,
        "events",
        "0x04 0x0c 0x53 0x6f 0x01 0xff 0xff\n0x04 0x01 0x30 0x01 0x59 0x63 0x62\n0x04 0x08 0x12 0xef 0x01 0xff 0xff\n",
    );
    let tool = "ipmitool -I lanplus -C 3 -H 10.79.0.1 -U admin -P secret";
    assert_snapshot!(lab.run("reventlog n1"), @"n1: no events");
    lab.shell(&format!("{tool} sel add events")).success();
    assert_snapshot!(session(&lab, "
        reventlog n1
        reventlog n1 1
        reventlog n1 0
        reventlog n1 2 --json
        reventlog n1 clear
        reventlog n1 all
    "), @r#"
    $ reventlog n1
    n1: Memory, Uncorrectable ECC (sensor 0x53)
    n1: Temperature, Upper Critical going high (sensor 0x30) (59 63 62)
    n1: Power Supply, Failure Detected (sensor 0x12) - Recovered
    $ reventlog n1 1
    n1: Power Supply, Failure Detected (sensor 0x12) - Recovered
    $ reventlog n1 0
    ------- stderr -------
    error: invalid value '0' for '[WHAT]': it takes all, clear, or how many events to show

    For more information, try '--help'.
    [exit status: 2]
    $ reventlog n1 2 --json
    {"node":"n1","answer":[{"number":2,"time":null,"text":"Temperature, Upper Critical going high (sensor 0x30) (59 63 62)"},{"number":3,"time":null,"text":"Power Supply, Failure Detected (sensor 0x12) - Recovered"}]}
    $ reventlog n1 clear
    n1: clear
    $ reventlog n1 all
    n1: no events
    "#);
    assert_eq!(lab.shell(&format!("{tool} sel list 2>&1")).success(), "SEL has no entries");

    // Before its clock was set, a BMC counts from its own start.
    lab.shell(&format!("{tool} sel time set now && {tool} sel add events")).success();
    let shown = lab.shell("reventlog n1 1 | sed 's# [0-9][0-9]/[0-9][0-9]/20[0-9][0-9] [0-9:]* # $TIME #'");
    assert_snapshot!(shown, @"n1: $TIME Power Supply, Failure Detected (sensor 0x12) - Recovered");
}
