//! `updatenode`: files, packages and scripts of nodes that are up, as the tables have them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use netboot::postscripts::Script;
use tables::{Node, lists};

use super::{Run, Shape, xdsh};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{Interrupted, Manner};
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::upkeep::{Choice, Parts, Upkeep};

/// Bring nodes that are up to what the tables say: files, packages, scripts
#[derive(Debug, Args)]
#[command(
    after_help = "Without -F, -S and -P it does all three, in this order; a part that fails ends the work on its node.

  -F   the synclists of the node's image (osimage.synclists), as xdcp -F
  -S   the packages of its image (linuximage.pkglist and otherpkglist; -NAME is removed), from the sources that the node has
  -P   the postscripts and then the postbootscripts: those for every node (row xcatdefaults), of the image, of the node;
       or those that are named, with their arguments

Scripts stand in postscripts of the directory site.installdir (/install). With what else is there that everybody may read they
are sent to /xcatpost of the node, which is emptied afterwards, and run there one after the other with xCAT's environment: NODE,
MASTER, OSVER, ARCH, PROFILE, NODESETSTATE, UPDATENODE=1, NICIPS and so on, the site's settings in capitals, and what
osimage.environvar sets. One that fails is named with its exit code, and the next one runs. syncfiles, ospkgs and otherpkgs are
-F and -S. nodelist.updatestatus says how it ended: synced, failed, or out-of-sync after Ctrl-C.

Examples:
  updatenode rack1
  updatenode rack1 -P confignetwork,'setupntp --force'
  updatenode n1 -F -S
  updatenode all --plan -b"
)]
pub(crate) struct Updatenode {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// Scripts to run, by comma, as with -P
    #[arg(value_name = "SCRIPTS", conflicts_with = "scripts")]
    named: Option<String>,
    /// Run these scripts, or without names those of the tables
    #[arg(short = 'P', long, value_name = "SCRIPTS", num_args = 0..=1, default_missing_value = "")]
    scripts: Option<String>,
    /// Synchronise files
    #[arg(short = 'F', long = "sync")]
    files: bool,
    /// Install packages
    #[arg(short = 'S', long = "sw")]
    packages: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    plan: bool,
    /// Log in, or run inside the container, as this user
    #[arg(short = 'l', long, value_name = "USER")]
    user: Option<String>,
    /// Nodes at once
    #[arg(short, long, env = "DSH_FANOUT", default_value_t = xdsh::DEFAULT_FANOUT, value_name = "N")]
    fanout: usize,
    /// Seconds a node may take
    #[arg(short, long, value_name = "SECONDS", default_value_t = 3600.0)]
    timeout: f64,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Updatenode {
    fn is_audited(&self) -> bool {
        !self.plan
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let limit = xdsh::limit(Some(self.timeout))?.unwrap_or(Duration::MAX);
        let upkeep = Upkeep::new(cx, &nodes, &self.parts()?, self.user.as_deref())?;
        cx.check(self.shape.format(), &nodes, |node| upkeep.check(cx, node))?;
        let manner = Manner { fanout: self.fanout, format: self.shape.format(), interrupted: Interrupted::Leave };
        if self.plan {
            let plan = async |node: Node| upkeep.plan(cx, &node).await;
            return Ok(cx.each(nodes, manner, plan).await.into());
        }
        let statuses = Statuses::begin(cx, &nodes)?;
        let ask = async |node: Node| {
            let done = tokio::time::timeout(limit, upkeep.carry_out(cx, &node)).await.unwrap_or_else(|_| {
                Err(Failure::refused(format!("timeout exceeded: not done within {} s", limit.as_secs_f64())))
            });
            statuses.end(&node, if done.is_ok() { "synced" } else { "failed" })?;
            done.map(|said| Answer { data: None, ..said })
        };
        let ended = cx.each(nodes, manner, ask).await.into();
        statuses.left()?;
        Ok(ended)
    }
}

impl Updatenode {
    fn parts(&self) -> Result<Parts, Failure> {
        let named = self.named.as_ref().or(self.scripts.as_ref());
        if named.is_none() && !self.files && !self.packages {
            return Ok(Parts { files: true, packages: true, scripts: Some(Choice::All) });
        }
        let Some(named) = named else { return Ok(Parts { files: self.files, packages: self.packages, scripts: None }) };
        let words: Vec<Script> = lists::words(named).map(Script::parse).collect::<Result<_, _>>()?;
        let has = |names: &[&str]| words.iter().any(|script| names.contains(&script.name.as_str()));
        let (files, packages) = (has(&["syncfiles"]), has(&["ospkgs", "otherpkgs"]));
        let scripts: Vec<Script> = words.iter().filter(|script| !script.is_ours()).cloned().collect();
        let scripts = match (words.is_empty(), scripts.is_empty()) {
            (true, _) => Some(Choice::All),
            (false, true) => None,
            (false, false) => Some(Choice::Named(scripts)),
        };
        Ok(Parts { files: self.files || files, packages: self.packages || packages, scripts })
    }
}

/// nodelist.updatestatus of the nodes, where the site wants statuses.
struct Statuses<'a> {
    cx: &'a Context,
    wanted: bool,
    open: Mutex<BTreeMap<String, &'static str>>,
}

impl<'a> Statuses<'a> {
    fn begin(cx: &'a Context, nodes: &[Node]) -> Result<Self, Failure> {
        let wanted = cx.keeps_statuses()?;
        let name = |node: &Node| node.name().to_owned();
        if wanted {
            cx.tables()?.record_update_statuses(&nodes.iter().map(|node| (name(node), "syncing")).collect())?;
        }
        // Whoever does not come to an end is this.
        let open = nodes.iter().map(|node| (name(node), "out-of-sync")).collect();
        Ok(Self { cx, wanted, open: Mutex::new(open) })
    }

    fn end(&self, node: &Node, status: &'static str) -> Result<(), Failure> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(node.name());
        self.write(&BTreeMap::from([(node.name().to_owned(), status)]))
    }

    fn left(&self) -> Result<(), Failure> {
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        self.write(&open)
    }

    fn write(&self, statuses: &BTreeMap<String, &'static str>) -> Result<(), Failure> {
        if self.wanted && !statuses.is_empty() {
            self.cx.tables()?.record_update_statuses(statuses)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        command: Updatenode,
    }

    #[test]
    fn options_choose_the_parts() {
        let check = |line: &str, expected: &str| {
            let words = ["updatenode", "n1"].into_iter().chain(line.split(' ').filter(|word| !word.is_empty()));
            let parts = Line::parse_from(words).command.parts().unwrap();
            let scripts = match parts.scripts {
                None => "none".to_owned(),
                Some(Choice::All) => "all".to_owned(),
                Some(Choice::Named(scripts)) => {
                    scripts.iter().map(|script| script.name.clone()).collect::<Vec<_>>().join(" ")
                }
            };
            assert_eq!(format!("{} {} {scripts}", parts.files, parts.packages), expected, "{line}");
        };
        check("", "true true all");
        check("-P", "false false all");
        check("-F -P a,b", "true false a b");
        check("a,b", "false false a b");
        check("-S", "false true none");
        check("-P syncfiles,otherpkgs", "true true none");
    }
}
