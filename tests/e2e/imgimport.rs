//! `imgimport`: container images become roots that boot. Bundles are in `imgexport.rs`.

use std::fs;
use std::time::Duration;

use ::lab::Lab;
use insta::assert_snapshot;

use crate::lab;
use crate::mkregistry::PLACE;

/// Packages are installed and a machine is emulated, on one that may be busy: calm, each takes half a minute.
const LIMIT: Duration = Duration::from_secs(400);

/// Writes app.tar as `docker save` would, of the lab's bare system: its root, and a layer above that which takes away what a container
/// has no need of, and has what only containers have.
const SAVE: &str = r#"
import hashlib, io, json, os, subprocess, sys, tarfile
bare = sys.argv[1]
skip = ['./dev/*', './proc/*', './sys/*', './run/*', './usr/share/doc/*', './usr/share/locale/*', './usr/share/man/*', './var/cache/*', './etc/machine-id']
low = subprocess.run(['tar', '-C', bare, '--numeric-owner', '--xattrs', '-c'] + ['--exclude=' + each for each in skip] + ['.'], stdout=subprocess.PIPE, check=True).stdout
high = io.BytesIO()
with tarfile.open(fileobj=high, mode='w') as layer:
    def add(name, text='', kind=tarfile.REGTYPE, link=''):
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size, member.mode = kind, link, len(text), 0o644
        layer.addfile(member, io.BytesIO(text.encode()))
    add('.dockerenv')
    add('etc/machine-id', '0123456789abcdef0123456789abcdef\n')
    add('etc/ssh/ssh_host_rsa_key', 'everybody knows it')
    add('etc/fstab', 'UUID=1-2 / ext4 defaults 0 1\n')
    add('etc/.wh.motd')
    add('app', kind=tarfile.SYMTYPE, link='/opt/app')
    add('app/run', 'echo')
high = high.getvalue()
digest = lambda content: hashlib.sha256(content).hexdigest()
config = json.dumps({'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + digest(each) for each in (low, high)]}}).encode()
with tarfile.open('app.tar', 'w') as archive:
    def add(name, content):
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    add('high.tar', high)
    add('low.tar', low)
    add('config.json', config)
    add('manifest.json', json.dumps([{'Config': 'config.json', 'RepoTags': ['app:1'], 'Layers': ['low.tar', 'high.tar']}]).encode())
"#;

/// A lab with app.tar at home, and an image `app` whose kernel and packages are the lab's.
fn saved() -> Lab {
    let lab = lab().network();
    let packages = lab.package_directory();
    let bare = packages.with_file_name("bare");
    std::fs::write(lab.home().join("save.py"), SAVE).expect("a file");
    lab.shell(&format!("python3 save.py {} && echo linux-image-cloud-amd64 >kernel", bare.display())).success();
    std::fs::write(
        lab.home().join("small"),
        "./boot/*\n./usr/share/doc/*\n./usr/share/locale/*\n./usr/share/man/*\n./usr/lib/*/perl-base*\n./usr/lib/python3*\n./usr/lib/modules/*/kernel/*\n./etc/systemd/system/*/e2scrub*\n",
    )
    .expect("a file");
    lab.run(&format!(
        "mkdef -t osimage app imagetype=linux provmethod=netboot pkglist={home}/kernel exlist={home}/small pkgdir={}",
        packages.display(),
        home = lab.home().display()
    ))
    .success();
    lab
}

#[test]
fn a_container_image_boots() {
    let lab = saved();
    let linted = lab.spawn("imgimport docker://./app.tar app --lint").wait(LIMIT);
    assert_eq!(linted.code, 2, "{linted}");
    assert_snapshot!(linted.stdout, @"
    app: kernel: it will not come up: it has no kernel with its modules; install linux-image-amd64
    app: udev: it will not come up: it has no udev, which loads drivers; install udev
    app: kmod: it will not come up: it has no modprobe; install kmod
    app: network: it will not come up: no network in /etc/systemd/network keeps the address that the node booted with; write the files that diskless roots get
    app: fstab: it will not come up: /etc/fstab waits for a disk: UUID=1-2 / ext4 defaults 0 1; write the files that diskless roots get
    app: login: root has neither a password nor a key; write the files that diskless roots get
    app: machine-id: all nodes would have one machine-id; write the files that diskless roots get
    app: hostkeys: all nodes would have the same keys of sshd; remove /etc/ssh/ssh_host_rsa_key
    app: hostkeys: nothing makes a node a key for sshd; write the files that diskless roots get
    app: leftovers: it has files that are for containers; remove /.dockerenv
    app: placeholders: it has files that an engine writes; remove /etc/hostname /etc/resolv.conf
    app: hosts: /etc/hosts has no localhost; install netbase
    ");
    assert!(!lab.state().join("roots/app/rootimg").exists());

    let fixed = lab.spawn("imgimport docker://./app.tar app --fix --json").wait(LIMIT);
    assert_eq!(fixed.code, 0, "{fixed}");
    let answer: serde_json::Value =
        serde_json::from_str(fixed.stdout.lines().last().expect("an answer")).expect("JSON");
    let findings = answer["answer"]["findings"].as_array().expect("findings");
    assert!(
        findings.iter().all(|finding| finding["mended"] == true || finding["fatal"] == false) && findings.len() > 8,
        "{fixed}"
    );
    let root = lab.state().join("roots/app/rootimg");
    assert!(root.join("opt/app/run").is_file() && !root.join("etc/motd").exists());
    for gone in
        [".dockerenv", "etc/ssh/ssh_host_rsa_key", "etc/ssh/ssh_host_ed25519_key", ".xcrane-apt", ".xcrane-ours"]
    {
        assert!(!root.join(gone).exists(), "{gone}");
    }
    assert!(lab.run("lsdef -t osimage app -i osvers,description").success().contains("osvers=debian12"));
    lab.spawn("packimage app -c zstd:1").wait(LIMIT).success();
    // It has called back as nodes do, and had its postscripts before.
    let up = lab.spawn("imgtest app --emulate --json").wait(LIMIT);
    assert!(up.code == 0 && up.stdout.contains(r#""statuses":["postbooting","booted"]"#), "{up}");
}

/// Writes forged.tar: the file of imgexport that is named first, with one more cell in a table of its list.
const FORGE: &str = r#"
import io, json, sys, tarfile
name, table, column, value = sys.argv[1:]
forged = io.BytesIO()
out = tarfile.open(fileobj=forged, mode='w', format=tarfile.USTAR_FORMAT)
for member in tarfile.open(name):
    content = tarfile.open(name).extractfile(member).read()
    if member.name == 'osimage.json':
        told = json.loads(content)
        told[table] = [cell for cell in told[table] if cell[0] != column] + [[column, value]]
        content = json.dumps(told).encode()
    member.size = len(content)
    out.addfile(member, io.BytesIO(content))
with open('forged.tar', 'wb') as file:
    file.write(forged.getvalue()[:out.offset] + bytes(1024))
"#;

#[test]
fn an_image_of_another_site_names_no_place_of_this_one() {
    let lab = lab();
    crate::write(&lab, "forge.py", FORGE);
    lab.run(
        "mkdef -t osimage tiny imagetype=linux provmethod=netboot osvers=debian12 kerneldir=/srv/kernel cfmdir=/srv/cfm \
         synclists=/srv/list driverupdatesrc=dud:/srv/dud pkgdir=/srv/packages,http://mirror/debian otherpkgdir=/srv/other",
    )
    .success();
    lab.run("imgexport tiny").success();
    let said = crate::session(
        &lab,
        "
        imgimport tiny.tar other
        lsdef -t osimage other -i kerneldir,cfmdir,synclists,driverupdatesrc,pkgdir,otherpkgdir
        python3 forge.py tiny.tar linuximage description x; imgimport forged.tar evil
        python3 forge.py tiny.tar linuximage addkcmdline quiet; imgimport forged.tar good
    ",
    );
    assert_snapshot!(said, @"
    $ imgimport tiny.tar other
    other: imported, 0B: the definition alone; make it with genimage
    $ lsdef -t osimage other -i kerneldir,cfmdir,synclists,driverupdatesrc,pkgdir,otherpkgdir
    Object name: other
        cfmdir=
        driverupdatesrc=
        kerneldir=
        otherpkgdir=
        pkgdir=http://mirror/debian
        synclists=
    $ python3 forge.py tiny.tar linuximage description x; imgimport forged.tar evil
    ------- stderr -------
    Error: cannot use forged.tar: it says description of table linuximage, which has no such column
    [exit status: 1]
    $ python3 forge.py tiny.tar linuximage addkcmdline quiet; imgimport forged.tar good
    good: imported, 0B: the definition alone; make it with genimage
    ");
    let home = lab.state().display().to_string();
    for (table, column) in [
        ("linuximage", "kerneldir"),
        ("linuximage", "pkgdir"),
        ("linuximage", "otherpkgdir"),
        ("linuximage", "driverupdatesrc"),
        ("linuximage", "rootimgdir"),
        ("osimage", "synclists"),
        ("osimage", "cfmdir"),
    ] {
        lab.shell(&format!("python3 forge.py tiny.tar {table} {column} {home}")).success();
        let run = lab.run("imgimport forged.tar evil");
        let why = format!("it says {column} of table {table}, which is a site's own");
        assert!(run.code == 1 && run.stderr.contains(&why), "{run}");
    }
    let known = lab.run("lsdef -t osimage").success();
    assert_eq!(known.lines().collect::<Vec<_>>(), ["good  (osimage)", "other  (osimage)", "tiny  (osimage)"]);
}

#[test]
fn what_is_no_root_is_refused() {
    let lab = crate::defined_hosts(lab().hosts(1), 1);
    let left = || lab.shell("ls -A $XCRANE_HOME/roots").stdout;
    let said = crate::session(
        &lab,
        "
        imgimport docker://./busybox.tar
        imgimport docker://./busybox.tar --fix
        imgimport docker://./nowhere.tar
        imgimport docker://busybox:1
        imgimport docker://./busybox.tar ../out --as-is
        imgimport docker://./busybox.tar x --kernel-of nobody
        imgimport busybox.tar
        lsdef -t osimage
        imgimport docker://./busybox.tar box --as-is
        lsdef -t osimage
    ",
    );
    assert_snapshot!(said, @"
    $ imgimport docker://./busybox.tar
    busybox: kernel: it will not come up: it has no kernel with its modules; install linux-image-amd64
    busybox: init: it will not come up: it has no systemd as its first process; install systemd-sysv
    busybox: udev: it will not come up: it has no udev, which loads drivers; install udev
    busybox: kmod: it will not come up: it has no modprobe; install kmod
    busybox: dhcp: it will not come up: nothing in it asks for an address; install systemd
    busybox: getty: nobody can log in on the console: no agetty; install util-linux
    busybox: network: no network in /etc/systemd/network keeps the address that the node booted with; write the files that diskless roots get
    busybox: sshd: nobody gets in over the network: no sshd; install openssh-server
    busybox: login: root has neither a password nor a key; write the files that diskless roots get
    busybox: machine-id: there is no /etc/machine-id to be filled in; write the files that diskless roots get
    busybox: fstab: there is no /etc/fstab; write the files that diskless roots get
    busybox: hosts: /etc/hosts has no localhost; install netbase
    ------- stderr -------
    Hint: mend it with --fix, or make it as it is with --as-is
    [exit status: 2]
    $ imgimport docker://./busybox.tar --fix
    ------- stderr -------
    Error: image busybox: osvers is ''; known are debian11, debian12, debian13, ubuntu20.04, ubuntu22.04, ubuntu24.04, and rocky, alma, rhels, centos with a release
    Hint: only of Debian and Ubuntu packages can be added; put what stands for linux-image-amd64 systemd-sysv udev kmod systemd util-linux openssh-server netbase into the container image
    Hint: a kernel can come from another image: --kernel-of OSIMAGE
    [exit status: 1]
    $ imgimport docker://./nowhere.tar
    ------- stderr -------
    Error: cannot read ./nowhere.tar: No such file or directory (os error 2)
    [exit status: 1]
    $ imgimport docker://busybox:1
    ------- stderr -------
    Error: busybox:1 is of none of our registries
    Hint: of a file: docker://./FILE; save it as a host has it with: imgsave IMAGE FILE --from HOST
    [exit status: 1]
    $ imgimport docker://./busybox.tar ../out --as-is
    ------- stderr -------
    Error: image ../out: a diskless image is a directory, so no name with '/' or '.' in front
    [exit status: 1]
    $ imgimport docker://./busybox.tar x --kernel-of nobody
    ------- stderr -------
    Error: no image is named 'nobody'
    Hint: define it: mkdef -t osimage nobody imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64 pkglist=FILE
    [exit status: 1]
    $ imgimport busybox.tar
    ------- stderr -------
    Error: cannot use busybox.tar: it is no bundle of imgexport, or it is damaged (of a container image: imgimport docker://FILE)
    [exit status: 1]
    $ lsdef -t osimage
    No object definitions have been found
    $ imgimport docker://./busybox.tar box --as-is
    box: kernel: it will not come up: it has no kernel with its modules; install linux-image-amd64
    box: init: it will not come up: it has no systemd as its first process; install systemd-sysv
    box: udev: it will not come up: it has no udev, which loads drivers; install udev
    box: kmod: it will not come up: it has no modprobe; install kmod
    box: dhcp: it will not come up: nothing in it asks for an address; install systemd
    box: getty: nobody can log in on the console: no agetty; install util-linux
    box: network: no network in /etc/systemd/network keeps the address that the node booted with; write the files that diskless roots get
    box: sshd: nobody gets in over the network: no sshd; install openssh-server
    box: login: root has neither a password nor a key; write the files that diskless roots get
    box: machine-id: there is no /etc/machine-id to be filled in; write the files that diskless roots get
    box: fstab: there is no /etc/fstab; write the files that diskless roots get
    box: hosts: /etc/hosts has no localhost; install netbase
    box: made of 272 files, 1.8M, kernel none
    $ lsdef -t osimage
    box  (osimage)
    ");
    assert!(lab.state().join("roots/box/rootimg/bin/busybox").exists());
    // Of what was refused there is no trace.
    assert_eq!(left(), "box\n");
    lab.run("rmimage box -f").success();
    assert_eq!(left(), "");
}

#[test]
fn an_image_of_a_registry_becomes_a_root() {
    let lab = crate::imgpull::with_registry(2, &["1"]);
    let name = format!("{PLACE}/busybox");
    let digest = crate::imgpull::meaning(&lab, "1");
    for (image, root) in [(format!("{name}:1"), "tagged"), (format!("{name}@{digest}"), "pinned")] {
        let made = lab.run(&format!("imgimport docker://{image} {root} --as-is"));
        assert!(made.code == 0 && made.stdout.contains(&format!("{root}: made of 272 files, ")), "{made}");
        let known = lab.run(&format!("lsdef -t osimage {root} -i description")).success();
        assert!(known.contains(&format!("container image {image}")), "{known}");
        let root = lab.state().join("roots").join(root);
        let link = fs::read_link(root.join("rootimg/bin/sh"));
        assert!(link.is_ok_and(|to| to.ends_with("busybox")) && !root.join(".container.tar").exists());
    }
    crate::imgpull::push_changed(&lab, "1", "of the registry");
    lab.run(&format!("imgimport docker://{name}:1 tagged --as-is")).success();
    let changed = lab.state().join("roots/tagged/rootimg/changed");
    assert_eq!(fs::read_to_string(changed).expect("it is in the new image"), "of the registry\n");
    assert!(!lab.state().join("roots/pinned/rootimg/changed").exists());
    let none = lab.run(&format!("imgimport docker://{name}:2 none --as-is"));
    assert!(none.code == 1 && none.stderr.contains(&format!("{name}:2")), "{none}");
    lab.host("h1").shell("systemctl stop xcrane-registry@h1");
    let away = lab.run(&format!("imgimport docker://{name}:1 none --as-is"));
    assert!(away.code == 1 && away.stderr.contains(PLACE), "{away}");
    assert!(!lab.state().join("roots/none").exists());
}
