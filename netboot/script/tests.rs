//! Scripts as nodes are given them.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;

const SERVER: &str = "http://10.0.0.1:8080";

fn templates() -> Templates {
    Templates::new(std::path::Path::new("/nonexistent")).unwrap()
}

fn node(attributes: &[(&str, &str)]) -> Node {
    let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Node::new("n1", attributes, None)
}

fn around(genesis: bool) -> Around<'static> {
    Around {
        server: SERVER,
        address: "10.0.0.1",
        mac: "52:54:00:77:00:00".parse().unwrap(),
        token: Some("TOKEN"),
        genesis,
        digest: Some("c0ffee"),
    }
}

/// The script of a node with these attributes, or why there is none.
fn script(attributes: &[(&str, &str)], genesis: bool) -> String {
    let written = write(&templates(), Some(&node(attributes)), &around(genesis));
    written.unwrap_or_else(|error| format!("Error: {error}"))
}

const IMAGE: [(&str, &str); 6] = [
    ("currstate", "netboot debian12-x86_64-compute"),
    ("provmethod", "deb12"),
    ("kernel", "image/deb12/kernel"),
    ("initrd", "image/deb12/initrd.gz"),
    ("kcmdline", "imgurl={{ server }}/image/deb12/rootimg.sfs ip={{ node.ip }}"),
    ("ip", "10.0.0.7"),
];

#[test]
fn an_image_with_its_command_line() {
    let more = [("serialport", "0"), ("serialspeed", "115200"), ("addkcmdline", "panic=60 R::quiet server=!myipfn!")];
    assert_snapshot!(script(&[&IMAGE[..], &more].concat(), false), @"
    #!ipxe
    #netboot debian12-x86_64-compute
    echo xcrane: n1 boots image deb12
    kernel http://10.0.0.1:8080/image/deb12/kernel imgurl=http://10.0.0.1:8080/image/deb12/rootimg.sfs ip=10.0.0.7 console=tty0 console=ttyS0,115200n8 panic=60 server=10.0.0.1 BOOTIF=01-52-54-00-77-00-00 xcrane.node=n1 xcrane.token=TOKEN xcrane.callback=http://10.0.0.1:8080/node/52-54-00-77-00-00/status/booted?token=TOKEN initrd=initrd.gz || goto failed
    initrd http://10.0.0.1:8080/image/deb12/initrd.gz || goto failed
    boot || goto failed
    :failed
    echo xcrane: n1 cannot load its image: ${errstr}
    sleep 5
    imgfree
    chain --replace --autofree http://10.0.0.1:8080/node/52-54-00-77-00-00 || goto failed
    ");
}

#[test]
fn what_needs_no_kernel() {
    assert_snapshot!(script(&[("currstate", "boot")], false), @"
    #!ipxe
    #boot
    echo xcrane: n1 boots from its disk
    iseq ${platform} efi && goto firmware ||
    sanboot --no-describe --drive 0x80 ||
    :firmware
    exit 1
    ");
    assert_eq!(script(&[], false), script(&[("currstate", "boot")], true), "unless something else was said");
    assert_snapshot!(script(&[("currstate", "offline")], false), @"
    #!ipxe
    #offline
    echo xcrane: n1 is offline, the firmware goes on
    exit 1
    ");
    assert_snapshot!(script(&[("currstate", "shell")], false), @r#"
    #!ipxe
    #shell
    echo xcrane: n1: there is no maintenance system, this is iPXE's own shell; "exit" goes on
    shell
    exit 1
    "#);
}

#[test]
fn the_maintenance_system_does_the_rest() {
    assert_snapshot!(script(&[("currstate", "runcmd=bmcsetup -x")], true), @r#"
    #!ipxe
    #runcmd=bmcsetup -x
    echo xcrane: n1 boots the maintenance system for runcmd
    iseq ${buildarch} arm64 && set arch aarch64 || set arch x86_64
    kernel http://10.0.0.1:8080/genesis/kernel.${arch} quiet xcatd=10.0.0.1 "destiny=runcmd" xcrane.server=http://10.0.0.1:8080 console=tty0 console=ttyS0,115200n8 BOOTIF=01-52-54-00-77-00-00 xcrane.node=n1 xcrane.token=TOKEN xcrane.callback=http://10.0.0.1:8080/node/52-54-00-77-00-00/status/booted?token=TOKEN initrd=initrd.${arch} || goto failed
    initrd http://10.0.0.1:8080/genesis/initrd.${arch} || goto failed
    boot || goto failed
    :failed
    echo xcrane: n1 cannot load the maintenance system: ${errstr}
    sleep 5
    imgfree
    chain --replace --autofree http://10.0.0.1:8080/node/52-54-00-77-00-00 || goto failed
    "#);
    let plain = script(&[("currstate", "runcmd=bmcsetup -x")], true);
    for command in [r#"echo "q" ; reboot"#, "true && reboot", "false || reboot", "echo ${net0/mac} 'it"] {
        let strange = script(&[("currstate", &format!("runcmd={command}"))], true);
        assert_eq!(strange.replace(command, "bmcsetup -x"), plain, "it stands in the comment and nowhere else");
        assert_eq!(strange.matches(command).count(), 1, "{strange}");
    }
    assert_snapshot!(script(&[("currstate", "runcmd=bmcsetup")], false), @"Error: there is no maintenance system for runcmd=bmcsetup");
}

#[test]
fn machines_that_nobody_knows() {
    let unknown = |genesis| write(&templates(), None, &Around { token: None, ..around(genesis) }).unwrap();
    assert_snapshot!(unknown(false), @"
    #!ipxe
    #discover
    echo xcrane: no node has MAC address 52-54-00-77-00-00, the firmware goes on
    sleep 5
    exit 1
    ");
    assert!(unknown(true).contains("\"destiny=discover\""), "{}", unknown(true));
    assert_snapshot!(start(&templates(), SERVER).unwrap(), @"
    #!ipxe
    set n:int32 0
    :start
    inc n
    chain --replace --autofree http://10.0.0.1:8080/node/${netX/mac:hexhyp} || echo xcrane: no answer: ${errstr}
    sleep 2
    iseq ${n} 60 && reboot || goto start
    ");
}

#[test]
fn what_cannot_be_a_script_says_why() {
    let image = |more: &[(&str, &str)]| script(&[&IMAGE[..], more].concat(), false);
    assert_snapshot!(script(&IMAGE[..1], false), @"Error: attribute 'kernel' (table bootparams) is not set");
    assert_snapshot!(image(&[("addkcmdline", "a || reboot")]), @"Error: the kernel's command line has the word '||', at which iPXE ends it");
    assert_snapshot!(image(&[("addkcmdline", "a={{ x")]), @"Error: template 'addkcmdline' fails in line 1");
    assert_snapshot!(image(&[("addkcmdline", "a={{ sever }}")]), @"Error: attribute 'addkcmdline' has {{ sever }}, for which nothing stands: there are address, again, digest, mac, name, server, state, task, token and node.ATTRIBUTE");
    let unknown = |cell: &str| image(&[("addkcmdline", cell)]);
    for (cell, name) in [("{{ node.rak }}", "node.rak"), ("{% if x %}a{% endif %}", "x"), ("{{ x|default('a') }}", "x")]
    {
        assert!(unknown(cell).starts_with(&format!("Error: attribute 'addkcmdline' has {{{{ {name} }}}}, ")), "{cell}");
    }
    // What a node does not have is empty; what the text defines itself is known.
    for cell in
        ["a={{ node.rack }}", "{% set x = server %}b={{ x }}", "c={{ node.rack|default('r1') }}", "{{ node.name }}"]
    {
        assert!(unknown(cell).starts_with("#!ipxe\n"), "{cell}");
    }
}

#[test]
fn what_cells_may_name_is_what_they_are_told() {
    let (templates, node) = (templates(), node(&IMAGE));
    let around = around(false);
    let script = Script { templates: &templates, node: &node, around: &around, state: State::of(&node) };
    let told = script.common();
    let mut names: Vec<String> = told.try_iter().unwrap().map(|name| name.to_string()).collect();
    names.sort_unstable();
    names.retain(|name| name != "node");
    assert_eq!(names, NAMES);
}

#[test]
fn no_secret_is_known_to_templates() {
    let shown = script(
        &[
            &IMAGE[..],
            &[
                ("bmcpassword", "s3cret"),
                ("mgt", "ipmi"),
                ("addkcmdline", "a={{ node.bmcpassword }} b={{ node.mgt }} c={{ node }}"),
            ],
        ]
        .concat(),
        false,
    );
    assert!(!shown.contains("s3cret") && shown.contains("a= b=ipmi"), "{shown}");
}

#[test]
fn a_site_has_templates_of_its_own() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("disk.ipxe"), "#!ipxe\necho {{ node.rack }}\n").unwrap();
    let templates = Templates::new(place.path()).unwrap();
    assert_eq!(write(&templates, Some(&node(&[("rack", "r7")])), &around(true)).unwrap(), "#!ipxe\necho r7\n");
    std::fs::write(place.path().join("disk.ipxe"), "#!ipxe\necho\n{% if %}\n").unwrap();
    let error = Templates::new(place.path()).unwrap_err().to_string();
    assert!(error.contains("disk.ipxe") && error.ends_with("in line 3"), "{error}");
}

#[test]
fn no_cell_adds_a_line() {
    let templates = templates();
    let lines = |cells: &[(&str, &str)]| {
        write(&templates, Some(&node(cells)), &around(true)).ok().map(|script| script.lines().count())
    };
    let usual = lines(&IMAGE);
    proptest!(|(text in "[a-z{}%#|=\\n\\r\\t $\"]{1,60}")| {
        for cell in ["provmethod", "kernel", "initrd", "kcmdline", "addkcmdline"] {
            let others: Vec<_> = IMAGE.iter().copied().filter(|(name, _)| *name != cell).collect();
            let count = lines(&[&others[..], &[(cell, text.as_str())]].concat());
            prop_assert!(count.is_none() || count == usual, "{}", cell);
        }
    });
}
