use insta::assert_snapshot;

use crate::{rack, session, write};

#[test]
fn a_dump_comes_back_as_it_was() {
    let lab = rack();
    write(&lab, "odd", "a \"b\",\nc");
    assert_snapshot!(session(&lab, r#"
        nodech n1 "nodelist.comments=$(cat odd)"
        tabdump -f nodelist.csv nodelist
        noderm all
        tabrestore nodelist.csv -m 'too much'
        tabdump nodelist | diff - nodelist.csv
        deflog -n 1
    "#), @r#"
    $ nodech n1 "nodelist.comments=$(cat odd)"
    $ tabdump -f nodelist.csv nodelist
    $ noderm all
    $ tabrestore nodelist.csv -m 'too much'
    $ tabdump nodelist | diff - nodelist.csv
    $ deflog -n 1
    5 $TIME root 4 rows: tabrestore nodelist.csv -m 'too much'  (too much)
    "#);
}

#[test]
fn rows_replace_or_join_those_that_are_there() {
    let lab = rack();
    write(&lab, "mac.csv", "#node,mac\n\"n1\",\"02:00:00:00:00:01\"\n\"n2\",\"02:00:00:00:00:02\"\n");
    assert_snapshot!(session(&lab, r"
        tabrestore mac.csv
        mkdir more && printf '#node,mac\nn2,02:00:00:00:00:22\nn3,02:00:00:00:00:03\n' > more/mac.csv
        tabrestore -a more/mac.csv
        tabdump mac
        tabrestore more/mac.csv
        tabdump mac
    "), @r#"
    $ tabrestore mac.csv
    $ mkdir more && printf '#node,mac\nn2,02:00:00:00:00:22\nn3,02:00:00:00:00:03\n' > more/mac.csv
    $ tabrestore -a more/mac.csv
    $ tabdump mac
    #node,interface,mac,comments,disable
    "n1",,"02:00:00:00:00:01",,
    "n2",,"02:00:00:00:00:22",,
    "n3",,"02:00:00:00:00:03",,
    $ tabrestore more/mac.csv
    $ tabdump mac
    #node,interface,mac,comments,disable
    "n2",,"02:00:00:00:00:22",,
    "n3",,"02:00:00:00:00:03",,
    "#);
}

#[test]
fn a_bad_file_changes_nothing() {
    let lab = rack();
    assert_snapshot!(session(&lab, r#"
        printf '#node,colour\n"n1","red"\n' > mac.csv; tabrestore mac.csv
        printf '#node,groups\n"n1","a"\n"n1","b"\n' > nodelist.csv; tabrestore nodelist.csv
        printf '#node,groups\n"n1","a\n' > nodelist.csv; tabrestore nodelist.csv
        printf '#node,groups\n"n1","a","b"\n' > nodelist.csv; tabrestore nodelist.csv
        printf '' > nodelist.csv; tabrestore nodelist.csv
        touch bogus.csv; tabrestore bogus.csv
        tabrestore nowhere/nodelist.csv
        tabrestore
        nodels all groups
    "#), @r#"
    $ printf '#node,colour\n"n1","red"\n' > mac.csv; tabrestore mac.csv
    ------- stderr -------
    Error: The header line indicates that column 'colour' should exist, which is not defined in the schema for 'mac'
    [exit status: 1]
    $ printf '#node,groups\n"n1","a"\n"n1","b"\n' > nodelist.csv; tabrestore nodelist.csv
    ------- stderr -------
    Error: table 'nodelist' already has a row n1
    [exit status: 1]
    $ printf '#node,groups\n"n1","a\n' > nodelist.csv; tabrestore nodelist.csv
    ------- stderr -------
    Error: nodelist.csv: line 2: the quotes opened here are never closed
    [exit status: 1]
    $ printf '#node,groups\n"n1","a","b"\n' > nodelist.csv; tabrestore nodelist.csv
    ------- stderr -------
    Error: nodelist.csv: line 2: expected at most 2 cells as in the header, found 3
    [exit status: 1]
    $ printf '' > nodelist.csv; tabrestore nodelist.csv
    ------- stderr -------
    Error: nodelist.csv: line 1: expected a header line such as '#node,ip,comments,disable'
    [exit status: 1]
    $ touch bogus.csv; tabrestore bogus.csv
    ------- stderr -------
    Error: Unable to open bogus
    [exit status: 4]
    $ tabrestore nowhere/nodelist.csv
    ------- stderr -------
    Error: cannot read nowhere/nodelist.csv: No such file or directory (os error 2)
    [exit status: 3]
    $ tabrestore
    ------- stderr -------
    error: the following required arguments were not provided:
      <FILE>

    Usage: tabrestore <FILE>

    For more information, try '--help'.
    [exit status: 2]
    $ nodels all groups
    n1: rack1,all
    n2: rack1,all
    n3: rack1,all
    n4: all
    "#);
}
