//! What modules require of each other, and what is said only in its turn.

use insta::assert_snapshot;

use crate::module::{CHANGE, local, scripted};
use crate::{rack, session};

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
