//! Circuits, which must not be loaded with more than they carry: a breaker that falls takes the whole rack along.
//!
//! What machines draw and where from stands in tables feed and circuit. A machine of which nobody knows whether it is on
//! counts as on. Whoever switches machines on has their circuits to himself until they are on: two at once would each find
//! room for his own.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::time::Duration;

use futures_util::StreamExt;
use plugins::PowerState;
use tables::{Node, Select, Tables, schema};
use tokio::time::{Instant, sleep};

use crate::config;
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::pressed;
use crate::outcome::Outcome;
use crate::turn::{self, Turns, Untaken};

/// Machines beside those in question that are asked together whether they are on.
const AT_ONCE: usize = 512;

const TURNS: Turns = Turns { file: "circuits.lock", doing: "another rpower on the same circuits" };
/// How long another one is waited for, and how often it is looked whether it is over.
const WAITING: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

impl Context {
    /// The circuits of these nodes are ours for as long as the file is open; None where they have none.
    pub(crate) async fn claim_circuits(&self, nodes: &[Node]) -> Result<Option<File>, Failure> {
        let circuits: BTreeSet<String> = nodes.iter().flat_map(circuits_of).map(str::to_owned).collect();
        if circuits.is_empty() {
            return Ok(None);
        }
        let (home, circuits): (_, Vec<String>) = (config::home()?, circuits.into_iter().collect());
        let end = Instant::now() + WAITING;
        let mut keyboard = self.keyboard();
        let claimed = loop {
            match turn::take(&home, &TURNS, &circuits) {
                Ok(file) => break Ok(Some(file)),
                Err(Untaken::Held(_)) if Instant::now() < end => {}
                Err(untaken) => break Err(untaken.into()),
            }
            tokio::select! {
                () = sleep(LOOK_AGAIN) => {}
                () = pressed(&mut keyboard) => {
                    let failure = Failure::refused("nothing was done");
                    break Err(Failure { outcome: Outcome::Interrupted, ..failure });
                }
            }
        };
        self.give_back(keyboard);
        claimed
    }

    /// Refuses to switch on machines whose circuits do not carry all that would be on then.
    pub(crate) async fn refuse_overload(&self, nodes: &[Node]) -> Result<(), Failure> {
        let circuits: BTreeSet<&str> = nodes.iter().flat_map(circuits_of).collect();
        if circuits.is_empty() {
            return Ok(());
        }
        let limits = limits(self.tables()?)?;
        let others = others(self.tables()?, &circuits, nodes)?;
        let on = self.that_may_be_on(others).await?;
        let faults: Vec<String> =
            circuits.into_iter().filter_map(|circuit| fault(circuit, limits.get(circuit), nodes, &on)).collect();
        match faults.is_empty() {
            true => Ok(()),
            false => Err(Failure::refused(format!("nothing was done: {}", faults.join("; "))).hint(
                "what machines draw and circuits carry: tabdump feed; tabdump circuit; --force does it all the same",
            )),
        }
    }

    /// Without those that say that they are off.
    async fn that_may_be_on(&self, nodes: Vec<Node>) -> Result<Vec<Node>, Failure> {
        let backends = self.backends()?;
        let asked = nodes.into_iter().map(async |node| {
            let Ok(power) = backends.power(&node) else { return Some(node) };
            let is_off = power.state(&node).await.is_ok_and(|reading| reading.state == PowerState::Off);
            (!is_off).then_some(node)
        });
        let mut on: Vec<Node> =
            futures_util::stream::iter(asked).buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
        on.sort_by(|one, other| one.name().cmp(other.name()));
        Ok(on)
    }
}

fn circuits_of(node: &Node) -> impl Iterator<Item = &str> {
    tables::definitions::words(node.get("circuits").unwrap_or_default())
}

/// What each circuit carries, as it is written; None where its row does not say it.
fn limits(tables: &Tables) -> Result<BTreeMap<String, Option<String>>, Failure> {
    let rows = tables.rows(table("circuit"), Select::All)?;
    let limit = |row: &tables::Row| Some((row.get("circuit")?.to_owned(), row.get("watts").map(str::to_owned)));
    Ok(rows.iter().filter_map(limit).collect())
}

/// The other nodes on any of these circuits.
fn others(tables: &Tables, circuits: &BTreeSet<&str>, nodes: &[Node]) -> Result<Vec<Node>, Failure> {
    let known: HashSet<&str> = nodes.iter().map(Node::name).collect();
    let names = tables.node_names(true)?.to_vec();
    let cells = tables.cells(&names, &[(table("feed"), "circuits")])?;
    let on_any = |cells: &Vec<tables::Value>| {
        let text = cells.first().and_then(|value| value.text.as_deref()).unwrap_or_default();
        tables::definitions::words(text).any(|circuit| circuits.contains(circuit))
    };
    let pairs = names.into_iter().zip(cells);
    let names: Vec<String> =
        pairs.filter(|(name, cells)| !known.contains(&**name) && on_any(cells)).map(|(name, _)| name).collect();
    Ok(tables.resolve(&names)?)
}

fn table(name: &str) -> &'static schema::Table {
    schema::find(name).expect("tables circuit and feed are in the schema")
}

/// Why these nodes may not be switched on beside those that are on, as far as one circuit is concerned.
fn fault(circuit: &str, limit: Option<&Option<String>>, nodes: &[Node], on: &[Node]) -> Option<String> {
    let limit: u64 = match limit {
        None => return Some(format!("circuit {circuit} is not in table circuit")),
        Some(None) => return Some(format!("circuit {circuit} does not say how many watts it carries")),
        Some(Some(watts)) => match watts.parse() {
            Ok(limit) => limit,
            Err(_) => return Some(format!("watts of circuit {circuit} is '{watts}', which is no number of watts")),
        },
    };
    let fed = |nodes: &[Node]| -> Vec<Node> {
        nodes.iter().filter(|node| circuits_of(node).any(|name| name == circuit)).cloned().collect()
    };
    let (new, on) = (fed(nodes), fed(on));
    let all = || new.iter().chain(&on);
    if let Some((node, text)) =
        all().find_map(|node| Some((node, node.get("watts").filter(|_| watts(node).is_none())?)))
    {
        return Some(format!("attribute 'watts' of {} is '{text}', which is no number of watts", node.name()));
    }
    let silent: Vec<Node> = all().filter(|node| watts(node).is_none()).cloned().collect();
    if !silent.is_empty() {
        return Some(format!("attribute 'watts' is not set of {}, on circuit {circuit}", folded(&silent)));
    }
    let drawn: u64 = all().filter_map(watts).sum();
    if drawn <= limit {
        return None;
    }
    let beside = if on.is_empty() { String::new() } else { format!(" beside {}, on now", folded(&on)) };
    Some(format!("circuit {circuit} carries {limit} W, and {drawn} W would be drawn: by {}{beside}", folded(&new)))
}

fn watts(node: &Node) -> Option<u64> {
    node.get("watts")?.parse().ok()
}

fn folded(nodes: &[Node]) -> String {
    tables::noderange::fold(nodes.iter().map(|node| node.name().to_owned()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, circuits: &str, watts: &str) -> Node {
        Node::new(name, Default::default(), None).with(&[("circuits", circuits), ("watts", watts)])
    }

    #[test]
    fn a_circuit_bears_what_is_on_and_what_comes() {
        let new = [node("n1", "a,b", "300"), node("n2", "a", "400")];
        let on = [node("n3", "a", "200"), node("n4", "b", "100")];
        let check = |circuit: &str, limit: Option<Option<&str>>, expected: Option<&str>| {
            let written = limit.map(|watts| watts.map(str::to_owned));
            assert_eq!(fault(circuit, written.as_ref(), &new, &on).as_deref(), expected, "{circuit} {limit:?}");
        };
        check("a", Some(Some("900")), None);
        check(
            "a",
            Some(Some("899")),
            Some("circuit a carries 899 W, and 900 W would be drawn: by n[1-2] beside n3, on now"),
        );
        check("b", Some(Some("400")), None);
        check("b", Some(None), Some("circuit b does not say how many watts it carries"));
        check("b", None, Some("circuit b is not in table circuit"));
        check("b", Some(Some("abc")), Some("watts of circuit b is 'abc', which is no number of watts"));
        let limit = Some("900".to_owned());
        let wrong = fault("a", Some(&limit), &new, &[node("n5", "a", "1 kW")]);
        assert_eq!(wrong.as_deref(), Some("attribute 'watts' of n5 is '1 kW', which is no number of watts"));
        let silent = [node("n5", "a", "")];
        let said = fault("a", Some(&limit), &new, &silent);
        assert_eq!(said.as_deref(), Some("attribute 'watts' is not set of n5, on circuit a"));
        let alone = fault("b", Some(&Some("299".to_owned())), &new, &[]);
        assert_eq!(alone.as_deref(), Some("circuit b carries 299 W, and 300 W would be drawn: by n1"));
    }
}
