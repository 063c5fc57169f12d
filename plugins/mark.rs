//! The mark of a program that we started on another machine: a variable in its environment, which all that it starts
//! inherits. By it a second program finds and ends them, where the machine itself has no request for that.

use std::time::{Duration, SystemTime};

/// The variable that holds the mark.
pub(crate) const VARIABLE: &str = "XCRANE_PROGRAM";
/// How long [`end`] is waited for: it takes one second, and the machine may be slow.
pub(crate) const ENDING: Duration = Duration::from_secs(4);

/// Signals all that carries the mark `$2`, and those whom they lead: what became another user lost the mark, but not its
/// group. A stopped program must go on to notice.
const SIGNAL: &str = r#"for found in $(grep -ls "$2" /proc/[0-9]*/environ); do
    pid=${found#/proc/}
    pid=${pid%/environ}
    kill -"$1" -"$pid" || kill -"$1" "$pid"
    kill -CONT -"$pid" || kill -CONT "$pid"
done 2>/dev/null
true"#;

/// Gives them a second to end by themselves.
const END: &str = r#"for moment in 1 2 3 4 5; do
    sleep 0.2
    grep -qs "$1" /proc/[0-9]*/environ || exit 0
done
signal KILL "$1""#;

/// Something that no other program's environment holds.
pub(crate) fn new() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", std::process::id(), now.as_nanos())
}

/// A program that sends a signal, such as `HUP`, to all that carries the mark.
pub(crate) fn signal(signal: &str, mark: &str) -> [String; 6] {
    ["/bin/sh", "-c", SIGNAL, "sh", signal, &assignment(mark)].map(str::to_owned)
}

/// A program that ends all that carries the mark, whether it wants to or not.
pub(crate) fn end(mark: &str) -> [String; 5] {
    let script = format!("signal() {{\n{SIGNAL}\n}}\nsignal TERM \"$1\"\n{END}");
    ["/bin/sh", "-c", &script, "sh", &assignment(mark)].map(str::to_owned)
}

fn assignment(mark: &str) -> String {
    format!("{VARIABLE}={mark}")
}
