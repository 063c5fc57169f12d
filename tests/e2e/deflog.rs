use insta::assert_snapshot;

use crate::{rack, session};

#[test]
fn tells_who_changed_what() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech n1 vm.host=h1 -m 'moved'
        nodech n1 vm.host=h2
        nodech n4 ipmi.password=secret
        deflog
        deflog n1 -l
        deflog n4 -n 1 -l
        deflog -n 1 --json
        deflog n9
    "), @r#"
    $ nodech n1 vm.host=h1 -m 'moved'
    $ nodech n1 vm.host=h2
    $ nodech n4 ipmi.password=secret
    $ deflog
    1 $TIME root 6 rows: nodeadd n[1-3] groups=rack1,all nodehm.mgt=ipmi
    2 $TIME root 2 rows: nodeadd n4 groups=all nodehm.mgt=docker
    3 $TIME root 1 row: nodech n1 vm.host=h1 -m moved  (moved)
    4 $TIME root 1 row: nodech n1 vm.host=h2
    5 $TIME root 1 row: nodech n4 'ipmi.password=***'
    $ deflog n1 -l
    1 $TIME root 6 rows: nodeadd n[1-3] groups=rack1,all nodehm.mgt=ipmi
        nodelist n1: groups: - -> rack1,all
        nodehm n1: mgt: - -> ipmi
    3 $TIME root 1 row: nodech n1 vm.host=h1 -m moved  (moved)
        vm n1: host: - -> h1
    4 $TIME root 1 row: nodech n1 vm.host=h2
        vm n1: host: h1 -> h2
    $ deflog n4 -n 1 -l
    5 $TIME root 1 row: nodech n4 'ipmi.password=***'
        ipmi n4: password: - -> ***
    $ deflog -n 1 --json
    {"id":5,"time":"$TIME","user":"root","command":"nodech n4 'ipmi.password=***'","reason":null,"changes":[{"table":"ipmi","key":["n4"],"old":null,"new":{"node":"n4","password":"***"}}]}
    $ deflog n9
    "#);
}

#[test]
fn times_limit_what_is_shown() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        deflog --until 2020-01-01
        deflog --since 2020-01-01 | wc -l
        deflog --since 2999-01-01
        deflog --since yesterday
    "), @"
    $ deflog --until 2020-01-01
    $ deflog --since 2020-01-01 | wc -l
    2
    $ deflog --since 2999-01-01
    $ deflog --since yesterday
    ------- stderr -------
    Error: 'yesterday' is not a time
    Hint: write it as 2026-11-21 or '$TIME'
    [exit status: 2]
    ");
}

#[test]
fn a_command_that_changes_nothing_is_not_told() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        nodech n1 mgt=ipmi
        nodels
        deflog | wc -l
    "), @"
    $ nodech n1 mgt=ipmi
    $ nodels
    n1
    n2
    n3
    n4
    $ deflog | wc -l
    2
    ");
}
