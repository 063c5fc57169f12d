use std::fs;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::{rack, session};

#[test]
fn every_table_is_a_file() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        dumpxCATdb -p dump/today
        ls dump/today | head -4
        tabdump >tables; ls dump/today | sed 's/.csv//' | comm -3 tables -
        cat dump/today/nodehm.csv
        dumpxCATdb -a -p all
        ls all | sed 's/.csv//' | comm -3 tables -
        dumpxCATdb
    "), @r#"
    $ dumpxCATdb -p dump/today
    $ ls dump/today | head -4
    bootparams.csv
    boottarget.csv
    chain.csv
    circuit.csv
    $ tabdump >tables; ls dump/today | sed 's/.csv//' | comm -3 tables -
    auditlog
    bootevent
    eventlog
    imageledger
    $ cat dump/today/nodehm.csv
    #node,power,mgt,cons,termserver,termport,conserver,serialport,serialspeed,serialflow,getmac,cmdmapping,consoleondemand,consoleenabled,comments,disable
    "n1",,"ipmi",,,,,,,,,,,,,
    "n2",,"ipmi",,,,,,,,,,,,,
    "n3",,"ipmi",,,,,,,,,,,,,
    "n4",,"docker",,,,,,,,,,,,,
    $ dumpxCATdb -a -p all
    $ ls all | sed 's/.csv//' | comm -3 tables -
    $ dumpxCATdb
    ------- stderr -------
    error: the following required arguments were not provided:
      --path <DIR>

    Usage: dumpxCATdb --path <DIR>

    For more information, try '--help'.
    [exit status: 2]
    "#);
    let mode = fs::metadata(lab.home().join("dump/today")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "passwords are among what is dumped");
}
