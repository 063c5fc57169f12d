//! Servers whose BMCs speak Redfish: the emulator of sushy-tools, and simulated ones with sessions, by the hundred, and with faults.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use ::lab::{Lab, RedfishBmcs, RedfishFault as Fault, Wait, wait_for};
use insta::assert_snapshot;

use crate::{lab, session, write};

/// Nodes n001 and so on with simulated BMCs at 10.78.0.1 and so on.
fn define(lab: &Lab, count: u16) {
    let bmc = "|10.78.(($1-1)/250).(($1-1)%250+1)|";
    lab.run(&format!(
        "mkdef n[001-{count:03}] groups=all mgt=redfish bmc='{bmc}' bmcusername=admin bmcpassword=secret"
    ))
    .success();
}

fn simulated(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 78, 0, number)
}

fn nobody_stays(bmcs: &RedfishBmcs) {
    wait_for("the sessions to be closed", Duration::from_secs(10), || match bmcs.sessions() {
        0 => Wait::Ready(()),
        open => Wait::NotYet(format!("{open} are open")),
    });
}

#[test]
fn the_emulator_of_others_does_what_it_is_told() {
    let lab = lab().emulated();
    lab.run("mkdef n1 groups=all mgt=redfish bmc=10.79.1.1").success();
    let machine = lab.emulator();
    assert_snapshot!(session(&lab, "
        rpower n1 stat
        chtab key=ipmi passwd.username=admin passwd.password=wrong1
        rpower n1 stat
        chtab key=redfish passwd.username=admin passwd.password=secret
        rpower n1 stat
        rpower n1 cycle
        rpower n1 softoff
        rpower n1 on
        rpower n1 reset
        rpower n1 cycle
        rsetboot n1 net
        rsetboot n1 hd -p -u
        rsetboot n1 floppy
        rsetboot n1 default
        rbeacon n1 on
        rbeacon n1 stat
        rbeacon n1 off
        rinv n1
        reventlog n1
        rpower n1 softoff
        rvitals n1 temp,fanspeed -l
        rsetboot n1 cd --url https://10.79.1.1/redfish/v1/
        rsetboot n1 stat
        rsetboot n1 cd --url https://10.79.1.1/nothing.iso
        rsetboot n1 hd --eject
        rspconfig n1
        rspconfig n1 users
    "), @"
    $ rpower n1 stat
    ------- stderr -------
    n1: Error: attribute 'bmcusername' (table ipmi) is not set, and table passwd has no row for key redfish or ipmi
    Hint: set it with: chdef NODERANGE bmcusername=… bmcpassword=…; or for all BMCs, with that key: tabedit passwd
    [exit status: 1]
    $ chtab key=ipmi passwd.username=admin passwd.password=wrong1
    $ rpower n1 stat
    ------- stderr -------
    n1: Error: BMC 10.79.1.1: it does not let in user 'admin': user or password is wrong
    [exit status: 1]
    $ chtab key=redfish passwd.username=admin passwd.password=secret
    $ rpower n1 stat
    n1: off
    $ rpower n1 cycle
    ------- stderr -------
    n1: Error: BMC 10.79.1.1: cannot cycle: the machine is off
    [exit status: 1]
    $ rpower n1 softoff
    n1: softoff
    $ rpower n1 on
    n1: on
    $ rpower n1 reset
    n1: reset
    $ rpower n1 cycle
    n1: cycle
    $ rsetboot n1 net
    n1: Network
    ------- stderr -------
    n1: Warning: its BMC was told Network for the next boot, and says that it is for all: rsetboot NODE default ends that
    $ rsetboot n1 hd -p -u
    n1: Hard Drive
    $ rsetboot n1 floppy
    ------- stderr -------
    n1: Error: BMC 10.79.1.1: cannot set the boot device: it offers Pxe, Cd, Hdd, UefiHttp only
    [exit status: 1]
    $ rsetboot n1 default
    n1: boot override inactive
    $ rbeacon n1 on
    n1: on
    $ rbeacon n1 stat
    n1: on
    $ rbeacon n1 off
    n1: off
    $ rinv n1
    n1: System Manufacturer: Sushy Emulator
    n1: UUID/GUID: a1234567-89ab-4def-8123-$ID
    n1: BMC Model: Joo Janta 200
    n1: Redfish Version: 1.5.0
    n1: BMC Firmware: 1.00
    $ reventlog n1
    ------- stderr -------
    n1: Error: BMC 10.79.1.1: cannot read the event log: the machine has none
    [exit status: 1]
    $ rpower n1 softoff
    n1: softoff
    $ rvitals n1 temp,fanspeed -l
    n1: CPU Temp: 41 C (106 F) [good up to 42; not critical up to 45; recoverable up to 48]
    n1: Chassis Intake Temp: 25 C (77 F) [good 10 to 30; not critical 5 to 40; recoverable 0 to 50]
    n1: BaseBoard System Fan: 2100 RPM [recoverable from 0]
    n1: BaseBoard System Fan Backup: 2050 RPM [recoverable from 0]
    $ rsetboot n1 cd --url https://10.79.1.1/redfish/v1/
    n1: CD/DVD
    n1: Virtual media: https://10.79.1.1/redfish/v1/
    ------- stderr -------
    n1: Warning: its BMC was told CD/DVD for the next boot, and says that it is for all: rsetboot NODE default ends that
    $ rsetboot n1 stat
    n1: CD/DVD
    n1: Virtual media: https://10.79.1.1/redfish/v1/
    $ rsetboot n1 cd --url https://10.79.1.1/nothing.iso
    ------- stderr -------
    n1: Error: BMC 10.79.1.1: cannot put the image in: it answers 400: Cannot download virtual media: got error 401 from the server
    [exit status: 1]
    $ rsetboot n1 hd --eject
    n1: Hard Drive
    ------- stderr -------
    n1: Warning: its BMC was told Hard Drive for the next boot, and says that it is for all: rsetboot NODE default ends that
    $ rspconfig n1
    ------- stderr -------
    n1: Error: BMC 10.79.1.1: cannot tell its network: it tells of no interface with an address
    [exit status: 1]
    $ rspconfig n1 users
    ------- stderr -------
    n1: Error: BMC 10.79.1.1: cannot tell its users: it tells of no accounts
    [exit status: 1]
    ");
    assert_snapshot!(machine.log(), @"
    reset On
    reset ForceRestart
    reset ForceOff
    reset On
    boot Pxe
    boot Hdd
    boot None
    reset GracefulShutdown
    boot Cd
    boot Hdd
    ");
    machine.switch(true);
    assert_eq!(lab.run("rpower n1 off").to_string(), "n1: off\n");
}

#[test]
fn power_verbs_and_sessions() {
    let mut lab = lab();
    let bmcs = lab.redfish_bmcs();
    define(&lab, 1);
    let check = |verb: &str, expected: &str| assert_eq!(lab.run(&format!("rpower n001 {verb}")).to_string(), expected);
    check("stat", "n001: off\n");
    check("reset", "n001: off\n");
    check("on", "n001: on\n");
    check("on", "n001: on\n");
    assert_eq!(lab.run("lsdef n001 -i status -c").stdout, "n001: status=powering-on\n");
    check("reset", "n001: reset\n");
    check("cycle", "n001: cycle\n");
    check("softoff", "n001: softoff\n");
    check("softoff", "n001: softoff\n");
    check("boot", "n001: on\n");
    check("off", "n001: off\n");
    let done = bmcs.machine(simulated(1)).resets.join(" ");
    assert_eq!(done, "On ForceRestart PowerCycle GracefulShutdown On ForceOff");

    // A machine with a button and nothing else, beside another "system" that is none.
    bmcs.change(simulated(1), |machine| {
        machine.offers = vec!["PushPowerButton".into(), "ForceOff".into()];
        machine.systems = vec!["HGX_Baseboard_0".into(), "System_0".into()];
        machine.vendor = "NVIDIA".into();
    });
    check("on", "n001: on\n");
    check("cycle", "n001: cycle\n");
    bmcs.change(simulated(1), |machine| machine.vendor = "Acme".into());
    assert_snapshot!(session(&lab, "
        rpower n001 stat
        chdef n001 bmcpassword=wrong1
        rpower n001 stat
        rpower n001 suspend
    "), @"
    $ rpower n001 stat
    ------- stderr -------
    n001: Error: BMC 10.78.0.1: cannot find the machine: it has 2 systems (HGX_Baseboard_0, System_0), and none is called n001
    [exit status: 1]
    $ chdef n001 bmcpassword=wrong1
    1 object definitions have been created or modified.
    $ rpower n001 stat
    ------- stderr -------
    n001: Error: BMC 10.78.0.1: it does not let in user 'admin': user or password is wrong
    [exit status: 1]
    $ rpower n001 suspend
    ------- stderr -------
    n001: Error: suspend is not supported when using mgt=redfish
    Error: nothing was done: n001 cannot be served as defined
    [exit status: 1]
    ");
    lab.run("chdef n001 bmcpassword=secret").success();
    bmcs.change(simulated(1), |machine| {
        machine.systems = vec!["1".into(), "N001".into()];
        machine.may_change = false;
    });
    assert_snapshot!(session(&lab, "
        rpower n001 stat
        rpower n001 off
    "), @"
    $ rpower n001 stat
    n001: on
    $ rpower n001 off
    ------- stderr -------
    n001: Error: BMC 10.78.0.1: cannot switch off: the user has not the privilege for it
    [exit status: 1]
    ");
    nobody_stays(&bmcs);
}

#[test]
fn what_machines_tell_and_what_is_set() {
    let mut lab = lab();
    let bmcs = lab.redfish_bmcs();
    define(&lab, 2);
    bmcs.fault(simulated(2), Some(Fault::Insists));
    let event = |time: &str, how: &str, what: &str| (time.to_owned(), how.to_owned(), what.to_owned());
    bmcs.change(simulated(1), |machine| {
        machine.events = vec![
            event("1970-01-01T00:00:09Z", "OK", "Power restored"),
            event("2031-11-20T08:00:00+01:00", "Critical", "Fan 1 \u{1b}[2Jstopped"),
            event("2031-11-20T07:00:05Z", "Warning", "Fan 1 slow"),
        ];
    });
    assert_snapshot!(session(&lab, "
        rsetboot n001
        rsetboot n001 net
        rsetboot all hd -p -u -b
        rsetboot n001 stat --json
        rsetboot n001 floppy
        rsetboot n002 default
        rinv n001
        rinv n001 serial --json
        rinv all mprom -b
        rbeacon all on -b
        rbeacon n001 off
        rbeacon n001 stat
        rbeacon n002 stat
        reventlog n001
        reventlog n001 1 --json
        reventlog n001 clear
        reventlog all -b
    "), @r#"
    $ rsetboot n001
    n001: boot override inactive
    $ rsetboot n001 net
    n001: Network
    $ rsetboot all hd -p -u -b
    n[001-002]: Hard Drive
    $ rsetboot n001 stat --json
    {"node":"n001","answer":{"device":"Hard Drive","persistent":true,"uefi":true,"media":[]}}
    $ rsetboot n001 floppy
    ------- stderr -------
    n001: Error: BMC 10.78.0.1: cannot set the boot device: it offers None, Pxe, Hdd, Cd, BiosSetup, UefiHttp only
    [exit status: 1]
    $ rsetboot n002 default
    n002: boot override inactive
    $ rinv n001
    n001: System Manufacturer: Acme Corp
    n001: System Model/MTM: Anvil 9000
    n001: Serial Number: SN-0001
    n001: UUID/GUID: a1234567-89ab-4def-8123-$ID
    n001: BMC Model: Watchman 3
    n001: Redfish Version: 1.15.0
    n001: BMC Firmware: 2.34
    n001: BIOS Version: 1.2
    $ rinv n001 serial --json
    {"node":"n001","answer":{"Serial Number":"SN-0001"}}
    $ rinv all mprom -b
    n[001-002]: BMC Firmware: 2.34
    n[001-002]: BIOS Version: 1.2
    $ rbeacon all on -b
    n[001-002]: on
    $ rbeacon n001 off
    n001: off
    $ rbeacon n001 stat
    n001: off
    $ rbeacon n002 stat
    n002: on
    $ reventlog n001
    n001: Power restored
    n001: 11/20/2031 07:00:00 Critical: Fan 1  [2Jstopped
    n001: 11/20/2031 07:00:05 Warning: Fan 1 slow
    $ reventlog n001 1 --json
    {"node":"n001","answer":[{"number":3,"time":1952924405,"text":"Warning: Fan 1 slow"}]}
    $ reventlog n001 clear
    n001: clear
    $ reventlog all -b
    n[001-002]: no events
    "#);
    assert_eq!(bmcs.machine(simulated(1)).boot["BootSourceOverrideMode"], "UEFI");
    nobody_stays(&bmcs);
}

#[test]
fn bad_bmcs_do_not_keep_others_from_answering() {
    let mut lab = lab();
    let bmcs = lab.redfish_bmcs();
    define(&lab, 17);
    lab.run("chdef -t site connecttimeout=5 requesttimeout=5").success();
    let faults = [
        Fault::Mute,
        Fault::Slow(Duration::from_millis(300)),
        Fault::Stuck,
        Fault::Drops(2),
        Fault::Drops(u32::MAX),
        Fault::Closes,
        Fault::Full(2),
        Fault::Full(u32::MAX),
        Fault::Busy(3, None),
        Fault::Busy(1, Some(1)),
        Fault::Busy(u32::MAX, Some(120)),
        Fault::NoSessions,
        Fault::LyingSessions,
        Fault::Garbage,
        Fault::Deep,
        Fault::Endless,
        Fault::Busy(u32::MAX, Some(u64::MAX)),
    ];
    for (number, fault) in (1..).zip(faults) {
        bmcs.fault(simulated(number), Some(fault));
    }
    let start = Instant::now();
    let run = lab.run("rpower all stat").sorted();
    // Reaching it and a question after that may both take their limit.
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert_snapshot!(run, @"
    n002: off
    n004: off
    n006: off
    n007: off
    n009: off
    n010: off
    n012: off
    n013: off
    ------- stderr -------
    n001: Error: cannot reach BMC 10.78.0.1: no answer within 5 s
    n003: Error: BMC 10.78.0.3: cannot find the machine: no answer after 5 s
    n005: Error: cannot reach BMC 10.78.0.5: it ends the connection without an answer
    n008: Error: BMC 10.78.0.8: it has no free session
    n011: Error: BMC 10.78.0.11: cannot speak Redfish: it is busy, and wants to be asked again after 120 s
    n014: Error: BMC 10.78.0.14: cannot speak Redfish: its answer is no JSON object
    n015: Error: BMC 10.78.0.15: cannot speak Redfish: its answer is no JSON object
    n016: Error: BMC 10.78.0.16: its answer is longer than 2097152 bytes
    n017: Error: BMC 10.78.0.17: cannot speak Redfish: it is busy, and wants to be asked again after 3600 s
    [exit status: 1]
    ");
    nobody_stays(&bmcs);
}

#[test]
fn what_may_have_been_done_is_not_done_again() {
    let mut lab = lab();
    let bmcs = lab.redfish_bmcs();
    define(&lab, 4);
    lab.run("rpower n[001-002] on").success();
    bmcs.fault(simulated(1), Some(Fault::Forgets));
    assert_snapshot!(lab.run("rpower n001 reset"), @"
    ------- stderr -------
    n001: Error: BMC 10.78.0.1: cannot reset: whether it was done is not known, because the connection broke: it ends the connection without an answer
    [exit status: 1]
    ");
    bmcs.fault(simulated(2), Some(Fault::Busy(2, None)));
    assert_eq!(lab.run("rpower n002 reset").to_string(), "n002: reset\n");
    for number in [1, 2] {
        assert_eq!(bmcs.machine(simulated(number)).resets, ["On", "ForceRestart"]);
    }
    // What was heard before a BMC left is done, and another way is not taken for it.
    lab.run("chdef n003 power=redfish,wol mac=02:00:00:00:00:03 ip=10.77.0.3").success();
    lab.run("mkdef -t network lab net=10.77.0.0 mask=255.255.255.0").success();
    bmcs.fault(simulated(3), Some(Fault::Leaves));
    bmcs.fault(simulated(4), Some(Fault::Leaves));
    bmcs.change(simulated(4), |machine| {
        machine.on = true;
        machine.offers = vec!["On".into(), "ForceOff".into()];
    });
    assert_snapshot!(session(&lab, "
        rpower n003 on
        rpower n004 cycle
    "), @"
    $ rpower n003 on
    n003: on
    ------- stderr -------
    n003: Warning: told to be on, and whether it is so is not known: cannot reach BMC 10.78.0.3: it ends the connection without an answer
    $ rpower n004 cycle
    ------- stderr -------
    n004: Error: BMC 10.78.0.4: cannot cycle: told to be off, and whether it is so is not known: cannot reach BMC 10.78.0.4: it ends the connection without an answer
    [exit status: 1]
    ");
    assert_eq!(bmcs.machine(simulated(4)).resets, ["ForceOff"]);
}

#[test]
fn a_bmc_is_known_by_its_certificate() {
    let mut lab = lab();
    let bmcs = lab.redfish_bmcs();
    define(&lab, 10);
    write(&lab, "ca.pem", &bmcs.certificate());
    lab.run("rpower n001 on").success();
    bmcs.renew_certificate();
    assert_snapshot!(lab.run("rpower n[001-002] stat").sorted(), @"
    n002: off
    ------- stderr -------
    Hint: somebody may be listening in; if the BMC was given a new certificate, let that be pinned: rm $XCRANE_HOME/bmcs/10.78.0.1:443
    n001: Error: BMC 10.78.0.1: its certificate has changed: it shows sha256:$ID, and sha256:$ID is pinned
    [exit status: 1]
    ");
    nobody_stays(&bmcs);
    let pin = lab.state().join("bmcs/10.78.0.1:443");
    lab.shell(&format!("rm {}", pin.display())).success();
    assert_eq!(lab.run("rpower n001 stat").to_string(), "n001: on\n");

    // An authority vouches for some, and pins do not count any more.
    lab.run(&format!("chdef -t site bmcauthority={}", lab.home().join("ca.pem").display())).success();
    assert_snapshot!(lab.run("rpower n001 stat"), @"
    ------- stderr -------
    n001: Error: BMC 10.78.0.1: the authorities in $HOME/ca.pem do not vouch for its certificate
    [exit status: 1]
    ");
    write(&lab, "ca.pem", &bmcs.certificate());
    assert_snapshot!(lab.run("rpower n[001,010] stat").sorted(), @"
    n001: on
    ------- stderr -------
    n010: Error: BMC 10.78.0.10: the authorities in $HOME/ca.pem do not vouch for its certificate
    [exit status: 1]
    ");
    write(&lab, "ca.pem", "");
    assert_snapshot!(lab.run("rpower n001 stat"), @"
    ------- stderr -------
    n001: Error: cannot use $HOME/ca.pem: there is no certificate in it
    [exit status: 1]
    ");
}

#[test]
fn hundreds_of_dead_bmcs_cost_one_limit() {
    let mut lab = lab();
    let bmcs = lab.redfish_bmcs();
    define(&lab, 600);
    lab.run("chdef -t site connecttimeout=8").success();
    // 350 that are not there, and 226 that take connections and say nothing.
    lab.shell("iptables -A INPUT -p tcp --dport 443 -d 10.78.1.0/24 -j DROP").success();
    lab.shell("iptables -A INPUT -p tcp --dport 443 -d 10.78.2.0/24 -j DROP").success();
    for number in 25..=250 {
        bmcs.fault(simulated(number), Some(Fault::Mute));
    }
    let start = Instant::now();
    let run = lab.run("rpower all stat -b");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(16), "576 dead BMCs took {took:?}");
    assert!(run.stdout.starts_with("n[001-024]: off\n"), "{run}");
    assert_eq!(run.stderr.lines().filter(|line| line.contains("no answer within 8 s")).count(), 576, "{run}");
    nobody_stays(&bmcs);
}

#[test]
fn no_password_is_shown() {
    let mut lab = lab().env("XCRANE_LOG", "trace");
    let bmcs = lab.redfish_bmcs();
    bmcs.fault(simulated(2), Some(Fault::NoSessions));
    bmcs.change(simulated(3), |machine| machine.password = "hunter2".into());
    bmcs.fault(simulated(4), Some(Fault::Echoes));
    define(&lab, 4);
    let run = lab.run("rpower all on");
    assert!(run.stderr.contains("login"), "{run}");
    assert!(run.stderr.contains("cannot log in: it answers 400: cannot use {"), "{run}");
    // Of the account as a header has it: "admin:secret".
    for secret in ["secret", "hunter2", "token-", "YWRtaW46c2VjcmV0"] {
        assert!(!run.to_string().contains(secret), "{secret} in {run}");
    }
}
