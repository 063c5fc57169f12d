//! `imgbuild`: images by the engine's BuildKit, from a registry that lets in only those with an account.

use std::time::Duration;

use ::lab::{Wait, wait_for};
use insta::assert_snapshot;

use crate::imgpush::{meaning, site};
use crate::mkregistry::{LIMIT, PLACE};
use crate::write;

#[test]
fn a_dockerfile_becomes_an_image_in_the_registry() {
    let lab = site(2);
    lab.run(&format!("imgpush h1 busybox:lab --to {PLACE}/base:1")).success();
    lab.shell(
        "mkdir -p app/sub elsewhere && echo one >app/kept && echo two >app/site.key && echo three >app/sub/x.key",
    )
    .success();
    write(&lab, "app/.dockerignore", "**/*.key\n!sub/x.key\n");
    let text = "ARG BASE=none\nFROM ${BASE} AS build\nARG VERSION\nRUN echo $VERSION >/version\n\
                FROM ${BASE}\nCOPY --from=build /version /version\nCOPY . /app/\n";
    write(&lab, "app/Dockerfile", text);
    let name = format!("{PLACE}/app:1");
    let run = lab.run(&format!(
        "imgbuild app -t {name} --on h2 --build-arg BASE={PLACE}/base:1 --build-arg VERSION=7 --label site=here --push"
    ));
    let digest = meaning(&lab, "app:1");
    assert!(run.stdout.starts_with(&format!("h2: built and pushed {name} {digest}, context ")), "{run}");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
    let host = lab.host("h2");
    let said = host.shell(&format!(
        "docker run --rm {name} sh -c 'cat /version; cd /app; find . -type f | sort; stat -c %u kept'"
    ));
    assert_eq!(said, "7\n./.dockerignore\n./Dockerfile\n./kept\n./sub/x.key\n0\n");
    assert_eq!(host.shell(&format!("docker image inspect -f '{{{{.Config.Labels.site}}}}' {name}")), "here\n");
    assert!(lab.run(&format!("lsdef -t osimage {name}")).success().contains("source=build h2"));

    // BuildKit has built it: its history says so. Again from its cache, by the site's choice of host.
    assert!(host.shell(&format!("docker history --no-trunc {name}")).contains("buildkit.dockerfile.v0"));
    lab.run("chdef -t site buildhost=h2").success();
    write(&lab, "elsewhere/Other", "FROM busybox:lab\nCOPY kept /kept\nARG DB_PASSWORD\n");
    let run = lab.run("imgbuild app -f elsewhere/Other -t other:1 --build-arg DB_PASSWORD=x --json");
    assert!(run.code == 0 && run.stdout.contains("\"progress\""), "{run}");
    assert!(run.stderr.contains("build argument DB_PASSWORD stays readable in the history of other:1"), "{run}");
    assert_eq!(host.shell("docker run --rm other:1 cat /kept"), "one\n");
}

#[test]
fn builds_that_fail_and_builds_that_are_broken_off() {
    let lab = site(2);
    lab.shell("mkdir fails syntax none slow parent").success();
    write(&lab, "fails/Dockerfile", "FROM busybox:lab\nRUN echo first; echo the reason; exit 3\n");
    write(&lab, "syntax/Dockerfile", "# syntax=docker/dockerfile:1\nFROM busybox:lab\n");
    write(&lab, "parent/Dockerfile", "FROM 10.77.0.1:5000/none:1\n");
    write(&lab, "slow/Dockerfile", "FROM busybox:lab\nRUN echo begun; sleep 6; echo >/slept\n");
    assert_snapshot!(crate::session(&lab, "
        imgbuild fails -t a:1 --on h2
        imgbuild syntax -t a:1 --on h2
        imgbuild parent -t a:1 --on h2
        imgbuild none -t a:1 --on h2
        imgbuild nowhere -t a:1 --on h2
        imgbuild fails -t a:1
        imgbuild fails -t a:1 --on h2 --push
        imgbuild fails -t a:1 --on h2 --build-arg NONE
    "), @"
    $ imgbuild fails -t a:1 --on h2
    ------- stderr -------
    h2: Error: h2: cannot build a:1: in step [2/2] RUN echo first; echo the reason; exit 3: executor failed running [/bin/sh -c echo first; echo the reason; exit 3]: exit code: 3
    h2:   first
    h2:   the reason
    [exit status: 1]
    $ imgbuild syntax -t a:1 --on h2
    ------- stderr -------
    h2: Error: cannot build a:1: the line '# syntax=docker/dockerfile:1' asks for a program from the internet; take it out
    [exit status: 1]
    $ imgbuild parent -t a:1 --on h2
    ------- stderr -------
    h2: Error: h2: cannot pull image 10.77.0.1:5000/none:1: neither the host nor the registry has it
    Hint: see what it has with: lsimage 10.77.0.1:5000
    [exit status: 1]
    $ imgbuild none -t a:1 --on h2
    ------- stderr -------
    h2: Error: cannot read none/Dockerfile: No such file or directory (os error 2)
    [exit status: 1]
    $ imgbuild nowhere -t a:1 --on h2
    ------- stderr -------
    Error: nowhere is no directory to build from
    [exit status: 1]
    $ imgbuild fails -t a:1
    ------- stderr -------
    Error: no host was named to build on
    Hint: name one with --on, or: chdef -t site buildhost=HOST
    [exit status: 1]
    $ imgbuild fails -t a:1 --on h2 --push
    ------- stderr -------
    Error: the name a:1 begins with no registry to push it to
    Hint: call it 10.77.0.1:5000/a:1
    [exit status: 1]
    $ imgbuild fails -t a:1 --on h2 --build-arg NONE
    ------- stderr -------
    Error: build argument NONE is not in the environment
    [exit status: 1]
    ");
    let host = lab.host("h2");
    let sleeps = || host.run("pgrep -f 'sleep 6'").code == 0;
    let build = "imgbuild slow -t slow:1 --on h2";
    for interrupted in [true, false] {
        let run = lab.spawn(build);
        wait_for(
            "the step that sleeps",
            LIMIT,
            || if sleeps() { Wait::Ready(()) } else { Wait::NotYet(String::new()) },
        );
        if interrupted {
            run.interrupt();
            assert_eq!(run.wait(LIMIT).code, 130);
        } else {
            run.kill();
            drop(run);
        }
        wait_for("the end of the build", LIMIT, || {
            if sleeps() { Wait::NotYet("it sleeps".into()) } else { Wait::Ready(()) }
        });
        assert_eq!(host.run("docker image inspect slow:1").code, 1);
        std::thread::sleep(Duration::from_millis(200));
    }
    lab.run(build).success();
    assert_eq!(host.run("docker run --rm slow:1 ls /slept").code, 0);
}
