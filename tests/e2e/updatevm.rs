//! `updatevm` on real engines, with images of a real registry.

use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;
use jiff::{ToSpan, Zoned, tz::TimeZone};

use crate::lab;

/// No busy machine is slower than this.
const LIMIT: Duration = Duration::from_secs(60);
const APP: &str = "10.77.0.254:5000/app";

/// Hosts with a registry, and containers c01, c02, … of image app:1 on them in turn, of which all run but the last.
fn fleet(hosts: u8, nodes: u8) -> Lab {
    let lab = lab().hosts(hosts).registry().define_hosts();
    push(&lab, 1, "1", "");
    lab.run(&format!(
        "mkdef c[01-{nodes:02}] groups=web mgt=docker vmhost='|h(($1-1)%{hosts}+1)|' image={APP}:1 vmnics=cluster \
         ip='|10.100.0.($1+0)|' dockertty=yes dockerstoptimeout=1"
    ))
    .success();
    lab.run("mkvm web").success();
    lab.run(&format!("rpower web,-c{nodes:02} on")).success();
    lab
}

/// Pushes an image as app:TAG: `version` is what its file /version says, `health` its check.
fn push(lab: &Lab, version: u8, tag: &str, health: &str) {
    let change = if health.is_empty() {
        String::new()
    } else {
        format!("--change 'HEALTHCHECK --interval=1s --retries=2 CMD {health}'")
    };
    lab.host("h1").shell(&format!(
        "docker run --name made busybox:lab sh -c 'echo {version} >/version'
        docker commit {change} --change 'CMD [\"/bin/sh\"]' made {APP}:made
        docker tag {APP}:made {APP}:{tag}
        docker push {APP}:{tag}
        docker rm made
        docker rmi {APP}:made {APP}:{tag}"
    ));
}

/// What containers are: `c01 running 2`, with the version of each, by the engines themselves.
fn fleet_of(lab: &Lab, hosts: u8) -> Vec<String> {
    let mut found = Vec::new();
    for host in (1..=hosts).map(|number| lab.host(&format!("h{number}"))) {
        let all = host.docker("ps -a --format '{{.Names}} {{.State}}'").success();
        for line in all.lines() {
            let name = line.split(' ').next().expect("a line begins with a node");
            let version = host.shell(&format!("docker cp {name}:/version - | tar -xO"));
            found.push(format!("{line} {}", version.trim()));
        }
    }
    found.sort();
    found
}

/// What a fleet is when all of it has one version and runs, but for the last that is off.
fn whole(nodes: u8, version: u8, off: &str) -> Vec<String> {
    let state = |number| if number == nodes { off } else { "running" };
    (1..=nodes).map(|number| format!("c{number:02} {} {version}", state(number))).collect()
}

/// The digests that nodes are pinned to, and what is unfinished.
fn pins(lab: &Lab) -> (Vec<String>, String) {
    let pins = lab.run("tabdump nodeimage").success();
    let mut digests: Vec<String> =
        pins.split('"').filter(|cell| cell.starts_with("sha256:")).map(str::to_owned).collect();
    digests.dedup();
    (digests, lab.run("tabdump nodeupdate").success().lines().skip(1).collect())
}

/// A time of day so many seconds from now, as windows are written.
fn clock(seconds: i64) -> String {
    Zoned::now().with_time_zone(TimeZone::UTC).saturating_add(seconds.seconds()).strftime("%H:%M:%S").to_string()
}

#[test]
fn a_tag_that_moved_comes_to_nodes_in_waves() {
    let lab = fleet(2, 5);
    push(&lab, 2, "1", "");
    let plan = lab.run("updatevm web --plan --then 50");
    assert_snapshot!(plan, @"
    c01: wave 1 of 3: 10.77.0.254:5000/app:1 ($ID) -> 10.77.0.254:5000/app:1 ($ID)
    c02: wave 2 of 3: 10.77.0.254:5000/app:1 ($ID) -> 10.77.0.254:5000/app:1 ($ID)
    c03: wave 2 of 3: 10.77.0.254:5000/app:1 ($ID) -> 10.77.0.254:5000/app:1 ($ID)
    c04: wave 2 of 3: 10.77.0.254:5000/app:1 ($ID) -> 10.77.0.254:5000/app:1 ($ID)
    c05: wave 3 of 3: 10.77.0.254:5000/app:1 ($ID) -> 10.77.0.254:5000/app:1 ($ID); it stays off
    [exit status: 2]
    ");
    assert_eq!(fleet_of(&lab, 2), whole(5, 1, "created"));
    let run = lab.run("updatevm web --then 50 --wait 20 --check 'grep 2 /version' -m 'new solver'");
    assert_eq!(run.code, 0, "{run}");
    assert_snapshot!(run.sorted(), @"
    c01: updated to 10.77.0.254:5000/app:1 ($ID), was 10.77.0.254:5000/app:1 ($ID)
    c02: updated to 10.77.0.254:5000/app:1 ($ID), was 10.77.0.254:5000/app:1 ($ID)
    c03: updated to 10.77.0.254:5000/app:1 ($ID), was 10.77.0.254:5000/app:1 ($ID)
    c04: updated to 10.77.0.254:5000/app:1 ($ID), was 10.77.0.254:5000/app:1 ($ID)
    c05: updated to 10.77.0.254:5000/app:1 ($ID), was 10.77.0.254:5000/app:1 ($ID); it is off
    ------- stderr -------
    Wave 1 of 3: c01
    Wave 2 of 3: c[02-04]
    Wave 3 of 3: c05
    c01: Warning: did not stop within 1 s and was killed
    c02: Warning: did not stop within 1 s and was killed
    c03: Warning: did not stop within 1 s and was killed
    c04: Warning: did not stop within 1 s and was killed
    ");
    assert_eq!(fleet_of(&lab, 2), whole(5, 2, "created"));
    let (digests, unfinished) = pins(&lab);
    assert_eq!((digests.len(), unfinished.as_str()), (1, ""));
    let address = "inspect -f '{{.Config.Hostname}} {{.NetworkSettings.Networks.cluster.IPAddress}}' c02";
    assert_eq!(lab.host("h2").docker(address).success(), "c02 10.100.0.2");
    assert_snapshot!(lab.run("updatevm web -b"), @"c[01-05]: unchanged");
    assert_eq!(lab.run("updatevm web --plan").code, 0);
    // What nodes are pinned to stays when they are made anew.
    push(&lab, 3, "1", "");
    lab.run("mkvm web --force").success();
    assert_eq!(fleet_of(&lab, 2), whole(5, 2, "created"));
}

#[test]
fn a_sick_canary_takes_all_back() {
    let lab = fleet(3, 12);
    push(&lab, 2, "2", "/bin/false");
    let before = lab.run("lsdef web -i provmethod -c").success();
    let (digests, _) = pins(&lab);
    let run = lab.run(&format!("updatevm web {APP}:2 --wait 30"));
    assert_eq!(run.code, 1, "{run}");
    assert_snapshot!(run.sorted(), @"
    c01: rolled back to 10.77.0.254:5000/app:1 ($ID)
    ------- stderr -------
    Wave 1 of 5: c01
    c01 failed. Going back: c01
    c01: Error: its health check fails
    c01: Warning: did not stop within 1 s and was killed
    [exit status: 1]
    ");
    assert_eq!(fleet_of(&lab, 3), whole(12, 1, "created"));
    assert_eq!(lab.run("lsdef web -i provmethod -c").success(), before);
    assert_eq!(pins(&lab), (digests.clone(), String::new()));
    let ledger = lab.run("lsvm --ledger c01").success();
    let last = ledger.lines().last().unwrap_or_default();
    assert!(
        last.contains(" rolled-back ") && last.contains(": wave 1 of 5: c01: its health check fails; down "),
        "{ledger}"
    );
    assert_eq!(lab.run("lsvm --ledger c02").success().lines().count(), 1, "c02 was never touched");

    let run = lab.run(&format!("updatevm c[02-03] {APP}:2 --check 'echo no disk; exit 3' --wait 2 --canary 2"));
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stderr.contains("c03: Error: not good after 2 s: the check exits with 3: no disk"), "{run}");
    assert_eq!(fleet_of(&lab, 3), whole(12, 1, "created"));
    assert_eq!(pins(&lab), (digests, String::new()));
}

#[test]
fn a_sick_node_of_a_later_wave_takes_all_back() {
    let lab = fleet(2, 6);
    let (digests, _) = pins(&lab);
    push(&lab, 2, "2", "test $(hostname) != c04");
    let run = lab.run(&format!("updatevm web {APP}:2 --canary 2 --then 34 --wait 30"));
    assert_eq!(run.code, 1, "{run}");
    assert_eq!(fleet_of(&lab, 2), whole(6, 1, "created"));
    assert_eq!(pins(&lab), (digests, String::new()));
    let image = lab.run("lsdef web -i provmethod -c").success();
    assert_eq!(image.matches("app:1").count(), 6, "{image}");
    assert_snapshot!(lab.run("lsvm --ledger c[01-04]").sorted(), @"
    c01: $TIME created 10.77.0.254:5000/app:1 ($ID) on h1 by root
    c01: $TIME updated 10.77.0.254:5000/app:2 ($ID) on h1 by root: wave 1 of 3; down $SECONDS
    c01: $TIME rolled-back 10.77.0.254:5000/app:1 ($ID) on h1 by root: wave 2 of 3: c04: its health check fails; down $SECONDS
    c02: $TIME created 10.77.0.254:5000/app:1 ($ID) on h2 by root
    c02: $TIME updated 10.77.0.254:5000/app:2 ($ID) on h2 by root: wave 1 of 3; down $SECONDS
    c02: $TIME rolled-back 10.77.0.254:5000/app:1 ($ID) on h2 by root: wave 2 of 3: c04: its health check fails; down $SECONDS
    c03: $TIME created 10.77.0.254:5000/app:1 ($ID) on h1 by root
    c03: $TIME updated 10.77.0.254:5000/app:2 ($ID) on h1 by root: wave 2 of 3; down $SECONDS
    c03: $TIME rolled-back 10.77.0.254:5000/app:1 ($ID) on h1 by root: wave 2 of 3: c04: its health check fails; down $SECONDS
    c04: $TIME created 10.77.0.254:5000/app:1 ($ID) on h2 by root
    c04: $TIME updated 10.77.0.254:5000/app:2 ($ID) on h2 by root: wave 2 of 3; down $SECONDS
    c04: $TIME rolled-back 10.77.0.254:5000/app:1 ($ID) on h2 by root: wave 2 of 3: c04: its health check fails; down $SECONDS
    ");
    let line = lab.run("lsvm --ledger h2 --json").success();
    let line: serde_json::Value = serde_json::from_str(line.lines().last().unwrap()).unwrap();
    assert!(line["answer"]["downtime"].as_str().is_some_and(|down| down.parse::<f64>().is_ok_and(|down| down > 0.0)));
    assert_eq!((&line["answer"]["what"], &line["answer"]["host"]), (&"rolled-back".into(), &"h2".into()), "{line}");
    lab.run("tabprune imageledger -a").success();
    assert_eq!(lab.run("lsvm --ledger web").success(), "");
}

#[test]
fn no_wave_begins_outside_the_window() {
    let lab = fleet(1, 3);
    push(&lab, 2, "2", "");
    let line = |window: String| format!("updatevm web {APP}:2 --then 100 --check 'sleep 6' --window {window}");
    let mut waiting = lab.spawn(&line(format!("{}-{}", clock(7200), clock(10800))));
    waiting.expect_error("waiting for the window", LIMIT);
    waiting.interrupt();
    assert_eq!(waiting.wait(LIMIT).code, 130);
    assert_eq!(fleet_of(&lab, 1), whole(3, 1, "created"));

    // It opens after a while, and closes during the first wave.
    let mut run = lab.spawn(&line(format!("{}-{}", clock(8), clock(11))));
    run.expect_error("waiting for the window", LIMIT);
    let run = run.wait(LIMIT);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stderr.contains("has closed. Not begun: c[02-03]"), "{run}");
    assert_eq!(fleet_of(&lab, 1), ["c01 running 2", "c02 running 1", "c03 created 1"]);
    assert_eq!(pins(&lab).1, "");
    assert_eq!(lab.run(&format!("updatevm web {APP}:2 --wait 5")).code, 0);
    assert_eq!(fleet_of(&lab, 1), whole(3, 2, "created"));
}

#[test]
fn ctrl_c_lets_the_wave_come_to_its_end() {
    let lab = fleet(1, 4);
    lab.run(&format!("mkdef other groups=others mgt=docker vmhost=h1 image={APP}:1")).success();
    lab.run("mkvm other").success();
    push(&lab, 2, "2", "");
    let mut run = lab.spawn(&format!("updatevm web {APP}:2 --canary 2 --check 'sleep 5'"));
    run.expect_error("Wave 1 of", LIMIT);
    wait_for("the first of the wave", LIMIT, || match lab.run("tabdump nodeupdate").success() {
        begun if begun.contains("begun") || begun.contains("made") => Wait::Ready(()),
        begun => Wait::NotYet(begun),
    });
    // What is under way is not taken for what a killed command has left.
    let second = lab.run(&format!("updatevm c[02-04] {APP}:1"));
    assert!(second.code == 1 && second.stderr.contains("another updatevm is under way: process "), "{second}");
    assert!(second.stderr.contains(" of root has c[02-04]\n"), "{second}");
    // Of other nodes it is none of its business.
    assert_eq!(lab.run("updatevm other").success(), "other: unchanged");
    run.interrupt();
    let run = run.wait(LIMIT);
    assert_eq!(run.code, 130, "{run}");
    assert!(run.stderr.contains("Not begun: c[03-04]"), "{run}");
    let after = ["c01 running 2", "c02 running 2", "c03 running 1", "c04 created 1", "other created 1"];
    assert_eq!(fleet_of(&lab, 1), after);
    assert_eq!(pins(&lab).1, "");
}

#[test]
fn a_killed_update_is_completed_by_the_same_command() {
    let lab = fleet(2, 4);
    push(&lab, 2, "2", "");
    for (round, pause) in [400, 1000, 1600, 2600].into_iter().enumerate() {
        let version = if round % 2 == 0 { 2 } else { 1 };
        let line = format!("updatevm web {APP}:{version} --canary 2 --check true");
        for pause in [pause, pause / 2] {
            let run = lab.spawn(&line);
            std::thread::sleep(Duration::from_millis(pause));
            run.kill();
            drop(run);
        }
        let run = lab.run(&line);
        assert_eq!(run.code, 0, "after {pause} ms: {run}");
        assert_eq!(fleet_of(&lab, 2), whole(4, version, "created"), "after {pause} ms: {run}");
        let (digests, unfinished) = pins(&lab);
        assert_eq!((digests.len(), unfinished.as_str()), (1, ""), "after {pause} ms: {run}");
        let images = lab.run("lsdef web -i provmethod -c").success();
        assert_eq!(images.matches(&format!("{APP}:{version}")).count(), 4, "after {pause} ms: {images}");
        assert_eq!(lab.run(&format!("{line} --plan")).code, 0);
    }
}

#[test]
fn a_host_that_dies_in_the_middle_takes_the_others_back() {
    let lab = fleet(2, 4);
    push(&lab, 2, "2", "");
    lab.run("chdef -t site requesttimeout=10 connecttimeout=3").success();
    let line = format!("updatevm web {APP}:2 --canary 4 --check 'sleep 4' --wait 30");
    let mut run = lab.spawn(&line);
    run.expect_error("Wave 1 of 1", LIMIT);
    std::thread::sleep(Duration::from_secs(3));
    lab.host("h2").power_off();
    let run = run.wait(LIMIT);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stderr.contains("c[02,04] could not go back"), "{run}");
    assert_eq!(fleet_of(&lab, 1), ["c01 running 1", "c03 running 1"]);
    // As long as the host is away, nothing is touched.
    let again = lab.run(&line);
    assert!(again.code == 1 && again.stderr.contains("nothing was done"), "{again}");
    assert_eq!(fleet_of(&lab, 1), ["c01 running 1", "c03 running 1"]);
    lab.host("h2").power_on();
    let again = lab.run(&line);
    assert_eq!(again.code, 0, "{again}");
    assert_eq!(fleet_of(&lab, 2), whole(4, 2, "created"));
    assert_eq!(pins(&lab).1, "");
}

#[test]
fn what_cannot_be_updated_is_refused_before_anything_is_touched() {
    let lab = fleet(2, 4);
    push(&lab, 2, "2", "");
    lab.run("chdef c01 dockerenv=A=1").success();
    lab.run("rpower c03 suspend").success();
    lab.run("rmvm c04").success();
    assert_snapshot!(lab.run(&format!("updatevm web {APP}:2")).sorted(), @"
    ------- stderr -------
    Error: nothing was done: it cannot be done on c[01,03-04]
    Hint: let it go on with: rpower NODERANGE resume
    Hint: make it anew with: mkvm --force NODERANGE
    Hint: make it with: mkvm NODERANGE
    c01: Error: exists on h1 and differs from its definition: dockerenv: A=1, container has none
    c03: Error: is suspended
    c04: Error: no such guest on h2
    [exit status: 1]
    ");
    lab.run("chdef c01 dockerenv=").success();
    assert_snapshot!(crate::session(&lab, "
        updatevm c02 10.77.0.254:5000/app:none
        updatevm c02 /srv/app.tar
        updatevm c02 'A b'
        updatevm c02 --window 2-4
        updatevm c02 --then 0
        updatevm c02 --wait 0
    "), @"
    $ updatevm c02 10.77.0.254:5000/app:none
    ------- stderr -------
    Error: h2: cannot learn what image 10.77.0.254:5000/app:none means now: neither the host nor the registry has it
    Hint: see what it has with: lsimage 10.77.0.254:5000
    [exit status: 1]
    $ updatevm c02 /srv/app.tar
    ------- stderr -------
    error: invalid value '/srv/app.tar' for '[IMAGE]': '/srv/app.tar' is not the name of an image: parts of a name are small letters and digits, with '.', '_', '__' or '-' between them

    For more information, try '--help'.
    [exit status: 2]
    $ updatevm c02 'A b'
    ------- stderr -------
    error: invalid value 'A b' for '[IMAGE]': 'A b' is not the name of an image: parts of a name are small letters and digits, with '.', '_', '__' or '-' between them

    For more information, try '--help'.
    [exit status: 2]
    $ updatevm c02 --window 2-4
    ------- stderr -------
    error: invalid value '2-4' for '--window <FROM-TO>': '2-4' is not of the form 02:00-04:00

    For more information, try '--help'.
    [exit status: 2]
    $ updatevm c02 --then 0
    ------- stderr -------
    error: invalid value '0' for '--then <PERCENT>': it takes 1 to 100

    For more information, try '--help'.
    [exit status: 2]
    $ updatevm c02 --wait 0
    ------- stderr -------
    error: invalid value '0' for '--wait <SECONDS>': it takes a number of seconds

    For more information, try '--help'.
    [exit status: 2]
    ");
    lab.run("chdef c02 image=/srv/app.tar").success();
    assert_snapshot!(lab.run("updatevm c02"), @"
    ------- stderr -------
    c02: Error: its image /srv/app.tar is of no registry
    Error: nothing was done: c02 cannot be served as defined
    Hint: a changed archive comes to nodes with: mkvm --force NODERANGE
    [exit status: 1]
    ");
    lab.run(&format!("chdef c02 image={APP}:2 dockerimagedigest=sha256:{}", "0".repeat(64))).success();
    assert_snapshot!(lab.run("updatevm c02"), @"
    ------- stderr -------
    c02: Error: attribute 'dockerimagedigest' decides over its image
    Error: nothing was done: c02 cannot be served as defined
    Hint: let updatevm decide with: chdef NODERANGE dockerimagedigest=
    [exit status: 1]
    ");
    lab.run("chdef c02 dockerimagedigest=").success();
    lab.host("h2").power_off();
    let run = lab.run(&format!("updatevm c01,c02 {APP}:2"));
    assert!(run.code == 1 && run.stderr.contains("nothing was done"), "{run}");
    assert_eq!(fleet_of(&lab, 1), ["c01 running 1", "c03 paused 1"]);
    // A lab does not end while something in it is frozen.
    lab.run("rpower c03 resume").success();
}
