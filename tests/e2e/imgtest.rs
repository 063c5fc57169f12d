//! `imgtest`: what it refuses, and how it tells that an image does not come up. One that does is in `imgimport.rs`.

use insta::assert_snapshot;

use crate::lab;

#[test]
fn an_image_that_does_not_come_up_says_why() {
    let lab = lab();
    lab.run("mkdef -t osimage tiny imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64").success();
    assert_snapshot!(lab.run("imgtest tiny"), @"
    ------- stderr -------
    Error: image tiny: it was never packed
    Hint: pack it with: packimage tiny
    [exit status: 1]
    ");
    lab.shell(
        "mkdir -p $XCRANE_HOME/images/tiny && cd $XCRANE_HOME/images/tiny && echo no kernel >kernel && echo >initrd && echo >root.sqfs \
         && sha256sum kernel initrd root.sqfs >sha256sums",
    )
    .success();
    let run = lab.run("imgtest tiny --emulate --timeout 60");
    assert!(
        run.code == 1
            && run.stderr.starts_with("Error: image tiny: the machine has ended; its kernel has not started: ")
            && run.stderr.contains("kernel"),
        "{run}"
    );
}
