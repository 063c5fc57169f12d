//! The unit of systemd that `make install` puts on a machine, on a machine with systemd.

use std::path::Path;
use std::time::Duration;

use ::lab::{Wait, wait_for};

use crate::{defined_hosts, lab};

const LIMIT: Duration = Duration::from_secs(60);

/// What `make install` does with the files of the service.
const INSTALLED: &str = "install -D -m644 xcrane.sysusers /usr/lib/sysusers.d/xcrane.conf
    sed 's|@BIN@|/usr/local/bin|' xcrane.service.in > /usr/lib/systemd/system/xcrane.service
    systemd-sysusers xcrane.conf && systemctl daemon-reload";

#[test]
fn it_serves_as_a_user_of_its_own_and_commands_go_on_beside_it() {
    let lab = defined_hosts(lab().systemd_hosts(1), 1);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/daemon");
    let host = lab.host("h1");
    for name in ["xcrane.service.in", "xcrane.sysusers"] {
        lab.run(&format!("xdcp h1 {} /root/{name}", sources.join(name).display())).success();
    }
    lab.run(&format!("xdcp h1 {} /usr/local/bin/xcrane", env!("CARGO_BIN_EXE_xcrane"))).success();
    // What the package ipxe brings.
    lab.run("xdcp h1 -R /usr/lib/ipxe /usr/lib/ipxe").success();
    host.shell(&format!("cd /root; {INSTALLED}"));
    host.shell(
        "xcrane mkdef -t network lab net=10.77.0.0 mask=255.255.255.0 && xcrane chdef -t site dhcpinterfaces=eth0",
    );
    host.shell("xcrane mkdef n1 groups=all ip=10.77.0.9 mac=52:54:00:77:00:09 && xcrane nodeset n1 boot");
    host.shell("systemctl start xcrane || { journalctl -u xcrane -n 30 --no-pager >&2; exit 1; }");
    assert_eq!(host.shell("systemctl is-active xcrane").trim(), "active");
    let status = host.shell("cat /proc/$(systemctl show -P MainPID xcrane)/status");
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).map(str::to_owned);
    let own = host.shell("id -u xcrane");
    assert_eq!(line("Uid:"), Some(format!("Uid:{}", format!("\t{}", own.trim()).repeat(4))));
    for set in ["CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(line(set), Some(format!("{set}:\t0000000000000000")), "{status}");
    }
    // Who is not root cannot shrink it further than systemd does: CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW.
    assert_eq!(line("CapBnd").as_deref(), Some("CapBnd:\t0000000000003400"));
    assert_eq!(line("NoNewPrivs").as_deref(), Some("NoNewPrivs:\t1"));
    // Each writes, and both read what the other has written.
    let script = "curl -s http://10.77.0.1/node/52-54-00-77-00-09";
    assert!(host.shell(script).starts_with("#!ipxe"), "no script");
    host.shell("xcrane chdef n1 mac=52:54:00:77:00:0a");
    assert!(
        host.shell("curl -s http://10.77.0.1/node/52-54-00-77-00-0a").starts_with("#!ipxe"),
        "no script after a change"
    );
    // Options of the site's own, and one that hangs is started anew.
    let sockets = || host.shell("ss -Hlnu 'sport = 67 or sport = 4011'; ss -Hlnt 'sport = 80'");
    assert!(sockets().contains(":67") && !sockets().contains(":4011"), "{}", sockets());
    host.shell(
        "echo 'OPTIONS=--proxy --services dhcp' >/etc/default/xcrane
        mkdir -p /etc/systemd/system/xcrane.service.d
        printf '[Service]\\nWatchdogSec=2\\nRestartSec=0\\n' >/etc/systemd/system/xcrane.service.d/soon.conf
        systemctl daemon-reload && systemctl restart xcrane",
    );
    assert!(sockets().contains(":4011") && !sockets().contains(":80"), "{}", sockets());
    let heard = || host.shell("systemctl show -P WatchdogTimestampMonotonic xcrane");
    let first = heard();
    wait_for("a sign of life", LIMIT, || if heard() == first { Wait::NotYet(first.clone()) } else { Wait::Ready(()) });
    let main = || host.shell("systemctl show -P MainPID xcrane");
    let before = main();
    host.shell(&format!("kill -STOP {before}"));
    wait_for("another process", LIMIT, || match (main(), host.shell("systemctl is-active xcrane || :")) {
        (pid, state) if pid != before && state.trim() == "active" => Wait::Ready(()),
        (pid, state) => Wait::NotYet(format!("{pid}{state}")),
    });
    host.shell("systemctl restart xcrane && systemctl stop xcrane");
    assert_eq!(host.shell("systemctl show -P Result xcrane").trim(), "success");
    assert!(host.shell("xcrane lsdef n1 -i mac").contains("mac=52:54:00:77:00:0a"));
}
