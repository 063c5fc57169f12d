//! On the management node a program that changes something is alone with its module also when its xcrane was killed and it runs on:
//! a shell that waits for it holds a lock, as on a node. Those that look are not kept out.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use tokio::process::Command;

use super::Call;
use crate::failure::Failure;

/// Its words are the lock's file, who asks, and the program with its arguments. What the program leaves running does not hold the
/// lock; where there is no flock, nobody is kept out. The shell is there until the program has ended, and tells how.
const HOLD: &str = r#"lock=$0 holder=$1
shift
exec 3<&0 9<>"$lock" || exit 125
if command -v flock >/dev/null 2>&1; then
    flock -n 9 || { printf 'xcrane: held by '; cat "$lock"; exit 75; } >&2
fi
"$@" <&3 3<&- 9>&- &
exec 3<&-
printf '%s, as process %s\n' "$holder" $! >"$lock"
wait $! 2>/dev/null"#;

/// What the shell ends with, and says, when others hold the lock.
const HELD: (i64, &str) = (75, "xcrane: held by ");

/// The same program behind the lock of its module.
pub(super) fn locked(call: Call<'_>, home: &Path, holder: &str, command: &Command) -> io::Result<Command> {
    let directory = home.join("running");
    DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    let inner = command.as_std();
    let mut outer = Command::new("/bin/sh");
    outer.arg("-c").arg(HOLD).arg(directory.join(call.module.manifest.name())).arg(holder);
    outer.arg(inner.get_program()).args(inner.get_args());
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(directory) = inner.get_current_dir() {
        outer.current_dir(directory);
    }
    Ok(outer)
}

/// Refuses where somebody else is at work, given how the shell has ended and what it said.
pub(super) fn refuse_held(call: Call<'_>, code: i64, words: &str) -> Result<(), Failure> {
    match words.strip_prefix(HELD.1).filter(|_| code == HELD.0) {
        None => Ok(()),
        Some(holder) => Err(call
            .failed(&format!("the module is at work here still: {}", holder.trim()), "")
            .hint("run it again when that is over; one that never ends is ended by its process: kill PROCESS")),
    }
}
