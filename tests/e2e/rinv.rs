//! `rinv` on a real BMC, whose inventory store another program reads the same.

use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn what_a_machine_says_it_is() {
    let lab = lab().servers(2);
    lab.run("mkdef n[1-2] groups=all mgt=ipmi bmc='|10.79.0.($1+0)|' bmcusername=admin bmcpassword=secret").success();
    assert_snapshot!(session(&lab, "
        rinv n1
        rinv n1 vpd
        rinv n1 serial --json
        rinv all mprom -b
        rinv n2 uuid
        rinv n2 deviceid
        rinv n1 dust
    "), @r#"
    $ rinv n1
    n1: System Manufacturer: Acme Corp
    n1: System Description: Anvil 9000
    n1: System Model/MTM: A9K
    n1: System Revision: rev B
    n1: Board Manufacturer: Acme
    n1: Board Model: Board X
    n1: Board Part Number: BP-1
    n1: Chassis Part Number: CH-9
    n1: Serial Number: SN-0001
    n1: Board Serial Number: B77
    n1: Chassis Serial Number: C0042
    n1: Asset Number: asset 12
    n1: UUID/GUID: 674523a1-ab89-efcd-a123-$ID
    n1: Device ID: 0
    n1: Device Revision: 3
    n1: IPMI Version: 2.0
    n1: Manufacturer ID: 4753
    n1: Product ID: 3842
    n1: BMC Firmware: 9.08
    $ rinv n1 vpd
    n1: System Manufacturer: Acme Corp
    n1: System Description: Anvil 9000
    n1: System Model/MTM: A9K
    n1: System Revision: rev B
    n1: Board Manufacturer: Acme
    n1: Board Model: Board X
    n1: Board Part Number: BP-1
    n1: Chassis Part Number: CH-9
    n1: Serial Number: SN-0001
    n1: Board Serial Number: B77
    n1: Chassis Serial Number: C0042
    n1: Device ID: 0
    n1: Device Revision: 3
    n1: IPMI Version: 2.0
    n1: Manufacturer ID: 4753
    n1: Product ID: 3842
    n1: BMC Firmware: 9.08
    $ rinv n1 serial --json
    {"node":"n1","answer":{"Serial Number":"SN-0001","Board Serial Number":"B77","Chassis Serial Number":"C0042"}}
    $ rinv all mprom -b
    n[1-2]: BMC Firmware: 9.08
    $ rinv n2 uuid
    n2: UUID/GUID: 674523a1-ab89-efcd-a123-$ID
    $ rinv n2 deviceid
    n2: Device ID: 0
    n2: Device Revision: 3
    n2: IPMI Version: 2.0
    n2: Manufacturer ID: 4753
    n2: Product ID: 3842
    $ rinv n1 dust
    ------- stderr -------
    error: invalid value 'dust' for '[WHAT]'
      [possible values: all, model, serial, asset, vpd, firm, guid, deviceid]

    For more information, try '--help'.
    [exit status: 2]
    "#);
    let other = lab.server(1).ipmitool("fru print 0").stdout;
    for text in ["SN-0001", "Anvil 9000", "A9K", "Board X", "C0042", "asset 12"] {
        assert!(other.contains(text), "{other}");
    }
}

#[test]
fn a_machine_without_a_store_says_so() {
    let mut lab = lab();
    let _bmcs = lab.simulated_bmcs();
    lab.run("mkdef n1 groups=all mgt=ipmi bmc=10.78.0.1 bmcusername=admin bmcpassword=secret").success();
    assert_snapshot!(session(&lab, "
        rinv n1 serial
        rinv n1 firm
    "), @"
    $ rinv n1 serial
    ------- stderr -------
    n1: Error: the machine does not tell this
    [exit status: 1]
    $ rinv n1 firm
    n1: BMC Firmware: 2.34
    ");
}
