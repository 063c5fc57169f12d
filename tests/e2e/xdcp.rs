use std::fs;
use std::os::unix::fs::PermissionsExt;

use ::lab::Lab;
use insta::assert_snapshot;

use crate::{lab, lab_with_guests, read, session, write};

#[test]
fn files_go_to_servers_and_containers_and_come_back() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1,c2").success();
    lab.run("rpower c1,c2 on").success();
    write(&lab, "motd", "hello\n");
    fs::set_permissions(lab.home().join("motd"), fs::Permissions::from_mode(0o751)).unwrap();
    assert_snapshot!(lab.run("xdcp c1,c2,h1 motd /tmp/ --json").sorted(), @r#"
    {"node":"c1","answer":"copied"}
    {"node":"c2","answer":"copied"}
    {"node":"h1","answer":"copied"}
    "#);
    assert_snapshot!(session(&lab, "
        xdcp h1,c1,c2 motd /tmp/motd
        xdsh h1,c1,c2 -b 'cat /tmp/motd; stat -c %a /tmp/motd'
        mkdir -p tree/deep && echo x > tree/deep/file
        xdcp c1 -R tree /opt/
        xdsh c1 'cat /opt/tree/deep/file'
        mkdir back && xdcp c1,c2 -P /tmp/motd back
        ls back
    "), @"
    $ xdcp h1,c1,c2 motd /tmp/motd
    $ xdsh h1,c1,c2 -b 'cat /tmp/motd; stat -c %a /tmp/motd'
    c[1-2],h1: hello
    c[1-2],h1: 751
    $ mkdir -p tree/deep && echo x > tree/deep/file
    $ xdcp c1 -R tree /opt/
    ------- stderr -------
    c1: Error: h1: cannot copy to /opt/: there is no such directory
    [exit status: 1]
    $ xdsh c1 'cat /opt/tree/deep/file'
    ------- stderr -------
    c1: cat: can't open '/opt/tree/deep/file': No such file or directory
    c1: Error: the command exited with 1
    [exit status: 1]
    $ mkdir back && xdcp c1,c2 -P /tmp/motd back
    $ ls back
    motd._c1
    motd._c2
    ");
    assert_eq!(read(&lab, "back/motd._c1"), "hello\n");
}

#[test]
fn failures_are_counted_and_named() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();
    write(&lab, "motd", "hello\n");
    assert_snapshot!(lab.run("xdcp c1,c2,c3 motd /tmp/motd").sorted(), @"
    ------- stderr -------
    Hint: make it with: mkvm NODERANGE
    c2: Error: no such guest on h1
    c3: Error: no such guest on h1
    [exit status: 2]
    ");
    assert_snapshot!(session(&lab, "
        xdcp c1 nothing /tmp/
        xdcp c1 motd /no/such/directory/
        xdcp c1 -P /no/such/file .
        xdcp c9 motd /tmp/
        xdcp c1 motd
    "), @"
    $ xdcp c1 nothing /tmp/
    ------- stderr -------
    Error: cannot read nothing: no such file or directory
    [exit status: 1]
    $ xdcp c1 motd /no/such/directory/
    ------- stderr -------
    c1: Error: h1: cannot copy to /no/such/directory/: there is no such directory
    [exit status: 1]
    $ xdcp c1 -P /no/such/file .
    ------- stderr -------
    c1: Error: h1: cannot copy /no/such/file: Could not find the file /no/such/file in container c1
    [exit status: 1]
    $ xdcp c9 motd /tmp/
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: c9
    [exit status: 1]
    $ xdcp c1 motd
    ------- stderr -------
    error: 2 values required by '[PATH] [PATH]...'; only 1 was provided

    Usage: xdcp [OPTIONS] <NODERANGE> [PATH] [PATH]...

    For more information, try '--help'.
    [exit status: 2]
    ");
}

const SYNCLIST: &str = "\
HOME/motd -> /etc/motd
HOME/site/*.conf HOME/tree -> /opt/site
HOME/secret -> (c1) /opt/only/here/secret
HOME/motd.post -> /tmp/

EXECUTE:
HOME/motd.post
HOME/tree.post
EXECUTEALWAYS:
HOME/check
APPEND:
HOME/more -> /etc/list
MERGE:
HOME/users -> /etc/passwd
";

/// A container c1 on h1, and a synclist with all that it names.
fn lab_with_synclist() -> Lab {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();
    lab.shell("mkdir site tree && echo a >site/a.conf && echo b >site/b.conf && echo no >site/other && echo x >tree/x")
        .success();
    let files = [("motd", "hello\n"), ("secret", "s\n"), ("more", "three\n"), ("motd.post", "echo motd is new\n")];
    files.iter().for_each(|(name, text)| write(&lab, name, text));
    write(&lab, "tree.post", "echo tree is new\n");
    write(&lab, "check", "echo checked\n");
    write(&lab, "users", "root:x:0:0:Admin:/root:/bin/sh\nada:x:1000:100::/home/ada:/bin/sh\n");
    write(&lab, "synclist", &SYNCLIST.replace("HOME", &lab.home().to_string_lossy()));
    lab.run("xdsh c1,h1 'printf \"one\\ntwo\\n\" >/etc/list; cp /etc/passwd /tmp/passwd'").success();
    lab
}

#[test]
fn a_synclist_makes_nodes_alike() {
    let lab = lab_with_synclist();
    assert_snapshot!(lab.run("xdcp c1,h1 -F synclist").sorted(), @"
    c1: checked
    c1: motd is new
    c1: tree is new
    h1: checked
    h1: motd is new
    h1: tree is new
    ");
    assert_snapshot!(lab.run("xdsh c1,h1 -b 'cat /etc/motd /etc/list; cd /opt; find . -type f | sort; grep -E \"^(root|ada)\" /etc/passwd'"), @"
    c1: hello
    c1: one
    c1: two
    c1: three
    c1: ./only/here/secret
    c1: ./site/a.conf
    c1: ./site/b.conf
    c1: ./site/tree/x
    c1: root:x:0:0:Admin:/root:/bin/sh
    c1: ada:x:1000:100::/home/ada:/bin/sh
    h1: hello
    h1: one
    h1: two
    h1: three
    h1: ./site/a.conf
    h1: ./site/b.conf
    h1: ./site/tree/x
    h1: root:x:0:0:Admin:/root:/bin/sh
    h1: ada:x:1000:100::/home/ada:/bin/sh
    ");
    write(&lab, "motd", "hello again\n");
    assert_snapshot!(lab.run("xdcp c1,h1 -F synclist").sorted(), @"
    c1: checked
    c1: motd is new
    h1: checked
    h1: motd is new
    ");
    write(&lab, "motd.post", "echo it fails; exit 3\n");
    write(&lab, "motd", "hello for the last time\n");
    assert_snapshot!(session(&lab, "
        xdcp c1 -F synclist
        xdsh c1,h1 -b 'cat /etc/list; wc -l </etc/passwd; wc -l </tmp/passwd'
    "), @"
    $ xdcp c1 -F synclist
    c1: it fails
    ------- stderr -------
    c1: Error: $HOME/motd.post exited with 3
    [exit status: 1]
    $ xdsh c1,h1 -b 'cat /etc/list; wc -l </etc/passwd; wc -l </tmp/passwd'
    c1: one
    c1: two
    c1: three
    c1: 2
    c1: 1
    h1: one
    h1: two
    h1: three
    h1: 25
    h1: 24
    ");
}

#[test]
fn a_bad_synclist_is_refused() {
    let lab = lab();
    lab.run("mkdef c1 groups=web mgt=docker vmhost=h1").success();
    write(&lab, "synclist", SYNCLIST);
    assert_snapshot!(session(&lab, "
        xdcp c1 -F nothing
        xdcp c1 -F synclist motd /tmp
        echo 'motd -> /tmp' >bad; xdcp c1 -F bad
        echo '/etc/hosts -> (c77) /tmp/' >bad; xdcp c1 -F bad
    "), @"
    $ xdcp c1 -F nothing
    ------- stderr -------
    Error: cannot read nothing: No such file or directory (os error 2)
    [exit status: 1]
    $ xdcp c1 -F synclist motd /tmp
    ------- stderr -------
    error: the argument '--file <SYNCLIST>' cannot be used with '[PATH] [PATH]...'

    Usage: xdcp --file <SYNCLIST> <NODERANGE> [PATH] [PATH]...

    For more information, try '--help'.
    [exit status: 2]
    $ echo 'motd -> /tmp' >bad; xdcp c1 -F bad
    ------- stderr -------
    Error: bad:1: 'motd' is no absolute path
    [exit status: 1]
    $ echo '/etc/hosts -> (c77) /tmp/' >bad; xdcp c1 -F bad
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: c77
    [exit status: 1]
    ");
}
