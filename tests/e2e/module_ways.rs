//! Modules that are a playbook, and modules in a container.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use crate::module::{CHANGE, config, local, put, with_examples};
use crate::{defined_hosts, lab, session};

#[test]
fn a_playbook_on_hosts() {
    let lab = defined_hosts(lab().hosts(2), 2);
    with_examples(&lab);
    assert_snapshot!(session(&lab, "
        xcrane module init banner
        grep nodes $XCRANE_HOME/configs/banner.toml
        xcrane module plan banner
        xcrane module apply banner | sort
        xcrane module state banner --yaml | grep -v ^directory
    "), @r#"
    $ xcrane module init banner
    banner: wrote $XCRANE_HOME/configs/banner.toml
    $ grep nodes $XCRANE_HOME/configs/banner.toml
    nodes = "h[1-2]"
    $ xcrane module plan banner
    banner on h1: banner: /etc/issue.net: Debian GNU/Linux 12 -> Authorized use only
    banner on h2: banner: /etc/issue.net: Debian GNU/Linux 12 -> Authorized use only
    ------- stderr -------
    kept: xcrane module apply banner --plan $PLAN
    [exit status: 2]
    $ xcrane module apply banner | sort
    banner on h1: banner: /etc/issue.net: Debian GNU/Linux 12 -> Authorized use only
    banner on h2: banner: /etc/issue.net: Debian GNU/Linux 12 -> Authorized use only
    banner: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        banner on h1: banner: /etc/issue.net: Debian GNU/Linux 12 -> Authorized use only
        banner on h2: banner: /etc/issue.net: Debian GNU/Linux 12 -> Authorized use only
    $ xcrane module state banner --yaml | grep -v ^directory
    name: banner
    labels:
      kind: greeting
      name: banner
      short: what people read before they log in
      version: "1.0"
    strong: []
    state: null
    targets:
      h1:
        text: Authorized use only
      h2:
        text: Authorized use only
    config:
      nodes: h[1-2]
      text: Authorized use only
    finished: $PLAN
    "#);
    assert_eq!(lab.host("h2").shell("cat /etc/issue.net").trim(), "Authorized use only");
    lab.host("h1").shell("echo mine > /etc/issue.net");
    assert_snapshot!(lab.run("xcrane module audit banner"), @"
    h1: changed: banner: /etc/issue.net: Authorized use only -> mine
    h2: as it was left
    [exit status: 2]
    ");
    let directory = lab.state().join("modules/bad");
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/examples/banner/module.toml"));
    put(&directory.join("module.toml"), &manifest.unwrap().replace("\"banner\"", "\"bad\""), 0o644);
    put(
        &directory.join("banner.yml"),
        "- hosts: targets\n  gather_facts: false\n  tasks:\n    - command: \"false\"\n      check_mode: false\n",
        0o644,
    );
    config(&lab, "bad", "nodes = 'h1'\n");
    assert_snapshot!(lab.run("xcrane module plan bad"), @"
    ------- stderr -------
    Error: h1: plan of module bad: command: non-zero return code
    [exit status: 1]
    ");
}

#[test]
fn a_module_in_a_container() {
    let lab = defined_hosts(lab().hosts(1), 1);
    local(&lab, "base", "", CHANGE);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/examples/probe/module");
    let read = |name: &str| fs::read_to_string(example.join(name)).expect("it is shipped");
    let files = format!(
        "mkdir -p /b/module; cd /b; cat > module/module.toml <<'E'\n{}E\ncat > module/probe <<'E'\n{}E\nchmod 755 module/probe",
        read("module.toml"),
        read("probe").replace("\ntest)", "\nbackup) sleep 100 ;;\ntest)")
    );
    let host = lab.host("h1");
    host.shell(&files);
    host.shell(
        "cd /b; docker create --name made busybox:lab; docker cp module made:/module
         docker commit -c 'ENTRYPOINT [\"/module/probe\"]' made site/probe:1; docker rm made",
    );
    config(&lab, "probe", "host = 'h1'\n");
    assert_snapshot!(session(&lab, "
        imgsave site/probe:1 probe.tar --from h1
        xcrane module add docker://./probe.tar
        xcrane module plan base
        xcrane module apply base
        xcrane module plan probe
        xcrane module apply probe
        xcrane module plan probe
        xcrane module test probe
        xcrane module check probe --apply h1
    "), @"
    $ imgsave site/probe:1 probe.tar --from h1
    h1: saved site/probe:1 to probe.tar, 2.0M
    $ xcrane module add docker://./probe.tar
    probe: 1.0 in $XCRANE_HOME/modules/probe
    $ xcrane module plan base
    base: it: done
    ------- stderr -------
    kept: xcrane module apply base --plan $PLAN
    [exit status: 2]
    $ xcrane module apply base
    base: it: done
    base: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        base: it: done
    $ xcrane module plan probe
    probe: modules: '' -> base
    ------- stderr -------
    kept: xcrane module apply probe --plan $PLAN
    [exit status: 2]
    $ xcrane module apply probe
    probe: modules: '' -> base
    probe: applied
    ------- stderr -------
    plan $PLAN, made by root at $TIME:
        probe: modules: '' -> base
    $ xcrane module plan probe
    probe: nothing to do
    $ xcrane module test probe
    probe: pass: /shared is read-only
    $ xcrane module check probe --apply h1
    probe: pass: metadata says the labels of module.toml
    probe: pass: init proposes a config that the module takes
    probe: pass: plan says the same twice, and leaves the directory as it is
    probe: pass: apply does what was planned: nothing is left to do
    probe: pass: apply twice is as once
    probe: pass: audit finds what apply has left
    probe: pass: the state has what its labels provide
    probe: pass: test finds that it works
    ");
    lab.shell("echo 'backup = { way = \"container\", limit = 3 }' >> $XCRANE_HOME/modules/probe/module.toml").success();
    assert_snapshot!(session(&lab, "
        xcrane module backup probe
        sed -i 's|^host = .*|&\\nimage = \"site/none:1\"|' $XCRANE_HOME/modules/probe/module.toml
        xcrane module audit probe 2>&1 | sed 's/: the host.*//'
    "), @r#"
    $ xcrane module backup probe
    ------- stderr -------
    probe: Error: backup of module probe: it did not end within 3 s, and was ended
    [exit status: 1]
    $ sed -i 's|^host = .*|&\nimage = "site/none:1"|' $XCRANE_HOME/modules/probe/module.toml
    $ xcrane module audit probe 2>&1 | sed 's/: the host.*//'
    probe: Error: audit of module probe: h1: cannot pull image site/none:1
    "#);
    // Nothing of it stays.
    assert_eq!(host.shell("docker ps -aq; docker volume ls -q"), "");
}
