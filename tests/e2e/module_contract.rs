//! What programs of modules say, and what is made of those that do not keep to the contract.

use insta::assert_snapshot;

use crate::module::{CHANGE, config, local, put, scripted};
use crate::{rack, session};

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
        config pins: y (a list of strings, secret)
        config token: x (a string, secret) [default: ******]
    $ xcrane module init proposes
    @@ -1,2 +1,5 @@
    -token = ******
    -pins = ******
    +# y (a list of strings, secret)
    +pins = ******
    +
    +# x (a string, secret)
    +token = ******
    ------- stderr -------
    what was edited in $XCRANE_HOME/configs/proposes.toml was kept; xcrane module init --force proposes writes over it
    [exit status: 2]
    $ xcrane module init proposes --force
    @@ -1,2 +1,5 @@
    -token = ******
    -pins = ******
    +# y (a list of strings, secret)
    +pins = ******
    +
    +# x (a string, secret)
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
    scripted(&lab, "greedy", "", &says(r#"{"state":2}"#));
    scripted(&lab, "thief", "", &says(r#"{"state":2,"states":{"base":{"state":"stolen"}}}"#));
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
        xcrane module plan thief
        xcrane module apply thief
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
    thief: 1.0 -
    $ xcrane module backup dies
    ------- stderr -------
    Error: module dies is half applied: failed
    Hint: what is left is done by the same apply, run again; what it had no plan for, by plan and apply
    Hint: a node that does not come back is left out: of the module's config, then plan and apply
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
    $ xcrane module plan thief
    thief: it: done
    ------- stderr -------
    kept: xcrane module apply thief --plan $PLAN
    [exit status: 2]
    $ xcrane module apply thief
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        thief: it: done
    Error: apply of module thief: its result is none of apply: unknown field `states`, expected `state`
    Hint: what is left is done by the same command: xcrane module apply thief
    [exit status: 1]
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
fn programs_that_cannot_be_run_are_told_with_what_mends_them() {
    let lab = rack();
    scripted(&lab, "windows", "", "");
    put(&lab.state().join("modules/windows/run"), "#!/bin/sh\r\necho\r\n", 0o755);
    scripted(&lab, "plain", "", "");
    put(&lab.state().join("modules/plain/run"), "#!/bin/sh\necho\n", 0o644);
    scripted(&lab, "open", "", "");
    lab.shell("chmod 777 $XCRANE_HOME/modules/open").success();
    assert_snapshot!(session(&lab, "
        xcrane module plan windows
        xcrane module plan plain
        xcrane module plan open
    "), @"
    $ xcrane module plan windows
    ------- stderr -------
    Error: plan of module windows: cannot run $XCRANE_HOME/modules/windows/run: No such file or directory (os error 2)
    Hint: its first line names a program that is not here, or ends as lines of Windows do
    [exit status: 1]
    $ xcrane module plan plain
    ------- stderr -------
    Error: plan of module plain: cannot run $XCRANE_HOME/modules/plain/run: Permission denied (os error 13)
    Hint: make it one that can be run: chmod +x $XCRANE_HOME/modules/plain/run
    [exit status: 1]
    $ xcrane module plan open
    ------- stderr -------
    Error: plan of module open: cannot run $XCRANE_HOME/modules/open/run: everybody may write its directory; what makes it ours: chown root $XCRANE_HOME/modules/open && chmod go-w $XCRANE_HOME/modules/open
    [exit status: 1]
    ");
}
