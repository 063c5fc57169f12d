//! `nodeset`: what is written, what is refused, and the scripts that come of it.

use std::fs;

use ::lab::Lab;
use insta::assert_snapshot;

use crate::{lab, session};

/// n1 and n2 with MAC addresses, n3 without, c1 that is a container; an image as packimage publishes it, one of xCAT's shape.
fn site() -> Lab {
    let lab = lab();
    lab.run("mkdef n[1-2] groups=rack1,all mgt=ipmi mac='|52:54:00:00:00:0($1)|' serialport=0 serialspeed=115200")
        .success();
    lab.run("mkdef n3 groups=all mgt=ipmi").success();
    lab.run("mkdef c1 groups=all mgt=docker mac=52:54:00:00:00:09").success();
    lab.run("chdef -t site master=10.0.0.1").success();
    lab.run("mkdef -t osimage deb12 imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64 profile=compute addkcmdline=panic=60")
        .success();
    let image = lab.home().join("rocky9");
    let line = format!("mkdef -t osimage rocky9 imagetype=linux provmethod=netboot rootimgdir={}", image.display());
    lab.run(&line).success();
    lab.shell(
        "mkdir -p rocky9 $XCRANE_HOME/images/deb12 && touch rocky9/kernel rocky9/initrd-stateless.gz rocky9/rootimg.cpio.gz && \
         cd $XCRANE_HOME/images/deb12 && touch kernel initrd root.sqfs && echo 'c0ffee  root.sqfs' >sha256sums",
    )
    .success();
    lab
}

#[test]
fn nodes_are_told_what_to_boot() {
    let lab = site();
    assert_snapshot!(session(&lab, "
        nodeset all stat -b
        nodeset rack1 osimage=deb12
        nodels n1 bootparams.kernel bootparams.initrd bootparams.kcmdline nodetype.provmethod nodetype.os chain.currstate
        nodeset n1 --show
        chdef n1 addkcmdline='ip={{ node.ip }}' ip=10.0.0.7
        nodeset n1 --show | grep kernel
        nodeset n2 osimage=rocky9
        nodeset n2 --show | grep kernel
        nodeset n1 offline
        nodeset n1 osimage
        nodeset all stat -b
        nodeset n1 boot --show --json
        nodeset n1 stat
        deflog -n 1
    "), @r##"
    $ nodeset all stat -b
    c1,n[1-3]: boot
    $ nodeset rack1 osimage=deb12
    n1: netboot debian12-x86_64-compute
    n2: netboot debian12-x86_64-compute
    $ nodels n1 bootparams.kernel bootparams.initrd bootparams.kcmdline nodetype.provmethod nodetype.os chain.currstate
    n1: bootparams.kernel: image/deb12/kernel
    n1: bootparams.initrd: image/deb12/initrd
    n1: bootparams.kcmdline: xcrane.root={{ server }}/image/deb12/root.sqfs xcrane.sha256={{ digest }} net.ifnames=0 panic=60
    n1: nodetype.provmethod: deb12
    n1: nodetype.os: debian12
    n1: chain.currstate: netboot debian12-x86_64-compute
    $ nodeset n1 --show
    n1: #!ipxe
    n1: #netboot debian12-x86_64-compute
    n1: echo xcrane: n1 boots image deb12
    n1: kernel http://10.0.0.1/image/deb12/kernel xcrane.root=http://10.0.0.1/image/deb12/root.sqfs xcrane.sha256=c0ffee net.ifnames=0 panic=60 console=tty0 console=ttyS0,115200n8 BOOTIF=01-52-54-00-00-00-01 xcrane.node=n1 xcrane.token=TOKEN xcrane.callback=http://10.0.0.1/node/52-54-00-00-00-01/status/booted?token=TOKEN initrd=initrd || goto failed
    n1: initrd http://10.0.0.1/image/deb12/initrd || goto failed
    n1: boot || goto failed
    n1: :failed
    n1: echo xcrane: n1 cannot load its image: ${errstr}
    n1: sleep 5
    n1: imgfree
    n1: chain --replace --autofree http://10.0.0.1/node/52-54-00-00-00-01 || goto failed
    $ chdef n1 addkcmdline='ip={{ node.ip }}' ip=10.0.0.7
    1 object definitions have been created or modified.
    $ nodeset n1 --show | grep kernel
    n1: kernel http://10.0.0.1/image/deb12/kernel xcrane.root=http://10.0.0.1/image/deb12/root.sqfs xcrane.sha256=c0ffee net.ifnames=0 panic=60 console=tty0 console=ttyS0,115200n8 ip=10.0.0.7 BOOTIF=01-52-54-00-00-00-01 xcrane.node=n1 xcrane.token=TOKEN xcrane.callback=http://10.0.0.1/node/52-54-00-00-00-01/status/booted?token=TOKEN initrd=initrd || goto failed
    $ nodeset n2 osimage=rocky9
    n2: netboot rocky9
    $ nodeset n2 --show | grep kernel
    n2: kernel http://10.0.0.1/image/rocky9/kernel imgurl=http://10.0.0.1/image/rocky9/rootimg.cpio.gz XCAT=10.0.0.1:3001 NODE=n2 console=tty0 console=ttyS0,115200n8 BOOTIF=01-52-54-00-00-00-02 xcrane.node=n2 xcrane.token=TOKEN xcrane.callback=http://10.0.0.1/node/52-54-00-00-00-02/status/booted?token=TOKEN initrd=initrd-stateless.gz || goto failed
    $ nodeset n1 offline
    n1: offline
    $ nodeset n1 osimage
    n1: netboot debian12-x86_64-compute
    $ nodeset all stat -b
    c1,n3: boot
    n1: netboot debian12-x86_64-compute
    n2: netboot rocky9
    $ nodeset n1 boot --show --json
    {"node":"n1","answer":["#!ipxe","#boot","echo xcrane: n1 boots from its disk","iseq ${platform} efi && goto firmware ||","sanboot --no-describe --drive 0x80 ||",":firmware","exit 1"]}
    $ nodeset n1 stat
    n1: netboot debian12-x86_64-compute
    $ deflog -n 1
    11 $TIME root 1 row: nodeset n1 osimage
    "##);
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let lab = site();
    assert_snapshot!(session(&lab, "
        nodeset all osimage=deb12
        nodeset rack1 osimage=bogus
        nodeset rack1 osimage
        nodeset rack1 runcmd=bmcsetup
        nodeset rack1 install=deb12
        nodeset rack1 bogus
        nodeset rack1 boot,osimage
        nodeset rack1 runimage=foo
        chdef n1 currstate=garbage
        nodeset n1 reboot --show
        chdef n2 addkcmdline='ip={{ nodes.ip }}'
        nodeset rack1 osimage=deb12
        chdef n2 addkcmdline='a || b'
        nodeset rack1 osimage=deb12
        rm $XCRANE_HOME/images/deb12/sha256sums $XCRANE_HOME/images/deb12/initrd
        nodeset n1 osimage=deb12
        chdef -t osimage deb12 provmethod=install
        nodeset n1 osimage=deb12
        nodeset n3 offline
        nodeset all stat -b
    "), @"
    $ nodeset all osimage=deb12
    ------- stderr -------
    c1: Error: it is a container, which does not boot over the network
    n3: Error: No MAC address available for this node
    Error: nothing was done: c1,n3 cannot be served as defined
    Hint: set it with: chdef NODE mac=…
    [exit status: 1]
    $ nodeset rack1 osimage=bogus
    ------- stderr -------
    Error: Cannot find the OS image bogus in the osimage table
    [exit status: 1]
    $ nodeset rack1 osimage
    ------- stderr -------
    n1: Error: OS image name must be specified in nodetype.provmethod
    n2: Error: OS image name must be specified in nodetype.provmethod
    Error: nothing was done: n[1-2] cannot be served as defined
    Hint: name it: nodeset NODE osimage=IMAGE
    [exit status: 1]
    $ nodeset rack1 runcmd=bmcsetup
    ------- stderr -------
    Error: there is no maintenance system in $XCRANE_HOME/genesis
    Hint: make it with: mknb x86_64
    [exit status: 1]
    $ nodeset rack1 install=deb12
    ------- stderr -------
    error: invalid value 'install=deb12' for '[STATE]': install, netboot and statelite are words of old: osimage=IMAGE says which and how

    For more information, try '--help'.
    [exit status: 2]
    $ nodeset rack1 bogus
    ------- stderr -------
    error: invalid value 'bogus' for '[STATE]': 'bogus' is no state; states are osimage[=IMAGE], boot, offline, shell, standby, runcmd=COMMAND, runimage=URL, reboot, shutdown

    For more information, try '--help'.
    [exit status: 2]
    $ nodeset rack1 boot,osimage
    ------- stderr -------
    error: invalid value 'boot,osimage' for '[STATE]': nobody hears of the end of boot: it can only be the last

    For more information, try '--help'.
    [exit status: 2]
    $ nodeset rack1 runimage=foo
    ------- stderr -------
    error: invalid value 'runimage=foo' for '[STATE]': 'foo' is no address: runimage=http://SERVER/FILE.tgz, of an archive with a script runme.sh

    For more information, try '--help'.
    [exit status: 2]
    $ chdef n1 currstate=garbage
    ------- stderr -------
    Error: 'currstate=garbage' is refused: states are boot, shell, standby, offline, discover, reboot, shutdown, runcmd=…, runimage=…, install …, netboot …; nodeset sets them
    [exit status: 1]
    $ nodeset n1 reboot --show
    n1: #!ipxe
    n1: #reboot
    n1: echo xcrane: n1 has been through its firmware once more and boots from its disk
    n1: iseq ${platform} efi && goto firmware ||
    n1: sanboot --no-describe --drive 0x80 ||
    n1: :firmware
    n1: exit 1
    $ chdef n2 addkcmdline='ip={{ nodes.ip }}'
    1 object definitions have been created or modified.
    $ nodeset rack1 osimage=deb12
    ------- stderr -------
    n2: Error: attribute 'addkcmdline' has {{ nodes.ip }}, for which nothing stands: there are address, again, digest, mac, name, server, state, task, token and node.ATTRIBUTE
    Error: nothing was done: n2 cannot be served as defined
    Hint: the others can be served: NODERANGE,-(n2) leaves out who cannot
    [exit status: 1]
    $ chdef n2 addkcmdline='a || b'
    1 object definitions have been created or modified.
    $ nodeset rack1 osimage=deb12
    ------- stderr -------
    n2: Error: the kernel's command line has the word '||', at which iPXE ends it
    Error: nothing was done: n2 cannot be served as defined
    Hint: the others can be served: NODERANGE,-(n2) leaves out who cannot
    [exit status: 1]
    $ rm $XCRANE_HOME/images/deb12/sha256sums $XCRANE_HOME/images/deb12/initrd
    $ nodeset n1 osimage=deb12
    ------- stderr -------
    Error: image deb12 lacks an initial RAM disk in $XCRANE_HOME/images/deb12
    [exit status: 1]
    $ chdef -t osimage deb12 provmethod=install
    1 object definitions have been created or modified.
    $ nodeset n1 osimage=deb12
    ------- stderr -------
    Error: image deb12 lacks the kernel and the RAM disk of an installer that boots from the network (as package debian-installer-12-netboot-amd64 has them; those of a medium look for its CD) in $XCRANE_HOME/images/deb12
    [exit status: 1]
    $ nodeset n3 offline
    n3: offline
    $ nodeset all stat -b
    c1,n[1-2]: boot
    n3: offline
    ");
}

#[test]
fn the_maintenance_system_and_templates_of_the_site() {
    let lab = site();
    fs::create_dir_all(lab.state().join("genesis")).unwrap();
    fs::write(lab.state().join("genesis/kernel.x86_64"), "k").unwrap();
    fs::create_dir_all(lab.state().join("boot")).unwrap();
    fs::write(lab.state().join("boot/disk.ipxe"), "#!ipxe\necho {{ name }} in {{ node.groups }}\n").unwrap();
    assert_snapshot!(session(&lab, "
        nodeset n1 runcmd=bmcsetup,osimage=deb12
        nodeset n1 stat
        nodeset n1 stat --json
        nodels n1 chain.currchain
        nodeset n1 --show
        nodeset n1 shell
        nodels n1 chain.currchain
        nodeset n2 boot --show
        nodeset n3 --show
    "), @r#"
    $ nodeset n1 runcmd=bmcsetup,osimage=deb12
    n1: runcmd=bmcsetup,osimage=deb12
    $ nodeset n1 stat
    n1: runcmd=bmcsetup,osimage=deb12
    $ nodeset n1 stat --json
    {"node":"n1","answer":"runcmd=bmcsetup,osimage=deb12"}
    $ nodels n1 chain.currchain
    n1: osimage=deb12
    $ nodeset n1 --show
    n1: #!ipxe
    n1: #runcmd=bmcsetup
    n1: echo xcrane: n1 boots the maintenance system for runcmd
    n1: iseq ${buildarch} arm64 && set arch aarch64 || set arch x86_64
    n1: kernel http://10.0.0.1/genesis/kernel.${arch} quiet xcatd=10.0.0.1 "destiny=runcmd" xcrane.server=http://10.0.0.1 console=tty0 console=ttyS0,115200n8 BOOTIF=01-52-54-00-00-00-01 xcrane.node=n1 xcrane.token=TOKEN xcrane.callback=http://10.0.0.1/node/52-54-00-00-00-01/status/booted?token=TOKEN initrd=initrd.${arch} || goto failed
    n1: initrd http://10.0.0.1/genesis/initrd.${arch} || goto failed
    n1: boot || goto failed
    n1: :failed
    n1: echo xcrane: n1 cannot load the maintenance system: ${errstr}
    n1: sleep 5
    n1: imgfree
    n1: chain --replace --autofree http://10.0.0.1/node/52-54-00-00-00-01 || goto failed
    $ nodeset n1 shell
    n1: shell
    $ nodels n1 chain.currchain
    n1: 
    $ nodeset n2 boot --show
    n2: #!ipxe
    n2: echo n2 in rack1,all
    $ nodeset n3 --show
    ------- stderr -------
    n3: Error: No MAC address available for this node
    Hint: set it with: chdef NODE mac=…
    [exit status: 1]
    "#);
}

#[test]
fn a_system_is_installed_to_the_disk() {
    let lab = site();
    let installer = lab.home().join("installer");
    fs::create_dir_all(&installer).unwrap();
    let define =
        "mkdef -t osimage inst imagetype=linux provmethod=install osvers=debian12 osarch=x86_64 profile=compute";
    lab.run(&format!("{define} kerneldir={}", installer.display())).success();
    assert_snapshot!(session(&lab, "
        nodeset n1 osimage=inst
        touch installer/linux installer/initrd.gz
        chtab key=system passwd.username=root passwd.password=cluster
        nodeset n1 osimage=inst --show | grep -E '== |kernel|password-crypted|status/installed'
        nodeset n1 osimage=inst
        lsdef n1 -i kernel,initrd,kcmdline,currstate
    "), @r#"
    $ nodeset n1 osimage=inst
    ------- stderr -------
    Error: image inst lacks the kernel and the RAM disk of an installer that boots from the network (as package debian-installer-12-netboot-amd64 has them; those of a medium look for its CD) in $XCRANE_HOME/images/inst and $HOME/installer and $HOME/installer/
    [exit status: 1]
    $ touch installer/linux installer/initrd.gz
    $ chtab key=system passwd.username=root passwd.password=cluster
    $ nodeset n1 osimage=inst --show | grep -E '== |kernel|password-crypted|status/installed'
    n1: kernel http://10.0.0.1/image/inst/linux auto=true priority=critical url=http://10.0.0.1/node/52-54-00-00-00-01/install/TOKEN/preseed.cfg hostname=n1 console=tty0 console=ttyS0,115200n8 BOOTIF=01-52-54-00-00-00-01 xcrane.node=n1 xcrane.token=TOKEN xcrane.callback=http://10.0.0.1/node/52-54-00-00-00-01/status/booted?token=TOKEN initrd=initrd.gz || goto failed
    n1: == preseed.cfg
    n1: d-i passwd/root-password-crypted password ***
    n1: == finish.sh
    n1: get -o /dev/null "$node/status/installed?token=$token"
    $ nodeset n1 osimage=inst
    n1: install debian12-x86_64-compute
    $ lsdef n1 -i kernel,initrd,kcmdline,currstate
    Object name: n1
        currstate=install debian12-x86_64-compute
        initrd=image/inst/initrd.gz
        kcmdline=auto=true priority=critical url={{ again }}/install/{{ token }}/preseed.cfg hostname={{ name }}
        kernel=image/inst/linux
    "#);
}
