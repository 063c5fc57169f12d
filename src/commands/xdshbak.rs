//! `xdshbak`: sort the mixed output of xdsh by node, or fold equal output together.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use clap::Args;

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Sort the output of xdsh by node, or fold equal output together
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  xdsh all date | xdshbak
  xdsh all 'rpm -qa' | xdshbak -c")]
pub(crate) struct Xdshbak {
    /// Show equal output once, under the names of all its nodes
    #[arg(short, conflicts_with = "lines")]
    collapse: bool,
    /// Print `node: text` lines again, sorted by node
    #[arg(short = 'x', id = "lines")]
    lines: bool,
    /// With -x: only the text
    #[arg(short = 'b', requires = "lines")]
    bare: bool,
    /// Fold the names of -c: n[001-499] instead of a list
    #[arg(short = 'n', long, requires = "collapse")]
    fold: bool,
    /// Accepted for xCAT's sake
    #[arg(short)]
    quiet: bool,
}

/// A node's lines, by node.
pub(super) type Outputs = BTreeMap<String, Vec<String>>;

impl Run for Xdshbak {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let (outputs, rest) = read(io::stdin().lock())?;
        rest.iter().for_each(|line| cx.ui.line(line));
        let text = match (self.collapse, self.lines) {
            (true, _) => collapsed(&outputs, self.fold),
            (_, true) => lines(&outputs, self.bare),
            _ => by_host(&outputs),
        };
        cx.ui.write(text.as_bytes());
        Ok(Outcome::Done)
    }
}

/// Splits every line at its first `: `; lines without one belong to no node.
pub(super) fn read(input: impl BufRead) -> Result<(Outputs, Vec<String>), Failure> {
    let (mut outputs, mut rest) = (Outputs::new(), Vec::new());
    for line in input.split(b'\n') {
        let line = line.map_err(|error| Failure::refused(format!("cannot read standard input: {error}")))?;
        let line = String::from_utf8_lossy(&line).into_owned();
        // `node:` alone is an empty line of output whose trailing space was lost on the way.
        let parts = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")));
        match parts {
            Some((node, text)) if !node.is_empty() => outputs.entry(node.to_owned()).or_default().push(text.to_owned()),
            _ => rest.push(line),
        }
    }
    Ok((outputs, rest))
}

fn by_host(outputs: &Outputs) -> String {
    let block = |(node, lines): (&String, &Vec<String>)| {
        let title = format!("HOST:{node}");
        let dashes = "-".repeat(title.chars().count() + 1);
        format!("{title}\n{dashes}\n{}", joined(lines))
    };
    outputs.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn collapsed(outputs: &Outputs, fold: bool) -> String {
    let mut groups: Vec<(&Vec<String>, Vec<String>)> = Vec::new();
    for (node, lines) in outputs {
        match groups.iter_mut().find(|(known, _)| *known == lines) {
            Some((_, nodes)) => nodes.push(node.clone()),
            None => groups.push((lines, vec![node.clone()])),
        }
    }
    let title = format!("HOSTS {}", "-".repeat(73));
    let dashes = "-".repeat(79);
    let block = |(lines, nodes): (&Vec<String>, Vec<String>)| {
        let names = if fold { tables::noderange::fold(&nodes) } else { nodes.join(", ") };
        format!("{title}\n{names}\n{dashes}\n{}", joined(lines))
    };
    groups.into_iter().map(block).collect::<Vec<_>>().join("\n")
}

fn lines(outputs: &Outputs, bare: bool) -> String {
    let line = |node: &str, text: &String| if bare { format!("{text}\n") } else { format!("{node}: {text}\n") };
    outputs.iter().flat_map(|(node, texts)| texts.iter().map(move |text| line(node, text))).collect()
}

fn joined(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(input: &str) -> Outputs {
        read(input.as_bytes()).unwrap().0
    }

    #[test]
    fn one_block_a_host() {
        let text = by_host(&outputs("node2: b\nnode1: a: c\nnode2: d\n"));
        assert_eq!(text, "HOST:node1\n-----------\na: c\n\nHOST:node2\n-----------\nb\nd\n");
    }

    #[test]
    fn equal_output_once() {
        let title = format!("HOSTS {}", "-".repeat(73));
        let dashes = "-".repeat(79);
        let text = collapsed(&outputs("n3: x\nn1: a\nn2: a\n"), false);
        assert_eq!(text, format!("{title}\nn1, n2\n{dashes}\na\n\n{title}\nn3\n{dashes}\nx\n"));
    }

    #[test]
    fn lines_again_and_lines_of_nobody() {
        let (outputs, rest) = read("n2: b\nn1: a\nn1:\nno node here\n".as_bytes()).unwrap();
        assert_eq!(lines(&outputs, false), "n1: a\nn1: \nn2: b\n");
        assert_eq!(lines(&outputs, true), "a\n\nb\n");
        assert_eq!(rest, ["no node here"]);
    }
}
