//! `lshost` on real hosts.

use ::lab::Lab;
use insta::assert_snapshot;

use crate::lab;

/// A Docker host of ours.
fn made() -> Lab {
    let lab = lab().systemd_hosts(1);
    lab.run("mkdef h1 groups=hosts ip=10.77.0.1").success();
    lab.run("mkhost h1").success();
    lab
}

#[test]
fn a_line_a_host() {
    let lab = made();
    let line = lab.run("lshost h1").success();
    let version = lab.host("h1").docker("version -f {{.Server.Version}}").success();
    let expected =
        format!("h1: {version} api=1.41 containers=0/0 storage=overlay2 live-restore=yes pools=172.17.0.0/16:24 free=");
    assert!(line.starts_with(&expected), "{line}");
    let json = lab.run("lshost h1 --json").success();
    assert!(json.starts_with(r#"{"node":"h1","answer":{"engine":""#), "{json}");
    assert_snapshot!(lab.run("lshost"), @"
    ------- stderr -------
    Error: no node is a Docker host yet
    Hint: make one with: mkhost NODERANGE
    [exit status: 1]
    ");
    lab.run("chdef h1 dockerendpoint=ssh://10.77.0.1").success();
    assert!(lab.run("lshost").success().starts_with("h1: "));
    assert_snapshot!(lab.run("lshost nope"), @"
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: nope
    [exit status: 1]
    ");
}

#[test]
fn what_was_changed_by_hand_is_shown_with_what_mends_it() {
    let lab = made();
    assert_snapshot!(lab.run("lshost h1 --audit"), @"h1: in order");
    lab.host("h1").shell(
        "sed -i s/true/false/ /etc/docker/daemon.json && systemctl reload docker && systemctl -q disable docker.service",
    );
    let audit = lab.run("lshost h1 --audit");
    assert_eq!(audit.code, 2);
    assert_snapshot!(audit, @r#"
    h1: not as defined: change /etc/docker/daemon.json
    h1:     --- /etc/docker/daemon.json
    h1:     +++ /etc/docker/daemon.json
    h1:     @@ -13,5 +13,5 @@
    h1:          "max-size": "10m",
    h1:          "max-file": "3"
    h1:        },
    h1:     -  "live-restore": false
    h1:     +  "live-restore": true
    h1:      }
    h1: not as defined: make it so that the engine keeps its containers over a restart
    h1: not as defined: enable docker.service
    h1: not as defined: reload the units of systemd
    h1: not as defined: reload docker.service for /etc/docker/daemon.json
    h1:     mend: mkhost h1
    [exit status: 2]
    "#);
    assert_eq!(lab.run("mkhost h1 --plan").code, 2);
    lab.run("mkhost h1").success();
    assert_snapshot!(lab.run("lshost h1 --audit"), @"h1: in order");
}

#[test]
fn what_would_go_wrong_at_a_shutdown_is_shown_with_what_mends_it() {
    let lab = made();
    let image = lab.home().join("busybox.tar");
    let line = format!("mkdef c[1-2] groups=web mgt=docker vmhost=h1 image={} dockerstoptimeout=40", image.display());
    lab.run(&line).success();
    lab.run("mkvm web").success();
    lab.run("rpower web on").success();
    let audit = lab.run("lshost h1 --audit");
    assert_eq!(audit.code, 2);
    assert_snapshot!(audit, @"
    h1: c[1-2] may take 40 s to stop, the engine gives 15 s when it ends
    h1:     mend: chdef h1 dockershutdowntimeout=45 && mkhost h1
    h1: c[1-2] run and will not after a boot of the host: restart policy no
    h1:     mend: chdef c[1-2] dockerrestart=unless-stopped && chvm c[1-2]
    [exit status: 2]
    ");
    lab.run("chdef h1 dockershutdowntimeout=45").success();
    lab.run("mkhost h1").success();
    lab.run("chdef c[1-2] dockerrestart=unless-stopped").success();
    lab.run("chvm c[1-2]").success();
    assert_snapshot!(lab.run("lshost h1 --audit"), @"h1: in order");
}

#[test]
fn a_drop_in_that_speaks_after_ours_is_named() {
    let lab = made();
    let host = lab.host("h1");
    host.shell(
        "printf '[Service]\\nRestart=no\\nTimeoutStopSec=5\\n' >/etc/systemd/system/docker.service.d/zz-site.conf
        systemctl daemon-reload",
    );
    assert_eq!(lab.run("mkhost h1").success(), "h1: unchanged");
    assert_snapshot!(lab.run("lshost h1 --audit"), @"
    h1: the service manager kills the engine after 5 s, which gives its containers 15 s
    h1:     mend: xdsh h1 'rm /etc/systemd/system/docker.service.d/zz-site.conf && systemctl daemon-reload' && mkhost h1
    h1: an engine that ends is not always started again: Restart=no
    h1:     mend: xdsh h1 'rm /etc/systemd/system/docker.service.d/zz-site.conf && systemctl daemon-reload' && mkhost h1
    [exit status: 2]
    ");
    lab.shell("xdsh h1 'rm /etc/systemd/system/docker.service.d/zz-site.conf && systemctl daemon-reload' && mkhost h1")
        .success();
    assert_snapshot!(lab.run("lshost h1 --audit"), @"h1: in order");
}

#[test]
fn a_host_without_an_engine_says_so() {
    let lab = lab().bare_hosts(1);
    lab.run("mkdef h1 groups=hosts ip=10.77.0.1").success();
    assert_snapshot!(lab.run("lshost h1"), @"
    ------- stderr -------
    h1: Error: cannot reach h1 (ssh://root@10.77.0.1:22): /var/run/docker.sock on 10.77.0.1:22: channel open failure (connect failed)
    Hint: what is no Docker host yet becomes one by: mkhost NODERANGE
    [exit status: 1]
    ");
    let audit = lab.run("lshost h1 --audit");
    assert_eq!(audit.code, 2);
    assert!(audit.stdout.contains("h1: not as defined: install docker.io"), "{audit}");
}
