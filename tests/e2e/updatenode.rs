use ::lab::Lab;
use insta::assert_snapshot;

use crate::{lab, lab_with_guests, session, write};

/// A host h1 and a container c1 on it, and a site with scripts of its own.
fn lab_with_scripts() -> Lab {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();
    lab.shell("mkdir -p install/postscripts/lib install/postscripts/hostkeys").success();
    write(&lab, "install/postscripts/lib/words", "WORD=hello\n");
    write(&lab, "install/postscripts/hostkeys/key", "secret\n");
    lab.shell("chmod 600 install/postscripts/hostkeys/key").success();
    let greet = ". $(dirname \"$0\")/lib/words\necho \"$WORD $NODE $1 by $MASTER: $OSVER $ARCH $PROFILE $UPDATENODE $COLOUR\"\n";
    write(&lab, "install/postscripts/greet", greet);
    write(&lab, "install/postscripts/fail", "#!/bin/sh\necho to stdout\necho to stderr >&2\nexit 3\n");
    write(&lab, "install/postscripts/look", "find /xcatpost -name '*key*'; stat -c %a /xcatpost\n");
    write(&lab, "install/postscripts/slow", "sleep 60\n");
    lab.shell("chmod 755 install/postscripts/fail").success();
    let install = lab.home().join("install");
    lab.run(&format!("chdef -t site installdir={} master=10.77.0.254", install.display())).success();
    lab.run("chdef h1 os=debian12 arch=x86_64 profile=compute provmethod=base").success();
    lab.run("mkdef -t osimage base imagetype=linux provmethod=install environvar=COLOUR=red").success();
    lab
}

#[test]
fn scripts_run_on_servers_and_in_containers() {
    let lab = lab_with_scripts();
    lab.shell("nodech c1,h1 postscripts.postscripts='greet a' postscripts.postbootscripts=look").success();
    assert_snapshot!(lab.run("updatenode c1,h1 -P").sorted(), @"");
    assert_snapshot!(session(&lab, "
        updatenode h1 -P fail,'greet b'
        updatenode h1 -t 2 -P slow
        xdsh h1,c1 'ls -A /xcatpost'
        nodels c1,h1 nodelist.updatestatus
        updatenode h1 -P none
        updatenode c1,h1 --plan
    "), @"");
}

#[test]
fn files_and_packages_follow_the_image() {
    let lab = lab_with_scripts();
    let source = lab.package_source();
    lab.host("h1").shell(&format!("echo 'deb [trusted=yes] {source} ./' >/etc/apt/sources.list"));
    write(&lab, "motd", "hello\n");
    write(&lab, "site.synclist", &format!("{}/motd -> /etc/motd\n", lab.home().display()));
    write(&lab, "site.pkglist", "# of ours\nifupdown\n-nobody-has-it\n");
    let home = lab.home();
    let line = format!("chdef -t osimage base synclists={0}/site.synclist pkglist={0}/site.pkglist", home.display());
    lab.run(&line).success();
    assert_snapshot!(session(&lab, "
        updatenode h1 --plan
        updatenode h1
        updatenode h1
        xdsh h1 'cat /etc/motd; dpkg-query -W -f \"${Status}\\n\" ifupdown'
        chdef c1 provmethod=base; updatenode c1 -S
    "), @"");
}

#[test]
fn what_is_missing_refuses_the_command() {
    let lab = lab();
    lab.shell("nodeadd n1 groups=all postscripts.postscripts=none hosts.ip=127.0.0.9").success();
    let install = lab.home().join("install");
    lab.run(&format!("chdef -t site installdir={}", install.display())).success();
    assert_snapshot!(session(&lab, "
        updatenode n1
        updatenode n1 -P ../x
        chdef n1 provmethod=i postscripts= && mkdef -t osimage i synclists=/nowhere/list && updatenode n1 -F
    "), @"");
}
