//! `xcrane module` for whoever writes one: what a program hears, what a config says of itself, and what cannot be done by mistake.

use insta::assert_snapshot;

use crate::module::{CHANGE, config, put, scripted};
use crate::{rack, session};

/// The first time as every other time: nodes, addresses and defaults are there before the module is asked.
#[test]
fn init_hears_what_it_fills_in() {
    let lab = rack();
    lab.run("chdef n[1-3] ip='|10.0.0.($1)|'").success();
    let schema = "targets = 'nodes'\n[config.nodes]\ntype = 'noderange'\nhelp = 'its members'\nchoose = 2\nfrom = 'n[1-3]'\n\
                  [config.peers]\ntype = 'list'\nhelp = 'where they are'\naddresses = 'nodes'\n\
                  [config.port]\ntype = 'integer'\nhelp = 'where it listens'\ndefault = 5\nminimum = 1\nmaximum = 9\n\
                  [config.key]\ntype = 'string'\nhelp = 'what they know each other by'\nrequired = true\nsecret = true\n\
                  [config.heard]\ntype = 'string'\nhelp = 'what init has heard'\n";
    scripted(&lab, "ring", schema, "");
    let program = "#!/bin/sh\n[ $1 = metadata ] && echo '{\"result\":{\"labels\":{}}}' ||\n\
                   printf '{\"result\":{\"config\":{\"heard\":\"%s\"}}}\\n' \"$CONFIG_NODES $CONFIG_PEERS $CONFIG_PORT\"\n";
    put(&lab.state().join("modules/ring/run"), program, 0o755);
    assert_snapshot!(session(&lab, "
        xcrane module check ring
        xcrane module init ring
        cat $XCRANE_HOME/configs/ring.toml
        sed -i 's/^# key =.*/key = \"hunter7\"/' $XCRANE_HOME/configs/ring.toml
        xcrane module init ring
        sed -i 's/^# port =.*/port = 6/; s/^heard =.*/heard = \"mine\"/' $XCRANE_HOME/configs/ring.toml
        xcrane module init ring --force
        xcrane module init ring --force
        grep -r hunter $XCRANE_HOME/configs
        sed -i 's/^key =.*/key = \"\"/' $XCRANE_HOME/configs/ring.toml
        xcrane module plan ring
        xcrane module info ring | grep 'config [kp]'
    "), @r#"
    $ xcrane module check ring
    ring: pass: metadata says the labels of module.toml
    ring: pass: init proposes a config that the module takes
    ring: FAIL: plan has a config to go by: the config of module ring is not as it says:
    what init proposes: key: is required: what they know each other by
    --config FILE gives it one
    [exit status: 1]
    $ xcrane module init ring
    ring: wrote $XCRANE_HOME/configs/ring.toml
    $ cat $XCRANE_HOME/configs/ring.toml
    # what init has heard (a string)
    heard = "n[1-2] 10.0.0.1 10.0.0.2 5"

    # what they know each other by (a string, required, secret)
    # key =

    # its members (a noderange, as a string)
    nodes = "n[1-2]"

    # where they are (a list of strings)
    peers = ["10.0.0.1", "10.0.0.2"]

    # where it listens (a number, at least 1, at most 9)
    # port = 5
    $ sed -i 's/^# key =.*/key = "hunter7"/' $XCRANE_HOME/configs/ring.toml
    $ xcrane module init ring
    ring: $XCRANE_HOME/configs/ring.toml is as it would be written
    $ sed -i 's/^# port =.*/port = 6/; s/^heard =.*/heard = "mine"/' $XCRANE_HOME/configs/ring.toml
    $ xcrane module init ring --force
    @@ -1,4 +1,4 @@
     # what init has heard (a string)
    -heard = "mine"
    +heard = "n[1-2] 10.0.0.1 10.0.0.2 6"
     
     # what they know each other by (a string, required, secret)
    ring: wrote $XCRANE_HOME/configs/ring.toml
    $ xcrane module init ring --force
    ring: $XCRANE_HOME/configs/ring.toml is as it would be written
    $ grep -r hunter $XCRANE_HOME/configs
    $XCRANE_HOME/configs/ring.toml:key = "hunter7"
    $ sed -i 's/^key =.*/key = ""/' $XCRANE_HOME/configs/ring.toml
    $ xcrane module plan ring
    ------- stderr -------
    Error: the config of module ring is not as it says:
    $XCRANE_HOME/configs/ring.toml: line 5: key: is required and says nothing: what they know each other by
    Hint: a config to begin with: xcrane module init ring
    [exit status: 1]
    $ xcrane module info ring | grep 'config [kp]'
        config key: what they know each other by (a string, required, secret)
        config peers: where they are (a list of strings, init fills in the addresses of nodes)
        config port: where it listens (a number, at least 1, at most 9) [default: 5]
    "#);
}

#[test]
fn a_plan_keeps_no_secret_and_is_carried_out_with_it() {
    let lab = rack();
    let schema = "[config.key]\ntype = 'string'\nhelp = 'x'\nrequired = true\nsecret = true\n";
    let methods = format!("plan) {CHANGE} ;;\napply) echo \"$CONFIG_KEY\" > said; echo '{{\"result\":{{}}}}' ;;");
    scripted(&lab, "knows", schema, &methods);
    config(&lab, "knows", "key = 'hunter8'\n");
    assert_eq!(lab.run("xcrane module plan knows").code, 2);
    assert_eq!(lab.shell("grep -r hunter8 $XCRANE_HOME/plans").code, 1);
    lab.run("xcrane module apply knows").success();
    assert_eq!(lab.shell("cat $XCRANE_HOME/modules/knows/said").success(), "hunter8");
    assert_eq!(lab.run("xcrane module plan knows").code, 2);
    config(&lab, "knows", "key = 'hunter9'\n");
    assert_snapshot!(lab.run("xcrane module apply knows"), @"
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        knows: it: done
    Error: the plan for module knows is old: its config was changed since it was made
    Hint: see what is to be done now: xcrane module plan knows
    [exit status: 1]
    ");
}

/// The one that is on a machine is a secret as well until it has gone.
#[test]
fn a_secret_that_is_to_be_replaced_is_shown_no_more_than_the_new_one() {
    let lab = rack();
    let schema = "[config.key]\ntype = 'string'\nhelp = 'x'\nsecret = true\n";
    let plan = r#"printf '{"result":{"changes":[{"what":"conf","from":"a\\nkey = %s\\n","to":"a\\nkey = %s\\n"}]}}\n' hunter1 "$CONFIG_KEY""#;
    scripted(&lab, "turns", schema, &format!("plan) {plan} ;;"));
    config(&lab, "turns", "key = 'hunter2'\n");
    assert_snapshot!(lab.run("xcrane module plan turns"), @"
    turns: conf
        @@ -1,2 +1,2 @@
         a
        -key = ****** (another)
        +key = ******
    ------- stderr -------
    kept: xcrane module apply turns --plan $PLAN
    [exit status: 2]
    ");
    assert_eq!(lab.shell("grep -r hunter1 $XCRANE_HOME/plans").code, 1);
}

/// What runs once for all nodes would take those that it is checked with for all there are.
#[test]
fn what_is_in_use_is_not_applied_by_a_check() {
    let lab = rack();
    lab.run("chdef n[1-2] ip='|10.0.0.($1)|'").success();
    let schema = "targets = 'nodes'\n[config.nodes]\ntype = 'noderange'\nhelp = 'who is listed'\nrequired = true\n\
                  [config.file]\ntype = 'string'\nhelp = 'the list'\nrequired = true\n";
    let changed = "'{\"result\":{\"changes\":[{\"what\":\"it\"}]}}'";
    let methods = format!(
        "metadata) echo '{{\"result\":{{\"labels\":{{}}}}}}' ;;\n\
         plan) [ \"$(cat \"$CONFIG_FILE\" 2>/dev/null)\" = \"$CONFIG_NODES\" ] && echo '{{\"result\":{{\"changes\":[]}}}}' || echo {changed} ;;\n\
         apply) echo \"$CONFIG_NODES\" > \"$CONFIG_FILE\"; echo '{{\"result\":{{}}}}' ;;\n\
         audit) echo '{{\"result\":{{\"findings\":[]}}}}' ;;\nbackup|restore|update|scale|test) exit 1 ;;"
    );
    scripted(&lab, "list", schema, &methods);
    lab.shell("sed -i '/^backup\\|^restore\\|^update\\|^scale\\|^test/d' $XCRANE_HOME/modules/list/module.toml")
        .success();
    config(&lab, "list", "nodes = 'n[1-2]'\nfile = '../../list'\n");
    put(&lab.home().join("other.toml"), "nodes = 'n1'\nfile = '../../other'\n", 0o600);
    assert_snapshot!(session(&lab, "
        xcrane module plan list
        xcrane module apply list
        xcrane module check list --apply n1
        cat $XCRANE_HOME/list
        xcrane module check list --apply n1 --config other.toml
        cat $XCRANE_HOME/list $XCRANE_HOME/other
        xcrane module check list --config none.toml
    "), @"
    $ xcrane module plan list
    list: it
    ------- stderr -------
    kept: xcrane module apply list --plan $PLAN
    [exit status: 2]
    $ xcrane module apply list
    list: it
    list: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        list: it
    $ xcrane module check list --apply n1
    ------- stderr -------
    Error: module list is in use, and its apply by way 'local' would make it one of n1 alone
    Hint: check it with a config that means other places: --config FILE
    [exit status: 1]
    $ cat $XCRANE_HOME/list
    n[1-2]
    $ xcrane module check list --apply n1 --config other.toml
    list: pass: metadata says the labels of module.toml
    list: pass: init proposes a config that the module takes
    list: pass: plan says the same twice, and leaves the directory as it is
    list: pass: apply does what was planned: nothing is left to do
    list: pass: apply twice is as once
    list: pass: audit finds what apply has left
    list: pass: the state has what its labels provide
    $ cat $XCRANE_HOME/list $XCRANE_HOME/other
    n[1-2]
    n1
    $ xcrane module check list --config none.toml
    ------- stderr -------
    Error: there is no file none.toml
    [exit status: 1]
    ");
}

/// It can tell what it comes from.
#[test]
fn an_update_hears_which_version_was_applied() {
    let lab = rack();
    let methods = format!(
        "plan) {CHANGE} ;;\napply) grep -q '\"applied\":null' && echo '{{\"result\":{{}}}}' ;;\n\
         update) grep -q '\"version\":\"1.1\",\"applied\":\"1.0\"' && echo '{{\"result\":{{\"sate\":1}}}}' ;;"
    );
    scripted(&lab, "moves", "", &methods);
    assert_eq!(lab.run("xcrane module plan moves").code, 2);
    lab.run("xcrane module apply moves").success();
    lab.shell("sed -i s/1.0/1.1/ $XCRANE_HOME/modules/moves/module.toml").success();
    // What nobody knows is more often misspelt than meant.
    assert_snapshot!(lab.run("xcrane module update moves"), @"
    ------- stderr -------
    moves: Error: update of module moves: its result is none of update: unknown field `sate`, expected `state`
    [exit status: 1]
    ");
    lab.shell("sed -i s/sate/state/ $XCRANE_HOME/modules/moves/run").success();
    assert_snapshot!(lab.run("xcrane module update moves"), @"
    moves: update: done
    ");
}

#[test]
fn who_says_much_on_standard_error_is_heard_to_the_end() {
    let lab = rack();
    scripted(&lab, "loud", "", &format!("plan) head -c 3000000 /dev/zero | tr '\\0' x >&2; {CHANGE} ;;"));
    assert_eq!(lab.run("xcrane module plan loud").code, 2);
}
