//! `/etc/hosts` as makehosts and nodepurge change it, and the file that hosts have for their containers.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use netboot::hosts::{self, Entry, Style};
use netboot::rewrite;
use plugins::ssh::Exit;
use tables::Node;
use tokio::time::timeout;

use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{DEFAULT_FANOUT, Interrupted, Manner};
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::ui::Format;

/// Where names and addresses stand unless said otherwise.
pub(crate) const FILE: &str = "/etc/hosts";

/// How long a host may take to write its file.
const WRITING: Duration = Duration::from_secs(30);
/// Changes the file of its first argument to what comes in. In place: a container has the file itself for its own, and
/// another file of that name would be none of it. It is overwritten before it is cut, so that it is never empty.
const OVERWRITE: &str = r#"set -e
mkdir -p "${1%/*}"
cat >"$1.$$"
trap 'rm -f "$1.$$"' EXIT
[ -e "$1" ] || cp "$1.$$" "$1"
cmp -s "$1.$$" "$1" || { dd if="$1.$$" of="$1" bs=1M conv=notrunc 2>/dev/null; truncate -r "$1.$$" "$1"; }"#;

/// Takes the lines of nodes out of the file; tells whether there were any.
pub(crate) fn remove(file: &Path, nodes: &[Node], style: &Style) -> Result<bool, Failure> {
    let names: HashSet<&str> = nodes.iter().map(Node::name).collect();
    // A node whose address makes no sense has at most lines that its name finds.
    let entries: Vec<Entry> = nodes.iter().flat_map(|node| hosts::entries(node, style).unwrap_or_default()).collect();
    change(file, |text| match text {
        Some(text) => hosts::remove(text, &names, &entries),
        None => String::new(),
    })
}

/// Changes the file in one piece.
pub(crate) fn change(file: &Path, change: impl FnOnce(Option<&str>) -> String) -> Result<bool, Failure> {
    Ok(rewrite::rewrite(file, change)?)
}

/// Makes a file of each host be `text`.
pub(crate) async fn write_on(cx: &Context, hosts: Vec<Node>, path: &Path, text: &str) -> Result<Outcome, Failure> {
    let backends = cx.backends()?;
    let path = path.display().to_string();
    let write = async |host: Node| {
        let machine = backends.host(&host).await?;
        let argv = ["sh", "-c", OVERWRITE, "sh", &path];
        let what = || format!("{}: cannot write {path}", host.name());
        let ran = timeout(WRITING, machine.try_run(&argv, text.as_bytes())).await;
        let ran = ran.map_err(|_| plugins::Error::TimedOut { what: what(), after: WRITING })??;
        match ran.exit {
            Exit::Code(0) => Ok(Answer::silent()),
            _ => Err(Failure::refused(format!("{}: {}", what(), String::from_utf8_lossy(&ran.stderr).trim()))),
        }
    };
    let manner = Manner { format: Format::Lines, fanout: DEFAULT_FANOUT, interrupted: Interrupted::Wait };
    Ok(cx.each(hosts, manner, write).await.into())
}

impl From<rewrite::Error> for Failure {
    fn from(error: rewrite::Error) -> Self {
        Self::refused(plugins::chain(&error))
    }
}
