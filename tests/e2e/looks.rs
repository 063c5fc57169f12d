//! What mkhost, rmhost, mkregistry, rmregistry, mknet and rmnet have in common: they look at all hosts before they change
//! the first.

use std::time::Duration;

use ::lab::Lab;
use insta::assert_snapshot;

use crate::{defined_hosts, lab};

const LIMIT: Duration = Duration::from_secs(60);
/// All that a host is told to be.
const SETTINGS: &str =
    "find /etc -type f -exec sha256sum {} + | sort; ls /sys/class/net; systemctl list-units -a xcrane* docker*";

fn settings(lab: &Lab) -> String {
    lab.host("h1").shell(SETTINGS)
}

/// Interrupts a command that waits for h2, which never answers.
fn interrupt(lab: &Lab, line: &str, before: &str) {
    let running = lab.spawn(line);
    // Long enough for h1 to have answered.
    std::thread::sleep(Duration::from_secs(4));
    running.interrupt();
    let run = running.wait(LIMIT);
    assert_eq!((run.code, run.stdout.as_str()), (130, ""), "{line}: {run}");
    let end = "Broken off: h2\nError: nothing was done: it was interrupted while the hosts were looked at\n";
    assert!(run.stderr.ends_with(end), "{line}: {run}");
    assert_eq!(settings(lab), before, "{line} changed something");
}

#[test]
fn ctrl_c_while_hosts_are_looked_at_leaves_all_of_them_as_they_were() {
    let lab = defined_hosts(lab().systemd_hosts(2), 2);
    lab.run("chdef -t site connecttimeout=50").success();
    lab.run("mkhost h1").success();
    lab.run("mkregistry h2").success();
    lab.run("chdef h1 dockermtu=1400").success();
    lab.host("h2").cut();
    let before = settings(&lab);
    for line in ["mkhost hosts", "rmhost hosts -y", "mkregistry h2 --storage /srv", "rmregistry h2 --purge"] {
        interrupt(&lab, line, &before);
    }
    let registry = lab.run("lsregistry").success();
    assert_eq!(registry, "h2: on h2 at 10.77.0.2:5000, in /var/lib/xcrane/registry/h2, lets in everyone");
    lab.host("h2").heal();
    lab.run("mknet blue driver=bridge net=10.80.0.0 mask=255.255.0.0 hosts=h[1-2]").success();
    lab.host("h2").cut();
    let before = settings(&lab);
    interrupt(&lab, "mknet blue mtu=1300", &before);
    assert_eq!(lab.run("gettab netname=blue networks.mtu").success(), "");
    interrupt(&lab, "rmnet blue", &before);
}

#[test]
fn a_host_that_refuses_stops_the_command_before_the_first_change() {
    let lab = defined_hosts(lab().systemd_hosts(3), 3);
    lab.host("h2").shell("echo 'not json' >/etc/docker/daemon.json");
    lab.host("h3").power_off();
    let before = settings(&lab);
    for line in ["mkhost hosts -y", "mkhost hosts --plan", "rmhost hosts -y"] {
        let run = lab.run(line);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{line}: {run}");
        for said in [
            "h2: Error: /etc/docker/daemon.json: it cannot be read (expected ident at line 1 column 2)",
            "h3: Error: cannot reach 10.77.0.3:22",
            "Error: nothing was done: it cannot be done on h2\n",
        ] {
            assert!(run.stderr.contains(said), "{line}: {run}");
        }
    }
    assert_eq!(settings(&lab), before);
}

#[test]
fn a_dead_host_does_not_hold_the_others() {
    let lab = defined_hosts(lab().systemd_hosts(2), 2);
    lab.run("chdef hosts dockerendpoint='|tcp://10.77.0.($1+0):2376|'").success();
    lab.run("mkhost hosts").success();
    lab.run("chdef hosts dockermtu=1400").success();
    lab.host("h2").power_off();
    let run = lab.run("mkhost hosts -y");
    assert_eq!(run.code, 1, "{run}");
    assert_snapshot!(run.stderr, @"h2: Error: cannot reach 10.77.0.2:22: 10.77.0.2:22 does not answer");
    assert!(lab.host("h1").shell("cat /etc/docker/daemon.json").contains("1400"));
    let run = lab.run("rmhost hosts -y");
    assert_eq!(run.code, 1, "{run}");
    let issued = |host: &str| lab.state().join(format!("ca/issued/{host}.pem")).exists();
    assert_eq!((issued("h1"), issued("h2")), (false, true), "{run}");
    lab.host("h2").power_on();
    lab.run("mkhost hosts -b -y").success();
    assert_eq!(lab.run("mkhost hosts -b").success(), "h[1-2]: unchanged");
}
