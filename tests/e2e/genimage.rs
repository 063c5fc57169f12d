//! `genimage`, and the way of an image from a list of packages to a machine that has booted it; by UEFI see `metal`.

use std::fs;
use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;

use crate::lab;
use crate::serve::{define_network, serve};

/// Packages are installed and a machine is emulated, on one that may be busy: calm, the one takes half a minute and so does the other.
const LIMIT: Duration = Duration::from_secs(400);

/// An image `tiny` whose packages come from the lab's store, as a directory of this machine.
fn tiny() -> Lab {
    let lab = lab().machines(1);
    let list = lab.home().join("tiny.pkglist");
    fs::write(&list, "# as small as one that boots can be\nsystemd-sysv, udev, kmod\n#INCLUDE:kernel#\n")
        .expect("a file");
    fs::write(lab.home().join("kernel"), "linux-image-cloud-amd64\n").expect("a file");
    let hook = lab.home().join("mark.sh");
    fs::write(&hook, "echo \"$IMG_NAME $2\" >\"$1/etc/made-by-hand\"\n").expect("a file");
    let small = lab.home().join("small");
    fs::write(&small, "./boot/*\n./usr/share/doc/*\n./usr/share/locale/*\n./usr/share/man/*\n./usr/lib/*/perl-base*\n./usr/lib/modules/*/kernel/*\n./etc/systemd/system/*/e2scrub*\n").expect("a file");
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

    a_machine_boots(&lab);
    one_more_package_is_the_same_with_and_without_what_was_kept(&lab, &digests);
}

/// A fifth package stands upon the step of the first four, and what comes of it does not depend on whether that step was kept.
fn one_more_package_is_the_same_with_and_without_what_was_kept(lab: &Lab, before: &str) {
    let digests = |make: &str| {
        lab.shell(make).success();
        let made = lab.spawn("genimage tiny").wait(LIMIT);
        assert_eq!(made.code, 0, "{made}");
        lab.spawn("packimage tiny -c zstd:1").wait(LIMIT).success();
        fs::read_to_string(lab.state().join("images/tiny/sha256sums")).expect("an image has digests")
    };
    let kept = digests("echo busybox-static >>tiny.pkglist");
    assert!(kept != before && lab.state().join("roots/tiny/rootimg/bin/busybox").exists());
    assert_eq!(digests("rm -r $XCRANE_HOME/stages"), kept, "the way to a root has changed it");
}

/// Firmware asks our DHCP server, iPXE loads kernel and RAM disk of our HTTP server, and the root says that it is up.
fn a_machine_boots(lab: &Lab) {
    define_network(lab);
    lab.run(&lab.server(1).definition().join(" ")).success();
    lab.run("chdef metal serialport=0 serialspeed=115200").success();
    lab.shell("mkdir -p install/postscripts && echo 'echo \"$NODE by $MASTER: $NODESETSTATE $1\" >/dev/console' >install/postscripts/hello").success();
    lab.run(&format!("chdef -t site installdir={}/install", lab.home().display())).success();
    lab.run("chdef m1 postscripts='hello again'").success();
    let _daemon = serve(lab, "");
    let mut install = lab.spawn(&format!("rinstall m1 osimage=tiny --wait {}", LIMIT.as_secs()));
    for status in ["m1: on", "m1: netbooting"] {
        install.expect(status, LIMIT);
    }
    install.expect("m1: booted", LIMIT);
    let ended = install.wait(LIMIT);
    assert_eq!(ended.code, 0, "{ended}");
    for said in ["m1 boots image tiny", "Linux version", "m1 by 10.77.0.254: netboot again", "xcrane: booted"] {
        lab.server(1).await_console(said, 1, LIMIT);
    }
    assert_eq!(lab.run("nodels m1 nodelist.status").stdout, "m1: booted\n");
    let stages = [
        "power",
        "DHCP, iPXE",
        "script",
        "kernel",
        "initial RAM disk",
        "DHCP, system",
        "root file system",
        "booted",
        "up after",
    ];
    follow_boot(lab, &stages);
}

/// What was seen of m1's boot, in its order; it is written down a moment after it was seen.
pub(crate) fn follow_boot(lab: &Lab, stages: &[&str]) {
    follow_boots(lab, 1, stages);
}

/// The same of the last boots of m1, one after the other.
pub(crate) fn follow_boots(lab: &Lab, count: u8, stages: &[&str]) {
    wait_for("all stages of a boot in their order", LIMIT, || {
        let story = lab.run(&format!("bootwhy m1 --last {count}")).stdout;
        let mut rest = Some(story.as_str());
        for stage in stages {
            rest = rest.and_then(|rest| rest.split_once(stage)).map(|(_, rest)| rest);
        }
        if rest.is_some() { Wait::Ready(()) } else { Wait::NotYet(story) }
    });
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
    define("suse", "provmethod=netboot osvers=sle15.5 pkglist=@/list");
    define("rocky", "provmethod=netboot osvers=rocky9.4 pkglist=@/list");
    define("open", "provmethod=netboot osvers=rocky9.4 pkglist=@/list pkgdir=http://mirror/BaseOS");
    define("alma", "provmethod=netboot osvers=alma9.4 pkglist=@/list 'pkgdir=https://mirror/BaseOS gpgkey=/etc/key'");
    define("disk", "provmethod=install osvers=debian12 pkglist=@/list");
    define("empty", "provmethod=netboot osvers=debian12");
    define("wrong", "provmethod=netboot osvers=debian12 pkglist=@/bad");
    define("far", "provmethod=netboot osvers=debian12 pkglist=@/list pkgdir=@/nowhere");
    define("good", "provmethod=netboot osvers=debian12.5 pkglist=@/list pkgdir=http://mirror/debian");
    let said: String =
        ["nobody", "suse", "rocky", "open", "alma --plan", "alma", "disk", "empty", "wrong", "far", "good --plan"]
            .map(|image| lab.run(&format!("genimage {image}")).to_string())
            .concat();
    assert_snapshot!(said, @"
    ------- stderr -------
    Error: no image is named 'nobody'
    Hint: define it: mkdef -t osimage nobody imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64 pkglist=FILE
    [exit status: 1]
    ------- stderr -------
    Error: image suse: osvers is 'sle15.5'; known are debian11, debian12, debian13, ubuntu20.04, ubuntu22.04, ubuntu24.04, and rocky, alma, rhels, centos with a release
    [exit status: 1]
    ------- stderr -------
    Error: image rocky: it does not say where its packages are
    Hint: chdef -t osimage rocky pkgdir='URL gpgkey=FILE,…', of BaseOS and AppStream
    [exit status: 1]
    ------- stderr -------
    Error: image open: http://mirror/BaseOS: say what its packages are signed by, 'http://mirror/BaseOS gpgkey=FILE|URL'
    [exit status: 1]
    alma: dnf --assumeyes --quiet --installroot=ROOT --releasever=9.4 --forcearch=x86_64 --setopt=reposdir=/dev/null --setopt=install_weak_deps=False --setopt=keepcache=False --nodocs --repofrompath=xcrane0,https://mirror/BaseOS --setopt=xcrane0.gpgcheck=1 --setopt=xcrane0.gpgkey=file:///etc/key install systemd-sysv
    ------- stderr -------
    Error: there is no dnf on this machine
    Hint: install the package dnf
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
