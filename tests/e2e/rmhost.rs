//! `rmhost`, and what is left after it.

use ::lab::Lab;
use insta::assert_snapshot;

use crate::lab;

/// Everything on a host that an engine could have left, but for the books that dpkg keeps.
const TRACES: &str = "find /etc /usr /var/lib /run /opt -path /var/lib/dpkg -prune -o -path /var/lib/apt -prune -o \
    -path /var/lib/systemd -prune -o -path /run/systemd -prune -o -path /run/udev -prune -o -path /run/user -prune -o -path /run/adduser -prune -o -path /run/motd.dynamic -prune -o \
    -path /var/lib/private -prune -o -print | grep -vE '/etc/(group|gshadow|passwd|shadow|subuid|subgid)-?$|ld.so|/etc/.*\\.dpkg|/run/log|/usr/.*/__pycache__' | sort; \
    dpkg-query -W -f '${Package}\\n'; ls /sys/class/net; ls /etc/systemd/system";

#[test]
fn nothing_is_left() {
    let lab = lab().bare_hosts(1);
    lab.run("mkdef h1 groups=hosts ip=10.77.0.1").success();
    let host = lab.host("h1");
    let before = host.shell(TRACES);
    let directory = lab.package_directory();
    lab.run("chdef h1 dockerendpoint=tcp://10.77.0.1:2376 dockertrust=reg:5000").success();
    lab.run(&format!("mkhost h1 --packages {}", directory.display())).success();
    let image = lab.home().join("busybox.tar");
    lab.run(&format!("mkdef c1 groups=web mgt=docker vmhost=h1 image={} dockerstoptimeout=1", image.display()))
        .success();
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();

    assert_snapshot!(lab.run("rmhost h1 --purge -y"), @"
    ------- stderr -------
    h1: Error: it carries c1: remove them first, or use -f
    Hint: remove them with: rmvm -f c1
    Error: nothing was done: it cannot be done on h1
    [exit status: 1]
    ");
    host.shell("systemctl stop docker.socket docker.service");
    assert_snapshot!(lab.run("rmhost h1 --purge -y"), @"
    ------- stderr -------
    h1: Error: its engine is off and has containers in /var/lib/docker/containers, maybe c1: start it and remove them first, or use -f
    Hint: start it with: mkhost h1
    Error: nothing was done: it cannot be done on h1
    [exit status: 1]
    ");
    lab.run("mkhost h1").success();
    lab.run("rmvm -f c1").success();
    for options in ["", " --json"] {
        let plan = lab.run(&format!("rmhost h1 --purge --plan{options}"));
        assert_eq!(plan.code, 2, "{plan}");
        assert!(plan.stdout.contains("delete /etc/docker/xcrane/key.pem"), "{plan}");
        assert!(!plan.to_string().contains("PRIVATE KEY"), "{plan}");
    }
    host.docker("info").success();
    lab.run("chdef h1 dockerdataroot=/opt").success();
    host.shell("touch /opt/theirs");
    lab.run("rmhost h1 --purge -y").success();
    host.shell("rm /opt/theirs");
    let after = host.shell(TRACES);
    let new: Vec<&str> = after.lines().filter(|line| !before.lines().any(|known| known == *line)).collect();
    assert_eq!(new, Vec::<&str>::new());
    assert_eq!(lab.run("rmhost h1 --purge -y").success(), "h1: unchanged");
    assert!(!lab.state().join("ca/issued/h1.pem").exists());
}

/// A host that had an engine of its own when mkhost came.
fn with_an_engine() -> Lab {
    let lab = lab().systemd_hosts(1);
    lab.run("mkdef h1 groups=hosts ip=10.77.0.1 dockermtu=1400").success();
    lab
}

#[test]
fn what_becomes_of_an_engine_that_was_there_is_shown() {
    let lab = with_an_engine();
    lab.run("mkhost h1").success();
    assert_snapshot!(lab.run("rmhost h1 --plan"), @r#"
    h1: change /etc/docker/daemon.json
    h1:     --- /etc/docker/daemon.json
    h1:     +++ /etc/docker/daemon.json
    h1:     @@ -2,17 +2,5 @@
    h1:        "storage-driver": "overlay2",
    h1:        "insecure-registries": [
    h1:          "10.77.0.254:5000"
    h1:     -  ],
    h1:     -  "default-address-pools": [
    h1:     -    {
    h1:     -      "base": "172.17.0.0/16",
    h1:     -      "size": 24
    h1:     -    }
    h1:     -  ],
    h1:     -  "mtu": 1400,
    h1:     -  "log-opts": {
    h1:     -    "max-size": "10m",
    h1:     -    "max-file": "3"
    h1:     -  },
    h1:     -  "live-restore": true
    h1:     +  ]
    h1:      }
    h1: delete /etc/systemd/system/docker.service.d/xcrane.conf
    h1:     --- /etc/systemd/system/docker.service.d/xcrane.conf
    h1:     +++ /etc/systemd/system/docker.service.d/xcrane.conf
    h1:     @@ -1,8 +0,0 @@
    h1:     -# Written by mkhost of xcrane.
    h1:     -[Unit]
    h1:     -StartLimitIntervalSec=0
    h1:     -
    h1:     -[Service]
    h1:     -Restart=always
    h1:     -RestartSec=5
    h1:     -TimeoutStopSec=45
    h1: reload the units of systemd
    h1: restart docker.service for /etc/docker/daemon.json
    h1: delete /etc/xcrane/dockerhost.json
    h1:     --- /etc/xcrane/dockerhost.json
    h1:     +++ /etc/xcrane/dockerhost.json
    h1:     @@ -1,21 +0,0 @@
    h1:     -{
    h1:     -  "daemon": {
    h1:     -    "default-address-pools": [
    h1:     -      {
    h1:     -        "base": "172.17.0.0/16",
    h1:     -        "size": 24
    h1:     -      }
    h1:     -    ],
    h1:     -    "mtu": 1400,
    h1:     -    "log-opts": {
    h1:     -      "max-size": "10m",
    h1:     -      "max-file": "3"
    h1:     -    },
    h1:     -    "live-restore": true
    h1:     -  },
    h1:     -  "files": [
    h1:     -    "/etc/systemd/system/docker.service.d/xcrane.conf"
    h1:     -  ],
    h1:     -  "packages": [],
    h1:     -  "found": true
    h1:     -}
    [exit status: 2]
    "#);
    let plan = lab.run("rmhost h1 --purge --plan");
    let note = "h1: note: mkhost has not installed its engine: that stays, with all that it keeps\n";
    assert!(plan.stdout.ends_with(note), "{plan}");
}

#[test]
fn an_engine_that_was_there_stays_with_its_own_settings() {
    let lab = with_an_engine();
    let host = lab.host("h1");
    let before = host.shell("cat /etc/docker/daemon.json");
    lab.run("mkhost h1").success();
    lab.run("rmhost h1 --purge -y").success();
    let parsed = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(parsed(&host.shell("cat /etc/docker/daemon.json")), parsed(&before));
    host.docker("info").success();
    assert_ne!(host.run("test -e /etc/xcrane -o -e /etc/systemd/system/docker.service.d").code, 0);
    assert_eq!(lab.run("rmhost h1").success(), "h1: unchanged");
}

/// A host on which an admin has been before us: settings behind a link, data beside the engine's, and a package.
fn with_an_admin_s_own() -> Lab {
    let lab = lab().bare_hosts(1);
    lab.run("mkdef h1 groups=hosts ip=10.77.0.1 dockerdataroot=/opt/data").success();
    lab.host("h1").shell(
        "mkdir -p /srv/site /etc/docker /opt/data/theirs && echo '{\"debug\": false}' >/srv/site/daemon.json
        chmod 600 /srv/site/daemon.json && chown games /srv/site/daemon.json
        ln -s /srv/site/daemon.json /etc/docker/daemon.json",
    );
    lab.run(&format!("mkhost h1 --packages {}", lab.package_directory().display())).success();
    let image = lab.home().join("busybox.tar");
    lab.run(&format!("mkdef c1 groups=web mgt=docker vmhost=h1 image={}", image.display())).success();
    lab.run("mkvm c1").success();
    let host = lab.host("h1");
    host.shell("docker run -d --name theirs -v kept:/v $(docker images -q | head -n 1) sleep 54321");
    host.shell(
        "mkdir -p /tmp/tool/DEBIAN && cd /tmp && printf 'Package: tool\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\n\
        Depends: docker.io\\nDescription: x\\n' >tool/DEBIAN/control && dpkg-deb -b tool && dpkg -i tool.deb",
    );
    lab.run("rmvm -f c1").success();
    lab
}

#[test]
fn what_is_an_admin_s_own_stays() {
    let lab = with_an_admin_s_own();
    let host = lab.host("h1");
    let settings = || host.shell("stat -c '%a %U' /srv/site/daemon.json; readlink /etc/docker/daemon.json");
    assert_eq!(settings(), "600 games\n/srv/site/daemon.json\n");
    assert_eq!(host.docker("info -f {{.DockerRootDir}}").success(), "/opt/data");
    assert_snapshot!(lab.run("rmhost h1 --purge -y"), @"
    ------- stderr -------
    h1: Error: it carries theirs, which xcrane has not made; -f removes them too
    Hint: without --purge they stay on the disk
    Error: nothing was done: it cannot be done on h1
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rmhost h1 --purge -fy"), @"
    ------- stderr -------
    h1: Error: cannot remove packages docker.io: tool, which others have installed, would go too
    Error: nothing was done: it cannot be done on h1
    [exit status: 1]
    ");
    host.shell("dpkg -r tool");
    assert_eq!(host.run("pgrep -f 'sleep 54321'").code, 0);
    let plan = lab.run("rmhost h1 --purge -f --plan");
    let notes = "h1: note: 1 running container will end with the engine\nh1: note: volumes that go: kept\n";
    assert!(plan.stdout.ends_with(notes), "{plan}");
    lab.run("rmhost h1 --purge -fy").success();
    assert_eq!(host.run("pgrep -f 'sleep 54321'").code, 1, "a container runs on without an engine");
    assert_eq!(host.run("pgrep -f containerd").code, 1);
    assert_eq!(host.shell("ls /opt/data"), "theirs\n");
    assert_eq!(settings(), "600 games\n/srv/site/daemon.json\n");
    assert_eq!(host.shell("tr -d ' \n' </etc/docker/daemon.json"), "{\"debug\":false}");
    assert_eq!(lab.run("rmhost h1 --purge -fy").success(), "h1: unchanged");
}

#[test]
fn a_host_with_a_network_is_refused_whatever_is_said() {
    let lab = lab().systemd_hosts(2);
    lab.run("mkdef h[1-2] groups=hosts ip='|10.77.0.($1+0)|'").success();
    lab.run("mkhost hosts").success();
    lab.run("mknet blue driver=bridge net=10.80.0.0 mask=255.255.0.0 hosts=h[1-2]").success();
    assert_snapshot!(lab.run("rmhost h1 -fy"), @"
    ------- stderr -------
    h1: Error: it carries network blue; take that away first
    Error: nothing was done: h1 cannot be served as defined
    Hint: take network blue away with: mknet blue hosts=h2
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rmhost hosts -fy"), @"
    ------- stderr -------
    h1: Error: it carries network blue; take that away first
    h2: Error: it carries network blue; take that away first
    Error: nothing was done: h[1-2] cannot be served as defined
    Hint: take network blue away with: rmnet blue
    [exit status: 1]
    ");
    lab.run("mknet blue hosts=h2").success();
    lab.run("rmhost h1 -y").success();
    assert_ne!(lab.host("h1").run("test -e /etc/xcrane -o -e /sys/class/net/br-blue").code, 0);
}

#[test]
fn an_engine_that_forgets_to_keep_its_containers_is_not_restarted_unasked() {
    let lab = lab().systemd_hosts(1);
    lab.run("mkdef h1 groups=hosts ip=10.77.0.1").success();
    lab.run("mkhost h1").success();
    lab.host("h1").docker("run -d --name theirs busybox:lab").success();
    assert_snapshot!(lab.run("rmhost h1"), @"
    ------- stderr -------
    h1: the restart will stop 1 running container; what has a restart policy comes back
    Error: nothing was done: running containers of h1 would stop: 1
    Hint: -y does it without asking; --plan shows what would be done
    [exit status: 1]
    ");
    assert_eq!(lab.host("h1").docker("inspect -f {{.State.Running}} theirs").success(), "true");
    lab.run("rmhost h1 -y").success();
    assert_eq!(lab.host("h1").docker("inspect -f {{.State.Running}} theirs").success(), "false");
}

#[test]
fn guests_and_unknown_hosts_are_refused() {
    let lab = lab();
    lab.run("mkdef c1 groups=web mgt=docker vmhost=h1 image=x").success();
    assert_snapshot!(lab.run("rmhost c1"), @"
    ------- stderr -------
    c1: Error: attribute 'mgt': 'docker' makes this node a container; name the hosts that carry them
    Error: nothing was done: c1 cannot be served as defined
    [exit status: 1]
    ");
    assert_snapshot!(lab.run("rmhost nope"), @"
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: nope
    [exit status: 1]
    ");
}
