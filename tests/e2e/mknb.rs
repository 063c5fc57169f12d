//! `mknb`, and the way of a machine that nobody knows: firmware, discovery, its node's chain, its disk.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;

use crate::serve::{define_network, serve};
use crate::{lab, write};

/// A machine is emulated, on one that may be busy: calm, it takes some fifteen seconds.
const LIMIT: Duration = Duration::from_secs(300);

/// The lab's kernel for virtual machines, as a package.
fn kernel(lab: &Lab) -> PathBuf {
    let entries = fs::read_dir(lab.package_directory()).expect("the lab has packages");
    let mut packages = entries.flatten().map(|entry| entry.path());
    let is_kernel = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("linux-image-") && name.contains("-cloud-amd64_") && !name.starts_with("linux-image-cloud")
    };
    packages.find(is_kernel).expect("a kernel is among the lab's packages")
}

#[test]
fn a_machine_that_nobody_knows_becomes_its_node_and_goes_through_its_chain() {
    let lab = lab().machines(1);
    define_network(&lab);
    let bmc = lab.server(1).address();
    lab.run(&format!(
        "mkdef m1 groups=metal,all mgt=ipmi bmc={bmc} bmcusername=admin bmcpassword=secret ip=10.77.0.101 serial=LAB-1 \
         chain='runcmd=hello big world,runcmd=hello again,boot'"
    ))
    .success();
    // Stands for tcpdump: it hears the switch when the machine has long been its node, and the first command waits until that was told.
    write(&lab, "neighbour", "#!/bin/sh\nwhile [ ! -e /run/hear ]; do sleep 1; done\nprintf 'sw1\\t7\\n'\n");
    let hello = "#!/bin/sh\necho \"xcrane-test: hello $*\"\n: >/run/hear\n\
        for try in $(seq 60); do [ ! -s /run/told ] || exit 0; sleep 1; done\n";
    write(&lab, "hello", hello);
    let (home, kernel) = (lab.home().display().to_string(), kernel(&lab));
    let mknb = format!("mknb x86_64 --package {} --add {home}/hello --add {home}/neighbour", kernel.display());
    let made = lab.spawn(&mknb).wait(LIMIT);
    assert!(made.code == 0 && made.stdout.starts_with("genesis: made kernel 6.") && made.stderr.is_empty(), "{made}");
    let genesis = lab.state().join("genesis/initrd.x86_64");
    let list = lab.shell(&format!("busybox zcat {} | busybox cpio -t 2>/dev/null", genesis.display())).success();
    let has = |name: &str| list.lines().any(|line| line.trim_start_matches('/') == name);
    assert!(has("bin/hello") && has("bin/neighbour") && !has("bin/tcpdump"), "{list}");
    assert!(has("bin/ipmitool") && list.contains("libcrypto.so"), "it comes along, with its libraries: {list}");
    let _daemon = serve(&lab, "");
    lab.run("rpower m1 on").success();
    let machine = lab.server(1);
    for (said, times) in [
        ("boots the maintenance system for discover", 1),
        ("this machine is nobody's yet", 1),
        ("this machine is node m1", 1),
        ("xcrane-test: hello big world", 1),
        ("xcrane-test: hello again", 1),
        ("m1 boots from its disk", 1),
    ] {
        machine.await_console(said, times, LIMIT);
    }
    lab.run("rpower m1 off").success();
    assert_eq!(machine.console().matches("xcrane-test: hello").count(), 2, "each step is done once");
    let release = |text: String| text.replace(|letter: char| letter.is_ascii_digit(), "0");
    assert_snapshot!(
        lab.run("nodels m1 mac.mac vpd.uuid vpd.mtm hwinv.cpucount hwinv.disksize chain.currstate nodetype.arch").success(),
        @"
    m1: mac.mac: 52:54:00:77:00:01
    m1: vpd.uuid: 4c414200-0000-4000-8000-000000000001
    m1: vpd.mtm: Lab Anvil
    m1: hwinv.cpucount: 1
    m1: hwinv.disksize: vda:4GB
    m1: chain.currstate: boot
    m1: nodetype.arch: x86_64
    "
    );
    assert_snapshot!(release(lab.run("nodels m1 hwinv.memory").success()), @"m0: 000");
    assert_snapshot!(lab.run("nodediscoverls").success(), @"
    UUID                                    NODE                METHOD         MTM                 SERIAL
    4c414200-0000-4000-8000-000000000001    m1                  serial         Lab Anvil           LAB-1
    ");
    let noted = lab.run("nodediscoverls -l").success();
    assert!(noted.contains("switchname=sw1") && noted.contains("switchport=7"), "{noted}");
    let why = lab.run("deflog m1").success();
    assert!(why.contains("xcrane serve") && why.contains("discovered 52:54:00:77:00:01"), "{why}");
    assert!(why.contains("m1 has done runcmd=hello again"), "{why}");
    runs_an_archive_and_switches_itself_off(&lab);
}

/// In the maintenance system again, and behind that in its shell, when somebody has switched it on.
fn runs_an_archive_and_switches_itself_off(lab: &Lab) {
    let machine = lab.server(1);
    let archive = "mkdir archive && printf 'echo xcrane-test: the archive has run\\n' >archive/runme.sh && \
                   tar -C archive -czf $XCRANE_HOME/genesis/archive.tgz .";
    lab.shell(archive).success();
    lab.run("nodeset m1 runimage=http://10.77.0.254/genesis/archive.tgz,shutdown,shell").success();
    lab.run("rpower m1 on").success();
    machine.await_console("xcrane-test: the archive has run", 1, LIMIT);
    machine.await_console("switching off", 1, LIMIT);
    wait_for("the end of the machine", LIMIT, || match lab.run("rpower m1 stat").stdout {
        told if told == "m1: off\n" => Wait::Ready(()),
        told => Wait::NotYet(told),
    });
    let now = lab.run("nodels m1 chain.currstate nodelist.status").success();
    assert_eq!(now, "m1: chain.currstate: shell\nm1: nodelist.status: powering-off");
    lab.run("rpower m1 on").success();
    machine.await_console("a shell, which ends by exit", 1, LIMIT);
    lab.run("rpower m1 off").success();
}

#[test]
fn what_cannot_be_made_is_refused() {
    let lab = lab();
    lab.shell("mkdir -p root/lib/modules/6.1 root/lib/modules/6.2 && touch root/lib/modules/6.1/modules.dep root/lib/modules/6.2/modules.dep").success();
    let home = lab.home();
    let said: String =
        ["/nowhere", "@/root", "@/root --kernelver 7", "@/root --kernelver 6.1", "@/root --add /etc/hostname"]
            .map(|words| {
                lab.run(&format!("mknb x86_64 --root {}", words.replace('@', &home.display().to_string()))).to_string()
            })
            .concat();
    assert_snapshot!(said, @"
    ------- stderr -------
    Error: there is no kernel with modules in /nowhere
    Hint: install linux-image-amd64 here, or name its file: mknb x86_64 --package linux-image-….deb
    [exit status: 1]
    ------- stderr -------
    Error: there are several kernels in $HOME/root: 6.1, 6.2
    Hint: choose one: mknb x86_64 --kernelver VERSION
    [exit status: 1]
    ------- stderr -------
    Error: there is no kernel 7 in $HOME/root, but 6.1, 6.2
    [exit status: 1]
    ------- stderr -------
    Error: there is no $HOME/root/boot/vmlinuz-6.1
    [exit status: 1]
    ------- stderr -------
    Error: /etc/hostname is neither a script nor a program: ldd: not a dynamic executable
    [exit status: 1]
    ");
    assert!(!lab.state().join("genesis").exists());
    let refused = lab.run("mknb aarch64");
    assert!(refused.code == 1 && refused.stderr.contains("busybox of this machine is for"), "{refused}");
}
