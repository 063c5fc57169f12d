//! Several backends for the power of one node: a dead BMC, the system behind it, and a packet that wakes.

use std::net::Ipv4Addr;
use std::time::Duration;

use ::lab::{Fault, Wait, wait_for};
use insta::assert_snapshot;

use crate::bmcs::without_counts;
use crate::{lab, session, write};

/// Prints the first packet that comes to port 9, after it has made a file to say that it listens.
const LISTEN: &str = r#"
use IO::Socket::INET;
my $socket = IO::Socket::INET->new(LocalPort => 9, Proto => "udp") or die;
open my $file, ">", "listening"; close $file;
alarm 20;
$socket->recv(my $packet, 2000);
print unpack("H*", $packet), "\n";
"#;

#[test]
fn power_takes_the_next_way_where_one_is_dead() {
    let mut lab = lab().systemd_hosts(1);
    let bmcs = lab.simulated_bmcs();
    let bmc = Ipv4Addr::new(10, 78, 0, 1);
    lab.run(
        "mkdef h1 groups=all mgt=ipmi power=ipmi,ssh,wol ip=10.77.0.1 bmc=10.78.0.1 bmcusername=admin bmcpassword=secret \
         mac=02:00:00:00:00:07",
    )
    .success();
    lab.run("mkdef -t network lab net=10.77.0.0 mask=255.255.255.0").success();
    lab.run("chdef -t site connecttimeout=2").success();
    assert_eq!(lab.run("rpower h1 on").to_string(), "h1: on\n");
    assert!(bmcs.machine(bmc).on);
    bmcs.fault(bmc, Some(Fault::Dead));
    let began = || lab.run("xdsh h1 systemctl show -p UserspaceTimestampMonotonic").stdout;
    let before = began();
    assert_snapshot!(without_counts(session(&lab, "
        rpower h1 state
        rpower h1 suspend
        rpower h1 off
        rpower h1 reset
    ")), @"
    $ rpower h1 state
    h1: sshd
    ------- stderr -------
    h1: Warning: told by ssh: cannot reach BMC 10.78.0.1: no answer to N requests in 1.4 s
    $ rpower h1 suspend
    ------- stderr -------
    h1: Error: suspend is not supported when using power=ipmi
    Error: nothing was done: h1 cannot be served as defined
    [exit status: 1]
    $ rpower h1 off
    ------- stderr -------
    h1: Error: cannot reach BMC 10.78.0.1: no answer to N requests in 1.4 s
    [exit status: 1]
    $ rpower h1 reset
    h1: reset
    ------- stderr -------
    h1: Warning: done by ssh: cannot reach BMC 10.78.0.1: no answer to N requests in 1.4 s
    ");
    wait_for("the restart", Duration::from_secs(30), || match began() {
        now if now.starts_with("h1: U") && now != before => Wait::Ready(()),
        now => Wait::NotYet(now),
    });
    lab.run("rpower h1 softoff").success();
    wait_for("the end of the system", Duration::from_secs(30), || match lab.run("rpower h1 stat") {
        run if run.code == 1 => Wait::Ready(()),
        run => Wait::NotYet(run.to_string()),
    });
    write(&lab, "listen.pl", LISTEN);
    assert_snapshot!(without_counts(session(&lab, "
        rpower h1 stat
        perl listen.pl >heard & until [ -e listening ]; do sleep 0.05; done; rpower h1 on; wait; cat heard
        chdef h1 mac=
        rpower h1 on
        rpower h1 off
        chdef h1 mac=02:00:00:00:00:07 bmcpassword=
        rpower h1 on
    ")), @"
    $ rpower h1 stat
    ------- stderr -------
    h1: Error: ipmi: cannot reach BMC 10.78.0.1: no answer to N requests in 1.4 s; ssh: cannot reach 10.77.0.1: it answers neither by ssh nor to ping, which does not say that it is off
    [exit status: 1]
    $ perl listen.pl >heard & until [ -e listening ]; do sleep 0.05; done; rpower h1 on; wait; cat heard
    h1: woken
    ffffffffffff020000000007020000000007020000000007020000000007020000000007020000000007020000000007020000000007020000000007020000000007020000000007020000000007020000000007020000000007020000000007020000000007
    ------- stderr -------
    h1: Warning: done by wol: cannot reach BMC 10.78.0.1: no answer to N requests in 1.4 s
    $ chdef h1 mac=
    1 object definitions have been created or modified.
    $ rpower h1 on
    ------- stderr -------
    h1: Error: ipmi: cannot reach BMC 10.78.0.1: no answer to N requests in 1.4 s; wol: attribute 'mac' (table mac) is not set
    [exit status: 1]
    $ rpower h1 off
    ------- stderr -------
    h1: Error: cannot reach BMC 10.78.0.1: no answer to N requests in 1.4 s
    [exit status: 1]
    $ chdef h1 mac=02:00:00:00:00:07 bmcpassword=
    1 object definitions have been created or modified.
    $ rpower h1 on
    h1: woken
    ------- stderr -------
    h1: Warning: done by wol: attribute 'bmcpassword' (table ipmi) is not set, and table passwd has no row for key ipmi
    ");
}
