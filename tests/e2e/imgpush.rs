//! `imgpush`: images of hosts into a real registry, and a registry that breaks.

use std::time::Duration;

use ::lab::Lab;
use insta::assert_snapshot;

use crate::mkregistry::{LIMIT, PLACE, registry, served};
use crate::{defined_hosts, lab};

/// A registry on h1 that lets in ada; all hosts trust it.
pub(crate) fn site(hosts: u8) -> Lab {
    let lab = defined_hosts(lab().systemd_hosts(hosts), hosts);
    registry(&lab);
    lab.run(&format!("chdef -p h[1-{hosts}] dockertrust={PLACE}")).success();
    lab.run(&format!("mkhost h[1-{hosts}] -y")).success();
    served(&lab);
    lab
}

/// What a tag means in the registry, asked without us; empty if it means nothing.
pub(crate) fn meaning(lab: &Lab, image: &str) -> String {
    let (name, tag) = image.rsplit_once(':').expect("a tag");
    let accept = "Accept: application/vnd.docker.distribution.manifest.v2+json";
    let ask = format!("curl -sk -u ada:sesame -I -H '{accept}' https://{PLACE}/v2/{name}/manifests/{tag}");
    let said = lab.host("h1").shell(&format!("{ask} | tr -d '\\r' | sed -n 's/^docker-content-digest: //Ip'"));
    said.trim().to_owned()
}

/// Makes an image on a host of another one and so many megabytes that nothing can pack.
pub(crate) fn grow(lab: &Lab, host: &str, base: &str, name: &str, megabytes: u32) {
    lab.host(host).shell(&format!(
        "rm -rf /tmp/grow && mkdir /tmp/grow && cd /tmp/grow && head -c {megabytes}M /dev/urandom >{name} &&
         c=$(docker create {base} true) && docker cp {name} $c:/{name}.data && docker commit $c {name}:1 && docker rm $c &&
         rm -rf /tmp/grow"
    ));
}

#[test]
fn an_image_goes_into_the_registry_and_is_known_there() {
    let lab = site(2);
    lab.run("mkdef c1 groups=web mgt=docker vmhost=h2 image=x").success();
    let run = lab.run(&format!("imgpush h2 busybox:lab --to {PLACE}/base/busybox:1 -m first"));
    let digest = meaning(&lab, "base/busybox:1");
    assert!(run.success().starts_with(&format!("h2: pushed {PLACE}/base/busybox:1 {digest} ")));
    let object = lab.run(&format!("lsdef -t osimage {PLACE}/base/busybox:1")).success();
    assert!(object.contains(&format!("digest={digest}")) && object.contains("source=push h2"), "{object}");
    let again = lab.run(&format!("imgpush c1 {PLACE}/base/busybox:1 --json")).success();
    let answer: serde_json::Value = serde_json::from_str(again.lines().last().unwrap()).unwrap();
    assert_eq!(answer["answer"]["digest"], digest.as_str(), "{again}");

    assert_snapshot!(crate::session(&lab, "
        imgpush h2 busybox:lab
        imgpush h2 elsewhere:5000/a:1
        imgpush h1,h2 10.77.0.1:5000/a:1
        imgpush h2 10.77.0.1:5000/none:1
        imgpush h2 none:1 --to 10.77.0.1:5000/none:1
        imgpush h2 'BAD NAME'
    "), @"
    $ imgpush h2 busybox:lab
    ------- stderr -------
    Error: the name busybox:lab begins with no registry to push it to
    Hint: call it 10.77.0.1:5000/busybox:lab
    [exit status: 1]
    $ imgpush h2 elsewhere:5000/a:1
    ------- stderr -------
    Error: elsewhere:5000 is none of our registries, and table passwd has no account for it
    Hint: call it 10.77.0.1:5000/a:1
    [exit status: 1]
    $ imgpush h1,h2 10.77.0.1:5000/a:1
    ------- stderr -------
    Error: 'h1,h2' is more than one node; one of them has the image
    [exit status: 1]
    $ imgpush h2 10.77.0.1:5000/none:1
    ------- stderr -------
    h2: Error: h2: cannot push image 10.77.0.1:5000/none:1: the host has no image 10.77.0.1:5000/none:1; lsimage h2 tells what it has
    [exit status: 1]
    $ imgpush h2 none:1 --to 10.77.0.1:5000/none:1
    ------- stderr -------
    h2: Error: h2: cannot name none:1 10.77.0.1:5000/none:1: the host has no image none:1; lsimage h2 tells what it has
    [exit status: 1]
    $ imgpush h2 'BAD NAME'
    ------- stderr -------
    Error: 'BAD NAME' is not the name of an image: parts of a name are small letters and digits, with '.', '_', '__' or '-' between them
    [exit status: 1]
    ");
    lab.run("chtab key=registry,username=ada passwd.password=wrong").success();
    assert_snapshot!(lab.run(&format!("imgpush h2 {PLACE}/base/busybox:1")), @"
    ------- stderr -------
    h2: Error: h2: cannot push image 10.77.0.1:5000/base/busybox:1: its registry does not let in ada
    Hint: set the password of ada with: mkregistry NODE --auth ada --password-stdin
    [exit status: 1]
    ");
    lab.run_with_stdin("mkregistry h1 --auth ada --password-stdin", "sesame\n").success();
    lab.host("h2").shell(&format!("rm -r /etc/docker/certs.d/{PLACE}"));
    assert_snapshot!(lab.run(&format!("imgpush h2 {PLACE}/base/busybox:1")), @"
    ------- stderr -------
    h2: Error: h2: cannot push image 10.77.0.1:5000/base/busybox:1: the host does not trust its registry, because /etc/docker/certs.d/10.77.0.1:5000/ca.crt is not there or is of another authority
    Hint: let the host trust it: chdef -p h2 dockertrust=10.77.0.1:5000 && mkhost h2
    [exit status: 1]
    ");
}

#[test]
fn a_push_that_breaks_off_leaves_nothing_half() {
    let lab = site(2);
    let host = lab.host("h1");
    grow(&lab, "h2", "busybox:lab", "big", 24);
    let target = format!("{PLACE}/big:1");
    let push = format!("imgpush h2 big:1 --to {target}");

    // Ours is killed, and interrupted.
    lab.host("h2").slow("40mbit");
    for pause in [300, 1500] {
        let run = lab.spawn(&push);
        std::thread::sleep(Duration::from_millis(pause));
        run.kill();
        drop(run);
    }
    let run = lab.spawn(&push);
    std::thread::sleep(Duration::from_millis(2500));
    run.interrupt();
    assert_eq!(run.wait(LIMIT).code, 130);
    assert_eq!(meaning(&lab, "big:1"), "", "a broken push has a tag");

    // Without its registry a push ends soon; of one that is under way the engine itself tries again when systemd has
    // started the registry anew. A disk that is full is a matter of `registry_faults`.
    host.shell("systemctl stop xcrane-registry@h1");
    let run = lab.run(&push);
    assert!(run.code == 1 && run.stderr.contains("push again"), "{run}");
    host.shell("systemctl start xcrane-registry@h1");
    served(&lab);
    let run = lab.spawn(&push);
    std::thread::sleep(Duration::from_secs(2));
    host.shell("systemctl kill -s KILL xcrane-registry@h1");
    lab.host("h2").heal();
    let pushed = run.wait(LIMIT).success();
    assert!(pushed.contains(&meaning(&lab, "big:1")), "{pushed}");
    // Another host can use what has arrived.
    let own = "md5sum /big.data";
    let there = lab.host("h2").shell(&format!("docker run --rm big:1 {own}"));
    lab.run(&format!("imgpull h1 {target}")).success();
    assert_eq!(host.shell(&format!("docker run --rm {target} {own}")), there);
}
