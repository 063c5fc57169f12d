//! `xcrane module`: programs that do not keep to the contract, by every way that leads away from here. Each is ended and named, and no
//! secret of it is shown.

use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;

use crate::module::{config, put};
use crate::{defined_hosts, lab, session};

/// What goes wrong, by its name.
const MODES: [&str; 5] = ["hangs", "garbage", "fails", "whispers", "blurts"];

const PROGRAM: &str = "#!/bin/sh
case $CONFIG_MODE in
hangs) sleep 4711 ;;
garbage) echo hello ;;
fails) echo why >&2; exit 3 ;;
whispers) echo 'it is hunter2' >&2; exit 1 ;;
blurts) echo 'it is hunter2' ;;
esac
";

/// The seconds that a plan has; what ends by itself may take its time on a busy machine.
fn limit(mode: &str, hangs: u32) -> u32 {
    if mode == "hangs" { hangs } else { 300 }
}

/// A module whose plan goes wrong as its name says, by this way; it knows a secret.
fn module(lab: &Lab, name: &str, plan: &str, rest: &str) {
    let here = "{ way = 'local', program = 'run' }";
    let manifest = format!(
        "targets = 'nodes'\n[labels]\nname = '{name}'\nversion = '1.0'\n{rest}
         [config.nodes]\ntype = 'noderange'\nhelp = 'where'\n
         [config.mode]\ntype = 'string'\nhelp = 'what goes wrong'\ndefault = '{name}'\n
         [config.token]\ntype = 'string'\nhelp = 'nobody is to see it'\nsecret = true\n
         [methods]\nmetadata = {here}\ninit = {here}\nplan = {plan}\napply = {here}\naudit = {here}\n"
    );
    let directory = lab.state().join("modules").join(name);
    put(&directory.join("module.toml"), &manifest, 0o644);
    put(&directory.join("run"), PROGRAM, 0o755);
    config(lab, name, "nodes = 'h1'\ntoken = 'hunter2'\n");
}

/// All of them planned.
fn planned(lab: &Lab) -> String {
    session(lab, &MODES.map(|mode| format!("xcrane module plan {mode}\n")).concat())
}

/// Waits until a command on h1 says nothing.
fn gone(lab: &Lab, what: &str, command: &str) {
    wait_for(what, Duration::from_secs(30), || match lab.host("h1").shell(command) {
        left if left.is_empty() => Wait::Ready(()),
        left => Wait::NotYet(left),
    });
}

#[test]
fn on_a_node() {
    let lab = defined_hosts(lab().hosts(1), 1);
    for mode in MODES {
        let plan = format!("{{ way = 'node', program = 'run', limit = {} }}", limit(mode, 2));
        module(&lab, mode, &plan, "");
    }
    assert_snapshot!(planned(&lab), @"
    $ xcrane module plan hangs
    ------- stderr -------
    Error: h1: plan of module hangs: it did not end within 2 s, and was ended
    [exit status: 1]
    $ xcrane module plan garbage
    ------- stderr -------
    Error: h1: plan of module garbage: it said 'hello', which is no message of the contract: expected value at line 1 column 1
    [exit status: 1]
    $ xcrane module plan fails
    ------- stderr -------
    Error: h1: plan of module fails: it ended with exit code 3
        why
    [exit status: 1]
    $ xcrane module plan whispers
    ------- stderr -------
    Error: h1: plan of module whispers: it ended with exit code 1
        it is ******
    [exit status: 1]
    $ xcrane module plan blurts
    ------- stderr -------
    Error: h1: plan of module blurts: it said 'it is ******', which is no message of the contract: expected value at line 1 column 1
    [exit status: 1]
    ");
    gone(&lab, "nothing of it runs on h1", "pgrep -fx 'sleep 4711' || true");
}

#[test]
fn in_a_container() {
    let lab = defined_hosts(lab().hosts(1), 1);
    lab.host("h1").shell(&format!(
        "cat >/entry <<'E'\n{PROGRAM}E\nchmod 755 /entry; docker create --name made busybox:lab; docker cp /entry made:/entry
         docker commit -c 'ENTRYPOINT [\"/entry\"]' made site/wrong:1; docker rm made"
    ));
    lab.run("chdef -t site modulehost=h1").success();
    for mode in MODES {
        let plan = format!("{{ way = 'container', limit = {} }}", limit(mode, 5));
        module(&lab, mode, &plan, "[container]\nimage = 'site/wrong:1'\n");
    }
    assert_snapshot!(planned(&lab), @"
    $ xcrane module plan hangs
    ------- stderr -------
    Error: plan of module hangs: it did not end within 5 s, and was ended
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
    $ xcrane module plan whispers
    ------- stderr -------
    Error: plan of module whispers: it ended with exit code 1
        it is ******
    [exit status: 1]
    $ xcrane module plan blurts
    ------- stderr -------
    Error: plan of module blurts: it said 'it is ******', which is no message of the contract: expected value at line 1 column 1
    [exit status: 1]
    ");
    gone(&lab, "nothing of it is left on h1", "docker ps -aq; docker volume ls -q");
}

/// A playbook with these tasks.
fn playbook(lab: &Lab, name: &str, limit: u32, tasks: &str) {
    module(lab, name, &format!("{{ way = 'ansible', program = 'book.yml', limit = {limit} }}"), "");
    let book = format!("- hosts: targets\n  gather_facts: false\n  tasks:\n{tasks}");
    put(&lab.state().join("modules").join(name).join("book.yml"), &book, 0o644);
}

#[test]
fn in_a_playbook() {
    let lab = defined_hosts(lab().hosts(1), 1);
    playbook(&lab, "hangs", 20, "  - command: sleep 4711\n    check_mode: false\n");
    playbook(&lab, "garbage", 300, "hello\n");
    playbook(&lab, "fails", 300, "  - command: sh -c 'echo why >&2; exit 3'\n    check_mode: false\n");
    let secret = "{{ xcrane.config.token }}";
    playbook(&lab, "whispers", 300, &format!("  - fail: {{ msg: \"it is {secret}\" }}\n"));
    playbook(&lab, "blurts", 300, &format!("  - copy: {{ content: \"it is {secret}\", dest: /root/token }}\n"));
    // What Ansible has to say of a text that is no playbook differs from one version to the next.
    let said = planned(&lab);
    gone(&lab, "nothing of it runs on h1", "pgrep -fx 'sleep 4711' || true");
    let (before, rest) = said.split_once("    ERROR! ").expect("it says what is wrong");
    let (_, after) = rest.split_once("[exit status: 1]\n").expect("it fails");
    assert_snapshot!(format!("{before}    …\n[exit status: 1]\n{after}"), @"
    $ xcrane module plan hangs
    ------- stderr -------
    Error: plan of module hangs: it did not end within 20 s, and was ended
    [exit status: 1]
    $ xcrane module plan garbage
    ------- stderr -------
    Error: plan of module garbage: ansible-playbook ended with exit code 4
        …
    [exit status: 1]
    $ xcrane module plan fails
    ------- stderr -------
    Error: h1: plan of module fails: command: non-zero return code: why
    [exit status: 1]
    $ xcrane module plan whispers
    ------- stderr -------
    Error: h1: plan of module whispers: fail: it is ******
    [exit status: 1]
    $ xcrane module plan blurts
    blurts on h1: copy: /root/token: '' -> it is ******
    ------- stderr -------
    kept: xcrane module apply blurts --plan $PLAN
    [exit status: 2]
    ");
}

#[test]
fn groups_of_nodes_are_groups_of_a_playbook() {
    let lab = defined_hosts(lab().hosts(2), 2);
    lab.run("chdef -p h1 groups=rack1").success();
    lab.run("chdef -p h2 groups=rack2").success();
    let text = "{{ group_names | sort | join(' ') }} beside {{ groups['rack2'] | join(' ') }}";
    let tasks = format!("  - copy: {{ content: \"{text}\", dest: /etc/groups-of }}\n");
    playbook(&lab, "groups", 300, &tasks);
    let directory = lab.state().join("modules/groups");
    let book = "apply = { way = 'ansible', program = 'book.yml' }\naudit = { way = 'ansible', program = 'book.yml' }\n";
    let manifest = std::fs::read_to_string(directory.join("module.toml")).expect("it is there");
    let (methods, _) = manifest.split_once("apply = ").expect("it has one");
    put(&directory.join("module.toml"), &format!("{methods}{book}"), 0o644);
    config(&lab, "groups", "nodes = 'h1,h2'\ntoken = 'hunter2'\n");
    assert_eq!(lab.run("xcrane module plan groups").code, 2);
    lab.run("xcrane module apply groups").success();
    let told = ["h1", "h2"].map(|host| lab.host(host).shell("cat /etc/groups-of"));
    assert_eq!(told, ["hosts rack1 targets beside h2", "hosts rack2 targets beside h2"]);
}
