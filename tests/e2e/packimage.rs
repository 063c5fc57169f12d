//! `packimage`: what it refuses. What it makes is booted in `genimage.rs`.

use insta::assert_snapshot;

use crate::lab;

#[test]
fn a_root_without_one_kernel_is_not_packed() {
    let lab = lab();
    lab.run("mkdef -t osimage tiny imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64").success();
    let pack = || lab.run("packimage tiny").to_string();
    let mut said = pack();
    let root = "$XCRANE_HOME/roots/tiny/rootimg";
    lab.shell(&format!("mkdir -p {root}/usr {root}/lib/modules")).success();
    said += &pack();
    for kernel in ["6.1.0-1", "6.1.0-2"] {
        lab.shell(&format!("mkdir {root}/lib/modules/{kernel} && touch {root}/lib/modules/{kernel}/modules.dep"))
            .success();
    }
    said += &pack();
    lab.run("chdef -t osimage tiny kernelver=6.1.0-3").success();
    said += &pack();
    lab.run("chdef -t osimage tiny kernelver=6.1.0-2").success();
    said += &pack();
    said += &lab.run("packimage tiny -c zip").to_string();
    said += &lab.run("packimage tiny -m cpio").to_string();
    said += &lab.run("packimage tiny -m squashfs").to_string();
    assert_snapshot!(said, @"
    ------- stderr -------
    Error: image tiny: there is no root in $XCRANE_HOME/roots/tiny/rootimg
    Hint: make it with: genimage tiny
    [exit status: 1]
    ------- stderr -------
    Error: image tiny: its root has no kernel
    Hint: add linux-image-amd64 to its pkglist
    [exit status: 1]
    ------- stderr -------
    Error: image tiny: its root has several kernels: 6.1.0-1, 6.1.0-2
    Hint: choose one: chdef -t osimage tiny kernelver=VERSION
    [exit status: 1]
    ------- stderr -------
    Error: image tiny: kernelver is 6.1.0-3, and its root has 6.1.0-1, 6.1.0-2
    [exit status: 1]
    ------- stderr -------
    Error: there is no $XCRANE_HOME/roots/tiny/rootimg/boot/vmlinuz-6.1.0-2
    [exit status: 1]
    ------- stderr -------
    error: invalid value 'zip' for '--compress <METHOD[:LEVEL]>': it is one of zstd, gzip, xz, lz4

    For more information, try '--help'.
    [exit status: 2]
    ------- stderr -------
    error: invalid value 'cpio' for '--method <METHOD>': images are packed as squashfs only; why it is done is said by --reason

    For more information, try '--help'.
    [exit status: 2]
    ------- stderr -------
    Error: there is no $XCRANE_HOME/roots/tiny/rootimg/boot/vmlinuz-6.1.0-2
    [exit status: 1]
    ");
    assert_eq!(lab.shell("ls -A $XCRANE_HOME/images").success(), "", "half an image was left");
}
