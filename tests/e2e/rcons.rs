use std::time::Duration;

use ::lab::{Lab, Pty, Wait, wait_for};
use insta::assert_snapshot;

/// Longer than anything takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// One host with two running containers: c1 is a shell on a terminal, c2 writes a line a second.
fn lab() -> Lab {
    let lab = Lab::new(env!("CARGO_BIN_EXE_xcrane")).hosts(1).define_hosts();
    let _ = lab.run("mkdef c1,c2 groups=c mgt=docker vmhost=h1 provmethod=busybox:lab dockerstoptimeout=1").success();
    let _ = lab.run("chdef c1 dockertty=yes dockercommand=sh dockerhostname=c1").success();
    let _ = lab.run(r#"chdef c2 'dockercommand=sh -c "echo first; echo second; exec sleep 1000"'"#).success();
    let _ = lab.run("mkvm c").success();
    let _ = lab.run("rpower c on").success();
    lab
}

/// The modes of a terminal, without its size.
fn modes(terminal: &Pty) -> String {
    terminal.settings().lines().skip(1).collect()
}

/// The modes of a terminal that nobody has changed.
fn untouched(lab: &Lab) -> String {
    modes(&lab.spawn_pty("rcons --help", 24, 80))
}

/// Opens a console and waits until it takes what is typed.
fn open(lab: &Lab, line: &str) -> Pty {
    let mut console = lab.spawn_pty(line, 24, 80);
    console.expect("^Ec. leaves", LIMIT);
    assert_ne!(modes(&console), untouched(lab), "the terminal is raw");
    console
}

fn wait_restored(lab: &Lab, console: &Pty) {
    let before = untouched(lab);
    wait_for("the terminal as it was", LIMIT, || match modes(console) {
        modes if modes == before => Wait::Ready(()),
        modes => Wait::NotYet(modes),
    });
}

#[test]
fn a_terminal_follows_and_is_restored() {
    let lab = lab();
    let mut console = open(&lab, "rcons c1");
    console.send("echo $((6*7)) from $(hostname)\r");
    console.expect("42 from c1", LIMIT);
    console.send("stty size\r");
    console.expect("\n24 80", LIMIT);
    console.resize(31, 101);
    wait_for("the new size", LIMIT, || {
        console.send("echo size $(stty size)\r");
        let shown = console.expect("\nsize ", LIMIT) + &console.expect("\r", LIMIT);
        if shown.ends_with("size 31 101\r") { Wait::Ready(()) } else { Wait::NotYet(shown) }
    });
    console.send("\x05c?");
    console.expect("show the latest output again", LIMIT);
    console.send("\x05cw");
    console.expect("[nobody else is known to be attached]", LIMIT);
    let spy = open(&lab, "rcons --spy c1");
    console.send("\x05cw");
    console.expect("[also attached: root on /dev/pts/", LIMIT);
    spy.kill();
    let _ = spy.wait(LIMIT);
    console.send("\x05cw");
    console.expect("[nobody else is known to be attached]", LIMIT);
    console.send("\x05cr");
    console.expect("the latest output again", LIMIT);
    console.expect("42 from c1", LIMIT);
    // What is no escape arrives: Ctrl-E at a prompt, then a word that begins with c.
    console.send("\x05cat /etc/hostname\r");
    console.expect("\nc1", LIMIT);
    console.send("\x05c.");
    console.expect("[left c1]", LIMIT);
    wait_restored(&lab, &console);
    assert_eq!(console.wait(LIMIT).code, 0);
    assert_eq!(lab.run("rpower c1 stat").success(), "c1: on", "leaving ends nothing");
}

#[test]
fn what_was_said_before_is_shown_once() {
    let lab = lab();
    let _ = lab.run_with_stdin("rcons c1", "echo one$((1+1))three\n");
    let mut console = open(&lab, "rcons c1");
    // The prompt is no whole line and so in no log: the shell has drawn it again.
    console.expect("/ # ", LIMIT);
    console.send("echo en''d\r");
    console.expect("\nend", LIMIT);
    console.send("\x05c.");
    let shown = console.wait(LIMIT).stdout;
    assert_eq!(shown.matches("\none2three").count(), 1, "{shown}");
}

#[test]
fn a_restart_is_survived() {
    let lab = lab();
    let mut console = open(&lab, "rcons c1");
    let _ = lab.host("h1").docker("restart -t 0 c1").success();
    console.expect("[c1 stopped; waiting for it to run, ^Ec. leaves]", LIMIT);
    console.expect("[c1 runs]", LIMIT);
    console.send("echo again $((6*7))\r");
    console.expect("again 42", LIMIT);
    console.send("stty size\r");
    console.expect("24 80", LIMIT);
    // Off for longer, made anew, and on.
    let _ = lab.run("rpower c1 off").success();
    console.expect("[c1 stopped;", LIMIT);
    console.send("nobody reads this\r");
    let _ = lab.run("mkvm --force c1").success();
    let _ = lab.run("rpower c1 on").success();
    console.expect("[c1 runs]", LIMIT);
    console.send("echo anew $((6*7))\r");
    console.expect("anew 42", LIMIT);
    let _ = lab.run("rpower c1 off").success();
    console.expect("[c1 stopped;", LIMIT);
    console.send("\x05c.");
    wait_restored(&lab, &console);
    assert_eq!(console.wait(LIMIT).code, 0);
    // The console may be opened before the node is switched on.
    let mut console = open(&lab, "rcons c1");
    console.expect("[c1 is not running (exited); waiting for it to run, ^Ec. leaves]", LIMIT);
    let _ = lab.run("rpower c1 on").success();
    console.expect("[c1 runs]", LIMIT);
    console.expect("/ # ", LIMIT);
    console.send("\x05c.");
    assert_eq!(console.wait(LIMIT).code, 0);
}

#[test]
fn without_a_terminal_the_log_is_followed() {
    let lab = lab();
    assert_snapshot!(lab.run("rcons c2"), @"
    first
    second
    ------- stderr -------
    [c2 has no terminal, this is its log; for a console: chdef c2 dockertty=yes, then mkvm --force c2; for a shell: rcons c2 -- sh]
    ");
    let refused = lab.run_with_stdin("rcons c2", "hello\n");
    assert!(refused.code == 1 && refused.stderr.contains("c2: Error: its console takes no input"), "{refused}");
    let mut console = open(&lab, "rcons c2");
    console.expect("[c2 has no terminal, this is its log", LIMIT);
    console.expect("first\r\nsecond\r\n", LIMIT);
    // What is typed goes nowhere, and says nothing.
    console.send("hello\r");
    let _ = lab.host("h1").docker("restart -t 0 c2").success();
    console.expect("[c2 runs]", LIMIT);
    // Neither twice nor too little.
    console.expect("]\r\nfirst\r\nsecond\r\n", LIMIT);
    console.send("\x05c.");
    let shown = console.wait(LIMIT).stdout;
    assert_eq!(shown.matches("second").count(), 2, "{shown}");
}

#[test]
fn a_program_has_a_terminal_and_an_exit_code() {
    let lab = lab();
    assert_snapshot!(lab.run("rcons c1 -- sh -c 'tty; id -u; exit 7'"), @"
    /dev/pts/1
    0
    [exit status: 7]
    ");
    assert_snapshot!(lab.run("rcons c2 --exec 'echo $0 $TERM && false'"), @"
    /bin/sh xterm
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rcons c1 -- nosuch"), @r#"
    OCI runtime exec failed: exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown
    [exit status: 126]
    "#);
    // What is piped in is typed; its end is the end of the program's input.
    let typed = lab.run_with_stdin("rcons c2 -- sh", "echo $((6*7))\nexit 5\n");
    assert_eq!(typed.code, 5);
    assert!(typed.stdout.contains("\n42\r"), "{typed}");
    let counted = lab.run_with_stdin("rcons c1 --wait 0.3 -- wc -c", "a\nb\x05c.\n");
    assert_eq!((counted.code, counted.stdout.ends_with("\n7\r\n")), (0, true), "{counted}");

    let mut console = open(&lab, "rcons c2 -- sh");
    console.send("stty size; exit 3\r");
    console.expect("24 80", LIMIT);
    wait_restored(&lab, &console);
    assert_eq!(console.wait(LIMIT).code, 3);
}

#[test]
fn a_program_ends_with_its_session() {
    let lab = lab();
    let running = |what: &str| {
        let found = lab.host("h1").run(&format!("pgrep -fx '{what}'"));
        found.code == 0
    };
    let mut console = open(&lab, "rcons c2 -- sh");
    console.send("sleep 1234\r");
    wait_for("the program", LIMIT, || {
        if running("sleep 1234") { Wait::Ready(()) } else { Wait::NotYet("not there".into()) }
    });
    console.send("\x05c.");
    assert_eq!(console.wait(LIMIT).code, 0);
    assert!(!running("sleep 1234"));
    // One that does not care about a terminal that goes away, and a signal instead of a key.
    let mut stubborn = open(&lab, "rcons c2 --exec 'trap \"\" HUP; echo re''ady; sleep 2345; sleep 2345'");
    stubborn.expect("ready", LIMIT);
    stubborn.terminate();
    assert_eq!(stubborn.wait(LIMIT).code, 143);
    assert!(!running("sleep 2345"));
}

#[test]
fn input_may_be_piped() {
    let lab = lab();
    let run = lab.run_with_stdin("rcons c1", "echo $((6*7))\n");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
    assert!(run.stdout.contains("\n42\r\n"), "{run}");
    // The console is the node's own, so what was typed stays typed.
    let _ = lab.run_with_stdin("rcons c1", "kept=yes\n");
    let run = lab.run_with_stdin("rcons c1", "echo is $kept\n");
    assert!(run.stdout.contains("\nis yes\r\n"), "{run}");
    // Keys count, a spy types nothing and stays, a reader may go.
    assert!(!lab.run_with_stdin("rcons c1", "\x05c.echo unseen\n").stdout.contains("unseen"));
    let spied = lab.shell("echo 'echo unseen' | timeout 3 xcrane rcons -s c1; echo $?").stdout;
    assert!(spied.ends_with("124\n") && !spied.contains("unseen"), "{spied}");
    assert_snapshot!(lab.shell("echo 'seq 99999' | xcrane rcons c1 | head -n 1 | wc -l"), @"1");
    // Who never falls quiet keeps nobody waiting for ever.
    let endless = "timeout 40 sh -c 'while :; do echo y; usleep 5000; done'\n";
    let run = lab.run_with_stdin("rcons c1 --wait 0.2", endless);
    assert_eq!(run.code, 1, "{run}");
    assert!(
        run.stderr.contains("c1: Error: its console was not quiet for 0.2 s in the 12 s since all input was sent"),
        "{run}"
    );
}

#[test]
fn a_signal_restores_the_terminal() {
    let lab = lab();
    let console = open(&lab, "rcons c1");
    console.terminate();
    wait_restored(&lab, &console);
    assert_eq!(console.wait(LIMIT).code, 143);
    let console = open(&lab, "rcons c1");
    console.hang_up();
    wait_restored(&lab, &console);
    assert_eq!(console.wait(LIMIT).code, 129);
}

#[test]
fn a_signal_ends_one_whose_output_is_stuck() {
    let lab = lab();
    // A reader that does not read; `timeout` says 124 for one that ends when asked, and 137 for one that has to be killed.
    let stuck = "(timeout -k 60 3 xcrane rcons c2 -- yes </dev/null; echo $? >code) | (until [ -s code ]; do sleep 0.1; done; cat code)";
    assert_eq!(lab.shell(stuck).stdout, "124\n");
}

#[test]
fn a_cut_connection_is_noticed() {
    let lab = lab();
    let console = open(&lab, "rcons c1");
    let program = open(&lab, "rcons c2 -- sh");
    lab.host("h1").cut();
    for console in [console, program] {
        wait_restored(&lab, &console);
        let run = console.wait(LIMIT);
        assert_eq!(run.code, 1, "{run}");
        assert!(run.stdout.contains("Error: the console is cut off: "), "{run}");
    }
    lab.host("h1").heal();
    let mut console = open(&lab, "rcons c1");
    lab.host("h1").drop_connections();
    console.expect("c1: Error: ", LIMIT);
    wait_restored(&lab, &console);
    assert_eq!(console.wait(LIMIT).code, 1);
}

#[test]
fn what_cannot_be_is_refused() {
    let lab = lab();
    let _ = lab.run("rpower c2 off").success();
    let _ = lab.run("mkdef c9 groups=x mgt=docker vmhost=h1 provmethod=busybox:lab").success();
    assert_snapshot!(lab.run("rcons c1,c2"), @"
    ------- stderr -------
    Error: rcons takes one node, 'c1,c2' names 2
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rcons nosuch"), @"
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: nosuch
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rcons h1"), @"
    ------- stderr -------
    h1: Error: attribute 'mgt' is not set; it takes one of: docker, ipmi, redfish
    Hint: set it with: chdef NODERANGE mgt=…
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rcons c9"), @"
    ------- stderr -------
    c9: Error: no such guest on h1
    Hint: make it with: mkvm NODERANGE
    [exit status: 1]
    ");
    assert_snapshot!(lab.run_with_stdin("rcons c2", "hello\n"), @"
    ------- stderr -------
    c2: Error: not running (exited)
    Hint: switch it on with: rpower NODERANGE on
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rcons c2 -- sh"), @"
    ------- stderr -------
    c2: Error: not running (off)
    Hint: switch it on with: rpower NODERANGE on
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rcons c1 --spy -- sh"), @"
    ------- stderr -------
    error: the argument '--spy' cannot be used with '[CMD]...'

    Usage: xcrane rcons --spy <NODE> [-- <CMD>...]

    For more information, try '--help'.
    [exit status: 2]
    ");
    assert_snapshot!(lab.run("rcons c1 --wait soon"), @"
    ------- stderr -------
    error: invalid value 'soon' for '--wait <SECONDS>': a number of seconds, up to a day

    For more information, try '--help'.
    [exit status: 2]
    ");
}
