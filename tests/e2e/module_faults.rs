//! `xcrane module` where things are wrong: rows and files that cannot be read, plans that somebody has written over, directories
//! that are gone, programs that do not end.

use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;

use crate::module::{CHANGE, config, local, on_nodes, put, scripted};
use crate::{defined_hosts, rack, session};

/// Applies modules that have nothing to do with each other.
fn apply(lab: &Lab, names: &str) {
    let first = names.split(' ').next().unwrap_or_default();
    assert_eq!(lab.run(&format!("xcrane module plan {names}")).code, 2);
    lab.run(&format!("xcrane module apply {first}")).success();
}

#[test]
fn a_state_that_cannot_be_read_is_told_of_its_module_alone() {
    let lab = rack();
    local(&lab, "one", "", CHANGE);
    local(&lab, "two", "", CHANGE);
    local(&lab, "hears", "[requires]\nweak = [['name eq one']]", CHANGE);
    apply(&lab, "one two");
    lab.shell("xcrane module state one > one.json").success();
    assert_snapshot!(session(&lab, "
        chtab module=one module.state='{'
        xcrane module list
        xcrane module list --json | grep unreadable
        xcrane module plan two
        xcrane module apply two
        xcrane module state | grep '\"name\": \"...\",$'
        xcrane module plan one
        xcrane module backup one
        xcrane module state one
        xcrane module remove one
        xcrane module plan hears
    "), @r#"
    $ chtab module=one module.state='{'
    $ xcrane module list
    docker-host: 1.0.0 engine - machines that run containers, as mkhost makes them
    etcd: 1.0.0 store - a key-value store on several machines, known to each other by the site's authority
    hears: 1.0 -
    monitoring: 1.0.0 monitoring - Prometheus, and its exporter on every machine that a module works on
    network: 1.0.0 network - networks of containers over Docker hosts, as mknet makes them
    node-base: 1.0.0 node-base - what all machines have in common: users, keys, time, the kernel's settings for HPC
    one: 1.0 unreadable
    registry: 1.0.0 registry - the site's registry of container images, as mkregistry makes it
    two: 1.0 applied
    ------- stderr -------
    Error: the state of module one in table module cannot be read: EOF while parsing an object at line 1 column 1
    Hint: root has changed it last: chtab module=one 'module.state={'
    Hint: see what was changed: deflog -l one; and take it back: defundo 9
    Hint: take back what was printed of it before: xcrane module state one --import FILE
    Hint: forget it, and leave its machines as they are: xcrane module remove --force one
    [exit status: 1]
    $ xcrane module list --json | grep unreadable
    {"module":"one","answer":{"labels":{"name":"one","version":"1.0"},"status":"unreadable","directory":"$XCRANE_HOME/modules/one"}}
    ------- stderr -------
    Hint: root has changed it last: chtab module=one 'module.state={'
    Hint: see what was changed: deflog -l one; and take it back: defundo 9
    Hint: take back what was printed of it before: xcrane module state one --import FILE
    Hint: forget it, and leave its machines as they are: xcrane module remove --force one
    $ xcrane module plan two
    two: it: done
    ------- stderr -------
    kept: xcrane module apply two --plan $PLAN
    [exit status: 2]
    $ xcrane module apply two
    two: it: done
    two: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        two: it: done
    $ xcrane module state | grep '"name": "...",$'
        "name": "two",
          "name": "two",
    ------- stderr -------
    Error: the state of module one in table module cannot be read: EOF while parsing an object at line 1 column 1
    Hint: root has changed it last: chtab module=one 'module.state={'
    Hint: see what was changed: deflog -l one; and take it back: defundo 9
    Hint: take back what was printed of it before: xcrane module state one --import FILE
    Hint: forget it, and leave its machines as they are: xcrane module remove --force one
    $ xcrane module plan one
    ------- stderr -------
    Error: the state of module one in table module cannot be read: EOF while parsing an object at line 1 column 1
    Hint: root has changed it last: chtab module=one 'module.state={'
    Hint: see what was changed: deflog -l one; and take it back: defundo 9
    Hint: take back what was printed of it before: xcrane module state one --import FILE
    Hint: forget it, and leave its machines as they are: xcrane module remove --force one
    [exit status: 1]
    $ xcrane module backup one
    ------- stderr -------
    Error: the state of module one in table module cannot be read: EOF while parsing an object at line 1 column 1
    Hint: root has changed it last: chtab module=one 'module.state={'
    Hint: see what was changed: deflog -l one; and take it back: defundo 9
    Hint: take back what was printed of it before: xcrane module state one --import FILE
    Hint: forget it, and leave its machines as they are: xcrane module remove --force one
    [exit status: 1]
    $ xcrane module state one
    ------- stderr -------
    Error: the state of module one in table module cannot be read: EOF while parsing an object at line 1 column 1
    Hint: root has changed it last: chtab module=one 'module.state={'
    Hint: see what was changed: deflog -l one; and take it back: defundo 9
    Hint: take back what was printed of it before: xcrane module state one --import FILE
    Hint: forget it, and leave its machines as they are: xcrane module remove --force one
    [exit status: 1]
    $ xcrane module remove one
    ------- stderr -------
    Error: the state of module one in table module cannot be read: EOF while parsing an object at line 1 column 1
    Hint: root has changed it last: chtab module=one 'module.state={'
    Hint: see what was changed: deflog -l one; and take it back: defundo 9
    Hint: take back what was printed of it before: xcrane module state one --import FILE
    Hint: forget it, and leave its machines as they are: xcrane module remove --force one
    [exit status: 1]
    $ xcrane module plan hears
    ------- stderr -------
    hears would like a module with name eq one, and none is installed
    Error: module hears hears of module one: the state of module one in table module cannot be read: EOF while parsing an object at line 1 column 1
    Hint: root has changed it last: chtab module=one 'module.state={'
    Hint: see what was changed: deflog -l one; and take it back: defundo 9
    Hint: take back what was printed of it before: xcrane module state one --import FILE
    Hint: forget it, and leave its machines as they are: xcrane module remove --force one
    [exit status: 1]
    "#);
    assert_snapshot!(session(&lab, "
        xcrane module state --import one.json
        xcrane module state one | cmp - one.json
        chtab module=one module.serial=many
        xcrane module plan one
        defundo -n 1
        xcrane module plan one
        chtab module=one 'module.state={\"name\":\"one\",\"labels\":{},\"\\u001b[2J\":1}'
        xcrane module plan one 2>&1 | sed -n 's/, expected.*//p'
        chtab module=one module.state='{'
        xcrane module remove --force one
        xcrane module list
    "), @r#"
    $ xcrane module state --import one.json
    $ xcrane module state one | cmp - one.json
    $ chtab module=one module.serial=many
    $ xcrane module plan one
    ------- stderr -------
    Error: the state of module one in table module cannot be read: its serial 'many' is no number
    Hint: root has changed it last: chtab module=one module.serial=many
    Hint: see what was changed: deflog -l one; and take it back: defundo 14
    Hint: take back what was printed of it before: xcrane module state one --import FILE
    Hint: forget it, and leave its machines as they are: xcrane module remove --force one
    [exit status: 1]
    $ defundo -n 1
    Took back 14.
    $ xcrane module plan one
    one: it: done
    ------- stderr -------
    kept: xcrane module apply one --plan $PLAN
    [exit status: 2]
    $ chtab module=one 'module.state={"name":"one","labels":{},"\u001b[2J":1}'
    $ xcrane module plan one 2>&1 | sed -n 's/, expected.*//p'
    Error: the state of module one in table module cannot be read: unknown field `\u{1b}[2J`
    $ chtab module=one module.state='{'
    $ xcrane module remove --force one
    one: forgotten
    $ xcrane module list
    docker-host: 1.0.0 engine - machines that run containers, as mkhost makes them
    etcd: 1.0.0 store - a key-value store on several machines, known to each other by the site's authority
    hears: 1.0 -
    monitoring: 1.0.0 monitoring - Prometheus, and its exporter on every machine that a module works on
    network: 1.0.0 network - networks of containers over Docker hosts, as mknet makes them
    node-base: 1.0.0 node-base - what all machines have in common: users, keys, time, the kernel's settings for HPC
    one: 1.0 -
    registry: 1.0.0 registry - the site's registry of container images, as mkregistry makes it
    two: 1.0 applied
    "#);
}

#[test]
fn a_module_whose_directory_is_gone_is_known_still() {
    let lab = rack();
    local(&lab, "one", "", CHANGE);
    apply(&lab, "one");
    assert_snapshot!(session(&lab, "
        mv $XCRANE_HOME/modules/one aside
        xcrane module list | grep one
        xcrane module plan one
        xcrane module audit one
        xcrane module backup one
        xcrane module scale one
        mkdir $XCRANE_HOME/modules/one
        echo '[' > $XCRANE_HOME/modules/one/module.toml
        xcrane module list 2>/dev/null | grep one
        xcrane module audit one
        rm -r $XCRANE_HOME/modules/one
        mv aside $XCRANE_HOME/modules/one
        xcrane module plan one
    "), @"
    $ mv $XCRANE_HOME/modules/one aside
    $ xcrane module list | grep one
    one: 1.0 applied; its directory is gone
    $ xcrane module plan one
    ------- stderr -------
    Error: module one was applied, and its directory is gone: it was $XCRANE_HOME/modules/one
    Hint: put it back there: $XCRANE_HOME/modules/one/module.toml and its programs
    Hint: forget it, and leave its machines as they are: xcrane module remove one
    [exit status: 1]
    $ xcrane module audit one
    ------- stderr -------
    Error: module one was applied, and its directory is gone: it was $XCRANE_HOME/modules/one
    Hint: put it back there: $XCRANE_HOME/modules/one/module.toml and its programs
    Hint: forget it, and leave its machines as they are: xcrane module remove one
    [exit status: 1]
    $ xcrane module backup one
    ------- stderr -------
    Error: module one was applied, and its directory is gone: it was $XCRANE_HOME/modules/one
    Hint: put it back there: $XCRANE_HOME/modules/one/module.toml and its programs
    Hint: forget it, and leave its machines as they are: xcrane module remove one
    [exit status: 1]
    $ xcrane module scale one
    ------- stderr -------
    Error: module one was applied, and its directory is gone: it was $XCRANE_HOME/modules/one
    Hint: put it back there: $XCRANE_HOME/modules/one/module.toml and its programs
    Hint: forget it, and leave its machines as they are: xcrane module remove one
    [exit status: 1]
    $ mkdir $XCRANE_HOME/modules/one
    $ echo '[' > $XCRANE_HOME/modules/one/module.toml
    $ xcrane module list 2>/dev/null | grep one
    one: 1.0 applied; its module.toml cannot be used
    $ xcrane module audit one
    ------- stderr -------
    Warning: $XCRANE_HOME/modules/one/module.toml: TOML parse error at line 1, column 2
      |
    1 | [
      |  ^
    unquoted keys cannot be empty, expected letters, numbers, `-`, `_`

    Error: module one was applied, and $XCRANE_HOME/modules/one/module.toml cannot be used any more
    Hint: its directory is in $XCRANE_HOME/modules or in one of site.modulepath, and its name is that of then
    Hint: forget it, and leave its machines as they are: xcrane module remove one
    [exit status: 1]
    $ rm -r $XCRANE_HOME/modules/one
    $ mv aside $XCRANE_HOME/modules/one
    $ xcrane module plan one
    one: it: done
    ------- stderr -------
    kept: xcrane module apply one --plan $PLAN
    [exit status: 2]
    ");
}

#[test]
fn only_files_of_text_are_read() {
    let lab = rack();
    local(&lab, "one", "", CHANGE);
    assert_snapshot!(session(&lab, "
        mkdir -p $XCRANE_HOME/configs $XCRANE_HOME/modules/pipe $XCRANE_HOME/modules/place/module.toml
        mkfifo $XCRANE_HOME/modules/pipe/module.toml
        xcrane module search 'name eq one'
        rm -r $XCRANE_HOME/modules/p*
        mkfifo $XCRANE_HOME/configs/one.toml
        xcrane module plan one
        rm $XCRANE_HOME/configs/one.toml
        xcrane module plan one
        mkfifo $XCRANE_HOME/configs/one.toml
        xcrane module apply one
        rm $XCRANE_HOME/configs/one.toml
        printf '\\377' > $XCRANE_HOME/configs/one.toml
        xcrane module init one
    "), @r#"
    $ mkdir -p $XCRANE_HOME/configs $XCRANE_HOME/modules/pipe $XCRANE_HOME/modules/place/module.toml
    $ mkfifo $XCRANE_HOME/modules/pipe/module.toml
    $ xcrane module search 'name eq one'
    one: 1.0 -
    ------- stderr -------
    Warning: $XCRANE_HOME/modules/pipe/module.toml: it is a pipe, and no regular file
    Warning: $XCRANE_HOME/modules/place/module.toml: it is a directory, and no regular file
    $ rm -r $XCRANE_HOME/modules/p*
    $ mkfifo $XCRANE_HOME/configs/one.toml
    $ xcrane module plan one
    ------- stderr -------
    Error: cannot read $XCRANE_HOME/configs/one.toml: it is a pipe, and no regular file
    [exit status: 1]
    $ rm $XCRANE_HOME/configs/one.toml
    $ xcrane module plan one
    one: it: done
    ------- stderr -------
    kept: xcrane module apply one --plan $PLAN
    [exit status: 2]
    $ mkfifo $XCRANE_HOME/configs/one.toml
    $ xcrane module apply one
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        one: it: done
    Error: cannot read $XCRANE_HOME/configs/one.toml: it is a pipe, and no regular file
    [exit status: 1]
    $ rm $XCRANE_HOME/configs/one.toml
    $ printf '\377' > $XCRANE_HOME/configs/one.toml
    $ xcrane module init one
    ------- stderr -------
    Error: cannot read $XCRANE_HOME/configs/one.toml: line 1 is no text in UTF-8
    [exit status: 1]
    "#);
}

#[test]
fn a_plan_is_what_it_was_when_it_was_kept() {
    let lab = rack();
    local(&lab, "one", "", CHANGE);
    assert_snapshot!(session(&lab, "
        xcrane module plan one
        xcrane module apply one --plan 691df23ea871413
        sed -i s/done/else/ $XCRANE_HOME/plans/*.json
        xcrane module apply one 2>&1 | sed 's|/[0-9a-f]*.json|/ID.json|'
        xcrane module plan one
        xcrane module apply one
    "), @"
    $ xcrane module plan one
    one: it: done
    ------- stderr -------
    kept: xcrane module apply one --plan $PLAN
    [exit status: 2]
    $ xcrane module apply one --plan 691df23ea871413
    ------- stderr -------
    Error: there is no plan 691df23ea871413 for module one
    Hint: the one there is was made by root at $TIME: xcrane module apply one --plan $PLAN
    [exit status: 1]
    $ sed -i s/done/else/ $XCRANE_HOME/plans/*.json
    $ xcrane module apply one 2>&1 | sed 's|/[0-9a-f]*.json|/ID.json|'
    Error: $XCRANE_HOME/plans/ID.json is no plan: it was changed since plan $PLAN was made
    Hint: see what is to be done now: xcrane module plan one
    $ xcrane module plan one
    one: it: done
    ------- stderr -------
    kept: xcrane module apply one --plan $PLAN
    [exit status: 2]
    $ xcrane module apply one
    one: it: done
    one: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        one: it: done
    ");
}

/// Neither here nor there does anything of it stay, and it is said what has become of it.
#[test]
fn a_program_that_does_not_end_is_ended_with_all_that_it_has() {
    let lab = defined_hosts(crate::lab().hosts(1), 1);
    scripted(&lab, "dies", "", "plan) kill -9 $$ ;;");
    on_nodes(&lab, "deaf", "", &[], 2, "#!/bin/sh\ntrap '' TERM HUP\nwhile :; do sleep 0.1; done\n");
    config(&lab, "deaf", "nodes = 'h1'\n");
    assert_snapshot!(session(&lab, "
        xcrane module plan dies
        xcrane module plan deaf
    "), @"
    $ xcrane module plan dies
    ------- stderr -------
    Error: plan of module dies: it ended with exit code 137, by signal SIGKILL
    [exit status: 1]
    $ xcrane module plan deaf
    ------- stderr -------
    Error: h1: plan of module deaf: it did not end within 2 s, and was ended
    [exit status: 1]
    ");
    let h1 = lab.host("h1");
    wait_for("nothing of it stays on h1", Duration::from_secs(30), || {
        match h1.shell("ls -d /tmp/tmp.* 2>/dev/null; pgrep -f '[p]rogram plan' || true") {
            left if left.is_empty() => Wait::Ready(()),
            left => Wait::NotYet(left),
        }
    });
    on_nodes(&lab, "deaf", "", &[], 2, "#!/bin/sh\nread request\n[ ${#request} -gt 100 ] || exit 9\nexit 7\n");
    assert_snapshot!(lab.run("xcrane module plan deaf"), @"
    ------- stderr -------
    Error: h1: plan of module deaf: it ended with exit code 7
    [exit status: 1]
    ");
}

#[test]
fn who_searches_is_told_what_cannot_be_applied() {
    let lab = rack();
    local(&lab, "needs", "[requires]\nstrong = [['kind eq moon']]", CHANGE);
    local(&lab, "above", "[requires]\nstrong = [['name eq needs']]", CHANGE);
    assert_snapshot!(session(&lab, "
        xcrane module search 'name in needs,motd'
        xcrane module plan above
    "), @"
    $ xcrane module search 'name in needs,motd'
    needs: 1.0 -
    needs: cannot be applied: module needs requires one with kind eq moon, and none is installed or chosen
    $ xcrane module plan above
    ------- stderr -------
    Error: module above requires one with name eq needs, and none is installed or chosen
    Hint: needs is one, and cannot be applied itself: module needs requires one with kind eq moon, and none is installed or chosen
    [exit status: 1]
    ");
}

#[test]
fn what_changes_nothing_leaves_the_state_as_it_is_and_none_goes_back_unasked() {
    let lab = rack();
    let says = "echo '{\"result\":{\"state\":1}}' ;;";
    scripted(&lab, "one", "", &format!("plan) {CHANGE} ;;\napply|update|scale) {says}"));
    apply(&lab, "one");
    assert_snapshot!(session(&lab, "
        tabdump module | cut -d, -f 1-4 > before
        xcrane module scale one
        xcrane module update one
        tabdump module | cut -d, -f 1-4 | diff - before
        sed -i s/1.0/0.9/ $XCRANE_HOME/modules/one/module.toml
        xcrane module update one
        xcrane module update --force one
        tabdump module | cut -d, -f 1-4
    "), @r#"
    $ tabdump module | cut -d, -f 1-4 > before
    $ xcrane module scale one
    one: scale: done
    $ xcrane module update one
    one: update: done
    $ tabdump module | cut -d, -f 1-4 | diff - before
    $ sed -i s/1.0/0.9/ $XCRANE_HOME/modules/one/module.toml
    $ xcrane module update one
    ------- stderr -------
    Error: module one was applied in version 1.0, and $XCRANE_HOME/modules/one has version 0.9, which is older
    Hint: where that is meant: xcrane module update --force one
    [exit status: 1]
    $ xcrane module update --force one
    one: update: done
    $ tabdump module | cut -d, -f 1-4
    #module,version,status,serial
    "one","0.9","applied","4"
    "#);
}

#[test]
fn a_module_of_nodes_that_has_none_is_not_applied() {
    let lab = rack();
    on_nodes(&lab, "none", "", &[], 600, "#!/bin/sh\necho '{\"result\":{\"config\":{}}}'\n");
    assert_snapshot!(session(&lab, "
        xcrane module init none
        xcrane module plan none
    "), @r#"
    $ xcrane module init none
    none: wrote $XCRANE_HOME/configs/none.toml
    $ xcrane module plan none
    ------- stderr -------
    Error: module none has no nodes to work on: nodes of its config names none
    Hint: name them in $XCRANE_HOME/configs/none.toml: nodes = "NODERANGE"; or have some proposed: xcrane module init none
    [exit status: 1]
    "#);
}

/// It runs on when its xcrane is killed, and no second one beside it.
#[test]
fn a_program_of_this_machine_that_nobody_hears_any_more_is_not_run_over() {
    let lab = rack();
    let home = lab.home().display().to_string();
    let apply = format!(
        "echo begin >> {home}/log; until [ -e {home}/go ]; do sleep 0.1; done; sleep 300 >/dev/null 2>&1 &\n\
         echo end >> {home}/log; echo '{{\"result\":{{\"state\":1}}}}' ;;"
    );
    scripted(&lab, "slow", "", &format!("plan) {CHANGE} ;;\napply) {apply}"));
    lab.shell("sed -i 's/limit = 2/limit = 60/' $XCRANE_HOME/modules/slow/module.toml").success();
    assert_eq!(lab.run("xcrane module plan slow").code, 2);
    lab.shell("xcrane module apply slow >/dev/null 2>&1 & echo $! > pid").success();
    let log = || lab.shell("cat log 2>/dev/null || true").success();
    wait_for("it has begun", Duration::from_secs(60), || {
        if log() == "begin" { Wait::Ready(()) } else { Wait::NotYet(log()) }
    });
    lab.shell("kill -9 $(cat pid)").success();
    let refused = lab.run("xcrane module apply slow");
    let why = "Error: apply of module slow: the module is at work here still: apply of root on ";
    assert!(refused.code == 1 && refused.stderr.contains(why) && refused.stderr.contains(", as process "), "{refused}");
    assert_eq!((lab.run("xcrane module plan slow").code, log().as_str()), (2, "begin"), "who looks is not kept out");
    lab.shell("touch go").success();
    wait_for("the first one has ended", Duration::from_secs(60), || {
        let applied = lab.run("xcrane module apply slow");
        if applied.code == 0 { Wait::Ready(()) } else { Wait::NotYet(applied.to_string()) }
    });
    assert_eq!(log(), "begin\nend\nbegin\nend");
}

#[test]
fn nodes_that_are_proposed_and_not_here_are_told() {
    let lab = rack();
    let schema = "[config.nodes]\ntype = 'noderange'\nhelp = 'where'\n";
    scripted(&lab, "far", schema, "");
    let program = lab.state().join("modules/far/run");
    put(&program, "#!/bin/sh\necho '{\"result\":{\"config\":{\"nodes\":\"moon\"}}}'\n", 0o755);
    assert_snapshot!(session(&lab, "
        xcrane module init far
        nodeadd n9 groups=moon
        xcrane module init far
    "), @"
    $ xcrane module init far
    far: wrote $XCRANE_HOME/configs/far.toml
    ------- stderr -------
    Warning: init of module far proposes nodes that are not here: Invalid nodes and/or groups in noderange: moon
    $ nodeadd n9 groups=moon
    $ xcrane module init far
    far: $XCRANE_HOME/configs/far.toml is as it would be written
    ");
}
