//! `xcrane bundle`: from a site with a registry and packages to another that has neither the one nor the other, with real ones of both.

use std::fs;
use std::path::Path;

use ::lab::{Lab, Run, Wait, wait_for};

use crate::imgpush::{grow, meaning, site};
use crate::mkregistry::{LIMIT, PLACE};

/// The same machine as another site: a home of its own, and a registry on h2.
const OTHER: &str = "XCRANE_HOME=$PWD/other";
const ELSEWHERE: &str = "10.77.0.2:5000";

fn other(lab: &Lab, line: &str) -> Run {
    lab.shell(&format!("{OTHER} xcrane {line}"))
}

/// A module that requires one of each kind.
fn module(lab: &Lab, digest: &str) {
    let release = lab.package_directory().join("Release");
    let sum = lab.shell(&format!("sha256sum {}", release.display())).success();
    let sum = sum.split_whitespace().next().expect("a digest");
    let (directory, source) = (lab.state().join("modules/tool/bin"), lab.package_source());
    fs::create_dir_all(&directory).expect("the home of a lab can be written");
    let methods: String = ["metadata", "init", "plan", "apply", "audit"]
        .map(|method| format!("{method} = {{ way = 'local', program = 'bin/run' }}\n"))
        .concat();
    let manifest = format!(
        "[labels]\nname = 'tool'\nversion = '1.0'\n[requirements]\npackages = {{ debian12 = ['iperf3'] }}\n\
         images = [{{ ref = '{PLACE}/apps/big:1', digest = '{digest}' }}]\n\
         files = [{{ url = '{source}Release', sha256 = '{sum}', path = 'etc/release' }}]\n[methods]\n{methods}"
    );
    fs::write(directory.join("../module.toml"), manifest).expect("a file");
    fs::write(directory.join("run"), "#!/bin/sh\n").expect("a file");
    lab.shell(&format!("chmod 755 {}", directory.join("run").display())).success();
}

/// What this site has to give, and the other site with its registry.
fn sites() -> Lab {
    let lab = site(2);
    grow(&lab, "h1", "busybox:lab", "big", 20);
    lab.run(&format!("imgpush h1 big:1 --to {PLACE}/apps/big:1")).success();
    module(&lab, &meaning(&lab, "apps/big:1"));
    lab.shell(
        "mkdef -t osimage tiny imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64 &&
         mkdir -p $XCRANE_HOME/images/tiny && cd $XCRANE_HOME/images/tiny && echo kernel >kernel && echo disk >initrd &&
         echo root >root.sqfs && sha256sum kernel initrd root.sqfs >sha256sums && chtab key=system passwd.username=root passwd.password=sesame",
    )
    .success();
    other(&lab, "mkdef h2 groups=hosts ip=10.77.0.2").success();
    let run = lab.shell(&format!("echo sesame | {OTHER} xcrane mkregistry h2 --auth ada --password-stdin"));
    assert_eq!(run.code, 0, "{run}");
    lab
}

fn export(lab: &Lab) -> String {
    format!(
        "xcrane bundle export site.bundle tool --osimage tiny --packages-from debian12={}",
        lab.package_directory().display()
    )
}

/// Every line of an import but the last is `WHAT: unchanged`, or of tables.
fn changed(run: &str) -> Vec<&str> {
    run.lines().filter(|line| !line.ends_with(": unchanged") && !line.starts_with("the tables: ")).collect()
}

#[test]
fn a_site_without_the_internet_gets_all_of_it() {
    let lab = sites();
    let plan = lab.run(&export(&lab).replace("export site.bundle", "plan"));
    assert_eq!(plan.code, 0, "{plan}");
    for line in [
        "module tool 1.0: ",
        "image apps/big:1: 2",
        "package debian12 iperf3_",
        "package debian12 libc6_",
        "file etc/release of module tool: ?",
        "osimage tiny: ",
        "the tables, without passwords: ",
    ] {
        assert!(plan.stdout.lines().any(|told| told.starts_with(line)), "{line} is not in {plan}");
    }

    // Killed while it fetches; the next goes on with what is there.
    lab.host("h1").slow("40mbit");
    let run = lab.spawn(&export(&lab));
    wait_for("the first of a layer", LIMIT, || {
        let begun = lab.shell("stat -c %s .site.bundle.parts/blobs/.*.part | sort -n | tail -n 1");
        match begun.stdout.trim().parse() {
            Ok(1_000_000..20_000_000) => Wait::Ready(()),
            _ => Wait::NotYet(begun.to_string()),
        }
    });
    run.kill();
    drop(run);
    assert!(!lab.home().join("site.bundle").exists());
    lab.host("h1").heal();
    let exported = lab.spawn(&export(&lab)).wait(5 * LIMIT);
    assert!(exported.code == 0 && exported.stdout.contains("1 modules, 1 images, "), "{exported}");
    assert!(!lab.home().join(".site.bundle.parts").exists());
    let key = exported
        .stderr
        .split_whitespace()
        .find(|word| word.starts_with("ed25519:"))
        .expect("the key is told")
        .to_owned();
    assert!(
        lab.shell("tar -xOf site.bundle --wildcards 'tables/*' | grep -q sesame").code == 1,
        "a password is in the bundle"
    );
    assert!(lab.shell("tar -tf site.bundle | grep -q tables/site.csv").code == 0);

    damaged_and_foreign_ones_change_nothing(&lab, &key);
    import_is_completed(&lab, &key);
    the_other_site_can_use_it(&lab);
    what_it_has_is_left_out(&lab);
    images_that_no_registry_has_come_from_a_host_and_from_a_file(&lab);
    a_module_comes_as_an_image_of_a_registry(&lab);
}

fn damaged_and_foreign_ones_change_nothing(lab: &Lab, key: &str) {
    lab.shell("cp site.bundle changed.bundle && head -c 12000000 site.bundle >half.bundle").success();
    // In the middle of the largest piece.
    lab.shell("printf X | dd of=changed.bundle bs=1 seek=12000000 conv=notrunc status=none").success();
    lab.shell("sed 's/apps.big:1/apps\\/bad:1/' site.bundle >renamed.bundle").success();
    lab.shell("XCRANE_HOME=$PWD/stranger xcrane bundle export foreign.bundle --no-tables").success();
    let before = lab.shell("find other -type f ! -name '*.db*' | sort").success();
    let check = |line: &str, expected: &str| {
        let run = other(lab, &format!("bundle import {line}"));
        assert!(run.code == 1 && run.stderr.contains(expected), "{line}: {run}");
    };
    check("changed.bundle", "is not what its digest says");
    check("half.bundle", "it ends before its time");
    check("renamed.bundle", "somebody has changed it");
    check("other.bundle", "No such file");
    check(&format!("foreign.bundle --key {key}"), "which is not the key that was given");
    check("site.bundle --registry none", "there is no registry 'none'");
    assert_eq!(
        lab.shell("find other -type f ! -name '*.db*' ! -path other/bundles/import.lock | sort").success(),
        before
    );
    let told = other(lab, &format!("bundle verify site.bundle --key {key}"));
    assert!(told.code == 0 && told.stdout.contains(": whole, made "), "{told}");
}

fn import_is_completed(lab: &Lab, key: &str) {
    lab.host("h2").slow("40mbit");
    let killed = lab.shell(&format!("{OTHER} timeout -s KILL 2.5 xcrane bundle import site.bundle"));
    assert_eq!(killed.code, 137, "{killed}");
    lab.host("h2").heal();
    let run = other(lab, "bundle import site.bundle");
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stderr.contains(key), "{run}");
    let again = other(lab, "bundle import site.bundle");
    assert!(again.code == 0 && changed(&again.stdout).is_empty(), "{again}");
    let foreign = other(lab, "bundle import foreign.bundle");
    assert!(foreign.code == 1 && foreign.stderr.contains("which is none of "), "{foreign}");
}

/// The image has its digest, apt installs from the directory, and what stands there is what was sent.
fn the_other_site_can_use_it(lab: &Lab) {
    let accept = "Accept: application/vnd.docker.distribution.manifest.v2+json";
    let there = lab.host("h2").shell(&format!(
        "curl -sk -u ada:sesame -I -H '{accept}' https://{ELSEWHERE}/v2/apps/big/manifests/1 | tr -d '\\r' |
         sed -n 's/^docker-content-digest: //Ip'"
    ));
    assert_eq!(there.trim(), meaning(lab, "apps/big:1"));
    let known = other(lab, &format!("lsdef -t osimage {ELSEWHERE}/apps/big:1 -i digest")).success();
    assert!(known.contains(there.trim()), "{known}");
    lab.shell("tar -cf packages.tar -C other/packages debian12").success();
    lab.run("xdcp h2 packages.tar /srv/packages.tar").success();
    lab.host("h2").shell(
        "cd /srv && tar -xf packages.tar && echo 'deb [trusted=yes] file:/srv/debian12 ./' >/etc/apt/sources.list &&
         rm -f /etc/apt/sources.list.d/* && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --reinstall iperf3 >/dev/null && iperf3 --version",
    );
    assert!(other(lab, "module info tool").success().starts_with("tool: "));
    lab.shell("cmp other/modules/tool/bin/run $XCRANE_HOME/modules/tool/bin/run && test -x other/modules/tool/bin/run")
        .success();
    lab.shell(&format!("cmp other/files/tool/etc/release {}/Release", lab.package_directory().display())).success();
    lab.shell(
        "cmp other/bundles/program/xcrane $(readlink -f $(command -v xcrane)) && cat other/images/tiny/root.sqfs",
    )
    .success();
    // Tables wait until somebody takes them.
    assert_ne!(other(lab, "nodels h1").code, 0);
}

fn what_it_has_is_left_out(lab: &Lab) {
    let line = export(lab).replace("site.bundle", "more.bundle");
    let exported = lab.run(&format!("{line} --have other/bundles/have.json --no-program"));
    assert!(exported.code == 0 && exported.stdout.contains(" left out"), "{exported}");
    let size = fs::metadata(lab.home().join("more.bundle")).expect("it is there").len();
    assert!(size < 1_000_000, "{size}");
    let run = other(lab, "bundle import more.bundle");
    assert!(run.code == 0 && changed(&run.stdout).is_empty(), "{run}");
    // A site that has not what it was said to have hears of it before anything is done.
    fs::remove_file(lab.home().join("other/packages/debian12").join(package(&lab.home()))).expect("it is there");
    let run = other(lab, "bundle import more.bundle");
    assert!(run.code == 1 && run.stderr.contains("was left out of the bundle, and this site has it not"), "{run}");
}

fn images_that_no_registry_has_come_from_a_host_and_from_a_file(lab: &Lab) {
    let host = lab.host("h1");
    for name in ["only/host:1", "only/file:1"] {
        host.docker(&format!("tag busybox:lab {name}")).success();
    }
    lab.run("imgsave only/file:1 file.tar --from h1").success();
    host.docker("rmi only/file:1").success();
    let line = "bundle export images.bundle --image only/host:1 --image only/file:1 --no-tables --no-program";
    for (places, lacking) in [("", "only/file:1"), ("--from h1", "only/file:1"), ("--archive file.tar", "only/host:1")]
    {
        let run = lab.run(&format!("{line} {places}"));
        assert!(run.code == 1 && run.stderr.contains(&format!("image {lacking} was not found")), "{places}: {run}");
    }
    let run = lab.run(&format!("{line} --from h1 --archive file.tar"));
    assert!(run.code == 0 && run.stdout.contains(": 2 images"), "{run}");
    let run = other(lab, "bundle import images.bundle");
    assert_eq!(run.code, 0, "{run}");
    for name in ["host", "file"] {
        let tags =
            lab.host("h2").shell(&format!("curl -sk -u ada:sesame https://{ELSEWHERE}/v2/only/{name}/tags/list"));
        assert!(tags.contains(r#""tags":["1"]"#), "{tags}");
    }
}

fn a_module_comes_as_an_image_of_a_registry(lab: &Lab) {
    let methods: String = ["metadata", "init", "plan", "apply", "audit"]
        .map(|method| format!("{method} = {{ way = 'local', program = 'run' }}\n"))
        .concat();
    lab.host("h1").shell(&format!(
        "mkdir -p /boxed/module && cd /boxed && printf '#!/bin/sh\necho boxed\n' >module/run && chmod 755 module/run &&
         cat >module/module.toml <<'E' && docker create --name boxed busybox:lab true && docker cp module boxed:/module &&
[labels]\nname = 'boxed'\nversion = '1.5'\n[methods]\n{methods}E
         docker commit boxed {PLACE}/site/boxed:1 && docker rm boxed"
    ));
    let none = lab.run(&format!("xcrane module add docker://{PLACE}/site/boxed:1"));
    assert_eq!((none.code, none.stdout.as_str()), (1, ""), "{none}");
    lab.run(&format!("imgpush h1 {PLACE}/site/boxed:1")).success();
    let added = lab.run(&format!("xcrane module add docker://{PLACE}/site/boxed:1")).success();
    assert!(added.starts_with("boxed: 1.5 in ") && added.ends_with("/modules/boxed"), "{added}");
    let directory = lab.state().join("modules/boxed");
    assert_eq!(fs::read_to_string(directory.join("run")).expect("a file"), "#!/bin/sh\necho boxed\n");
    // It is of that image as it is now, whatever its tag means later.
    let whence = fs::read_to_string(directory.join(".image")).expect("a file");
    assert_eq!(whence.trim(), format!("{PLACE}/site/boxed@{}", meaning(lab, "site/boxed:1")));
}

/// The file of one of the packages.
fn package(home: &Path) -> String {
    let entries = fs::read_dir(home.join("other/packages/debian12")).expect("packages were imported");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.into_iter().find(|name| name.starts_with("iperf3_") && name.ends_with(".deb")).expect("iperf3 is there")
}
