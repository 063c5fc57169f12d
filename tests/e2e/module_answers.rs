//! `xcrane module`: what modules and the engine say, how many nodes are worked on at once, and what is done with what people have edited.

use std::fs;
use std::time::Duration;

use ::lab::{Lab, Wait, wait_for};
use insta::assert_snapshot;

use crate::module::{CHANGE, config, local, on_nodes, put, scripted};
use crate::{defined_hosts, lab, rack, session};

#[test]
fn programs_say_how_far_they_have_come_and_warnings_say_whose_they_are() {
    let lab = rack();
    let schema = "[config.token]\ntype = 'string'\nhelp = 'x'\nsecret = true\ndefault = 'hunter2'\n";
    let plan = r#"printf '{"progress":"looking with hunter2 \\u001b[2J\\nx"}\n{"warning":"it is old"}\n'; echo '{"result":{"changes":[]}}'"#;
    local(&lab, "talks", schema, plan);
    assert_snapshot!(session(&lab, "
        xcrane module plan talks
        xcrane module -V plan talks
        xcrane module plan talks --json
    "), @r#"
    $ xcrane module plan talks
    talks: nothing to do
    ------- stderr -------
    talks: Warning: plan of module talks: it is old
    kept: xcrane module apply talks --plan $PLAN
    $ xcrane module -V plan talks
    talks: nothing to do
    ------- stderr -------
    plan of talks: looking with ****** \u{1b}[2J
    talks: Warning: plan of module talks: it is old
    kept: xcrane module apply talks --plan $PLAN
    $ xcrane module plan talks --json
    {"node":"talks","progress":{"module":"talks","method":"plan","what":"looking with ****** \u001b[2J"}}
    {"node":"talks","warning":"plan of module talks: it is old"}
    {"answer":{"module":"talks","units":[{"target":"","changes":[]}],"plan":"$PLAN"}}
    ------- stderr -------
    kept: xcrane module apply talks --plan $PLAN
    "#);
    let terminal = lab.shell("script -qec 'stty cols 100; xcrane module plan talks' /dev/null");
    assert!(terminal.stdout.contains(r"plan of talks: looking with ****** \u{1b}[2J"), "{terminal}");
}

#[test]
fn as_many_nodes_at_once_as_may_be() {
    let lab = defined_hosts(lab().hosts(1), 1);
    lab.run("mkdef t[01-20] groups=many ip=10.77.0.1").success();
    // All of them are one machine, which would let one program in after the other.
    lab.host("h1").shell("mv /usr/bin/flock /usr/bin/flock.away");
    let on = |at_once: &str| {
        // How many are at it while one is.
        let program = "#!/bin/sh\ncase $1 in\nplan) echo '{\"result\":{\"changes\":[{\"what\":\"it\"}]}}' ;;\n\
            apply) mkdir -p /run/now; : >/run/now/$TARGET; sleep 0.3; ls /run/now | wc -l >>/run/most; rm /run/now/$TARGET\n\
            echo '{\"result\":{\"state\":1}}' ;;\nesac\n";
        on_nodes(&lab, "rolls", at_once, &[], 600, program);
    };
    let most = |nodes: &str, how: &str| {
        lab.host("h1").shell("rm -f /run/most");
        config(&lab, "rolls", &format!("nodes = '{nodes}'\n"));
        assert_eq!(lab.run(&format!("xcrane module plan rolls {how}")).code, 2);
        let applied = lab.run(&format!("xcrane module apply rolls {how}"));
        assert_eq!(applied.code, 0, "{applied}");
        lab.host("h1").shell("sort -n /run/most | tail -n 1").trim().to_owned()
    };
    on("at_once = 1");
    assert_eq!(most("t[01-04]", ""), "1");
    on("");
    assert_eq!(most("t[01-06]", "-f 2"), "2");
    lab.run("chdef -t site modulefanout=3").success();
    assert_eq!(most("t[01-07]", ""), "3");
    lab.run("chdef -t site modulefanout=many").success();
    assert_snapshot!(lab.run("xcrane module list"), @"
    ------- stderr -------
    Error: site attribute 'modulefanout' is 'many', which is not a number of nodes
    Hint: set it with: chdef -t site modulefanout=32
    [exit status: 1]
    ");
    lab.run("chdef -t site modulefanout=").success();

    // Answers that come together are one entry of the journal, which has the whole state each time.
    lab.run("xcrane module remove rolls").success();
    let entries = || lab.shell("deflog | wc -l").success().trim().parse::<usize>().expect("a number");
    let before = entries();
    assert_ne!(most("t[01-20]", ""), "1");
    let written = entries() - before;
    assert!(written < 15, "{written} entries for 20 nodes");
}

/// A playbook goes on all of its hosts task by task: one host at once is one run for each.
#[test]
fn a_playbook_of_a_module_that_changes_one_node_at_once_is_run_for_each() {
    let lab = defined_hosts(lab().hosts(2), 2);
    let on = |at_once: &str| {
        let methods = ["metadata", "init", "plan", "apply", "audit"];
        let methods = methods.map(|method| format!("{method} = {{ way = 'ansible', program = 'book.yml' }}\n"));
        let manifest = format!(
            "targets = 'nodes'\n{at_once}\n[labels]\nname = 'rolls'\nversion = '1.0'\n[config.nodes]\ntype = 'noderange'\n\
             help = 'where'\n[config.text]\ntype = 'string'\nhelp = 'what'\n[methods]\n{}",
            methods.concat()
        );
        put(&lab.state().join("modules/rolls/module.toml"), &manifest, 0o644);
    };
    let playbook = "- hosts: targets
  gather_facts: false
  tasks:
    - ansible.builtin.command: sh -c 'echo run >>{{ playbook_dir }}/runs'
      delegate_to: localhost
      run_once: true
    - ansible.builtin.copy: { dest: /etc/issue.net, content: '{{ xcrane.config.text }}' }
";
    put(&lab.state().join("modules/rolls/book.yml"), playbook, 0o644);
    let runs = |text: &str| {
        config(&lab, "rolls", &format!("nodes = 'hosts'\ntext = '{text}'\n"));
        assert_eq!(lab.run("xcrane module plan rolls").code, 2);
        let applied = lab.run("xcrane module apply rolls");
        assert_eq!(applied.code, 0, "{applied}");
        assert_eq!(lab.host("h2").shell("cat /etc/issue.net"), text);
        lab.shell("cd $XCRANE_HOME/modules/rolls && wc -l <runs && rm runs").success().trim().to_owned()
    };
    on("");
    assert_eq!(runs("one"), "1");
    on("at_once = 1");
    assert_eq!(runs("two"), "2");
}

#[test]
fn what_was_edited_stays_and_the_rest_is_brought_up_to_date() {
    let lab = rack();
    let schema = "[config.port]\ntype = 'integer'\nhelp = 'where it listens'\n[config.mode]\ntype = 'string'\nhelp = 'how it is kept'\n\
                  [config.token]\ntype = 'string'\nhelp = 'who may ask'\nsecret = true\n";
    scripted(&lab, "kept", schema, "");
    let proposes = |config: &str| {
        let program = format!("#!/bin/sh\necho '{{\"result\":{{\"config\":{config}}}}}'\n");
        put(&lab.state().join("modules/kept/run"), &program, 0o755);
    };
    proposes(r#"{"port":1,"mode":"disk","token":"hunter1"}"#);
    assert_snapshot!(session(&lab, "
        xcrane module init kept
        sed -i 's/^mode.*/mode = \"memory\" # for now/' $XCRANE_HOME/configs/kept.toml
        xcrane module init kept
    "), @r#"
    $ xcrane module init kept
    kept: wrote $XCRANE_HOME/configs/kept.toml
    $ sed -i 's/^mode.*/mode = "memory" # for now/' $XCRANE_HOME/configs/kept.toml
    $ xcrane module init kept
    @@ -1,4 +1,4 @@
     # how it is kept (a string)
    -mode = "memory" # for now
    +mode = "disk"
     
     # where it listens (a number)
    ------- stderr -------
    what was edited of mode in $XCRANE_HOME/configs/kept.toml was kept; xcrane module init --force kept writes over it
    [exit status: 2]
    "#);
    proposes(r#"{"port":2,"mode":"tape","token":"hunter2"}"#);
    assert_snapshot!(session(&lab, "
        xcrane module init kept
        xcrane module init kept --json
        grep -v '^# ' $XCRANE_HOME/configs/kept.toml
        xcrane module init kept --force
        xcrane module init kept
        stat -c %a $XCRANE_HOME/configs/kept.toml $XCRANE_HOME/configs/.kept.init
    "), @r#"
    $ xcrane module init kept
    @@ -3,6 +3,6 @@
     
     # where it listens (a number)
    -port = 1
    +port = 2
     
     # who may ask (a string, secret)
    -token = ******
    +token = ******
    kept: wrote $XCRANE_HOME/configs/kept.toml
    @@ -1,4 +1,4 @@
     # how it is kept (a string)
    -mode = "memory" # for now
    +mode = "tape"
     
     # where it listens (a number)
    ------- stderr -------
    what was edited of mode in $XCRANE_HOME/configs/kept.toml was kept; xcrane module init --force kept writes over it
    [exit status: 2]
    $ xcrane module init kept --json
    {"module":"kept","answer":{"file":"$XCRANE_HOME/configs/kept.toml","config":"same","diff":null,"kept":{"keys":["mode"],"diff":"@@ -1,4 +1,4 @@\n # how it is kept (a string)\n-mode = \"memory\" # for now\n+mode = \"tape\"\n \n # where it listens (a number)"}}}
    [exit status: 2]
    $ grep -v '^# ' $XCRANE_HOME/configs/kept.toml
    mode = "memory" # for now

    port = 2

    token = "hunter2"
    $ xcrane module init kept --force
    @@ -1,4 +1,4 @@
     # how it is kept (a string)
    -mode = "memory" # for now
    +mode = "tape"
     
     # where it listens (a number)
    kept: wrote $XCRANE_HOME/configs/kept.toml
    $ xcrane module init kept
    kept: $XCRANE_HOME/configs/kept.toml is as it would be written
    $ stat -c %a $XCRANE_HOME/configs/kept.toml $XCRANE_HOME/configs/.kept.init
    600
    600
    "#);
}

#[test]
fn states_are_taken_back_all_or_none() {
    let lab = rack();
    local(&lab, "one", "", CHANGE);
    local(&lab, "two", "", CHANGE);
    assert_snapshot!(session(&lab, "
        xcrane module plan one two
        xcrane module apply one
        xcrane module state > all.json
        xcrane module state --yaml > all.yml
        xcrane module remove one --json
        xcrane module remove two
        xcrane module state --import all.json
        xcrane module state | cmp - all.json
        sed -i 's/^  state: 1/  state: 7/' all.yml
        xcrane module state --import all.yml
        xcrane module state --yaml | cmp - all.yml
        deflog | wc -l
        sed '0,/\"name\": \"two\"/s//\"name\": \"three\"/' all.json | xcrane module state --import -
        sed 's/1.0/none/' all.json | xcrane module state --import -
        xcrane module state --yaml | cmp - all.yml
        deflog | wc -l
        xcrane module state two --import all.json
    "), @r#"
    $ xcrane module plan one two
    one: it: done
    two: it: done
    ------- stderr -------
    kept: xcrane module apply one --plan $PLAN
    [exit status: 2]
    $ xcrane module apply one
    one: it: done
    two: it: done
    one: applied
    two: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        one: it: done
        two: it: done
    $ xcrane module state > all.json
    $ xcrane module state --yaml > all.yml
    $ xcrane module remove one --json
    {"module":"one","answer":{"forgotten":true}}
    $ xcrane module remove two
    two: forgotten
    $ xcrane module state --import all.json
    $ xcrane module state | cmp - all.json
    $ sed -i 's/^  state: 1/  state: 7/' all.yml
    $ xcrane module state --import all.yml
    $ xcrane module state --yaml | cmp - all.yml
    $ deflog | wc -l
    12
    $ sed '0,/"name": "two"/s//"name": "three"/' all.json | xcrane module state --import -
    ------- stderr -------
    Error: standard input: the state of module three has the label name two
    Hint: nothing was taken from it
    [exit status: 1]
    $ sed 's/1.0/none/' all.json | xcrane module state --import -
    ------- stderr -------
    Error: standard input: the state of module one has the label version 'none', which is no version
    Hint: nothing was taken from it
    [exit status: 1]
    $ xcrane module state --yaml | cmp - all.yml
    $ deflog | wc -l
    12
    $ xcrane module state two --import all.json
    ------- stderr -------
    Error: all.json: it has the states of 2 modules, not that of two
    Hint: nothing was taken from it
    [exit status: 1]
    "#);
}

#[test]
fn a_directory_is_checked_and_all_that_it_offers_is_asked() {
    let lab = rack();
    let methods = r#"plan) [ -e done ] && echo '{"result":{"changes":[]}}' || echo '{"result":{"changes":[{"what":"it"}]}}' ;;
metadata) echo '{"result":{"labels":{}}}' ;;
apply) touch done; echo '{"result":{"state":{"a":1}}}' ;;
audit) echo '{"result":{"findings":[]}}' ;;
backup) echo '{"result":{"backup":"of then"}}' ;;
restore) grep -q '"backup":"of then"' && echo '{"result":{}}' ;;
update) echo '{"result":{"moon":1}}'; exit 1 ;;
scale) echo '{"result":{}}' ;;
test) echo '{"result":{"tests":[{"what":"it answers","fault":"not yet"}]}}' ;;"#;
    scripted(&lab, "there", "", methods);
    lab.shell("mkdir aside && cp -r $XCRANE_HOME/modules/there aside/here && cp -r aside/here there && sed -i s/there/here/ aside/here/module.toml && cp -r aside/here here").success();
    assert_snapshot!(session(&lab, "
        xcrane module check here --apply n1
        xcrane module check there
        xcrane module check nowhere
        xcrane module plan there
        xcrane module apply there
        xcrane module check there --json
    "), @r#"
    $ xcrane module check here --apply n1
    here: pass: metadata says the labels of module.toml
    here: pass: init proposes a config that the module takes
    here: pass: plan says the same twice, and leaves the directory as it is
    here: pass: apply does what was planned: nothing is left to do
    here: pass: apply twice is as once
    here: pass: audit finds what apply has left
    here: pass: the state has what its labels provide
    here: FAIL: test finds that it works: it answers: not yet
    here: pass: backup says what the contract has for it
    here: pass: restore takes what backup has said
    here: FAIL: update says what the contract has for it: update of module here: it ended with exit code 1
    here: pass: scale says what the contract has for it
    [exit status: 1]
    $ xcrane module check there
    there: pass: metadata says the labels of module.toml
    there: pass: init proposes a config that the module takes
    there: pass: plan says the same twice, and leaves the directory as it is
    there: pass: audit says what the contract has for it
    ------- stderr -------
    there is a directory as well; the module of that name is meant, the directory is ./there
    $ xcrane module check nowhere
    ------- stderr -------
    Error: there is no module 'nowhere'
    Hint: there are: docker-host etcd monitoring network node-base registry there
    [exit status: 1]
    $ xcrane module plan there
    there: it
    ------- stderr -------
    kept: xcrane module apply there --plan $PLAN
    [exit status: 2]
    $ xcrane module apply there
    there: it
    there: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        there: it
    $ xcrane module check there --json
    {"module":"there","answer":{"what":"metadata says the labels of module.toml","fault":null}}
    {"module":"there","answer":{"what":"init proposes a config that the module takes","fault":null}}
    {"module":"there","answer":{"what":"plan says the same twice, and leaves the directory as it is","fault":null}}
    {"module":"there","answer":{"what":"audit says what the contract has for it","fault":null}}
    {"module":"there","answer":{"what":"test says what the contract has for it","fault":null}}
    {"module":"there","answer":{"what":"backup says what the contract has for it","fault":null}}
    ------- stderr -------
    there is a directory as well; the module of that name is meant, the directory is ./there
    "#);
}

#[test]
fn what_lacks_something_does_not_hide_the_others() {
    let lab = rack();
    local(&lab, "base", "", CHANGE);
    local(&lab, "gone", "requires.strong = [['name eq base']]", CHANGE);
    local(&lab, "lacks", "requires.strong = [['kind eq moon']]", CHANGE);
    local(&lab, "one", "requires.strong = [['name eq two']]", CHANGE);
    local(&lab, "two", "requires.strong = [['name eq one']]\nrequires.weak = [['name eq base']]", CHANGE);
    lab.shell("for m in gone; do xcrane module apply $m --with-requirements; done; rm -r $XCRANE_HOME/modules/gone")
        .success();
    assert_snapshot!(session(&lab, "
        xcrane module graph gone one lacks
        xcrane module graph | grep -c '^[a-z]'
        xcrane module graph base
        xcrane module graph one --json
        xcrane module list | grep -v ' - '
        xcrane module list --json | grep gone
        xcrane module graph nothing
    "), @r#"
    $ xcrane module graph gone one lacks
    gone: applied; its directory is gone
        requires name eq base: base
    lacks: cannot be applied
        requires kind eq moon: none
    one: cannot be applied
        requires name eq two: two
    two: cannot be applied
        requires name eq one: one
        would like name eq base: base
    ------- stderr -------
    Error: module lacks requires one with kind eq moon, and none is installed or chosen
    these modules require each other: one -> two -> one
    Hint: no module here is such a one: xcrane module search 'kind eq moon'
    [exit status: 1]
    $ xcrane module graph | grep -c '^[a-z]'
    11
    ------- stderr -------
    Error: module lacks requires one with kind eq moon, and none is installed or chosen
    these modules require each other: one -> two -> one
    Hint: no module here is such a one: xcrane module search 'kind eq moon'
    $ xcrane module graph base
    base: applied
    $ xcrane module graph one --json
    {"module":"one","answer":{"status":"-","can_be_applied":false,"requires":[{"selector":"name eq two","modules":["two"]}],"would_like":[],"influences":[]}}
    {"module":"two","answer":{"status":"-","can_be_applied":false,"requires":[{"selector":"name eq one","modules":["one"]}],"would_like":[{"selector":"name eq base","modules":["base"]}],"influences":[]}}
    {"error":"these modules require each other: one -> two -> one"}
    [exit status: 1]
    $ xcrane module list | grep -v ' - '
    base: 1.0 applied
    gone: 1.0 applied; its directory is gone
    lacks: 1.0 -
    one: 1.0 -
    two: 1.0 -
    $ xcrane module list --json | grep gone
    {"module":"gone","answer":{"labels":{"name":"gone","version":"1.0"},"status":"applied; its directory is gone","directory":null}}
    $ xcrane module graph nothing
    ------- stderr -------
    Error: there is no module 'nothing'
    Hint: there are: base docker-host etcd lacks monitoring network node-base one registry two
    [exit status: 1]
    "#);
    config(&lab, "base", "");
    assert_snapshot!(lab.run("xcrane module info base --json"), @r#"
    {"module":"base","answer":{"directory":"$XCRANE_HOME/modules/base","labels":{"name":"base","version":"1.0"},"requires":{"strong":[],"weak":[]},"influences":[],"requirements":{"images":[],"packages":{},"files":[]},"targets":null,"at_once":null,"container":{"image":null,"host":null,"network":null},"config":{},"methods":{"metadata":{"way":"local","limit":2},"init":{"way":"local","limit":2},"plan":{"way":"local","limit":2},"apply":{"way":"local","limit":2},"audit":{"way":"local","limit":2},"backup":{"way":"local","limit":2},"restore":{"way":"local","limit":2},"update":{"way":"local","limit":2},"scale":{"way":"local","limit":2},"test":{"way":"local","limit":2}}}}
    "#);
}

#[test]
fn programs_that_others_may_have_written_are_not_run() {
    let lab = rack();
    local(&lab, "open", "", CHANGE);
    lab.shell("chmod g+w $XCRANE_HOME/modules/open/run").success();
    assert_snapshot!(lab.run("xcrane module plan open"), @"
    ------- stderr -------
    Error: plan of module open: cannot run $XCRANE_HOME/modules/open/run: its group may write it; what makes it ours: chown root $XCRANE_HOME/modules/open/run && chmod go-w $XCRANE_HOME/modules/open/run
    [exit status: 1]
    ");
    lab.shell("chmod g-w $XCRANE_HOME/modules/open/run && chown 4242 $XCRANE_HOME/modules/open/run").success();
    assert_snapshot!(lab.run("xcrane module plan open"), @"
    ------- stderr -------
    Error: plan of module open: cannot run $XCRANE_HOME/modules/open/run: it belongs to user 4242, who is neither root nor the one who runs it; what makes it ours: chown root $XCRANE_HOME/modules/open/run && chmod go-w $XCRANE_HOME/modules/open/run
    [exit status: 1]
    ");
}

#[test]
fn who_says_too_much_is_told_so() {
    let lab = rack();
    // One line, many lines whose last is cut off, and no text at all.
    local(&lab, "long", "", "head -c 17000000 /dev/zero | tr '\\0' x");
    let nothing = r#"yes "$(printf %2000s)" | head -c 16777000; echo"#;
    local(&lab, "many", "", &format!("{nothing}; yes '{{\"progress\":\"a line of many\"}}' | head -n 100"));
    lab.shell("sed -i 's/limit = 2/limit = 60/' $XCRANE_HOME/modules/*/module.toml").success();
    local(&lab, "binary", "", r"printf '\377\376\n'");
    assert_snapshot!(session(&lab, "
        xcrane module plan long
        xcrane module plan many
        xcrane module plan binary
    "), @"
    $ xcrane module plan long
    ------- stderr -------
    Error: plan of module long: it said more than 16 MiB, and was ended
    [exit status: 1]
    $ xcrane module plan many
    ------- stderr -------
    Error: plan of module many: it said more than 16 MiB, and was ended
    [exit status: 1]
    $ xcrane module plan binary
    ------- stderr -------
    Error: plan of module binary: it said '��', which is no message of the contract: expected value at line 1 column 1
    [exit status: 1]
    ");
}

/// On a node, too, where a line may have no end at all.
#[test]
fn who_says_too_much_on_a_node_is_ended() {
    let lab = defined_hosts(lab().hosts(1), 1);
    on_nodes(&lab, "endless", "", &[], 100, "#!/bin/sh\nyes | tr -d '\\n'\n");
    config(&lab, "endless", "nodes = 'h1'\n");
    assert_snapshot!(lab.run("xcrane module plan endless"), @"
    ------- stderr -------
    Error: h1: plan of module endless: it said more than 16 MiB, and was ended
    [exit status: 1]
    ");
    wait_for("nothing of it runs on h1", Duration::from_secs(30), || {
        match lab.host("h1").shell("pgrep -x yes || true") {
            left if left.is_empty() => Wait::Ready(()),
            left => Wait::NotYet(left),
        }
    });
}

/// What root's shell says of its own accord, of lines or of none, is no word of the program's.
#[test]
fn a_node_that_greets_whoever_comes_is_understood() {
    let lab = defined_hosts(lab().hosts(1), 1);
    on_nodes(&lab, "polite", "", &[], 600, "#!/bin/sh\necho '{\"result\":{\"changes\":[]}}'\n");
    config(&lab, "polite", "nodes = 'h1'\n");
    lab.host("h1").shell("printf 'echo Welcome\\nprintf \"to h1: \"\\n' >/root/.bashrc");
    assert_eq!(lab.run("xdsh h1 true").success(), "h1: Welcome\nh1: to h1:");
    assert_eq!(lab.run("xcrane module plan polite").success(), "polite: nothing to do");
}

#[test]
fn nodes_that_are_required_are_named_in_the_config() {
    let lab = rack();
    local(
        &lab,
        "where",
        "targets = 'nodes'\n[config.nodes]\ntype = 'noderange'\nhelp = 'its members'\nrequired = true\n",
        CHANGE,
    );
    config(&lab, "where", "\nnodes = ''\n");
    assert_snapshot!(lab.run("xcrane module plan where"), @"
    ------- stderr -------
    Error: the config of module where is not as it says:
    $XCRANE_HOME/configs/where.toml: line 2: nodes: is required and names no nodes: its members
    Hint: a config to begin with: xcrane module init where
    [exit status: 1]
    ");
}

#[test]
fn what_is_applied_is_told_as_json() {
    let lab: Lab = rack();
    local(&lab, "base", "influences = [['name eq watch']]", CHANGE);
    local(&lab, "watch", "", CHANGE);
    scripted(&lab, "fails", "", &format!("plan) {CHANGE} ;;\napply) echo '{{\"error\":\"no disk\"}}' ;;"));
    assert_snapshot!(session(&lab, "
        xcrane module apply watch --with-requirements --json
        xcrane module plan base
        xcrane module apply base --json
        xcrane module apply fails --with-requirements --json
    "), @r#"
    $ xcrane module apply watch --with-requirements --json
    {"answer":{"module":"watch","units":[{"target":"","changes":[{"what":"it","to":"done"}]}],"plan":"$PLAN"}}
    {"answer":{"module":"watch","changes":[{"what":"it","to":"done"}]}}
    {"module":"watch","answer":{"applied":true}}
    $ xcrane module plan base
    base: it: done
    ------- stderr -------
    kept: xcrane module apply base --plan $PLAN
    [exit status: 2]
    $ xcrane module apply base --json
    {"answer":{"module":"base","changes":[{"what":"it","to":"done"}]}}
    {"module":"base","answer":{"applied":true}}
    {"module":"watch","answer":{"influenced_by":"base","units":[{"target":"","changes":[{"what":"it","to":"done"}]}]}}
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        base: it: done
    $ xcrane module apply fails --with-requirements --json
    {"answer":{"module":"fails","units":[{"target":"","changes":[{"what":"it","to":"done"}]}],"plan":"$PLAN"}}
    {"error":"apply of module fails: no disk"}
    ------- stderr -------
    Hint: what is left is done by the same command: xcrane module apply fails
    [exit status: 1]
    "#);
    assert!(fs::read_dir(lab.state().join("plans")).is_ok());
}
