//! Plans of modules: whose they are, what outdates them, and what is half done.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;

use crate::module::{CHANGE, config, local, module, scripted, with_examples};
use crate::{defined_hosts, lab, rack, session};

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
