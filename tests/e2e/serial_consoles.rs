//! `rcons` of servers: their serial ports, over real BMCs that others use as well.

use std::time::Duration;

use ::lab::{Lab, Pty, Wait, wait_for};
use insta::assert_snapshot;

use crate::lab;

/// Longer than anything takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A server n1, whose BMC may keep silent for three seconds.
fn server() -> Lab {
    let lab = lab().servers(1);
    lab.run("mkdef n1 groups=all mgt=ipmi bmc=10.79.0.1 bmcusername=admin bmcpassword=secret").success();
    lab.run("chdef -t site connecttimeout=3").success();
    lab
}

fn open(lab: &Lab, line: &str) -> Pty {
    let mut console = lab.spawn_pty(line, 24, 80);
    console.expect("[n1: ^Ec. leaves", LIMIT);
    console
}

/// Which session has the console, as another program sees it; zeros are none.
fn owner(lab: &Lab) -> String {
    let answer = lab.server(1).ipmitool("raw 6 0x4b 1 1").success();
    answer.split_whitespace().take(4).collect()
}

fn leave(lab: &Lab, mut console: Pty) {
    console.send("\x05c.");
    console.expect("[left n1]", LIMIT);
    assert_eq!(console.wait(LIMIT).code, 0);
    assert_eq!(owner(lab), "00000000", "the console was given back");
}

#[test]
fn a_server_says_and_hears() {
    let lab = server();
    assert_snapshot!(lab.run_with_stdin("rcons n1", "root\n"), @"
    root
    heard root
    ");
    assert_eq!(owner(&lab), "00000000", "the console was given back");

    let mut console = open(&lab, "rcons n1");
    lab.serial(1).say("Loading Linux ...\r\n");
    console.expect("Loading Linux ...\r\n", LIMIT);
    console.send("root\r");
    console.expect("heard root\r\n", LIMIT);
    // More at once than the BMC takes: it accepts a part of each packet.
    let typed = (0..60).map(|number| format!("{number:03} ")).collect::<String>();
    console.send(&format!("{typed}\r"));
    console.expect(&format!("heard {typed}\r\n"), LIMIT);
    // And much that the machine says, in order and once.
    let lines: String = (0..1500).map(|number| format!("line {number:04}\r\n")).collect();
    lab.serial(1).say(&format!("begin\r\n{lines}end\r\n"));
    console.expect("begin\r\n", LIMIT);
    let said = console.expect("end\r\n", LIMIT);
    assert_eq!(said, format!("{lines}end\r\n"));
    // A break. This BMC passes it on with what is typed next.
    console.send("\x05cl0!");
    wait_for("the break", LIMIT, || match lab.serial(1).heard() {
        heard if heard.ends_with("\u{ff}\u{f3}!") => Wait::Ready(()),
        heard => Wait::NotYet(heard),
    });
    leave(&lab, console);

    assert_snapshot!(lab.run("rcons n1 -- sh"), @"
    ------- stderr -------
    n1: Error: a program on the console is not supported when using mgt=ipmi
    [exit status: 1]
    ");
    lab.run("chdef n1 bmcpassword=wrong").success();
    assert_snapshot!(lab.run("rcons n1"), @"
    ------- stderr -------
    n1: Error: BMC 10.79.0.1: wrong password for user 'admin'
    [exit status: 1]
    ");
}

#[test]
fn a_console_is_for_one() {
    let lab = server();
    // Another program has it.
    let ipmitool = "ipmitool -I lanplus -C 3 -H 10.79.0.1 -U admin -P secret sol activate";
    lab.shell(&format!("sleep 20 | timeout 20 script -qec '{ipmitool}' /dev/null >sol 2>&1 &")).success();
    wait_for("ipmitool's console", LIMIT, || match owner(&lab) {
        none if none == "00000000" => Wait::NotYet(lab.shell("cat sol").stdout),
        _ => Wait::Ready(()),
    });
    assert_snapshot!(lab.run("rcons n1"), @"
    ------- stderr -------
    n1: Error: BMC 10.79.0.1: another client has the console
    Hint: take it over with: rcons --force NODE
    [exit status: 1]
    ");
    let mut first = open(&lab, "rcons --force n1");
    first.send("mine\r");
    first.expect("heard", LIMIT);
    // Somebody takes it from us.
    let mut second = open(&lab, "rcons -f n1");
    first.send("\r");
    first.expect("n1: Error: the console is cut off: BMC 10.79.0.1: another client has taken it", LIMIT);
    assert_eq!(first.wait(LIMIT).code, 1);
    second.send("yours\r");
    second.expect("heard yours", LIMIT);
    // And somebody ends it.
    lab.server(1).ipmitool("sol deactivate").success();
    second.expect("n1: Error: the console is cut off: BMC 10.79.0.1 has closed it", LIMIT);
    assert_eq!(second.wait(LIMIT).code, 1);
}

#[test]
fn a_console_comes_back_with_its_bmc() {
    let lab = server();
    let mut console = open(&lab, "rcons n1");
    console.send("one\r");
    console.expect("heard one", LIMIT);
    lab.server(1).unplug();
    console.send("two\r");
    console.expect(
        "[n1: the console is cut off: BMC 10.79.0.1 gives no answer; waiting for it to run, ^Ec. leaves]",
        LIMIT,
    );
    lab.server(1).plug();
    console.expect("[n1 runs]", LIMIT);
    console.send("three\r");
    console.expect("heard three", LIMIT);
    // It may be left while there is nothing to be left.
    lab.server(1).unplug();
    console.send("four\r");
    console.expect("; waiting for it to run, ^Ec. leaves]", LIMIT);
    console.send("\x05c.");
    console.expect("[left n1]", LIMIT);
    assert_eq!(console.wait(LIMIT).code, 0);
}

/// How many sessions a BMC has, the one included by which it is asked.
fn sessions(lab: &Lab) -> u8 {
    let answer = lab.server(1).ipmitool("raw 6 0x3d 1").success();
    let count = answer.split_whitespace().nth(2).unwrap_or_else(|| panic!("{answer}"));
    u8::from_str_radix(count, 16).unwrap_or_else(|_| panic!("{answer}"))
}

/// `ipmi_sim` ends a session that has been silent for half a minute.
#[test]
fn a_console_where_nobody_says_anything_stays_open() {
    let lab = server();
    let mut console = open(&lab, "rcons n1");
    let ipmitool = "ipmitool -I lanplus -C 3 -H 10.79.0.1 -U admin -P secret shell";
    let asks_once = "echo chassis power status; sleep 60";
    lab.shell(&format!("{{ ({asks_once}) | timeout 60 {ipmitool}; }} >idle 2>&1 &")).success();
    let until = |expected: u8| {
        wait_for("the sessions of the BMC", LIMIT, || match sessions(&lab) {
            count if count == expected => Wait::Ready(()),
            count => Wait::NotYet(format!("there are {count}")),
        });
    };
    until(3);
    // The other one, which says nothing either, is over; ours is not.
    until(2);
    console.send("still\r");
    let said = console.expect("heard still\r\n", LIMIT);
    assert!(!said.contains("cut off"), "{said}");
    leave(&lab, console);
}
