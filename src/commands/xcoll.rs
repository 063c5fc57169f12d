//! `xcoll`: equal output under one heading, which names groups where it can.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use clap::Args;
use tables::{Tables, objects};

use super::{Run, xdshbak};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Put equal output of nodes under one heading, with groups in place of their nodes
#[derive(Debug, Args)]
#[command(after_help = "A group stands for its nodes when all of them said the same.

Examples:
  xdsh all uname -r | xcoll
  lsdef all -i status -c | xcoll -n -c")]
pub(crate) struct Xcoll {
    /// Name nodes, not groups
    #[arg(short)]
    nodes: bool,
    /// Also say how many nodes they are
    #[arg(short)]
    count: bool,
    /// One heading a node
    #[arg(short, conflicts_with = "count")]
    individual: bool,
}

/// Whose line it is when it names no node.
const NOBODY: &str = "UNKNOWN";

impl Run for Xcoll {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let (mut outputs, rest) = xdshbak::read(io::stdin().lock())?;
        if !rest.is_empty() {
            outputs.entry(NOBODY.to_owned()).or_default().extend(rest);
        }
        let mut alike: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
        if !self.individual {
            for (node, lines) in outputs {
                alike.entry(lines).or_default().insert(node);
            }
            let groups = if self.nodes { Vec::new() } else { groups(cx.tables()?)? };
            let titled = alike.into_iter().map(|(lines, nodes)| (title(&nodes, &groups), nodes.len(), lines));
            outputs = titled.map(|(title, count, lines)| (title, self.counted(count, lines))).collect();
        }
        let line = "=".repeat(36);
        for (title, lines) in &outputs {
            cx.ui.line(&format!("{line}\n{title}\n{line}"));
            lines.iter().for_each(|line| cx.ui.line(line));
            cx.ui.line("");
        }
        Ok(Outcome::Done)
    }
}

impl Xcoll {
    fn counted(&self, count: usize, mut lines: Vec<String>) -> Vec<String> {
        if self.count {
            lines.splice(0..0, [format!("Node count = {count} "), "=".repeat(36)]);
        }
        lines
    }
}

/// A group and its nodes.
type Group = (String, BTreeSet<String>);

/// Every group that has nodes, the largest first.
fn groups(tables: &Tables) -> Result<Vec<Group>, Failure> {
    let group = objects::find("group").expect("groups are among the types");
    let mut groups = Vec::new();
    for name in tables.object_names(group)? {
        let nodes: BTreeSet<String> = tables.expand(&name)?.into_iter().collect();
        groups.push((name, nodes));
    }
    groups.retain(|(_, nodes)| !nodes.is_empty());
    groups.sort_by(|(a, of_a), (b, of_b)| of_b.len().cmp(&of_a.len()).then_with(|| a.cmp(b)));
    Ok(groups)
}

/// Groups whose nodes are all there, each for some that no earlier one stands for, then the nodes that are left.
fn title(nodes: &BTreeSet<String>, groups: &[Group]) -> String {
    let mut left = nodes.clone();
    let mut names = Vec::new();
    for (group, members) in groups {
        if members.is_subset(nodes) && !members.is_disjoint(&left) {
            left.retain(|node| !members.contains(node));
            names.push(group.as_str());
        }
    }
    names.extend(left.iter().map(String::as_str));
    names.sort_unstable();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stand_for_nodes_that_are_all_there() {
        let set = |text: &str| text.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
        let groups = [("all", "a b c d"), ("left", "a b"), ("right", "b c"), ("one", "a")];
        let groups: Vec<Group> = groups.iter().map(|(name, nodes)| ((*name).to_owned(), set(nodes))).collect();
        let check = |nodes: &str, expected: &str| assert_eq!(title(&set(nodes), &groups), expected, "{nodes}");
        check("a b c d", "all");
        check("a b", "left");
        check("a b c", "left,right");
        check("a c d", "c,d,one");
        check("x", "x");
    }
}
