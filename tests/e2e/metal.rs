//! The whole way: a server with nothing on its disk boots an image over the network, becomes a Docker host and carries containers.

use std::fs;
use std::time::Duration;

use ::lab::Lab;

use crate::genimage::follow_boot;
use crate::lab;
use crate::serve::{define_network, serve};

/// Packages are installed and machines are emulated, on one that may be busy: calm, each step is over in half a minute, a boot in one.
const LIMIT: Duration = Duration::from_secs(600);
const IMAGE: &str = "10.77.0.1:5000/site/busybox:1";

#[test]
fn a_server_that_starts_by_bios_carries_containers() {
    let lab = site(lab().systemd_hosts(1).machines(1));
    let _daemon = serve(&lab, "");
    let mut console = lab.spawn("rcons m1 --spy");
    boot(&lab);
    // What the firmware and the kernel said may be over before ipmi_sim has found the line of a machine that was off.
    for said in ["Detected virtualization qemu", "xcrane: booted"] {
        console.expect(said, LIMIT);
    }
    become_host(&lab);
    carry_containers(&lab);
    lose_power(&lab);
    console.terminate();
}

#[test]
fn a_server_that_starts_by_uefi_carries_containers() {
    let lab = site(lab().systemd_hosts(1).redfish_machines(1));
    let mut daemon = serve(&lab, "");
    boot(&lab);
    daemon.expect_error("snponly.efi", LIMIT);
    let firmware = ["power", "DHCP, firmware", "loader", "snponly.efi, ", "DHCP, iPXE", "script", "kernel"];
    follow_boot(&lab, &[&firmware[..], &["DHCP, system", "root file system", "booted", "up after"]].concat());
    become_host(&lab);
    carry_containers(&lab);
    lose_power(&lab);
}

/// Host h1, server m1, and the image that it is to boot.
fn site(lab: Lab) -> Lab {
    let lab = lab.define_hosts();
    define_network(&lab);
    // An emulated machine takes seconds for what others do at once.
    lab.run("chdef -t site connecttimeout=60 requesttimeout=300").success();
    lab.run(&lab.server(1).definition().join(" ")).success();
    lab.run("chdef m1 serialport=0 serialspeed=115200 provmethod=host").success();
    lab.run("chdef h1,m1 dockertrust=10.77.0.1:5000").success();
    // Each lab has a key of its own for ssh, and the image opens to one that comes with it.
    lab.run("chdef -t site sshkeys=.ssh/id_ed25519,made").success();
    lab.once("made.tar", || make_image(&lab));
    lab.shell("tar -xf made.tar").success();
    lab.run("imgimport image.tar host").success();
    lab
}

fn make_image(lab: &Lab) {
    let list = lab.home().join("made.pkglist");
    fs::write(&list, "systemd-sysv, udev, openssh-server\ndocker.io\nlinux-image-cloud-amd64\n").expect("a file");
    let small = lab.home().join("small");
    fs::write(&small, "./boot/*\n./usr/share/doc/*\n./usr/share/locale/*\n./usr/share/man/*\n").expect("a file");
    let packages = lab.package_directory();
    lab.run(&format!(
        "mkdef -t osimage made imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64 pkglist={} pkgdir={} exlist={}",
        list.display(), packages.display(), small.display()
    ))
    .success();
    lab.shell("ssh-keygen -q -t ed25519 -N '' -f made").success();
    let plan = lab.run("genimage made --plan").success();
    assert!(plan.contains("docker.io") && plan.contains("apparmor"), "an engine needs more than its package: {plan}");
    long(lab, "genimage made");
    long(lab, "packimage made -c zstd:1");
    long(lab, "imgexport made image.tar");
    lab.shell("tar -cf made.tar made made.pub image.tar").success();
}

/// What may take longer than commands usually do.
#[track_caller]
fn long(lab: &Lab, line: &str) -> String {
    let run = lab.spawn(line).wait(LIMIT);
    assert_eq!(run.code, 0, "{line}: {run}");
    run.stdout
}

fn boot(lab: &Lab) {
    let told = long(lab, &format!("rinstall m1 --wait {}", LIMIT.as_secs()));
    assert!(told.contains("m1: on\n") && told.ends_with("m1: booted\n"), "{told}");
    lab.server(1).await_console("xcrane: booted", 1, LIMIT);
    // Its key for ssh is the one that was made for it, so that nobody has to take it on trust.
    let key = lab.shell("cut -d' ' -f2 $XCRANE_HOME/nodes/m1/ssh_host_ed25519_key.pub").success();
    let shown = long(lab, "xdsh m1 'ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key'");
    assert!(shown.contains(&key), "{shown} is not {key}");
}

fn become_host(lab: &Lab) {
    long(lab, "mkregistry h1");
    long(lab, "mkhost h1,m1");
    assert_eq!(lab.spawn("mkhost h1,m1 --plan").wait(LIMIT).code, 0, "nothing is left to do");
    let stands_on = long(lab, "xdsh m1 'docker info --format {{.Driver}}; stat -f -c %T /var/lib/docker'");
    assert_eq!(stands_on, "m1: overlay2\nm1: tmpfs\n");
    long(lab, &format!("imgload h1 busybox.tar --name {IMAGE}"));
    long(lab, &format!("imgpush h1 {IMAGE}"));
    // The card that m1 has booted by, and has its lease on, goes into a bridge.
    lab.run("mkdef -t network blue driver=bridge uplink=eth0 net=10.80.0.0 mask=255.255.0.0 hosts=h1,m1").success();
    long(lab, "mknet blue");
    assert_eq!(lab.spawn("mknet blue --plan").wait(LIMIT).code, 0, "nothing is left to do");
    let addresses = long(lab, "xdsh m1 'ip -o -4 addr show | grep 10.77; networkctl renew br-blue'");
    assert!(addresses.contains("br-blue") && !addresses.contains("eth0"), "{addresses}");
}

fn carry_containers(lab: &Lab) {
    lab.run(&format!(
        "mkdef c[1-3] groups=web mgt=docker image={IMAGE} vmnics=blue ip='|10.80.0.($1+0)|' dockertty=yes \
         dockercommand=sh dockerstoptimeout=1 vmhost=m1"
    ))
    .success();
    lab.run("chdef c3 vmhost=h1").success();
    long(lab, "mkvm web");
    long(lab, "rpower web on");
    let reached = long(lab, "chknet blue --all");
    assert!(reached.contains("6 of 6 pass"), "{reached}");
    let said = lab.shell("echo 'echo I am $(hostname -i)' | xcrane rcons c1 --wait 10");
    assert!(said.stdout.contains("I am 10.80.0.1"), "{said}");
}

fn lose_power(lab: &Lab) {
    let refused = lab.spawn("rpower m1 off").wait(LIMIT);
    assert!(refused.code == 1 && refused.stderr.contains("containers run on it: c[1-2]"), "{refused}");
    assert_eq!(lab.run("rpower m1 stat").success(), "m1: on");
    let drained = long(lab, "rpower m1 off --drain");
    assert!(["c1: off\n", "c2: off\n", "m1: off\n"].iter().all(|said| drained.contains(said)), "{drained}");
    assert_eq!(lab.run("rpower m1,c3 stat").sorted().stdout, "c3: on\nm1: off\n");
}
