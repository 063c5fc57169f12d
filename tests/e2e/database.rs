//! What befalls the database below every command: somebody else holds it, it is damaged, its file system is full.

use std::fs;
use std::time::Duration;

use insta::assert_snapshot;

use crate::{lab, session};

/// Longer than anything takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn a_command_waits_for_the_one_that_holds_the_database() {
    let lab = lab();
    lab.run("mkdef n1 groups=all").success();
    let holder = rusqlite::Connection::open(lab.state().join("xcrane.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = lab.spawn("chdef n1 vmhost=h1");
    // Readers are not kept waiting.
    assert_snapshot!(lab.run("lsdef n1"), @"
    Object name: n1
        groups=all
    ");
    holder.execute_batch("COMMIT").unwrap();
    assert_snapshot!(waiting.wait(LIMIT), @"
    1 object definitions have been created or modified.
    ");
    assert_snapshot!(lab.run("lsdef n1"), @"
    Object name: n1
        groups=all
        vmhost=h1
    ");
}

#[test]
fn a_damaged_database_is_named() {
    let lab = lab();
    lab.run("mkdef n1 groups=all").success();
    fs::write(lab.state().join("xcrane.db"), "this is no database at all, and longer than a header: ".repeat(100))
        .unwrap();
    for name in ["xcrane.db-wal", "xcrane.db-shm"] {
        fs::remove_file(lab.state().join(name)).ok(); // gone already when the last command tidied up
    }
    assert_snapshot!(session(&lab, "
        lsdef n1
        mkdef n2 groups=all
        rmdef n1
    "), @"
    $ lsdef n1
    ------- stderr -------
    Error: database $XCRANE_HOME/xcrane.db is corrupt or not a database of xcrane: file is not a database
    [exit status: 1]
    $ mkdef n2 groups=all
    ------- stderr -------
    Error: database $XCRANE_HOME/xcrane.db is corrupt or not a database of xcrane: file is not a database
    [exit status: 1]
    $ rmdef n1
    ------- stderr -------
    Error: database $XCRANE_HOME/xcrane.db is corrupt or not a database of xcrane: file is not a database
    [exit status: 1]
    ");
}

#[test]
fn a_file_system_that_cannot_be_written_is_named() {
    let lab = lab();
    lab.run("mkdef n1 groups=all").success();
    assert_snapshot!(lab.shell(r#"unshare -m sh -c '
        mount --bind "$XCRANE_HOME" "$XCRANE_HOME" && mount -o remount,bind,ro "$XCRANE_HOME"
        mkdef n2 groups=all; echo "exit $?"
        chdef n1 vmhost=h1; echo "exit $?"
    '"#), @"
    exit 1
    exit 1
    ------- stderr -------
    Error: database $XCRANE_HOME/xcrane.db cannot be opened for writing: unable to open database file
    Error: database $XCRANE_HOME/xcrane.db cannot be opened for writing: unable to open database file
    ");
    assert_snapshot!(lab.run("lsdef n1,n2 -s"), @"
    n1  (node)
    ------- stderr -------
    Error: Could not find an object named 'n2' of type 'node'.
    Hint: did you mean 'n1'?
    [exit status: 1]
    ");
}

#[test]
fn a_full_disk_takes_back_the_whole_command() {
    let lab = lab();
    assert_snapshot!(lab.shell(r#"unshare -m sh -c '
        mount -t tmpfs -o size=2m none "$XCRANE_HOME"
        mkdef n[1-10] groups=all
        mkdef m[1-20000] groups=all usercomment=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; echo "exit $?"
        lsdef -s | tail -2; lsdef -s | wc -l
        chdef n1 vmhost=h1
        lsdef n1
    '"#), @"
    10 object definitions have been created or modified.
    exit 1
    n8  (node)
    n9  (node)
    10
    1 object definitions have been created or modified.
    Object name: n1
        groups=all
        vmhost=h1
    ------- stderr -------
    Error: no space left for database $XCRANE_HOME/xcrane.db: database or disk is full
    ");
}
