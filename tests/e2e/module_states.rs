//! What is known of the nodes of a module is so: whatever was edited, moved or cut off in between.

use insta::assert_snapshot;
use lab::Lab;

use crate::module::{config, on_nodes};
use crate::{defined_hosts, lab, session};

/// A module whose nodes have a file each with what the config says, in `/run/kept`; n2 and n3 are h1, too.
fn kept(lab: &Lab) {
    lab.run("mkdef n[1-3] groups=kept ip=10.77.0.1").success();
    let program = r#"#!/bin/sh
set -eu
mkdir -p /run/kept
file=/run/kept/$TARGET
now() { cat "$file" 2>/dev/null || true; }
[ ! -e "$file.$1" ] || { rm "$file.$1"; echo "it cannot" >&2; exit 3; }
case $1 in
plan) if [ "$(now)" = "$CONFIG_TEXT" ]; then changes=; else changes="{\"what\":\"file\",\"to\":\"$CONFIG_TEXT\"}"; fi
    echo "{\"result\":{\"changes\":[$changes]}}" ;;
apply|restore) printf %s "$CONFIG_TEXT" >"$file"
    [ ! -e "$file.late" ] || { rm "$file.late"; echo "it was cut off" >&2; exit 3; }
    echo "{\"result\":{\"state\":\"$(now)\"}}" ;;
audit) echo "{\"result\":{\"findings\":[],\"state\":\"$(now)\"}}" ;;
backup) echo "{\"result\":{\"backup\":\"$CONFIG_TEXT\"}}" ;;
scale) echo "{\"warning\":\"$TARGET is asked\"}"; echo '{"result":{}}' ;;
test) echo "{\"result\":{\"tests\":[{\"what\":\"$CONFIG_TEXT\"}]}}" ;;
esac
"#;
    let text = "[config.text]\ntype = 'string'\nhelp = 'what'";
    on_nodes(lab, "kept", text, &["backup", "restore", "scale", "test"], 600, program);
}

fn applied(lab: &Lab, nodes: &str, text: &str) {
    config(lab, "kept", &format!("nodes = '{nodes}'\ntext = '{text}'\n"));
    assert_ne!(lab.run("xcrane module plan kept").code, 1);
    lab.run("xcrane module apply kept").success();
}

fn states(lab: &Lab) -> String {
    lab.shell("xcrane module state kept --yaml | sed -n '/^targets/,/^config/p' | grep '^ '").success()
}

#[test]
fn what_is_known_of_nodes_is_what_they_are_like() {
    let lab = defined_hosts(lab().hosts(1), 1);
    kept(&lab);
    applied(&lab, "n[1-2]", "one");
    assert_eq!(states(&lab), "  n1: one\n  n2: one");
    // Somebody has done by hand what the config says now.
    lab.host("h1").shell("printf two >/run/kept/n1");
    applied(&lab, "n[1-2]", "two");
    assert_eq!(states(&lab), "  n1: two\n  n2: two");
    // One was done, and could not say so.
    lab.host("h1").shell("touch /run/kept/n1.late");
    config(&lab, "kept", "nodes = 'n[1-2]'\ntext = 'three'\n");
    assert_eq!(lab.run("xcrane module plan kept").code, 2);
    assert_eq!(lab.run("xcrane module apply kept").code, 1);
    assert_eq!(lab.run("xcrane module plan kept").code, 0);
    lab.run("xcrane module apply kept").success();
    assert_eq!(states(&lab), "  n1: three\n  n2: three");
    // It was forgotten, and nothing is left to do.
    lab.run("xcrane module remove kept").success();
    applied(&lab, "n[1-2]", "three");
    assert_eq!(states(&lab), "  n1: three\n  n2: three");
}

#[test]
fn a_plan_is_for_the_nodes_that_there_were_and_where_they_were() {
    let lab = defined_hosts(lab().hosts(1), 1);
    kept(&lab);
    applied(&lab, "kept,-n3", "one");
    config(&lab, "kept", "nodes = 'kept'\ntext = 'two'\n");
    let refused = |change: &str| {
        assert_eq!(lab.run("xcrane module plan kept").code, 2);
        lab.run(change).success();
        let said = lab.run("xcrane module apply kept");
        assert_eq!(said.code, 1, "{said}");
        let error = said.stderr.lines().find(|line| line.starts_with("Error")).map(str::to_owned);
        error.expect("an error")
    };
    let errors =
        [refused("chdef -m n3 groups=kept"), refused("chdef -p n3 groups=kept"), refused("chdef n1 ip=127.0.0.1")];
    assert_snapshot!(errors.join("\n"), @"
    Error: the plan for module kept is old: n3 has gone from its nodes since it was made
    Error: the plan for module kept is old: n3 has come to its nodes since it was made
    Error: the plan for module kept is old: n1 has got another address since it was made
    ");
    // Nothing was done, and so nothing is half done.
    assert_eq!(lab.shell("xcrane module list | grep ^kept").success(), "kept: 1.0 applied");
}

#[test]
fn what_is_there_is_asked_with_the_config_that_made_it() {
    let lab = defined_hosts(lab().hosts(1), 1);
    kept(&lab);
    applied(&lab, "n[1-2]", "one");
    config(&lab, "kept", "nodes = 'n[1,3]'\ntext = 'edited'\n");
    lab.host("h1").shell("touch /run/kept/n2.backup");
    assert_snapshot!(session(&lab, r"
        xcrane module backup kept 2>&1 | sort
        xcrane module backup kept 2>&1 | sed 's/[0-9]\{8\}-[0-9.]*/TIME/' | sort
        xcrane module restore kept | sort
        xcrane module test kept | sort
        xcrane module backup kept --json 2>/dev/null | sort
        xcrane module scale kept 2>&1 | sort
    "), @r#"
    $ xcrane module backup kept 2>&1 | sort
    Error: no backup of kept was kept: half of one would be restored as a whole
    n1: backup: done
    n2:     it cannot
    n2: Error: backup of module kept: it ended with exit code 3
    $ xcrane module backup kept 2>&1 | sed 's/[0-9]\{8\}-[0-9.]*/TIME/' | sort
    kept: kept in $XCRANE_HOME/backups/kept/TIMEjson
    n1: backup: done
    n2: backup: done
    $ xcrane module restore kept | sort
    n1: restore: done
    n2: restore: done
    $ xcrane module test kept | sort
    n1: pass: one
    n2: pass: one
    $ xcrane module backup kept --json 2>/dev/null | sort
    {"node":"n1","answer":{"method":"backup"}}
    {"node":"n2","answer":{"method":"backup"}}
    $ xcrane module scale kept 2>&1 | sort
    n1: Warning: scale of module kept: n1 is asked
    n1: scale: done
    n2: Warning: scale of module kept: n2 is asked
    n2: scale: done
    n3: Warning: scale of module kept: n3 is asked
    n3: scale: done
    "#);
    // What was restored is what there was, and one that is new has said nothing of itself.
    assert_eq!(states(&lab), "  n1: one\n  n3: null");
}
