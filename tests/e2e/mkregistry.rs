//! `mkregistry`, and the images that go through what it makes.

use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;
use plugins::authority::{Authority, Purpose, Subject};

use crate::{defined_hosts, lab};

pub(crate) const LIMIT: Duration = Duration::from_secs(60);
pub(crate) const PLACE: &str = "10.77.0.1:5000";

/// A bare host whose package source has what a registry needs.
fn bare() -> Lab {
    let lab = defined_hosts(lab().bare_hosts(1), 1);
    let source = lab.package_source();
    lab.host("h1").shell(&format!("echo 'deb [trusted=yes] {source} ./' >/etc/apt/sources.list"));
    lab
}

/// A registry on h1 that lets in ada with password sesame.
pub(crate) fn registry(lab: &Lab) {
    let run = lab.run_with_stdin("mkregistry h1 --auth ada --password-stdin", "sesame\n");
    assert_eq!(run.code, 0, "{run}");
}

/// Makes a host trust it, and has it push its image under these tags.
pub(crate) fn push(lab: &Lab, host: &str, tags: &[&str]) {
    lab.run(&format!("chdef -p {host} dockertrust={PLACE}")).success();
    lab.run(&format!("mkhost {host} -y")).success();
    let host = lab.host(host);
    host.shell(&format!("echo sesame | docker login -u ada --password-stdin {PLACE} 2>/dev/null"));
    for tag in tags {
        let image = format!("{PLACE}/busybox:{tag}");
        host.docker(&format!("tag busybox:lab {image}")).success();
        host.docker(&format!("push {image}")).success();
        host.docker(&format!("rmi {image}")).success();
    }
    host.docker(&format!("logout {PLACE}")).success();
}

/// Waits until it serves; what lsregistry said.
pub(crate) fn served(lab: &Lab) -> String {
    wait_for("the registry", LIMIT, || match lab.run("lsregistry --check") {
        run if run.code == 0 => Wait::Ready(run.stdout),
        run => Wait::NotYet(run.to_string()),
    })
}

#[test]
fn a_fresh_host_becomes_a_registry_from_its_package_source() {
    let lab = bare();
    let host = lab.host("h1");
    let before = host.shell("find /etc -type f | sort; dpkg-query -W");
    let plan = lab.run("mkregistry h1 --auth ada --plan");
    assert_eq!(plan.code, 2, "{plan}");
    assert!(plan.stdout.contains("h1:     /etc/xcrane/registry/h1/htpasswd: its text is secret\n"), "{plan}");
    assert_eq!(host.shell("find /etc -type f | sort; dpkg-query -W"), before, "the plan changed something");
    assert_eq!(lab.run("lsregistry").success(), "");
    assert!(!lab.state().join("ca").exists(), "a plan made an authority");

    let made = lab.run("mkregistry h1 --auth ada");
    let password = lab.run("gettab key=registry,username=ada passwd.password").success();
    assert!(password.len() >= 24, "{password}");
    assert!(!made.to_string().contains(&password) && !lab.run("deflog").to_string().contains(&password), "{made}");
    assert_snapshot!(made, @"
    h1: create /etc/xcrane/registry.json
    h1: create /etc/systemd/system/docker-registry.service.d/xcrane.conf
    h1: install docker-registry
    h1: create /etc/xcrane/registry/h1/config.yml
    h1: create /etc/xcrane/registry/h1/readonly.yml
    h1: create /etc/xcrane/registry/h1/cert.pem
    h1: create /etc/xcrane/registry/h1/key.pem
    h1: create /etc/systemd/system/xcrane-registry@h1.service
    h1: create /etc/systemd/system/xcrane-registry-gc@h1.service
    h1: create /etc/xcrane/registry/h1/htpasswd
    h1: enable xcrane-registry@h1.service
    h1: reload the units of systemd
    h1: start xcrane-registry@h1.service
    h1: make it so that registry h1 listens on port 5000
    ------- stderr -------
    Hint: hosts trust it after: chdef -p HOSTS dockertrust=10.77.0.1:5000 && mkhost HOSTS
    ");
    assert_snapshot!(lab.run("mkregistry h1"), @"h1: unchanged");
    assert_eq!(lab.run("mkregistry h1 --plan").code, 0);
    assert_snapshot!(lab.run("lsregistry"), @"h1: on h1 at 10.77.0.1:5000, in /var/lib/xcrane/registry/h1, lets in ada");
    let state = served(&lab);
    assert!(state.starts_with("h1: h1: serves at 10.77.0.1:5000, 0 repositories, "), "{state}");

    let listening = host.shell("ss -Hltnp");
    assert_eq!(listening.matches("docker-registry").count(), 1, "{listening}");
    assert_eq!(host.shell("stat -c '%a %U:%G' /etc/xcrane/registry/h1/key.pem"), "640 root:docker-registry\n");
    assert_ne!(host.run("runuser -u nobody -- cat /etc/xcrane/registry/h1/htpasswd").code, 0);

    host.shell("kill -9 $(systemctl show -p MainPID --value xcrane-registry@h1)");
    served(&lab);
    host.reboot();
    served(&lab);
    assert_eq!(host.run("systemctl is-active docker-registry").stdout, "inactive\n", "it lets in everybody");
    assert_eq!(lab.run("mkregistry h1").success(), "h1: unchanged");

    lab.run("chtab name=h1 registry.auth=").success();
    let plan = lab.run("mkregistry h1 --plan");
    assert!(plan.stdout.contains("delete /etc/xcrane/registry/h1/htpasswd"), "{plan}");
    assert!(!plan.stdout.contains("$2y$"), "{plan}");
}

#[test]
fn hosts_that_trust_it_run_what_is_in_it() {
    let lab = defined_hosts(lab().systemd_hosts(2), 2);
    registry(&lab);
    push(&lab, "h2", &["1", "2", "3"]);
    lab.run(&format!("mkdef c1 groups=web mgt=docker vmhost=h2 image={PLACE}/busybox:1")).success();
    lab.run("mkvm c1").success();
    assert_eq!(lab.run("rpower c1 on").success(), "c1: on");
    assert!(served(&lab).contains("1 repositories"));

    lab.run(&format!("mkdef c2 groups=web mgt=docker vmhost=h1 image={PLACE}/busybox:1")).success();
    assert_snapshot!(lab.run("mkvm c2"), @"
    ------- stderr -------
    c2: Error: h1: cannot pull image 10.77.0.1:5000/busybox@sha256:$ID: the host does not trust its registry, because /etc/docker/certs.d/10.77.0.1:5000/ca.crt is not there or is of another authority
    Hint: let the host trust it: chdef -p h1 dockertrust=10.77.0.1:5000 && mkhost h1
    [exit status: 1]
    ");
    lab.run(&format!("chdef -p h1 dockertrust={PLACE}")).success();
    lab.run("mkhost h1 -y").success();
    lab.run("mkvm c2").success();

    lab.run("chtab key=registry,username=ada passwd.password=wrong").success();
    lab.run(&format!("mkdef c3 groups=web mgt=docker vmhost=h1 image={PLACE}/busybox:2")).success();
    assert_snapshot!(lab.run("mkvm c3"), @"
    ------- stderr -------
    c3: Error: h1: cannot pull image 10.77.0.1:5000/busybox:2: its registry does not let in ada
    Hint: set the password of ada with: mkregistry NODE --auth ada --password-stdin
    [exit status: 1]
    ");
    assert_eq!(lab.run("lsregistry --check").code, 1);
    lab.run_with_stdin("mkregistry h1 --auth ada --password-stdin", "sesame\n").success();
    lab.run("mkvm c3").success();

    expire(&lab);
    lab.run(&format!("mkdef c4 groups=web mgt=docker vmhost=h1 image={PLACE}/busybox:3")).success();
    assert_snapshot!(lab.run("mkvm c4"), @"
    ------- stderr -------
    c4: Error: h1: cannot pull image 10.77.0.1:5000/busybox:3: the certificate of its registry has expired
    Hint: renew it with: mkregistry NODE; lsregistry names the node
    [exit status: 1]
    ");
    let state = lab.run("lsregistry --check");
    assert!(state.code == 1 && state.stderr.contains("Warning: the certificate of registry h1 ended"), "{state}");
    assert!(lab.run("mkregistry h1").success().contains("change /etc/xcrane/registry/h1/cert.pem"));
    lab.run("mkvm c4").success();
}

/// Gives the registry a certificate that is good for nothing any more.
pub(crate) fn expire(lab: &Lab) {
    let authority = Authority::open(&lab.state().join("ca")).ok().flatten().expect("mkregistry has made it");
    let subject = Subject { names: vec!["10.77.0.1".into()], purpose: Purpose::Server };
    let expired = authority.issue(&subject, Duration::ZERO).expect("it can issue anything");
    let directory = "/etc/xcrane/registry/h1";
    let write = |name: &str, text: &str| lab.host("h1").shell(&format!("cat >{directory}/{name} <<'END'\n{text}END\n"));
    write("cert.pem", &expired.certificate);
    write("key.pem", &expired.key);
    lab.host("h1").shell("systemctl restart xcrane-registry@h1");
    std::thread::sleep(Duration::from_secs(1));
}

#[test]
fn what_is_in_no_image_is_removed_while_images_are_pulled() {
    let lab = defined_hosts(lab().systemd_hosts(2), 2);
    registry(&lab);
    push(&lab, "h2", &["1"]);
    let host = lab.host("h1");
    let curl = "curl -sk -u ada:sesame";
    let manifests = format!("https://{PLACE}/v2/busybox/manifests");
    let accept = "-H 'Accept: application/vnd.docker.distribution.manifest.v2+json'";
    let digest = host
        .shell(&format!("{curl} -I {accept} {manifests}/1 | tr -d '\\r' | sed -n 's/^docker-content-digest: //Ip'"));
    let deleted =
        host.shell(&format!("{curl} -o /dev/null -w '%{{http_code}}' -X DELETE {manifests}/{}", digest.trim()));
    assert_eq!(deleted, "202");
    let collected = lab.run("mkregistry h1 --gc").success();
    assert!(collected.contains("registry h1: ") && !collected.contains(": 0B freed"), "{collected}");
    assert_ne!(host.run("test -e /run/xcrane").code, 0);
    push(&lab, "h2", &["1"]);

    // As it is while the collection runs.
    host.shell(
        "mkdir -p /run/xcrane/registry && echo CONFIG=/etc/xcrane/registry/h1/readonly.yml >/run/xcrane/registry/h1
        systemctl restart xcrane-registry@h1",
    );
    served(&lab);
    let code = |method: &str, path: &str| {
        host.shell(&format!("{curl} -o /dev/null -w '%{{http_code}}' -X {method} https://{PLACE}/v2/busybox/{path}"))
    };
    assert_eq!((code("GET", "manifests/1"), code("POST", "blobs/uploads/")), ("200".into(), "405".into()));
    assert!(lab.run("mkregistry h1 --gc").success().contains("freed"));
    assert_eq!((code("GET", "manifests/1"), code("POST", "blobs/uploads/")), ("200".into(), "202".into()));
}

#[test]
fn a_killed_run_is_completed_by_the_next() {
    let lab = bare();
    for pause in [200, 500, 900, 1500, 2500, 4000] {
        let run = lab.spawn("mkregistry h1 --auth ada");
        std::thread::sleep(Duration::from_millis(pause));
        run.kill();
        drop(run);
    }
    let run = lab.run("mkregistry h1 --auth ada");
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(lab.run("mkregistry h1").success(), "h1: unchanged");
    assert!(served(&lab).contains("serves at"));
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_touched() {
    let lab = defined_hosts(lab().systemd_hosts(2), 2);
    lab.run("mkdef c1 groups=web mgt=docker vmhost=h1 image=x").success();
    lab.host("h1").shell("mkdir -p /srv/h1/mine");
    assert_snapshot!(crate::session(&lab, "
        mkregistry h1,h2
        mkregistry c1
        mkregistry h1 --port 22
        mkregistry h1 --storage /srv
        mkregistry h1 --storage srv
        mkregistry h1 --auth ada,bob --password-stdin
        mkregistry h1 --upstream hub
        lsregistry
        lsregistry nope
    "), @"
    $ mkregistry h1,h2
    ------- stderr -------
    Error: 'h1,h2' is more than one node; a registry is on one
    [exit status: 1]
    $ mkregistry c1
    ------- stderr -------
    Error: c1 is a container; a registry is a service of a host
    [exit status: 1]
    $ mkregistry h1 --port 22
    ------- stderr -------
    h1: Error: cannot make registry h1: another program listens on port 22
    Error: nothing was done: it cannot be done on h1
    [exit status: 1]
    $ mkregistry h1 --storage /srv
    ------- stderr -------
    h1: Error: cannot make registry h1: /srv/h1 holds something that is not of a registry
    Error: nothing was done: it cannot be done on h1
    [exit status: 1]
    $ mkregistry h1 --storage srv
    ------- stderr -------
    Error: attribute 'storage': 'srv' is not the whole path of a directory
    [exit status: 1]
    $ mkregistry h1 --auth ada,bob --password-stdin
    ------- stderr -------
    Error: --password-stdin is for one user, and --auth names several
    [exit status: 2]
    $ mkregistry h1 --upstream hub
    ------- stderr -------
    Error: attribute 'upstream': 'hub' is not of the form https://HOST[:PORT]
    [exit status: 1]
    $ lsregistry
    $ lsregistry nope
    ------- stderr -------
    Error: there is no registry 'nope'
    Hint: make one with: mkregistry NODE
    [exit status: 1]
    ");
    registry(&lab);
    assert_snapshot!(lab.run("mkregistry h2 --name h1"), @"
    ------- stderr -------
    Error: registry h1 is on h1 already
    Hint: remove it there with: rmregistry h1
    [exit status: 1]
    ");
}

#[test]
fn a_password_is_not_seen_and_ctrl_c_leaves_the_terminal_as_it_was() {
    let lab = lab();
    lab.run("mkdef h1 groups=hosts ip=10.77.0.1").success();
    let mut terminal = lab.spawn_pty("mkregistry h1 --auth ada --password-stdin", 24, 80);
    terminal.expect("Password of ada: ", LIMIT);
    assert!(terminal.settings().contains(" -echo "), "{}", terminal.settings());
    terminal.send("sesame\x03");
    let screen = terminal.expect("no password was given", LIMIT);
    assert!(!screen.contains("sesame"), "{screen}");
    assert!(terminal.settings().contains(" echo "), "{}", terminal.settings());
    assert_eq!(terminal.wait(LIMIT).code, 130);
    assert_eq!(lab.run("lsregistry").success(), "");
}

#[test]
fn images_are_not_left_behind_in_the_former_storage() {
    let lab = defined_hosts(lab().systemd_hosts(2), 2);
    registry(&lab);
    assert!(lab.run("mkregistry h1 --storage /srv/registry").success().contains("start xcrane-registry@h1.service"));
    push(&lab, "h2", &["1"]);
    assert_snapshot!(lab.run("mkregistry h1 --storage /srv/images"), @"
    ------- stderr -------
    h1: Error: cannot make registry h1: its images are in /srv/registry/h1; move them first, on its node: systemctl stop xcrane-registry@h1.service && mkdir -p /srv/images && mv /srv/registry/h1 /srv/images/h1
    Error: nothing was done: it cannot be done on h1
    [exit status: 1]
    ");
    assert!(lab.run("lsregistry").success().contains("in /srv/registry/h1"));
    lab.host("h1").shell(
        "systemctl stop xcrane-registry@h1.service && mkdir -p /srv/images && mv /srv/registry/h1 /srv/images/h1",
    );
    lab.run("mkregistry h1 --storage /srv/images").success();
    assert!(served(&lab).contains("1 repositories"));
}
