//! `xcoll`: equal output under one heading, which names groups where it can.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use clap::Args;
use tables::{Tables, objects};

use super::Run;
use super::xdshbak::{self, Outputs};
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
        let blocks = if self.individual {
            outputs.into_iter().map(|(title, lines)| Block { title, nodes: 1, lines }).collect()
        } else {
            let groups = if self.nodes { Vec::new() } else { groups(cx.tables()?)? };
            collected(outputs, &groups)
        };
        let line = "=".repeat(36);
        for Block { title, nodes, lines } in &blocks {
            cx.ui.line(&format!("{line}\n{title}\n{line}"));
            if self.count {
                cx.ui.line(&format!("Node count = {nodes} \n{line}"));
            }
            lines.iter().for_each(|line| cx.ui.line(line));
            cx.ui.line("");
        }
        Ok(Outcome::Done)
    }
}

/// What stands under one heading.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    title: String,
    nodes: usize,
    lines: Vec<String>,
}

/// Equal outputs once each, by title. Two may have the same one: what speaks can be called as a group is.
fn collected(outputs: Outputs, groups: &[Group]) -> Vec<Block> {
    let mut alike: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for (node, lines) in outputs {
        alike.entry(lines).or_default().insert(node);
    }
    let block =
        |(lines, nodes): (_, BTreeSet<String>)| Block { title: title(&nodes, groups), nodes: nodes.len(), lines };
    let mut blocks: Vec<Block> = alike.into_iter().map(block).collect();
    blocks.sort_by(|one, other| one.title.cmp(&other.title));
    blocks
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
    fn a_group_that_is_called_as_a_node_hides_no_output() {
        let said = |node: &str, line: &str| (node.to_owned(), vec![line.to_owned()]);
        let outputs = Outputs::from([said("a", "up"), said("b", "down"), said("c", "down")]);
        let groups = [("a".to_owned(), BTreeSet::from(["b".to_owned(), "c".to_owned()]))];
        let block = |nodes: usize, line: &str| Block { title: "a".into(), nodes, lines: vec![line.into()] };
        assert_eq!(collected(outputs, &groups), [block(2, "down"), block(1, "up")]);
    }

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
