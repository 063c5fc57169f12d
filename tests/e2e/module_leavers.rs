//! Nodes of a module that are in no table any more.

use insta::assert_snapshot;

use crate::module::{CHANGE, config, local, on_nodes};
use crate::{defined_hosts, lab, session};

#[test]
fn nodes_that_are_in_no_table_any_more() {
    let lab = defined_hosts(lab().hosts(1), 1);
    lab.run("mkdef h2,h3 groups=hosts ip=10.77.0.1").success();
    let program = "#!/bin/sh\ncase $1 in\nplan) echo '{\"result\":{\"changes\":[{\"what\":\"it\"}]}}' ;;\n\
        apply) echo '{\"result\":{\"state\":1}}' ;;\naudit) echo '{\"result\":{\"findings\":[]}}' ;;\nscale) echo '{\"result\":{}}' ;;\nesac\n";
    on_nodes(&lab, "group", "influences = [['name eq watch']]", &["scale"], 600, program);
    local(&lab, "watch", "", CHANGE);
    config(&lab, "group", "nodes = 'h1,h2,h3'\n");
    assert_eq!(lab.run("xcrane module plan group").code, 2);
    lab.run("xcrane module apply group").success();
    assert_eq!(lab.run("xcrane module plan watch").code, 2);
    lab.run("xcrane module apply watch").success();
    lab.run("noderm h3").success();
    assert_snapshot!(session(&lab, "
        xcrane module audit group
        xcrane module scale group
    "), @"
    $ xcrane module audit group
    h1: as it was left
    h2: as it was left
    ------- stderr -------
    Warning: h3: was set up by group and is in no table any more
    Hint: define h3 again; or see that the config of group does not name it either, and take it out of group with: xcrane module scale group
    $ xcrane module scale group
    ------- stderr -------
    Error: nodes of module group: Invalid nodes and/or groups in noderange: h3
    [exit status: 1]
    ");
    config(&lab, "group", "nodes = 'h1,h2'\n");
    assert_snapshot!(lab.run("xcrane module scale group").sorted(), @"
        watch: it: done
    h1: scale: done
    h2: scale: done
    watch: influenced by group; xcrane module plan watch && xcrane module apply watch would do:
    ------- stderr -------
    h3: is in no table any more, and was forgotten
    ");
    assert_snapshot!(session(&lab, "
        xcrane module audit group
        xcrane module state group --yaml | sed -n '/^targets/,/^config/p'
    "), @"
    $ xcrane module audit group
    h1: as it was left
    h2: as it was left
    $ xcrane module state group --yaml | sed -n '/^targets/,/^config/p'
    targets:
      h1: 1
      h2: 1
    config:
    ");
}
