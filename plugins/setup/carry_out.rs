//! Doing it: the steps of a plan one after the other, each able to be done again.
//!
//! What was changed for a running unit is noted on the host until the unit has been told, so that a run that was killed
//! in between is completed by the next one.

use std::time::Duration;

use super::plan::is_of_systemd;
use super::{Step, guard, packages};
use crate::error::chain;
use crate::ssh::Exit;
use crate::{Error, Event, Host, Progress, Result, host};

/// For files and the like.
const QUICK: Duration = Duration::from_secs(60);
/// For a unit to start or stop, and for what a fact's program does. An engine takes its time to stop its containers.
const UNIT: Duration = Duration::from_secs(300);
/// For packages: a slow mirror, or another program that holds the package manager's lock.
const PACKAGES: Duration = Duration::from_secs(1800);

/// What arrives short must not take the place of what was there: a connection may break in the middle. Whose file it was
/// stays so, and a link that an admin has put there goes on leading to it.
pub(super) const WRITE: &str = r#"
mkdir -p "${1%/*}" && umask 077 || exit
place=$(readlink -f "$1") || { echo "$1 is a link into a directory that is not there" >&2; exit 1; }
[ ! -d "$place" ] || { echo "$1 is a directory" >&2; exit 1; }
[ ! -e "$place" ] || [ -f "$place" ] || { echo "$1 leads to $place, which is no file" >&2; exit 1; }
new=${place%/*}/.${place##*/}.new
cat >"$new" || exit
[ "$(($(wc -c <"$new")))" = "$3" ] || { echo "the text did not arrive whole" >&2; rm -f "$new"; exit 1; }
[ ! -e "$place" ] || chown "$(stat -c %u:%g "$place")" "$new" || exit
chmod "$2" "$new" && mv -f "$new" "$place""#;

/// Directories that others use are not empty, and stay.
const DELETE: &str = r#"
rm -f "$1" || exit
rmdir -p "${1%/*}" 2>/dev/null
[ ! -e "$1" ]"#;

/// The last words of a service say more than systemd's advice to go and read them. A unit that failed often is not
/// refused for that.
const UNITS: &str = r#"
systemctl reset-failed "$2" 2>/dev/null
said=$(systemctl "$1" "$2" 2>&1) && exit
journalctl -b -u "$2" "_SYSTEMD_UNIT=$2" -n 3 -o cat --no-pager 2>/dev/null | cut -c-500 | tail -n 1 | grep . >&2 ||
    printf '%s\n' "$said" | head -n 1 >&2
exit 1"#;

const NOTE: &str = r#"mkdir -p /run/xcrane/follow && echo "$2" >"/run/xcrane/follow/$1""#;
/// What the note for systemd itself is called, which no unit can be.
const UNITS_OUTDATED: &str = ".units";
const FORGET: &str = r#"rm -f "/run/xcrane/follow/$1"; rmdir -p /run/xcrane/follow 2>/dev/null || :"#;

/// The programs that set up networks are not in everybody's path.
const PROGRAM: &str = r#"PATH=$PATH:/usr/sbin:/sbin; export PATH; exec "$@""#;

/// Carries the steps out in order. Stops at the first that fails; the error names it.
pub async fn carry_out(host: &Host, steps: &[Step], progress: &Progress) -> Result<()> {
    let told = || Event::Done { host: host.name().into(), what: String::new() };
    for (place, step) in steps.iter().enumerate() {
        let (host_name, what) = (host.name().to_owned(), step.title());
        progress.tell(Event::Step { host: host_name, what, number: place + 1, total: steps.len() });
        let done = within(limit(step), step, run(host, step, &steps[place + 1..], progress)).await;
        if let Err(error) = done {
            progress.tell(told());
            return Err(named(step, error));
        }
    }
    progress.tell(told());
    Ok(())
}

async fn within(limit: Duration, step: &Step, work: impl Future<Output = Result<()>>) -> Result<()> {
    let timed_out = |_| Error::TimedOut { what: format!("cannot {}", step.title()), after: limit };
    tokio::time::timeout(limit, work).await.map_err(timed_out)?
}

fn limit(step: &Step) -> Duration {
    match step {
        Step::Install(_) | Step::Remove { .. } => PACKAGES,
        Step::Write { .. } | Step::Delete { .. } | Step::ReloadUnits | Step::Enable { .. } | Step::Disable { .. } => {
            QUICK
        }
        Step::Start { .. }
        | Step::Stop { .. }
        | Step::Restart { .. }
        | Step::Reload { .. }
        | Step::Make { .. }
        | Step::Venture(_) => UNIT,
    }
}

/// A host that is gone says so itself.
fn named(step: &Step, error: Error) -> Error {
    match error {
        error if error.is_unreachable() => error,
        Error::Refused { why, .. } => Error::Refused { what: format!("cannot {}", step.title()), why },
        error => Error::Refused { what: format!("cannot {}", step.title()), why: chain(&error) },
    }
}

async fn run(host: &Host, step: &Step, later: &[Step], progress: &Progress) -> Result<()> {
    match step {
        Step::Install(install) => packages::install(host, install, progress).await,
        Step::Remove { packages, family } => packages::remove(host, packages, *family).await,
        Step::Write { path, after, mode, .. } => {
            note(host, path, later).await?;
            let (mode, text) = (format!("{mode:o}"), after.reveal().as_bytes());
            script(host, WRITE, &[path, &mode, &text.len().to_string()], text).await
        }
        Step::Delete { path, .. } => {
            note(host, path, later).await?;
            script(host, DELETE, &[path], &[]).await
        }
        Step::ReloadUnits => {
            host.run(&["systemctl", "daemon-reload"]).await?;
            script(host, FORGET, &[UNITS_OUTDATED], &[]).await
        }
        // A step of its own makes systemd read its files again.
        Step::Enable { unit } => host.run(&["systemctl", "--quiet", "--no-reload", "enable", unit]).await.map(drop),
        Step::Disable { unit } => host.run(&["systemctl", "--quiet", "--no-reload", "disable", unit]).await.map(drop),
        Step::Start { unit } => unit_verb(host, "start", unit).await,
        Step::Stop { unit } => unit_verb(host, "stop", unit).await,
        Step::Restart { unit, .. } => unit_verb(host, "restart", unit).await,
        Step::Reload { unit, .. } => unit_verb(host, "reload", unit).await,
        Step::Make { what, check, make } => self::make(host, what, check, make).await,
        Step::Venture(risk) => guard::venture(host, risk).await,
    }
}

async fn script(host: &Host, script: &str, arguments: &[&str], stdin: &[u8]) -> Result<()> {
    let ran = host.try_run(&[&["sh", "-c", script, "sh"][..], arguments].concat(), stdin).await?;
    match ran.exit {
        Exit::Code(0) => Ok(()),
        exit => Err(Error::Refused { what: host.name().into(), why: host::why(&exit, &ran.stderr) }),
    }
}

/// Notes on the host who will have to be told of the file.
async fn note(host: &Host, path: &String, later: &[Step]) -> Result<()> {
    for step in later {
        let (unit, how) = match step {
            Step::ReloadUnits if is_of_systemd(path) => (UNITS_OUTDATED, "reload"),
            Step::Restart { unit, because } if because.contains(path) => (unit.as_str(), "restart"),
            Step::Reload { unit, because } if because.contains(path) => (unit.as_str(), "reload"),
            _ => continue,
        };
        script(host, NOTE, &[unit, how], &[]).await?;
    }
    Ok(())
}

async fn unit_verb(host: &Host, verb: &str, unit: &str) -> Result<()> {
    script(host, UNITS, &[verb, unit], &[]).await?;
    script(host, FORGET, &[unit], &[]).await
}

/// A program that ends well and changes nothing would be run again for ever.
async fn make(host: &Host, what: &str, check: &[String], make: &[String]) -> Result<()> {
    let [make, check] = [make, check].map(|argv| argv.iter().map(String::as_str).collect::<Vec<_>>());
    script(host, PROGRAM, &make, &[]).await?;
    let checked = host.try_run(&[&["sh", "-c", PROGRAM, "sh"][..], &check].concat(), &[]).await?;
    match checked.exit {
        Exit::Code(0) => Ok(()),
        exit => {
            let why = format!("{what} is still not true ({})", host::why(&exit, &checked.stderr));
            Err(Error::Refused { what: host.name().into(), why })
        }
    }
}
