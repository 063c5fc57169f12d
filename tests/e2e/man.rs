use insta::assert_snapshot;

use crate::{lab, session};

#[test]
fn every_command_has_a_page() {
    let lab = lab();
    assert_snapshot!(session(&lab, "
        mkdir man1
        xcrane man man1
        head -6 man1/tabgrep.1
        ls man1 | grep xcrane
        xcrane man nowhere
    "), @r#"
    $ mkdir man1
    $ xcrane man man1
    $ head -6 man1/tabgrep.1
    .ie \n(.g .ds Aq \(aq
    .el .ds Aq '
    .TH tabgrep 1  "tabgrep 0.1.0" 
    .SH NAME
    tabgrep \- List the tables with a row for a node or one of its groups
    .SH SYNOPSIS
    $ ls man1 | grep xcrane
    xcrane-bundle.1
    xcrane-completion.1
    xcrane-link.1
    xcrane-man.1
    xcrane-module.1
    xcrane-serve.1
    xcrane.1
    $ xcrane man nowhere
    ------- stderr -------
    Error: cannot write nowhere/xcrane.1: No such file or directory (os error 2)
    [exit status: 1]
    "#);
    let pages = lab.shell("ls man1 | wc -l").success();
    let links = lab.shell("ls $(dirname $(command -v nodels)) | wc -l").success();
    let number = |text: &str| text.trim().parse::<usize>().unwrap();
    // The program itself has a page, as it has a link; its own six commands have pages only.
    assert_eq!(number(&pages), number(&links) + 6);
}
