//! What goes wrong on real hosts, and what the commands say and leave behind then.

use std::fs;
use std::time::{Duration, Instant};

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;

use crate::{lab, lab_with_guests, session};

/// No busy machine is slower than this.
const LIMIT: Duration = Duration::from_secs(60);

/// Hosts h1, h2, … and containers n001 to n040 that are defined on them in turn, without addresses, and not made.
fn lab_with_forty(hosts: u8) -> Lab {
    let lab = lab().hosts(hosts).define_hosts();
    let line = format!("mkdef n[001-040] groups=all mgt=docker vmhost='|h(($1-1)%{hosts}+1)|' image=busybox:lab");
    lab.run(&line).success();
    lab
}

/// Waits until a container has written `text`.
fn await_log(lab: &Lab, container: &str, text: &str) {
    wait_for(&format!("'{text}' of {container}"), LIMIT, || {
        let log = lab.host("h1").docker(&format!("logs {container}")).stdout;
        if log.contains(text) { Wait::Ready(()) } else { Wait::NotYet(log) }
    });
}

/// Waits until no process on the host has this command line.
fn await_end(lab: &Lab, host: &str, line: &str) {
    wait_for(&format!("the end of '{line}'"), LIMIT, || match lab.host(host).run(&format!("pgrep -fx '{line}'")) {
        run if run.code == 1 => Wait::Ready(()),
        run => Wait::NotYet(run.to_string()),
    });
}

#[test]
fn networks_and_addresses_are_looked_at_before_anything_is_made() {
    let lab = lab_with_guests(1);
    lab.run("chdef c1 vmnics=clustre").success();
    lab.run("chdef c2 ip=10.200.0.1").success();
    assert_snapshot!(lab.run("mkvm c1,c2").sorted(), @"
    ------- stderr -------
    Hint: make it on the hosts that carry it: mknet clustre
    c1: Error: h1: cannot create: there is no network 'clustre' (attribute vmnics) on this host; it has bridge, cluster, host, none
    c2: Error: h1: cannot create: network 'cluster' has no address 10.200.0.1 (attribute ip); it is 10.100.0.0/16
    [exit status: 1]
    ");
    lab.run("chdef c3 ip=10.100.0.4 mac=02:77:00:00:00:05").success();
    lab.run("chdef c5 mac=02-77-00-00-00-05").success();
    assert_snapshot!(lab.run("mkvm c3,c6"), @"
    ------- stderr -------
    c[3-4]: Error: all have ip 10.100.0.4
    c[3,5]: Error: all have mac 02:77:00:00:00:05
    Error: nothing was done: an address is of one node only
    [exit status: 1]
    ");
    assert_eq!(lab.host("h1").docker("ps -aq").success(), "");
    // A guest in its host's network has its host's address, and nobody minds.
    lab.run("chdef c6 vmnics=host ip=10.77.0.1").success();
    lab.run("mkvm c6").success();
}

#[test]
fn a_lost_network_or_image_spares_the_guest_that_is_to_be_made_anew() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1").success();
    lab.run("chdef c1 image=10.77.0.254:5000/none:1").success();
    assert_snapshot!(lab.run("mkvm c1 --force"), @r#"
    ------- stderr -------
    c1: Error: h1: cannot pull image 10.77.0.254:5000/none:1: the host does not have it and its registry cannot be reached (Get "http://10.77.0.254:5000/v2/": dial tcp 10.77.0.254:5000: connect: connection refused)
    [exit status: 1]
    "#);
    lab.run("chdef c1 image=busybox:lab vmnics=clustre").success();
    assert_snapshot!(lab.run("mkvm c1 --force"), @"
    ------- stderr -------
    c1: Error: h1: cannot create: there is no network 'clustre' (attribute vmnics) on this host; it has bridge, cluster, host, none
    Hint: make it on the hosts that carry it: mknet clustre
    [exit status: 1]
    ");
    assert_eq!(lab.host("h1").docker("ps -a --format {{.Names}}").success(), "c1");
}

#[test]
fn what_others_hold_on_the_host_is_named() {
    let lab = lab_with_guests(1);
    lab.run("chdef c1,c2 dockerports=8080:80").success();
    lab.run("mkvm c1-c3").success();
    lab.host("h1").docker("run -d --name stranger --network cluster --ip 10.100.0.3 busybox:lab").success();
    lab.run("rpower c1 on").success();
    assert_snapshot!(lab.run("rpower c2,c3 on").sorted(), @"
    ------- stderr -------
    c2: Error: h1: cannot start: driver failed programming external connectivity on endpoint c2 ($ID): Bind for 0.0.0.0:8080 failed: port is already allocated
    c3: Error: h1: cannot start: its address 10.100.0.3 is in use by container stranger
    [exit status: 1]
    ");
    lab.run("mkdef stranger groups=all mgt=docker vmhost=h1 image=busybox:lab").success();
    assert_snapshot!(session(&lab, "
        mkvm stranger
        rmvm stranger
    "), @"
    $ mkvm stranger
    ------- stderr -------
    stranger: Error: exists on h1 and differs from its definition: it was not made by xcrane
    Hint: make it anew with: mkvm --force NODERANGE
    [exit status: 1]
    $ rmvm stranger
    ------- stderr -------
    stranger: Error: h1: cannot remove: the container was not made by xcrane (use -f argument to force)
    [exit status: 1]
    ");
}

#[test]
fn a_host_that_proves_another_identity_is_not_entered() {
    let lab = lab_with_guests(1);
    let known = lab.home().join(".ssh/known_hosts");
    let true_key = fs::read_to_string(&known).unwrap();
    lab.shell("ssh-keygen -q -t ed25519 -N '' -f other").success();
    let other = fs::read_to_string(lab.home().join("other.pub")).unwrap();
    fs::write(&known, format!("10.77.0.1 {other}")).unwrap();
    assert_snapshot!(lab.run("mkvm c1,c2").sorted(), @"
    ------- stderr -------
    c1: Error: host key of 10.77.0.1:22: it has changed: the host shows ssh-ed25519 $FINGERPRINT, which is not the key in $HOME/.ssh/known_hosts:1; someone may be listening in, or the host was installed anew and that line has to go
    c2: Error: host key of 10.77.0.1:22: it has changed: the host shows ssh-ed25519 $FINGERPRINT, which is not the key in $HOME/.ssh/known_hosts:1; someone may be listening in, or the host was installed anew and that line has to go
    [exit status: 1]
    ");
    fs::write(&known, "").unwrap();
    assert_snapshot!(lab.run("rpower c1 stat"), @"
    ------- stderr -------
    c1: Error: host key of 10.77.0.1:22: unknown host: ssh-ed25519 $FINGERPRINT is not in $HOME/.ssh/known_hosts
    [exit status: 1]
    ");
    fs::write(&known, true_key).unwrap();
    lab.run("chdef -t site sshkeys=other").success();
    assert_snapshot!(lab.run("rpower c1 stat"), @"
    ------- stderr -------
    c1: Error: login as root to 10.77.0.1:22: the host accepts publickey,password; tried: other (not accepted); no ssh agent (SSH_AUTH_SOCK is not set)
    [exit status: 1]
    ");
    lab.run("chdef -t site sshkeys=").success();
    lab.host("h1").refuse();
    assert_snapshot!(lab.run("rpower c1,c2 stat").sorted(), @"
    ------- stderr -------
    c1: Error: cannot reach 10.77.0.1:22: Connection refused (os error 111)
    c2: Error: cannot reach 10.77.0.1:22: Connection refused (os error 111)
    [exit status: 1]
    ");
}

#[test]
fn engines_that_are_old_stopped_or_hung_cost_one_limit() {
    let lab = lab_with_guests(1);
    lab.run("chdef -t site connecttimeout=3 requesttimeout=3").success();
    let host = lab.host("h1");
    let old = host.old_engine("1.18");
    assert_snapshot!(lab.run("mkvm c1"), @"
    ------- stderr -------
    c1: Error: h1 (ssh://root@10.77.0.1:22): the engine is too old: version 1.6.2 speaks API 1.18, the oldest that works is 1.40
    [exit status: 1]
    ");
    drop(old);
    assert_snapshot!(lab.run("mkvm c1,c2").sorted(), @"
    ------- stderr -------
    c1: Error: cannot reach h1 (ssh://root@10.77.0.1:22): /var/run/docker.sock on 10.77.0.1:22: channel open failure (connect failed)
    c2: Error: cannot reach h1 (ssh://root@10.77.0.1:22): /var/run/docker.sock on 10.77.0.1:22: channel open failure (connect failed)
    [exit status: 1]
    ");
    host.start_engine();
    lab.run("mkvm c1-c3").success();
    host.hang_engine();
    let start = Instant::now();
    let run = lab.run("rpower all on").sorted();
    assert!(start.elapsed() < Duration::from_secs(20), "six nodes took {:?}", start.elapsed());
    assert_snapshot!(run, @"
    ------- stderr -------
    c1: Error: h1 (ssh://root@10.77.0.1:22): no answer after 3 s
    c2: Error: h1 (ssh://root@10.77.0.1:22): no answer after 3 s
    c3: Error: h1 (ssh://root@10.77.0.1:22): no answer after 3 s
    c4: Error: h1 (ssh://root@10.77.0.1:22): no answer after 3 s
    c5: Error: h1 (ssh://root@10.77.0.1:22): no answer after 3 s
    c6: Error: h1 (ssh://root@10.77.0.1:22): no answer after 3 s
    [exit status: 1]
    ");
    host.heal();
    // Three starts at once may take more than three seconds of a busy machine.
    lab.run("chdef -t site requesttimeout=60").success();
    assert_snapshot!(lab.run("rpower c1-c3 on -b"), @"c[1-3]: on");
}

#[test]
fn an_image_comes_from_the_registry_once_or_from_a_file() {
    let lab = lab().hosts(1).without_image("h1").define_hosts().registry();
    lab.run("mkdef c[1-6] groups=all mgt=docker vmhost=h1 image=10.77.0.254:5000/busybox:lab").success();
    lab.run(&format!(
        "mkdef f[1-2] groups=files mgt=docker vmhost=h1 image={}",
        lab.home().join("busybox.tar").display()
    ))
    .success();
    lab.run("chdef c6 image=10.77.0.254:5000/busybox:none").success();
    assert_snapshot!(lab.run("mkvm all -V").sorted(), @"
    c1: created
    c2: created
    c3: created
    c4: created
    c5: created
    ------- stderr -------
    Hint: see what it has with: lsimage 10.77.0.254:5000
    c6: Error: h1: cannot pull image 10.77.0.254:5000/busybox:none: neither the host nor the registry has it
    [exit status: 1]
    ");
    let pulls = "docker events --since 2000-01-01 --until $(($(date +%s) + 1)) --filter event=pull --format {{.ID}}";
    assert_eq!(lab.host("h1").shell(pulls).trim(), "10.77.0.254:5000/busybox:lab");
    assert_snapshot!(session(&lab, "
        mkvm files
        rpower files on -b
        xdsh files -b hostname
    "), @"
    $ mkvm files
    $ rpower files on -b
    f[1-2]: on
    $ xdsh files -b hostname
    f1: f1
    f2: f2
    ");
    let images = lab.host("h1").docker("images --format {{.Repository}}").stdout;
    assert_eq!(images.lines().filter(|name| name.starts_with("xcrane.archive/")).count(), 1, "{images}");
}

#[test]
fn a_container_that_dies_says_how() {
    let lab = lab_with_guests(1);
    lab.run(r#"chdef c1 dockertty=no dockercommand='["sh","-c","echo reading; echo no such licence >&2; exit 3"]'"#)
        .success();
    lab.run(r#"chdef c2 vmmemory=8 dockercommand='["sh","-c","tail /dev/zero"]'"#).success();
    lab.run(r#"chdef c3 dockercommand=/no/such/program"#).success();
    lab.run("chdef c4 dockercommand=true").success();
    lab.run(r#"chdef c5 dockerrestart=always dockercommand='["sh","-c","exit 9"]'"#).success();
    lab.run("mkvm all").success();
    // Where the end of a container overtakes the news of its memory the engine never tells why.
    let why = ", killed because it was out of memory";
    assert_snapshot!(lab.run("rpower c1-c4 on").sorted().to_string().replace(why, ""), @r#"
    c4: on
    ------- stderr -------
    c1: Error: h1: cannot keep it running: the container ended at once with exit code 3; its last output was:
    c1: no such licence
    c1: reading
    c2: Error: h1: cannot keep it running: the container ended at once with exit code 137
    c3: Error: h1: cannot start: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/no/such/program": stat /no/such/program: no such file or directory: unknown
    c4: Warning: the command of the container ended at once, with exit code 0
    [exit status: 1]
    "#);
    let run = lab.run("rpower c5 on");
    assert!(run.stderr.contains("ends at once again and again") && run.stderr.contains("exit code 9"), "{run}");
    lab.run("rmvm c5 -f").success();
    wait_for("the engine tells that memory was lacking", LIMIT, || match lab.run("rpower c2 on") {
        run if run.stderr.contains(why) => Wait::Ready(()),
        run => Wait::NotYet(run.to_string()),
    });
    assert_snapshot!(lab.shell("lsvm c2 | grep State"), @"c2: State: exited (137): out of memory");
}

#[test]
fn a_full_disk_is_named_and_the_same_command_goes_on_when_there_is_room() {
    let lab = lab_with_guests(1);
    lab.host("h1").fill_disk();
    let run = lab.run("mkvm c1,c2");
    assert_eq!(run.stderr.matches("no space left on device").count(), 2, "{run}");
    assert_eq!(run.code, 1);
    lab.host("h1").free_disk();
    assert_snapshot!(lab.run("mkvm c1,c2 -V").sorted(), @"
    c1: created
    c2: created
    ");
}

#[test]
fn a_connection_that_breaks_ends_the_command() {
    let lab = lab_with_guests(2);
    lab.run("chdef -t site connecttimeout=3 requesttimeout=3").success();
    lab.run("mkvm c1,c2").success();
    lab.run("rpower c1,c2 on").success();
    let mut running = lab.spawn("psh h1,c1 'echo up; exec sleep 100'");
    (0..2).for_each(|_| drop(running.expect("up", LIMIT)));
    lab.host("h1").drop_connections();
    assert_snapshot!(running.wait(LIMIT).sorted(), @"
    c1: up
    h1: up
    ------- stderr -------
    c1: Error: cannot reach h1: the ssh connection broke: the host closed the connection
    h1: Error: cannot reach 10.77.0.1:22: the ssh connection broke: the host closed the connection
    [exit status: 2]
    ");
    let mut running = lab.spawn("psh c2 'echo up; exec sleep 100'");
    running.expect("up", LIMIT);
    lab.host("h2").cut();
    let start = Instant::now();
    assert_snapshot!(running.wait(LIMIT).sorted(), @"
    c2: up
    ------- stderr -------
    c2: Error: cannot reach h2: the ssh connection broke: Connection timed out (os error 110)
    [exit status: 1]
    ");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn killed_at_any_moment_the_same_command_completes_it() {
    let lab = lab_with_forty(2);
    let containers = |host: &str| {
        let mut names: Vec<String> =
            lab.host(host).docker("ps -a --format {{.Names}}").success().lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    let expected = |first: usize| (first..=40).step_by(2).map(|number| format!("n{number:03}")).collect::<Vec<_>>();
    let mut seed = u64::from(std::process::id());
    for _ in 0..3 {
        for _ in 0..3 {
            let running = lab.spawn("mkvm n[001-040]");
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // The moment is what the test is about.
            std::thread::sleep(Duration::from_millis(100 + (seed >> 33) % 700));
            running.kill();
            let _ = running.wait(LIMIT);
        }
        assert_eq!(lab.run("mkvm n[001-040]").to_string(), "");
        assert_eq!((containers("h1"), containers("h2")), (expected(1), expected(2)));
        lab.run("rmvm n[001-040]").success();
    }
}

#[test]
fn two_admins_make_overlapping_ranges_at_once() {
    let lab = lab_with_forty(2);
    let (one, two) = (lab.spawn("mkvm n[001-016]"), lab.spawn("mkvm n[009-024]"));
    let changes = lab.spawn("chdef n[001-040] -p groups=web");
    assert_eq!((one.wait(LIMIT).to_string(), two.wait(LIMIT).to_string()), (String::new(), String::new()));
    assert_eq!(changes.wait(LIMIT).code, 0);
    assert_eq!(lab.run("noderange -c web").success(), "40");
    let count = |host: &str| lab.host(host).docker("ps -aq").success().lines().count();
    assert_eq!((count("h1"), count("h2")), (12, 12));
    let (one, two) = (lab.spawn("rpower n[001-016] on -b"), lab.spawn("rpower n[009-024] on -b"));
    assert_eq!(one.wait(LIMIT).to_string(), "n[001-016]: on\n");
    assert_eq!(two.wait(LIMIT).to_string(), "n[009-024]: on\n");
    // A reader that has seen enough is no failure.
    let run = lab.shell("(rpower n[001-024] stat; echo $? >code) | head -1");
    assert_eq!((run.stdout.lines().count(), run.stderr.as_str()), (1, ""), "{run}");
    assert_eq!(crate::read(&lab, "code"), "0\n");
}

#[test]
fn ctrl_c_ends_programs_and_lets_changes_come_to_their_end() {
    let lab = lab_with_guests(1);
    lab.run("chdef c2 dockerstoptimeout=3").success();
    lab.run(r#"chdef c2 dockercommand='["sh","-c","trap \"echo asked\" TERM; while :; do sleep 0.1; done"]'"#)
        .success();
    lab.run(r#"chdef c3 dockerstoptimeout=100 dockercommand='["sh","-c","trap \"echo asked\" TERM; while :; do sleep 0.1; done"]'"#)
        .success();
    lab.run("mkvm c1-c3").success();
    lab.run("rpower c1-c3 on").success();

    let mut running = lab.spawn("psh -f 1 c1,c2 'echo up; sleep 1111; true'");
    running.expect("up", LIMIT);
    running.interrupt();
    assert_snapshot!(running.wait(LIMIT), @"
    c1: up
    ------- stderr -------
    Broken off: c1
    Not done: c2
    [exit status: 130]
    ");
    await_end(&lab, "h1", "sleep 1111");

    assert_snapshot!(lab.run("xdsh c1 -t 1 'sleep 2222; true'"), @"
    ------- stderr -------
    c1: Error: timeout exceeded: no end within 1 s
    [exit status: 1]
    ");
    await_end(&lab, "h1", "sleep 2222");
    crate::write(&lab, "script", "trap '' TERM\nsleep 3333\ntrue\n");
    assert_eq!(lab.run("xdsh c1 -t 1 -e script").code, 1);
    await_end(&lab, "h1", "sleep 3333");

    let running = lab.spawn("rpower c2 off");
    await_log(&lab, "c2", "asked");
    running.interrupt();
    assert_snapshot!(running.wait(LIMIT), @"
    c2: off
    ------- stderr -------
    Interrupted: waiting for 1 running; press again to leave them.
    c2: Warning: did not stop within 3 s and was killed
    [exit status: 130]
    ");

    // A second one does not wait.
    let mut running = lab.spawn("rpower c3 off");
    await_log(&lab, "c3", "asked");
    running.interrupt();
    running.expect_error("press again", LIMIT);
    running.interrupt();
    assert_snapshot!(running.wait(LIMIT), @"
    ------- stderr -------
    Interrupted: waiting for 1 running; press again to leave them.
    Broken off: c3
    [exit status: 130]
    ");
}
