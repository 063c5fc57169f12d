//! `xcrane module`: modules in shell and in Python, on real hosts; and modules that other tests make.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ::lab::Lab;
use insta::assert_snapshot;

use crate::{defined_hosts, lab, session};

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

/// A module whose program is sent to each of its nodes, but for `metadata` and `init`: `head` is what its manifest begins with beside
/// its targets, `further` the methods that it need not have, and each may take `limit` seconds.
pub(crate) fn on_nodes(lab: &Lab, name: &str, head: &str, further: &[&str], limit: u32, program: &str) {
    let here = ["metadata", "init"].map(|method| format!("{method} = {{ way = 'local', program = 'run' }}\n")).concat();
    let there: String = ["plan", "apply", "audit"]
        .iter()
        .chain(further)
        .map(|method| format!("{method} = {{ way = 'node', program = 'run', limit = {limit} }}\n"))
        .collect();
    let manifest = format!(
        "targets = 'nodes'\n{head}\n[labels]\nname = '{name}'\nversion = '1.0'\n[config.nodes]\ntype = 'noderange'\nhelp = 'where'\n\
         [methods]\n{here}{there}"
    );
    module(lab, name, &manifest, program);
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
    nats: 1.0 stream - messages that are published, kept and read again: NATS with JetStream on several machines
    network: 1.0.0 network - networks of containers over Docker hosts, as mknet makes them
    node-base: 1.0.0 node-base - what all machines have in common: users, keys, time, the kernel's settings for HPC
    registry: 1.0.0 registry - the site's registry of container images, as mkregistry makes it
    ");
    assert_snapshot!(lab.run("xcrane module init motd"), @"motd: wrote $XCRANE_HOME/configs/motd.toml");
    assert_snapshot!(lab.run("xcrane module plan motd -b"), @"
    motd on h[1-2]: /etc/motd: '' -> Welcome
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
    config(&lab, "motd", "nodes = 'hosts'\ntext = 'It is \"new\" in C:\\new'\n");
    assert_snapshot!(lab.run("xcrane module plan motd"), @r#"
    motd on h1: /etc/motd: '' -> It is "new" in C:\new
    motd on h2: /etc/motd: '' -> It is "new" in C:\new
    ------- stderr -------
    kept: xcrane module apply motd --plan $PLAN
    [exit status: 2]
    "#);
    assert_snapshot!(lab.run("xcrane module apply motd").sorted(), @r#"
    motd on h1: /etc/motd: '' -> It is "new" in C:\new
    motd on h2: /etc/motd: '' -> It is "new" in C:\new
    motd: applied
    ------- stderr -------
        motd on h1: /etc/motd: '' -> It is "new" in C:\new
        motd on h2: /etc/motd: '' -> It is "new" in C:\new
    plan $PLAN, made by root at $TIME:
    "#);
    assert_eq!(lab.host("h2").shell("stat -c %a /etc/motd; cat /etc/motd").trim(), "644\nIt is \"new\" in C:\\new");
    assert_eq!(lab.run("xcrane module plan motd").code, 0);
    assert_eq!(lab.run("xcrane module audit motd").code, 0);
    lab.host("h1").shell("echo other > /etc/motd");
    assert_snapshot!(lab.run("xcrane module audit motd").sorted(), @"
    h1: changed, harmless: /etc/motd: other
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
    lab.host("h1").shell("printf '%s\\n' 'It is \"new\" in C:\\new' > /etc/motd");
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
    motd on h2: /etc/motd: It is "new" in C:\new -> Another
    ------- stderr -------
    Warning: h1: was set up by motd, whose config does not mean it any more; nothing is done to it
    Hint: put h1 into the config of motd again; or undo there what it did, and take it out of its state: xcrane module state motd > FILE, then xcrane module state --import FILE
    kept: xcrane module apply motd --plan $PLAN
    [exit status: 2]
    $ xcrane module state motd --yaml | sed -n '/^config/,/^[a-bd-z]/p'
    config:
      nodes: hosts
      text: It is "new" in C:\new
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
    h1: changed, harmless: /etc/security/limits.d/50-xcrane.conf: * - nofile 9000
    [exit status: 2]
    $ xcrane module audit limits --adopt
    h1: changed, harmless: /etc/security/limits.d/50-xcrane.conf: * - nofile 9000
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
