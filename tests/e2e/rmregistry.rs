//! `rmregistry`, and what is left after it.

use insta::assert_snapshot;

use crate::{defined_hosts, lab};

/// Everything on a host that a registry could have left, but for the books that dpkg, adduser and systemd keep.
const TRACES: &str = "find /etc /usr /var/lib /run /srv -path /var/lib/dpkg -prune -o -path /var/lib/apt -prune -o \
    -path /var/lib/systemd -prune -o -path /run/systemd -prune -o -path /run/udev -prune -o -path /run/log -prune -o -print | \
    grep -vE '^/etc/(group|gshadow|passwd|shadow|subuid|subgid)-$|^/run/(adduser|motd.dynamic)$' | sort; \
    dpkg-query -W -f '${Package}\\n'; cut -d: -f1 /etc/passwd /etc/group; systemctl list-units --no-legend --plain '*registry*'";

#[test]
fn nothing_is_left() {
    let lab = defined_hosts(lab().bare_hosts(1), 1);
    let host = lab.host("h1");
    let before = host.shell(TRACES);
    let directory = lab.package_directory();
    lab.run(&format!("mkregistry h1 --auth ada --packages {}", directory.display())).success();
    lab.run("mkregistry h1 --name second --port 5001 --auth ada").success();

    lab.run("rmregistry second --purge").success();
    assert_eq!(lab.run("lsregistry --check").code, 0, "the other one is gone too");
    for line in ["rmregistry h1 --purge --plan", "rmregistry h1 --purge --plan --json"] {
        let plan = lab.run(line);
        assert_eq!(plan.code, 2, "{plan}");
        let shown = plan.to_string();
        assert!(!["PRIVATE KEY", "$2y$", "$2b$"].iter().any(|secret| shown.contains(secret)), "{shown}");
    }
    assert_eq!(lab.run("lsregistry --check").code, 0);
    assert_snapshot!(lab.run("rmregistry h1 --purge"), @"
    h1: disable xcrane-registry@h1.service
    h1: stop xcrane-registry@h1.service
    h1: delete /etc/xcrane/registry/h1/config.yml
    h1: delete /etc/xcrane/registry/h1/readonly.yml
    h1: delete /etc/xcrane/registry/h1/htpasswd
    h1: delete /etc/xcrane/registry/h1/cert.pem
    h1: delete /etc/xcrane/registry/h1/key.pem
    h1: delete /etc/systemd/system/xcrane-registry@h1.service
    h1: delete /etc/systemd/system/xcrane-registry-gc@h1.service
    h1: make it so that the images in /var/lib/xcrane/registry/h1 are gone
    h1: remove packages docker-registry
    h1: make it so that user docker-registry is gone
    h1: delete /etc/systemd/system/docker-registry.service.d/xcrane.conf
    h1: delete /etc/xcrane/registry.json
    h1: reload the units of systemd
    ");
    let after = host.shell(TRACES);
    let new: Vec<&str> = after.lines().filter(|line| !before.lines().any(|known| known == *line)).collect();
    assert_eq!(new, Vec::<&str>::new());
    assert_eq!(lab.run("lsregistry").success(), "");
    assert_eq!(lab.run("gettab key=registry,username=ada passwd.password").success(), "");
    assert!(!lab.state().join("ca/issued/registry-h1.pem").exists());
    assert_snapshot!(lab.run("rmregistry h1"), @"
    ------- stderr -------
    Error: there is no registry 'h1'
    Hint: make one with: mkregistry NODE
    [exit status: 1]
    ");
}

#[test]
fn images_stay_for_the_next_registry_of_that_name() {
    let lab = defined_hosts(lab().systemd_hosts(1), 1);
    lab.run("mkregistry h1").success();
    let host = lab.host("h1");
    lab.run("chdef h1 dockertrust=10.77.0.1:5000").success();
    lab.run("mkhost h1 -y").success();
    host.docker("tag busybox:lab 10.77.0.1:5000/busybox:1").success();
    host.docker("push 10.77.0.1:5000/busybox:1").success();
    lab.run("rmregistry h1").success();
    assert_ne!(host.run("systemctl is-active xcrane-registry@h1").code, 0);
    host.run("test -e /usr/bin/docker-registry").success();
    lab.run("mkregistry h1").success();
    assert!(lab.run("lsregistry --check").success().contains("1 repositories"));
}
