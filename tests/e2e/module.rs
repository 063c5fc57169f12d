//! `xcrane module`: modules in shell and in Python, on real hosts.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use insta::assert_snapshot;
use lab::Lab;

use crate::{defined_hosts, lab, rack, session};

/// The modules that are shipped as examples, where a site would have put them.
fn with_examples(lab: &Lab) {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/examples");
    lab.run(&format!("chdef -t site modulepath={}", examples.display())).success();
}

fn config(lab: &Lab, name: &str, text: &str) {
    put(&lab.state().join("configs").join(format!("{name}.toml")), text, 0o600);
}

fn put(file: &Path, text: &str, mode: u32) {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, text));
    written
        .and_then(|()| fs::set_permissions(file, Permissions::from_mode(mode)))
        .expect("the home of a lab can be written");
}

fn module(lab: &Lab, name: &str, manifest: &str, program: &str) {
    let directory = lab.state().join("modules").join(name);
    put(&directory.join("module.toml"), manifest, 0o644);
    put(&directory.join("run"), program, 0o755);
}

/// A module that runs here, and needs what `rest` says.
fn local(lab: &Lab, name: &str, rest: &str, plan: &str) {
    let manifest = format!(
        "{rest}\n[labels]\nname = '{name}'\nversion = '1.0'\n[methods]\nmetadata = {{ way = 'local', program = 'run' }}\n\
         init = {{ way = 'local', program = 'run' }}\nplan = {{ way = 'local', program = 'run', limit = 2 }}\n\
         apply = {{ way = 'local', program = 'run' }}\naudit = {{ way = 'local', program = 'run' }}\n"
    );
    let program = format!(
        "#!/bin/sh\ncase $1 in\ninit) echo '{{\"result\":{{\"config\":{{}}}}}}' ;;\nplan) {plan} ;;\n\
         apply) echo '{{\"result\":{{\"state\":1}}}}' ;;\nesac\n"
    );
    module(lab, name, &manifest, &program);
}

const CHANGE: &str = r#"echo '{"result":{"changes":[{"what":"it","to":"done"}]}}'"#;

#[test]
fn in_shell_and_in_python_on_hosts() {
    let lab = defined_hosts(lab().hosts(2), 2);
    with_examples(&lab);
    assert_snapshot!(lab.run("xcrane module list"), @"
    limits: 1.1 node-base - how many files a user may open
    motd: 1.0 greeting - what people read when they log in
    ");
    assert_snapshot!(lab.run("xcrane module init motd"), @"motd: wrote $XCRANE_HOME/configs/motd.toml");
    assert_snapshot!(lab.run("xcrane module plan motd"), @"
    ------- stderr -------
    Error: nodes of module motd: Invalid nodes and/or groups in noderange: all
    [exit status: 1]
    ");
    config(&lab, "motd", "nodes = 'hosts'\ntext = 'It is \"new\"'\n");
    assert_snapshot!(lab.run("xcrane module plan motd"), @r#"
    motd on h1: /etc/motd: '' -> It is "new"
    motd on h2: /etc/motd: '' -> It is "new"
    [exit status: 2]
    "#);
    assert_snapshot!(lab.run("xcrane module apply motd").sorted(), @r#"
    motd on h1: /etc/motd: '' -> It is "new"
    motd on h2: /etc/motd: '' -> It is "new"
    motd: applied
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
    motd: pass: plan changes nothing: the second says what the first did
    ");
    config(&lab, "limits", "nodes = 'h1'\nfiles = 4096\n");
    assert_snapshot!(lab.run("xcrane module plan limits"), @"
    limits on h1: /etc/security/limits.d/50-xcrane.conf: * - nofile 4096
    [exit status: 2]
    ");
    assert_snapshot!(lab.run("xcrane module apply limits"), @"
    limits on h1: /etc/security/limits.d/50-xcrane.conf: * - nofile 4096
    limits: applied
    ");
    assert_eq!(lab.host("h1").shell("cat /etc/security/limits.d/50-xcrane.conf").trim(), "* - nofile 4096");
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
    Error: the plan for module limits is old: its config was changed since it was made
    Hint: see what is to be done now: xcrane module plan limits
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
    assert_snapshot!(session(&lab, "
        xcrane module plan queue
        xcrane module plan one --with-requirements
        xcrane module plan queue --with-requirements
        xcrane module plan watch
        xcrane module apply watch
        xcrane module apply queue
        xcrane module remove base
        xcrane module search 'name in base,queue' 'version lt 2'
        xcrane module plan moon
    "), @"
    $ xcrane module plan queue
    ------- stderr -------
    Error: module queue requires one with name eq base and version ge 1, and none is installed or chosen
    Hint: base is one: xcrane module plan base
    [exit status: 1]
    $ xcrane module plan one --with-requirements
    ------- stderr -------
    Error: these modules require each other: one -> two -> one
    [exit status: 1]
    $ xcrane module plan queue --with-requirements
    base: it: done
    queue: it: done
    [exit status: 2]
    $ xcrane module plan watch
    watch: it: done
    ------- stderr -------
    watch would like a module with name eq disk, and none is installed
    [exit status: 2]
    $ xcrane module apply watch
    watch: it: done
    watch: applied
    $ xcrane module apply queue
    base: it: done
    queue: it: done
    base: applied
    queue: applied
    watch: influenced by queue; xcrane module plan watch && xcrane module apply watch would do:
        watch: it: done
    $ xcrane module remove base
    ------- stderr -------
    Error: module base is required by queue
    Hint: remove these before: xcrane module remove queue
    [exit status: 1]
    $ xcrane module search 'name in base,queue' 'version lt 2'
    base: 1.0 applied
    queue: 1.0 applied
    $ xcrane module plan moon
    ------- stderr -------
    Error: there is no module 'moon'
    Hint: there are: base one queue two watch
    [exit status: 1]
    ");
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
