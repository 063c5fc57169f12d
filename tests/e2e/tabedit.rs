use insta::assert_snapshot;

use crate::{lab, rack, session};

#[test]
fn what_the_editor_leaves_is_restored() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        EDITOR='sed -i s/rack1/rack9/' tabedit nodelist
        nodels n1 groups
        deflog -n 1
        TABEDITOR='sed -i /n4/d' EDITOR=false tabedit nodelist -m gone
        nodels
        EDITOR=true tabedit nodelist
        deflog -n 1
    "), @"
    $ EDITOR='sed -i s/rack1/rack9/' tabedit nodelist
    $ nodels n1 groups
    n1: rack9,all
    $ deflog -n 1
    3 $TIME root 3 rows: tabedit nodelist
    $ TABEDITOR='sed -i /n4/d' EDITOR=false tabedit nodelist -m gone
    $ nodels
    n1
    n2
    n3
    $ EDITOR=true tabedit nodelist
    $ deflog -n 1
    4 $TIME root 1 row: tabedit nodelist -m gone  (gone)
    ");
}

#[test]
fn a_text_that_makes_no_sense_is_kept() {
    let lab = rack().env("TMPDIR", "kept");
    assert_snapshot!(session(&lab, "
        mkdir kept
        EDITOR='sed -i s/groups/grops/' tabedit nodelist 2>&1 | sed s/tabedit-[0-9]*/tabedit-PID/
        head -1 kept/*/nodelist.csv
        nodels n1 groups
    "), @"
    $ mkdir kept
    $ EDITOR='sed -i s/groups/grops/' tabedit nodelist 2>&1 | sed s/tabedit-[0-9]*/tabedit-PID/
    Error: The header line indicates that column 'grops' should exist, which is not defined in the schema for 'nodelist'
    Hint: what you wrote is kept in kept/tabedit-PID/nodelist.csv
    $ head -1 kept/*/nodelist.csv
    #node,grops,status,statustime,appstatus,appstatustime,primarysn,hidden,updatestatus,updatestatustime,zonename,comments,disable
    $ nodels n1 groups
    n1: rack1,all
    ");
}

#[test]
fn another_commands_change_is_not_overwritten() {
    let lab = rack().env("TMPDIR", "kept");
    crate::write(&lab, "editor", "nodech n1 groups=meanwhile; sed -i s/rack1/rack9/ \"$1\"");
    assert_snapshot!(session(&lab, "
        mkdir kept
        EDITOR='sh editor' tabedit nodelist 2>&1 | sed s/tabedit-[0-9]*/tabedit-PID/
        nodels rack1
        nodels n1 groups
    "), @"
    $ mkdir kept
    $ EDITOR='sh editor' tabedit nodelist 2>&1 | sed s/tabedit-[0-9]*/tabedit-PID/
    Error: table nodelist was changed meanwhile
    Hint: what you wrote is kept in kept/tabedit-PID/nodelist.csv
    $ nodels rack1
    n2
    n3
    $ nodels n1 groups
    n1: meanwhile
    ");
}

#[test]
fn no_password_stays_when_the_editor_fails_or_ctrl_c_is_pressed() {
    let lab = lab().env("TMPDIR", "kept");
    crate::write(&lab, "editor", "grep -q cluster \"$1\" && touch \"$1.swp\" seen && kill -INT $PPID; exit 1");
    assert_snapshot!(session(&lab, "
        mkdir kept; chtab key=system passwd.username=root passwd.password=cluster
        EDITOR=false tabedit passwd
        EDITOR='sh editor' tabedit passwd
        ls seen; ls -A kept
    "), @"
    $ mkdir kept; chtab key=system passwd.username=root passwd.password=cluster
    $ EDITOR=false tabedit passwd
    ------- stderr -------
    Error: false ended with exit status: 1; nothing was changed
    [exit status: 1]
    $ EDITOR='sh editor' tabedit passwd
    ------- stderr -------
    Error: sh editor ended with exit status: 1; nothing was changed
    [exit status: 1]
    $ ls seen; ls -A kept
    seen
    ");
}

#[test]
fn refuses_logs_and_editors_that_fail() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        tabedit auditlog
        tabedit bogus
        EDITOR=false tabedit site
        EDITOR=/no/such/editor tabedit site
    "), @"
    $ tabedit auditlog
    ------- stderr -------
    Error: table auditlog is not for editing
    Hint: prune it with tabprune
    [exit status: 1]
    $ tabedit bogus
    ------- stderr -------
    Error: No such table: bogus
    Hint: tabdump lists the tables
    [exit status: 1]
    $ EDITOR=false tabedit site
    ------- stderr -------
    Error: false ended with exit status: 1; nothing was changed
    [exit status: 1]
    $ EDITOR=/no/such/editor tabedit site
    ------- stderr -------
    Error: cannot start /no/such/editor: No such file or directory (os error 2)
    Hint: set EDITOR
    [exit status: 1]
    ");
}
