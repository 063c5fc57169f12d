//! `noderange`: ranges as sets of names, with or without a database.

use std::io::Read;

use clap::Args;
use tables::noderange::{self, Index, Names, Options, Unknown};

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Expand, fold, count and combine noderanges
#[derive(Debug, Args)]
#[command(
    after_help = "Several ranges are united; -i and -x apply to all of them together. With - for a range, ranges and names are read
from standard input, separated by lines, spaces or commas; nothing there is no name, not an error. A number alone, as
everywhere in a range, is short for nodeNUMBER. With -n the database is not opened and every name is taken as it is.

Examples:
  noderange rack1,-n7        one name a line
  noderange -f n1 n2 n3      n[1-3]
  noderange -c all@down
  noderange -S ' ' n[1-4] -x n3
  sinfo -hN -o %N | noderange -n -f -"
)]
pub(crate) struct Noderange {
    /// Ranges; - reads them from standard input
    #[arg(id = "noderange", value_name = "NODERANGE", required = true)]
    ranges: Vec<String>,
    /// Print every name (the default)
    #[arg(short = 'e', long, conflicts_with_all = ["fold", "count"])]
    expand: bool,
    /// Print one short range
    #[arg(short = 'f', long, conflicts_with = "count")]
    fold: bool,
    /// Print how many names there are
    #[arg(short = 'c', long)]
    count: bool,
    /// Print the names on one line with this between them
    #[arg(short = 'S', long, value_name = "TEXT", conflicts_with_all = ["fold", "count"])]
    separator: Option<String>,
    /// Only names that are in this range too
    #[arg(short = 'i', long, value_name = "NODERANGE", action = clap::ArgAction::Append)]
    intersect: Vec<String>,
    /// Without the names of this range
    #[arg(short = 'x', long, value_name = "NODERANGE", action = clap::ArgAction::Append)]
    exclude: Vec<String>,
    /// Open no database: any well-formed name will do, and there are no groups
    #[arg(short = 'n', long)]
    no_database: bool,
}

impl Run for Noderange {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let all = self.ranges.iter().map(|range| self.names(cx, range)).collect::<Result<Vec<_>, _>>()?;
        let mut names = Names::union(all);
        for range in &self.intersect {
            names = names.intersection(&self.names(cx, range)?);
        }
        for range in &self.exclude {
            names = names.without(&self.names(cx, range)?);
        }
        if self.count {
            cx.ui.line(&names.len().to_string());
        } else if names.is_empty() {
            // No name, no line: what reads this must not take an empty line for a name.
        } else if self.fold {
            cx.ui.line(&names.folded());
        } else {
            cx.ui.line(&names.joined(self.separator.as_deref().unwrap_or("\n")));
        }
        Ok(Outcome::Done)
    }
}

impl Noderange {
    fn names(&self, cx: &Context, range: &str) -> Result<Names, Failure> {
        if range != "-" {
            return self.expand(cx, range);
        }
        let failed = |error: &dyn std::fmt::Display| Failure::refused(format!("cannot read standard input: {error}"));
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text).map_err(|error| failed(&error))?;
        // Bytes are faster to go through than characters, and there may be very many.
        text.iter_mut().filter(|byte| byte.is_ascii_whitespace()).for_each(|space| *space = b',');
        if text.iter().all(|byte| *byte == b',') {
            return Ok(Names::default());
        }
        self.expand(cx, &String::from_utf8(text).map_err(|error| failed(&error))?)
    }

    fn expand(&self, cx: &Context, range: &str) -> Result<Names, Failure> {
        if !self.no_database {
            return Ok(cx.tables()?.expand_with(range, Unknown::Refuse)?.names);
        }
        let options = Options { unknown: Unknown::Accept, ..Options::default() };
        Ok(noderange::expand(range, &Index::default(), &options).map_err(tables::Error::from)?.names)
    }
}
