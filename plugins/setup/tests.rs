//! Plans of many cases, and the whole way on this machine, in a directory of its own.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::{Event, Host, Progress};

fn file(path: &str, text: &str) -> Thing {
    Thing::File(File::public(path, text))
}

fn unit(follows: &[&str], follow_by: Follow) -> Thing {
    let follows = follows.iter().map(|path| (*path).to_owned()).collect();
    Thing::Unit(Unit { name: "u".into(), enabled: true, active: true, follows, follow_by })
}

fn running() -> UnitState {
    UnitState { exists: true, enabled: true, active: true, ..UnitState::default() }
}

/// A host of family apt with these files and its unit `u`.
fn host(files: &[(&str, &str)], u: UnitState) -> Observed {
    let text = |text: &str| FileState::Text { text: text.into(), mode: 0o644 };
    Observed {
        family: Some(Family::Apt),
        files: files.iter().map(|(path, content)| ((*path).into(), text(content))).collect(),
        units: BTreeMap::from([("u".into(), u)]),
        ..Observed::default()
    }
}

#[track_caller]
fn check(wanted: &[Thing], observed: &Observed, expected: &[&str]) {
    let titles: Vec<String> = plan(wanted, observed).iter().map(Step::title).collect();
    assert_eq!(titles, expected);
}

#[test]
fn files() {
    let there = host(&[("/a", "x")], UnitState::default());
    check(&[file("/a", "x")], &there, &[]);
    check(&[file("/a", "y")], &there, &["change /a"]);
    check(&[file("/b", "x")], &there, &["create /b"]);
    check(&[Thing::NoFile("/a".into()), Thing::NoFile("/b".into())], &there, &["delete /a"]);
    let mode = Thing::File(File { mode: 0o600, ..File::public("/a", "x") });
    check(&[mode], &there, &["set the mode of /a to 0600"]);
}

#[test]
fn secrets_are_compared_by_digest() {
    let secret = |text: &str| Thing::File(File::secret("/k", text, 0o600));
    let digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881".into();
    let files = BTreeMap::from([("/k".into(), FileState::Secret { digest, mode: 0o600 })]);
    let there = Observed { files, ..Observed::default() };
    check(&[secret("x")], &there, &[]);
    check(&[secret("y")], &there, &["change /k"]);
    check(&[secret("x")], &Observed::default(), &["create /k"]);
}

#[test]
fn packages() {
    let mut there = host(&[], UnitState::default());
    there.packages.insert("a|b".into(), PackageState::Installed("b".into()));
    there.packages.insert("c|d".into(), PackageState::Offered("d".into()));
    there.packages.insert("e|f".into(), PackageState::Unknown);
    let wanted = |names: &[&str]| Thing::Packages(names.iter().map(|name| (*name).into()).collect());
    check(&[wanted(&["a|b"])], &there, &[]);
    check(&[wanted(&["a|b", "c|d", "e|f"])], &there, &["install d, e"]);
    check(&[Thing::NoPackages(vec!["a|b".into(), "c|d".into()])], &there, &["remove packages b"]);
    let updates = |names: &[&str]| match plan(&[wanted(names)], &there).as_slice() {
        [Step::Install(install)] => install.update,
        other => panic!("{other:?}"),
    };
    assert!(!updates(&["c|d"]) && updates(&["c|d", "e|f"]));
}

#[test]
fn units() {
    let wanted = [unit(&[], Follow::Restart)];
    check(&wanted, &host(&[], running()), &[]);
    check(&wanted, &host(&[], UnitState::default()), &["enable u", "reload the units of systemd", "start u"]);
    check(&wanted, &host(&[], UnitState { active: false, ..running() }), &["start u"]);
    check(&wanted, &host(&[], UnitState { outdated: true, ..running() }), &["reload the units of systemd"]);
    let off = Thing::Unit(Unit {
        name: "u".into(),
        enabled: false,
        active: false,
        follows: vec![],
        follow_by: Follow::Reload,
    });
    check(std::slice::from_ref(&off), &host(&[], running()), &["disable u", "stop u", "reload the units of systemd"]);
    check(&[off], &host(&[], UnitState::default()), &[]);
}

#[test]
fn a_running_unit_follows_its_files() {
    let there = host(&[("/a", "x"), ("/b", "x")], running());
    let (reload, restart) = (unit(&["/a"], Follow::Reload), unit(&["/b"], Follow::Restart));
    check(&[file("/a", "x"), reload.clone()], &there, &[]);
    check(&[file("/a", "y"), reload.clone()], &there, &["change /a", "reload u for /a"]);
    check(&[Thing::NoFile("/a".into()), reload.clone()], &there, &["delete /a", "reload u for /a"]);
    check(&[file("/c", "y"), reload.clone()], &there, &["create /c"]);
    let both = [file("/a", "y"), reload.clone(), file("/b", "y"), restart.clone()];
    check(&both, &there, &["change /a", "change /b", "restart u for /a, /b"]);
    check(&[file("/a", "y"), file("/b", "x"), reload, restart], &there, &["change /a", "reload u for /a"]);
}

#[test]
fn a_stopped_unit_is_started_and_not_restarted() {
    let there = host(&[("/a", "x")], UnitState { active: false, ..running() });
    check(&[file("/a", "y"), unit(&["/a"], Follow::Restart)], &there, &["change /a", "start u"]);
}

#[test]
fn what_a_killed_run_left_undone_is_done() {
    let left = |follow| host(&[("/a", "x")], UnitState { follow: Some(follow), ..running() });
    let wanted = [file("/a", "x"), unit(&["/a"], Follow::Reload)];
    check(&wanted, &left(Follow::Reload), &["reload u, which was left undone"]);
    check(&wanted, &left(Follow::Restart), &["restart u, which was left undone"]);
    let outdated = Observed { outdated: true, ..left(Follow::Restart) };
    check(&wanted, &outdated, &["reload the units of systemd", "restart u, which was left undone"]);
    check(
        &wanted[..1],
        &Observed { outdated: true, ..host(&[("/a", "x")], running()) },
        &["reload the units of systemd"],
    );
}

#[test]
fn units_are_read_again_before_they_are_used_and_after_they_are_gone() {
    let path = "/etc/systemd/system/u.service";
    let reload = "reload the units of systemd";
    let wanted = [file(path, "x"), unit(&[], Follow::Restart)];
    check(&wanted, &host(&[], UnitState::default()), &[&format!("create {path}"), "enable u", reload, "start u"]);
    check(&wanted, &host(&[], running()), &[&format!("create {path}"), reload]);
    // A new one is read when it is started; a new file for one that there is hides its own.
    let Thing::Unit(named) = unit(&[], Follow::Restart) else { unreachable!("it is a unit") };
    let wanted = [file(path, "x"), Thing::Unit(Unit { name: "u.service".into(), ..named })];
    let observed = |state: UnitState| {
        let mut observed = host(&[], running());
        observed.units.insert("u.service".into(), state);
        observed.files.insert(path.into(), FileState::Absent);
        observed
    };
    check(
        &wanted,
        &observed(UnitState::default()),
        &[&format!("create {path}"), "enable u.service", "start u.service"],
    );
    let hidden = observed(UnitState { exists: true, ..UnitState::default() });
    let mut masked = observed(UnitState::default());
    masked.files.insert(path.into(), FileState::Other);
    for known in [hidden, masked] {
        check(&wanted, &known, &[&format!("create {path}"), "enable u.service", reload, "start u.service"]);
    }
    let off = Thing::Unit(Unit {
        name: "u".into(),
        enabled: false,
        active: false,
        follows: vec![],
        follow_by: Follow::Reload,
    });
    let gone = [off, Thing::NoFile(path.into())];
    check(&gone, &host(&[(path, "x")], running()), &["disable u", "stop u", &format!("delete {path}"), reload]);
}

#[test]
fn facts() {
    let fact = Thing::Fact(Fact { what: "it is so".into(), check: vec!["true".into()], make: vec!["true".into()] });
    let seen = |so| Observed { facts: BTreeMap::from([("it is so".into(), so)]), ..Observed::default() };
    check(std::slice::from_ref(&fact), &seen(true), &[]);
    check(&[fact], &seen(false), &["make it so that it is so"]);
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// A list of things in `dir`: a file in a directory that is not there, a secret, a fact, and a file too many.
fn things(dir: &Path) -> Vec<Thing> {
    let path = |name: &str| dir.join(name).display().to_string();
    let made = path("made");
    vec![
        file(&path("deep/er/it's"), "two\nlines, no newline"),
        Thing::File(File::secret(path("key"), "ü\n", 0o600)),
        Thing::Fact(Fact {
            what: "made exists".into(),
            check: words(&format!("test -d {made}")),
            make: words(&format!("mkdir {made}")),
        }),
        Thing::NoFile(path("old/gone")),
    ]
}

#[tokio::test]
async fn the_whole_way_and_nothing_the_second_time() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("old")).unwrap();
    std::fs::write(dir.path().join("old/gone"), "x").unwrap();
    let wanted = things(dir.path());
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let progress = Progress::new(move |event| seen.lock().unwrap().push(event));
    let steps = plan(&wanted, &observe(&Host::Local, &wanted).await.unwrap());
    assert_eq!(steps.len(), 4, "{steps:?}");
    carry_out(&Host::Local, &steps, &progress).await.unwrap();
    let mode = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("deep/er/it's"), mode("key")), (0o644, 0o600));
    assert_eq!(std::fs::read_to_string(dir.path().join("deep/er/it's")).unwrap(), "two\nlines, no newline");
    assert!(!dir.path().join("old").exists(), "an empty directory was left");
    assert_eq!(std::fs::read_dir(dir.path().join("deep/er")).unwrap().count(), 1, "something was left beside the file");
    let observed = observe(&Host::Local, &wanted).await.unwrap();
    assert_eq!(plan(&wanted, &observed), [], "{observed:?}");
    let told = events.lock().unwrap().iter().filter(|event| matches!(event, Event::Step { total: 4, .. })).count();
    assert_eq!(told, 4);
}

#[tokio::test]
async fn a_secret_that_goes_is_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.pem");
    std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\n").unwrap();
    let wanted = [Thing::NoSecret(path.display().to_string())];
    let observed = observe(&Host::Local, &wanted).await.unwrap();
    assert!(!format!("{observed:?}").contains("PRIVATE"), "{observed:?}");
    let steps = plan(&wanted, &observed);
    assert!(matches!(&steps[..], [step @ Step::Delete { before: None, .. }] if step.diff().is_none()), "{steps:?}");
    carry_out(&Host::Local, &steps, &Progress::silent()).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn the_first_failure_ends_it_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::create_dir(path("directory")).unwrap();
    let fails = async |thing: Thing, expected: &str| {
        let wanted = [thing, file(&path("later"), "x")];
        let steps = plan(&wanted, &observe(&Host::Local, &wanted).await.unwrap());
        let error = carry_out(&Host::Local, &steps, &Progress::silent()).await.unwrap_err();
        assert_eq!(crate::chain(&error).replace(&path(""), "$DIR/"), expected);
        assert!(!dir.path().join("later").exists());
    };
    fails(file(&path("directory"), "x"), "cannot create $DIR/directory: $DIR/directory is a directory").await;
    let fact = |make: &str| Thing::Fact(Fact { what: "it is so".into(), check: words("false"), make: words(make) });
    fails(fact("true"), "cannot make it so that it is so: it is so is still not true (exit code 1)").await;
    fails(
        fact("ls /nonexistent"),
        "cannot make it so that it is so: ls: cannot access '/nonexistent': No such file or directory",
    )
    .await;
}

#[tokio::test]
async fn a_text_that_breaks_off_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    std::fs::write(&path, "old").unwrap();
    let after = "it is\n".repeat(9);
    let after = Text::Public(after);
    let step = Step::Write { path: path.display().to_string(), before: None, after, mode: 0o644 };
    let whole = carry_out::program(&[step], 1);
    for length in (0..whole.len()).filter(|length| whole.len() - length < 90 || length % 97 == 0) {
        let argv = ["sh", "-c", "eval \"$(cat)\""];
        let ran = Host::Local.try_run(&argv, &whole.as_bytes()[..length]).await.unwrap();
        // Without its newline the last word has arrived all the same.
        assert!(ran.stdout.is_empty() || length == whole.len() - 1, "{length} of {}: {ran:?}", whole.len());
        if length == whole.len() - 1 {
            std::fs::write(&path, "old").unwrap();
        }
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn whose_file_it_was_and_where_a_link_leads_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir(path("site")).unwrap();
    std::fs::write(path("site/real"), "old").unwrap();
    std::os::unix::fs::chown(path("site/real"), Some(7), Some(8)).unwrap();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, path(name)).unwrap();
    link("site/real", "link");
    link("site/new", "ahead");
    link("/dev/null", "masked");
    link("nowhere/new", "astray");
    let write = async |name: &str| {
        let wanted = [Thing::File(File { mode: 0o640, ..File::public(path(name).display().to_string(), "new") })];
        let steps = plan(&wanted, &observe(&Host::Local, &wanted).await.unwrap());
        let done = carry_out(&Host::Local, &steps, &Progress::silent()).await.map_err(|error| crate::chain(&error));
        let again = plan(&wanted, &observe(&Host::Local, &wanted).await.unwrap());
        assert_eq!(again.is_empty(), done.is_ok(), "{name}: {again:?}");
        done.map_err(|error| error.replace(&dir.path().display().to_string(), "$DIR"))
    };
    write("link").await.unwrap();
    write("ahead").await.unwrap();
    let real = std::fs::metadata(path("site/real")).unwrap();
    assert_eq!((real.uid(), real.gid(), real.mode() & 0o7777), (7, 8, 0o640));
    assert!(path("link").is_symlink() && std::fs::read_to_string(path("site/new")).unwrap() == "new");
    assert_eq!(
        write("masked").await.unwrap_err(),
        "cannot create $DIR/masked: $DIR/masked leads to /dev/null, which is no file"
    );
    assert_eq!(
        write("astray").await.unwrap_err(),
        "cannot create $DIR/astray: $DIR/astray is a link into a directory that is not there"
    );
}
