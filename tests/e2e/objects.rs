//! Objects that mkdef makes, chdef renames and lsdef shows.

use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn racks_kits_and_whatever_else_xcat_defines() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        mkdef -t rack -o r1 num=3 height=42 room=cellar
        mkdef -t boottarget -o memtest kernel=memtest86
        mkdef -t firmware -o n1 cfgfile=/firmware/n1
        mkdef -t kit -o k-1.0 basename=k version=1.0
        mkdef -t kitrepo -o k-rocky9 kitname=k-1.0 osbasename=rocky
        mkdef -t kitcomponent -o k-all kitname=k-1.0 kitpkgdeps=a,b
        mkdef -t osdistro -o rocky9.4-x86_64 basename=rocky arch=x86_64
        mkdef -t osdistroupdate -o update1 osdistroname=rocky9.4-x86_64
        mkdef -t pdu -o p1 outlet=24 snmpversion=3
        mkdef p2 groups=pdus nodetype=pdu outlet=8 community=public
        lsdef -z -t boottarget,firmware,kit,kitcomponent,kitrepo,osdistro,osdistroupdate,rack >all
        chdef -z <all
        lsdef -t kitcomponent,rack -l
        lsdef -t pdu
        lsdef p2 -i outlet,community
    "), @"
    $ mkdef -t rack -o r1 num=3 height=42 room=cellar
    1 object definitions have been created or modified.
    $ mkdef -t boottarget -o memtest kernel=memtest86
    1 object definitions have been created or modified.
    $ mkdef -t firmware -o n1 cfgfile=/firmware/n1
    1 object definitions have been created or modified.
    $ mkdef -t kit -o k-1.0 basename=k version=1.0
    1 object definitions have been created or modified.
    $ mkdef -t kitrepo -o k-rocky9 kitname=k-1.0 osbasename=rocky
    1 object definitions have been created or modified.
    $ mkdef -t kitcomponent -o k-all kitname=k-1.0 kitpkgdeps=a,b
    1 object definitions have been created or modified.
    $ mkdef -t osdistro -o rocky9.4-x86_64 basename=rocky arch=x86_64
    1 object definitions have been created or modified.
    $ mkdef -t osdistroupdate -o update1 osdistroname=rocky9.4-x86_64
    1 object definitions have been created or modified.
    $ mkdef -t pdu -o p1 outlet=24 snmpversion=3
    1 object definitions have been created or modified.
    $ mkdef p2 groups=pdus nodetype=pdu outlet=8 community=public
    1 object definitions have been created or modified.
    $ lsdef -z -t boottarget,firmware,kit,kitcomponent,kitrepo,osdistro,osdistroupdate,rack >all
    $ chdef -z <all
    8 object definitions have been created or modified.
    $ lsdef -t kitcomponent,rack -l
    Object name: k-all
        kitname=k-1.0
        kitpkgdeps=a,b
    Object name: r1
        height=42
        num=3
        room=cellar
    $ lsdef -t pdu
    p1  (pdu)
    p2  (pdu)
    $ lsdef p2 -i outlet,community
    Object name: p2
        community=***
        outlet=8
    ");
}

#[test]
fn an_image_finds_its_files() {
    let lab = lab();
    lab.shell("chdef -t site installdir=$HOME/install").success();
    lab.shell("mkdir -p install/custom/install/rocky install/custom/netboot/rocky && cd install/custom && \
               touch install/rocky/compute.rocky9.tmpl install/rocky/compute.tmpl install/rocky/compute.rocky9.4.x86_64.pkglist \
               netboot/rocky/compute.pkglist netboot/rocky/compute.exlist").success();
    assert_snapshot!(session(&lab, "
        mkdef rocky9 -u provmethod=install profile=compute osvers=rocky9.4 osarch=x86_64
        lsdef -t osimage -o rocky9
        mkdef -t osimage -o diskless -u provmethod=netboot profile=compute osvers=rocky9.4 osarch=x86_64 exlist=/mine
        lsdef -t osimage -o diskless -i pkglist,exlist,rootimgdir
        mkdef x -u provmethod=install profile=login osvers=rocky9.4 osarch=x86_64
        mkdef x -u provmethod=boot profile=login osvers=rocky9.4
        mkdef x -u profile=login
        mkdef -t node x -u groups=all
    "), @"
    $ mkdef rocky9 -u provmethod=install profile=compute osvers=rocky9.4 osarch=x86_64
    1 object definitions have been created or modified.
    $ lsdef -t osimage -o rocky9
    Object name: rocky9
        imagetype=linux
        osarch=x86_64
        osdistroname=rocky9.4-x86_64
        osname=Linux
        osvers=rocky9.4
        otherpkgdir=$HOME/install/post/otherpkgs/rocky9.4/x86_64
        pkgdir=$HOME/install/rocky9.4/x86_64
        pkglist=$HOME/install/custom/install/rocky/compute.rocky9.4.x86_64.pkglist
        profile=compute
        provmethod=install
        template=$HOME/install/custom/install/rocky/compute.rocky9.tmpl
    $ mkdef -t osimage -o diskless -u provmethod=netboot profile=compute osvers=rocky9.4 osarch=x86_64 exlist=/mine
    1 object definitions have been created or modified.
    $ lsdef -t osimage -o diskless -i pkglist,exlist,rootimgdir
    Object name: diskless
        exlist=/mine
        pkglist=$HOME/install/custom/netboot/rocky/compute.pkglist
        rootimgdir=$HOME/install/netboot/rocky9.4/x86_64/compute
    $ mkdef x -u provmethod=install profile=login osvers=rocky9.4 osarch=x86_64
    ------- stderr -------
    Error: no file for template of profile 'login' in $HOME/install/custom/install/rocky and /opt/xcat/share/xcat/install/rocky
    Hint: the first of these names that is there: login.rocky9.4.x86_64.tmpl login.rocky9.x86_64.tmpl login.x86_64.tmpl login.rocky9.4.tmpl login.rocky9.tmpl login.tmpl
    [exit status: 1]
    $ mkdef x -u provmethod=boot profile=login osvers=rocky9.4
    ------- stderr -------
    Error: provmethod=boot is none of install, netboot, statelite
    [exit status: 2]
    $ mkdef x -u profile=login
    ------- stderr -------
    Error: -u needs provmethod=
    [exit status: 2]
    $ mkdef -t node x -u groups=all
    ------- stderr -------
    Error: -u goes with -t osimage
    [exit status: 2]
    ");
}

#[test]
fn guests_follow_a_host_that_gets_another_name() {
    let lab = lab();
    lab.run("mkdef h1,h2 groups=hosts").success();
    lab.run("mkdef c[1-4] groups=web mgt=docker 'vmhost=|h(($1-1)%2+1)|'").success();
    lab.run("mkdef c5 groups=all mgt=docker vmhost=h1").success();
    assert_snapshot!(session(&lab, "
        chdef h1 -n host1
        nodels c[1-5] vm.host
        deflog -n 1
        chdef host1 -n h1
        nodels c[1-5] vm.host
    "), @"
    $ chdef h1 -n host1
    Changed the object name from h1 to host1.
    ------- stderr -------
    Warning: 'vmhost' of c[1,3] was computed as h1; it is host1 in their own definitions now
    $ nodels c[1-5] vm.host
    c1: host1
    c2: h2
    c3: host1
    c4: h2
    c5: host1
    $ deflog -n 1
    4 $TIME root 5 rows: chdef h1 -n host1
    $ chdef host1 -n h1
    Changed the object name from host1 to h1.
    $ nodels c[1-5] vm.host
    c1: h1
    c2: h2
    c3: h1
    c4: h2
    c5: h1
    ");
}

#[test]
fn own_values_make_the_same_nodes_again() {
    let lab = lab();
    lab.run("mkdef n[1-2] groups=web,all").success();
    lab.run("chdef -t group -o web mgt=docker vmmemory=1G 'ip=|10.0.0.($1)|'").success();
    lab.run("chdef n2 vmmemory=2G 'vmhost=|h($1)|'").success();
    assert_snapshot!(session(&lab, "
        lsdef n2 -z
        lsdef n2 -z --own
        lsdef all --own -i vmmemory -c
        dumpxCATdb -p before; lsdef all -z --own >nodes; rmdef all; mkdef -z <nodes
        dumpxCATdb -p after; diff -r before after
    "), @"
    $ lsdef n2 -z
    # <xCAT data object stanza file>

    n2:
        objtype=node
        groups=web,all
        ip=10.0.0.2
        mgt=docker
        vmhost=h2
        vmmemory=2G
    $ lsdef n2 -z --own
    # <xCAT data object stanza file>

    n2:
        objtype=node
        groups=web,all
        vmhost=|h($1)|
        vmmemory=2G
    $ lsdef all --own -i vmmemory -c
    n1: vmmemory=
    n2: vmmemory=2G
    $ dumpxCATdb -p before; lsdef all -z --own >nodes; rmdef all; mkdef -z <nodes
    2 object definitions have been removed.
    2 object definitions have been created or modified.
    $ dumpxCATdb -p after; diff -r before after
    ");
}

#[test]
fn the_images_of_nodes_come_with_them() {
    let lab = lab();
    lab.run("mkdef -t osimage -o rocky imagetype=linux osvers=rocky9 pkglist=/install/rocky.pkglist").success();
    lab.run("mkdef n[1-2] groups=all provmethod=rocky").success();
    lab.run("mkdef c1 groups=all provmethod=busybox").success();
    assert_snapshot!(session(&lab, "lsdef all --osimage"), @"
    $ lsdef all --osimage
    Object name: c1
        groups=all
        provmethod=busybox
    Object name: n1
        groups=all
        provmethod=rocky
    Object name: n2
        groups=all
        provmethod=rocky
    Object name: rocky
        imagetype=linux
        osvers=rocky9
        pkglist=/install/rocky.pkglist
    ");
}
