//! `rmdef`: remove definitions.

use clap::Args;
use tables::Edit;

use super::Run;
use crate::context::Context;
use crate::definition::{self, Target, Wanted};
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Remove definitions with everything the tables say of them
#[derive(Debug, Args)]
#[command(after_help = "Guests that were made from a definition are not touched: rmvm them first. defundo brings a definition back.

Examples:
  rmdef rack1
  rmdef -t group -o rack1    the group; its nodes stay
  rmdef -t osimage -a -f     all of a type")]
pub(crate) struct Rmdef {
    #[command(flatten)]
    target: Target,
    /// All objects of the types; needs -f
    #[arg(short = 'a', long, requires_all = ["force", "types"])]
    all: bool,
    /// Yes, all of them
    #[arg(short = 'f', long)]
    force: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Rmdef {
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
        let (removed, missing) = cx.tables()?.edit(&cx.origin(self.reason), |edit| remove(edit, &wanted))?;
        missing.iter().for_each(|failure| cx.ui.error(&failure.message));
        match removed {
            0 => cx.ui.line("No objects have been removed from the xCAT database."),
            count => cx.ui.line(&format!("{count} object definitions have been removed.")),
        }
        Ok(if missing.is_empty() && removed > 0 { Outcome::Done } else { Outcome::SomeFailed })
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
