//! A node keeps the content that it was made from, although the tag of its image moves on.

use insta::assert_snapshot;
use serde_json::Value;

use crate::imgpull::{meaning, push_changed, with_registry};
use crate::mkregistry::{PLACE, served};
use crate::{lab, session};

#[test]
fn a_node_is_made_anew_from_the_same_although_the_tag_has_moved() {
    let lab = with_registry(2, &["1", "2"]);
    push_changed(&lab, "1", "own");
    let first = meaning(&lab, "1");
    lab.run(&format!("mkdef c[1-3] groups=web mgt=docker vmhost=h2 image={PLACE}/busybox:1")).success();
    assert_eq!(lab.run("mkvm c1,c2 -V").sorted().success(), "c1: created\nc2: created");
    lab.host("h1").shell("systemctl stop xcrane-registry@h1");
    let again = lab.run("mkvm c1,c2 -V").sorted();
    assert_eq!(
        (&*again.stdout, &*again.stderr),
        (
            "c1: unchanged
c2: unchanged
",
            ""
        ),
        "who is pinned asks nobody"
    );
    lab.host("h1").shell("systemctl start xcrane-registry@h1");
    served(&lab);
    assert!(lab.run("lsdef c1 -i pinneddigest").success().contains(&first));
    assert_snapshot!(lab.run("lsvm h2"), @"
    h2: c1 created - 10.77.0.1:5000/busybox:1
    h2: c2 created - 10.77.0.1:5000/busybox:1
    ");

    push_changed(&lab, "1", "new");
    let second = meaning(&lab, "1");
    assert_ne!(first, second);
    lab.run("mkvm c3").success();
    assert_snapshot!(lab.run("lsvm h2"), @"
    h2: c1 created - 10.77.0.1:5000/busybox:1 moved
    h2: c2 created - 10.77.0.1:5000/busybox:1 moved
    h2: c3 created - 10.77.0.1:5000/busybox:1
    ");
    assert_eq!(lab.shell("lsvm h2 | awk '$6 == \"moved\" { print $2 }'").success(), "c1\nc2");
    let listed: Value = serde_json::from_str(&lab.run("lsvm h2 --json").success()).unwrap();
    let moved = |place: usize| (&listed["answer"][place]["moved"], &listed["answer"][place]["digest"]);
    assert_eq!((moved(0), moved(2)), ((&true.into(), &first.clone().into()), (&false.into(), &second.clone().into())));
    let details = lab.run("lsvm c1").success();
    assert!(details.contains(&format!("c1: Tag: moved to {second}")), "{details}");
    assert!(details.contains(&format!("c1: Pinned: {PLACE}/busybox:1 to {first} since ")), "{details}");

    lab.run("rmvm c1").success();
    lab.host("h2").shell(&format!("docker rmi -f $(docker images -q {PLACE}/busybox) 2>/dev/null || :"));
    assert_eq!(lab.run("mkvm c1 -V").success(), "c1: created");
    let image = |node: &str| lab.host("h2").shell(&format!("docker inspect -f '{{{{.Config.Image}}}}' {node}"));
    assert_eq!(image("c1"), format!("{PLACE}/busybox@{first}\n"), "it was made from what the tag means now");
    assert_eq!(image("c3"), format!("{PLACE}/busybox@{second}\n"));

    lab.run(&format!("chdef c1 image={PLACE}/busybox:2")).success();
    assert_eq!(lab.run("mkvm -f c1 -V").success(), "c1: re-created");
    assert_eq!(image("c1"), format!("{PLACE}/busybox@{}\n", meaning(&lab, "2")), "another image voids the pin");
    lab.run("chdef c2 image=busybox:lab").success();
    assert_eq!(lab.run("mkvm -f c2 -V").success(), "c2: re-created");
    assert_eq!(
        lab.run("gettab node=c2 nodeimage.digest").success(),
        "",
        "a pin is left of an image that c2 has no more"
    );

    lab.run("rmvm c3").success();
    let ledger = lab.run("tabdump imageledger").success();
    let told: Vec<String> = ledger.lines().filter(|line| cell(line, 2) == "c1").map(|line| cell(line, 6)).collect();
    assert_eq!(told, ["created", "removed", "created", "re-created"], "{ledger}");
    assert!(ledger.lines().last().unwrap().contains(&second), "{ledger}");
    lab.run("noderm c1").success();
    assert!(!lab.run("tabdump nodeimage").success().lines().any(|line| cell(line, 0) == "c1"));
    assert!(!lab.run("deflog").success().contains("imageledger"));
    lab.run("tabprune imageledger -a").success();
    assert_eq!(lab.run("tabdump imageledger").success().lines().count(), 1);
}

/// A cell of a row that tabdump has written.
fn cell(line: &str, column: usize) -> String {
    line.split(',').nth(column).unwrap_or_default().trim_matches('"').to_owned()
}

#[test]
fn what_was_made_before_there_were_pins_is_equal_to_them() {
    let lab = with_registry(2, &["1"]);
    lab.run(&format!("mkdef c1 groups=web mgt=docker vmhost=h2 image={PLACE}/busybox:1")).success();
    lab.run(&format!("imgpull h2 {PLACE}/busybox:1")).success();
    lab.run("mkvm c1").success();
    let made = lab.host("h2").shell("docker inspect c1");
    lab.run("chtab -d node=c1 nodeimage").success();
    let tag = format!("{PLACE}/busybox:1");
    lab.host("h2").shell(&format!("docker rm c1 && docker create --name c1 --hostname c1 {} {tag}", labels(&made)));
    assert_eq!(lab.run("mkvm c1 -V").success(), "c1: unchanged");
    assert!(lab.run("lsdef c1 -i pinneddigest").success().contains(&meaning(&lab, "1")));
    assert!(lab.run("lsvm c1").success().contains("Definition: equal"));
}

/// The labels that `docker inspect` shows, as options of `docker create`.
fn labels(inspected: &str) -> String {
    let found: Value = serde_json::from_str(inspected).expect("as the engine writes it");
    let labels = found[0]["Config"]["Labels"].as_object().expect("as the engine writes it");
    labels
        .iter()
        .map(|(name, value)| format!("--label {name}={}", value.as_str().expect("as the engine writes it")))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_registry_that_is_down_stops_nobody_who_has_the_image() {
    let lab = with_registry(2, &["1"]);
    let digest = meaning(&lab, "1");
    lab.run(&format!("imgpull h2 {PLACE}/busybox:1")).success();
    lab.run(&format!("mkdef c1 groups=web mgt=docker vmhost=h2 image={PLACE}/busybox:1")).success();
    lab.host("h1").shell("systemctl stop xcrane-registry@h1");
    let run = lab.run("mkvm c1 -V");
    assert_eq!((run.code, &*run.stdout), (0, "c1: created\n"), "{run}");
    assert!(run.stderr.starts_with("Warning: cannot reach registry h1 at 10.77.0.1:5000"), "{run}");
    assert!(lab.run("lsdef c1 -i pinneddigest").success().contains(&digest));
    let listed = lab.run("lsvm h2");
    assert_eq!((listed.code, &*listed.stdout), (0, "h2: c1 created - 10.77.0.1:5000/busybox:1\n"), "{listed}");
    assert!(lab.run("lsvm c1").success().contains("c1: Tag: unknown: cannot reach registry h1"));
}

#[test]
fn registries_are_objects_and_their_images_hold_them() {
    let lab = lab();
    lab.run("mkdef h1 groups=hosts ip=10.77.0.1").success();
    lab.run("mkdef -t registry reg node=h1 port=5001").success();
    lab.run("mkdef c1 groups=web mgt=docker vmhost=h1 image=10.77.0.1:5001/apps/a:1").success();
    assert_snapshot!(session(&lab, "
        lsdef -t registry reg
        rmregistry reg
        rmregistry reg --plan
    "), @"
    $ lsdef -t registry reg
    Object name: reg
        node=h1
        port=5001
    $ rmregistry reg
    ------- stderr -------
    Error: registry reg is in use by c1, whose images are of 10.77.0.1:5001
    Hint: -f removes it all the same
    [exit status: 1]
    $ rmregistry reg --plan
    ------- stderr -------
    Error: registry reg is in use by c1, whose images are of 10.77.0.1:5001
    Hint: -f removes it all the same
    [exit status: 1]
    ");
}
