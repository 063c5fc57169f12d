//! `/etc/hosts` as makehosts and nodepurge change it, and the file that hosts have for their containers.

use std::collections::HashSet;
use std::path::Path;

use netboot::hosts::{self, Entry, Style};
use netboot::{interfaces, rewrite};
use plugins::{Invocation, Output, Program};
use tables::{Node, Select, Tables, schema};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{DEFAULT_FANOUT, Interrupted, Manner};
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::ui::Format;

/// Where names and addresses stand unless said otherwise.
pub(crate) const FILE: &str = "/etc/hosts";

/// Changes the file of its first argument to what comes in. In place: a container has the file itself for its own, and
/// another file of that name would be none of it. It is overwritten before it is cut, so that it is never empty.
const OVERWRITE: &str = r#"set -e
mkdir -p "${1%/*}"
cat >"$1.$$"
trap 'rm -f "$1.$$"' EXIT
[ -e "$1" ] || cp "$1.$$" "$1"
cmp -s "$1.$$" "$1" || { dd if="$1.$$" of="$1" bs=1M conv=notrunc 2>/dev/null; truncate -r "$1.$$" "$1"; }"#;

/// How lines are written at this site, by tables site and networks.
pub(crate) fn style(tables: &Tables) -> Result<Style, Failure> {
    let networks = schema::find("networks").expect("table networks is in the schema");
    let rows = tables.rows(networks, Select::All)?;
    let domains = rows.iter().filter_map(|row| {
        let network = interfaces::parse(row.get("net")?, row.get("mask")?)?;
        Some((network, row.get("domain")?.to_owned()))
    });
    let long_name_first = matches!(tables.site("FQDNfirst")?.as_deref(), Some("1" | "yes" | "enable"));
    Ok(Style { domain: tables.site("domain")?, domains: domains.collect(), long_name_first, ..Style::default() })
}

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
    cx.check(Format::Lines, &hosts, |host| Ok(backends.exec(host).map(drop)?))?;
    let argv: Vec<String> = ["sh", "-c", OVERWRITE, "sh"].map(str::to_owned).into();
    let argv = argv.into_iter().chain([path.display().to_string()]).collect();
    let program = Program::Argv(argv);
    let invocation = Invocation { program, stdin: text.as_bytes().to_vec(), ..Invocation::default() };
    let write = async |host: Node| {
        let (sender, mut receiver) = mpsc::channel(8);
        let run = backends.exec(&host)?.run(&host, &invocation, sender);
        let listen = async {
            let mut complaint = Vec::new();
            while let Some(output) = receiver.recv().await {
                match output {
                    Output::Stdout(bytes) | Output::Stderr(bytes) => complaint.extend(bytes),
                }
            }
            String::from_utf8_lossy(&complaint).trim().to_owned()
        };
        match tokio::join!(run, listen) {
            (Ok(0), _) => Ok(Answer::silent()),
            (Ok(code), complaint) => {
                Err(Failure::refused(format!("cannot write {}: {complaint} (exit code {code})", path.display())))
            }
            (Err(error), _) => Err(error.into()),
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
