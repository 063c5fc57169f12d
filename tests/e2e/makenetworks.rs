use crate::{lab, read};

/// What the machine's networks are depends on the machine; that they come into the tables as they are shown does not.
#[test]
fn what_is_shown_is_what_is_defined() {
    let lab = lab();
    lab.shell("makenetworks -d > shown && makenetworks > defined && lsdef -t network -z > listed").success();
    let stanzas = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    let mut shown = stanzas(&read(&lab, "shown"));
    let mut listed = stanzas(&read(&lab, "listed"));
    // lsdef has its own order of objects.
    shown.sort();
    listed.sort();
    assert_eq!(
        shown.iter().filter(|line| line.ends_with(':') && !line.contains('=')).count(),
        read(&lab, "defined").lines().count()
    );
    listed.retain(|line| line != "No object definitions have been found");
    assert_eq!(shown, listed);
}

#[test]
fn a_network_that_is_defined_is_left_alone() {
    let lab = lab();
    lab.shell("makenetworks && tabdump networks > first && makenetworks > second && tabdump networks > third")
        .success();
    assert_eq!(read(&lab, "second"), "");
    assert_eq!(read(&lab, "first"), read(&lab, "third"));
}

#[test]
fn showing_changes_nothing() {
    let lab = lab();
    lab.shell("makenetworks -d && tabdump networks > dump").success();
    assert_eq!(read(&lab, "dump").lines().count(), 1, "only the header");
}
