//! Modules that are built in, on real machines: infrastructure, then a store on three of its machines, then monitoring of both.

use std::fs;
use std::time::Duration;

use insta::assert_snapshot;
use lab::{Lab, Wait, wait_for};

use crate::{defined_hosts, lab, session};

const ALL: [&str; 6] = ["docker-host", "etcd", "monitoring", "network", "node-base", "registry"];

/// Hosts whose package source has what modules install.
pub(crate) fn machines(lab: Lab, count: u8) -> Lab {
    let lab = defined_hosts(lab, count);
    let source = lab.package_source();
    let line = format!("echo 'deb [trusted=yes] {source} ./' >/etc/apt/sources.list; apt-get -q update");
    (1..=count).for_each(|number| drop(lab.host(&format!("h{number}")).shell(&line)));
    lab
}

pub(crate) fn config(lab: &Lab, name: &str, text: &str) {
    let directory = lab.state().join("configs");
    let written = fs::create_dir_all(&directory).and_then(|()| fs::write(directory.join(format!("{name}.toml")), text));
    written.expect("the home of a lab can be written");
}

/// Plans a module, which must have something to do, and applies that.
pub(crate) fn apply(lab: &Lab, name: &str) -> String {
    let plan = lab.run(&format!("xcrane module plan {name}"));
    assert_eq!(plan.code, 2, "{plan}");
    let applied = lab.run(&format!("xcrane module apply {name}")).success();
    let again = lab.run(&format!("xcrane module plan {name}"));
    assert_eq!(again.code, 0, "{again}");
    applied
}

/// What Prometheus on h4 says of all that it watches, when that are so many and all are up.
pub(crate) fn all_up(lab: &Lab, count: usize) -> String {
    wait_for("all targets of Prometheus", Duration::from_secs(60), || {
        let watched = watched(lab);
        let is_up = watched.len() == count && watched.iter().all(|line| line.ends_with(" up"));
        if is_up { Wait::Ready(watched.join("\n")) } else { Wait::NotYet(watched.join("\n")) }
    })
}

fn watched(lab: &Lab) -> Vec<String> {
    let said = lab.shell("curl -s http://10.77.0.4:9090/api/v1/targets?state=active").stdout;
    let Ok(said) = serde_json::from_str::<serde_json::Value>(&said) else { return Vec::new() };
    let targets = said["data"]["activeTargets"].as_array().into_iter().flatten();
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let line = |it: &serde_json::Value| {
        format!("{} {} {}", word(&it["labels"]["job"]), word(&it["labels"]["node"]), word(&it["health"]))
    };
    let mut lines: Vec<String> = targets.map(line).collect();
    lines.sort();
    lines
}

#[test]
fn infrastructure_then_a_store_then_monitoring_of_both() {
    let lab = machines(lab().systemd_hosts(4), 4);
    lab.run("mkdef -t network blue driver=bridge net=10.80.0.0 mask=255.255.0.0 hosts=h[3-4]").success();
    config(&lab, "docker-host", "hosts = 'h[3-4]'\n");
    let applied = apply(&lab, "docker-host");
    assert!(applied.contains("docker-host on h4: change /etc/docker/daemon.json"), "{applied}");
    lab.run("xcrane module init network").success();
    let applied = apply(&lab, "network");
    assert!(applied.contains("make the engine's network: 10.80.0.0/16"), "{applied}");
    assert_snapshot!(lab.run("lsnet blue").sorted(), @"
    h3: blue: made
    h4: blue: made
    ");

    // What a store requires is named before anything is done.
    lab.run("xcrane module init etcd").success();
    assert_snapshot!(lab.run("xcrane module plan etcd"), @"
    ------- stderr -------
    Error: module etcd requires one with kind eq node-base, and none is installed or chosen
    Hint: node-base is one: xcrane module apply node-base --with-requirements
    [exit status: 1]
    ");
    config(
        &lab,
        "node-base",
        "nodes = 'hosts'\nusers = ['ada:2000']\nkeys = ['ada ssh-ed25519 AAAA ada@desk']\nsysctl = ['net.core.somaxconn=5000']\n",
    );
    apply(&lab, "node-base");
    let h2 = lab.host("h2");
    assert_eq!(
        h2.shell("id -u ada; cat ~ada/.ssh/authorized_keys; sysctl -n net.core.somaxconn").trim(),
        "2000\nssh-ed25519 AAAA ada@desk\n5000"
    );
    config(&lab, "monitoring", "server = 'h4'\ninterval = 1\n");
    apply(&lab, "monitoring");

    let applied = apply(&lab, "etcd");
    assert_snapshot!(applied.split_once("monitoring: influenced ").unwrap_or_default().1, @r#"
    by etcd; xcrane module plan monitoring && xcrane module apply monitoring would do:
        monitoring on h4: change /etc/prometheus/xcrane-targets.json
        --- /etc/prometheus/xcrane-targets.json
        +++ /etc/prometheus/xcrane-targets.json
        @@ -1,6 +1,9 @@
         [
        +{"targets":["10.77.0.1:2381"],"labels":{"job":"etcd","node":"h1"}},
         {"targets":["10.77.0.1:9100"],"labels":{"job":"node","node":"h1"}},
        +{"targets":["10.77.0.2:2381"],"labels":{"job":"etcd","node":"h2"}},
         {"targets":["10.77.0.2:9100"],"labels":{"job":"node","node":"h2"}},
        +{"targets":["10.77.0.3:2381"],"labels":{"job":"etcd","node":"h3"}},
         {"targets":["10.77.0.3:9100"],"labels":{"job":"node","node":"h3"}},
         {"targets":["10.77.0.4:9100"],"labels":{"job":"node","node":"h4"}}
         ]
    "#);
    lab.host("h1").shell(&format!("{CTL}.1:2379 put where rack7"));
    assert_eq!(lab.host("h3").shell(&format!("{CTL}.3:2379 get --print-value-only where")).trim(), "rack7");

    apply(&lab, "monitoring");
    assert_snapshot!(all_up(&lab, 7), @"
    etcd h1 up
    etcd h2 up
    etcd h3 up
    node h1 up
    node h2 up
    node h3 up
    node h4 up
    ");

    // What somebody has changed by hand is found, and put right by the next plan.
    lab.host("h2").shell("systemctl stop etcd; rm ~ada/.ssh/authorized_keys");
    assert_snapshot!(session(&lab, "
        xcrane module audit etcd
        xcrane module audit node-base -b
    "), @"
    $ xcrane module audit etcd
    h1: as it was left
    h2: missing: to start etcd.service
    h2: changed: to make it so that member h2 is healthy
    h3: as it was left
    [exit status: 2]
    $ xcrane module audit node-base -b
    h[1,3-4]: as it was left
    h2: changed: to make it so that ada is let in by ada@desk (7919610f)
    [exit status: 2]
    ");
    apply(&lab, "etcd");

    // A machine joins the store, another one leaves it; what is in it stays.
    for nodes in ["h[1-4]", "h[2-4]"] {
        config(&lab, "etcd", &format!("nodes = '{nodes}'\n"));
        apply(&lab, "etcd");
    }
    let said = lab
        .host("h4")
        .shell(&format!("{CTL}.4:2379 get --print-value-only where; {CTL}.4:2379 member list | cut -d, -f3 | sort"));
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["rack7", "h2", "h3", "h4"]);
    assert_eq!(lab.host("h1").shell("ls /var/lib/etcd; systemctl is-active etcd || true").trim(), "inactive");

    a_backup_is_taken_back_on_all_members(&lab);
    the_store_is_scaled_and_keeps_its_majority(&lab);

    config(&lab, "registry", "node = 'h4'\nusers = ['ada']\n");
    apply(&lab, "registry");
    for name in ALL {
        let checked = lab.run(&format!("xcrane module check {name}"));
        assert_eq!(checked.code, 0, "{checked}");
    }
}

const CTL: &str =
    "etcdctl --cacert=/etc/etcd/ca.pem --cert=/etc/etcd/node.pem --key=/etc/etcd/node.pem --endpoints=https://10.77.0";

/// What each of the members h2 to h4 says of a key by itself.
fn of_each(lab: &Lab, key: &str) -> Vec<String> {
    let ask = |number: u8| {
        let said = lab.host(&format!("h{number}")).shell(&format!("{CTL}.{number}:2379 get --print-value-only {key}"));
        said.trim().to_owned()
    };
    (2..=4).map(ask).collect()
}

/// The process of a member, which is another one when it was stopped.
fn process(lab: &Lab, host: &str) -> String {
    lab.host(host).shell("systemctl show -p MainPID etcd")
}

fn a_backup_is_taken_back_on_all_members(lab: &Lab) {
    let backup = lab.run("xcrane module backup etcd");
    assert_eq!(backup.code, 0, "{backup}");
    let file = lab.shell("ls $XCRANE_HOME/backups/etcd/*.json").success();
    lab.host("h2").shell(&format!("{CTL}.2:2379 put where rack9; {CTL}.2:2379 put new yes"));

    // What is not whole is refused while all members go on.
    let before = process(lab, "h2");
    let snapshot = r#"import base64, gzip, hashlib, json, sys
backup = json.load(open(sys.argv[1])); kept = backup["targets"][""]
packed = base64.b64decode(kept["snapshot"])
packed = packed[:-9] if sys.argv[2] == "cut" else gzip.compress(gzip.decompress(packed).replace(b"rack7", b"rack8"))
kept["snapshot"] = base64.b64encode(packed).decode()
if sys.argv[2] != "cut": kept["sha256"] = hashlib.sha256(packed).hexdigest()
json.dump(backup, open(sys.argv[2], "w"))"#;
    fs::write(lab.home().join("damage.py"), snapshot).expect("the home of a lab can be written");
    for (damage, why) in [("cut", "its digest is another one"), ("changed", "expected sha256")] {
        lab.shell(&format!("python3 damage.py {file} {damage}")).success();
        let refused = lab.run(&format!("xcrane module restore etcd {damage}"));
        assert!(refused.code == 1 && refused.stderr.contains("nothing was stopped"), "{refused}");
        assert!(refused.stderr.contains(why), "{refused}");
    }
    assert_eq!((process(lab, "h2"), of_each(lab, "where")), (before, vec!["rack9".to_owned(); 3]));

    // Killed while one member is stopped and another one does not stop.
    let h3 = lab.host("h3");
    h3.shell(
        "mkdir /run/systemd/system/etcd.service.d &&
         printf '[Service]\\nExecStop=/bin/sh -c \"until [ -e /go ]; do sleep 0.1; done\"\\n' >/run/systemd/system/etcd.service.d/held.conf &&
         systemctl daemon-reload",
    );
    let restore = lab.spawn(&format!("xcrane module restore etcd {file}"));
    let arguments = wait_for("one member is stopped, and another one is not yet", Duration::from_secs(60), || {
        let arguments = h3.shell("cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
        match lab.host("h2").shell("systemctl is-active etcd || true").trim() {
            "inactive" if arguments.contains("systemctl stop") => Wait::Ready(arguments),
            other => Wait::NotYet(format!("{other}: {arguments}")),
        }
    });
    assert!(!arguments.contains("PRIVATE KEY"), "{arguments}");
    restore.kill();
    drop(restore);
    h3.shell("rm -r /run/systemd/system/etcd.service.d && touch /go && systemctl daemon-reload");
    let restored = lab.run(&format!("xcrane module restore etcd {file}"));
    assert_eq!(restored.code, 0, "{restored}");
    assert_eq!(of_each(lab, "where"), ["rack7"; 3]);
    assert_eq!(of_each(lab, "new"), [""; 3]);
    // What was there before stays beside it, whichever try has put it there.
    let beside = lab.host("h2").shell("ls /var/lib/etcd");
    assert_eq!(beside.split_whitespace().collect::<Vec<_>>(), ["xcrane", "xcrane.before"]);
    assert_snapshot!(lab.run("xcrane module test etcd").sorted(), @"
    h2: pass: it is healthy
    h2: pass: what it writes is read at all members
    h3: pass: it is healthy
    h3: pass: what it writes is read at all members
    h4: pass: it is healthy
    h4: pass: what it writes is read at all members
    ");
    let checked = lab.run("xcrane module check etcd");
    let asked =
        |method: &str| checked.stdout.contains(&format!("etcd: pass: {method} says what the contract has for it"));
    assert!(checked.code == 0 && asked("test") && asked("backup"), "{checked}");
}

fn the_store_is_scaled_and_keeps_its_majority(lab: &Lab) {
    // One comes and one goes; what is in the store stays.
    config(lab, "etcd", "nodes = 'h[1-3]'\n");
    assert_snapshot!(lab.run("xcrane module scale etcd").sorted(), @"
    h1: scale: done
    h2: scale: done
    h3: scale: done
    h4: scale: done
    monitoring: influenced by etcd, nothing to do
    ");
    let members = |from: u8| {
        let said = lab.host(&format!("h{from}")).shell(&format!(
            "{CTL}.{from}:2379 get --print-value-only where; {CTL}.{from}:2379 member list | cut -d, -f3 | sort"
        ));
        said.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(members(1), ["rack7", "h1", "h2", "h3"]);
    assert_eq!(lab.host("h4").shell("ls /var/lib/etcd; systemctl is-active etcd || true").trim(), "inactive");
    assert_eq!(lab.run("xcrane module plan etcd").code, 0);

    lab.host("h2").shell("systemctl stop etcd");
    config(lab, "etcd", "nodes = 'h[1-2]'\n");
    assert_snapshot!(session(lab, "
        xcrane module scale etcd
        xcrane module test etcd | cut -d : -f 1-3 | sort
    "), @"
    $ xcrane module scale etcd
    h1: scale: done
    h2: scale: done
    monitoring: influenced by etcd, nothing to do
    ------- stderr -------
    h3: Error: scale of module etcd: h1: cannot take h3 out: 1 of the 2 others are healthy, which is no majority: it has to stay
    [exit status: 1]
    $ xcrane module test etcd | cut -d : -f 1-3 | sort
    h1: FAIL: what it writes is read at all members
    h1: pass: it is healthy
    h2: FAIL: it is healthy
    h2: FAIL: what it writes is read at all members
    h3: FAIL: what it writes is read at all members
    h3: pass: it is healthy
    ");
    assert_eq!(members(1), ["rack7", "h1", "h2", "h3"]);
    lab.host("h2").shell("systemctl start etcd");
    config(lab, "etcd", "nodes = 'h[1-3]'\n");
    assert_eq!(lab.run("xcrane module scale etcd").code, 0);
}

/// Asks a module for all that it can, on h1.
fn checked(lab: &Lab, name: &str, text: &str) {
    config(lab, name, text);
    let checked = lab.run(&format!("xcrane module check {name} --apply h1"));
    assert_eq!(checked.code, 0, "{checked}");
    assert_eq!(
        checked.stdout.lines().filter(|line| line.starts_with(&format!("{name}: pass: "))).count(),
        7,
        "{checked}"
    );
}

#[test]
fn a_bare_machine_gets_a_network_by_one_plan_and_every_module_is_checked_on_it() {
    let lab = machines(lab().bare_hosts(2), 2);
    lab.run("mkdef -t network blue driver=bridge net=10.80.0.0 mask=255.255.0.0 hosts=h1").success();
    config(&lab, "docker-host", "hosts = 'h1'\n");
    config(&lab, "network", "networks = ['blue']\n");
    let plan = lab.run("xcrane module plan network --with-requirements");
    assert_eq!(plan.code, 2, "{plan}");
    assert!(plan.stdout.contains("docker-host on h1: install "), "{plan}");
    let last = plan.stdout.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("network: planned when docker-host is applied: h1 has no engine that answers: "),
        "{plan}"
    );
    let json = lab.run("xcrane module plan network --with-requirements --json").stdout;
    let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap_or_default()).expect("an object");
    let answer = &last["answer"];
    assert_eq!(
        (&answer["deferred"]["until"][0], &answer["units"][0]),
        (&"docker-host".into(), &serde_json::Value::Null)
    );

    let applied = lab.run("xcrane module apply network --with-requirements").success();
    let told = "network: planned now that docker-host is applied:\n    network: h1: blue: ";
    let (before, after) = applied.split_once(told).unwrap_or_else(|| panic!("{applied}"));
    assert!(before.contains("docker-host on h1: install "), "{applied}");
    assert!(after.contains("\nnetwork: h1: blue: ") && after.contains("network: applied"), "{applied}");
    assert_eq!(lab.run("lsnet blue").success(), "h1: blue: made");
    assert!(lab.host("h1").docker("network inspect blue").success().contains("10.80.0.0/16"));
    assert_eq!(lab.run("xcrane module plan docker-host network").code, 0);

    // Nothing that comes before it would give this one an engine.
    lab.run("chdef -t network blue hosts=h1,h2").success();
    assert_snapshot!(lab.shell("xcrane module plan network 2>&1 | sed 's/answers: .*/answers: WHY/'"), @"
    Error: module network cannot be planned: h2 has no engine that answers: WHY
    Hint: plan it with what it requires: xcrane module plan docker-host network
    ");
    lab.run("chdef -t network blue hosts=h1").success();

    let h1 = lab.host("h1");
    h1.shell("docker network rm blue; sed -i s/live-restore/other/ /etc/docker/daemon.json");
    checked(&lab, "docker-host", "hosts = 'h1'\n");
    checked(&lab, "network", "networks = ['blue']\n");
    assert_eq!(lab.run("lsnet blue").success(), "h1: blue: made");
    // The clock of a lab is that of this machine, which nobody sets.
    h1.shell(
        "mkdir -p /etc/systemd/system/chrony.service.d && printf '[Service]\\nExecStart=\\nExecStart=!/usr/sbin/chronyd -x -F 1\\n' \
         >/etc/systemd/system/chrony.service.d/lab.conf",
    );
    checked(
        &lab,
        "node-base",
        "nodes = 'h1'\nusers = ['ada:2000']\ntime-zone = 'Etc/GMT-1'\nsysctl = ['net.core.somaxconn=5001']\ntime-servers = ['10.77.0.254']\n",
    );
    assert_eq!(h1.shell("chronyc -n sources | grep -o 10.77.0.254").trim(), "10.77.0.254");
    checked(&lab, "etcd", "nodes = 'h1'\n");
    checked(&lab, "monitoring", "server = 'h1'\n");
    checked(&lab, "registry", "node = 'h1'\nusers = ['ada']\n");
    // What a check has done is in no state.
    assert_eq!(lab.shell("xcrane module list | grep -c ' applied '").success(), "2");
}

#[test]
fn all_are_there_on_a_fresh_machine_and_a_sites_own_counts_before() {
    let lab = lab();
    assert_snapshot!(lab.run("xcrane module list"), @"
    docker-host: 1.0.0 engine - machines that run containers, as mkhost makes them
    etcd: 1.0.0 store - a key-value store on several machines, known to each other by the site's authority
    monitoring: 1.0.0 monitoring - Prometheus, and its exporter on every machine that a module works on
    network: 1.0.0 network - networks of containers over Docker hosts, as mknet makes them
    node-base: 1.0.0 node-base - what all machines have in common: users, keys, time, the kernel's settings for HPC
    registry: 1.0.0 registry - the site's registry of container images, as mkregistry makes it
    ");
    let directory = lab.state().join("modules/etcd");
    fs::create_dir_all(&directory).expect("the home of a lab can be written");
    let own = include_str!("../../plugins/modules/etcd/module.toml").replace("1.0.0", "1.0.1");
    fs::write(directory.join("module.toml"), own).expect("the home of a lab can be written");
    assert_snapshot!(lab.run("xcrane module search 'kind eq store'"), @"etcd: 1.0.1 store - a key-value store on several machines, known to each other by the site's authority");
    assert_snapshot!(lab.shell("xcrane module info etcd | head -n 3"), @"
    etcd: $XCRANE_HOME/modules/etcd
        kind=store
        machines=own
    ");
}
