//! `xcrane serve` with the DHCP clients that people have.

use std::time::Duration;

use ::lab::{Lab, Running, Wait, wait_for};
use insta::assert_snapshot;

use crate::lab;

const LIMIT: Duration = Duration::from_secs(60);
const N1: &str = "52:54:00:77:00:01";
const STRANGER: &str = "52:54:00:77:00:aa";
/// What iPXE calls itself when it asks for an address.
pub(crate) const IPXE: &[&str] = &["-V", "PXEClient:Arch:00000:UNDI:002001", "-x", "0x5d:0000", "-x", "0x4d:69505845"];

/// A lab with a defined network and node n1.
pub(crate) fn site() -> Lab {
    let lab = lab().network();
    define_network(&lab);
    lab.run(&format!("mkdef n1 groups=all mac={N1} ip=10.77.0.9")).success();
    lab
}

pub(crate) fn define_network(lab: &Lab) {
    lab.run(
        "mkdef -t network cluster net=10.77.0.0 mask=255.255.255.0 gateway=10.77.0.1 domain=cluster.org \
         nameservers='<xcatmaster>' dynamicrange=10.77.0.200-10.77.0.220 mtu=1400",
    )
    .success();
}

/// The daemon on the lab's network, when all of it is up.
pub(crate) fn serve(lab: &Lab, more: &str) -> Running {
    let mut daemon = lab.spawn(&format!("xcrane serve --interface br0 {more}"));
    daemon.expect_error("ready", LIMIT);
    daemon
}

#[test]
fn clients_have_what_the_tables_say_at_that_moment() {
    let lab = site();
    let daemon = serve(&lab, "");
    let n1 = lab.client(N1);
    n1.udhcpc(&["-O", "hostname", "-O", "mtu"]).success();
    assert_eq!(n1.address(), "10.77.0.9/24");
    assert_snapshot!(n1.told(), @"
    broadcast=10.77.0.255
    dns=10.77.0.254
    domain=cluster.org
    hostname=n1
    ip=10.77.0.9
    lease=43200
    mask=24
    mtu=1400
    router=10.77.0.1
    serverid=10.77.0.254
    subnet=255.255.255.0
    ");
    lab.run("chdef n1 ip=10.77.0.10").success();
    n1.udhcpc(&[]).success();
    assert_eq!(n1.address(), "10.77.0.10/24");

    let stranger = lab.client(STRANGER);
    stranger.udhcpc(&[]).success();
    assert_eq!(stranger.address(), "10.77.0.200/24");
    lab.run("chdef -t network cluster dynamicrange=").success();
    let refused = stranger.udhcpc(&["-t", "1"]);
    assert!(refused.code != 0 && stranger.address().is_empty(), "{refused}");
    let wire = lab.client_on_wire(N1);
    assert!(wire.udhcpc(&["-t", "1"]).code != 0, "another wire is not served");

    daemon.terminate();
    let ended = daemon.wait(LIMIT);
    assert_eq!(ended.code, 0, "{ended}");
}

#[test]
fn firmware_is_led_to_its_image_and_says_that_it_is_up() {
    let lab = site();
    let image = lab.home().join("image");
    lab.shell("mkdir image && cd image && seq 100000 >kernel && touch initrd.gz rootimg.sfs").success();
    lab.run(&format!("mkdef -t osimage deb12 imagetype=linux provmethod=netboot rootimgdir={}", image.display()))
        .success();
    lab.run("nodeset n1 osimage=deb12").success();
    lab.run("chdef -t site httpport=8080").success();
    let daemon = serve(&lab, "");
    let n1 = lab.client(N1);

    // Options 60, 93 and 77 tell what asks: firmware of a PC, UEFI, iPXE.
    let told = |words: &[&str]| {
        n1.udhcpc(words).success();
        let told = n1.told();
        let line = |name: &str| told.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        format!("{} {}\n", line("siaddr="), line("boot_file="))
    };
    let mut said = told(&["-V", "PXEClient:Arch:00000:UNDI:002001", "-x", "0x5d:0000"]);
    said += &told(&["-V", "PXEClient:Arch:00007:UNDI:003000", "-x", "0x5d:0007"]);
    said += &told(&["-V", "HTTPClient:Arch:00016:UNDI:003000", "-x", "0x5d:0010"]);
    said += &told(IPXE);
    assert_snapshot!(said, @"
    siaddr=10.77.0.254 boot_file=undionly.kpxe
    siaddr=10.77.0.254 boot_file=snponly.efi
    siaddr=10.77.0.254 boot_file=http://10.77.0.254:8080/loader/snponly.efi
    siaddr=10.77.0.254 boot_file=http://10.77.0.254:8080/node/52-54-00-77-00-01
    ");
    let same = "for loader in undionly.kpxe snponly.efi; do rm -f $LEASE.loader
        $FETCH && cmp $LEASE.loader /usr/lib/ipxe/$loader || exit; done";
    for fetch in [
        "atftp --get -r $loader -l $LEASE.loader 10.77.0.254",
        // It says nothing of what went wrong but on its terminal.
        "tftp -m binary 10.77.0.254 -c get $loader $LEASE.loader",
        "busybox tftp -g -b 1468 -r $loader -l $LEASE.loader 10.77.0.254",
        "curl -s --tftp-blksize 1468 -o $LEASE.loader tftp://10.77.0.254/$loader",
    ] {
        n1.shell(&same.replace("$FETCH", fetch)).success();
    }
    let absent = n1.shell("tftp -m binary 10.77.0.254 -c get ../etc/passwd $LEASE.absent");
    assert!(absent.stdout.contains("Error code"), "{absent}");
    n1.shell("curl -sf http://10.77.0.254:8080/loader/snponly.efi | cmp - /usr/lib/ipxe/snponly.efi").success();

    let url = said.rsplit("boot_file=").next().expect("a script").trim();
    let script = n1.shell(&format!("curl -sf {url}")).success();
    assert_eq!(lab.run("nodels n1 nodelist.status").stdout, "n1: netbooting\n");
    let token = script.split("xcrane.token=").nth(1).and_then(|rest| rest.split(' ').next()).expect("a token");
    assert_snapshot!(script.replace(token, "TOKEN"), @"
    #!ipxe
    #netboot deb12
    echo xcrane: n1 boots image deb12
    kernel http://10.77.0.254:8080/image/deb12/kernel imgurl=http://10.77.0.254:8080/image/deb12/rootimg.sfs XCAT=10.77.0.254:3001 NODE=n1 BOOTIF=01-52-54-00-77-00-01 xcrane.node=n1 xcrane.token=TOKEN xcrane.callback=http://10.77.0.254:8080/node/52-54-00-77-00-01/status/booted?token=TOKEN initrd=initrd.gz || goto failed
    initrd http://10.77.0.254:8080/image/deb12/initrd.gz || goto failed
    boot || goto failed
    :failed
    echo xcrane: n1 cannot load its image: ${errstr}
    sleep 5
    imgfree
    chain --replace --autofree http://10.77.0.254:8080/node/52-54-00-77-00-01 || goto failed
    ");
    lab.run("chdef -t site master=10.77.0.254").success();
    let shown = lab.run("nodeset n1 --show").success();
    assert_eq!(
        shown.replace("n1: ", "").trim(),
        script.replace(token, "TOKEN").trim(),
        "what it shows is what is given"
    );
    let kernel = script.split_whitespace().find(|word| word.ends_with("/kernel")).expect("a kernel");
    n1.shell(&format!("curl -sf {kernel} | cmp - {}", image.join("kernel").display())).success();
    // What another machine asks for a node proves nothing.
    let other = lab.client(STRANGER);
    other.udhcpc(&[]).success();
    assert!(!other.shell(&format!("curl -sf {url}")).success().contains("token"));
    let callback = script.split("xcrane.callback=").nth(1).and_then(|rest| rest.split(' ').next()).expect("a callback");
    n1.shell(&format!("busybox wget -q -O - '{callback}'")).success();
    assert_eq!(lab.run("nodels n1 nodelist.status").stdout, "n1: booted\n");
    // It starts by itself: its users have nothing of asking as it does, its firmware gets what is the node's own.
    let key = format!(
        "url={url}; token=$(curl -sf $url | sed -n 's/.*xcrane.token=\\([^ ]*\\).*/\\1/p'); \
        curl -s -o /dev/null -w '%{{http_code}}' -H \"Authorization: Bearer $token\" $url/file/ssh_host_ed25519_key"
    );
    assert_eq!(n1.shell(&key).success(), "403");
    // Neither have they while it is being switched on, which is written before its BMC is asked.
    lab.run("chtab node=n1 nodelist.status=powering-on").success();
    assert_eq!(n1.shell(&key).success(), "403");
    assert_eq!(lab.run("nodels n1 nodelist.status").stdout, "n1: powering-on\n");
    n1.udhcpc(IPXE).success();
    assert_eq!(n1.shell(&key).success(), "200");
    assert_eq!(lab.run("nodels n1 nodelist.status").stdout, "n1: netbooting\n");
    // The tables are live for HTTP too.
    lab.run("chdef n1 mac=").success();
    assert!(n1.shell(&format!("curl -sf {url}")).success().contains("no node has MAC address"));

    // What it needed to begin is gone, for all its threads: a daemon that is taken over can do little.
    let status = "grep -hE '^(CapPrm|CapEff|NoNewPrivs)' /proc/$1/task/*/status | sort -u";
    let status = lab.shell(&status.replace("$1", &daemon.pid().to_string())).success();
    assert_snapshot!(status.replace('\t', " "), @"
    CapEff: 0000000000000000
    CapPrm: 0000000000000000
    NoNewPrivs: 1
    ");
    daemon.terminate();
    let ended = daemon.wait(LIMIT);
    assert!(ended.code == 0 && !ended.stderr.contains("do not end"), "{ended}");
}

#[test]
fn it_goes_on_as_a_user_of_its_own_and_does_its_work() {
    let lab = site();
    let in_home = |script: &str| lab.shell(&format!("cd {} && {script}", lab.state().display())).success();
    in_home("mkdir -pm 700 nodes/n1 && echo secret >nodes/n1/key && chmod 600 nodes/n1/key");
    let (n1, stranger) = (lab.client(N1), lab.client(STRANGER));
    let status = |daemon: &Running| {
        let lines = "grep -hE '^(Uid|Gid|Groups|Cap|NoNewPrivs)' /proc/$1/task/*/status | sort -u";
        let lines = lab.shell(&lines.replace("$1", &daemon.pid().to_string())).success();
        lines.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    // Root's first, so that there are files of root's to be handed over.
    drop(serve(&lab, "--services http"));
    for round in 0..2 {
        let daemon = serve(&lab, "--user daemon");
        let expected =
            "CapAmb: 0 CapBnd: 0 CapEff: 0 CapInh: 0 CapPrm: 0 Gid: 1 1 1 1 Groups: 1 NoNewPrivs: 1 Uid: 1 1 1 1";
        assert_eq!(status(&daemon).replace("0000000000000000", "0"), expected);
        stranger.udhcpc(&[]).success();
        assert_eq!(stranger.address(), "10.77.0.200/24");
        assert!(lab.run("tabdump lease").success().contains(STRANGER), "the lease is written");
        n1.udhcpc(&[]).success();
        lab.run("nodeset n1 boot").success();
        // As rpower writes it; its firmware is heard, else users of it may ask.
        lab.run("chtab node=n1 nodelist.status=powering-on").success();
        n1.udhcpc(IPXE).success();
        let script = n1.shell("curl -sf http://10.77.0.254/node/52-54-00-77-00-01").success();
        assert!(script.contains("#!ipxe"), "{script}");
        assert_eq!(lab.run("nodels n1 nodelist.status").stdout, "n1: booting\n", "round {round}");
        n1.shell("atftp --get -r undionly.kpxe -l $LEASE.loader 10.77.0.254").success();
        daemon.terminate();
        let ended = daemon.wait(LIMIT);
        assert_eq!(ended.code, 0, "{ended}");
    }
    let owners = in_home("chmod 755 . && stat -c '%U %G %a %n' . xcrane.db boot.key nodes/n1 nodes/n1/key");
    assert_snapshot!(owners, @"
    daemon daemon 755 .
    daemon daemon 600 xcrane.db
    daemon daemon 600 boot.key
    daemon daemon 700 nodes/n1
    root daemon 640 nodes/n1/key
    ");
    assert_snapshot!(lab.run("xcrane serve -i br0 --user nobodyatall"), @"
    ------- stderr -------
    Error: there is no user nobodyatall
    Hint: useradd --system --no-create-home --shell /usr/sbin/nologin nobodyatall
    [exit status: 1]
    ");
}

#[test]
fn a_node_that_boots_while_the_daemon_starts_anew_gets_what_is_its_own() {
    let lab = site();
    lab.shell("mkdir -pm 700 $XCRANE_HOME/nodes/n1 && echo secret >$XCRANE_HOME/nodes/n1/key").success();
    lab.run("chtab node=n1 bootparams.kernel=k chain.currstate='netboot x'").success();
    let n1 = lab.client(N1);
    let url = "http://10.77.0.254/node/52-54-00-77-00-01";
    let key = format!(
        "token=$(curl -sf {url} | sed -n 's/.*xcrane.token=\\([^ ]*\\).*/\\1/p'); \
        curl -s -H \"Authorization: Bearer $token\" {url}/file/key"
    );
    for (asks, expected, status) in [(true, "secret", "netbooting"), (false, "Forbidden", "powering-on")] {
        lab.run("chtab node=n1 nodelist.status=powering-on").success();
        let daemon = serve(&lab, "");
        if asks {
            n1.udhcpc(IPXE).success();
        }
        daemon.kill();
        drop(daemon);
        let _daemon = serve(&lab, "");
        assert_eq!(n1.shell(&key).stdout.trim(), expected, "its packet stands for one boot");
        assert_eq!(lab.run("nodels n1 nodelist.status").stdout, format!("n1: {status}\n"));
    }
}

#[test]
fn leases_outlive_a_killed_daemon() {
    let lab = site();
    let daemon = serve(&lab, "--services dhcp");
    let clients = ["aa", "bb"].map(|last| lab.client(&format!("52:54:00:77:00:{last}")));
    for (client, address) in clients.iter().zip(["10.77.0.200/24", "10.77.0.201/24"]) {
        client.dhclient().success();
        assert_eq!(client.address(), address);
    }
    daemon.kill();
    drop(daemon);
    assert_snapshot!(lab.run("tabdump lease").success().replace(|digit: char| digit.is_ascii_digit(), "0"), @r#"
    #ip,mac,until,client,comments,disable
    "00.00.0.000","00:00:00:00:00:aa","0000000000",,,
    "00.00.0.000","00:00:00:00:00:bb","0000000000",,,
    "#);

    let _daemon = serve(&lab, "--services dhcp");
    let third = lab.client("52:54:00:77:00:cc");
    third.udhcpc(&[]).success();
    assert_eq!(third.address(), "10.77.0.202/24");
    // The client remembers its lease and asks for that address only.
    let second = clients[1].dhclient();
    assert!(!second.stderr.contains("DHCPDISCOVER"), "{second}");
    assert_eq!(clients[1].address(), "10.77.0.201/24");
    // It is told that this is not its address any more, and does not wait until the lease ends.
    lab.run("mkdef n2 groups=all mac=52:54:00:77:00:bb ip=10.77.0.20").success();
    let moved = clients[1].dhclient();
    assert!(moved.stderr.contains("DHCPNAK"), "{moved}");
    assert_eq!(clients[1].address(), "10.77.0.20/24");
}

#[test]
fn systemd_networkd_has_its_address_and_a_status_is_settled() {
    let lab = lab().systemd_hosts(1);
    define_network(&lab);
    lab.run("mkdef h1 groups=all mac=02:4c:00:00:00:01 ip=10.77.0.9").success();
    let _daemon = serve(&lab, "");
    let h1 = lab.host("h1");
    h1.shell(
        "printf '[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\n[DHCPv4]\\nUseMTU=yes\\n' >/etc/systemd/network/eth0.network
        ip addr flush dev eth0 && systemctl start systemd-networkd",
    );
    wait_for("its address", LIMIT, || match h1.shell("ip -4 -o addr show dev eth0; networkctl status eth0 || :") {
        shown if shown.contains("inet 10.77.0.9/24") => Wait::Ready(()),
        shown => Wait::NotYet(shown),
    });
    // By its DUID, which is none of what firmware and iPXE have called themselves.
    let told = "^(ADDRESS|DNS|DOMAINNAME|HOSTNAME|LIFETIME|MTU|NETMASK|ROUTER|SERVER_ADDRESS)=";
    assert_snapshot!(h1.shell(&format!("grep -hE '{told}' /run/systemd/netif/leases/* | sort")), @"
    ADDRESS=10.77.0.9
    DNS=10.77.0.254
    DOMAINNAME=cluster.org
    HOSTNAME=h1
    LIFETIME=43200
    MTU=1400
    NETMASK=255.255.255.0
    ROUTER=10.77.0.1
    SERVER_ADDRESS=10.77.0.254
    ");

    // What is another's by now it gives up when it renews, and not only when it has lost sight of us.
    lab.run("chdef h1 ip=10.77.0.19").success();
    h1.shell("networkctl renew eth0");
    wait_for("its new address", LIMIT, || match h1.shell("ip -4 -o addr show dev eth0") {
        shown if shown.contains("inet 10.77.0.19/24") && !shown.contains("10.77.0.9/") => Wait::Ready(()),
        shown => Wait::NotYet(shown),
    });

    // A callback that was lost, and a machine that never came.
    lab.run("mkdef n1 groups=all mac=52:54:00:77:00:01 ip=10.77.0.11").success();
    lab.run("chdef -t site boottimeout=2").success();
    lab.run("chtab node=h1 nodelist.status=postbooting").success();
    lab.run("chtab node=n1 nodelist.status=powering-on").success();
    wait_for("settled statuses", LIMIT, || match lab.run("nodels all nodelist.status").stdout {
        shown if shown == "h1: booted\nn1: failed\n" => Wait::Ready(()),
        shown => Wait::NotYet(shown),
    });
}

#[test]
fn a_router_solicitation_is_answered_with_no_router() {
    let lab = site();
    let _daemon = serve(&lab, "--services ra");
    let client = lab.client(STRANGER);
    // The kernel asks for a router by itself when the port comes up, and counts what it hears.
    let heard = "for try in $(seq 300); do
        grep -q '^Icmp6InRouterAdvertisements[[:space:]]*[1-9]' /proc/net/snmp6 && break; sleep 0.1
    done; awk '$1 == \"Icmp6InRouterAdvertisements\" {print ($2 > 0)}' /proc/net/snmp6; ip -6 route show default";
    assert_eq!(client.shell(heard).success(), "1", "it hears of a router, and has none");
}

#[test]
fn what_cannot_be_served_is_said_before_anything_is() {
    let lab = site();
    assert_snapshot!(lab.run("xcrane serve"), @"
    ------- stderr -------
    Error: no interface is named, and answers go out on no others
    Hint: xcrane serve --interface eth1, or chdef -t site dhcpinterfaces=eth1
    [exit status: 1]
    ");
    lab.run("chdef -t site dhcpinterfaces=nowhere0").success();
    assert_snapshot!(lab.run("xcrane serve"), @"
    ------- stderr -------
    Error: cannot serve dhcp on interface nowhere0: it is not there, or has no IPv4 address
    [exit status: 1]
    ");
    let without = "for place in /usr/lib/ipxe /usr/share/ipxe; do [ ! -d $place ] || mount -t tmpfs none $place; done; xcrane serve -i br0";
    assert_snapshot!(lab.shell(&format!("unshare --mount sh -c '{without}' 2>&1 | grep -v INFO")), @"
    Error: cannot serve tftp: there is no iPXE on this machine for firmware to load
    Hint: install the package ipxe (ipxe-bootimgs in the Red Hat family)
    Hint: without it: xcrane serve --services dhcp,ra,dns,http, and networks.tftpserver names who has it
    ");
    let _daemon = serve(&lab, "");
    let seconds: String = ["dhcp", "tftp", "http"]
        .map(|service| lab.run(&format!("xcrane serve -i br0 --services {service}")).to_string())
        .concat();
    assert_snapshot!(seconds.lines().filter(|line| !line.contains(" INFO ")).collect::<Vec<_>>().join("\n"), @"
    ------- stderr -------
    Error: cannot serve dhcp on interface br0: Address already in use (os error 98)
    Hint: another DHCP server runs on this machine; stop it
    [exit status: 1]
    ------- stderr -------
    Error: cannot serve tftp on interface br0: Address already in use (os error 98)
    Hint: another TFTP server runs on this machine; stop it, or go without: --services dhcp,ra,dns,http
    [exit status: 1]
    ------- stderr -------
    Error: cannot serve http on interface br0: Address already in use (os error 98)
    Hint: another program has TCP port 80; stop it, or chdef -t site httpport=8080
    [exit status: 1]
    ");
    lab.run("chdef -t site httpport=http").success();
    assert_snapshot!(lab.run("xcrane serve -i br0"), @"
    ------- stderr -------
    Error: site.httpport is 'http', which is no port
    Hint: chdef -t site httpport=8080, or httpport= for 80
    [exit status: 1]
    ");
}
