use insta::assert_snapshot;

use crate::{lab, rack, session};

#[test]
fn a_table_is_csv_in_the_order_it_is_stored() {
    let lab = rack();
    assert_snapshot!(session(&lab, r#"
        nodech n2 'nodelist.comments=he said "hi", twice'
        tabdump nodelist
        tabdump nodehm
        tabdump vm
        tabdump auditlog
        tabdump bogus
    "#), @r#"
    $ nodech n2 'nodelist.comments=he said "hi", twice'
    $ tabdump nodelist
    #node,groups,status,statustime,appstatus,appstatustime,primarysn,hidden,updatestatus,updatestatustime,zonename,comments,disable
    "n1","rack1,all",,,,,,,,,,,
    "n2","rack1,all",,,,,,,,,,"he said ""hi"", twice",
    "n3","rack1,all",,,,,,,,,,,
    "n4","all",,,,,,,,,,,
    $ tabdump nodehm
    #node,power,mgt,cons,termserver,termport,conserver,serialport,serialspeed,serialflow,getmac,cmdmapping,consoleondemand,consoleenabled,comments,disable
    "n1",,"ipmi",,,,,,,,,,,,,
    "n2",,"ipmi",,,,,,,,,,,,,
    "n3",,"ipmi",,,,,,,,,,,,,
    "n4",,"docker",,,,,,,,,,,,,
    $ tabdump vm
    #node,mgr,host,migrationdest,storage,storagemodel,storagecache,storageformat,cfgstore,memory,cpus,nics,nicmodel,bootorder,clockoffset,virtflags,master,vncport,textconsole,powerstate,beacon,datacenter,cluster,guestostype,othersettings,physlots,vidmodel,vidproto,vidpassword,comments,disable
    $ tabdump auditlog
    Nothing to display from auditlog.
    $ tabdump bogus
    ------- stderr -------
    Error: No such table: bogus
    Hint: tabdump lists the tables
    [exit status: 1]
    "#);
}

#[test]
fn conditions_choose_rows_and_hide_disabled_ones() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        chtab node=n1 nodehm.disable=1
        tabdump nodehm
        tabdump -w mgt==ipmi nodehm
        tabdump -w 'groups=~%rack1%' nodelist
        tabdump -w 'groups!~%rack1%' nodelist
        tabdump -w 'node>n2' -w 'node<n4' nodelist
        tabdump -w bogus==1 nodelist
        tabdump -w bogus nodelist
        tabdump -n 2 nodelist
    "), @r#"
    $ chtab node=n1 nodehm.disable=1
    $ tabdump nodehm
    #node,power,mgt,cons,termserver,termport,conserver,serialport,serialspeed,serialflow,getmac,cmdmapping,consoleondemand,consoleenabled,comments,disable
    "n1",,"ipmi",,,,,,,,,,,,,"1"
    "n2",,"ipmi",,,,,,,,,,,,,
    "n3",,"ipmi",,,,,,,,,,,,,
    "n4",,"docker",,,,,,,,,,,,,
    $ tabdump -w mgt==ipmi nodehm
    #node,power,mgt,cons,termserver,termport,conserver,serialport,serialspeed,serialflow,getmac,cmdmapping,consoleondemand,consoleenabled,comments,disable
    "n2",,"ipmi",,,,,,,,,,,,,
    "n3",,"ipmi",,,,,,,,,,,,,
    $ tabdump -w 'groups=~%rack1%' nodelist
    #node,groups,status,statustime,appstatus,appstatustime,primarysn,hidden,updatestatus,updatestatustime,zonename,comments,disable
    "n1","rack1,all",,,,,,,,,,,
    "n2","rack1,all",,,,,,,,,,,
    "n3","rack1,all",,,,,,,,,,,
    $ tabdump -w 'groups!~%rack1%' nodelist
    #node,groups,status,statustime,appstatus,appstatustime,primarysn,hidden,updatestatus,updatestatustime,zonename,comments,disable
    "n4","all",,,,,,,,,,,
    $ tabdump -w 'node>n2' -w 'node<n4' nodelist
    #node,groups,status,statustime,appstatus,appstatustime,primarysn,hidden,updatestatus,updatestatustime,zonename,comments,disable
    "n3","rack1,all",,,,,,,,,,,
    $ tabdump -w bogus==1 nodelist
    ------- stderr -------
    Error: table nodelist has no column 'bogus'
    [exit status: 2]
    $ tabdump -w bogus nodelist
    ------- stderr -------
    Error: 'bogus' has no operator, expected one of == != =~ !~ = < <= > >=
    [exit status: 2]
    $ tabdump -n 2 nodelist
    ------- stderr -------
    Error: -n goes with auditlog, eventlog and imageledger only
    [exit status: 2]
    "#);
}

#[test]
fn only_the_owner_reads_what_is_dumped() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        chtab key=system passwd.username=root passwd.password=cluster
        echo old >old; chmod 644 old
        tabdump -f new passwd && tabdump -f old passwd && tabdump -f /dev/stdout passwd
        stat -c '%A %n' new old; cmp new old
        mkdir there; echo old >there/passwd.csv; chmod 755 there; chmod 644 there/passwd.csv
        dumpxCATdb -p there
        find there -name '*.csv' -not -perm 600; cmp new there/passwd.csv
    "), @r#"
    $ chtab key=system passwd.username=root passwd.password=cluster
    $ echo old >old; chmod 644 old
    $ tabdump -f new passwd && tabdump -f old passwd && tabdump -f /dev/stdout passwd
    #key,username,password,cryptmethod,authdomain,comments,disable
    "system","root","cluster",,,,
    $ stat -c '%A %n' new old; cmp new old
    -rw------- new
    -rw------- old
    $ mkdir there; echo old >there/passwd.csv; chmod 755 there; chmod 644 there/passwd.csv
    $ dumpxCATdb -p there
    $ find there -name '*.csv' -not -perm 600; cmp new there/passwd.csv
    "#);
}

#[test]
fn tables_and_columns_are_described() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        tabdump | head -4
        tabdump -d | grep ^nodelist
        tabdump -d mac
        tabdump -f out nodelist
        cat out
        tabdump -f nowhere/out nodelist
    "), @"
    $ tabdump | head -4
    auditlog
    bootevent
    bootparams
    boottarget
    $ tabdump -d | grep ^nodelist
    nodelist:	Every node there is, with the groups it belongs to and its last known status.
    $ tabdump -d mac
    node:	The node or group.
    interface:	The network port that has the address, such as eth0.
    mac:	The MAC address; several as mac1!host1|mac2!host2 in the order of the ports, where host *NOIP* means no DHCP binding.
    comments:	Free text for people.
    disable:	'yes' or '1' hides this row from every reader but tabdump.
    $ tabdump -f out nodelist
    $ cat out
    #node,groups,status,statustime,appstatus,appstatustime,primarysn,hidden,updatestatus,updatestatustime,zonename,comments,disable
    $ tabdump -f nowhere/out nodelist
    ------- stderr -------
    Error: cannot write nowhere/out: No such file or directory (os error 2)
    [exit status: 1]
    ");
}
