//! `genimage`, and the way of an image from a list of packages to a machine that has booted it.

use std::fs;
use std::time::Duration;

use ::lab::Lab;
use insta::assert_snapshot;

use crate::lab;

/// Packages are installed and a machine is emulated, on one that may be busy: calm, the one takes half a minute and so does the other.
const LIMIT: Duration = Duration::from_secs(400);

/// An image `tiny` whose packages come from the lab's store, as a directory of this machine.
fn tiny() -> Lab {
    let lab = lab().hosts(0);
    let list = lab.home().join("tiny.pkglist");
    fs::write(&list, "# as small as one that boots can be\nsystemd-sysv, udev\n#INCLUDE:kernel#\n").expect("a file");
    fs::write(lab.home().join("kernel"), "linux-image-cloud-amd64\n").expect("a file");
    let hook = lab.home().join("mark.sh");
    fs::write(&hook, "echo \"$IMG_NAME $2\" >\"$1/etc/made-by-hand\"\n").expect("a file");
    let small = lab.home().join("small");
    fs::write(&small, "./boot/*\n./usr/share/doc/*\n./usr/share/locale/*\n./usr/share/man/*\n./usr/lib/*/perl-base*\n./usr/lib/modules/*/kernel/*\n").expect("a file");
    let packages = lab.package_directory();
    lab.run(&format!(
        "mkdef -t osimage tiny imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64 pkglist={} pkgdir={} postinstall={} exlist={}",
        list.display(), packages.display(), hook.display(), small.display()
    ))
    .success();
    lab
}

#[test]
fn an_image_is_made_packed_and_boots() {
    let lab = tiny();
    let made = lab.spawn("genimage tiny").wait(LIMIT);
    assert!(made.code == 0 && made.stdout.contains("-cloud-amd64"), "{made}");
    let root = lab.state().join("roots/tiny/rootimg");
    assert_eq!(fs::read_to_string(root.join("etc/made-by-hand")).expect("the script ran"), "tiny debian12\n");

    let first = lab.spawn("packimage tiny -c zstd:1").wait(LIMIT);
    assert!(first.code == 0 && first.stdout.starts_with("tiny: packed kernel "), "{first}");
    let sums = lab.state().join("images/tiny/sha256sums");
    let digests = fs::read_to_string(&sums).expect("an image has digests");
    lab.shell("cd $XCRANE_HOME/images/tiny && sha256sum --check --strict sha256sums").success();
    let digest = lab.run("lsdef -t osimage tiny -i rootdigest -c").success();
    assert!(digests.contains(digest.rsplit('=').next().expect("a value")), "{digest} {digests}");

    // What was only touched is the same image; what a run has left that was killed goes.
    fs::create_dir(lab.state().join("images/.tiny.new")).expect("a directory");
    lab.shell("touch $XCRANE_HOME/roots/tiny/rootimg/etc/made-by-hand $XCRANE_HOME/roots/tiny/rootimg/usr").success();
    let second = lab.spawn("packimage tiny -c zstd:1").wait(LIMIT);
    assert!(second.stdout.ends_with(", the same as before\n"), "{second}");
    assert_eq!(fs::read_to_string(&sums).expect("it is there"), digests);
    assert!(!lab.state().join("images/.tiny.new").exists());

    let up = lab.spawn("imgtest tiny --emulate").wait(LIMIT);
    assert!(up.code == 0 && up.stdout.starts_with("tiny: up after "), "{up}");
}

#[test]
fn what_cannot_be_made_is_refused_before_it_is_begun() {
    let lab = lab();
    lab.shell("echo systemd-sysv >list; echo 'two words' >bad").success();
    let home = lab.home();
    let define = |name: &str, more: &str| {
        let more = more.replace('@', &home.display().to_string());
        lab.run(&format!("mkdef -t osimage {name} imagetype=linux osarch=x86_64 {more}")).success();
    };
    define("rocky", "provmethod=netboot osvers=rocky9.4 pkglist=@/list");
    define("disk", "provmethod=install osvers=debian12 pkglist=@/list");
    define("empty", "provmethod=netboot osvers=debian12");
    define("wrong", "provmethod=netboot osvers=debian12 pkglist=@/bad");
    define("far", "provmethod=netboot osvers=debian12 pkglist=@/list pkgdir=@/nowhere");
    define("good", "provmethod=netboot osvers=debian12.5 pkglist=@/list pkgdir=http://mirror/debian");
    let said: String = ["nobody", "rocky", "disk", "empty", "wrong", "far", "good --plan"]
        .map(|image| lab.run(&format!("genimage {image}")).to_string())
        .concat();
    assert_snapshot!(said, @"
    ------- stderr -------
    Error: no image is named 'nobody'
    Hint: define it: mkdef -t osimage nobody imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64 pkglist=FILE
    [exit status: 1]
    ------- stderr -------
    Error: image rocky: osvers is 'rocky9.4'; known are debian11, debian12, debian13, ubuntu20.04, ubuntu22.04, ubuntu24.04
    [exit status: 1]
    ------- stderr -------
    Error: image disk is not one that diskless nodes boot
    Hint: those have: chdef -t osimage disk imagetype=linux provmethod=netboot
    [exit status: 1]
    ------- stderr -------
    Error: image empty: it has no packages
    Hint: list them in a file, systemd-sysv, udev and linux-image-amd64 among them: chdef -t osimage empty pkglist=FILE
    [exit status: 1]
    ------- stderr -------
    Error: image wrong: $HOME/bad:1: 'two words' is no name of a package
    [exit status: 1]
    ------- stderr -------
    Error: image far: $HOME/nowhere is no place of packages: a directory with dists/ or a file Packages, an http URL, or a line 'deb …'
    [exit status: 1]
    good: bookworm amd64: systemd-sysv
    good: deb http://mirror/debian bookworm main
    ");
    assert_snapshot!(lab.shell("x=$(command -v xcrane); PATH=/nowhere $x genimage good"), @"
    ------- stderr -------
    Error: there is no mmdebstrap on this machine
    Hint: install the package mmdebstrap
    [exit status: 1]
    ");
    assert!(!lab.state().join("roots").exists());
}
