//! The DNS of `xcrane serve`, asked by busybox and by the C library, with dnsmasq behind it.

use std::time::Duration;

use insta::assert_snapshot;

use crate::lab;
use crate::serve::serve;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn nodes_have_names_and_what_is_not_ours_is_asked_of_others() {
    let lab = lab().network();
    lab.run("mkdef -t network cluster net=10.77.0.0 mask=255.255.255.0 domain=cluster.org").success();
    lab.run("chdef -t site domain=cluster.org").success();
    lab.run("mkdef n1 groups=all mac=52:54:00:77:00:01 ip=10.77.0.9 hostnames=www").success();
    lab.run("mkdef n2 groups=all mac=52:54:00:77:00:02 ip=10.77.0.12 nicips.ib0=10.78.0.12").success();
    let daemon = serve(&lab, "--services dhcp,dns");
    let n1 = lab.client("52:54:00:77:00:01");
    n1.udhcpc(&[]).success();
    assert!(n1.told().contains("\ndns=10.77.0.254\ndomain=cluster.org\n"), "{}", n1.told());

    let ask = |words: &str| {
        let said = n1.shell(&format!("busybox nslookup {words} 10.77.0.254")).to_string();
        let lines = said.lines().skip_while(|line| !line.is_empty()).filter(|line| !line.is_empty());
        lines.map(|line| format!("{}\n", line.replace('\t', " "))).collect::<String>()
    };
    let asked =
        ["n2.cluster.org", "-type=a www.cluster.org", "n2-ib0.cluster.org", "-type=ptr 12.0.77.10.in-addr.arpa"];
    assert_snapshot!(asked.map(ask).concat(), @"
    Name: n2.cluster.org
    Address: 10.77.0.12
    Name: www.cluster.org
    Address: 10.77.0.9
    Name: n2-ib0.cluster.org
    Address: 10.78.0.12
    12.0.77.10.in-addr.arpa name = n2.cluster.org
    ");
    assert_snapshot!(["n7.cluster.org", "example.com"].map(ask).concat(), @"
    ** server can't find n7.cluster.org: NXDOMAIN
    ** server can't find n7.cluster.org: NXDOMAIN
    [exit status: 1]
    ** server can't find example.com: REFUSED
    ** server can't find example.com: REFUSED
    [exit status: 1]
    ");
    lab.run("chdef n2 ip=10.77.0.13").success();
    assert_snapshot!(ask("-type=a n2.cluster.org"), @"
    Name: n2.cluster.org
    Address: 10.77.0.13
    ");

    // The C library, by TCP and by UDP with EDNS.
    let resolve = "for options in use-vc edns0; do
        printf 'nameserver 10.77.0.254\nsearch cluster.org\noptions %s timeout:20\n' $options >$LEASE.resolv
        unshare --mount sh -c 'mount --bind $LEASE.resolv /etc/resolv.conf; getent hosts n2 10.77.0.9'
    done";
    let resolved = n1.shell(resolve).success();
    assert_snapshot!(resolved.split_whitespace().collect::<Vec<_>>().join(" "), @"10.77.0.13 n2.cluster.org 10.77.0.9 n1.cluster.org 10.77.0.13 n2.cluster.org 10.77.0.9 n1.cluster.org");

    lab.run("chdef -t site forwarders=10.77.0.9").success();
    let outside =
        "dnsmasq -k -C /dev/null --no-hosts --no-resolv --pid-file= --user=root -a 10.77.0.9 --bind-interfaces \
            --address=/example.com/192.0.2.7 >$LEASE.log 2>&1 & server=$!
        for try in 1 2 3 4 5 6 7 8 9; do busybox nslookup -type=a example.com 10.77.0.254 && break; sleep 1; done
        kill $server";
    let answered = n1.shell(outside);
    assert!(answered.stdout.contains("Address: 192.0.2.7"), "{answered}\n{}", n1.shell("cat $LEASE.log"));
    daemon.terminate();
    let ended = daemon.wait(LIMIT);
    assert!(ended.code == 0 && !ended.stderr.contains("do not end"), "{ended}");
}
