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
    let greet = ". $(dirname \"$0\")/lib/words\necho \"$WORD $NODE $1 by $MASTER: $OSVER $ARCH $PROFILE $UPDATENODE ${COLOUR:-plain}\"\n";
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
    assert_snapshot!(lab.run("updatenode c1,h1 -P").sorted(), @"
    c1: 700
    c1: Running of postscripts has completed.
    c1: hello c1 a by 10.77.0.254:    1 plain
    c1: postscript end....: greet exited with code 0
    c1: postscript end....: look exited with code 0
    c1: postscript start..: greet
    c1: postscript start..: look
    h1: 700
    h1: Running of postscripts has completed.
    h1: hello h1 a by 10.77.0.254: debian12 x86_64 compute 1 red
    h1: postscript end....: greet exited with code 0
    h1: postscript end....: look exited with code 0
    h1: postscript start..: greet
    h1: postscript start..: look
    ");
    assert_snapshot!(session(&lab, "
        updatenode h1 -P fail,'greet b'
        updatenode h1 -t 2 -P slow
        xdsh h1,c1 'ls -A /xcatpost'
        nodels c1,h1 nodelist.updatestatus
        updatenode h1 -P none
        updatenode c1,h1 --plan
    "), @"
    $ updatenode h1 -P fail,'greet b'
    h1: postscript start..: fail
    h1: to stdout
    h1: to stderr
    h1: postscript end....: fail exited with code 3
    h1: postscript start..: greet
    h1: hello h1 b by 10.77.0.254: debian12 x86_64 compute 1 red
    h1: postscript end....: greet exited with code 0
    h1: Running of postscripts has completed.
    ------- stderr -------
    h1: Error: script fail exited with 3: to stdout / to stderr
    [exit status: 1]
    $ updatenode h1 -t 2 -P slow
    ------- stderr -------
    h1: Error: timeout exceeded: not done within 2 s
    [exit status: 1]
    $ xdsh h1,c1 'ls -A /xcatpost'
    $ nodels c1,h1 nodelist.updatestatus
    c1: synced
    h1: failed
    $ updatenode h1 -P none
    ------- stderr -------
    Error: script 'none' is not in $HOME/install/postscripts
    Hint: scripts stand in postscripts of the directory that site attribute installdir names (/install)
    [exit status: 1]
    $ updatenode c1,h1 --plan
    c1: script greet a
    c1: script look
    h1: script greet a
    h1: script look
    ");
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
        xdsh h1 'cat /etc/motd; dpkg-query -W ifupdown | cut -f 1'
        chdef c1 provmethod=base; updatenode c1 -S
    "), @"
    $ updatenode h1 --plan
    h1: files of $HOME/site.synclist
    h1: install ifupdown
    $ updatenode h1
    h1: File synchronization has completed.
    h1: install ifupdown
    h1: Software update has completed.
    h1: There are no postscripts defined to run.
    $ updatenode h1
    h1: File synchronization has completed.
    h1: Software update has completed.
    h1: There are no postscripts defined to run.
    $ xdsh h1 'cat /etc/motd; dpkg-query -W ifupdown | cut -f 1'
    h1: hello
    h1: ifupdown
    $ chdef c1 provmethod=base; updatenode c1 -S
    1 object definitions have been created or modified.
    ------- stderr -------
    c1: Error: it is a container, whose packages are its image's
    Error: nothing was done: c1 cannot be served as defined
    Hint: put them into the image with imgbuild, and give it to nodes with updatevm
    [exit status: 1]
    ");
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
    "), @"
    $ updatenode n1
    ------- stderr -------
    Error: script 'none' is not in $HOME/install/postscripts
    Hint: scripts stand in postscripts of the directory that site attribute installdir names (/install)
    [exit status: 1]
    $ updatenode n1 -P ../x
    ------- stderr -------
    Error: '../x' is no name of a script: it is a file of the directory of postscripts
    [exit status: 1]
    $ chdef n1 provmethod=i postscripts= && mkdef -t osimage i synclists=/nowhere/list && updatenode n1 -F
    1 object definitions have been created or modified.
    1 object definitions have been created or modified.
    ------- stderr -------
    Error: cannot read /nowhere/list: No such file or directory (os error 2)
    [exit status: 1]
    ");
}
