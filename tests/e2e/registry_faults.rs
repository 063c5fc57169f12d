//! What befalls registries while images go in and out: full disks, sudden ends, collections, and ends of our own program.
//! Whatever happens, every blob that a registry then holds has the digest that it is called by.

use std::time::Duration;

use ::lab::{Lab, TestHost, Wait, wait_for};

use crate::{defined_hosts, lab};

const LIMIT: Duration = Duration::from_secs(180);
const PLACE: &str = "10.77.0.1:5000";

/// A registry on h1 in `storage` that lets in ada, and h2, which trusts it and is logged in.
fn site(storage: &str) -> Lab {
    let lab = defined_hosts(lab().systemd_hosts(2), 2);
    lab.host("h1").shell(&format!("mkdir -p {storage}"));
    let line = format!("mkregistry h1 --storage {storage} --auth ada --password-stdin");
    lab.run_with_stdin(&line, "sesame\n").success();
    trust(&lab, "h2");
    lab
}

fn trust(lab: &Lab, host: &str) {
    lab.run(&format!("chdef -p {host} dockertrust={PLACE}")).success();
    lab.run(&format!("mkhost {host} -y")).success();
    lab.host(host).shell(&format!("echo sesame | docker login -u ada --password-stdin {PLACE} 2>/dev/null"));
}

/// Makes an image of this size that cannot be packed; layers of 8 MB each.
fn image(host: &TestHost<'_>, name: &str, megabytes: u32) {
    host.shell(&format!(
        "mkdir -p /var/lib/docker/tmp-image && cd /var/lib/docker/tmp-image && head -c {megabytes}M /dev/urandom >data &&
        tar -c data | docker import - {PLACE}/{name}:1 && rm -rf /var/lib/docker/tmp-image"
    ));
}

/// That every blob is what its name says, and that the image is whole: another host's engine checks each of its layers.
fn verify(lab: &Lab, storage: &str, name: &str) {
    let wrong = lab.host("h1").shell(&format!(
        "cd {storage}/h1/docker/registry/v2/blobs/sha256 && for blob in */*; do
            [ ! -e $blob/data ] || echo \"${{blob#*/}}  $blob/data\"
        done | sha256sum -c --quiet 2>&1 || :"
    ));
    assert_eq!(wrong, "", "blobs that are not what they are called");
    let host = lab.host("h2");
    host.shell(&format!("docker rmi {PLACE}/{name}:1 && docker pull -q {PLACE}/{name}:1"));
}

/// Waits until the registry serves again.
fn serves(lab: &Lab) -> String {
    wait_for("the registry", LIMIT, || match lab.run("lsregistry --check") {
        run if run.code == 0 => Wait::Ready(run.to_string()),
        run => Wait::NotYet(run.to_string()),
    })
}

#[test]
fn a_full_disk_is_told_and_the_same_push_completes_when_there_is_room() {
    let lab = site("/srv/small");
    let (registry, host) = (lab.host("h1"), lab.host("h2"));
    registry.shell("systemctl stop xcrane-registry@h1 && mount -t tmpfs -o size=24m,mode=755 tmpfs /srv/small && systemctl start xcrane-registry@h1");
    assert!(!serves(&lab).contains("pushes fail"));
    image(&host, "small", 4);
    lab.run(&format!("imgpush h2 {PLACE}/small:1")).success();
    image(&host, "big", 40);
    let push = lab.spawn(&format!("imgpush h2 {PLACE}/big:1"));
    // What came of it is on the disk for as long as the server keeps uploads.
    let said = wait_for("a full disk", LIMIT, || match serves(&lab) {
        said if said.contains("pushes fail") => Wait::Ready(said),
        said => Wait::NotYet(said),
    });
    assert!(said.contains("Warning: registry h1: ") && said.contains("and pushes fail when it is full"), "{said}");
    // The engine tries to send a layer five times, for most of a minute; what is no layer once.
    push.interrupt();
    assert_eq!(push.wait(LIMIT).code, 130);
    registry.shell("for size in 64k 1k; do dd if=/dev/zero bs=$size 2>/dev/null >>/srv/small/filler || :; done");
    host.shell(&format!(
        "printf 'FROM {PLACE}/small:1\\nLABEL is=another\\n' | DOCKER_BUILDKIT=0 docker build -q -t {PLACE}/small:2 -"
    ));
    let push = lab.run(&format!("imgpush h2 {PLACE}/small:2"));
    assert!(push.code == 1 && push.stderr.contains("the registry cannot store it"), "{push}");
    assert!(push.stderr.contains("Hint: the disk of registry h1 is full, "), "{push}");
    assert_eq!(host.docker(&format!("pull -q {PLACE}/big:1")).code, 1, "half an image is none");

    registry.shell("rm /srv/small/filler && mount -o remount,size=120m /srv/small");
    lab.run(&format!("imgpush h2 {PLACE}/big:1")).success();
    assert!(!serves(&lab).contains("pushes fail"));
    verify(&lab, "/srv/small", "big");
}

#[test]
fn a_registry_that_is_killed_in_mid_push_holds_nothing_that_is_corrupt() {
    let lab = site("/srv/images");
    let (registry, host) = (lab.host("h1"), lab.host("h2"));
    image(&host, "big", 48);
    host.slow("80mbit");
    let started = format!("docker push -q {PLACE}/big:1 >/tmp/push 2>&1; echo ended $? >>/tmp/push");
    host.shell(&format!("touch /tmp/push; setsid sh -c '{started}' </dev/null >/dev/null 2>&1 &"));
    for _ in 0..2 {
        wait_for("an upload", LIMIT, || {
            let begun = "find /srv/images -path '*/_uploads/*/data' -size +1000k | grep . || echo none";
            match registry.shell(begun).trim() {
                "none" => Wait::NotYet(host.shell("cat /tmp/push")),
                _ => Wait::Ready(()),
            }
        });
        registry.shell("kill -9 $(systemctl show -p MainPID --value xcrane-registry@h1)");
        serves(&lab);
    }
    host.heal();
    let ended = wait_for("the push", LIMIT, || match host.shell("cat /tmp/push") {
        said if said.contains("ended ") => Wait::Ready(said),
        said => Wait::NotYet(said),
    });
    if !ended.contains("ended 0") {
        assert_ne!(host.docker(&format!("pull -q {PLACE}/big:1")).code, 0, "an image of which a layer may be missing");
        host.docker(&format!("push -q {PLACE}/big:1")).success();
    }
    verify(&lab, "/srv/images", "big");
}

#[test]
fn a_killed_pull_is_completed_by_the_next_on_eight_hosts() {
    let lab = defined_hosts(lab().systemd_hosts(9), 9);
    lab.run_with_stdin("mkregistry h1 --auth ada --password-stdin", "sesame\n").success();
    trust(&lab, "h1");
    lab.run(&format!("chdef h[2-9] dockertrust={PLACE}")).success();
    lab.run("mkhost h[2-9] -y").success();
    image(&lab.host("h1"), "big", 24);
    lab.host("h1").docker(&format!("push -q {PLACE}/big:1")).success();
    for pause in [100, 400, 1000, 2500] {
        let run = lab.spawn(&format!("imgpull h[2-9] {PLACE}/big:1"));
        std::thread::sleep(Duration::from_millis(pause));
        run.kill();
        drop(run);
    }
    let sent =
        || lab.host("h1").shell("cat /sys/class/net/eth0/statistics/tx_bytes").trim().parse::<u64>().expect("a number");
    let before = sent();
    let pulled = lab.run(&format!("imgpull h[2-9] {PLACE}/big:1")).success();
    assert_eq!(pulled.lines().filter(|line| line.contains(" sha256:")).count(), 8, "{pulled}");
    let digests: std::collections::BTreeSet<&str> = pulled.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(digests.len(), 1, "{pulled}");
    assert!(sent() - before < 8 * 26_000_000, "more than once for each host: {}", sent() - before);
    let again = lab.run(&format!("imgpull h[2-9] {PLACE}/big:1 -b")).success();
    assert!(again.starts_with("h[2-9]: unchanged sha256:") && again.lines().count() == 1, "{again}");
}

#[test]
fn a_collection_waits_for_a_push_that_is_under_way() {
    let lab = site("/srv/images");
    let (registry, host) = (lab.host("h1"), lab.host("h2"));
    image(&host, "big", 24);
    host.slow("20mbit");
    let started = format!("docker push -q {PLACE}/big:1 >/tmp/push 2>&1; echo ended $? >>/tmp/push");
    host.shell(&format!("touch /tmp/push; setsid sh -c '{started}' </dev/null >/dev/null 2>&1 &"));
    wait_for("an upload", LIMIT, || {
        match registry.shell("find /srv/images -path '*/_uploads/*/data' -size +100k").as_str() {
            "" => Wait::NotYet(host.shell("cat /tmp/push")),
            _ => Wait::Ready(()),
        }
    });
    assert!(!host.shell("cat /tmp/push").contains("ended"), "the push is over before the collection begins");
    assert!(lab.run("mkregistry h1 --gc").success().contains("freed"));
    assert!(
        host.shell("cat /tmp/push").contains("ended 0"),
        "the collection broke the push: {}",
        host.shell("cat /tmp/push")
    );
    host.heal();
    verify(&lab, "/srv/images", "big");
}
