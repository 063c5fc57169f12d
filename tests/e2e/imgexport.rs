//! `imgexport`: bundles of images; they come back by imgimport, here too.

use std::fs;

use insta::assert_snapshot;

use crate::lab;

#[test]
fn a_bundle_comes_back_whole_or_not_at_all() {
    let lab = lab();
    let home = lab.home().display().to_string();
    lab.shell("echo vim >list; printf '#INCLUDE:list#\\n-nano\\nssh\\n' >tiny.pkglist; echo ./boot/* >tiny.exlist")
        .success();
    lab.run(&format!(
        "mkdef -t osimage tiny imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64 pkglist={home}/tiny.pkglist \
         exlist={home}/tiny.exlist rootimgdir={home}/nowhere addkcmdline=quiet"
    ))
    .success();
    assert_snapshot!(lab.run("imgexport tiny bare.tar --json").success(), @r#"{"node":"tiny","answer":{"file":"bare.tar","size":4096,"packed":false,"files":2}}"#);
    lab.shell(
        "mkdir -p $XCRANE_HOME/images/tiny && cd $XCRANE_HOME/images/tiny && echo the kernel >kernel && echo the disk >initrd \
         && head -c 300000 /dev/urandom >root.sqfs && sha256sum kernel initrd root.sqfs >sha256sums",
    )
    .success();
    lab.run("imgexport tiny").success();
    lab.shell(
        "tar -tf tiny.tar && sed 's/the kernel/no kernel!/' tiny.tar >changed.tar && head -c 200000 tiny.tar >cut.tar \
         && sed 's#files/exlist.0#files/../../xx#g' tiny.tar >out.tar && tar -cf none.tar list && cp -r $XCRANE_HOME/images before",
    )
    .success();
    assert_snapshot!(crate::session(&lab, "
        imgimport changed.tar other
        imgimport cut.tar other
        imgimport out.tar other
        imgimport none.tar other
        imgimport tiny.tar
        imgimport tiny.tar ../../x
        imgimport tiny.tar other --fix
        imgexport nobody
        imgimport tiny.tar other
        lsdef -t osimage other -i osvers,pkglist,exlist,rootimgdir,addkcmdline
    "), @"
    $ imgimport changed.tar other
    ------- stderr -------
    Error: cannot use changed.tar: image/kernel is not what its digest says
    [exit status: 1]
    $ imgimport cut.tar other
    ------- stderr -------
    Error: cannot use cut.tar: image/root.sqfs is not what its digest says
    [exit status: 1]
    $ imgimport out.tar other
    ------- stderr -------
    Error: cannot use out.tar: files/../../xx is no name of a file in a bundle
    [exit status: 1]
    $ imgimport none.tar other
    ------- stderr -------
    Error: cannot use none.tar: it is no bundle of imgexport, or it is damaged (of a container image: imgimport docker://FILE)
    [exit status: 1]
    $ imgimport tiny.tar
    ------- stderr -------
    Error: there is an image tiny
    Hint: replace it with -f, or import it as another: imgimport FILE NAME
    [exit status: 1]
    $ imgimport tiny.tar ../../x
    ------- stderr -------
    Error: '../../x' is no name of an image
    Hint: give it one: imgimport FILE NAME
    [exit status: 1]
    $ imgimport tiny.tar other --fix
    ------- stderr -------
    Error: --lint, --fix, --as-is and --kernel-of are for docker://SOURCE
    [exit status: 2]
    $ imgexport nobody
    ------- stderr -------
    Error: no image is named 'nobody'
    Hint: define it: mkdef -t osimage nobody imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64 pkglist=FILE
    [exit status: 1]
    $ imgimport tiny.tar other
    other: imported, 293.0K: nodes can boot it
    $ lsdef -t osimage other -i osvers,pkglist,exlist,rootimgdir,addkcmdline
    Object name: other
        addkcmdline=quiet
        exlist=$XCRANE_HOME/imported/other/exlist.0
        osvers=debian12
        pkglist=$XCRANE_HOME/imported/other/pkglist.0
        rootimgdir=
    ");
    let read = |path: &str| fs::read(lab.state().join(path)).expect("it is there");
    for file in ["kernel", "initrd", "root.sqfs", "sha256sums"] {
        assert_eq!(read(&format!("images/other/{file}")), read(&format!("images/tiny/{file}")), "{file}");
    }
    assert_eq!(read("imported/other/pkglist.0"), b"vim\nssh\n-nano\n");
    lab.run("imgimport bare.tar tiny -f").success();
    assert!(lab.run("lsdef -t osimage tiny -i pkglist -c").success().contains("/imported/tiny/pkglist.0"));

    // What was built goes, and the definition where that is asked for.
    lab.run("mkdef n1 groups=all provmethod=other").success();
    assert_snapshot!(crate::session(&lab, "
        rmimage other
        rmdef n1
        rmimage other --plan
        rmimage other
        rmimage other
        rmimage other --xcatdef
        lsdef -t osimage
    "), @"
    $ rmimage other
    ------- stderr -------
    Error: image other is in use: n1 is defined with it
    Hint: give these another image, or remove it all the same with -f
    [exit status: 1]
    $ rmdef n1
    1 object definitions have been removed.
    $ rmimage other --plan
    other: remove $XCRANE_HOME/images/other
    [exit status: 2]
    $ rmimage other
    other: removed $XCRANE_HOME/images/other
    $ rmimage other
    ------- stderr -------
    Warning: nothing to remove: of image other nothing is built
    $ rmimage other --xcatdef
    other: removed the definition
    $ lsdef -t osimage
    tiny  (osimage)
    ");
}
