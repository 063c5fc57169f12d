//! `mkhost` on hosts that have nothing but sshd, and on some that were Docker hosts before.

use std::time::Duration;

use ::lab::Lab;
use insta::assert_snapshot;

use crate::{defined_hosts, lab, start_container};

/// Bare hosts whose package source has what they need.
fn bare(hosts: u8) -> Lab {
    let lab = defined_hosts(lab().bare_hosts(hosts), hosts);
    let source = lab.package_source();
    for host in 1..=hosts {
        lab.host(&format!("h{host}")).shell(&format!("echo 'deb [trusted=yes] {source} ./' >/etc/apt/sources.list"));
    }
    lab
}

/// What tells one run of the container from the next.
fn started(lab: &Lab) -> String {
    lab.host("h1").docker("inspect -f {{.State.StartedAt}}{{.State.Running}} c1").success()
}

#[test]
fn the_plan_for_a_fresh_host_is_shown_and_changes_nothing() {
    let lab = bare(1);
    let before = lab.host("h1").shell("find /etc -type f | sort; dpkg-query -W");
    let plan = lab.run("mkhost h1 --plan");
    assert_eq!(plan.code, 2, "{plan}");
    assert_snapshot!(plan, @r#"
    h1: create /etc/xcrane/dockerhost.json
    h1:     --- /etc/xcrane/dockerhost.json
    h1:     +++ /etc/xcrane/dockerhost.json
    h1:     @@ -0,0 +1,21 @@
    h1:     +{
    h1:     +  "daemon": {
    h1:     +    "default-address-pools": [
    h1:     +      {
    h1:     +        "base": "172.17.0.0/16",
    h1:     +        "size": 24
    h1:     +      }
    h1:     +    ],
    h1:     +    "log-opts": {
    h1:     +      "max-size": "10m",
    h1:     +      "max-file": "3"
    h1:     +    },
    h1:     +    "live-restore": true
    h1:     +  },
    h1:     +  "files": [
    h1:     +    "/etc/systemd/system/docker.service.d/xcrane.conf"
    h1:     +  ],
    h1:     +  "packages": [
    h1:     +    "docker.io|docker-ce|moby-engine"
    h1:     +  ]
    h1:     +}
    h1: create /etc/docker/daemon.json
    h1:     --- /etc/docker/daemon.json
    h1:     +++ /etc/docker/daemon.json
    h1:     @@ -0,0 +1,13 @@
    h1:     +{
    h1:     +  "default-address-pools": [
    h1:     +    {
    h1:     +      "base": "172.17.0.0/16",
    h1:     +      "size": 24
    h1:     +    }
    h1:     +  ],
    h1:     +  "log-opts": {
    h1:     +    "max-size": "10m",
    h1:     +    "max-file": "3"
    h1:     +  },
    h1:     +  "live-restore": true
    h1:     +}
    h1: create /etc/systemd/system/docker.service.d/xcrane.conf
    h1:     --- /etc/systemd/system/docker.service.d/xcrane.conf
    h1:     +++ /etc/systemd/system/docker.service.d/xcrane.conf
    h1:     @@ -0,0 +1,8 @@
    h1:     +# Written by mkhost of xcrane.
    h1:     +[Unit]
    h1:     +StartLimitIntervalSec=0
    h1:     +
    h1:     +[Service]
    h1:     +Restart=always
    h1:     +RestartSec=5
    h1:     +TimeoutStopSec=45
    h1: install docker.io
    h1: enable docker.service
    h1: reload the units of systemd
    h1: start docker.service
    [exit status: 2]
    "#);
    assert_eq!(lab.host("h1").shell("find /etc -type f | sort; dpkg-query -W"), before, "the plan changed something");
}

#[test]
fn a_fresh_host_becomes_a_docker_host_from_its_package_source() {
    let lab = bare(1);
    assert_snapshot!(lab.run("mkhost h1"), @"
    h1: create /etc/xcrane/dockerhost.json
    h1: create /etc/docker/daemon.json
    h1: create /etc/systemd/system/docker.service.d/xcrane.conf
    h1: install docker.io
    h1: enable docker.service
    h1: reload the units of systemd
    h1: start docker.service
    ");
    assert_snapshot!(lab.run("mkhost h1"), @"h1: unchanged");
    assert_eq!(lab.run("mkhost h1 --plan").code, 0);
    let pools = lab.host("h1").docker("info -f '{{.LiveRestoreEnabled}} {{.DefaultAddressPools}}'").success();
    assert_eq!(pools, "true [{172.17.0.0/16 24}]");
    start_container(&lab);
    assert_snapshot!(lab.run("xdsh c1 echo hello"), @"c1: hello");
    lab.host("h1").reboot();
    lab.run("rpower c1 on").success();
}

#[test]
fn a_host_without_a_network_gets_what_it_lacks_from_a_directory() {
    let lab = defined_hosts(lab().bare_hosts(1), 1);
    let directory = lab.package_directory();
    let run = lab.run(&format!("mkhost h1 --packages {}", directory.display()));
    assert!(run.stdout.contains("h1: install docker.io from"), "{run}");
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(lab.run("mkhost h1").success(), "h1: unchanged");
    let host = lab.host("h1");
    host.docker("info").success();
    assert_ne!(host.run("dpkg -s openvswitch-switch").code, 0, "what nobody needs was installed");
    assert_ne!(host.run("test -e /var/cache/xcrane").code, 0, "the files were left there");
    let brought = host.shell("apt-mark showmanual | grep -cx containerd || :");
    assert_eq!(brought.trim(), "0", "it would stay when the engine goes");
}

#[test]
fn a_package_that_is_nowhere_is_named() {
    let lab = defined_hosts(lab().bare_hosts(1), 1);
    std::fs::create_dir(lab.home().join("empty")).unwrap();
    assert_snapshot!(lab.run("mkhost h1 --packages empty"), @"
    ------- stderr -------
    h1: Error: cannot install docker.io from empty: there is no package docker.io in empty
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("mkhost h1 --packages nowhere"), @"
    ------- stderr -------
    Error: nowhere is not a directory
    [exit status: 1]
    ");
}

#[test]
fn an_engine_that_was_there_keeps_its_settings_and_its_containers() {
    let lab = defined_hosts(lab().systemd_hosts(1), 1);
    start_container(&lab);
    let before = started(&lab);
    let run = lab.run("mkhost h1");
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.contains("make it so that the engine keeps its containers over a restart"), "{run}");
    assert_eq!(started(&lab), before, "the container was restarted");
    let daemon = lab.host("h1").shell("cat /etc/docker/daemon.json");
    assert!(daemon.contains("\"storage-driver\": \"overlay2\""), "{daemon}");
    lab.run("chdef h1 dockermtu=1400").success();
    assert_snapshot!(lab.run("mkhost h1 --plan"), @r#"
    h1: change /etc/xcrane/dockerhost.json
    h1:     --- /etc/xcrane/dockerhost.json
    h1:     +++ /etc/xcrane/dockerhost.json
    h1:     @@ -6,6 +6,7 @@
    h1:              "size": 24
    h1:            }
    h1:          ],
    h1:     +    "mtu": 1400,
    h1:          "log-opts": {
    h1:            "max-size": "10m",
    h1:            "max-file": "3"
    h1: change /etc/docker/daemon.json
    h1:     --- /etc/docker/daemon.json
    h1:     +++ /etc/docker/daemon.json
    h1:     @@ -13,5 +13,6 @@
    h1:          "max-size": "10m",
    h1:          "max-file": "3"
    h1:        },
    h1:     -  "live-restore": true
    h1:     +  "live-restore": true,
    h1:     +  "mtu": 1400
    h1:      }
    h1: restart docker.service for /etc/docker/daemon.json
    h1: note: the restart touches 1 running container; live-restore keeps what runs
    [exit status: 2]
    "#);
    assert_snapshot!(lab.run("mkhost h1"), @"
    h1: change /etc/xcrane/dockerhost.json
    h1: change /etc/docker/daemon.json
    h1: restart docker.service for /etc/docker/daemon.json
    ");
    assert_eq!(started(&lab), before, "live-restore did not keep the container");
    assert_eq!(lab.run("rpower c1 stat").success(), "c1: on");
}

#[test]
fn containers_do_not_stop_unasked() {
    let lab = defined_hosts(lab().systemd_hosts(1), 1);
    lab.run("chdef h1 dockerliverestore=no").success();
    lab.run("mkhost h1").success();
    start_container(&lab);
    let before = started(&lab);
    lab.run("chdef h1 dockermtu=1400").success();
    assert_snapshot!(lab.run("mkhost h1"), @"
    ------- stderr -------
    h1: the restart will stop 1 running container; what has a restart policy comes back
    Error: nothing was done: running containers of h1 would stop: 1
    Hint: -y does it without asking; --plan shows what would be done
    [exit status: 1]
    ");
    let daemon = lab.host("h1").shell("cat /etc/docker/daemon.json");
    assert!(!daemon.contains("1400"), "it was changed all the same");
    let mut terminal = lab.spawn_pty("mkhost h1", 24, 100);
    terminal.expect("Go on? [y/N]", Duration::from_secs(60));
    terminal.send("n\r");
    assert_eq!(terminal.wait(Duration::from_secs(60)).code, 1);
    let mut terminal = lab.spawn_pty("mkhost h1", 24, 100);
    terminal.expect("Go on? [y/N]", Duration::from_secs(60));
    terminal.send("\x03");
    assert_eq!(terminal.wait(Duration::from_secs(60)).code, 130);
    assert_eq!(started(&lab), before);
    lab.run("mkhost h1 --limit 1").success();
    assert_ne!(started(&lab), before);
}

#[test]
fn an_engine_that_is_off_is_not_led_away_from_its_data() {
    let lab = defined_hosts(lab().systemd_hosts(1), 1);
    lab.run("mkhost h1").success();
    start_container(&lab);
    lab.run("chdef h1 dockerdataroot=/srv/docker").success();
    assert_snapshot!(lab.run("mkhost h1 -y"), @"
    ------- stderr -------
    h1: Error: attribute 'dockerdataroot': 1 containers are in /var/lib/docker; move that directory to /srv/docker first
    Error: nothing was done: it cannot be done on h1
    [exit status: 1]
    ");
    let host = lab.host("h1");
    host.shell("systemctl stop docker.socket docker.service");
    assert_snapshot!(lab.run("mkhost h1 -y"), @"
    ------- stderr -------
    h1: Error: attribute 'dockerdataroot': data of an engine that does not answer is in /var/lib/docker; move that directory to /srv/docker first
    Error: nothing was done: it cannot be done on h1
    [exit status: 1]
    ");
}

#[test]
fn an_engine_that_does_not_start_says_why_and_is_mended_by_the_next_run() {
    let lab = defined_hosts(lab().systemd_hosts(1), 1);
    lab.host("h1").shell(r#"echo '{"bogus": 1}' >/etc/docker/daemon.json"#);
    let run = lab.run("mkhost h1");
    assert_eq!(run.code, 1, "{run}");
    assert_snapshot!(run, @r#"
    ------- stderr -------
    h1: Error: cannot make it so that the engine keeps its containers over a restart: "unable to configure the Docker daemon with file /etc/docker/daemon.json: the following directives don't match any configuration option: bogus"
    [exit status: 1]
    "#);
    lab.host("h1").shell(r#"sed -i '/bogus/d' /etc/docker/daemon.json"#);
    assert_snapshot!(lab.run("mkhost h1"), @"
    h1: make it so that the engine keeps its containers over a restart
    h1: reload the units of systemd
    h1: restart docker.service, which was left undone
    ");
    assert_eq!(lab.run("mkhost h1").success(), "h1: unchanged");
    lab.host("h1").docker("info").success();
}

#[test]
fn a_killed_run_is_completed_by_the_next() {
    let lab = bare(1);
    for pause in [200, 500, 900, 1500, 2500, 4000] {
        let run = lab.spawn("mkhost h1");
        std::thread::sleep(Duration::from_millis(pause));
        run.kill();
        drop(run);
    }
    let run = lab.run("mkhost h1");
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(lab.run("mkhost h1").success(), "h1: unchanged");
    assert_eq!(lab.host("h1").docker("info -f {{.LiveRestoreEnabled}}").success(), "true");
    assert_ne!(lab.host("h1").run("test -e /run/xcrane").code, 0, "something was left undone");
}

#[test]
fn a_change_that_was_killed_before_the_restart_is_completed() {
    let lab = defined_hosts(lab().systemd_hosts(1), 1);
    lab.run("mkhost h1").success();
    // As a run leaves it that was killed between the file and the unit.
    lab.host("h1").shell("mkdir -p /run/xcrane/follow && echo restart >/run/xcrane/follow/docker.service");
    assert_snapshot!(lab.run("mkhost h1"), @"h1: restart docker.service, which was left undone");
    assert_snapshot!(lab.run("mkhost h1"), @"h1: unchanged");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_touched() {
    let lab = defined_hosts(lab().systemd_hosts(2), 2);
    lab.run("mkdef c1 groups=web mgt=docker vmhost=h1 image=x").success();
    lab.run("chdef h2 dockermtu=big").success();
    assert_snapshot!(lab.run("mkhost h1,h2,c1"), @"
    ------- stderr -------
    c1: Error: attribute 'mgt': 'docker' makes this node a container; name the hosts that carry them
    h2: Error: attribute 'dockermtu': 'big' is not a number from 68 to 65535
    Error: nothing was done: c1,h2 cannot be served as defined
    Hint: the others can be served: NODERANGE,-(c1,h2) leaves out who cannot
    [exit status: 1]
    ");
    lab.run("chdef h2 dockermtu= dockerpools=10.100.0.0/16").success();
    lab.run("mkdef -t network site net=10.100.0.0 mask=255.255.0.0").success();
    assert_snapshot!(lab.run("mkhost h2"), @"
    ------- stderr -------
    h2: Error: attribute 'dockerpools': pool 10.100.0.0/16 overlaps with 10.100.0.0/16, network site; free is 172.17.0.0/16:24
    Error: nothing was done: it cannot be done on h2
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("mkhost"), @"
    ------- stderr -------
    error: the following required arguments were not provided:
      <NODERANGE>

    Usage: xcrane mkhost <NODERANGE>

    For more information, try '--help'.
    [exit status: 2]
    ");
    lab.host("h1").shell("echo 'not json' >/etc/docker/daemon.json");
    assert_snapshot!(lab.run("mkhost h1"), @"
    ------- stderr -------
    h1: Error: /etc/docker/daemon.json: it cannot be read (expected ident at line 1 column 2); mend it or take it away
    Error: nothing was done: it cannot be done on h1
    [exit status: 1]
    ");
}
