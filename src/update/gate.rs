//! Whether a node that was updated is good: by a command, by its own check of its health, or by running on.

use std::time::Duration;

use plugins::{Health, Life, Vitals};

/// How long a node must run on that nothing else tells about.
const SETTLE: Duration = Duration::from_secs(5);

/// What a node is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gate {
    /// A command that must succeed in it.
    pub(crate) check: Option<String>,
    /// How long it may take until it is good.
    pub(crate) wait: Duration,
}

/// What was seen of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) vitals: Vitals,
    /// How the command has ended, if there is one and it was run.
    pub(crate) checked: Option<Checked>,
}

/// How a check has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    /// With this exit code, after this last line.
    Code(i64, String),
    /// It was not run to its end.
    Failed(String),
}

/// What is thought of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    /// It may become good yet; why it is not.
    NotYet(String),
    Bad(String),
}

/// What to think of a node that was started `since` ago.
pub(crate) fn judge(gate: &Gate, seen: &Seen, since: Duration) -> Verdict {
    match verdict(gate, seen, since) {
        Verdict::NotYet(why) if since >= gate.wait => {
            Verdict::Bad(format!("not good after {} s: {why}", gate.wait.as_secs_f64()))
        }
        verdict => verdict,
    }
}

fn verdict(gate: &Gate, seen: &Seen, since: Duration) -> Verdict {
    let Vitals { life, restarts, exit_code, health, .. } = &seen.vitals;
    match life {
        Life::Off => return Verdict::Bad(format!("it has ended with exit code {exit_code}")),
        Life::Suspended => return Verdict::Bad("it was suspended".into()),
        Life::Running | Life::Restarting => (),
    }
    let is_alone = gate.check.is_none() && health.is_none();
    if *life == Life::Restarting || (is_alone && *restarts > 0) {
        let why = format!("it ends with exit code {exit_code} and is started again");
        return if is_alone { Verdict::Bad(why) } else { Verdict::NotYet(why) };
    }
    match (&gate.check, &seen.checked, health) {
        (Some(_), Some(Checked::Code(0, _)), _) => Verdict::Good,
        (Some(_), Some(Checked::Code(code, said)), _) => {
            Verdict::NotYet(quoted(&format!("the check exits with {code}"), said))
        }
        (Some(_), Some(Checked::Failed(why)), _) => Verdict::NotYet(format!("the check fails: {why}")),
        (Some(_), None, _) => Verdict::NotYet("the check has not ended".into()),
        (None, _, Some(Health::Healthy)) => Verdict::Good,
        (None, _, Some(Health::Starting)) => Verdict::NotYet("its health check has not passed".into()),
        (None, _, Some(Health::Unhealthy { said })) => Verdict::Bad(quoted("its health check fails", said)),
        (None, _, None) if since >= SETTLE.min(gate.wait) => Verdict::Good,
        (None, _, None) => Verdict::NotYet("it was started a moment ago".into()),
    }
}

/// With what was said, on one line.
fn quoted(what: &str, said: &str) -> String {
    match said.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        Some(last) => format!("{what}: {last}"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEALTHY: Option<Health> = Some(Health::Healthy);

    fn vitals(life: Life, restarts: u64, health: Option<Health>) -> Vitals {
        Vitals { image: String::new(), life, restarts, exit_code: 3, health }
    }

    fn check(check: Option<&str>, vitals: Vitals, checked: Option<Checked>, since: u64, expected: &str) {
        let gate = Gate { check: check.map(str::to_owned), wait: Duration::from_secs(60) };
        let seen = Seen { vitals, checked };
        let said = match judge(&gate, &seen, Duration::from_secs(since)) {
            Verdict::Good => "good".to_owned(),
            Verdict::NotYet(why) => format!("not yet: {why}"),
            Verdict::Bad(why) => format!("bad: {why}"),
        };
        assert_eq!(said, expected, "{seen:?} after {since}");
    }

    #[test]
    fn a_node_that_has_no_check_must_run_on() {
        let runs = |restarts| vitals(Life::Running, restarts, None);
        check(None, runs(0), None, 1, "not yet: it was started a moment ago");
        check(None, runs(0), None, 5, "good");
        check(None, runs(1), None, 5, "bad: it ends with exit code 3 and is started again");
        check(None, vitals(Life::Restarting, 0, None), None, 5, "bad: it ends with exit code 3 and is started again");
        check(None, vitals(Life::Off, 0, None), None, 1, "bad: it has ended with exit code 3");
        check(None, vitals(Life::Suspended, 0, None), None, 9, "bad: it was suspended");
    }

    #[test]
    fn its_own_check_decides_over_time() {
        let runs = |health| vitals(Life::Running, 0, Some(health));
        check(None, runs(Health::Starting), None, 59, "not yet: its health check has not passed");
        check(None, runs(Health::Starting), None, 60, "bad: not good after 60 s: its health check has not passed");
        check(None, runs(Health::Healthy), None, 1, "good");
        let sick = Health::Unhealthy { said: "a\n no db \n\n".into() };
        check(None, runs(sick), None, 1, "bad: its health check fails: no db");
        check(None, runs(Health::Unhealthy { said: String::new() }), None, 1, "bad: its health check fails");
        check(None, vitals(Life::Running, 1, HEALTHY), None, 9, "good");
    }

    #[test]
    fn a_command_decides_over_its_own_check() {
        let runs = || vitals(Life::Running, 0, Some(Health::Unhealthy { said: "x".into() }));
        let code = |code, said: &str| Some(Checked::Code(code, said.into()));
        check(Some("true"), runs(), code(0, ""), 1, "good");
        check(Some("false"), runs(), code(1, ""), 1, "not yet: the check exits with 1");
        check(Some("x"), runs(), code(2, "a\nb\n"), 60, "bad: not good after 60 s: the check exits with 2: b");
        check(Some("x"), runs(), Some(Checked::Failed("no".into())), 1, "not yet: the check fails: no");
        check(Some("x"), vitals(Life::Off, 0, None), None, 1, "bad: it has ended with exit code 3");
        check(
            Some("x"),
            vitals(Life::Restarting, 4, HEALTHY),
            None,
            9,
            "not yet: it ends with exit code 3 and is started again",
        );
    }
}
