//! What the engine of a host is told by mkhost, as the engine has understood it.

use insta::assert_snapshot;

use crate::{defined_hosts, lab, start_container};

#[test]
fn the_engine_uses_the_mirror_and_the_data_root_that_it_is_told() {
    let lab = defined_hosts(lab().bare_hosts(1).registry(), 1);
    lab.run(
        "chdef h1 dockermirrors=http://10.77.0.254:5000 dockerinsecure=10.77.0.254:5000 dockerdataroot=/srv/docker",
    )
    .success();
    lab.run(&format!("mkhost h1 --packages {}", lab.package_directory().display())).success();
    let host = lab.host("h1");
    let info = host.docker("info -f '{{.DockerRootDir}} {{.RegistryConfig.Mirrors}}'").success();
    assert_eq!(info, "/srv/docker [http://10.77.0.254:5000/]");
    start_container(&lab);
    let kept = "10.77.0.254:5000/library/busybox:mirrored";
    host.shell(&format!(
        "docker tag $(docker images -q | head -n 1) {kept} && docker push -q {kept} && docker rmi {kept}"
    ));
    // The public registry cannot be reached from here.
    host.docker("pull -q busybox:mirrored").success();
    assert_eq!(host.shell("ls /var/lib/docker"), "", "data is where nobody wants it");
    assert_eq!(lab.run("mkhost h1").success(), "h1: unchanged");
    lab.run("chdef h1 dockermirrors=").success();
    assert_snapshot!(lab.run("mkhost h1"), @"
    h1: change /etc/xcrane/dockerhost.json
    h1: change /etc/docker/daemon.json
    h1: restart docker.service for /etc/docker/daemon.json
    ");
    assert_eq!(host.docker("info -f '{{.RegistryConfig.Mirrors}}'").success(), "[]");
}

#[test]
fn an_engine_listens_with_a_certificate_of_its_own() {
    let lab = defined_hosts(lab().systemd_hosts(1), 1);
    lab.run("chdef h1 dockerendpoint=tcp://10.77.0.1:2376").success();
    let plan = lab.run("mkhost h1 --plan");
    assert_eq!(plan.code, 2, "{plan}");
    assert!(!lab.state().join("ca").exists(), "a plan made an authority");
    let run = lab.run("mkhost h1");
    assert_eq!(run.code, 0, "{run}");
    assert!(!run.to_string().contains("PRIVATE KEY"), "{run}");
    assert_eq!(lab.run("mkhost h1").success(), "h1: unchanged");
    start_container(&lab);
    assert_eq!(lab.run("rpower c1 stat").success(), "c1: on");
    let key = lab.host("h1").shell("stat -c %a /etc/docker/xcrane/key.pem");
    assert_eq!(key.trim(), "600");
    assert!(lab.host("h1").shell("ss -Hltn").contains("10.77.0.1:2376"));
    let stranger = lab.host("h1").run("curl -sk --max-time 5 https://10.77.0.1:2376/version");
    assert_ne!(stranger.code, 0, "a client without a certificate was served: {stranger}");
    lab.host("h1").reboot();
    assert_eq!(lab.run("rpower c1 on").success(), "c1: on");
    lab.run("chdef h1 dockerendpoint=").success();
    for line in ["mkhost h1 --plan", "mkhost h1 --plan --json", "lshost h1 --audit"] {
        let shown = lab.run(line).to_string();
        assert!(shown.contains("delete /etc/docker/xcrane/key.pem") && !shown.contains("PRIVATE KEY"), "{shown}");
    }
    lab.run("mkhost h1 -y").success();
    let listening = lab.host("h1").shell("ss -Hltn");
    assert!(!listening.contains(":2376"), "{listening}");
    assert_ne!(lab.host("h1").run("test -e /etc/docker/xcrane").code, 0, "its certificates were left there");
    assert_eq!(lab.run("rpower c1 stat").success().split(':').next(), Some("c1"));
}

#[test]
fn a_registry_is_trusted() {
    let lab = defined_hosts(lab().systemd_hosts(1), 1);
    std::fs::write(lab.home().join("site.pem"), "not ours to read\n").unwrap();
    let file = lab.home().join("site.pem");
    lab.run(&format!("chdef h1 dockertrust=reg:5000,other:5001={}", file.display())).success();
    lab.run("mkhost h1").success();
    let host = lab.host("h1");
    assert_eq!(host.shell("cat /etc/docker/certs.d/other:5001/ca.crt"), "not ours to read\n");
    let ours = std::fs::read_to_string(lab.state().join("ca/ca.pem")).unwrap();
    assert_eq!(host.shell("cat /etc/docker/certs.d/reg:5000/ca.crt"), ours);
    lab.run("chdef h1 dockertrust=").success();
    lab.run("mkhost h1").success();
    assert_ne!(host.run("test -e /etc/docker/certs.d").code, 0);
}
