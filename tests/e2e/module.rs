//! `xcrane module`: modules in shell and in Python, on real hosts.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;

use crate::{defined_hosts, lab, rack, session};

/// The modules that are shipped as examples, where a site would have put them.
pub(crate) fn with_examples(lab: &Lab) {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/examples");
    lab.run(&format!("chdef -t site modulepath={}", examples.display())).success();
}

pub(crate) fn config(lab: &Lab, name: &str, text: &str) {
    put(&lab.state().join("configs").join(format!("{name}.toml")), text, 0o600);
}

pub(crate) fn put(file: &Path, text: &str, mode: u32) {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, text));
    written
        .and_then(|()| fs::set_permissions(file, Permissions::from_mode(mode)))
        .expect("the home of a lab can be written");
}

pub(crate) fn module(lab: &Lab, name: &str, manifest: &str, program: &str) {
    let directory = lab.state().join("modules").join(name);
    put(&directory.join("module.toml"), manifest, 0o644);
    put(&directory.join("run"), program, 0o755);
}

/// A module that runs here, and needs what `rest` says.
pub(crate) fn local(lab: &Lab, name: &str, rest: &str, plan: &str) {
    scripted(lab, name, rest, &format!("plan) {plan} ;;\napply) echo '{{\"result\":{{\"state\":1}}}}' ;;"));
}

/// The same that does what `cases` of its script say.
pub(crate) fn scripted(lab: &Lab, name: &str, rest: &str, cases: &str) {
    let methods = ["metadata", "init", "plan", "apply", "audit", "backup", "restore", "update", "scale", "test"];
    let methods = methods.map(|method| format!("{method} = {{ way = 'local', program = 'run', limit = 2 }}\n"));
    let labels = format!("[labels]\nname = '{name}'\nversion = '1.0'\n");
    let program = format!("#!/bin/sh\ncase $1 in\ninit) echo '{{\"result\":{{\"config\":{{}}}}}}' ;;\n{cases}\nesac\n");
    module(lab, name, &format!("{rest}\n{labels}[methods]\n{}", methods.concat()), &program);
}

/// A module that takes two nodes for itself and wants their addresses.
const RING: &str = "targets = 'nodes'
[config.nodes]
type = 'noderange'
help = 'its members'
choose = 2
[config.peers]
type = 'list'
help = 'where they are'
addresses = 'nodes'
";

pub(crate) const CHANGE: &str = r#"echo '{"result":{"changes":[{"what":"it","to":"done"}]}}'"#;

#[test]
fn in_shell_and_in_python_on_hosts() {
    let lab = defined_hosts(lab().hosts(2), 2);
    with_examples(&lab);
    assert_snapshot!(lab.run("xcrane module list"), @"
    banner: 1.0 greeting - what people read before they log in
    docker-host: 1.0.0 engine - machines that run containers, as mkhost makes them
    etcd: 1.0.0 store - a key-value store on several machines, known to each other by the site's authority
    limits: 1.1 node-base - how many files a user may open
    monitoring: 1.0.0 monitoring - Prometheus, and its exporter on every machine that a module works on
    motd: 1.0 greeting - what people read when they log in
    network: 1.0.0 network - networks of containers over Docker hosts, as mknet makes them
    node-base: 1.0.0 node-base - what all machines have in common: users, keys, time, the kernel's settings for HPC
    registry: 1.0.0 registry - the site's registry of container images, as mkregistry makes it
    ");
    assert_snapshot!(lab.run("xcrane module init motd"), @"motd: wrote $XCRANE_HOME/configs/motd.toml");
    assert_snapshot!(lab.run("xcrane module plan motd"), @"
    motd on h1: /etc/motd: '' -> Welcome
    motd on h2: /etc/motd: '' -> Welcome
    ------- stderr -------
    kept: xcrane module apply motd --plan $PLAN
    [exit status: 2]
    ");
    local(&lab, "ring", RING, CHANGE);
    local(&lab, "own", RING, CHANGE);
    assert_snapshot!(session(&lab, "
        mkdef h3 groups=spare
        mkdef h4 groups=spare ip=10.77.0.4
        xcrane module init ring
        grep -v '^#' $XCRANE_HOME/configs/ring.toml | grep .
        xcrane module init own
        grep -v '^#' $XCRANE_HOME/configs/own.toml | grep .
        noderm h3,h4
    "), @r#"
    $ mkdef h3 groups=spare
    1 object definitions have been created or modified.
    $ mkdef h4 groups=spare ip=10.77.0.4
    1 object definitions have been created or modified.
    $ xcrane module init ring
    ring: wrote $XCRANE_HOME/configs/ring.toml
    $ grep -v '^#' $XCRANE_HOME/configs/ring.toml | grep .
    nodes = "h[1-2]"
    peers = ["10.77.0.1", "10.77.0.2"]
    $ xcrane module init own
    own: wrote $XCRANE_HOME/configs/own.toml
    ------- stderr -------
    Warning: nodes of module own takes 2 free nodes, and the node table has 1
    $ grep -v '^#' $XCRANE_HOME/configs/own.toml | grep .
    nodes = "h4"
    peers = ["10.77.0.4"]
    $ noderm h3,h4
    "#);
    config(&lab, "motd", "nodes = 'hosts'\ntext = 'It is \"new\"'\n");
    assert_snapshot!(lab.run("xcrane module plan motd"), @r#"
    motd on h1: /etc/motd: '' -> It is "new"
    motd on h2: /etc/motd: '' -> It is "new"
    ------- stderr -------
    kept: xcrane module apply motd --plan $PLAN
    [exit status: 2]
    "#);
    assert_snapshot!(lab.run("xcrane module apply motd").sorted(), @r#"
    motd on h1: /etc/motd: '' -> It is "new"
    motd on h2: /etc/motd: '' -> It is "new"
    motd: applied
    ------- stderr -------
        motd on h1: /etc/motd: '' -> It is "new"
        motd on h2: /etc/motd: '' -> It is "new"
    plan $PLAN, made by root at $TIME:
    "#);
    assert_eq!(lab.host("h2").shell("cat /etc/motd").trim(), "It is \"new\"");
    assert_eq!(lab.run("xcrane module plan motd").code, 0);
    assert_eq!(lab.run("xcrane module audit motd").code, 0);
    lab.host("h1").shell("echo other > /etc/motd");
    assert_snapshot!(lab.run("xcrane module audit motd").sorted(), @"
    h1: changed: /etc/motd: other (harmless)
    h2: as it was left
    [exit status: 2]
    ");
    assert_snapshot!(lab.run("xcrane module check motd"), @"
    motd: pass: metadata says the labels of module.toml
    motd: pass: init proposes a config that the module takes
    motd: pass: plan says the same twice, and leaves the directory as it is
    motd: pass: audit says what the contract has for it
    ");
    config(&lab, "limits", "nodes = 'h1'\nfiles = 4096\n");
    assert_snapshot!(lab.run("xcrane module plan limits"), @"
    limits on h1: /etc/security/limits.d/50-xcrane.conf: * - nofile 4096
    ------- stderr -------
    kept: xcrane module apply limits --plan $PLAN
    [exit status: 2]
    ");
    assert_snapshot!(lab.run("xcrane module apply limits"), @"
    limits on h1: /etc/security/limits.d/50-xcrane.conf: * - nofile 4096
    limits: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        limits on h1: /etc/security/limits.d/50-xcrane.conf: * - nofile 4096
    ");
    assert_eq!(lab.host("h1").shell("cat /etc/security/limits.d/50-xcrane.conf").trim(), "* - nofile 4096");
    what_is_applied_is_what_is_audited(&lab);
    // An apply that has nothing kept, and a config that was changed behind its back.
    assert_snapshot!(lab.run("xcrane module apply limits"), @"
    ------- stderr -------
    Error: there is no plan for module limits
    Hint: make one: xcrane module plan limits
    [exit status: 1]
    ");
    config(&lab, "limits", "nodes = 'h1'\nfiles = 5000\n");
    assert_eq!(lab.run("xcrane module plan limits").code, 2);
    config(&lab, "limits", "nodes = 'h1'\nfiles = 6000\n");
    assert_snapshot!(lab.run("xcrane module apply limits"), @"
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        limits on h1: /etc/security/limits.d/50-xcrane.conf: * - nofile 4096 -> * - nofile 5000
    Error: the plan for module limits is old: its config was changed since it was made
    Hint: see what is to be done now: xcrane module plan limits
    [exit status: 1]
    ");
}

/// With motd on h1 and h2, and limits on h1.
fn what_is_applied_is_what_is_audited(lab: &Lab) {
    lab.host("h1").shell("printf '%s\\n' 'It is \"new\"' > /etc/motd");
    config(lab, "motd", "nodes = 'h2'\ntext = 'Another'\n");
    assert_snapshot!(session(lab, "
        xcrane module audit motd
        xcrane module plan motd
        xcrane module state motd --yaml | sed -n '/^config/,/^[a-bd-z]/p'
    "), @r#"
    $ xcrane module audit motd
    h1: as it was left
    h2: as it was left
    ------- stderr -------
    Warning: h1: was set up by motd, whose config does not mean it any more; nothing is done to it
    Hint: put h1 into the config of motd again; or undo there what it did, and take it out of its state: xcrane module state motd > FILE, then xcrane module state --import FILE
    $ xcrane module plan motd
    motd on h2: /etc/motd: It is "new" -> Another
    ------- stderr -------
    Warning: h1: was set up by motd, whose config does not mean it any more; nothing is done to it
    Hint: put h1 into the config of motd again; or undo there what it did, and take it out of its state: xcrane module state motd > FILE, then xcrane module state --import FILE
    kept: xcrane module apply motd --plan $PLAN
    [exit status: 2]
    $ xcrane module state motd --yaml | sed -n '/^config/,/^[a-bd-z]/p'
    config:
      nodes: hosts
      text: It is "new"
    finished: $PLAN
    "#);
    // More files than were asked for harm nobody, fewer do.
    let file = "/etc/security/limits.d/50-xcrane.conf";
    lab.host("h1").shell(&format!("echo '* - nofile 1' > {file}"));
    assert_snapshot!(lab.run("xcrane module audit limits --adopt"), @"
    h1: changed: /etc/security/limits.d/50-xcrane.conf: * - nofile 1
    h1: not adopted: not all of it is harmless
    [exit status: 2]
    ");
    lab.host("h1").shell(&format!("echo '* - nofile 9000' > {file}"));
    assert_snapshot!(session(lab, "
        xcrane module audit limits
        xcrane module audit limits --adopt
        xcrane module audit limits
        xcrane module state limits --yaml | grep -A 6 ^targets
        xcrane module plan limits
        xcrane module apply limits
        xcrane module state limits --yaml | sed '/^config:/,+2d' > old.yml
        xcrane module state limits --import old.yml
        xcrane module audit limits
    "), @"
    $ xcrane module audit limits
    h1: changed: /etc/security/limits.d/50-xcrane.conf: * - nofile 9000 (harmless)
    [exit status: 2]
    $ xcrane module audit limits --adopt
    h1: changed: /etc/security/limits.d/50-xcrane.conf: * - nofile 9000 (harmless)
    h1: adopted
    $ xcrane module audit limits
    h1: as it was left
    $ xcrane module state limits --yaml | grep -A 6 ^targets
    targets:
      h1:
        files: 9000
    config:
      files: 4096
      nodes: h1
    finished: $PLAN
    $ xcrane module plan limits
    limits on h1: /etc/security/limits.d/50-xcrane.conf: * - nofile 9000 -> * - nofile 4096
    ------- stderr -------
    kept: xcrane module apply limits --plan $PLAN
    [exit status: 2]
    $ xcrane module apply limits
    limits on h1: /etc/security/limits.d/50-xcrane.conf: * - nofile 9000 -> * - nofile 4096
    limits: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        limits on h1: /etc/security/limits.d/50-xcrane.conf: * - nofile 9000 -> * - nofile 4096
    $ xcrane module state limits --yaml | sed '/^config:/,+2d' > old.yml
    $ xcrane module state limits --import old.yml
    $ xcrane module audit limits
    h1: as it was left
    ------- stderr -------
    Warning: an older version has applied limits, and not kept its config: it is asked with that of now
    ");
}

#[test]
fn a_plan_is_carried_out_by_whoever_means_it_and_only_the_newest() {
    let lab = rack();
    let word = "[config.word]\ntype = 'string'\nhelp = 'x'\ndefault = ''\n";
    local(&lab, "base", word, &format!("[ ! -e $XCRANE_HOME/broken ] || exit 3; {CHANGE}"));
    local(&lab, "queue", "requires.strong = [['name eq base']]", CHANGE);
    assert_snapshot!(session(&lab, r#"
        xcrane module plan base queue
        xcrane module plan base queue --json | head -n 1
        xcrane module plan base queue 2>&1 | sed -n 's/.*--plan //p' > first
        mkdir $XCRANE_HOME/configs && echo 'word = "other"' > $XCRANE_HOME/configs/base.toml
        SUDO_USER=ada xcrane module plan base
        xcrane module apply queue --plan $(cat first)
        xcrane module apply base --plan $(cat first)
        xcrane module apply queue
        xcrane module apply base
        xcrane module apply base
        xcrane module plan queue
        xcrane module apply queue --plan $(cat first)
        touch $XCRANE_HOME/broken
        xcrane module plan base
        xcrane module apply base
        rm $XCRANE_HOME/broken
        xcrane module plan base queue
        xcrane module apply queue
    "#), @r#"
    $ xcrane module plan base queue
    base: it: done
    queue: it: done
    ------- stderr -------
    kept: xcrane module apply base --plan $PLAN
    [exit status: 2]
    $ xcrane module plan base queue --json | head -n 1
    {"answer":{"module":"base","units":[{"target":"","changes":[{"what":"it","to":"done"}]}],"plan":"$PLAN"}}
    ------- stderr -------
    kept: xcrane module apply base --plan $PLAN
    $ xcrane module plan base queue 2>&1 | sed -n 's/.*--plan //p' > first
    $ mkdir $XCRANE_HOME/configs && echo 'word = "other"' > $XCRANE_HOME/configs/base.toml
    $ SUDO_USER=ada xcrane module plan base
    base: it: done
    ------- stderr -------
    kept: xcrane module apply base --plan $PLAN
    [exit status: 2]
    $ xcrane module apply queue --plan $(cat first)
    ------- stderr -------
    Error: plan $PLAN counts no more: module base was planned again at $TIME by ada
    Hint: see what is to be done now: xcrane module plan base
    [exit status: 1]
    $ xcrane module apply base --plan $(cat first)
    ------- stderr -------
    Error: plan $PLAN counts no more: module base was planned again at $TIME by ada
    Hint: see what is to be done now: xcrane module plan base
    [exit status: 1]
    $ xcrane module apply queue
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        base: it: done
        queue: it: done
    Error: plan $PLAN counts no more: module base was planned again at $TIME by ada
    Hint: see what is to be done now: xcrane module plan base
    [exit status: 1]
    $ xcrane module apply base
    base: it: done
    base: applied
    ------- stderr -------
    plan $PLAN, made by ada at $TIME:
        base: it: done
    $ xcrane module apply base
    ------- stderr -------
    Error: there is no plan for module base
    Hint: make one: xcrane module plan base
    [exit status: 1]
    $ xcrane module plan queue
    queue: it: done
    ------- stderr -------
    kept: xcrane module apply queue --plan $PLAN
    [exit status: 2]
    $ xcrane module apply queue --plan $(cat first)
    ------- stderr -------
    Error: plan $PLAN counts no more: module queue was planned again at $TIME by root
    Hint: see what is to be done now: xcrane module plan queue
    [exit status: 1]
    $ touch $XCRANE_HOME/broken
    $ xcrane module plan base
    ------- stderr -------
    Error: plan of module base: it ended with exit code 3
    [exit status: 1]
    $ xcrane module apply base
    ------- stderr -------
    Error: there is no plan for module base: nothing came of the one that root began at $TIME
    Hint: make one: xcrane module plan base
    [exit status: 1]
    $ rm $XCRANE_HOME/broken
    $ xcrane module plan base queue
    base: it: done
    queue: it: done
    ------- stderr -------
    kept: xcrane module apply base --plan $PLAN
    [exit status: 2]
    $ xcrane module apply queue
    base: it: done
    queue: it: done
    base: applied
    queue: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        base: it: done
        queue: it: done
    "#);
    assert_eq!(lab.shell("SUDO_USER=ada xcrane module plan base").code, 2);
    for (answer, code) in [("n\r", 1), ("y\r", 0)] {
        let mut terminal = lab.spawn_pty("xcrane module apply base", 24, 100);
        terminal.expect("That is what ada has planned. Do it? [y/N]", Duration::from_secs(60));
        terminal.send(answer);
        assert_eq!(terminal.wait(Duration::from_secs(60)).code, code);
    }
}

#[test]
fn what_outdates_a_plan_is_told() {
    let lab = rack();
    let audit = format!(
        "plan) {CHANGE} ;;\napply) echo '{{\"result\":{{\"state\":1}}}}' ;;\naudit) echo '{{\"result\":{{\"findings\":[],\"state\":2}}}}' ;;"
    );
    scripted(&lab, "base", "", &audit);
    local(&lab, "queue", "requires.strong = [['name eq base']]", CHANGE);
    assert_snapshot!(session(&lab, "
        xcrane module apply queue --with-requirements
        xcrane module plan queue
        echo '# more' >> $XCRANE_HOME/modules/queue/run
        xcrane module apply queue
        xcrane module plan queue
        echo more > $XCRANE_HOME/modules/queue/more
        mkdir $XCRANE_HOME/modules/queue/__pycache__
        xcrane module apply queue
        rm $XCRANE_HOME/modules/queue/more
        touch $XCRANE_HOME/modules/queue/__pycache__/run.pyc
        xcrane module audit base --adopt
        xcrane module apply queue
        xcrane module plan base queue
        xcrane module apply queue
        xcrane module plan queue
        sed -i 's/1.0/1.1/' $XCRANE_HOME/modules/queue/module.toml
        xcrane module apply queue
    "), @"
    $ xcrane module apply queue --with-requirements
    base: it: done
    queue: it: done
    base: it: done
    queue: it: done
    base: applied
    queue: applied
    $ xcrane module plan queue
    queue: it: done
    ------- stderr -------
    kept: xcrane module apply queue --plan $PLAN
    [exit status: 2]
    $ echo '# more' >> $XCRANE_HOME/modules/queue/run
    $ xcrane module apply queue
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        queue: it: done
    Error: the plan for module queue is old: its program run was changed since it was made
    Hint: see what is to be done now: xcrane module plan queue
    [exit status: 1]
    $ xcrane module plan queue
    queue: it: done
    ------- stderr -------
    kept: xcrane module apply queue --plan $PLAN
    [exit status: 2]
    $ echo more > $XCRANE_HOME/modules/queue/more
    $ mkdir $XCRANE_HOME/modules/queue/__pycache__
    $ xcrane module apply queue
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        queue: it: done
    Error: the plan for module queue is old: its file more was added since it was made
    Hint: see what is to be done now: xcrane module plan queue
    [exit status: 1]
    $ rm $XCRANE_HOME/modules/queue/more
    $ touch $XCRANE_HOME/modules/queue/__pycache__/run.pyc
    $ xcrane module audit base --adopt
    base: as it was left
    base: adopted
    $ xcrane module apply queue
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        queue: it: done
    Error: the plan for module queue is old: the state of module base, which it requires, was changed since it was made
    Hint: see what is to be done now: xcrane module plan queue
    [exit status: 1]
    $ xcrane module plan base queue
    base: it: done
    queue: it: done
    ------- stderr -------
    kept: xcrane module apply base --plan $PLAN
    [exit status: 2]
    $ xcrane module apply queue
    base: it: done
    queue: it: done
    base: applied
    queue: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        base: it: done
        queue: it: done
    $ xcrane module plan queue
    queue: it: done
    ------- stderr -------
    kept: xcrane module apply queue --plan $PLAN
    [exit status: 2]
    $ sed -i 's/1.0/1.1/' $XCRANE_HOME/modules/queue/module.toml
    $ xcrane module apply queue
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        queue: it: done
    Error: the plan for module queue is old: the module went from version 1.0 to 1.1 since it was made
    Hint: see what is to be done now: xcrane module plan queue
    [exit status: 1]
    ");
}

#[test]
fn a_node_that_is_down_costs_only_its_own_part() {
    let lab = defined_hosts(lab().hosts(2), 2);
    with_examples(&lab);
    config(&lab, "motd", "nodes = 'hosts'\n");
    lab.host("h1").shell("kill $(cat /run/sshd.pid)");
    assert_snapshot!(session(&lab, "
        xcrane module plan motd
        xcrane module plan motd --json
        xcrane module apply motd
        xcrane module list | grep motd
        xcrane module audit motd
        xcrane module remove motd
        xcrane module apply motd
        xcrane module remove motd --force
        xcrane module apply motd
    "), @r#"
    $ xcrane module plan motd
    motd on h2: /etc/motd: '' -> Welcome
    ------- stderr -------
    Error: h1: plan of module motd: cannot reach 10.77.0.1:22: Connection refused (os error 111)
    kept, without h1: xcrane module apply motd --plan $PLAN
    [exit status: 1]
    $ xcrane module plan motd --json
    {"answer":{"module":"motd","units":[{"target":"h2","changes":[{"what":"/etc/motd","from":"","to":"Welcome"}]}],"plan":"$PLAN"}}
    {"error":"h1: plan of module motd: cannot reach 10.77.0.1:22: Connection refused (os error 111)"}
    ------- stderr -------
    kept, without h1: xcrane module apply motd --plan $PLAN
    [exit status: 1]
    $ xcrane module apply motd
    motd on h2: /etc/motd: '' -> Welcome
    ------- stderr -------
    plan $PLAN, made by root at $TIME, without h1:
        motd on h2: /etc/motd: '' -> Welcome
    Error: h1: nothing was done by motd, whose plan is not for it
    Hint: what is to be done where there is no plan yet: xcrane module plan motd
    [exit status: 1]
    $ xcrane module list | grep motd
    motd: 1.0 greeting partial (done h2, failed h1) what people read when they log in
    $ xcrane module audit motd
    h2: as it was left
    ------- stderr -------
    Warning: motd is half applied: done h2, failed h1
    Hint: go on: xcrane module apply motd; or see what is left: xcrane module plan motd
    [exit status: 2]
    $ xcrane module remove motd
    ------- stderr -------
    Error: module motd is half applied: done h2, failed h1
    Hint: go on: xcrane module apply motd; or see what is left: xcrane module plan motd
    Hint: forget all the same what was done: xcrane module remove --force motd
    [exit status: 1]
    $ xcrane module apply motd
    ------- stderr -------
    plan $PLAN, made by root at $TIME, without h1:
        motd on h2: /etc/motd: '' -> Welcome
    Error: h1: nothing was done by motd, whose plan is not for it
    Hint: what is to be done where there is no plan yet: xcrane module plan motd
    [exit status: 1]
    $ xcrane module remove motd --force
    motd: forgotten
    $ xcrane module apply motd
    ------- stderr -------
    Error: there is no plan for module motd
    Hint: make one: xcrane module plan motd
    [exit status: 1]
    "#);
    assert_eq!(lab.host("h2").shell("cat /etc/motd").trim(), "Welcome");
    lab.host("h1").shell("mkdir -p /run/sshd; /usr/sbin/sshd");
    assert_snapshot!(session(&lab, "
        xcrane module plan motd
        xcrane module apply motd
        xcrane module list | grep motd
        xcrane module remove motd
    "), @"
    $ xcrane module plan motd
    motd on h1: /etc/motd: '' -> Welcome
    ------- stderr -------
    kept: xcrane module apply motd --plan $PLAN
    [exit status: 2]
    $ xcrane module apply motd
    motd on h1: /etc/motd: '' -> Welcome
    motd: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        motd on h1: /etc/motd: '' -> Welcome
    $ xcrane module list | grep motd
    motd: 1.0 greeting applied what people read when they log in
    $ xcrane module remove motd
    motd: forgotten
    ");
    lab.host("h2").shell("kill $(cat /run/sshd.pid)");
    lab.host("h1").shell("kill $(cat /run/sshd.pid)");
    assert_snapshot!(lab.run("xcrane module plan motd"), @"
    ------- stderr -------
    Error: h1: plan of module motd: cannot reach 10.77.0.1:22: Connection refused (os error 111)
    h2: plan of module motd: cannot reach 10.77.0.2:22: Connection refused (os error 111)
    [exit status: 1]
    ");
}

#[test]
fn what_is_required_comes_first_and_what_is_lacking_is_named() {
    let lab = rack();
    local(&lab, "base", "", CHANGE);
    local(
        &lab,
        "queue",
        "requires.strong = [['name eq base', 'version ge 1']]\ninfluences = [['name eq watch']]",
        CHANGE,
    );
    local(&lab, "watch", "requires.weak = [['name eq disk']]", CHANGE);
    local(&lab, "one", "requires.strong = [['name eq two']]", CHANGE);
    local(&lab, "two", "requires.strong = [['name eq one']]", CHANGE);
    let nothing = r#"echo '{"result":{"changes":[]}}'"#;
    local(&lab, "right", "", nothing);
    scripted(&lab, "sink", "", &format!("plan) {CHANGE} ;;\napply) echo '{{\"error\":\"bad \\u001b[2J\"}}' ;;"));
    // It says whose states it has heard of.
    let heard = r#"echo "{\"result\":{\"changes\":[{\"what\":\"$(grep -o '"labels":{"name":"[a-z]*"' | tr -d '"' | tr '\n' ' ')\"}]}}"; true"#;
    local(&lab, "hears", "requires.strong = [['name eq right']]\nrequires.weak = [['name eq watch']]", heard);
    local(&lab, "under", "requires.strong = [['name eq sink']]", nothing);
    assert_snapshot!(session(&lab, "
        xcrane module plan queue
        xcrane module plan one --with-requirements
        xcrane module plan queue --with-requirements
        xcrane module plan watch
        xcrane module apply watch
        xcrane module apply queue
        xcrane module remove base
        xcrane module search 'name in base,queue' 'version lt 2'
        xcrane bundle plan queue | grep ^module
        xcrane module apply right --with-requirements
        xcrane module apply right --with-requirements
        xcrane module plan hears
        xcrane module apply sink --with-requirements
        xcrane module plan under
        sed -i s/1.0/3.0/ $XCRANE_HOME/modules/right/module.toml
        sed -i 's/name eq right/version ge 3/' $XCRANE_HOME/modules/hears/module.toml
        xcrane module plan hears
        xcrane module plan moon
    "), @r#"
    $ xcrane module plan queue
    ------- stderr -------
    Error: module queue requires one with name eq base and version ge 1, and none is installed or chosen
    Hint: base is one: xcrane module apply base --with-requirements
    [exit status: 1]
    $ xcrane module plan one --with-requirements
    ------- stderr -------
    Error: these modules require each other: one -> two -> one
    [exit status: 1]
    $ xcrane module plan queue --with-requirements
    base: it: done
    queue: it: done
    ------- stderr -------
    kept: xcrane module apply queue --plan $PLAN
    [exit status: 2]
    $ xcrane module plan watch
    watch: it: done
    ------- stderr -------
    watch would like a module with name eq disk, and none is installed
    kept: xcrane module apply watch --plan $PLAN
    [exit status: 2]
    $ xcrane module apply watch
    watch: it: done
    watch: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        watch: it: done
    $ xcrane module apply queue
    base: it: done
    queue: it: done
    base: applied
    queue: applied
    watch: influenced by queue; xcrane module plan watch && xcrane module apply watch would do:
        watch: it: done
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        base: it: done
        queue: it: done
    $ xcrane module remove base
    ------- stderr -------
    Error: module base is required by queue
    Hint: remove these before: xcrane module remove queue
    [exit status: 1]
    $ xcrane module search 'name in base,queue' 'version lt 2'
    base: 1.0 applied
    queue: 1.0 applied
    $ xcrane bundle plan queue | grep ^module
    module base 1.0: 768B
    module queue 1.0: 854B
    $ xcrane module apply right --with-requirements
    right: nothing to do
    right: applied
    ------- stderr -------
    Warning: what right is like now is not known: audit of module right: it ended without a result
    $ xcrane module apply right --with-requirements
    right: nothing to do
    $ xcrane module plan hears
    hears: labels:{name:right labels:{name:watch 
    ------- stderr -------
    kept: xcrane module apply hears --plan $PLAN
    [exit status: 2]
    $ xcrane module apply sink --with-requirements
    sink: it: done
    ------- stderr -------
    Error: apply of module sink: bad \u{1b}[2J
    Hint: what is left is done by the same command: xcrane module apply sink
    [exit status: 1]
    $ xcrane module plan under
    ------- stderr -------
    Error: module under requires one with name eq sink, and none is installed or chosen
    Hint: sink is one: xcrane module apply sink --with-requirements
    [exit status: 1]
    $ sed -i s/1.0/3.0/ $XCRANE_HOME/modules/right/module.toml
    $ sed -i 's/name eq right/version ge 3/' $XCRANE_HOME/modules/hears/module.toml
    $ xcrane module plan hears
    ------- stderr -------
    Error: module hears requires one with version ge 3, and none is installed or chosen
    Hint: right is one: xcrane module apply right --with-requirements
    [exit status: 1]
    $ xcrane module plan moon
    ------- stderr -------
    Error: there is no module 'moon'
    Hint: there are: base docker-host etcd hears monitoring network node-base one queue registry right sink two under watch
    [exit status: 1]
    "#);
}

#[test]
fn what_cannot_be_said_yet_is_planned_in_its_turn() {
    let lab = rack();
    local(&lab, "base", "", CHANGE);
    let later = r#"echo '{"result":{"deferred":"there is no base"}}'"#;
    let requires = "requires.strong = [['name eq base']]";
    local(&lab, "late", requires, &format!("if grep -q '\"base\":'; then {CHANGE}; else {later}; fi"));
    local(&lab, "never", requires, later);
    local(&lab, "alone", "", later);
    assert_snapshot!(session(&lab, "
        xcrane module plan alone
        xcrane module plan late --with-requirements
        xcrane module plan late --with-requirements --json
        xcrane module apply late
        xcrane module apply never --with-requirements
        xcrane module list | grep -v ' - '
        xcrane module plan base never
        xcrane module apply base
    "), @r#"
    $ xcrane module plan alone
    ------- stderr -------
    Error: module alone cannot be planned: there is no base
    [exit status: 1]
    $ xcrane module plan late --with-requirements
    base: it: done
    late: planned when base is applied: there is no base
    ------- stderr -------
    kept: xcrane module apply late --plan $PLAN
    [exit status: 2]
    $ xcrane module plan late --with-requirements --json
    {"answer":{"module":"base","units":[{"target":"","changes":[{"what":"it","to":"done"}]}],"plan":"$PLAN"}}
    {"answer":{"module":"late","units":[],"plan":"$PLAN","deferred":{"why":"there is no base","until":["base"]}}}
    ------- stderr -------
    kept: xcrane module apply late --plan $PLAN
    [exit status: 2]
    $ xcrane module apply late
    base: it: done
    late: planned now that base is applied:
        late: it: done
    late: it: done
    base: applied
    late: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        base: it: done
        late: planned when base is applied: there is no base
    $ xcrane module apply never --with-requirements
    ------- stderr -------
    Error: module never cannot be planned: there is no base
    Hint: plan it with what it requires: xcrane module plan base never
    [exit status: 1]
    $ xcrane module list | grep -v ' - '
    alone: 1.0 -
    base: 1.0 applied
    late: 1.0 applied
    never: 1.0 -
    $ xcrane module plan base never
    base: it: done
    never: planned when base is applied: there is no base
    ------- stderr -------
    kept: xcrane module apply base --plan $PLAN
    [exit status: 2]
    $ xcrane module apply base
    base: it: done
    base: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        base: it: done
        never: planned when base is applied: there is no base
    Error: module never cannot be planned: there is no base
    Hint: what is left is done by the same command: xcrane module apply base
    [exit status: 1]
    "#);
}

#[test]
fn programs_that_do_not_keep_to_the_contract() {
    let lab = rack();
    local(&lab, "hangs", "", "sleep 100");
    local(&lab, "garbage", "", "echo hello");
    local(&lab, "fails", "", "echo why >&2; exit 3");
    local(&lab, "silent", "", "true");
    local(
        &lab,
        "tells",
        "[config.token]\ntype = 'string'\nhelp = 'x'\nsecret = true\n",
        "echo \"it is $CONFIG_TOKEN\" >&2; exit 1",
    );
    config(&lab, "tells", "token = 'hunter2'\n");
    let proposal = "init) echo '{\"result\":{\"config\":{\"token\":\"hunter4\",\"pins\":[\"hunter5\"]}}}' ;;";
    let schema = "[config.token]\ntype = 'string'\nhelp = 'x'\nsecret = true\ndefault = 'hunter3'\n[config.pins]\ntype = 'list'\nhelp = 'y'\nsecret = true\n";
    scripted(&lab, "proposes", schema, "");
    let program = lab.state().join("modules/proposes/run");
    put(&program, &format!("#!/bin/sh\ncase $1 in\n{proposal}\nesac\n"), 0o755);
    config(&lab, "proposes", "token = 'hunter2'\npins = 5\n");
    assert_snapshot!(session(&lab, "
        xcrane module info proposes | grep config
        xcrane module init proposes
        xcrane module init proposes --force
        xcrane module init proposes --force
    "), @"
    $ xcrane module info proposes | grep config
        config pins: y (a list of strings)
        config token: x (a string) [default: ******]
    $ xcrane module init proposes
    @@ -1,2 +1,5 @@
    -token = ******
    -pins = ******
    +# y (a list of strings)
    +pins = ******
    +
    +# x (a string)
    +token = ******
    ------- stderr -------
    what was edited in $XCRANE_HOME/configs/proposes.toml was kept; xcrane module init --force proposes writes over it
    [exit status: 2]
    $ xcrane module init proposes --force
    @@ -1,2 +1,5 @@
    -token = ******
    -pins = ******
    +# y (a list of strings)
    +pins = ******
    +
    +# x (a string)
    +token = ******
    proposes: wrote $XCRANE_HOME/configs/proposes.toml
    $ xcrane module init proposes --force
    proposes: $XCRANE_HOME/configs/proposes.toml is as it would be written
    ");
    assert_snapshot!(session(&lab, "
        xcrane module plan hangs
        xcrane module plan garbage
        xcrane module plan fails
        xcrane module plan silent
        xcrane module plan tells
    "), @"
    $ xcrane module plan hangs
    ------- stderr -------
    Error: plan of module hangs: it did not end within 2 s, and was ended
    [exit status: 1]
    $ xcrane module plan garbage
    ------- stderr -------
    Error: plan of module garbage: it said 'hello', which is no message of the contract: expected value at line 1 column 1
    [exit status: 1]
    $ xcrane module plan fails
    ------- stderr -------
    Error: plan of module fails: it ended with exit code 3
        why
    [exit status: 1]
    $ xcrane module plan silent
    ------- stderr -------
    Error: plan of module silent: it ended without a result
    [exit status: 1]
    $ xcrane module plan tells
    ------- stderr -------
    Error: plan of module tells: it ended with exit code 1
        it is ******
    [exit status: 1]
    ");
}

#[test]
fn what_a_module_does_wrong_stays_its_own() {
    let lab = rack();
    local(&lab, "base", "", CHANGE);
    let says = |state: &str| format!("plan) {CHANGE} ;;\napply) echo '{{\"result\":{state}}}' ;;");
    scripted(&lab, "greedy", "", &says(r#"{"state":2,"states":{"base":{"state":"stolen"}},"name":"base"}"#));
    scripted(
        &lab,
        "dies",
        "",
        &format!(
            "plan) {CHANGE} ;;\napply) [ -e half ] || {{ touch half; kill -9 $$; }}; echo '{{\"result\":{{\"state\":3}}}}' ;;"
        ),
    );
    assert_snapshot!(session(&lab, r#"
        xcrane module plan base greedy dies
        xcrane module apply base
        xcrane module list | grep -v ' - '
        xcrane module backup dies
        xcrane module apply base
        xcrane module state base --yaml
        xcrane module state greedy --yaml > greedy.yml
        sed -i 's/^state: .*/state: 7/' greedy.yml
        xcrane module plan greedy
        xcrane module state greedy --import greedy.yml
        xcrane module apply greedy
        xcrane module state base --import greedy.yml
        chtab module=greedy module.state=broken
        xcrane module plan base
    "#), @r#"
    $ xcrane module plan base greedy dies
    base: it: done
    dies: it: done
    greedy: it: done
    ------- stderr -------
    kept: xcrane module apply base --plan $PLAN
    [exit status: 2]
    $ xcrane module apply base
    base: it: done
    greedy: it: done
    base: applied
    greedy: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        base: it: done
        dies: it: done
        greedy: it: done
    Error: apply of module dies: it ended with exit code 137, by signal SIGKILL
    Hint: what is left is done by the same command: xcrane module apply base
    [exit status: 1]
    $ xcrane module list | grep -v ' - '
    base: 1.0 applied
    dies: 1.0 partial (failed)
    greedy: 1.0 applied
    $ xcrane module backup dies
    ------- stderr -------
    Error: module dies is half applied: failed
    Hint: what is left is done by the apply that was cut off, run again
    [exit status: 1]
    $ xcrane module apply base
    dies: it: done
    base: applied
    dies: applied
    greedy: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        base: it: done
        dies: it: done
        greedy: it: done
    $ xcrane module state base --yaml
    name: base
    labels:
      name: base
      version: "1.0"
    strong: []
    state: 1
    targets: {}
    config: {}
    finished: $PLAN
    directory: $XCRANE_HOME/modules/base
    $ xcrane module state greedy --yaml > greedy.yml
    $ sed -i 's/^state: .*/state: 7/' greedy.yml
    $ xcrane module plan greedy
    greedy: it: done
    ------- stderr -------
    kept: xcrane module apply greedy --plan $PLAN
    [exit status: 2]
    $ xcrane module state greedy --import greedy.yml
    $ xcrane module apply greedy
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        greedy: it: done
    Error: the plan for module greedy is old: its state was changed since it was made
    Hint: see what is to be done now: xcrane module plan greedy
    [exit status: 1]
    $ xcrane module state base --import greedy.yml
    ------- stderr -------
    Error: greedy.yml: it is the state of module greedy, not of base
    Hint: nothing was taken from it
    [exit status: 1]
    $ chtab module=greedy module.state=broken
    $ xcrane module plan base
    base: it: done
    ------- stderr -------
    kept: xcrane module apply base --plan $PLAN
    [exit status: 2]
    "#);
}

#[test]
fn methods_that_a_module_need_not_have() {
    let lab = rack();
    let answers = r#"plan) echo '{"result":{"changes":[{"what":"it"}]}}' ;;
apply) echo '{"result":{"state":{"members":1}}}' ;;
backup) echo '{"result":{"backup":{"data":"of then"}}}' ;;
restore) grep -q '"backup":{"data":"of then"}' && echo '{"result":{"state":{"members":2}}}' ;;
update) echo '{"result":{}}' ;;
scale) echo '{"error":"it cannot grow"}' ;;
test) echo '{"result":{"tests":[{"what":"it answers"},{"what":"it is quick","fault":"took 3 s"}]}}' ;;"#;
    scripted(&lab, "kept", "", answers);
    assert_snapshot!(session(&lab, r#"
        xcrane module backup kept
        xcrane module plan kept
        xcrane module apply kept
        xcrane module restore kept
        xcrane module backup kept 2>&1 | sed 's/[0-9]\{8\}-[0-9.]*/TIME/'
        xcrane module restore kept
        xcrane module state kept --yaml
        xcrane module update kept
        xcrane module scale kept
        xcrane module test kept
        xcrane module test kept --json
    "#), @r#"
    $ xcrane module backup kept
    ------- stderr -------
    Error: module kept was not applied
    Hint: what applying would do: xcrane module plan kept
    [exit status: 1]
    $ xcrane module plan kept
    kept: it
    ------- stderr -------
    kept: xcrane module apply kept --plan $PLAN
    [exit status: 2]
    $ xcrane module apply kept
    kept: it
    kept: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        kept: it
    $ xcrane module restore kept
    ------- stderr -------
    Error: there is no backup of module kept
    Hint: make one: xcrane module backup kept
    [exit status: 1]
    $ xcrane module backup kept 2>&1 | sed 's/[0-9]\{8\}-[0-9.]*/TIME/'
    kept: backup: done
    kept: kept in $XCRANE_HOME/backups/kept/TIMEjson
    $ xcrane module restore kept
    kept: restore: done
    $ xcrane module state kept --yaml
    name: kept
    labels:
      name: kept
      version: "1.0"
    strong: []
    state:
      members: 2
    targets: {}
    config: {}
    finished: $PLAN
    directory: $XCRANE_HOME/modules/kept
    $ xcrane module update kept
    kept: update: done
    $ xcrane module scale kept
    ------- stderr -------
    kept: Error: scale of module kept: it cannot grow
    [exit status: 1]
    $ xcrane module test kept
    kept: pass: it answers
    kept: FAIL: it is quick: took 3 s
    [exit status: 1]
    $ xcrane module test kept --json
    {"node":"kept","answer":{"method":"test","tests":[{"what":"it answers","fault":null},{"what":"it is quick","fault":"took 3 s"}]}}
    [exit status: 1]
    "#);
}

#[test]
fn a_playbook_on_hosts() {
    let lab = defined_hosts(lab().hosts(2), 2);
    with_examples(&lab);
    assert_snapshot!(session(&lab, "
        xcrane module init banner
        grep nodes $XCRANE_HOME/configs/banner.toml
        xcrane module plan banner
        xcrane module apply banner | sort
        xcrane module state banner --yaml | grep -v ^directory
    "), @r#"
    $ xcrane module init banner
    banner: wrote $XCRANE_HOME/configs/banner.toml
    $ grep nodes $XCRANE_HOME/configs/banner.toml
    nodes = "h[1-2]"
    $ xcrane module plan banner
    banner on h1: banner: /etc/issue.net: Debian GNU/Linux 12 -> Authorized use only
    banner on h2: banner: /etc/issue.net: Debian GNU/Linux 12 -> Authorized use only
    ------- stderr -------
    kept: xcrane module apply banner --plan $PLAN
    [exit status: 2]
    $ xcrane module apply banner | sort
    banner on h1: banner: /etc/issue.net: Debian GNU/Linux 12 -> Authorized use only
    banner on h2: banner: /etc/issue.net: Debian GNU/Linux 12 -> Authorized use only
    banner: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        banner on h1: banner: /etc/issue.net: Debian GNU/Linux 12 -> Authorized use only
        banner on h2: banner: /etc/issue.net: Debian GNU/Linux 12 -> Authorized use only
    $ xcrane module state banner --yaml | grep -v ^directory
    name: banner
    labels:
      kind: greeting
      name: banner
      short: what people read before they log in
      version: "1.0"
    strong: []
    state: null
    targets:
      h1:
        text: Authorized use only
      h2:
        text: Authorized use only
    config:
      nodes: h[1-2]
      text: Authorized use only
    finished: $PLAN
    "#);
    assert_eq!(lab.host("h2").shell("cat /etc/issue.net").trim(), "Authorized use only");
    lab.host("h1").shell("echo mine > /etc/issue.net");
    assert_snapshot!(lab.run("xcrane module audit banner"), @"
    h1: changed: banner: /etc/issue.net: Authorized use only -> mine
    h2: as it was left
    [exit status: 2]
    ");
    let directory = lab.state().join("modules/bad");
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/examples/banner/module.toml"));
    put(&directory.join("module.toml"), &manifest.unwrap().replace("\"banner\"", "\"bad\""), 0o644);
    put(
        &directory.join("banner.yml"),
        "- hosts: targets\n  gather_facts: false\n  tasks:\n    - command: \"false\"\n      check_mode: false\n",
        0o644,
    );
    config(&lab, "bad", "nodes = 'h1'\n");
    assert_snapshot!(lab.run("xcrane module plan bad"), @"
    ------- stderr -------
    Error: h1: plan of module bad: command: non-zero return code
    [exit status: 1]
    ");
}

#[test]
fn a_module_in_a_container() {
    let lab = defined_hosts(lab().hosts(1), 1);
    local(&lab, "base", "", CHANGE);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/examples/probe/module");
    let read = |name: &str| fs::read_to_string(example.join(name)).expect("it is shipped");
    let files = format!(
        "mkdir -p /b/module; cd /b; cat > module/module.toml <<'E'\n{}E\ncat > module/probe <<'E'\n{}E\nchmod 755 module/probe",
        read("module.toml"),
        read("probe").replace("\ntest)", "\nbackup) sleep 100 ;;\ntest)")
    );
    let host = lab.host("h1");
    host.shell(&files);
    host.shell(
        "cd /b; docker create --name made busybox:lab; docker cp module made:/module
         docker commit -c 'ENTRYPOINT [\"/module/probe\"]' made site/probe:1; docker rm made",
    );
    config(&lab, "probe", "host = 'h1'\n");
    assert_snapshot!(session(&lab, "
        imgsave site/probe:1 probe.tar --from h1
        xcrane module add docker://./probe.tar
        xcrane module plan base
        xcrane module apply base
        xcrane module plan probe
        xcrane module apply probe
        xcrane module plan probe
        xcrane module test probe
        xcrane module check probe --apply h1
    "), @"
    $ imgsave site/probe:1 probe.tar --from h1
    h1: saved site/probe:1 to probe.tar, 2.0M
    $ xcrane module add docker://./probe.tar
    probe: 1.0 in $XCRANE_HOME/modules/probe
    $ xcrane module plan base
    base: it: done
    ------- stderr -------
    kept: xcrane module apply base --plan $PLAN
    [exit status: 2]
    $ xcrane module apply base
    base: it: done
    base: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        base: it: done
    $ xcrane module plan probe
    probe: modules: '' -> base
    ------- stderr -------
    kept: xcrane module apply probe --plan $PLAN
    [exit status: 2]
    $ xcrane module apply probe
    probe: modules: '' -> base
    probe: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        probe: modules: '' -> base
    $ xcrane module plan probe
    probe: nothing to do
    $ xcrane module test probe
    probe: pass: /shared is read-only
    $ xcrane module check probe --apply h1
    probe: pass: metadata says the labels of module.toml
    probe: pass: init proposes a config that the module takes
    probe: pass: plan says the same twice, and leaves the directory as it is
    probe: pass: apply does what was planned: nothing is left to do
    probe: pass: apply twice is as once
    probe: pass: audit finds what apply has left
    probe: pass: the state has what its labels provide
    probe: pass: test finds that it works
    ");
    lab.shell("echo 'backup = { way = \"container\", limit = 3 }' >> $XCRANE_HOME/modules/probe/module.toml").success();
    assert_snapshot!(session(&lab, "
        xcrane module backup probe
        sed -i 's|^host = .*|&\\nimage = \"site/none:1\"|' $XCRANE_HOME/modules/probe/module.toml
        xcrane module audit probe 2>&1 | sed 's/: the host.*//'
    "), @r#"
    $ xcrane module backup probe
    ------- stderr -------
    probe: Error: backup of module probe: it did not end within 3 s, and was ended
    [exit status: 1]
    $ sed -i 's|^host = .*|&\nimage = "site/none:1"|' $XCRANE_HOME/modules/probe/module.toml
    $ xcrane module audit probe 2>&1 | sed 's/: the host.*//'
    probe: Error: audit of module probe: h1: cannot pull image site/none:1
    "#);
    // Nothing of it stays.
    assert_eq!(host.shell("docker ps -aq; docker volume ls -q"), "");
}

#[test]
fn a_killed_apply_goes_on_and_nobody_works_on_its_nodes_meanwhile() {
    let lab = defined_hosts(lab().hosts(2), 2);
    with_examples(&lab);
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/examples/motd/module.toml"));
    let manifest = manifest.unwrap().replace("\"motd\"", "\"run\"").replace("name = \"run\"", "name = \"slow\"");
    // One that looks waits for a second, one that changes for a minute.
    let manifest =
        manifest.replace("limit = 30", "limit = 60") + "test = { way = \"node\", program = \"run\", limit = 1 }\n";
    let program = "#!/bin/sh\ncase $1 in\nplan) echo '{\"result\":{\"changes\":[{\"what\":\"it\"}]}}' ;;\n\
                   apply) echo begin >> /done; [ $TARGET = h1 ] || while ! [ -e /go ]; do sleep 0.1; done; sleep 300 >/dev/null 2>&1 & \n\
                   echo end >> /done; echo '{\"result\":{\"state\":1}}' ;;\n\
                   test) echo '{\"result\":{\"tests\":[{\"what\":\"it works\"}]}}' ;;\nesac\n";
    module(&lab, "slow", &manifest, program);
    config(&lab, "slow", "nodes = 'hosts'\n");
    config(&lab, "motd", "nodes = 'h2'\n");
    assert_eq!(lab.run("xcrane module plan slow").code, 2);
    assert_eq!(lab.run("xcrane module plan motd").code, 2);
    lab.shell("xcrane module apply slow >/dev/null 2>&1 & echo $! > pid").success();
    wait_for("h1 is done", Duration::from_secs(60), || {
        let state = lab.run("xcrane module state slow");
        if state.stdout.contains("\"h1\": 1") { Wait::Ready(()) } else { Wait::NotYet(state.to_string()) }
    });
    let begun = || lab.host("h2").shell("cat /done 2>/dev/null || true");
    wait_for("h2 has begun", Duration::from_secs(60), || {
        if begun() == "begin\n" { Wait::Ready(()) } else { Wait::NotYet(begun()) }
    });
    let others = lab.run("xcrane module apply motd");
    assert!(others.stderr.contains("nothing was done: set-up of these nodes is under way: process "), "{others}");
    assert!(others.code == 1 && others.stderr.contains(" has h2"), "{others}");
    let mknet = "mknet blue driver=bridge net=10.80.0.0 mask=255.255.0.0 hosts=h[1-2]";
    for by_hand in ["mkhost h2 -y", "mkregistry h2", mknet, "rmhost h2 -y"] {
        let refused = lab.run(by_hand);
        assert!(refused.code == 1 && refused.stderr.contains("set-up of these nodes is under way"), "{refused}");
    }
    let adopting = lab.run("xcrane module audit slow --adopt");
    assert!(adopting.code == 1 && adopting.stderr.contains("work of these modules is under way"), "{adopting}");
    lab.shell("kill -9 $(cat pid)").success();
    assert_eq!(
        lab.shell("xcrane module list | grep slow").success(),
        "slow: 1.0 greeting partial (done h1, open h2) what people read when they log in"
    );
    a_program_that_nobody_hears_any_more_is_not_run_over(&lab);
    assert_eq!(lab.host("h1").shell("cat /done"), "begin\nend\n");
    assert_eq!(
        lab.shell("xcrane module list | grep slow").success(),
        "slow: 1.0 greeting applied what people read when they log in"
    );
}

/// The first one runs on at h2, where it waits to be let go on.
fn a_program_that_nobody_hears_any_more_is_not_run_over(lab: &Lab) {
    let tried = lab.run("xcrane module test slow");
    let why = "h2: Error: test of module slow: the module is at work there: apply of root on ";
    assert!(tried.code == 1 && tried.stderr.contains(why) && tried.stderr.contains(" there\n"), "{tried}");
    assert!(tried.stdout.contains("h1: pass: it works"), "what a program leaves running holds no lock: {tried}");
    let again = lab.spawn("xcrane module apply slow");
    let h2 = lab.host("h2");
    wait_for("the second run waits on h2", Duration::from_secs(60), || {
        let places = h2.shell("ls -d /tmp/tmp.* | wc -l");
        if places.trim() == "2" { Wait::Ready(()) } else { Wait::NotYet(places) }
    });
    assert_eq!(h2.shell("cat /done"), "begin\n");
    h2.shell("touch /go");
    assert_snapshot!(again.wait(Duration::from_secs(60)), @"
    slow on h2: it
    slow: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        slow on h1: it
        slow on h2: it
    ");
    assert_eq!(h2.shell("cat /done"), "begin\nend\nbegin\nend\n");
    assert_eq!(h2.shell("ls -d /tmp/tmp.* 2>/dev/null || true"), "", "nothing of the programs stays");
}
