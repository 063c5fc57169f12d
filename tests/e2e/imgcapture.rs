//! `imgcapture`: containers that become images, and start elsewhere with all that they had.

use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;

use crate::imgpush::{meaning, site};
use crate::mkregistry::{LIMIT, PLACE};

/// Containers of the hosts' own image, of which c1 on h2 runs and writes.
fn writing(lab: &Lab) {
    lab.run("mkdef c1 groups=web mgt=docker vmhost=h2 image=busybox:lab").success();
    lab.run("chdef c1 dockercommand='sh -c \"i=0; while :; do i=$((i+1)); echo $i >/count; done\"'").success();
    lab.run("chdef c1 dockerenv=SITE=here vmstorage=dir:///tmp=/scratch dockerstoptimeout=1").success();
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();
}

/// Where the host has the files of a container.
const FILES: &str = "$(docker inspect -f '{{.GraphDriver.Data.MergedDir}}' ";

#[test]
fn a_container_that_writes_becomes_an_image_that_starts_elsewhere() {
    let lab = site(3);
    writing(&lab);
    let host = lab.host("h2");
    host.shell(&format!(
        "cd {FILES}c1) && mkdir d && echo text >d/a && ln d/a d/b && chown 1234:4321 d/a && chmod 4755 d/a &&
         truncate -s 8M d/sparse && echo end >>d/sparse && ln -s a d/way && cp bin/busybox d/capable && touch -h -d '2020-01-02 03:04:05' d/* d && python3 -c \"
import os, struct
os.setxattr('d/capable', 'security.capability', struct.pack('<IIIII', 0x02000001, 1 << 10, 0, 0, 0))
os.setxattr('d/a', 'user.note', b'lost')\""
    ));
    let state = "d -printf '%p %y %U:%G %m %s %n %l %t\\n' | sort; cd d && md5sum a b sparse capable; python3 -c \"import os; \
                 print(os.getxattr('capable', 'security.capability'))\"";
    let look = |host: &str, node: &str| lab.host(host).shell(&format!("cd {FILES}{node}) && find {state}"));
    let before = look("h2", "c1");

    let run = lab.run(&format!("imgcapture c1 -o {PLACE}/site/tuned:1 -m 'with the mesh'"));
    let digest = meaning(&lab, "site/tuned:1");
    assert!(run.stdout.starts_with(&format!("c1: captured as {PLACE}/site/tuned:1 {digest} ")), "{run}");
    assert_snapshot!(run.stderr, @"
    c1: Warning: not in the image, because it is mounted: /scratch
    c1: Warning: variables of the node are in the image: SITE
    ");
    let count = || host.shell("docker exec c1 cat /count");
    let now = count();
    wait_for(
        "the container to go on",
        LIMIT,
        || if count() == now { Wait::NotYet(now.clone()) } else { Wait::Ready(()) },
    );
    let label = |name: &str| {
        let format = format!("{{{{index .Config.Labels \"xcrane.{name}\"}}}}");
        host.shell(&format!("docker image inspect -f '{format}' {PLACE}/site/tuned:1")).trim().to_owned()
    };
    assert_eq!(
        (label("capture.node"), label("capture.message"), label("node")),
        ("c1".into(), "with the mesh".into(), "".into())
    );
    assert!(label("capture.parent").starts_with("sha256:") && label("capture.time").ends_with('Z'));
    assert!(!label("capture.by").is_empty());
    let object = lab.run(&format!("lsdef -t osimage {PLACE}/site/tuned:1")).success();
    for part in [format!("digest={digest}"), "source=capture c1".into(), "message=with the mesh".into()] {
        assert!(object.contains(&part), "{part}: {object}");
    }

    lab.run(&format!("mkdef c2 groups=web mgt=docker vmhost=h3 image={PLACE}/site/tuned:1 dockerstoptimeout=1"))
        .success();
    lab.run("mkvm c2").success();
    lab.run("rpower c2 on").success();
    assert_eq!(look("h3", "c2"), before, "owners, modes, links, times, contents, capabilities");

    let note = lab.host("h3").shell(&format!("cd {FILES}c2) && python3 -c \"import os; print(os.listxattr('d/a'))\""));
    assert_eq!(note, "[]\n", "engines keep user.* now: say so in the help");

    // A second time from the image's own child, whose parent the registry knows.
    let again = lab.run(&format!("imgcapture c2 -o {PLACE}/site/tuned:2 --json")).success();
    let answer: serde_json::Value = serde_json::from_str(again.lines().last().unwrap()).unwrap();
    assert_eq!(answer["answer"]["parent"], digest.as_str(), "{again}");
}

#[test]
fn killed_captures_leave_nothing_suspended_and_nothing_behind() {
    let lab = site(2);
    lab.run("chdef -t site requesttimeout=5").success();
    writing(&lab);
    let host = lab.host("h2");
    host.shell("docker exec c1 dd if=/dev/urandom of=/big bs=1M count=60 2>/dev/null");
    let capture = format!("imgcapture c1 -o {PLACE}/big:1");
    let goes_on = || {
        wait_for("the container to go on", LIMIT, || {
            match host.shell("docker inspect -f '{{.State.Paused}}' c1").trim() {
                "false" => Wait::Ready(()),
                state => Wait::NotYet(state.to_owned()),
            }
        });
    };
    let suspended = || {
        wait_for("the capture to begin", LIMIT, || {
            match host.shell("docker inspect -f '{{.State.Paused}}' c1").trim() {
                "true" => Wait::Ready(()),
                state => Wait::NotYet(state.to_owned()),
            }
        });
    };
    for pause in [150, 700, 1600] {
        let run = lab.spawn(&capture);
        std::thread::sleep(Duration::from_millis(pause));
        run.kill();
        drop(run);
        goes_on();
    }
    let run = lab.spawn(&capture);
    suspended();
    run.kill();
    drop(run);
    goes_on();
    let run = lab.spawn(&capture);
    suspended();
    run.interrupt();
    assert_eq!(run.wait(LIMIT).code, 130);
    goes_on();
    // Cut off in the middle of it, and of the push: that is seen at once, and costs none of the hours that either may take.
    for pushing in [false, true] {
        let mut run = lab.spawn(&format!("{capture} --json"));
        if pushing {
            run.expect("push image", LIMIT);
        } else {
            suspended();
        }
        host.drop_connections();
        let run = run.wait(Duration::from_secs(15));
        assert!(run.code == 1 && run.to_string().contains("h2: "), "{run}");
        goes_on();
    }

    let done = lab.run(&capture).success();
    assert!(done.contains(&meaning(&lab, "big:1")), "{done}");
    goes_on();
    let left = host.shell("docker images -q --filter dangling=true");
    assert_eq!(left, "", "captures without a name are left on the host");
    lab.run("rpower c1 suspend").success();
    let run = lab.run(&format!("imgcapture c1 -o {PLACE}/big:2"));
    assert!(run.code == 0 && run.stderr.contains("it was suspended before and still is"), "{run}");
    assert_eq!(lab.run("rpower c1 stat").success(), "c1: suspend");
    // What is frozen cannot be ended, and the lab would wait for it.
    lab.run("rpower c1 resume").success();
}

#[test]
fn what_cannot_become_an_image_is_refused() {
    let lab = site(2);
    lab.run("mkdef c[1-2] groups=web mgt=docker vmhost=h2 image=busybox:lab").success();
    assert_snapshot!(crate::session(&lab, "
        imgcapture c1 -o tuned:1
        imgcapture c1 -o hub.example/tuned:1
        imgcapture h2 -o 10.77.0.1:5000/tuned:1
        imgcapture c1,c2 -o 10.77.0.1:5000/tuned:1
        imgcapture c1 -o 10.77.0.1:5000/Tuned
        imgcapture c1 -o 10.77.0.1:5000/tuned:1
    "), @"
    $ imgcapture c1 -o tuned:1
    ------- stderr -------
    Error: the name tuned:1 begins with no registry to push it to
    Hint: call it 10.77.0.1:5000/tuned:1
    [exit status: 1]
    $ imgcapture c1 -o hub.example/tuned:1
    ------- stderr -------
    Error: hub.example is none of our registries, and table passwd has no account for it
    Hint: call it 10.77.0.1:5000/tuned:1
    [exit status: 1]
    $ imgcapture h2 -o 10.77.0.1:5000/tuned:1
    ------- stderr -------
    Error: h2 is no container; only those become images
    [exit status: 1]
    $ imgcapture c1,c2 -o 10.77.0.1:5000/tuned:1
    ------- stderr -------
    Error: 'c1,c2' is more than one node; an image is made of one
    [exit status: 1]
    $ imgcapture c1 -o 10.77.0.1:5000/Tuned
    ------- stderr -------
    Error: '10.77.0.1:5000/Tuned' is not the name of an image: parts of a name are small letters and digits, with '.', '_', '__' or '-' between them
    [exit status: 1]
    $ imgcapture c1 -o 10.77.0.1:5000/tuned:1
    ------- stderr -------
    c1: Error: no such guest on h2
    Hint: make it with: mkvm NODERANGE
    [exit status: 1]
    ");
    lab.run("mkvm c1").success();
    lab.host("h1").shell("systemctl stop xcrane-registry@h1");
    let run = lab.run(&format!("imgcapture c1 -o {PLACE}/tuned:1"));
    assert!(run.code == 1 && run.stderr.contains(&format!("captured as {PLACE}/tuned:1 on h2, not pushed")), "{run}");
    assert!(run.stderr.contains(&format!("Hint: push it with: imgpush h2 {PLACE}/tuned:1")), "{run}");
}
