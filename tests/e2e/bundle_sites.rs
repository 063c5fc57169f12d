//! `xcrane bundle`: what works at the site that has taken one, with nothing but what was in it.

use std::fs;
use std::path::Path;

use ::lab::{Lab, Run, Wait, wait_for};
use insta::assert_snapshot;

use crate::imgpush::site;
use crate::mkregistry::{LIMIT, PLACE};
use crate::module::put;
use crate::{defined_hosts, lab, session};

/// The same machine as another site: a home of its own, and a registry on h2.
const OTHER: &str = "XCRANE_HOME=$PWD/other";
const ELSEWHERE: &str = "10.77.0.2:5000";

fn other(lab: &Lab, line: &str) -> Run {
    lab.shell(&format!("{OTHER} xcrane {line}"))
}

/// What the other site's module is told to do.
fn other_config(lab: &Lab, name: &str, text: &str) {
    put(&lab.home().join("other/configs").join(format!("{name}.toml")), text, 0o600);
}

/// The module that is shipped as an example of one in a container, pushed by h1 into the registry there, and another that names
/// that image.
fn contained(lab: &Lab) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/examples/probe/module");
    let read = |name: &str| fs::read_to_string(example.join(name)).expect("it is shipped");
    lab.host("h1").shell(&format!(
        "mkdir -p /b/module; cd /b; cat > module/module.toml <<'E'\n{}E\ncat > module/probe <<'E'\n{}E\nchmod 755 module/probe
         docker create --name made busybox:lab; docker cp module made:/module
         docker commit -c 'ENTRYPOINT [\"/module/probe\"]' made {PLACE}/site/probe:1; docker rm made",
        read("module.toml"),
        read("probe")
    ));
    lab.run(&format!("imgpush h1 {PLACE}/site/probe:1")).success();
    lab.run(&format!("xcrane module add docker://{PLACE}/site/probe:1")).success();
    let named = read("module.toml").replace("\"probe\"", "\"named\"");
    let named = named.replace("program = \"named\"", "program = \"probe\"");
    let named = named.replace("[container]\n", &format!("[container]\nimage = \"{PLACE}/site/probe:1\"\n"));
    put(&lab.state().join("modules/named/module.toml"), &named, 0o644);
    put(&lab.state().join("modules/named/probe"), &read("probe"), 0o755);
}

#[test]
fn a_module_in_a_container_runs_from_the_registry_of_its_new_site() {
    let lab = site(2);
    contained(&lab);
    let exported = lab.run("xcrane bundle export probe.bundle probe named --no-tables --no-program");
    assert!(exported.code == 0 && exported.stdout.contains("2 modules, 2 images"), "{exported}");
    other(&lab, "mkdef h2 groups=hosts ip=10.77.0.2").success();
    let made = lab.shell(&format!("echo sesame | {OTHER} xcrane mkregistry h2 --auth ada --password-stdin"));
    assert_eq!(made.code, 0, "{made}");
    other(&lab, &format!("chdef -p h2 dockertrust={ELSEWHERE}")).success();
    other(&lab, "mkhost h2 -y").success();
    // Nobody but the new site has it from now on, not even the engine that runs it.
    lab.host("h1").power_off();
    let imported = other(&lab, "bundle import probe.bundle");
    assert_eq!(imported.code, 0, "{imported}");
    assert!(imported.stdout.contains("image site/probe:1: pushed to 10.77.0.2:5000\n"), "{imported}");
    let plan = ["probe", "named"].map(|name| {
        other_config(&lab, name, "host = 'h2'\n");
        assert_eq!(
            lab.host("h2").shell(&format!("docker images -q {ELSEWHERE}/site/probe")),
            "",
            "it is there already"
        );
        let plan = other(&lab, &format!("module plan {name}"));
        lab.host("h2").shell("docker image prune -af");
        plan.to_string()
    });
    assert_snapshot!(plan.concat(), @"
    probe: nothing to do
    ------- stderr -------
    kept: xcrane module apply probe --plan $PLAN
    named: modules: '' -> named
    ------- stderr -------
    kept: xcrane module apply named --plan $PLAN
    [exit status: 2]
    ");
    let again = other(&lab, "bundle import probe.bundle");
    assert!(again.code == 0 && again.stdout.lines().all(|line| line.ends_with(": unchanged")), "{again}");
    // From there it goes on to a third site, as that which it was.
    let further = other(&lab, "bundle export further.bundle probe named --no-tables --no-program");
    assert!(further.code == 0 && further.stdout.contains("2 modules, 2 images"), "{further}");
    let list = |bundle: &str| {
        let text = lab.shell(&format!("tar -xOf {bundle} bundle.json")).success();
        let list: serde_json::Value = serde_json::from_str(&text).expect("a list");
        let names: Vec<_> = list["members"].as_array().expect("members").iter().map(|it| it["name"].clone()).collect();
        (list["images"].clone(), names)
    };
    assert_eq!(list("further.bundle"), list("probe.bundle"));
}

/// Nothing here has a way out: there is the wire between the hosts, and no route to anywhere else.
fn is_alone(lab: &Lab) {
    lab.host("h1").shell("ip route del default");
    for run in [lab.shell("ip route get 192.0.2.1"), lab.host("h1").run("ip route get 192.0.2.1")] {
        assert!(run.code != 0 && run.stderr.contains("unreachable"), "{run}");
    }
}

#[test]
fn without_a_network_a_site_installs_what_it_was_brought() {
    let lab = defined_hosts(lab().systemd_hosts(1), 1);
    is_alone(&lab);
    let export = format!(
        "xcrane bundle export store.bundle etcd --no-tables --no-program --packages-from debian12={}",
        lab.package_directory().display()
    );
    let exported = lab.spawn(&export).wait(5 * LIMIT);
    assert_eq!(exported.code, 0, "{exported}");
    let host = lab.host("h1");
    host.shell("rm -rf /etc/apt/sources.list /etc/apt/sources.list.d /var/lib/apt/lists/*");
    other(&lab, "mkdef h1 groups=hosts ip=10.77.0.1").success();
    other(&lab, "bundle import store.bundle").success();
    let packages = lab.home().join("other/packages/debian12");
    let rest = format!("nodes = 'h1'\npackage-directory = '{}'\n", packages.display());
    other_config(&lab, "etcd", &rest);
    // The settings of a host of the lab are those of the machine below it, but for its network's.
    other_config(
        &lab,
        "node-base",
        &format!("{rest}time-servers = ['10.77.0.254']\nsysctl = ['net.core.somaxconn=5000']\n"),
    );
    let line = "XCRANE_HOME=$PWD/other; export XCRANE_HOME; xcrane module apply etcd --with-requirements";
    let applied = lab.shell(line);
    assert_eq!(applied.code, 0, "{applied}");
    let installed = host.shell("dpkg-query -W -f '${Package} ${Status}\n' chrony etcd-server");
    assert_eq!(installed, "chrony install ok installed\netcd-server install ok installed\n");
    let again = other(&lab, "module plan etcd");
    assert_eq!(again.code, 0, "{again}");
}

#[test]
fn tables_count_when_they_are_restored() {
    let lab = crate::rack();
    lab.run("mkdef -t network blue driver=bridge net=10.80.0.0 mask=255.255.0.0").success();
    lab.run("chtab key=system passwd.username=root passwd.password=sesame").success();
    lab.run("chdef -t site domain=cluster").success();
    lab.run("xcrane bundle export site.bundle --no-program").success();
    lab.run("xcrane bundle export secret.bundle --no-program --passwords").success();
    assert_snapshot!(session(&lab, "
        XCRANE_HOME=$PWD/other xcrane bundle import site.bundle 2>/dev/null
        XCRANE_HOME=$PWD/other lsdef
        XCRANE_HOME=$PWD/other restorexCATdb -p other/bundles/tables
        XCRANE_HOME=$PWD/other lsdef
        XCRANE_HOME=$PWD/other lsdef -t network blue -i net
        XCRANE_HOME=$PWD/other gettab key=domain site.value
        XCRANE_HOME=$PWD/other tabdump passwd
        XCRANE_HOME=$PWD/third xcrane bundle import secret.bundle 2>/dev/null
        XCRANE_HOME=$PWD/third restorexCATdb -p third/bundles/tables
        XCRANE_HOME=$PWD/third gettab key=system passwd.password
        lsdef n1 >here; XCRANE_HOME=$PWD/other lsdef n1 | diff here -
    "), @"
    $ XCRANE_HOME=$PWD/other xcrane bundle import site.bundle 2>/dev/null
    the tables: put to $HOME/other/bundles/tables; nothing of them counts before: restorexCATdb -p $HOME/other/bundles/tables
    $ XCRANE_HOME=$PWD/other lsdef
    No object definitions have been found
    $ XCRANE_HOME=$PWD/other restorexCATdb -p other/bundles/tables
    Restored 11 rows of 5 tables.
    $ XCRANE_HOME=$PWD/other lsdef
    n1  (node)
    n2  (node)
    n3  (node)
    n4  (node)
    $ XCRANE_HOME=$PWD/other lsdef -t network blue -i net
    Object name: blue
        net=10.80.0.0
    $ XCRANE_HOME=$PWD/other gettab key=domain site.value
    cluster
    $ XCRANE_HOME=$PWD/other tabdump passwd
    #key,username,password,cryptmethod,authdomain,comments,disable
    $ XCRANE_HOME=$PWD/third xcrane bundle import secret.bundle 2>/dev/null
    the tables: put to $HOME/third/bundles/tables; nothing of them counts before: restorexCATdb -p $HOME/third/bundles/tables
    $ XCRANE_HOME=$PWD/third restorexCATdb -p third/bundles/tables
    Restored 12 rows of 6 tables.
    $ XCRANE_HOME=$PWD/third gettab key=system passwd.password
    sesame
    $ lsdef n1 >here; XCRANE_HOME=$PWD/other lsdef n1 | diff here -
    ");
}

#[test]
fn what_a_bundle_brings_is_for_its_owner_and_put_where_it_belongs() {
    let lab = crate::rack();
    lab.run("chtab key=system passwd.username=root passwd.password=sesame").success();
    lab.run("xcrane bundle export secret.bundle --no-program --passwords").success();
    other(&lab, "bundle import secret.bundle").success();
    assert_eq!(lab.shell("find other/bundles/tables -type f -not -perm 600").success(), "");
    assert!(lab.shell("grep -q sesame other/bundles/tables/passwd.csv").code == 0);
    // Whoever may put links into the directory does not choose what root empties, or makes.
    lab.shell("echo whole >victim; ln -sf ../../victim other/bundles/import.lock").success();
    assert_snapshot!(session(&lab, "
        XCRANE_HOME=$PWD/other xcrane bundle import secret.bundle 2>&1 | grep -v ^signed
        rm other/bundles/import.lock; ln -sf ../../victim other/bundles/.tables.lock
        XCRANE_HOME=$PWD/other xcrane bundle import secret.bundle 2>&1 | grep -v ^signed
        cat victim
    "), @"
    $ XCRANE_HOME=$PWD/other xcrane bundle import secret.bundle 2>&1 | grep -v ^signed
    Error: cannot write $HOME/other/bundles/import.lock: it is a link, and none is followed there
    $ rm other/bundles/import.lock; ln -sf ../../victim other/bundles/.tables.lock
    $ XCRANE_HOME=$PWD/other xcrane bundle import secret.bundle 2>&1 | grep -v ^signed
    Error: cannot write $HOME/other/bundles/tables: it is a link, and none is followed there
    $ cat victim
    whole
    ");
}

#[test]
fn ctrl_c_ends_an_import_while_a_large_image_is_read() {
    let lab = crate::rack();
    lab.shell(
        "mkdef -t osimage big imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64 &&
         mkdir -p $XCRANE_HOME/images/big && cd $XCRANE_HOME/images/big && echo kernel >kernel && echo disk >initrd &&
         truncate -s 200M root.sqfs && sha256sum kernel initrd root.sqfs >sha256sums",
    )
    .success();
    lab.spawn("xcrane bundle export big.bundle --osimage big --no-tables --no-program").wait(LIMIT).success();
    let there = || lab.shell("ls -i $XCRANE_HOME/images/big; ls -d $XCRANE_HOME/*/.big.new").stdout;
    let before = there();
    let run = lab.spawn("xcrane bundle import big.bundle --force");
    let begun = lab.state().join("bundles/osimage.tar");
    wait_for("the image to be read", LIMIT, || match begun.exists() {
        true => Wait::Ready(()),
        false => Wait::NotYet("it is not there yet".to_owned()),
    });
    run.interrupt();
    let run = run.wait(LIMIT);
    assert_eq!(run.code, 130, "{run}");
    assert!(run.stderr.contains("Error: interrupted\nHint: the same command goes on where this one was\n"), "{run}");
    assert!(!begun.exists() && !run.stdout.contains("osimage big"), "{run}");
    assert_eq!(there(), before);
}

#[test]
fn a_bundle_is_written_where_nothing_else_is() {
    let lab = crate::rack();
    let quiet = "2>/dev/null | sed 's/exported, [0-9.]*K/exported, SIZE/'";
    assert_snapshot!(session(&lab, &format!("
        echo mine >mine
        xcrane bundle export mine --no-program
        cat mine
        xcrane bundle export mine --no-program --force {quiet}
        xcrane bundle export mine --no-program
        mkdir -p .mine.parts/blobs
        xcrane bundle export mine --no-program {quiet}
        xcrane bundle export none/site.bundle --no-program
        ls
        xcrane bundle export other.bundle --no-program --have /etc/passwd
        echo '{{}}' >empty; xcrane bundle export other.bundle --no-program --have empty
        xcrane bundle export other.bundle --no-program --have nowhere
    ")), @"
    $ echo mine >mine
    $ xcrane bundle export mine --no-program
    ------- stderr -------
    Error: mine is there
    Hint: choose another name, or write over it with: --force
    [exit status: 1]
    $ cat mine
    mine
    $ xcrane bundle export mine --no-program --force 2>/dev/null | sed 's/exported, [0-9.]*K/exported, SIZE/'
    mine: exported, SIZE: 2 tables
    $ xcrane bundle export mine --no-program
    ------- stderr -------
    Error: mine is there
    Hint: choose another name, or write over it with: --force
    [exit status: 1]
    $ mkdir -p .mine.parts/blobs
    $ xcrane bundle export mine --no-program 2>/dev/null | sed 's/exported, [0-9.]*K/exported, SIZE/'
    mine: exported, SIZE: 2 tables
    $ xcrane bundle export none/site.bundle --no-program
    ------- stderr -------
    Error: cannot write none/site.bundle: there is no directory $HOME/none
    Hint: mkdir -p $HOME/none
    [exit status: 1]
    $ ls
    mine
    xcrane.toml
    $ xcrane bundle export other.bundle --no-program --have /etc/passwd
    ------- stderr -------
    Error: cannot use /etc/passwd: it is no bundle, or it is damaged
    Hint: it takes the site's $XCRANE_HOME/bundles/have.json, which every import writes there, or a bundle that it has imported
    [exit status: 1]
    $ echo '{}' >empty; xcrane bundle export other.bundle --no-program --have empty
    ------- stderr -------
    Error: cannot use empty: missing field `format` at line 1 column 2
    Hint: it takes the site's $XCRANE_HOME/bundles/have.json, which every import writes there, or a bundle that it has imported
    [exit status: 1]
    $ xcrane bundle export other.bundle --no-program --have nowhere
    ------- stderr -------
    Error: cannot use nowhere: No such file or directory (os error 2)
    [exit status: 1]
    ");
}
