//! A BMC as freeipmi, ipmitool and we see it: what one does the others hear of, and all read the same.

use ::lab::{Lab, Run};

use crate::{lab, write};

/// freeipmi on the BMC of n1, by what `ipmi_sim` can do best. `-W`: its sessions begin with less than was asked for.
fn freeipmi(lab: &Lab, tool: &str, words: &str) -> Run {
    lab.shell(&format!("{tool} -D LAN_2_0 -I 3 -W opensesspriv -h 10.79.0.1 -u admin -p secret {words}"))
}

#[test]
fn others_and_we_agree_on_a_bmc() {
    let lab = lab().servers(1);
    lab.run("mkdef n1 groups=all mgt=ipmi bmc=10.79.0.1 bmcusername=admin bmcpassword=secret").success();
    let ipmitool = |line: &str| lab.server(1).ipmitool(line).success();
    let freeipmi = |tool: &str, words: &str| freeipmi(&lab, tool, words).success();

    // Whoever switches it, all see it.
    let last = |said: String| said.split_whitespace().last().unwrap_or_default().to_owned();
    let seen = || {
        let said = [
            lab.run("rpower n1 stat").success(),
            ipmitool("chassis power status"),
            freeipmi("ipmi-power", "--stat"),
            freeipmi("ipmi-chassis", "-l ADMIN --get-chassis-status | head -n 1"),
        ];
        said.map(last)
    };
    assert_eq!(seen(), ["off"; 4]);
    freeipmi("ipmi-power", "--on");
    assert_eq!(seen(), ["on"; 4]);
    lab.run("rpower n1 off").success();
    assert_eq!(seen(), ["off"; 4]);
    ipmitool("chassis power on");
    assert_eq!(seen(), ["on"; 4]);
    lab.run("rpower n1 reset").success();
    freeipmi("ipmi-power", "--reset");
    lab.run("rsetboot n1 net").success();
    let flags = freeipmi("ipmi-chassis-config", "-l ADMIN --checkout -S Chassis_Boot_Flags");
    assert!(flags.lines().any(|line| line.split_whitespace().eq(["Boot_Device", "PXE"])), "{flags}");
    assert_eq!(lab.server(1).log(), "power 1\npower 0\npower 1\nreset 1\nreset 1\nboot pxe\n");

    // What it says it is. Of the GUID's bytes we make what systems show, others what the standard of BMCs says, which is reversed.
    let (ours, information) = (lab.run("rinv n1").success(), freeipmi("bmc-info", "--get-device-id"));
    let (other, guid) = (ipmitool("mc info"), ipmitool("mc guid"));
    for [mine, its, ipmitools] in [
        ["BMC Firmware: 9.08", "Firmware Revision     : 9.08", "Firmware Revision         : 9.08"],
        ["IPMI Version: 2.0", "IPMI Version          : 2.0", "IPMI Version              : 2.0"],
        ["Manufacturer ID: 4753", "(4753)", "Manufacturer ID           : 4753"],
        ["Product ID: 3842", "Product ID            : 3842", "Product ID                : 3842"],
        ["Device Revision: 3", "Device Revision       : 3", "Device Revision           : 3"],
    ] {
        assert!(ours.contains(mine) && information.contains(its) && other.contains(ipmitools), "{mine}: {information}");
    }
    let bytes: Vec<String> = ipmitool("raw 6 0x37").split_whitespace().map(str::to_owned).collect();
    let reversed: String = bytes.iter().rev().map(String::as_str).collect();
    let systems: String =
        [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map(|place| bytes[place].as_str()).concat();
    let told = freeipmi("bmc-info", "--get-system-guid");
    assert!(ours.replace('-', "").contains(&format!("UUID/GUID: {systems}")), "{ours}");
    assert!(guid.replace('-', "").contains(&reversed) && told.replace('-', "").contains(&reversed), "{guid}{told}");

    let cached = "--quiet-cache --sdr-cache-directory=$HOME";
    let (stores, other) = (freeipmi("ipmi-fru", cached), ipmitool("fru print 0"));
    for text in ["CH-9", "C0042", "Acme", "Board X", "B77", "BP-1", "Anvil 9000", "A9K", "rev B", "SN-0001", "asset 12"]
    {
        assert!([&ours, &stores, &other].iter().all(|said| said.contains(text)), "{text}: {ours}\n{stores}\n{other}");
    }
    assert!(stores.contains("FRU Product Serial Number: SN-0001") && ours.contains("Serial Number: SN-0001"));

    // What it measures, and what has happened.
    let commas = format!("{cached} --comma-separated-output --no-header-output");
    let (ours, sensors, other) =
        (lab.run("rvitals n1").success(), freeipmi("ipmi-sensors", &commas), ipmitool("sensor"));
    for [mine, its, ipmitools] in [
        ["CPU Temp: 29 C", "CPU Temp,Temperature,29.00,C,'OK'", "CPU Temp         | 29.000     | degrees C  | ok"],
        ["Inlet Temp: -4 C", "Inlet Temp,Temperature,-4.00,C", "Inlet Temp       | -4.000     | degrees C"],
        ["P12V: 11.98 Volts", "P12V,Voltage,11.98,V", "P12V             | 11.977     | Volts"],
        [
            "Fan 1: 800 RPM, below lower critical",
            "800.00,RPM,'At or Below (<=) Lower Critical",
            "800.000    | RPM        | cr",
        ],
        ["Avg Power: 90 Watts", "90.00,W,'OK'", "90.000     | Watts"],
        ["PS1: Presence Detected", "Power Supply,N/A,N/A,'Presence detected'", "PS"],
    ] {
        assert!(
            ours.contains(mine) && sensors.contains(its) && other.contains(ipmitools),
            "{mine}: {sensors}\n{other}"
        );
    }
    write(&lab, "events", "0x04 0x0c 0x53 0x6f 0x01 0xff 0xff\n0x04 0x01 0x30 0x01 0x59 0x63 0x62\n");
    ipmitool(&format!("sel add {}", lab.home().join("events").display()));
    let (ours, events) = (lab.run("reventlog n1").success(), freeipmi("ipmi-sel", &commas));
    for (mine, its) in ours.lines().zip(events.lines()) {
        let same = [("Memory, Uncorrectable ECC (sensor 0x53)", "#83,Memory,Uncorrectable memory error")]
            .into_iter()
            .chain([("Upper Critical going high (sensor 0x30)", "#48,Temperature,Upper Critical - going high")]);
        assert!(same.into_iter().any(|(we, it)| mine.contains(we) && its.contains(it)), "{mine}, {its}");
    }
    assert_eq!((ours.lines().count(), events.lines().count()), (2, 2));
    freeipmi("ipmi-sel", "-l ADMIN --clear");
    assert_eq!(lab.run("reventlog n1").success(), "n1: no events");
    assert_eq!(ipmitool("sel list"), "");
}
