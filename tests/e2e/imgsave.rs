//! `imgsave`: images into files that engines take.

use std::time::Duration;

use insta::assert_snapshot;

use crate::imgpush::{grow, site};
use crate::mkregistry::{LIMIT, PLACE};

#[test]
fn an_image_becomes_a_file_that_engines_take() {
    let lab = site(2);
    let name = format!("{PLACE}/big:1");
    grow(&lab, "h2", "busybox:lab", "big", 20);
    lab.run(&format!("imgpush h2 big:1 --to {name}")).success();
    let saved = lab.run(&format!("imgsave {name} one.tar")).success();
    assert!(saved.starts_with(&format!("h1: saved {name} to one.tar, 2")), "{saved}");
    let saved = lab.run("imgsave big:1 two.tar --from h2").success();
    assert!(saved.starts_with("h2: saved big:1 to two.tar, 2"), "{saved}");

    // Docker's own client takes both.
    let there = lab.host("h2").shell("docker run --rm big:1 md5sum /big.data");
    for (file, name) in [("one.tar", name.as_str()), ("two.tar", "big:1")] {
        lab.run(&format!("xdcp h1 {file} /root/{file}")).success();
        let host = lab.host("h1");
        assert_eq!(host.shell(&format!("docker load -qi /root/{file}")), format!("Loaded image: {name}\n"));
        assert_eq!(host.shell(&format!("docker run --rm {name} md5sum /big.data")), there);
        host.shell("docker rmi -f $(docker images -q big) 2>/dev/null; true");
    }

    // Killed and interrupted: no file, and then the whole.
    lab.host("h2").slow("20mbit");
    let save = "imgsave big:1 three.tar --from h2";
    for pause in [1000, 3000] {
        let run = lab.spawn(save);
        std::thread::sleep(Duration::from_millis(pause));
        run.kill();
        drop(run);
        assert!(!lab.home().join("three.tar").exists());
    }
    let run = lab.spawn(save);
    std::thread::sleep(Duration::from_millis(2500));
    let second = lab.run(save);
    assert!(second.code == 1 && second.stderr.contains("another imgsave is writing it"), "{second}");
    run.interrupt();
    assert_eq!(run.wait(LIMIT).code, 130);
    assert!(!lab.home().join("three.tar").exists() && !lab.home().join(".three.tar.part").exists());
    lab.host("h2").heal();
    lab.run(save).success();
    assert_eq!(lab.shell("cmp two.tar three.tar").code, 0);

    lab.shell("mkdir dir; echo old >old.tar").success();
    assert_snapshot!(crate::session(&lab, "
        imgsave busybox:lab x.tar
        imgsave busybox:none old.tar --from h2
        imgsave 10.77.0.1:5000/none:1 old.tar
        imgsave busybox:lab nowhere/x.tar --from h2
        imgsave busybox:lab dir --from h2
        ls -a
        cat old.tar
    "), @"
    $ imgsave busybox:lab x.tar
    ------- stderr -------
    Error: busybox:lab is of none of our registries
    Hint: save it as a host has it with: --from HOST
    [exit status: 1]
    $ imgsave busybox:none old.tar --from h2
    ------- stderr -------
    h2: Error: h2 has no image busybox:none
    Hint: see what it has with: lsimage h2
    [exit status: 1]
    $ imgsave 10.77.0.1:5000/none:1 old.tar
    ------- stderr -------
    h1: Error: registry h1 at 10.77.0.1:5000: it has no image 10.77.0.1:5000/none:1
    [exit status: 1]
    $ imgsave busybox:lab nowhere/x.tar --from h2
    ------- stderr -------
    h2: Error: cannot write nowhere/x.tar: No such file or directory (os error 2)
    [exit status: 1]
    $ imgsave busybox:lab dir --from h2
    ------- stderr -------
    h2: Error: cannot write dir: it is a directory
    [exit status: 1]
    $ ls -a
    .
    ..
    .ssh
    busybox.tar
    dir
    old.tar
    one.tar
    three.tar
    two.tar
    xcrane.toml
    $ cat old.tar
    old
    ");
}
