//! `lsimage`: of hosts, of a registry, and all that are known.

use insta::assert_snapshot;
use serde_json::Value;

use crate::imgpull::{meaning, push_changed, with_registry};
use crate::mkregistry::PLACE;

/// Digests by number, in the order of their first appearance.
fn numbered(text: &str) -> String {
    let mut known: Vec<String> = Vec::new();
    let mut told = text.to_owned();
    for word in text.split_whitespace().filter(|word| word.len() == 71 && word.starts_with("sha256:")) {
        if !known.iter().any(|digest| digest == word) {
            known.push(word.to_owned());
            told = told.replace(word, &format!("digest{}", known.len()));
        }
    }
    told
}

#[test]
fn images_and_who_uses_them() {
    let lab = with_registry(2, &["1", "2"]);
    lab.run(&format!("mkdef c[1-2] groups=web mgt=docker vmhost=h2 image={PLACE}/busybox:1")).success();
    lab.run(&format!("mkdef c3 groups=web mgt=docker vmhost=h2 image={PLACE}/busybox:2")).success();
    lab.run(&format!("imgpull h2 {PLACE}/busybox:1")).success();
    lab.run("mkvm c1").success();
    push_changed(&lab, "1", "new");
    let run = lab.run(&format!("lsimage {PLACE}"));
    assert_eq!(run.code, 0, "{run}");
    assert_snapshot!(numbered(&run.stdout), @"
    10.77.0.1:5000: 10.77.0.1:5000/busybox:1 digest1 1.0M c[1-2] -
    10.77.0.1:5000: 10.77.0.1:5000/busybox:2 digest2 1.0M c[1,3] c1
    ");
    let found: Value = serde_json::from_str(&lab.run(&format!("lsimage {PLACE} --json")).success()).unwrap();
    assert_eq!(found["answer"][0]["digest"], meaning(&lab, "1"));
    assert!(found["answer"][0]["size"].as_u64().unwrap() > 100_000);
    let run = lab.run("lsimage h2");
    assert_snapshot!(numbered(&run.stdout), @"
    h2: busybox:lab - 1.8M - c1
    h2: 10.77.0.1:5000/busybox@digest1 digest1 1.8M c1 c1
    ");
    assert_snapshot!(numbered(&lab.run("lsimage").stdout), @"10.77.0.1:5000/busybox:1 digest1 1.0M pull h2 c[1-2] c1 moved");
    assert_snapshot!(lab.shell("lsimage --json | jq -c '[.answer.hosts, .answer.registry]'"), @r#"[["h2"],"moved"]"#);
    assert_snapshot!(lab.shell("lsimage h1 | awk '{ print NF }' | sort -u"), @"
    6
    ------- stderr -------
    Hint: h1 is a registry, too; see what it has with: lsimage 10.77.0.1:5000
    ");
    let mut terminal = lab.spawn_pty(&format!("lsimage {PLACE}"), 24, 120);
    let screen = terminal.expect("busybox:2", crate::mkregistry::LIMIT);
    assert!(screen.contains("sha256:") && !screen.contains(&meaning(&lab, "1")), "{screen}");

    lab.run("chdef -t site connecttimeout=2").success();
    lab.host("h2").power_off();
    let run = lab.run("lsimage");
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stdout.contains("busybox:1") && run.stderr.starts_with("h2: Error: "), "{run}");
    lab.host("h1").shell("systemctl stop xcrane-registry@h1");
    let run = lab.run("lsimage");
    assert!(run.stdout.trim_end().ends_with(" unknown"), "{run}");
    assert_snapshot!(crate::session(&lab, "
        lsimage 10.9.9.9:5000
        lsimage nope
        lsimage 10.77.0.1:5000
    "), @"
    $ lsimage 10.9.9.9:5000
    ------- stderr -------
    Error: '10.9.9.9:5000' is none of our registries
    Hint: lsregistry tells which there are; of others only their hosts are asked
    [exit status: 1]
    $ lsimage nope
    ------- stderr -------
    Error: Invalid nodes and/or groups in noderange: nope
    [exit status: 1]
    $ lsimage 10.77.0.1:5000
    ------- stderr -------
    Error: cannot reach registry h1 at 10.77.0.1:5000: Connection refused (os error 111)
    [exit status: 1]
    ");
}

#[test]
fn images_that_nodes_boot() {
    let lab = crate::lab();
    let images = lab.state().join("images/compute");
    lab.run("mkdef -t osimage compute imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64").success();
    lab.run("mkdef -t osimage disk imagetype=linux provmethod=install osvers=debian12 osarch=x86_64").success();
    lab.run("mkdef n[1-3] groups=metal,all mgt=ipmi provmethod=compute").success();
    lab.shell(&format!("mkdir -p {}/roots/compute/rootimg", lab.state().display())).success();
    assert_snapshot!(lab.run("lsimage").success(), @"
    compute - - built - n[1-3] - -
    disk - - install - - - -
    ");
    std::fs::create_dir_all(&images).unwrap();
    let sums = ["kernel", "initrd", "root.sqfs"].map(|file| {
        std::fs::write(images.join(file), [0; 1024]).unwrap();
        format!("{}  {file}\n", "ab".repeat(32))
    });
    std::fs::write(images.join("sha256sums"), sums.concat()).unwrap();
    assert_snapshot!(numbered(&lab.run("lsimage compute").success()), @"compute digest1 3.0K packed - n[1-3] - -");
    assert_snapshot!(lab.shell("lsimage compute --json | jq -c '[.answer.state, .answer.size, .answer.defined]'"), @r#"["packed",3072,["n1","n2","n3"]]"#);
    std::fs::write(images.join("sha256sums"), "").unwrap();
    assert_snapshot!(lab.run("lsimage compute").success(), @"compute - - broken - n[1-3] - -");

    // As xCAT's genimage and packimage leave it.
    let old = lab.home().join("rocky9");
    std::fs::create_dir_all(&old).unwrap();
    lab.run(&format!("mkdef -t osimage rocky9 imagetype=linux provmethod=netboot rootimgdir={}", old.display()))
        .success();
    let listed = || lab.run("lsimage rocky9").success();
    for file in ["kernel", "initrd-stateless.gz", "rootimg.cpio.gz"] {
        assert_eq!(listed(), "rocky9 - - defined - - - -");
        std::fs::write(old.join(file), [0; 1024]).unwrap();
    }
    assert_snapshot!(listed(), @"rocky9 - 3.0K xcat - - - -");
}
