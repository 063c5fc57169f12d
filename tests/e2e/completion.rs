use insta::assert_snapshot;

use crate::{rack, session};

#[test]
fn names_come_from_the_tables() {
    let lab = rack();
    let complete = |words: &str| {
        let index = words.split(' ').count() - 1;
        format!("COMPLETE=bash _CLAP_COMPLETE_INDEX={index} _CLAP_IFS=' ' xcrane -- {words}; echo\n")
    };
    let script = [complete("rpower ra"), complete("rpower n1,n"), complete("xcrane nodel"), complete("nodech n1 vmho")];
    assert_snapshot!(session(&lab, &script.concat()), @"
    $ COMPLETE=bash _CLAP_COMPLETE_INDEX=1 _CLAP_IFS=' ' xcrane -- rpower ra; echo
    rack1
    $ COMPLETE=bash _CLAP_COMPLETE_INDEX=1 _CLAP_IFS=' ' xcrane -- rpower n1,n; echo
    n1,n1 n1,n2 n1,n3 n1,n4
    $ COMPLETE=bash _CLAP_COMPLETE_INDEX=1 _CLAP_IFS=' ' xcrane -- xcrane nodel; echo
    nodels
    $ COMPLETE=bash _CLAP_COMPLETE_INDEX=2 _CLAP_IFS=' ' xcrane -- nodech n1 vmho; echo
    vmhost=
    ");
}

#[test]
fn every_shell_accepts_its_script() {
    let lab = rack();
    assert_snapshot!(session(&lab, "
        xcrane completion bash > script && bash -n script && grep -c nodels script
        xcrane completion zsh | grep -c nodels
        xcrane completion fish | grep -c nodels
        xcrane completion tcsh
    "), @"
    $ xcrane completion bash > script && bash -n script && grep -c nodels script
    3
    $ xcrane completion zsh | grep -c nodels
    3
    $ xcrane completion fish | grep -c nodels
    1
    $ xcrane completion tcsh
    ------- stderr -------
    error: invalid value 'tcsh' for '<SHELL>'
      [possible values: bash, zsh, fish]

      tip: a similar value exists: 'zsh'

    For more information, try '--help'.
    [exit status: 2]
    ");
}
