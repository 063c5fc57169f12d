use ::lab::Lab;
use insta::assert_snapshot;

use crate::{lab, session, write};

/// Ten records, the oldest five of long ago.
fn logged() -> Lab {
    let lab = lab();
    let old = (1..6).map(|id| format!("\"{id}\",\"01-0{id}-2020 00:00:00\",\"root\"\n"));
    let new = (6..11).map(|id| format!("\"{id}\",\"01-01-2999 00:00:00\",\"root\"\n"));
    let rows: String = old.chain(new).collect();
    write(&lab, "auditlog.csv", &format!("#recid,audittime,userid\n{rows}"));
    lab.shell("tabrestore auditlog.csv").success();
    lab
}

/// The numbers of the records that `tabprune auditlog OPTIONS` leaves.
#[track_caller]
fn check(options: &str, left: &str) {
    let lab = logged();
    lab.shell(&format!("tabprune auditlog {options}")).success();
    let ids = lab.shell("tabdump auditlog | grep -v '#' | cut -d '\"' -f 2 | tr '\\n' ' '").success();
    assert_eq!(ids, left, "{options}");
}

#[test]
fn old_records_go() {
    check("-n 3", "4 5 6 7 8 9 10");
    check("-n 0", "1 2 3 4 5 6 7 8 9 10");
    check("-p 50", "6 7 8 9 10");
    check("-i 9", "9 10");
    check("-d 30", "6 7 8 9 10");
    check("-a", "Nothing to display from auditlog.");
}

#[test]
fn removed_records_are_shown_on_request() {
    let lab = logged();
    assert_snapshot!(session(&lab, "tabprune auditlog -V -n 2"), @r#"
    $ tabprune auditlog -V -n 2
    #recid,audittime,userid,clientname,clienttype,command,noderange,args,status,comments,disable
    "1","$TIME","root",,,,,,,,
    "2","$TIME","root",,,,,,,,
    "#);
}

#[test]
fn refuses_other_tables_and_contradictions() {
    let lab = logged();
    assert_snapshot!(session(&lab, "
        tabprune nodelist -a
        tabprune auditlog
        tabprune auditlog -a -n 2
        tabprune auditlog -p 101
    "), @"
    $ tabprune nodelist -a
    ------- stderr -------
    Error: table nodelist is no log; tabprune is for auditlog, bootevent, eventlog, imageledger and journal
    [exit status: 1]
    $ tabprune auditlog
    ------- stderr -------
    error: the following required arguments were not provided:
      <-a|-n <N>|-i <RECID>|-p <PERCENT>|-d <DAYS>>

    Usage: tabprune <-a|-n <N>|-i <RECID>|-p <PERCENT>|-d <DAYS>> <TABLE>

    For more information, try '--help'.
    [exit status: 2]
    $ tabprune auditlog -a -n 2
    ------- stderr -------
    error: the argument '-a' cannot be used with '-n <N>'

    Usage: tabprune <-a|-n <N>|-i <RECID>|-p <PERCENT>|-d <DAYS>> <TABLE>

    For more information, try '--help'.
    [exit status: 2]
    $ tabprune auditlog -p 101
    ------- stderr -------
    error: invalid value '101' for '-p <PERCENT>': 101 is not in 0..=100

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn the_journal_forgets_on_request_and_by_age() {
    let lab = lab();
    lab.shell("for value in 1 2 3 4 5 6; do chdef -t site master=$value; done").success();
    let id = "deflog | cut -d ' ' -f 1 | tr '\\n' ' '";
    assert_snapshot!(session(&lab, &format!("
        tabprune journal -V -n 2
        {id}
        tabprune journal -i 4
        {id}
        tabprune journal -d 1 -V
        defundo 3
        lsdef --at 2020-01-01 n1
        tabprune journal -a
        {id}
        chdef -t site journaldays=soon
        chdef -t site journaldays=30
        lsdef -t site -i journaldays,master
    ")), @r"
    $ tabprune journal -V -n 2
    2 entries have been forgotten.
    $ deflog | cut -d ' ' -f 1 | tr '\n' ' '
    3 4 5 6 [no line end]
    $ tabprune journal -i 4
    $ deflog | cut -d ' ' -f 1 | tr '\n' ' '
    4 5 6 [no line end]
    $ tabprune journal -d 1 -V
    0 entries have been forgotten.
    $ defundo 3
    ------- stderr -------
    Error: the journal has no entry 3
    [exit status: 1]
    $ lsdef --at 2020-01-01 n1
    ------- stderr -------
    Error: the journal does not reach back to that time: older entries were pruned
    [exit status: 1]
    $ tabprune journal -a
    $ deflog | cut -d ' ' -f 1 | tr '\n' ' '
    $ chdef -t site journaldays=soon
    ------- stderr -------
    Error: 'journaldays=soon' is refused: it is not a number of days
    [exit status: 1]
    $ chdef -t site journaldays=30
    1 object definitions have been created or modified.
    $ lsdef -t site -i journaldays,master
    Object name: clustersite
        journaldays=30
        master=6
    ");
}
