//! A module that a site drops in as a folder, on real machines: infrastructure, then a stream processor on three of its machines,
//! then monitoring of that.

use std::path::Path;
use std::time::Duration;

use insta::assert_snapshot;
use lab::{Lab, Wait, wait_for};

use crate::builtin_modules::{all_up, apply, config, machines};
use crate::{lab, session, write};

/// A client of NATS: publishes TEXT to SUBJECT at a member, and prints what the cluster answers.
const CLIENT: &str = r#"import json, os, re, socket, sys
member, subject, text = sys.argv[1:]
config = open(os.environ["XCRANE_HOME"] + "/configs/nats.toml").read()
password = re.search('client-password = "(.*)"', config)[1] if subject != "nobody" else "wrong"
with socket.create_connection((member, 4222), 5) as server:
    server.settimeout(10)
    lines = server.makefile("rb")
    shown = json.dumps({"verbose": False, "user": "client", "pass": password})
    answer = f"_INBOX.{os.getpid()}"
    server.sendall(f"CONNECT {shown}\r\nSUB {answer} 1\r\nPUB {subject} {answer} {len(text)}\r\n{text}\r\n".encode())
    for line in lines:
        if line.startswith(b"-ERR"): sys.exit(line.decode().strip())
        if line.startswith(b"MSG "): sys.exit(print(lines.readline().decode().strip()))
"#;

#[test]
fn infrastructure_then_a_stream_on_three_of_its_machines_then_monitoring_of_it() {
    let lab = machines(lab().systemd_hosts(4), 4);
    write(&lab, "client.py", CLIENT);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/examples/nats");
    lab.shell(&format!("mkdir $XCRANE_HOME/modules && cp -r {} $XCRANE_HOME/modules", example.display())).success();
    config(&lab, "docker-host", "hosts = 'h[2-4]'\n");
    apply(&lab, "docker-host");
    lab.run("mkdef -t network blue driver=bridge net=10.80.0.0 mask=255.255.0.0 hosts=h[2-4]").success();
    lab.run("xcrane module init network").success();
    apply(&lab, "network");
    config(&lab, "monitoring", "server = 'h4'\ninterval = 1\n");
    apply(&lab, "monitoring");

    // h1 is free as well, and is none of the infrastructure's.
    assert_snapshot!(session(&lab, "
        xcrane module init nats
        grep nodes $XCRANE_HOME/configs/nats.toml
        xcrane module init nats
        xcrane module plan nats | grep h3
    "), @r#"
    $ xcrane module init nats
    nats: wrote $XCRANE_HOME/configs/nats.toml
    $ grep nodes $XCRANE_HOME/configs/nats.toml
    nodes = "h2,h3,h4"
    $ xcrane module init nats
    nats: $XCRANE_HOME/configs/nats.toml is as it would be written
    $ xcrane module plan nats | grep h3
    nats on h3: install nats-server
    nats on h3: write /etc/nats-server.conf
    nats on h3: write /etc/systemd/system/nats-server.service.d/xcrane.conf
    nats on h3: start nats-server.service
    nats on h3: write /usr/local/lib/nats-metrics
    nats on h3: write /etc/systemd/system/nats-metrics.socket
    nats on h3: write /etc/systemd/system/nats-metrics@.service
    nats on h3: start nats-metrics.socket
    ------- stderr -------
    kept: xcrane module apply nats --plan $PLAN
    "#);
    let applied = apply(&lab, "nats");
    assert_snapshot!(applied.split_once("monitoring: influenced ").unwrap_or_default().1, @r#"
    by nats; xcrane module plan monitoring && xcrane module apply monitoring would do:
        monitoring on h4: change /etc/prometheus/xcrane-targets.json
        --- /etc/prometheus/xcrane-targets.json
        +++ /etc/prometheus/xcrane-targets.json
        @@ -1,5 +1,8 @@
         [
        +{"targets":["10.77.0.2:7777"],"labels":{"job":"nats","node":"h2"}},
         {"targets":["10.77.0.2:9100"],"labels":{"job":"node","node":"h2"}},
        +{"targets":["10.77.0.3:7777"],"labels":{"job":"nats","node":"h3"}},
         {"targets":["10.77.0.3:9100"],"labels":{"job":"node","node":"h3"}},
        +{"targets":["10.77.0.4:7777"],"labels":{"job":"nats","node":"h4"}},
         {"targets":["10.77.0.4:9100"],"labels":{"job":"node","node":"h4"}}
         ]
    "#);
    // It is shown, and not done unasked.
    let monitors_it = "grep -c nats /etc/prometheus/xcrane-targets.json || true";
    assert_eq!(lab.host("h4").shell(monitors_it).trim(), "0");
    apply(&lab, "monitoring");
    assert_snapshot!(all_up(&lab, 6), @"
    nats h2 up
    nats h3 up
    nats h4 up
    node h2 up
    node h3 up
    node h4 up
    ");
    let query = "curl -s 'http://10.77.0.4:9090/api/v1/query?query=sum(nats_num_routes)'";
    let routes = lab.shell(query).success();
    assert!(routes.contains("\"6\""), "{routes}");

    what_is_published_outlives_a_member(&lab);
    a_member_is_stopped_only_while_the_others_work(&lab);
    a_killed_apply_restarts_what_it_has_written(&lab);
    the_module_keeps_to_the_contract_and_its_passwords_to_itself(&lab);
}

/// What the cluster answers to a text that is published at a member.
fn answer(lab: &Lab, member: u8, subject: &str, text: &str) -> String {
    let run = lab.shell(&format!("python3 client.py 10.77.0.{member} '{subject}' '{text}'"));
    format!("{}{}", run.stdout.trim(), run.stderr.trim())
}

/// What a member has of what was published first.
fn first_order(lab: &Lab, member: u8) -> String {
    wait_for("a message is read", Duration::from_secs(60), || {
        let said = answer(lab, member, "$JS.API.STREAM.MSG.GET.orders", r#"{"seq":1}"#);
        if said.contains(r#""data":""#) { Wait::Ready(said) } else { Wait::NotYet(said) }
    })
}

/// `rack7`, as the protocol has it.
const RACK7: &str = "cmFjazc=";

fn what_is_published_outlives_a_member(lab: &Lab) {
    assert_eq!(answer(lab, 2, "nobody", ""), "-ERR 'Authorization Violation'");
    let made =
        answer(lab, 2, "$JS.API.STREAM.CREATE.orders", r#"{"name":"orders","subjects":["orders.*"],"num_replicas":3}"#);
    assert!(made.contains("\"did_create\":true"), "{made}");
    assert_eq!(answer(lab, 2, "orders.new", "rack7"), r#"{"stream":"orders", "seq":1}"#);
    lab.host("h2").shell("systemctl stop nats-server");
    for member in [3, 4] {
        assert!(first_order(lab, member).contains(RACK7));
    }
    assert_snapshot!(lab.run("xcrane module audit nats"), @"
    h2: missing: to start nats-server.service
    h3: as it was left
    h4: as it was left
    [exit status: 2]
    ");
    assert_snapshot!(lab.shell("xcrane module test nats | cut -d : -f 1-4 | sort"), @"
    h2: FAIL: it has a leader: it knows none
    h2: FAIL: it is connected with all others: 0 of 2
    h2: FAIL: what is published here is read at all members: no stream is made for it
    h3: FAIL: it is connected with all others: 1 of 2
    h3: FAIL: what is published here is read at all members: no stream is made for it
    h3: pass: it has a leader
    h4: FAIL: it is connected with all others: 1 of 2
    h4: FAIL: what is published here is read at all members: no stream is made for it
    h4: pass: it has a leader
    ");
    apply(lab, "nats");
    assert!(first_order(lab, 2).contains(RACK7));
    assert_snapshot!(lab.run("xcrane module test nats").sorted(), @"
    h2: pass: it has a leader
    h2: pass: it is connected with all others
    h2: pass: what is published here is read at all members
    h3: pass: it has a leader
    h3: pass: it is connected with all others
    h3: pass: what is published here is read at all members
    h4: pass: it has a leader
    h4: pass: it is connected with all others
    h4: pass: what is published here is read at all members
    ");
}

/// The process of a member, which is another one when it was stopped.
fn process(lab: &Lab, host: &str) -> String {
    lab.host(host).shell("systemctl show -p MainPID nats-server")
}

fn a_member_is_stopped_only_while_the_others_work(lab: &Lab) {
    lab.host("h2").shell("systemctl mask -q --runtime --now nats-server");
    let h3 = lab.host("h3");
    h3.shell("echo '# mine' >>/etc/nats-server.conf; chmod 700 /usr/local/lib/nats-metrics");
    assert_snapshot!(lab.run("xcrane module audit nats"), @"
    h2: missing: to start nats-server.service
    h3: changed: to write /etc/nats-server.conf
    h3: changed: to restart nats-server.service
    h3: changed: to write /usr/local/lib/nats-metrics
    h3: changed: to restart nats-metrics.socket
    h4: as it was left
    [exit status: 2]
    ");
    let before = process(lab, "h3");
    assert_eq!(lab.run("xcrane module plan nats").code, 2);
    let refused = lab.run("xcrane module apply nats");
    let why = "h3: apply of module nats: nothing was done: it is to be restarted while it sees 1 of 2 others";
    assert!(refused.code == 1 && refused.stderr.contains(why), "{refused}");
    assert!(first_order(lab, 3).contains(RACK7));
    assert_eq!(process(lab, "h3"), before);

    lab.host("h2").shell("systemctl unmask -q --runtime nats-server");
    apply(lab, "nats");
    assert_ne!(process(lab, "h3"), before);
    // What its numbers need is no matter of the member itself.
    let before = process(lab, "h3");
    h3.shell("rm /etc/systemd/system/nats-metrics@.service");
    apply(lab, "nats");
    assert_eq!(process(lab, "h3"), before);
}

fn a_killed_apply_restarts_what_it_has_written(lab: &Lab) {
    let h3 = lab.host("h3");
    h3.shell(
        "mkdir -p /run/systemd/system/nats-server.service.d &&
         printf '[Service]\\nExecStop=/bin/sh -c \"until [ -e /go ]; do sleep 0.1; done\"\\n' \
         >/run/systemd/system/nats-server.service.d/held.conf && echo '# mine' >>/etc/nats-server.conf",
    );
    assert_eq!(lab.run("xcrane module plan nats").code, 2);
    let apply_it = lab.spawn("xcrane module apply nats");
    let stopping = "systemctl show -p ActiveState --value nats-server";
    wait_for("the member is about to stop", Duration::from_secs(60), || match h3.shell(stopping).trim() {
        "deactivating" => Wait::Ready(()),
        other => Wait::NotYet(other.to_owned()),
    });
    h3.shell("kill -9 $(pgrep -f '^/bin/bash ./program apply')");
    h3.shell("rm -r /run/systemd/system/nats-server.service.d && touch /go && systemctl daemon-reload");
    wait_for("the member is back", Duration::from_secs(60), || match h3.shell(stopping).trim() {
        "active" => Wait::Ready(()),
        other => Wait::NotYet(other.to_owned()),
    });
    let killed = apply_it.wait(Duration::from_secs(60));
    assert!(killed.code == 1 && killed.stderr.contains("by signal SIGKILL"), "{killed}");
    assert_snapshot!(lab.run("xcrane module plan nats"), @"
    nats on h3: restart nats-server.service
    ------- stderr -------
    kept: xcrane module apply nats --plan $PLAN
    [exit status: 2]
    ");
    apply(lab, "nats");
}

fn the_module_keeps_to_the_contract_and_its_passwords_to_itself(lab: &Lab) {
    for arguments in ["", " --apply h[2-4]"] {
        let checked = lab.run(&format!("xcrane module check nats{arguments}"));
        assert_eq!(checked.code, 0, "{checked}");
    }
    let h3 = lab.host("h3");
    assert_eq!(
        h3.shell(
            "stat -c '%a %U:%G %n' /etc/nats-server.conf /usr/local/lib/nats-metrics; ls /run/*.due 2>/dev/null || true"
        ),
        "640 root:nats /etc/nats-server.conf\n755 root:root /usr/local/lib/nats-metrics\n"
    );
    let passwords = lab.shell("sed -n 's/.*-password = \"\\(.*\\)\"/\\1/p' $XCRANE_HOME/configs/nats.toml").success();
    let told = lab.shell("xcrane module state nats --yaml; xcrane module info nats").success();
    let told = told + &h3.shell("journalctl -q --no-pager; cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    assert_eq!(passwords.lines().count(), 2);
    assert!(passwords.lines().all(|password| password.len() > 20 && !told.contains(password)));
}
