//! `nodediscoverdef`, and machines that report: each of them a real DHCP client that then posts what a machine would.

use std::time::Duration;

use ::lab::{Client, Lab};
use insta::assert_snapshot;

use crate::serve::{IPXE, define_network, serve};
use crate::{lab, session};

const LIMIT: Duration = Duration::from_secs(60);

/// What the daemon tells a machine that reports so; `~` stands for the tabs in it.
pub(crate) fn report(client: &Client<'_>, mac: &str, text: &str) -> String {
    let text = text.replace('~', "\\t");
    let told = client.shell(&format!(
        "printf '{text}' | curl -s --data-binary @- http://10.77.0.254/discover/{mac} | sed 's/^token .*/token TOKEN/'"
    ));
    told.success() + "\n"
}

/// A machine that has an address of the dynamic range.
fn machine<'l>(lab: &'l Lab, mac: &str) -> Client<'l> {
    let client = lab.client(mac);
    client.udhcpc(&[]).success();
    client
}

fn mac(last: &str) -> String {
    format!("52:54:00:77:00:{last}")
}

#[test]
fn machines_become_nodes_and_none_becomes_anothers() {
    let lab = lab().network();
    define_network(&lab);
    lab.run(&format!("mkdef n1 groups=all serial=SN-1 mac={}", mac("01"))).success();
    lab.run("mkdef n2 groups=all chain=shell").success();
    lab.run("chtab node=n2 vpd.uuid=4C414200-0000-4000-8000-000000000002").success();
    lab.run("mkdef n3 groups=all mgt=ipmi bmc=10.79.0.3 currstate=offline").success();
    lab.run("mkdef n4 groups=all").success();
    lab.run("chtab node=n4 switch.switch=sw1 switch.port=7").success();
    lab.run("mkdef c1 groups=all mgt=docker").success();
    let mut daemon = serve(&lab, "");
    let machines = ["a1", "a2", "a3", "a4", "a5"].map(|last| (machine(&lab, &mac(last)), mac(last)));
    let says = |number: usize, text: &str| report(&machines[number].0, &machines[number].1, text);
    let mut said = String::new();
    // The first says that it is n1, which is known to be another machine.
    said += &says(0, "serial=SN-1\\nuuid=4c414200-0000-4000-8000-0000000000a1\\n");
    said += &says(1, "uuid=4c414200-0000-4000-8000-000000000002\\ncpus=4\\nmemory=2000\\ndisk=sda~480000000000~m~s\\n");
    said += &says(1, "uuid=4c414200-0000-4000-8000-000000000002\\n");
    said += &says(2, "bmc=10.79.0.3\\n");
    said += &says(3, "listening=1\\n");
    said += &says(3, "switchport=sw1~7\\n");
    said += &says(4, "serial=nobodys\\nuuid=4c414200-0000-4000-8000-000000000002\\n");
    said += &says(4, "serial=nobodys\\nuuid=4c414200-0000-4000-8000-0000000000a5\\n");
    said += &says(4, "bogus=1\\n");
    // Nobody reports another machine, and nobody sends more than is read.
    said += &report(&machines[0].0, &mac("ee"), "serial=SN-9\\n");
    said += &machines[0]
        .0
        .shell("head -c 100000 /dev/zero | curl -s --data-binary @- http://10.77.0.254/discover/525400770001a1")
        .stdout;
    said += &machines[0]
        .0
        .shell(&format!(
            "head -c 100000 /dev/zero | curl -s --data-binary @- http://10.77.0.254/discover/{}",
            mac("a1")
        ))
        .stdout;
    assert_snapshot!(said, @"
    why its serial number is that of n1, which has another MAC address, 52:54:00:77:00:01
    wait 10
    node n2
    token TOKEN
    node n2
    token TOKEN
    node n3
    token TOKEN
    why it still listens for the switch that it is plugged into
    wait 10
    node n4
    token TOKEN
    why its UUID is that of n2, which has another MAC address, 52:54:00:77:00:a2
    wait 10
    why no node is defined that it could be
    wait 10
    Bad Request
    Forbidden
    Not Found
    Payload Too Large
    ");
    assert_snapshot!(session(&lab, "
        nodediscoverls
        nodediscoverls -t conflict -l
        nodels n2 mac.mac chain.currstate chain.currchain hwinv.disksize nodelist.status
        nodels n3 mac.mac chain.currstate
        nodediscoverdef -u 4c414200-0000-4000-8000-0000000000a5 -n n1
        nodediscoverdef -u 4c414200-0000-4000-8000-0000000000a5 -n c1
        nodediscoverdef -u 4c414200-0000-4000-8000-0000000000a5 -n n9
        nodediscoverdef -u 4c414200-0000-4000-8000-0000000000a9 -n n9
        nodediscoverdef -r
        mkdef n5 groups=all
        nodediscoverdef -u 4c414200-0000-4000-8000-0000000000a5 -n n5
        nodels n5 mac.mac vpd.serial chain.currstate
        nodediscoverdef -r -t conflict
        nodediscoverls -t manual --json | sed 's/discoverytime\":\"[^\"]*/discoverytime\":\"/'
    "), @r#"
    $ nodediscoverls
    UUID                                    NODE                METHOD         MTM                 SERIAL
    4c414200-0000-4000-8000-$ID    --                  conflict       --                  SN-1
    4c414200-0000-4000-8000-$ID    n2                  uuid           --                  --
    00000000-0000-0000-0000-$ID    n3                  bmc            --                  --
    00000000-0000-0000-0000-$ID    n4                  switch         --                  --
    00000000-0000-0000-0000-$ID    --                  conflict       --                  nobodys
    4c414200-0000-4000-8000-$ID    --                  undef          --                  nobodys
    $ nodediscoverls -t conflict -l
    Object uuid: 4c414200-0000-4000-8000-$ID
        method=conflict
        discoverytime=$TIME
        serial=SN-1
        nichwaddr=boot!52:54:00:77:00:a1
        otherdata=its serial number is that of n1, which has another MAC address, 52:54:00:77:00:01
    Object uuid: 00000000-0000-0000-0000-$ID
        method=conflict
        discoverytime=$TIME
        serial=nobodys
        nichwaddr=boot!52:54:00:77:00:a5
        otherdata=its UUID is that of n2, which has another MAC address, 52:54:00:77:00:a2
    $ nodels n2 mac.mac chain.currstate chain.currchain hwinv.disksize nodelist.status
    n2: mac.mac: 52:54:00:77:00:a2
    n2: chain.currstate: standby
    n2: chain.currchain: shell
    n2: hwinv.disksize: sda:480GB
    n2: nodelist.status: discovered
    $ nodels n3 mac.mac chain.currstate
    n3: mac.mac: 52:54:00:77:00:a3
    n3: chain.currstate: offline
    $ nodediscoverdef -u 4c414200-0000-4000-8000-0000000000a5 -n n1
    ------- stderr -------
    Error: n1 has another MAC address, 52:54:00:77:00:01
    Hint: if its hardware was replaced: chdef n1 mac= serial= && chtab node=n1 vpd.uuid=
    [exit status: 1]
    $ nodediscoverdef -u 4c414200-0000-4000-8000-0000000000a5 -n c1
    ------- stderr -------
    Error: c1 is a container
    [exit status: 1]
    $ nodediscoverdef -u 4c414200-0000-4000-8000-0000000000a5 -n n9
    ------- stderr -------
    Error: no node is named n9
    Hint: define it: mkdef n9 groups=all
    [exit status: 1]
    $ nodediscoverdef -u 4c414200-0000-4000-8000-0000000000a9 -n n9
    ------- stderr -------
    Error: no machine with UUID 4c414200-0000-4000-8000-$ID was discovered
    Hint: see nodediscoverls
    [exit status: 1]
    $ nodediscoverdef -r
    ------- stderr -------
    Error: which machines is not said: -u UUID, or -t TYPE to forget several
    [exit status: 2]
    $ mkdef n5 groups=all
    1 object definitions have been created or modified.
    $ nodediscoverdef -u 4c414200-0000-4000-8000-0000000000a5 -n n5
    Defined [4c414200-0000-4000-8000-$ID] to node n5.
    $ nodels n5 mac.mac vpd.serial chain.currstate
    n5: mac.mac: 52:54:00:77:00:a5
    n5: vpd.serial: nobodys
    n5: chain.currstate: standby
    $ nodediscoverdef -r -t conflict
    2 machines are forgotten.
    $ nodediscoverls -t manual --json | sed 's/discoverytime":"[^"]*/discoverytime":"/'
    {"answer":{"uuid":"4c414200-0000-4000-8000-$ID","node":"n5","method":"manual","discoverytime":"","serial":"nobodys","nichwaddr":"boot!52:54:00:77:00:a5"}}
    "#);
    assert!(says(4, "serial=nobodys\\nuuid=4c414200-0000-4000-8000-0000000000a5\\n").starts_with("node n5\n"));
    // In order: what is known to be another machine is passed over, what is not defined is then.
    lab.run("nodediscoverstart noderange=n[1-12] groups=rack7 hostiprange=10.77.0.8-9").success();
    let [sixth, seventh] = ["a6", "a7"].map(|last| (machine(&lab, &mac(last)), mac(last)));
    assert!(report(&sixth.0, &sixth.1, "serial=S6\\n").starts_with("node n6\n"));
    assert!(report(&seventh.0, &seventh.1, "serial=S7\\n").starts_with("node n7\n"));
    assert_snapshot!(session(&lab, "
        nodediscoverstatus
        nodediscoverls -t seq
        nodels n7 mac.mac hosts.ip nodelist.groups chain.currstate
        nodediscoverstop
        nodediscoverstatus
    "), @"
    $ nodediscoverstatus
    Sequential Discovery: Started, noderange=n[1-12], next is n8
    $ nodediscoverls -t seq
    UUID                                    NODE                METHOD         MTM                 SERIAL
    00000000-0000-0000-0000-$ID    n6                  sequential     --                  S6
    00000000-0000-0000-0000-$ID    n7                  sequential     --                  S7
    $ nodels n7 mac.mac hosts.ip nodelist.groups chain.currstate
    n7: mac.mac: 52:54:00:77:00:a7
    n7: hosts.ip: 10.77.0.9
    n7: nodelist.groups: rack7
    n7: chain.currstate: standby
    $ nodediscoverstop
    Sequential Discovery: Done, 2 nodes in all
    $ nodediscoverstatus
    Sequential Discovery: not started
    ");
    // A machine follows its node's chain by its token, and a step is done once.
    let step = sixth.0.shell(&format!(
        "t=$(printf 'serial=S6\\n' | curl -s --data-binary @- http://10.77.0.254/discover/{0} | sed -n 's/^token //p'); \
         u=http://10.77.0.254/node/{0}; i=$(curl -s \"$u/step?token=$t\" | sed -n 's/^id //p'); echo \"$u $t $i\"",
        sixth.1
    ));
    let step = step.success();
    let [url, token, id] = step.split_whitespace().collect::<Vec<_>>().try_into().expect("three words");
    assert_eq!(sixth.0.shell(&format!("curl -s -o /dev/null -w %{{http_code}} '{url}/step?token=x'")).stdout, "403");
    assert_eq!(
        seventh
            .0
            .shell(&format!("curl -s -o /dev/null -w %{{http_code}} '{}/step?token={token}'", url.replace("a6", "a7")))
            .stdout,
        "403"
    );
    // What it hears of its switch after that is written down, and it goes on with the token that it has.
    let later = format!(
        "printf 'serial=S6\\nswitchport=sw9\\t3\\n' | curl -s --data-binary @- 'http://10.77.0.254/discover/{}?token={token}'; \
         curl -s -o /dev/null -w %{{http_code}} '{url}/step?token={token}'",
        sixth.1
    );
    assert_eq!(sixth.0.shell(&later).stdout, "node n6\n200");
    let noted = lab.run("nodediscoverls -t seq -l").success();
    assert!(noted.contains("node=n6") && noted.contains("switchname=sw9") && noted.contains("switchport=3"), "{noted}");
    lab.shell("mkdir -p $XCRANE_HOME/genesis && touch $XCRANE_HOME/genesis/kernel.x86_64").success();
    let ask =
        |path: &str| sixth.0.shell(&format!("curl -s '{url}/{path}' | sed 's/^id .*/id ID/; s/ $//'")).success() + "\n";
    lab.run("nodeset n6 'runcmd=a b,reboot,runcmd=c,boot'").success();
    let first = sixth.0.shell(&format!("curl -s '{url}/step?token={token}' | sed -n 's/^id //p'")).success();
    let first = first.trim();
    let mut followed = ask(&format!("done?token={token}&id={id}"));
    followed += &ask(&format!("done?token={token}&id={first}"));
    followed += &ask(&format!("done?token={token}&id={first}"));
    // It has rebooted when it asks for its script, with which it gets another token.
    followed += &sixth.0.shell(&format!("curl -s {url} | grep '^#'")).success();
    followed += "\n";
    followed += &ask(&format!("step?token={token}"));
    followed += &lab.run("nodels n6 chain.currstate chain.currchain nodelist.status").success();
    assert_snapshot!(followed, @"
    id ID
    do runcmd
    what a b
    id ID
    do reboot
    what
    id ID
    do reboot
    what
    #!ipxe
    #runcmd=c
    Forbidden
    n6: chain.currstate: runcmd=c
    n6: chain.currchain: boot
    n6: nodelist.status: configuring
    ");
    daemon.expect_error("subject=\"nobody\"", LIMIT);
    // What users of a node that is up report changes nothing, and gives them nothing when it boots next.
    lab.run("chtab node=n6 nodelist.status=booted chain.currstate=").success();
    let heard = report(&sixth.0, &sixth.1, "serial=S6\\n");
    assert_eq!(heard, "why n6 is up, by its status; rpower n6 boot says otherwise\nwait 10\n");
    assert_eq!(
        lab.run("nodels n6 nodelist.status chain.currstate").stdout,
        "n6: nodelist.status: booted\nn6: chain.currstate: \n"
    );
    // Neither have they rebooted it by asking for its script, which its firmware has.
    lab.run("nodeset n6 reboot,runcmd=id").success();
    let script = || sixth.0.shell(&format!("curl -s {url} | grep -o '^#runcmd.*' || true")).success();
    let now = || lab.run("nodels n6 chain.currstate nodelist.status").stdout.replace("n6: ", "");
    assert_eq!(script(), "", "nobody has booted it");
    assert_eq!(now(), "chain.currstate: reboot\nnodelist.status: booted\n");
    sixth.0.udhcpc(IPXE).success();
    assert_eq!(script(), "#runcmd=id");
    assert_eq!(now(), "chain.currstate: runcmd=id\nnodelist.status: configuring\n");
    // That it is up is said once: a callback that comes again or from a node that runs on moves no chain.
    lab.run(
        "chtab node=n6 nodelist.status=booted bootparams.kernel=k chain.currstate='netboot x' chain.currchain=standby",
    )
    .success();
    let say_booted = || {
        let token = format!("t=$(curl -s {url} | sed -n 's/.*xcrane.token=\\([^ ]*\\).*/\\1/p' | head -n 1)");
        let said = "curl -s -o /dev/null -w %{http_code}";
        sixth.0.shell(&format!("{token}; {said} \"{url}/status/booted?token=$t\"")).success()
    };
    assert_eq!(say_booted(), "204");
    assert_eq!(now(), "chain.currstate: netboot x\nnodelist.status: booted\n", "its users say so");
    sixth.0.udhcpc(IPXE).success();
    assert_eq!(say_booted(), "204");
    assert_eq!(now(), "chain.currstate: standby\nnodelist.status: booted\n");
    // One that is to switch itself off asks for that, says so before it does, and goes on from there when it is switched on.
    lab.run("nodeset n6 shutdown,shell").success();
    sixth.0.udhcpc(IPXE).success();
    let token = sixth.0.shell(&format!("curl -s {url} | sed -n 's/.*xcrane.token=\\([^ ]*\\).*/\\1/p' | head -n 1"));
    let token = token.success();
    assert_eq!(now(), "chain.currstate: shutdown\nnodelist.status: powering-off\n");
    let step = sixth.0.shell(&format!("curl -s '{url}/step?token={token}'")).success();
    assert!(step.contains("do shutdown"), "{step}");
    let id = step.lines().find_map(|line| line.strip_prefix("id ")).unwrap();
    assert!(ask(&format!("done?token={token}&id={id}")).contains("do shell"));
    assert_eq!(now(), "chain.currstate: shell\nnodelist.status: powering-off\n");
}
