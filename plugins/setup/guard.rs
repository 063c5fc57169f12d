//! A change that may cut its host off, with a way back that needs nobody: the host undoes it unless we tell it, over a login
//! that was made after the change, that all is well.
//!
//! What is to be undone stands in a file of the host, `NAME:TOKEN`; names may hold dots, and none holds a colon. Who
//! renames that file has decided: the host's own timer, which then undoes, or we, who then keep. A run that is killed
//! anywhere in between leaves the timer to do its work, and until then the fact counts as not true, so that the next run
//! does not build on something that is about to go.
//!
//! The file outlives a power cut, which no timer does: a unit that is there as long as something is on trial undoes it
//! when the host starts. Whoever decides last takes the unit away. An undoing that fails leaves its file, as `-failed`, to
//! the next start, or to the next run, which arms anew.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep, timeout};

use super::Risk;
use crate::error::chain;
use crate::host::{line, quote, why};
use crate::ssh::Exit;
use crate::{Error, Host, Result};

/// How long after the beginning the host waits before it undoes, at least and at most.
const WINDOW: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(150);
/// What is left of that when we no longer try: nobody should be told that it went well when it is being undone.
const MARGIN: Duration = Duration::from_secs(10);
/// Between two attempts to log in.
const PAUSE: Duration = Duration::from_millis(500);
/// Longer than any of our own scripts takes there, an awaited or begun undoing included.
const LIMIT: Duration = Duration::from_secs(180);

/// Where ways back stand on a host, and its units.
struct Place {
    undo: String,
    units: String,
}

impl Place {
    fn usual() -> Self {
        Self { undo: "/etc/xcrane/undo".into(), units: "/etc/systemd/system".into() }
    }

    fn script(&self, script: &str) -> String {
        format!("place={} units={}\n{CLEAN}{script}", quote(&self.undo), quote(&self.units))
    }

    fn unit(&self) -> String {
        format!(
            "# Written by xcrane while a change of this host is on trial.\n\
             [Unit]\nDescription=Way back from a change that nobody has found to be well\n\
             After=network.target systemd-networkd.service NetworkManager.service networking.service\n\n\
             [Service]\nType=oneshot\nExecStart=/bin/sh {}/.boot\n\n\
             [Install]\nWantedBy=multi-user.target\n",
            self.undo
        )
    }
}

/// Does what a begun file says, and keeps the file if that fails. Takes the unit away once nothing is on trial any more.
/// systemd expands what stands in braces after a dollar.
const CLEAN: &str = r#"
undo() {
    sh "$1-begun" && rm -f "$1-begun" && return
    failed=$?
    mv "$1-begun" "$1-failed"
    return $failed
}
clean() {
    [ -z "$(ls "$place" 2>/dev/null)" ] || return 0
    rm -f "$units/multi-user.target.wants/xcrane-undo.service" "$units/xcrane-undo.service" "$place/.boot"
    cd / && rmdir -p "$place" 2>/dev/null || :
}"#;

/// Undoes, unless somebody else was faster; its argument is the name of the file.
const UNDO: &str = r#"
cd "$place" && mv "$1" "$1-begun" 2>/dev/null || exit 0
undo "$1" || exit
clean"#;

/// Undoes all, what was begun before the power went and what failed included.
const BOOT: &str = r#"
cd "$place" || exit 0
failed=0
for file in *; do
    name=${file%-begun}
    name=${name%-failed}
    case $file in
    *-kept) rm -f "$file" && continue ;;
    *-begun) ;;
    *) mv "$file" "$name-begun" || continue ;;
    esac
    undo "$name"
done
clean
exit $failed"#;

/// Writes the file and starts the timer. Timers of earlier runs find their files gone; an undoing in progress is awaited.
/// Networks that are brought up at boot are undone after that. What cannot be armed whole leaves nothing that would undo
/// later what nobody has changed.
const ARM: &str = r#"
mkdir -p "$place" && cd "$place" || exit
for _ in $(seq 60); do
    ls "$1":*-begun >/dev/null 2>&1 || break
    sleep 1
done
rm -f "$1":*
trap 'code=$?; [ $code = 0 ] || { rm -f "$place/$1:$2"; clean; }; exit $code' EXIT
cat >"$1:$2" || exit
if [ -d /run/systemd/system ]; then
    networks=$(cd "$units" && ls -d xcrane-network@*.service 2>/dev/null | tr '\n' ' ')
    printf %s "$5" >.boot && mkdir -p "$units/multi-user.target.wants" &&
        printf '%s\n' "$6" | sed "s/^After=.*/& $networks/" >"$units/xcrane-undo.service" &&
        ln -sf "$units/xcrane-undo.service" "$units/multi-user.target.wants/" || exit
    sync "$1:$2" .boot . .. ../.. "$units/xcrane-undo.service" "$units" "$units/multi-user.target.wants" || exit
    systemd-run --quiet --collect --unit="xcrane-undo-$1:$2" --on-active="$3" --timer-property=AccuracySec=1s \
        sh -c "$4" sh "$1:$2"
else
    setsid sh -c 'sleep "$1"; exec sh -c "$2" sh "$3"' sh "$3" "$4" "$1:$2" </dev/null >/dev/null 2>&1 &
fi"#;

/// True while nothing is about to be undone, and the check says so.
const CHECK: &str = r#"
! ls "$1/$0":* >/dev/null 2>&1 && shift && exec "$@""#;

const KEEP: &str = r#"
cd "$place" && mv "$1" "$1-kept" 2>/dev/null && rm -f "$1-kept" && sync . || exit
clean
[ ! -d /run/systemd/system ] || systemctl stop "xcrane-undo-$1.timer" 2>/dev/null
:"#;

/// The program that says whether it is true and will stay so.
pub(super) fn check(risk: &Risk) -> Vec<String> {
    check_at(&Place::usual(), risk)
}

fn check_at(place: &Place, risk: &Risk) -> Vec<String> {
    let words = ["sh", "-c", CHECK, &risk.name, &place.undo].map(str::to_owned);
    words.into_iter().chain(risk.fact.check.iter().cloned()).collect()
}

/// Makes it true, or leaves the host as it was.
pub(super) async fn venture(host: &Host, risk: &Risk) -> Result<()> {
    venture_within(host, &Place::usual(), risk, window(host.login_limit()), MARGIN).await
}

/// Where the site gives a login longer, such as to slow machines, the change and the login that confirms it need longer.
fn window(login: Duration) -> Duration {
    (2 * login + MARGIN).clamp(WINDOW, LONGEST)
}

async fn venture_within(host: &Host, place: &Place, risk: &Risk, window: Duration, margin: Duration) -> Result<()> {
    let token = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos()).to_string();
    let armed = format!("{}:{token}", risk.name);
    let (seconds, unit) = (window.as_secs().to_string(), place.unit());
    let (way_back, back_at_boot) = (place.script(UNDO), place.script(BOOT));
    let undo = line(&words(&risk.undo));
    let given = [&risk.name, &token, &seconds, &way_back, &back_at_boot, &unit].map(String::as_str);
    shell(host, &place.script(ARM), &given, undo.as_bytes()).await?;
    // Not before: arming may have waited. The host began a moment earlier, which the margin allows for.
    let began = Instant::now();
    let last = began + window.saturating_sub(margin);
    let make = words(&risk.fact.make);
    // A connection that breaks now may be the price of the change, and no more than that.
    match timeout(last - Instant::now(), host.try_run(&make, &[])).await {
        Ok(Ok(ran)) if ran.exit != Exit::Code(0) => {
            let undone = match shell(host, &way_back, &[&armed], &[]).await {
                Ok(()) => "it was undone".to_owned(),
                Err(Error::Refused { why, .. }) => {
                    format!("it could not be undone ({why}), which the host tries again when it starts")
                }
                Err(error) => return Err(error),
            };
            return Err(refused(host, format!("{}; {undone}", why(&ran.exit, &ran.stderr))));
        }
        Ok(_) | Err(_) => (),
    }
    confirm(host, risk, (&place.script(KEEP), &armed), last).await
}

/// Logs in anew and keeps the change.
async fn confirm(host: &Host, risk: &Risk, (keep, armed): (&str, &str), last: Instant) -> Result<()> {
    let mut problem = "it could not be reached any more".to_owned();
    while let Some(left) = last.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        match timeout(left, look(host, risk)).await {
            Ok(Ok(anew)) => {
                let kept = shell(&anew, keep, &[armed], &[]).await;
                return kept.map_err(|_| refused(host, "it was undone before it was found to be well".into()));
            }
            Ok(Err(error)) => problem = chain(&error),
            Err(_) => (),
        }
        sleep(PAUSE).await;
    }
    let why = format!("{problem}; the host undoes it by itself within {} s", MARGIN.as_secs());
    Err(refused(host, why))
}

/// A login of its own over which the fact was seen to be true.
async fn look(host: &Host, risk: &Risk) -> Result<Host> {
    let anew = host.again().await?;
    let ran = anew.try_run(&words(&risk.fact.check), &[]).await?;
    match ran.exit {
        Exit::Code(0) => Ok(anew),
        exit => Err(refused(host, format!("{} is not true ({})", risk.fact.what, why(&exit, &ran.stderr)))),
    }
}

async fn shell(host: &Host, script: &str, arguments: &[&str], stdin: &[u8]) -> Result<()> {
    let argv: Vec<&str> = ["sh", "-c", script, "sh"].into_iter().chain(arguments.iter().copied()).collect();
    let ran = timeout(LIMIT, host.try_run(&argv, stdin)).await;
    let ran = ran.map_err(|_| Error::TimedOut { what: host.name().into(), after: LIMIT })??;
    match ran.exit {
        Exit::Code(0) => Ok(()),
        exit => Err(refused(host, why(&exit, &ran.stderr))),
    }
}

fn words(argv: &[String]) -> Vec<&str> {
    argv.iter().map(String::as_str).collect()
}

fn refused(host: &Host, why: String) -> Error {
    Error::Refused { what: host.name().into(), why }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::super::Fact;
    use super::*;

    /// A change that is a file; `make` and `check` may be spoilt by other programs.
    struct World {
        directory: tempfile::TempDir,
        file: PathBuf,
        risk: Risk,
    }

    impl World {
        fn new(name: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("change");
            let program = |verb: &str| vec![verb.to_owned(), file.to_string_lossy().into_owned()];
            let fact = Fact { what: "the file is there".into(), check: program("ls"), make: program("touch") };
            let undo = vec!["rm".to_owned(), "-f".to_owned(), file.to_string_lossy().into_owned()];
            let name = format!("test-{}-{name}", std::process::id());
            let risk = Risk { name, fact, undo };
            Self { directory, file, risk }
        }

        fn place(&self) -> Place {
            let path = |name: &str| self.directory.path().join(name).display().to_string();
            Place { undo: path("xcrane/undo"), units: path("units") }
        }

        async fn venture(&self, window: Duration) -> Result<()> {
            venture_within(&Host::Local, &self.place(), &self.risk, window, Duration::from_millis(500)).await
        }

        async fn is_true(&self) -> bool {
            let argv = check_at(&self.place(), &self.risk);
            Host::Local.try_run(&words(&argv), &[]).await.unwrap().exit == Exit::Code(0)
        }
    }

    async fn gone(file: &Path) {
        let limit = Instant::now() + Duration::from_secs(20);
        while file.exists() {
            assert!(Instant::now() < limit, "it is not undone");
            sleep(Duration::from_millis(100)).await;
        }
    }

    #[test]
    fn the_window_is_open_as_long_as_a_login_may_take() {
        let check = |login: u64, expected: u64| {
            assert_eq!(window(Duration::from_secs(login)), Duration::from_secs(expected), "{login}");
        };
        check(0, 60);
        check(5, 60);
        check(60, 130);
        check(3600, 150);
    }

    #[tokio::test]
    async fn what_went_well_stays() {
        let world = World::new("well");
        world.venture(Duration::from_secs(2)).await.unwrap();
        assert!(world.is_true().await);
        sleep(Duration::from_secs(3)).await;
        assert!(world.file.exists(), "it was undone although it was confirmed");
    }

    #[tokio::test]
    async fn what_fails_is_undone_at_once() {
        let mut world = World::new("fails");
        let script = format!("touch {}; echo no such wire >&2; exit 1", world.file.display());
        world.risk.fact.make = ["sh", "-c", &script].map(str::to_owned).to_vec();
        let error = world.venture(Duration::from_secs(60)).await.unwrap_err();
        assert_eq!(error.to_string(), "this machine: no such wire; it was undone");
        assert!(!world.file.exists());
    }

    #[tokio::test]
    async fn what_cannot_be_confirmed_is_undone_by_the_host() {
        let mut world = World::new("unconfirmed");
        world.risk.fact.check = vec!["false".into()];
        let error = world.venture(Duration::from_secs(2)).await.unwrap_err();
        assert!(error.to_string().contains("the host undoes it by itself"), "{error}");
        gone(&world.file).await;
    }

    #[tokio::test]
    async fn an_undoing_in_progress_is_awaited_at_nobody_s_expense() {
        let world = World::new("awaited");
        let begun = Path::new(&world.place().undo).join(format!("{}:1-begun", world.risk.name));
        std::fs::create_dir_all(world.place().undo).unwrap();
        std::fs::write(&begun, "").unwrap();
        let ends = async {
            sleep(Duration::from_secs(3)).await;
            std::fs::remove_file(&begun).unwrap();
        };
        let (ventured, ()) = tokio::join!(world.venture(Duration::from_secs(2)), ends);
        ventured.unwrap();
        assert!(world.is_true().await);
    }

    #[tokio::test]
    async fn names_that_begin_alike_keep_out_of_each_other_s_way() {
        let (one, mut other) = (World::new("alike"), World::new("alike.2"));
        other.risk.fact.check = vec!["false".into()];
        let (window, margin) = (Duration::from_secs(4), Duration::from_millis(500));
        venture_within(&Host::Local, &one.place(), &other.risk, window, margin).await.unwrap_err();
        one.venture(window).await.unwrap();
        assert!(one.is_true().await, "the undoing of the other counts as its own");
        gone(&other.file).await;
    }

    #[tokio::test]
    async fn a_run_that_was_killed_is_undone_and_counts_as_undone() {
        let world = World::new("killed");
        let killed = timeout(Duration::from_secs(1), async {
            let mut risk = world.risk.clone();
            risk.fact.make =
                ["sh", "-c", &format!("touch {}; sleep 60", world.file.display())].map(str::to_owned).into();
            venture_within(&Host::Local, &world.place(), &risk, Duration::from_secs(3), Duration::from_millis(500))
                .await
        });
        assert!(killed.await.is_err());
        assert!(world.file.exists() && !world.is_true().await, "it is about to be undone and yet counts as true");
        gone(&world.file).await;
    }

    #[tokio::test]
    async fn what_cannot_be_armed_leaves_no_way_back() {
        let world = World::new("arm");
        let (place, written) = (world.place(), |name: &str| world.directory.path().join(name));
        // With systemd, whose program says what came of it.
        let script = place.script(ARM).replace("[ -d /run/systemd/system ]", "true").replace("systemd-run", "timer");
        let unit = place.unit();
        let arm = async |code: u8| {
            let stub = format!("timer() {{ echo no timer >&2; return {code}; }}\n");
            let given = ["a", "1", "60", "undo", "boot", &unit];
            shell(&Host::Local, &format!("{stub}{script}"), &given, b"touch undone").await
        };
        arm(0).await.unwrap();
        assert!(written("xcrane/undo/a:1").exists() && written("units/xcrane-undo.service").exists());
        // Another change is on trial, whose way back stays.
        std::fs::rename(written("xcrane/undo/a:1"), written("xcrane/undo/b:1")).unwrap();
        assert_eq!(arm(1).await.unwrap_err().to_string(), "this machine: no timer");
        assert!(!written("xcrane/undo/a:1").exists(), "a change that was never made would be undone");
        assert!(written("xcrane/undo/b:1").exists() && written("units/xcrane-undo.service").exists());
        std::fs::remove_file(written("xcrane/undo/b:1")).unwrap();
        arm(1).await.unwrap_err();
        let link = written("units/multi-user.target.wants/xcrane-undo.service");
        assert!(!written("xcrane").exists() && !written("units/xcrane-undo.service").exists(), "something is left");
        assert!(link.symlink_metadata().is_err(), "the unit is enabled still");
    }

    #[tokio::test]
    async fn an_undoing_that_fails_is_tried_again_at_boot() {
        let mut world = World::new("retried");
        let (place, ready) = (world.place(), world.directory.path().join("ready"));
        let script =
            format!("rm {0} || {{ echo not yet >&2; exit 3; }}; rm {1}", ready.display(), world.file.display());
        world.risk.undo = ["sh", "-c", &script].map(str::to_owned).to_vec();
        let touch = format!("touch {}; echo no such wire >&2; exit 1", world.file.display());
        world.risk.fact.make = ["sh", "-c", &touch].map(str::to_owned).to_vec();
        let error = world.venture(Duration::from_secs(60)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "this machine: no such wire; it could not be undone (not yet), which the host tries again when it starts"
        );
        assert!(world.file.exists() && !world.is_true().await, "it is to be undone and yet counts as true");
        // The next run does not wait for an undoing that is over.
        let second = timeout(Duration::from_secs(20), world.venture(Duration::from_secs(60))).await;
        assert!(second.expect("it waits for what is over").is_err());
        shell(&Host::Local, &place.script(BOOT), &[], &[]).await.unwrap_err();
        let failed = |name: &std::ffi::OsStr| name.to_string_lossy().ends_with("-failed");
        let mut left = std::fs::read_dir(&place.undo).unwrap();
        assert!(left.any(|entry| failed(&entry.unwrap().file_name())), "the way back is lost");
        std::fs::write(&ready, "").unwrap();
        shell(&Host::Local, &place.script(BOOT), &[], &[]).await.unwrap();
        assert!(!world.file.exists() && !Path::new(&place.undo).exists());
    }

    #[tokio::test]
    async fn what_was_on_trial_when_the_power_went_is_undone_at_boot() {
        let world = World::new("boot");
        let (place, written) = (world.place(), |name: &str| world.directory.path().join(name));
        std::fs::create_dir_all(&place.undo).unwrap();
        for (way_back, word) in [("a:1", "armed"), ("b.c:2-begun", "begun"), ("d:3-kept", "kept")] {
            let text = format!("echo {word} >>{}", written("said").display());
            std::fs::write(Path::new(&place.undo).join(way_back), text).unwrap();
        }
        std::fs::write(Path::new(&place.undo).join(".boot"), "").unwrap();
        shell(&Host::Local, &place.script(BOOT), &[], &[]).await.unwrap();
        assert_eq!(std::fs::read_to_string(written("said")).unwrap(), "armed\nbegun\n");
        assert!(!written("xcrane").exists(), "something is left");
    }
}
