//! `rmimage`: what is in use stays, what goes frees its space, and what others have is left to them.

use std::time::Duration;

use ::lab::Lab;
use insta::assert_snapshot;

use crate::imgpull::{meaning, push_changed, with_registry};
use crate::mkregistry::{PLACE, push, served};

/// Bytes that the registry's images take.
fn used(lab: &Lab) -> u64 {
    lab.host("h1").shell("du -sk /var/lib/xcrane/registry/h1 | cut -f1").trim().parse().expect("a number")
}

/// Whether the registry has the tag.
fn has(lab: &Lab, tag: &str) -> bool {
    !meaning(lab, tag).is_empty()
}

#[test]
fn what_is_in_use_stays_and_what_is_not_goes_everywhere() {
    let lab = with_registry(2, &["1"]);
    let image = format!("{PLACE}/busybox:1");
    push_changed(&lab, "1", "own");
    lab.run(&format!("mkdef c[1-2] groups=web mgt=docker vmhost=h2 image={image}")).success();
    lab.run(&format!("imgpull h2 {image}")).success();
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();
    assert_snapshot!(lab.run(&format!("rmimage {image}")), @"
    ------- stderr -------
    Error: image 10.77.0.1:5000/busybox:1 is in use: c[1-2] are defined with it; c1 is made from it
    Hint: give these nodes another image, or remove it all the same with -f
    [exit status: 1]
    ");
    assert_snapshot!(lab.run(&format!("rmimage {image} h2")), @"
    ------- stderr -------
    Error: image 10.77.0.1:5000/busybox:1 is in use: c[1-2] are defined with it; c1 is made from it
    Hint: give these nodes another image, or remove it all the same with -f
    [exit status: 1]
    ");
    lab.run("rmdef c2").success();
    lab.run("chdef c1 image=busybox:lab").success();
    assert_snapshot!(lab.run(&format!("rmimage {image} --plan")), @"
    ------- stderr -------
    Error: image 10.77.0.1:5000/busybox:1 is in use: c1 is made from it
    Hint: give these nodes another image, or remove it all the same with -f
    [exit status: 1]
    ");
    lab.run("rpower c1 off").success();
    lab.run("rmvm c1").success();

    let (digest, before) = (meaning(&lab, "1"), used(&lab));
    let plan = lab.run(&format!("rmimage {image} --plan"));
    assert_eq!(plan.code, 2);
    assert_snapshot!(plan, @"
    h2: remove 10.77.0.1:5000/busybox:1
    h1: registry h1: delete busybox:1 (sha256:$ID)
    forget the object
    [exit status: 2]
    ");
    assert!(has(&lab, "1"), "the plan changed something");
    let run = lab.run(&format!("rmimage {image}"));
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.contains(&format!("h2: removed {image}\n")), "{run}");
    assert!(run.stdout.contains(&format!("h1: registry h1: deleted busybox:1 ({digest}), ")), "{run}");
    assert!(!has(&lab, "1") && used(&lab) < before, "{} of {before}", used(&lab));
    assert_ne!(lab.host("h2").run(&format!("docker image inspect {image}")).code, 0);
    assert!(!lab.run("lsdef -t osimage -s").stdout.contains("busybox"));
    assert_eq!(lab.run("lsimage").success(), "");
    assert_snapshot!(lab.run(&format!("rmimage {image}")), @"
    ------- stderr -------
    Warning: nothing to remove: nobody has 10.77.0.1:5000/busybox:1
    ");
    assert_eq!(lab.run(&format!("rmimage {image} --plan")).code, 0);
    assert_eq!(lab.run("lsregistry --check").code, 0);
}

#[test]
fn a_tag_that_shares_its_content_goes_alone() {
    let lab = with_registry(2, &["1", "2"]);
    let digest = meaning(&lab, "1");
    assert_eq!(digest, meaning(&lab, "2"));
    let (first, second) = (format!("{PLACE}/busybox:1"), format!("{PLACE}/busybox:2"));
    lab.run(&format!("imgpull h2 {first}")).success();
    lab.run(&format!("imgpull h2 {second}")).success();
    assert_snapshot!(lab.run(&format!("rmimage {PLACE}/busybox@{digest}")), @"
    ------- stderr -------
    Error: 10.77.0.1:5000/busybox@sha256:$ID has tags: 1, 2
    Hint: remove these: rmimage 10.77.0.1:5000/busybox:1
    [exit status: 1]
    ");
    assert_snapshot!(lab.run(&format!("rmimage {first} --plan")), @"
    h2: remove 10.77.0.1:5000/busybox:1
    h1: registry h1: delete tag busybox:1; its content stays, as 2
    forget the object
    [exit status: 2]
    ");
    assert_snapshot!(lab.run(&format!("rmimage {first}")), @"
    h2: untagged 10.77.0.1:5000/busybox:1
    h1: registry h1: deleted tag busybox:1; its content stays, as 2
    ");
    assert_eq!((has(&lab, "1"), meaning(&lab, "2")), (false, digest.clone()));
    lab.run(&format!("rmimage {second} h2")).success();
    assert!(lab.run(&format!("imgpull h2 {second}")).success().contains(&format!("h2: pulled {digest}")));
    assert!(lab.run(&format!("rmimage {second}")).success().contains("freed"));
    assert!(!has(&lab, "2"));
    push(&lab, "h2", &["2"]);
    assert_eq!(meaning(&lab, "2"), digest);
}

#[test]
fn what_nodes_are_pinned_to_stays_in_the_registry() {
    let lab = with_registry(2, &["1"]);
    let image = format!("{PLACE}/busybox:1");
    lab.run(&format!("mkdef c1 groups=web mgt=docker vmhost=h2 image={image}")).success();
    lab.run("mkvm c1").success();
    let digest = meaning(&lab, "1");
    push_changed(&lab, "1", "new");
    let run = lab.run(&format!("rmimage {PLACE}/busybox@{digest}"));
    assert!(run.code == 1 && run.stderr.contains("is in use: c1 is defined with it; c1 is made from it"), "{run}");
    lab.run("rmvm c1").success();
    lab.run("mkregistry h1 --gc").success();
    lab.host("h2").shell("docker image prune -af");
    assert_eq!(lab.run("mkvm c1 -V").success(), "c1: created");
    lab.run("rmvm c1").success();
    lab.run("chdef c1 image=busybox:lab").success();
    let run = lab.run(&format!("rmimage {PLACE}/busybox@{digest}"));
    assert!(run.code == 0 && run.stdout.contains("freed"), "{run}");
    assert!(has(&lab, "1"), "the tag means something else by now");
}

#[test]
fn who_does_not_answer_may_run_it() {
    let lab = with_registry(3, &["1"]);
    let image = format!("{PLACE}/busybox:1");
    lab.run("mkdef c1 groups=web mgt=docker vmhost=h3 image=busybox:lab").success();
    lab.run("chdef -t site connecttimeout=2").success();
    lab.host("h3").power_off();
    let run = lab.run(&format!("rmimage {image}"));
    assert!(run.code == 1 && run.stderr.contains("Error: nothing was done: whether h3 has containers of"), "{run}");
    assert!(has(&lab, "1"));
    let run = lab.run(&format!("rmimage -f {image}"));
    assert!(run.code == 1 && run.stdout.contains("deleted busybox:1") && run.stderr.contains("h3: Error"), "{run}");
    assert!(!has(&lab, "1"));
}

#[test]
fn a_killed_run_is_completed_by_the_next() {
    let lab = with_registry(2, &["1", "2"]);
    for tag in ["2", "1"] {
        let image = format!("{PLACE}/busybox:{tag}");
        lab.run(&format!("imgpull h2 {image}")).success();
        for pause in [20, 60, 120, 250, 400, 700] {
            let run = lab.spawn(&format!("rmimage {image}"));
            std::thread::sleep(Duration::from_millis(pause));
            run.kill();
            drop(run);
        }
        lab.run(&format!("rmimage {image}")).success();
        assert!(!has(&lab, tag));
        assert_ne!(lab.host("h2").run(&format!("docker image inspect {image}")).code, 0);
        assert!(!lab.run("lsdef -t osimage -s").stdout.contains(&image));
        served(&lab);
    }
    push(&lab, "h2", &["3"]);
    assert!(has(&lab, "3"), "nothing can be pushed any more");
}
