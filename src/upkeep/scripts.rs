//! Postscripts on one node: sent as one archive over standard input, run, and told of.

use plugins::{Backends, Invocation, Program};
use tables::Node;

use crate::failure::Failure;
use crate::remote::{self, Line};
use crate::reply::Answer;

/// What the node does with the archive.
const RECEIVE: &str = include_str!("receive.sh");

/// How many lines of a script that failed its error has.
const LAST: usize = 3;

/// Runs them; the error names those that failed, the others ran.
pub(super) async fn run(
    backends: &Backends,
    node: &Node,
    user: Option<&str>,
    archive: Vec<u8>,
    said: &mut Answer,
) -> Result<(), Failure> {
    let program = Program::Argv(["sh", "-c", RECEIVE].map(str::to_owned).into());
    let invocation = Invocation { program, user: user.map(str::to_owned), stdin: archive, ..Invocation::default() };
    let begin = said.lines.len();
    let hear = |line: Line| match line {
        Line::Stdout(text) => said.lines.push(text),
        Line::Stderr(text) => said.errors.push(text),
    };
    let code = remote::run(backends, node, &invocation, None, hear).await?;
    let failed = failed(&said.lines[begin..]);
    match (code, failed.is_empty()) {
        (0, true) => Ok(()),
        (_, false) => Err(Failure::refused(failed.join("; "))),
        (code, true) => {
            let why = said.errors.pop().unwrap_or_else(|| format!("the node's shell exited with {code}"));
            Err(Failure::refused(format!("the postscripts did not run to their end: {why}")))
        }
    }
}

/// Each script that failed with its exit code and the last that it said.
fn failed(lines: &[String]) -> Vec<String> {
    let mut failed = Vec::new();
    let mut spoken: Vec<&str> = Vec::new();
    for line in lines {
        if line.starts_with("postscript start..: ") {
            spoken.clear();
        } else if let Some((name, code)) =
            line.strip_prefix("postscript end....: ").and_then(|rest| rest.rsplit_once(" exited with code "))
        {
            if code != "0" {
                let last = &spoken[spoken.len().saturating_sub(LAST)..];
                let why = if last.is_empty() { String::new() } else { format!(": {}", last.join(" / ")) };
                failed.push(format!("script {name} exited with {code}{why}"));
            }
        } else if !line.trim().is_empty() {
            spoken.push(line.trim());
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_failed_are_named_with_their_last_words() {
        let lines = "postscript start..: a\nx\npostscript end....: a exited with code 0\npostscript start..: b\n1\n2\n\n3\n4\n\
                     postscript end....: b exited with code 7\npostscript start..: c\npostscript end....: c exited with code 1\nend";
        let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
        assert_eq!(failed(&lines), ["script b exited with 7: 2 / 3 / 4", "script c exited with 1"]);
        assert!(failed(&lines[..3]).is_empty());
    }
}
