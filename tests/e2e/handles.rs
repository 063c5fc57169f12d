//! What is not there is nobody, also where its name is the beginning of the id of something that is.

use crate::{lab_with_guests, write};

/// All that is done to a container which is there.
const DEEDS: [&str; 11] = [
    "rpower NAME off",
    "rpower NAME reset",
    "rpower NAME softoff",
    "rpower NAME suspend",
    "psh NAME true",
    "xdcp NAME motd /tmp/motd",
    "xdcp NAME -P /etc/passwd .",
    "rcons NAME -- true",
    "rcons NAME",
    "lsvm NAME",
    "chvm NAME --cpus 2",
];

#[test]
fn a_name_is_not_the_beginning_of_an_id() {
    let lab = lab_with_guests(1);
    lab.run("mkvm c1").success();
    lab.run("rpower c1 on").success();
    let other = || lab.host("h1").docker("inspect -f '{{.Id}} {{.State.StartedAt}}' c1").success();
    let before = other();
    let name = &before[..5];
    lab.run(&format!("mkdef {name} groups=all mgt=docker vmhost=h1 image=busybox:lab dockertty=yes")).success();
    write(&lab, "motd", "hello\n");
    for deed in DEEDS {
        let said = lab.run(&deed.replace("NAME", name)).to_string();
        assert!(said.contains(&format!("{name}: Error: no such guest on h1\n")), "{deed}: {said}");
    }
    for deed in ["rmvm NAME", "rmvm -f NAME"] {
        let said = lab.run(&deed.replace("NAME", name)).to_string();
        assert!(said.contains(&format!("{name}: Warning: nothing to remove: no such guest on h1\n")), "{deed}: {said}");
    }
    // It is made beside the other, and gone again without it.
    lab.run(&format!("mkvm {name}")).success();
    assert_eq!(lab.run(&format!("rpower {name} on")).success(), format!("{name}: on"));
    assert_eq!(lab.run(&format!("psh {name} hostname")).success(), format!("{name}: {name}"));
    lab.run(&format!("rmvm -f {name}")).success();
    assert_eq!(before, other());
}

#[test]
fn an_image_is_not_the_beginning_of_an_id() {
    let lab = lab_with_guests(1);
    let id = || lab.host("h1").docker("inspect -f {{.Id}} busybox:lab").success();
    let before = id();
    let name = &before.trim_start_matches("sha256:")[..6];
    let said = lab.run(&format!("rmimage {name} -f h1")).to_string();
    assert!(said.contains(&format!("nothing to remove: nobody has {name}:latest")), "{said}");
    lab.run(&format!("mkdef n1 groups=all mgt=docker vmhost=h1 image={name}")).success();
    let said = lab.run("mkvm n1").to_string();
    assert!(said.contains("n1: Error: "), "{said}");
    assert_eq!(before, id());
}
