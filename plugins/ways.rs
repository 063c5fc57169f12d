//! The backends that power a node, tried in the order of its column: a BMC that is dead need not mean that nothing can be
//! done.
//!
//! The next one is tried only where the one before was not reached, did not let us in or is not defined as it needs, so that
//! nothing is done twice.

use tables::Node;

use crate::{Error, Power, PowerAction, PowerReading, Powered, Result};

/// What powers one node.
pub struct Ways<'a> {
    /// The column that names them.
    pub(crate) column: &'static str,
    pub(crate) ways: Vec<(&'static str, &'a dyn Power)>,
}

impl Ways<'_> {
    /// As [`Power::check`]; some backend can do it, and the definition says all that this one needs.
    pub fn check(&self, node: &Node, action: PowerAction) -> Result<()> {
        let mut missed = Missed::default();
        for &(name, power) in &self.ways {
            match self.named(name, power.check(node, action)) {
                Ok(()) => return Ok(()),
                Err(error) => missed.add(name, error),
            }
        }
        Err(missed.error())
    }

    /// As [`Power::state`].
    pub async fn state(&self, node: &Node) -> Result<PowerReading> {
        self.told(node).await.map(|(reading, _)| reading)
    }

    /// The same, with a warning where another backend told it than the first that can.
    pub async fn told(&self, node: &Node) -> Result<(PowerReading, Option<String>)> {
        let mut missed = Missed::default();
        for &(name, power) in &self.ways {
            match self.named(name, power.state(node).await) {
                Err(error) if leads_on(&error, true) => missed.add(name, error),
                Err(error) => return Err(error),
                Ok(reading) => return Ok((reading, missed.warning("told", name))),
            }
        }
        Err(missed.error())
    }

    /// As [`Power::apply`]; warns where another backend did it than the first that can do such things.
    pub async fn apply(&self, node: &Node, action: PowerAction) -> Result<Powered> {
        let mut missed = Missed::default();
        for &(name, power) in &self.ways {
            if self.ways.len() > 1
                && let Err(error) = power.check(node, action)
            {
                if !matches!(error, Error::Unsupported { .. }) {
                    missed.add(name, error);
                }
                continue;
            }
            match self.named(name, power.apply(node, action).await) {
                Err(error) if leads_on(&error, may_be_repeated(action)) => missed.add(name, error),
                Err(error) => return Err(error),
                Ok(powered) => {
                    let warnings = missed.warning("done", name).into_iter().chain(powered.warning);
                    let warning = warnings.reduce(|first, further| format!("{first}; {further}"));
                    return Ok(Powered { warning, ..powered });
                }
            }
        }
        Err(missed.error())
    }

    /// A driver does not know which column has named it.
    fn named<T>(&self, name: &str, answer: Result<T>) -> Result<T> {
        answer.map_err(|error| match error {
            Error::Unsupported { what, .. } => {
                Error::Unsupported { what, column: self.column, driver: name.to_owned() }
            }
            other => other,
        })
    }
}

/// Whether nothing can have been done, or what was done does no harm if it is done again. A BMC that is dead has heard nothing;
/// one that was heard of and then says no more may have done it.
fn leads_on(error: &Error, repeatable: bool) -> bool {
    match error {
        Error::TimedOut { .. } => repeatable,
        error => error.did_nothing(),
    }
}

fn may_be_repeated(action: PowerAction) -> bool {
    match action {
        PowerAction::On | PowerAction::Off | PowerAction::Softoff | PowerAction::Suspend | PowerAction::Resume => true,
        PowerAction::Reset | PowerAction::Boot | PowerAction::Cycle => false,
    }
}

/// Backends that did not do it, and why.
#[derive(Default)]
struct Missed(Vec<(&'static str, Error)>);

impl Missed {
    fn add(&mut self, name: &'static str, error: Error) {
        self.0.push((name, error));
    }

    /// That it was another one; what cannot do it at all is not missed.
    fn warning(self, what: &str, name: &str) -> Option<String> {
        let is_missed = self.0.iter().any(|(_, error)| !matches!(error, Error::Unsupported { .. }));
        is_missed.then(|| format!("{what} by {name}: {}", crate::chain(&self.error())))
    }

    /// What one cannot do at all says nothing where another was asked in vain.
    fn error(self) -> Error {
        let (unsupported, mut tried): (Vec<_>, Vec<_>) =
            self.0.into_iter().partition(|(_, error)| matches!(error, Error::Unsupported { .. }));
        match (tried.len(), unsupported.into_iter().next()) {
            (0, Some((_, error))) => error,
            (1, _) => tried.remove(0).1,
            _ => {
                let unreachable = tried.iter().all(|(_, error)| error.is_unreachable());
                let words = tried.iter().map(|(name, error)| format!("{name}: {}", crate::chain(error)));
                let did_nothing = tried.iter().all(|(_, error)| error.did_nothing());
                Error::InVain { tried: words.collect::<Vec<_>>().join("; "), unreachable, did_nothing }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::PowerState;

    /// A driver that says always the same.
    struct Says(fn() -> Error);

    #[async_trait]
    impl Power for Says {
        fn check(&self, _: &Node, _: PowerAction) -> Result<()> {
            match (self.0)() {
                error if error.is_definition() || matches!(error, Error::Unsupported { .. }) => Err(error),
                _ => Ok(()),
            }
        }
        async fn state(&self, _: &Node) -> Result<PowerReading> {
            Err((self.0)())
        }
        async fn apply(&self, _: &Node, _: PowerAction) -> Result<Powered> {
            Err((self.0)())
        }
    }

    /// One that does all.
    struct Does;

    #[async_trait]
    impl Power for Does {
        fn check(&self, _: &Node, _: PowerAction) -> Result<()> {
            Ok(())
        }
        async fn state(&self, _: &Node) -> Result<PowerReading> {
            Ok(PowerReading { state: PowerState::On, word: "up".into() })
        }
        async fn apply(&self, _: &Node, _: PowerAction) -> Result<Powered> {
            Ok(Powered { word: "done", changed: true, under_way: true, warning: None })
        }
    }

    fn unable() -> Error {
        Error::Unsupported { what: "this".into(), column: "mgt", driver: "x".into() }
    }
    fn dead() -> Error {
        Error::Unreachable { what: "b1".into(), source: "no answer".into() }
    }
    fn silent() -> Error {
        Error::TimedOut { what: "b1".into(), after: std::time::Duration::from_secs(5) }
    }
    fn refused() -> Error {
        Error::Refused { what: "b1".into(), why: "no".into() }
    }

    fn undefined() -> Error {
        Error::NoAccount { attribute: "bmcusername", keys: "ipmi".into() }
    }

    async fn said(ways: Vec<(&'static str, &dyn Power)>, action: PowerAction) -> String {
        let ways = Ways { column: "power", ways };
        let node = Node::new("n1", Default::default(), None);
        let applied = match ways.apply(&node, action).await {
            Ok(powered) => powered.warning.unwrap_or_else(|| powered.word.to_owned()),
            Err(error) => format!("Error: {}", crate::chain(&error)),
        };
        let state = ways.state(&node).await.map_or_else(|error| crate::chain(&error), |reading| reading.word);
        format!("{applied} | {state} | {}", ways.check(&node, action).is_ok())
    }

    async fn check(ways: &[(&'static str, &dyn Power)], action: PowerAction, expected: &str) {
        assert_eq!(said(ways.to_vec(), action).await, expected);
    }

    #[tokio::test]
    async fn the_next_is_tried_where_nothing_was_done() {
        let does: &dyn Power = &Does;
        let unable: &dyn Power = &Says(unable);
        let dead: &dyn Power = &Says(dead);
        let silent: &dyn Power = &Says(silent);
        let refused: &dyn Power = &Says(refused);
        check(&[("a", does), ("b", dead)], PowerAction::On, "done | up | true").await;
        let second = "done by b: cannot reach b1: no answer | up | true";
        check(&[("a", dead), ("b", does)], PowerAction::Reset, second).await;
        check(&[("a", unable), ("b", does)], PowerAction::On, "done | up | true").await;
        let none = "Error: this is not supported when using power=a | this is not supported when using power=a | false";
        check(&[("a", unable)], PowerAction::On, none).await;
        let one = "Error: cannot reach b1: no answer | cannot reach b1: no answer | true";
        check(&[("a", dead), ("b", unable)], PowerAction::On, one).await;
        let all = "a: cannot reach b1: no answer; b: b1: no answer after 5 s";
        check(&[("a", dead), ("b", silent)], PowerAction::On, &format!("Error: {all} | {all} | true")).await;
        // It may have been heard.
        check(&[("a", silent), ("b", does)], PowerAction::Reset, "Error: b1: no answer after 5 s | up | true").await;
        check(&[("a", refused), ("b", does)], PowerAction::On, "Error: b1: no | b1: no | true").await;
    }

    #[tokio::test]
    async fn a_way_that_is_not_defined_as_it_needs_stops_no_other() {
        let (does, undefined): (&dyn Power, &dyn Power) = (&Does, &Says(undefined));
        let (dead, unable): (&dyn Power, &dyn Power) = (&Says(dead), &Says(unable));
        const WHY: &str = "attribute 'bmcusername' (table ipmi) is not set, and table passwd has no row for key ipmi";
        let second = format!("done by b: {WHY} | up | true");
        check(&[("a", undefined), ("b", does)], PowerAction::Reset, &second).await;
        check(&[("a", does), ("b", undefined)], PowerAction::Reset, "done | up | true").await;
        check(&[("a", undefined)], PowerAction::On, &format!("Error: {WHY} | {WHY} | false")).await;
        check(&[("a", undefined), ("b", unable)], PowerAction::On, &format!("Error: {WHY} | {WHY} | false")).await;
        let both = format!("a: cannot reach b1: no answer; b: {WHY}");
        check(&[("a", dead), ("b", undefined)], PowerAction::On, &format!("Error: {both} | {both} | true")).await;
        let ways = Ways { column: "power", ways: vec![("a", undefined), ("b", does)] };
        let (_, warning) = ways.told(&Node::new("n1", Default::default(), None)).await.unwrap();
        assert_eq!(warning, Some(format!("told by b: {WHY}")));
        let ways = Ways { column: "power", ways: vec![("a", unable), ("b", does)] };
        let (_, warning) = ways.told(&Node::new("n1", Default::default(), None)).await.unwrap();
        assert_eq!(warning, None, "it was never its task");
        let ways = Ways { column: "power", ways: vec![("a", dead), ("b", undefined)] };
        let node = Node::new("n1", Default::default(), None);
        let error = ways.apply(&node, PowerAction::On).await.unwrap_err();
        assert!(error.did_nothing(), "what was set for it is taken back");
    }
}
