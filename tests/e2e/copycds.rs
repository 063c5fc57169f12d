//! `copycds` of a medium as a directory and as an ISO, and what its installer is given.

use insta::assert_snapshot;

use crate::serve::{serve, site};
use crate::{session, write};

#[test]
fn a_medium_becomes_an_image_that_is_served() {
    let lab = site();
    lab.shell(
        "mkdir -p cd/images/pxeboot cd/BaseOS empty && cd cd && echo kernel >images/pxeboot/vmlinuz && echo initrd >images/pxeboot/initrd.img
        printf '[general]\\nfamily = Rocky Linux\\nversion = 9.4\\narch = x86_64\\n' >.treeinfo
        echo package >BaseOS/a.rpm && cd .. && chmod -R a-w cd && xorriso -as mkisofs -quiet -R -o cd.iso cd",
    )
    .success();
    let install = lab.home().join("install");
    lab.run(&format!("chdef -t site installdir={}", install.display())).success();
    assert_snapshot!(session(&lab, "
        copycds -i cd
        copycds -i cd.iso
        copycds empty
        copycds -n plan9 -a x86_64 empty
        copycds -n rocky9.9/.. -a x86_64 empty
        copycds nowhere
        copycds cd.iso
        copycds cd
        lsdef -t osimage
        lsdef -t osimage rocky9.4-x86_64-install-compute -i osvers,osarch,provmethod,pkgdir
        find install -name '.*' ! -name .treeinfo ! -name '*.lock'
        chtab key=system passwd.username=root passwd.password=cluster
        nodeset n1 osimage=rocky9.4-x86_64-install-compute
    "), @"
    $ copycds -i cd
    rocky9.4-x86_64-install-compute
    $ copycds -i cd.iso
    rocky9.4-x86_64-install-compute
    $ copycds empty
    ------- stderr -------
    Error: empty does not say which system it installs: it has neither .disk/info nor .treeinfo of one that is known
    Hint: say it: copycds -n OSVERS -a ARCH MEDIUM
    [exit status: 1]
    $ copycds -n plan9 -a x86_64 empty
    ------- stderr -------
    Error: 'plan9' has no installer here
    Hint: it begins with debian, ubuntu, alma, centos, fedora, ol, rhel or rocky
    [exit status: 1]
    $ copycds -n rocky9.9/.. -a x86_64 empty
    ------- stderr -------
    Error: OSVERS and ARCH are no paths
    [exit status: 2]
    $ copycds nowhere
    ------- stderr -------
    Error: cannot read nowhere: No such file or directory (os error 2)
    [exit status: 1]
    $ copycds cd.iso
    Defined osimage rocky9.4-x86_64-install-compute of $HOME/install/rocky9.4/x86_64.
    $ copycds cd
    Defined osimage rocky9.4-x86_64-install-compute of $HOME/install/rocky9.4/x86_64.
    $ lsdef -t osimage
    rocky9.4-x86_64-install-compute  (osimage)
    $ lsdef -t osimage rocky9.4-x86_64-install-compute -i osvers,osarch,provmethod,pkgdir
    Object name: rocky9.4-x86_64-install-compute
        osarch=x86_64
        osvers=rocky9.4
        pkgdir=$HOME/install/rocky9.4/x86_64
        provmethod=install
    $ find install -name '.*' ! -name .treeinfo ! -name '*.lock'
    $ chtab key=system passwd.username=root passwd.password=cluster
    $ nodeset n1 osimage=rocky9.4-x86_64-install-compute
    n1: install rocky9.4-x86_64-compute
    ");
    let _daemon = serve(&lab, "--services http");
    let n1 = lab.client("52:54:00:77:00:01");
    n1.shell("ip addr add 10.77.0.9/24 dev eth0").success();
    let kickstart = n1.shell(
        "set -e; node=http://10.77.0.254/node/52-54-00-77-00-01; script=$(curl -sf $node)
        token=$(echo \"$script\" | sed -n 's/.*xcrane.token=\\([^ ]*\\).*/\\1/p')
        curl -sf $(echo \"$script\" | sed -n 's/^kernel \\([^ ]*\\).*/\\1/p')
        curl -sf $node/install/$token/kickstart.cfg | sed 's/[$]6[$].*/HASH/' | grep -E '^(url|rootpw)'
        curl -sf $(curl -sf $node/install/$token/kickstart.cfg | sed -n 's/^url --url=//p')/BaseOS/a.rpm",
    );
    assert_snapshot!(kickstart.success(), @"
    kernel
    url --url=http://10.77.0.254/media/rocky9.4-x86_64-install-compute
    rootpw --iscrypted HASH
    package
    ");
    // Read by what reads it in their installers.
    let answers = n1.shell(
        "curl -sf $(curl -sf http://10.77.0.254/node/52-54-00-77-00-01 | sed -n 's/.*inst.ks=\\([^ ]*\\).*/\\1/p')",
    );
    write(&lab, "kickstart.cfg", &answers.success());
    for version in ["RHEL8", "RHEL9", "RHEL10"] {
        let read = lab.check_kickstart(version, "kickstart.cfg");
        assert!(read.code == 0 && read.stderr.is_empty(), "{read}");
    }
    write(&lab, "kickstart.cfg", "autopart --type=marble\n");
    let refused = lab.check_kickstart("RHEL9", "kickstart.cfg");
    assert!(refused.code == 1 && refused.stderr.contains("marble"), "{refused}");
}
