//! `rmdef`: remove definitions.

use std::path::PathBuf;

use clap::Args;
use netboot::hosts::Style;
use tables::{Edit, Node};

use super::rmvm::Rmvm;
use super::{Run, Shape};
use crate::context::Context;
use crate::definition::{self, Target, Wanted};
use crate::failure::Failure;
use crate::hosts;
use crate::outcome::Outcome;
use crate::reply::Answer;

/// Remove definitions with everything the tables say of them
#[derive(Debug, Args)]
#[command(
    after_help = "Without -C, guests that were made from a definition are not touched: rmvm them first. With it the definitions stay for
as long as one guest does. defundo brings definitions back, but no guests.

Examples:
  rmdef rack1
  rmdef -t group -o rack1    the group; its nodes stay
  rmdef -C -f rack2          with its guests, running or not
  rmdef -t osimage -a -f     all of a type"
)]
pub(crate) struct Rmdef {
    #[command(flatten)]
    target: Target,
    /// All objects of the types; needs -f
    #[arg(short = 'a', long, requires_all = ["force", "types"])]
    all: bool,
    /// Yes, all of them; with -C also guests that run
    #[arg(short = 'f', long)]
    force: bool,
    /// First clean up what was made from nodes: their guests, and their lines in /etc/hosts
    #[arg(short = 'C', long)]
    cleanup: bool,
    /// With -C: the file of names and addresses
    #[arg(long, value_name = "PATH", default_value = hosts::FILE, requires = "cleanup")]
    file: PathBuf,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Rmdef {
    fn is_audited(&self) -> bool {
        self.cleanup
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        if self.all && self.target.has_names() {
            return Err(Failure::usage("-a is all objects: it takes no names"));
        }
        let mut wanted = self.target.objects(cx.tables()?)?;
        for wanted in &mut wanted {
            if let Some(only) = wanted.object.only_object {
                return Err(Failure::refused(format!("'{only}' is always there and cannot be removed"))
                    .hint("a single setting: chdef -t site attribute="));
            }
            if self.all {
                wanted.names = cx.tables()?.object_names(wanted.object)?;
            } else if wanted.names.is_empty() {
                return Err(Failure::usage("no object was named").hint("all of a type: rmdef -t TYPE -a -f"));
            }
        }
        if self.cleanup {
            let cleaned = self.clean_up(cx, &wanted).await?;
            if cleaned != Outcome::Done {
                cx.ui.error("the definitions stay: not everything that was made from them could be removed");
                return Ok(cleaned);
            }
        }
        let (removed, missing) = cx.tables()?.edit(&cx.origin(self.reason), |edit| remove(edit, &wanted))?;
        missing.iter().for_each(|failure| cx.ui.error(&failure.message));
        match removed {
            0 => cx.ui.line("No objects have been removed from the xCAT database."),
            count => cx.ui.line(&format!("{count} object definitions have been removed.")),
        }
        Ok(if missing.is_empty() && removed > 0 { Outcome::Done } else { Outcome::SomeFailed })
    }
}

impl Rmdef {
    /// Once the tables have forgotten the nodes, nobody can name what is left of them.
    async fn clean_up(&self, cx: &Context, wanted: &[Wanted]) -> Result<Outcome, Failure> {
        let tables = cx.tables()?;
        let mut nodes = Vec::new();
        for Wanted { object, names, .. } in wanted.iter().filter(|wanted| wanted.object.name == "node") {
            let known = tables.object_names(object)?;
            let there: Vec<String> = names.iter().filter(|name| known.binary_search(name).is_ok()).cloned().collect();
            nodes.extend(tables.resolve(&there)?);
        }
        let backends = cx.backends()?;
        let guests: Vec<Node> = nodes.iter().filter(|node| backends.guests(node).is_ok()).cloned().collect();
        if !guests.is_empty() {
            let rmvm = Rmvm { noderange: String::new(), force: self.force, purge: false, shape: Shape::default() };
            let removed = rmvm.remove_of(cx, guests, Answer::silent()).await?;
            if removed != Outcome::Done {
                return Ok(removed);
            }
        }
        hosts::remove(&self.file, &nodes, &Style::read(tables)?)?;
        Ok(Outcome::Done)
    }
}

fn remove(edit: &mut Edit<'_>, wanted: &[Wanted]) -> tables::Result<(usize, Vec<Failure>)> {
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    // Asked before the first removal: groups go with the last of their nodes.
    for Wanted { object, names, .. } in wanted {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let defined = edit.defined(object, &names)?;
        let (known, gone): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| defined.contains(name));
        missing.extend(gone.into_iter().map(|name| definition::not_found(object, name)));
        there.push((*object, known));
    }
    let mut removed = 0;
    for (object, names) in there {
        edit.undefine(object, &names)?;
        removed += names.len();
    }
    Ok((removed, missing))
}
