use insta::assert_snapshot;

use crate::{rack, session};

#[test]
fn changes_are_taken_back_and_that_too() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech n1 vm.host=h1
        nodech n2 vm.host=h2
        defundo 3
        tabdump vm
        defundo --last 1 -m 'was right'
        tabdump vm
        deflog -n 3
    "), @r#"
    $ nodech n1 vm.host=h1
    $ nodech n2 vm.host=h2
    $ defundo 3
    Took back 3.
    $ tabdump vm
    #node,mgr,host,migrationdest,storage,storagemodel,storagecache,storageformat,cfgstore,memory,cpus,nics,nicmodel,bootorder,clockoffset,virtflags,master,vncport,textconsole,powerstate,beacon,datacenter,cluster,guestostype,othersettings,physlots,vidmodel,vidproto,vidpassword,comments,disable
    "n2",,"h2",,,,,,,,,,,,,,,,,,,,,,,,,,,,
    $ defundo --last 1 -m 'was right'
    Took back 5.
    $ tabdump vm
    #node,mgr,host,migrationdest,storage,storagemodel,storagecache,storageformat,cfgstore,memory,cpus,nics,nicmodel,bootorder,clockoffset,virtflags,master,vncport,textconsole,powerstate,beacon,datacenter,cluster,guestostype,othersettings,physlots,vidmodel,vidproto,vidpassword,comments,disable
    "n2",,"h2",,,,,,,,,,,,,,,,,,,,,,,,,,,,
    "n1",,"h1",,,,,,,,,,,,,,,,,,,,,,,,,,,,
    $ deflog -n 3
    4 $TIME root 1 row: nodech n2 vm.host=h2
    5 $TIME root 1 row: defundo 3
    6 $TIME root 1 row: defundo --last 1 -m 'was right'  (was right)
    "#);
}

#[test]
fn what_changed_since_is_not_touched() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech n1-n2 vm.host=h1
        nodech n2 vm.host=h2
        defundo 3
        nodels n1-n2 vm.host
        defundo 3 4
        nodels n1-n2 vm.host
        defundo 99
        defundo
        defundo x
    "), @"
    $ nodech n1-n2 vm.host=h1
    $ nodech n2 vm.host=h2
    $ defundo 3
    ------- stderr -------
    Error: changed since: vm n2
    [exit status: 1]
    $ nodels n1-n2 vm.host
    n1: h1
    n2: h2
    $ defundo 3 4
    Took back 3.
    Took back 4.
    $ nodels n1-n2 vm.host
    n1: 
    n2: 
    $ defundo 99
    ------- stderr -------
    Error: the journal has no entry 99
    [exit status: 1]
    $ defundo
    ------- stderr -------
    error: the following required arguments were not provided:
      <ID|--last <N>>

    Usage: defundo <ID|--last <N>>

    For more information, try '--help'.
    [exit status: 2]
    $ defundo x
    ------- stderr -------
    error: invalid value 'x' for '[ID]...': it takes a number

    For more information, try '--help'.
    [exit status: 2]
    ");
}
