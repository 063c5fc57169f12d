//! What BMCs that speak Redfish offer beside the power of their machines: sensors, drives and consoles; and what they had better
//! not be believed.

use std::net::Ipv4Addr;
use std::time::Duration;

use ::lab::{DriveManner, Lab, RedfishBmcs, RedfishDrive, RedfishFault as Fault, Wait, wait_for};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{lab, session};

const LIMIT: Duration = Duration::from_secs(60);

/// Nodes n1 and so on with simulated BMCs at 10.78.0.1 and so on.
fn define(lab: &Lab, count: u8) {
    let line =
        format!("mkdef n[1-{count}] groups=all mgt=redfish bmc='|10.78.0.($1)|' bmcusername=admin bmcpassword=secret");
    lab.run(&line).success();
}

fn simulated(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 78, 0, number)
}

fn nobody_stays(bmcs: &RedfishBmcs) {
    wait_for("the sessions to be closed", LIMIT, || match bmcs.sessions() {
        0 => Wait::Ready(()),
        open => Wait::NotYet(format!("{open} are open")),
    });
}

fn link(path: &str) -> Value {
    json!({ "@odata.id": format!("/redfish/v1/{path}") })
}

/// Has a BMC tell these resources, by their paths below `/redfish/v1/`.
fn tell(bmcs: &RedfishBmcs, number: u8, resources: &[(&str, Value)]) {
    let resources = resources.iter().map(|(path, value)| (format!("/redfish/v1/{path}"), value.clone()));
    bmcs.change(simulated(number), |machine| machine.more.extend(resources));
}

fn older() -> Vec<(&'static str, Value)> {
    vec![
        ("Systems/1", json!({ "Links": { "Chassis": [link("Chassis/1U")] }, "PowerRestorePolicy": "LastState" })),
        (
            "Chassis/1U",
            json!({
                "Thermal": link("Chassis/1U/Thermal"), "Power": link("Chassis/1U/Power"),
                "Sensors": link("Chassis/1U/Sensors"), "PhysicalSecurity": { "IntrusionSensor": "Normal" },
            }),
        ),
        (
            "Chassis/1U/Thermal",
            json!({
                "Temperatures": [
                    { "Name": "CPU 1", "ReadingCelsius": 92, "UpperThresholdNonCritical": 80, "UpperThresholdCritical": 90 },
                    { "Name": "Inlet \u{1b}[2J", "ReadingCelsius": 23.5 },
                ],
                "Fans": [{ "Name": "Fan 1", "Reading": 4200, "ReadingUnits": "RPM", "LowerThresholdCritical": 500 }],
            }),
        ),
        (
            "Chassis/1U/Power",
            json!({
                "PowerControl": [{ "Name": "System", "PowerConsumedWatts": 212 }],
                "Voltages": [{ "Name": "12V", "ReadingVolts": 11.98 }],
                "PowerSupplies": [{ "Name": "PS1", "Status": { "State": "Enabled", "Health": "OK" } }],
            }),
        ),
    ]
}

fn newer() -> Vec<(&'static str, Value)> {
    let members = json!({ "Members": [link("Chassis/a/Sensors/t"), link("Chassis/a/Sensors/gone"), link("Chassis/a/Sensors/f")] });
    let limits = json!({ "UpperCaution": { "Reading": 40 }, "UpperCritical": { "Reading": 45 } });
    let inlet = json!({
        "@odata.id": "/redfish/v1/Chassis/a/Sensors/t", "Name": "Inlet", "Reading": 41.5, "ReadingType": "Temperature",
        "ReadingUnits": "Cel", "Thresholds": limits,
    });
    vec![
        ("", json!({ "Chassis": link("Chassis") })),
        ("Chassis", json!({ "Members": [link("Chassis/a")] })),
        ("Chassis/a", json!({ "Sensors": link("Chassis/a/Sensors") })),
        ("Chassis/a/Sensors", members),
        ("Chassis/a/Sensors/t", inlet),
        (
            "Chassis/a/Sensors/f",
            json!({ "Name": "Fan 1", "Reading": null, "ReadingType": "Rotational", "ReadingUnits": "RPM" }),
        ),
    ]
}

fn subsystems() -> Vec<(&'static str, Value)> {
    vec![
        ("", json!({ "Chassis": link("Chassis") })),
        ("Chassis", json!({ "Members": [link("Chassis/a")] })),
        (
            "Chassis/a",
            json!({
                "ThermalSubsystem": link("T"), "PowerSubsystem": link("P"), "EnvironmentMetrics": link("E"),
            }),
        ),
        ("T", json!({ "ThermalMetrics": link("TM"), "Fans": link("F") })),
        ("TM", json!({ "TemperatureReadingsCelsius": [{ "DeviceName": "Inlet", "Reading": 22 }] })),
        ("F", json!({ "Members": [link("F/1")] })),
        ("F/1", json!({ "Name": "Fan 1", "SpeedPercent": { "Reading": 30, "SpeedRPM": 4800 } })),
        ("E", json!({ "PowerWatts": { "Reading": 374 } })),
        ("P", json!({ "PowerSupplies": link("PS") })),
        ("PS", json!({ "Members": [link("PS/1")] })),
        ("PS/1", json!({ "Name": "PS1", "Status": { "Health": "OK" } })),
    ]
}

#[test]
fn machines_tell_what_they_measure_by_whatever_schema() {
    let mut lab = lab();
    let bmcs = lab.redfish_bmcs();
    define(&lab, 5);
    tell(&bmcs, 1, &older());
    tell(&bmcs, 2, &newer());
    tell(&bmcs, 3, &newer());
    tell(
        &bmcs,
        3,
        &[(
            "",
            json!({ "ProtocolFeaturesSupported": { "ExpandQuery": { "NoLinks": true } }, "Chassis": link("Chassis") }),
        )],
    );
    bmcs.change(simulated(3), |machine| machine.expands = true);
    tell(&bmcs, 4, &subsystems());
    // Where pages go round in circles, and a sensor is what contains it.
    tell(&bmcs, 5, &newer());
    let circle =
        json!({ "Members": [link("Chassis/a/Sensors")], "Members@odata.nextLink": "/redfish/v1/Chassis/a/Sensors" });
    tell(&bmcs, 5, &[("Chassis/a/Sensors", circle)]);
    assert_snapshot!(session(&lab, "
        rvitals n1
        rvitals n1 temp --limits
        rvitals n1 wattage --json
        rvitals n2 temp,fanspeed -l
        rvitals n3 temp
        rvitals n4
        rvitals n4 voltage
        rvitals n5 temp
        rvitals all leds,power -b
    "), @r#"
    $ rvitals n1
    n1: Power Status: off
    n1: Power Restore Policy: Last state
    n1: Chassis intrusion: inactive
    n1: Identify Light: off
    n1: CPU 1: 92 C (198 F), above upper critical
    n1: Inlet  [2J: 23.5 C (74 F)
    n1: Fan 1: 4200 RPM
    n1: System: 212 Watts (723 BTUs/hr)
    n1: 12V: 11.98 Volts
    n1: PS1: OK
    $ rvitals n1 temp --limits
    n1: CPU 1: 92 C (198 F), above upper critical [good up to 80; not critical up to 90]
    n1: Inlet  [2J: 23.5 C (74 F)
    $ rvitals n1 wattage --json
    {"node":"n1","answer":[{"name":"System","value":212.0,"unit":"Watts"}]}
    $ rvitals n2 temp,fanspeed -l
    n2: Inlet: 41.5 C (107 F), above upper non-critical [good up to 40.0; not critical up to 45.0]
    n2: Fan 1: N/A
    $ rvitals n3 temp
    n3: Inlet: 41.5 C (107 F), above upper non-critical
    $ rvitals n4
    n4: Power Status: off
    n4: Identify Light: off
    n4: Inlet: 22 C (72 F)
    n4: Fan 1: 4800 RPM
    n4: Power: 374 Watts (1276 BTUs/hr)
    n4: PS1: OK
    $ rvitals n4 voltage
    ------- stderr -------
    n4: Error: the machine does not tell this
    [exit status: 1]
    $ rvitals n5 temp
    ------- stderr -------
    n5: Error: BMC 10.78.0.5: cannot read the sensors: /redfish/v1/Chassis/a/Sensors never ends
    [exit status: 1]
    $ rvitals all leds,power -b
    n[2-3]: Power Status: off
    n[2-3]: Identify Light: off
    n4: Power Status: off
    n4: Identify Light: off
    n4: Power: 374 Watts (1276 BTUs/hr)
    n1: Power Status: off
    n1: Identify Light: off
    n1: System: 212 Watts (723 BTUs/hr)
    ------- stderr -------
    n5: Error: BMC 10.78.0.5: cannot read the sensors: /redfish/v1/Chassis/a/Sensors never ends
    [exit status: 1]
    "#);
    let asked = bmcs.machine(simulated(3)).heard;
    assert!(asked.iter().all(|asked| !asked.ends_with("Sensors/t")), "each sensor was asked for: {asked:?}");
}

#[test]
fn images_are_put_in_and_taken_out() {
    let mut lab = lab();
    let bmcs = lab.redfish_bmcs();
    define(&lab, 6);
    lab.run("chdef -t site requesttimeout=4").success();
    lab.run("mkdef m1 groups=ipmi mgt=ipmi bmc=10.78.0.9 bmcusername=admin bmcpassword=secret").success();
    let manners = [DriveManner::Action, DriveManner::Bare, DriveManner::Told, DriveManner::Members, DriveManner::Lies];
    for (number, manner) in (1..).zip(manners) {
        bmcs.change(simulated(number), |machine| {
            machine.drives = vec![
                RedfishDrive::new("1", &["Floppy", "USBStick"], manner),
                RedfishDrive::new("2", &["CD", "DVD"], manner),
            ];
        });
    }
    bmcs.change(simulated(1), |machine| {
        machine.drives[0].image = Some("nfs://ada:sesame@files/key.img".into());
        machine.drives[1].image = Some("http://files/old.iso".into());
    });
    assert_snapshot!(session(&lab, "
        rsetboot n1
        rsetboot n[1-4] cd --url http://files/a.iso -b
        rsetboot n1 cd --url http://files/a.iso
        rsetboot n1 stat --json
        rsetboot n5 cd --url http://files/a.iso
        rsetboot n6 cd --url http://files/a.iso
        rsetboot n6 stat
        rsetboot n[1-4] hd --eject -b
        rsetboot n2 --eject
        rsetboot n2 http --url http://files/boot.efi -u
        rsetboot n2 stat --json
        rsetboot n2 http
        rsetboot m1 cd --url http://files/a.iso
        rsetboot m1 http
        rsetboot n1 cd --url http://ada:sesame@files/a.iso
        rsetboot n1 cd --url a.iso
        rsetboot n1 net --url http://files/a.iso
    "), @r#"
    $ rsetboot n1
    n1: boot override inactive
    n1: Virtual media: nfs://***@files/key.img
    n1: Virtual media: http://files/old.iso
    $ rsetboot n[1-4] cd --url http://files/a.iso -b
    n[2-4]: CD/DVD
    n[2-4]: Virtual media: http://files/a.iso
    n1: CD/DVD
    n1: Virtual media: nfs://***@files/key.img
    n1: Virtual media: http://files/a.iso
    $ rsetboot n1 cd --url http://files/a.iso
    n1: CD/DVD
    n1: Virtual media: nfs://***@files/key.img
    n1: Virtual media: http://files/a.iso
    $ rsetboot n1 stat --json
    {"node":"n1","answer":{"device":"CD/DVD","persistent":false,"uefi":false,"media":["nfs://***@files/key.img","http://files/a.iso"]}}
    $ rsetboot n5 cd --url http://files/a.iso
    ------- stderr -------
    n5: Error: BMC 10.78.0.5: cannot put the image in: the BMC has said yes, and there is still none in the drive
    [exit status: 1]
    $ rsetboot n6 cd --url http://files/a.iso
    ------- stderr -------
    n6: Error: BMC 10.78.0.6: cannot put the image in: the machine has no virtual drive for discs
    [exit status: 1]
    $ rsetboot n6 stat
    n6: boot override inactive
    $ rsetboot n[1-4] hd --eject -b
    n[2-4]: Hard Drive
    n1: Hard Drive
    n1: Virtual media: nfs://***@files/key.img
    $ rsetboot n2 --eject
    n2: Hard Drive
    $ rsetboot n2 http --url http://files/boot.efi -u
    n2: UEFI HTTP http://files/boot.efi
    $ rsetboot n2 stat --json
    {"node":"n2","answer":{"device":"UEFI HTTP","persistent":false,"uefi":true,"url":"http://files/boot.efi","media":[]}}
    $ rsetboot n2 http
    n2: UEFI HTTP
    $ rsetboot m1 cd --url http://files/a.iso
    ------- stderr -------
    m1: Error: virtual media is not supported when using mgt=ipmi
    Error: nothing was done: m1 cannot be served as defined
    [exit status: 1]
    $ rsetboot m1 http
    ------- stderr -------
    m1: Error: booting by HTTP is not supported when using mgt=ipmi
    Error: nothing was done: m1 cannot be served as defined
    [exit status: 1]
    $ rsetboot n1 cd --url http://ada:sesame@files/a.iso
    ------- stderr -------
    Error: an account in --url would be seen by everybody, here and at the BMC
    [exit status: 2]
    $ rsetboot n1 cd --url a.iso
    ------- stderr -------
    Error: --url takes an address such as http://10.0.0.1/a.iso, not 'a.iso'
    [exit status: 2]
    $ rsetboot n1 net --url http://files/a.iso
    ------- stderr -------
    Error: --url goes with cd or http
    [exit status: 2]
    "#);
    let images =
        |number: u8| bmcs.machine(simulated(number)).drives.into_iter().map(|drive| drive.image).collect::<Vec<_>>();
    assert_eq!(images(1), [Some("nfs://ada:sesame@files/key.img".into()), None], "what is no disc is left alone");
    assert_eq!(images(3), [None, None]);
    let boot = bmcs.machine(simulated(2)).boot;
    assert_eq!((&boot["BootSourceOverrideTarget"], &boot["HttpBootUri"]), (&json!("UefiHttp"), &Value::Null), "{boot}");
}

#[test]
fn nobody_is_followed_elsewhere() {
    let mut lab = lab();
    let bmcs = lab.redfish_bmcs();
    define(&lab, 3);
    lab.run("rpower n2 stat").success();
    nobody_stays(&bmcs);
    let heard = bmcs.machine(simulated(2)).heard.len();
    bmcs.fault(simulated(1), Some(Fault::Redirects(simulated(2))));
    // Addresses in what a BMC says lead to itself, whoever they name.
    tell(
        &bmcs,
        3,
        &[(
            "Systems/1",
            json!({ "Links": { "Chassis": [{ "@odata.id": "https://10.78.0.2/redfish/v1/Chassis/1" }] } }),
        )],
    );
    tell(&bmcs, 3, &[("Chassis/1", json!({ "Thermal": { "@odata.id": "//10.78.0.2/redfish/v1/Chassis/1/Thermal" } }))]);
    assert_snapshot!(session(&lab, "
        rpower n1 stat
        rpower n1 on
        rvitals n3 temp
    "), @"
    $ rpower n1 stat
    ------- stderr -------
    n1: Error: BMC 10.78.0.1: cannot find the machine: it answers 307
    [exit status: 1]
    $ rpower n1 on
    ------- stderr -------
    n1: Error: BMC 10.78.0.1: cannot find the machine: it answers 307
    [exit status: 1]
    $ rvitals n3 temp
    ------- stderr -------
    n3: Error: the machine does not tell this
    [exit status: 1]
    ");
    assert_eq!(bmcs.machine(simulated(2)).heard.len(), heard, "a BMC was asked for another");
}

#[test]
fn consoles_are_had_through_whatever_the_bmc_has() {
    let mut lab = lab().hosts(1).servers(1);
    let bmcs = lab.redfish_bmcs();
    define(&lab, 3);
    lab.run("chdef -t site connecttimeout=10 sshacceptnew=yes").success();
    // The BMC at 10.78.0.1 has the IPMI of a real one, and that at 10.78.0.2 the sshd of a host.
    let there = |number: u8, what: &str, to: &str| {
        lab.shell(&format!("iptables -t nat -A OUTPUT -d 10.78.0.{number} -p {what} -j DNAT --to-destination {to}"))
            .success();
    };
    there(1, "udp --dport 623", "10.79.0.1:623");
    there(2, "tcp --dport 2200", "10.77.0.1:22");
    lab.host("h1").shell("useradd -m -s /bin/sh admin && echo admin:secret | chpasswd");
    let says = "stty -echo; echo ready; while read line; do echo \"heard $line\"; done";
    let over_ssh = json!({ "SSH": { "ServiceEnabled": true, "Port": 2200, "ConsoleEntryCommand": says } });
    tell(&bmcs, 1, &[("Systems/1", json!({ "SerialConsole": { "IPMI": { "ServiceEnabled": true } } }))]);
    tell(&bmcs, 2, &[("Systems/1", json!({ "SerialConsole": over_ssh }))]);
    tell(&bmcs, 3, &[("Managers/1", json!({ "SerialConsole": { "ServiceEnabled": false } }))]);
    assert_snapshot!(lab.run_with_stdin("rcons n1", "root\n"), @"
    root
    heard root
    ");
    let mut console = lab.spawn_pty("rcons n2", 24, 80);
    console.expect("[n2: ^Ec. leaves", LIMIT);
    console.expect("ready\r\n", LIMIT);
    console.send("root\r");
    console.expect("heard root\r\n", LIMIT);
    // The BMC ends it, and it is not opened again by itself.
    console.send("\x04");
    console.send("exit\r");
    let ended = console.wait(LIMIT);
    assert_eq!(ended.code, 1, "{ended}");
    assert_snapshot!(session(&lab, "
        rcons n3
        rcons n1 -- ls
        chdef n2 bmcpassword=wrong1
    "), @"
    $ rcons n3
    ------- stderr -------
    n3: Error: BMC 10.78.0.3: cannot open the console: it tells of none that is enabled over IPMI or SSH
    [exit status: 1]
    $ rcons n1 -- ls
    ------- stderr -------
    n1: Error: a program on the console is not supported when using mgt=redfish
    [exit status: 1]
    $ chdef n2 bmcpassword=wrong1
    1 object definitions have been created or modified.
    ");
    // Redfish itself keeps out who is wrong; only its ssh does so here.
    bmcs.change(simulated(2), |machine| machine.password = "wrong1".into());
    assert_snapshot!(lab.run("rcons n2"), @"
    ------- stderr -------
    n2: Error: login as admin to 10.78.0.2:2200: user or password is wrong
    [exit status: 1]
    ");
    nobody_stays(&bmcs);
}
