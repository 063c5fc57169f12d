//! A disk install run to its end: Debian's own installer, on a machine with an empty disk. Too long for every day: `make test-install`.

use std::fs;
use std::time::Duration;

use ::lab::Lab;

use crate::genimage::follow_boots;
use crate::lab;
use crate::serve::{define_network, serve};

/// Calm, an installation is over in a quarter of it.
const LIMIT: Duration = Duration::from_secs(6000);

#[test]
#[ignore = "an emulated machine takes half an hour: make test-install"]
fn debian_is_installed_on_a_disk() {
    let lab = lab().machines(1);
    let image = define(&lab);
    let _daemon = serve(&lab, "");
    let installed = lab.spawn(&format!("rinstall m1 osimage={image} --wait {}", LIMIT.as_secs())).wait(LIMIT);
    assert!(installed.code == 0 && installed.stdout.ends_with("m1: booted\n"), "{installed}\n{}", last_words(&lab));
    for status in ["m1: installing", "m1: installed"] {
        assert!(installed.stdout.contains(status), "{installed}");
    }
    assert_eq!(lab.run("nodeset m1 stat").success(), "m1: boot");
    // Root logs in with the key of this machine, on a system that has started from its disk.
    let shown = lab.run("xdsh m1 'hostname; findmnt -n -o SOURCE /; . /etc/os-release; echo $ID $VERSION_ID; cat /root/post /root/postboot'");
    let expected =
        "m1: m1\nm1: /dev/vda1\nm1: debian 13\nm1: post of m1 by 10.77.0.254\nm1: postboot of m1 by 10.77.0.254\n";
    assert_eq!(shown.to_string(), expected, "{}", last_words(&lab));
    // What had to be done once is not there to be done again, and the next start needs nothing of ours but the word to go on.
    let left = lab.run(
        "xdsh m1 'ls -A /var/lib/xcrane /xcatpost /etc/systemd/system/xcrane-first-start.service 2>/dev/null; true'",
    );
    assert_eq!(left.success(), "");
    // The installation, and the start from disk.
    let stages = [
        "power",
        "DHCP, iPXE",
        "script",
        "kernel",
        "initial RAM disk",
        "installer",
        "postscripts",
        "it was installed",
        "script",
        "booted",
    ];
    follow_boots(&lab, 2, &stages);
    lab.run("rpower m1 off").success();
}

/// The image of the medium, which is named, and m1 with what is to run on it.
fn define(lab: &Lab) -> String {
    define_network(lab);
    lab.shell("mkdir -p -m 700 .ssh && ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519").success();
    let medium = lab.installation_medium();
    let install = lab.home().join("install");
    fs::create_dir_all(install.join("postscripts")).expect("a directory");
    for name in ["post", "postboot"] {
        let script = format!("echo \"{name} of $NODE by $MASTER\" >/root/{name}\n");
        fs::write(install.join("postscripts").join(name), script).expect("a file");
    }
    // Another program is slow where the machine is emulated.
    lab.run(&format!(
        "chdef -t site installdir={} boottimeout=7200 connecttimeout=60 requesttimeout=300",
        install.display()
    ))
    .success();
    let copied = lab.run(&format!("copycds {}", medium.display())).success();
    let mut words = copied.trim_start_matches("Defined osimage ").trim_end_matches('.').split(" of ");
    let [image, place] = [(); 2].map(|()| words.next().expect("an image and its place"));
    assert!(image.starts_with("debian13.") && image.ends_with("-x86_64-install-compute"), "{copied}");
    lab.run(&format!("chdef -t osimage {image} kerneldir={place}/netboot")).success();
    lab.run(&lab.server(1).definition().join(" ")).success();
    lab.run("chdef m1 serialport=0 serialspeed=115200 postscripts=post postbootscripts=postboot").success();
    image.to_owned()
}

/// What tells why an installer does not get on.
fn last_words(lab: &Lab) -> String {
    let console = lab.server(1).console();
    let last: String = console.chars().skip(console.chars().count().saturating_sub(6000)).collect();
    format!("{}\n{last}", lab.run("bootwhy m1").stdout)
}
