//! `imgpull`: images of a real registry, and everything that can stand in the way.

use std::time::Duration;

use ::lab::Lab;
use insta::assert_snapshot;
use serde_json::Value;

use crate::mkregistry::{PLACE, expire, push, registry, served};
use crate::{defined_hosts, lab};

/// A registry on h1 with busybox of these tags, that h2 trusts.
pub(crate) fn with_registry(hosts: u8, tags: &[&str]) -> Lab {
    let lab = defined_hosts(lab().systemd_hosts(hosts), hosts);
    registry(&lab);
    push(&lab, "h2", tags);
    served(&lab);
    lab
}

/// What a tag of busybox means in the registry.
pub(crate) fn meaning(lab: &Lab, tag: &str) -> String {
    let accept = "-H 'Accept: application/vnd.docker.distribution.manifest.v2+json'";
    let ask = format!("curl -sk -u ada:sesame -I {accept} https://{PLACE}/v2/busybox/manifests/{tag}");
    let said = lab.host("h1").shell(&format!("{ask} | tr -d '\\r' | sed -n 's/^docker-content-digest: //Ip'"));
    said.trim().to_owned()
}

/// Has h2 push a busybox that nobody has yet under this tag.
pub(crate) fn push_changed(lab: &Lab, tag: &str, text: &str) {
    let host = lab.host("h2");
    host.shell(&format!("echo sesame | docker login -u ada --password-stdin {PLACE} 2>/dev/null"));
    host.shell(&format!(
        "c=$(docker create busybox:lab) && echo {text} >/tmp/changed && docker cp -q /tmp/changed $c:/changed 2>/dev/null || \\
         docker cp /tmp/changed $c:/changed; docker commit $c {PLACE}/busybox:{tag} && docker rm $c && \\
         docker push {PLACE}/busybox:{tag} && docker rmi {PLACE}/busybox:{tag}"
    ));
    host.docker(&format!("logout {PLACE}")).success();
}

#[test]
fn hosts_get_what_the_registry_has() {
    let lab = with_registry(3, &["1"]);
    let digest = meaning(&lab, "1");
    let run = lab.run(&format!("imgpull h2,h3 {PLACE}/busybox:1"));
    assert!(run.stdout.starts_with(&format!("h2: pulled {digest} ")), "{run}");
    assert_snapshot!(run.stderr, @"
    h3: Error: h3: cannot pull image 10.77.0.1:5000/busybox:1: the host does not trust its registry, because /etc/docker/certs.d/10.77.0.1:5000/ca.crt is not there or is of another authority
    Hint: let the host trust it: chdef -p h3 dockertrust=10.77.0.1:5000 && mkhost h3
    ");
    assert_eq!(run.code, 1);
    assert!(lab.host("h2").shell(&format!("docker image inspect {PLACE}/busybox:1")).contains(&digest));
    let object = lab.run(&format!("lsdef -t osimage {PLACE}/busybox:1")).success();
    for part in [format!("digest={digest}"), "source=pull".into(), "imagetype=container".into(), "createdby=".into()] {
        assert!(object.contains(&part), "{part}: {object}");
    }
    assert!(!object.contains("size=0") && object.contains("size="), "{object}");
    let before = lab.run("deflog").success();
    let again = lab.run(&format!("imgpull h2 {PLACE}/busybox:1"));
    assert!(again.stdout.starts_with(&format!("h2: unchanged {digest} ")) && again.code == 0, "{again}");
    assert_eq!(lab.run("deflog").success(), before, "nothing new is known");

    lab.run(&format!("chdef -p h3 dockertrust={PLACE}")).success();
    lab.run("mkhost h3 -y").success();
    let events = lab.run(&format!("imgpull h2,h3 {PLACE}/busybox:1 --json")).success();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect();
    let of_h3 = |kind: &str| events.iter().filter(|event| event["node"] == "h3" && !event[kind].is_null()).count();
    assert!(of_h3("progress") > 0 && of_h3("answer") == 1, "{events:?}");
    let last = events.iter().find(|event| event["node"] == "h3" && !event["answer"].is_null()).unwrap();
    assert_eq!((&last["answer"]["digest"], &last["answer"]["changed"]), (&digest.into(), &true.into()));

    push_changed(&lab, "1", "new");
    let moved = meaning(&lab, "1");
    let run = lab.run(&format!("imgpull h2,h3 {PLACE}/busybox:1")).sorted();
    assert_eq!(run.stdout.matches(&format!("pulled {moved}")).count(), 2, "{run}");
    assert!(lab.run(&format!("lsdef -t osimage {PLACE}/busybox:1 -i digest")).success().contains(&moved));
    let stanza = lab.run("lsdef -t osimage -z").success();
    lab.run(&format!("rmdef -t osimage {PLACE}/busybox:1")).success();
    lab.run_with_stdin("mkdef -z", &stanza).success();
    assert!(lab.run(&format!("lsdef -t osimage {PLACE}/busybox:1 -i digest")).success().contains(&moved));
}

#[test]
fn what_stands_in_the_way_is_told_with_what_mends_it() {
    let lab = with_registry(2, &["1"]);
    let pull = |tag: &str| lab.run(&format!("imgpull h2 {PLACE}/busybox:{tag}"));
    assert_snapshot!(pull("none"), @"
    ------- stderr -------
    h2: Error: h2: cannot pull image 10.77.0.1:5000/busybox:none: neither the host nor the registry has it
    Hint: see what it has with: lsimage 10.77.0.1:5000
    [exit status: 1]
    ");
    assert_eq!(lab.run("lsdef -t osimage -s").stdout.matches("busybox").count(), 0, "it was made known");
    lab.run("chtab key=registry,username=ada passwd.password=wrong").success();
    assert_snapshot!(pull("1"), @"
    ------- stderr -------
    h2: Error: h2: cannot pull image 10.77.0.1:5000/busybox:1: its registry does not let in ada
    Hint: set the password of ada with: mkregistry NODE --auth ada --password-stdin
    [exit status: 1]
    ");
    lab.run_with_stdin("mkregistry h1 --auth ada --password-stdin", "sesame\n").success();
    expire(&lab);
    assert_snapshot!(pull("1"), @"
    ------- stderr -------
    h2: Error: h2: cannot pull image 10.77.0.1:5000/busybox:1: the certificate of its registry has expired
    Hint: renew it with: mkregistry NODE; lsregistry names the node
    [exit status: 1]
    ");
    lab.run("mkregistry h1").success();
    served(&lab);
    lab.host("h2").fill_disk();
    assert_snapshot!(pull("1"), @"
    ------- stderr -------
    h2: Error: h2: cannot pull image 10.77.0.1:5000/busybox:1: no space is left on the disk of its images
    Hint: see what takes it with: lsimage h2; and free it with: rmimage IMAGE h2
    [exit status: 1]
    ");
    lab.host("h2").free_disk();
    assert!(pull("1").success().starts_with("h2: pulled sha256:"));
    lab.run("mkdef c1 groups=web mgt=docker vmhost=h2 image=x").success();
    assert_snapshot!(crate::session(&lab, "
        imgpull c1,h2 busybox
        imgpull h2 Busybox
        imgpull h2 ../etc
        imgpull h9 busybox
    "), @"
    $ imgpull c1,h2 busybox
    ------- stderr -------
    c1: Error: it is a container; images are on its host, h2
    Error: nothing was done: c1 cannot be served as defined
    Hint: the others can be served: NODERANGE,-(c1) leaves out who cannot
    [exit status: 1]
    $ imgpull h2 Busybox
    ------- stderr -------
    Error: 'Busybox' is not the name of an image: parts of a name are small letters and digits, with '.', '_', '__' or '-' between them
    [exit status: 1]
    $ imgpull h2 ../etc
    ------- stderr -------
    Error: '../etc' is not the name of an image: '..' is not the place of a registry; it takes HOST[:PORT]
    [exit status: 1]
    $ imgpull h9 busybox
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: h9
    [exit status: 1]
    ");
}

#[test]
fn a_killed_run_is_completed_by_the_next() {
    let lab = with_registry(2, &["1"]);
    for pause in [20, 60, 120, 250, 500, 900] {
        let run = lab.spawn(&format!("imgpull h2 {PLACE}/busybox:1"));
        std::thread::sleep(Duration::from_millis(pause));
        run.kill();
        drop(run);
    }
    let digest = meaning(&lab, "1");
    let run = lab.run(&format!("imgpull h2 {PLACE}/busybox:1"));
    assert!(run.code == 0 && run.stdout.contains(&digest), "{run}");
    assert!(lab.run("lsdef -t osimage -i digest").success().contains(&digest));
    assert!(lab.run(&format!("imgpull h2 {PLACE}/busybox:1")).success().starts_with("h2: unchanged"));
}
