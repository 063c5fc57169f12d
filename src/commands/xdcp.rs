//! `xdcp`: copy files to or from many nodes.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tables::Node;

use super::{Run, Shape, xdsh};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{Interrupted, Manner};
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::synclist;
use crate::ui::Format;

/// Copy files to nodes, or from nodes with -P
#[derive(Debug, Args)]
#[command(
    after_help = "Silent on success; -V tells of each node. With -P every node's copy gets the node's name: hosts._n1.
The exit code is the number of nodes that failed.

Examples:
  xdcp all /etc/hosts /etc/hosts
  xdcp c[1-40] -R ./site.d /opt/
  xdcp rack1 -P /var/log/messages /tmp/logs
  xdcp all -F /install/custom/site.synclist

A synclist has lines of whole paths and may have clauses behind them:
  /etc/hosts -> /etc/hosts
  /site/* -> /opt/site/            directories are made where they are missing
  /site/motd -> (rack1,-n7) /etc/motd   for these nodes only
  EXECUTE:                         scripts, each for when the file it is named after has changed on a node
  /etc/hosts.post
  EXECUTEALWAYS:                   scripts for every time
  /site/check
  APPEND:                          to the end of what the node has, once; the original is kept in site.nodesyncfiledir
  /site/sysctl -> /etc/sysctl.conf
  MERGE:                           by name into passwd, shadow or group
  /site/users -> /etc/passwd
Only what differs on a node is copied."
)]
pub(crate) struct Xdcp {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// What to copy, then where to
    #[arg(value_name = "PATH", required_unless_present = "synclist", conflicts_with = "synclist", num_args = 2..)]
    paths: Vec<String>,
    /// From the nodes into a local directory
    #[arg(short = 'P', long, conflicts_with = "synclist")]
    pull: bool,
    /// Make the nodes as this file says
    #[arg(short = 'F', long = "file", value_name = "SYNCLIST")]
    synclist: Option<PathBuf>,
    /// Nodes at once
    #[arg(short, long, env = "DSH_FANOUT", default_value_t = xdsh::DEFAULT_FANOUT, value_name = "N")]
    fanout: usize,
    /// Seconds a node may take
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Log in as this user
    #[arg(short = 'l', long, value_name = "USER")]
    user: Option<String>,
    /// Accepted for xCAT's sake: directories are always copied whole
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Accepted for xCAT's sake: modes and times are always kept
    #[arg(short = 'p', long)]
    preserve: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Xdcp {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        if let Some(file) = &self.synclist {
            return self.sync(cx, nodes, file).await;
        }
        let copy = Copy::new(&self.paths, self.pull, self.user.as_deref())?;
        let limit = xdsh::limit(self.timeout)?;
        let format = self.shape.format();
        let tell = cx.verbose || format == Format::Json;
        let said = if tell { Answer::line("copied") } else { Answer::silent() };
        let ask = async |node: Node| copy.carry_out(cx, &node, limit).await.map(|()| said.clone());
        let manner = Manner { fanout: self.fanout, format, interrupted: Interrupted::Leave };
        Ok(cx.each(nodes, manner, ask).await.counted())
    }
}

impl Xdcp {
    async fn sync(&self, cx: &Context, nodes: Vec<Node>, file: &Path) -> Result<Outcome, Failure> {
        let list = synclist::read(file)?;
        let tables = cx.tables()?;
        let mut ranges: HashMap<&str, HashSet<String>> = HashMap::new();
        for range in list.copies.iter().filter_map(|copy| copy.range.as_deref()) {
            ranges.insert(range, tables.expand(range)?.into_iter().collect());
        }
        let limit = xdsh::limit(self.timeout)?;
        let backends = cx.backends()?;
        let kept = tables.site("nodesyncfiledir")?;
        let kept = kept.as_deref().unwrap_or(synclist::KEPT);
        let ask = async |node: Node| {
            let way = synclist::Way { backends, node: &node, user: self.user.as_deref(), kept };
            let is_for = |range: &str| ranges.get(range).is_some_and(|names| names.contains(node.name()));
            within(limit, "synchronised", synclist::sync(way, &list, is_for)).await
        };
        let manner = Manner { fanout: self.fanout, format: self.shape.format(), interrupted: Interrupted::Leave };
        Ok(cx.each(nodes, manner, ask).await.counted())
    }
}

/// Gives work on a node so much time.
async fn within<T>(
    limit: Option<Duration>,
    done: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let Some(limit) = limit else { return work.await };
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(Failure::refused(format!("timeout exceeded: not {done} within {} s", limit.as_secs_f64())))
    })
}

/// A checked copy, the same for every node.
pub(super) struct Copy<'a> {
    sources: &'a [String],
    destination: &'a str,
    pull: bool,
    user: Option<&'a str>,
}

impl<'a> Copy<'a> {
    /// Checks what can be checked here before any node is asked.
    pub(super) fn new(paths: &'a [String], pull: bool, user: Option<&'a str>) -> Result<Self, Failure> {
        let (destination, sources) = paths.split_last().ok_or_else(|| Failure::usage("nothing to copy"))?;
        if pull && !Path::new(destination).is_dir() {
            return Err(Failure::refused(format!("{destination} is not a directory; -P copies into one")));
        }
        if let Some(missing) = sources.iter().find(|source| !pull && std::fs::symlink_metadata(source).is_err()) {
            return Err(Failure::refused(format!("cannot read {missing}: no such file or directory")));
        }
        Ok(Self { sources, destination, pull, user })
    }

    pub(super) async fn carry_out(&self, cx: &Context, node: &Node, limit: Option<Duration>) -> Result<(), Failure> {
        let files = cx.backends()?.files(node)?;
        let copying = async {
            if self.pull {
                return self.fetch(files, node).await;
            }
            let sources: Vec<PathBuf> = self.sources.iter().map(PathBuf::from).collect();
            Ok(files.put(node, self.user, &sources, self.destination).await?)
        };
        within(limit, "copied", copying).await
    }

    /// Copies into a directory of the node's own first, so that no name of another node can be in the way.
    async fn fetch(&self, files: &dyn plugins::Files, node: &Node) -> Result<(), Failure> {
        let refused =
            |error: std::io::Error| Failure::refused(format!("cannot write in {}: {error}", self.destination));
        let place = Path::new(self.destination).join(format!(".xdcp-{}-{}", std::process::id(), node.name()));
        std::fs::create_dir(&place).map_err(refused)?;
        let fetched = files.get(node, self.user, self.sources, &place).await.map_err(Failure::from);
        let moved = fetched.and_then(|()| {
            for entry in std::fs::read_dir(&place).map_err(refused)? {
                let entry = entry.map_err(refused)?;
                let name = format!("{}._{}", entry.file_name().to_string_lossy(), node.name());
                std::fs::rename(entry.path(), Path::new(self.destination).join(name)).map_err(refused)?;
            }
            Ok(())
        });
        std::fs::remove_dir_all(&place).ok(); // what was copied is out; a left-over directory harms nothing
        moved
    }
}
