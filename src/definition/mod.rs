//! What mkdef, chdef, lsdef and rmdef share: which objects are meant, and what is to be set in them.

mod change;
mod show;
mod stanzas;
mod why;

use clap::Args;
use tables::Tables;
use tables::criterion::Criterion;
use tables::definitions::{self, Assignment, Operator, Refusal};
use tables::noderange::Unknown;
use tables::objects::{self, ObjectType};

use crate::context::Context;
use crate::failure::Failure;

pub(crate) use change::{Batch, Report, batches, edit, lacks_groups};
pub(crate) use show::{Look, Object, keep_own, print, read};
pub(crate) use stanzas::from_stanzas;
pub(crate) use why::why;

/// The arguments that name objects. The first word is the noderange unless it is an assignment or `-o` names them.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The types of the objects, by comma
    #[arg(short = 't', long = "type", value_name = "TYPES", value_delimiter = ',')]
    pub(crate) types: Vec<String>,
    /// The names of the objects, by comma; a noderange for nodes
    #[arg(short = 'o', long = "objects", value_name = "NAMES")]
    names: Option<String>,
    /// The nodes (or names of objects), then attributes to set; an empty value clears
    #[arg(value_name = "NODERANGE|ATTR=VALUE", id = "changes")]
    words: Vec<String>,
}

/// Objects of one type and what is to change in all of them.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) object: &'static ObjectType,
    pub(crate) names: Vec<String>,
    pub(crate) changes: Vec<Assignment>,
}

impl Target {
    /// The objects meant with what is to change in them, type by type; no names when none were given.
    pub(crate) fn wanted(&self, tables: &Tables, operator: Operator) -> Result<Vec<Wanted>, Failure> {
        let (range, assignments) = self.split();
        let changes = assignments.iter().map(|word| assignment(word, operator)).collect::<Result<Vec<_>, _>>()?;
        let wanted = |object: &'static ObjectType| {
            let names = match (range, object.only_object) {
                (_, Some(only)) => vec![only.to_owned()],
                (None, None) => Vec::new(),
                (Some(range), None) => names(tables, object, range)?,
            };
            Ok(Wanted { object, names, changes: changes.clone() })
        };
        self.object_types()?.into_iter().map(wanted).collect()
    }

    /// The objects meant by a command that sets nothing.
    pub(crate) fn objects(&self, tables: &Tables) -> Result<Vec<Wanted>, Failure> {
        let (_, further) = self.split();
        if let Some(word) = further.first() {
            let failure = Failure::usage(format!("'{word}' is one word too many"));
            return Err(match is_assignment(word) {
                true => failure.hint("this command sets nothing; to choose by value: lsdef -w attribute==value"),
                false => failure.hint(ONE_WORD),
            });
        }
        self.wanted(tables, Operator::Set)
    }

    /// Whether any object was named.
    pub(crate) fn has_names(&self) -> bool {
        self.split().0.is_some()
    }

    /// Whether nothing at all was said of objects.
    pub(crate) fn is_empty(&self) -> bool {
        self.types.is_empty() && self.names.is_none() && self.words.is_empty()
    }

    /// The chosen types, node unless said otherwise.
    pub(crate) fn object_types(&self) -> Result<Vec<&'static ObjectType>, Failure> {
        if self.types.is_empty() {
            return Ok(vec![&objects::NODE]);
        }
        self.types.iter().map(|name| object_type(name)).collect()
    }

    fn split(&self) -> (Option<&str>, &[String]) {
        match (&self.names, self.words.split_first()) {
            (Some(names), _) => (Some(names), &self.words),
            (None, Some((first, rest))) if !is_assignment(first) => (Some(first), rest),
            (None, _) => (None, &self.words),
        }
    }
}

const ONE_WORD: &str = "all names are one word: n1,n2 or 'n[1-2]', quoted so that the shell leaves brackets alone";

/// The object type of that name.
pub(crate) fn object_type(name: &str) -> Result<&'static ObjectType, Failure> {
    objects::find(name).ok_or_else(|| {
        // xCAT's message begins with a line end, and scripts look for the second line.
        let failure = Failure::refused(format!("\nType '{name}' is not a valid xCAT object type."));
        match objects::suggest(name) {
            Some(meant) => failure.hint(format!("did you mean '{meant}'?")),
            None => failure.hint(format!(
                "types: {}",
                objects::all().iter().map(|object| object.name).collect::<Vec<_>>().join(" ")
            )),
        }
    })
}

/// xCAT's words for an object that is not there.
pub(crate) fn not_found(object: &ObjectType, name: &str) -> Failure {
    Failure::refused(format!("Could not find an object named '{name}' of type '{}'.", object.name))
}

/// A condition of `-w`.
pub(crate) fn criterion(text: &str) -> Result<Criterion, Failure> {
    Criterion::parse(text).map_err(|error| Failure::usage(error.to_string()))
}

/// Says everything that stands against changes: xCAT's line behind an unknown attribute says that the others were looked
/// at too.
pub(crate) fn refuse(cx: &Context, refusals: Vec<Refusal>) {
    for refusal in refusals {
        let is_unknown = matches!(refusal, Refusal::UnknownAttribute { .. });
        let failure = Failure::from(refusal);
        cx.ui.error(&failure.message);
        if is_unknown {
            cx.ui.error("Skipping to the next attribute.");
        }
        cx.ui.hints(&failure.hints);
    }
}

/// What is wrong with changes whatever the tables say: names and attributes that cannot be.
pub(crate) fn faults(wanted: &[Wanted], check_names: bool) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for Wanted { object, names, changes } in wanted {
        if check_names && object.only_object.is_none() {
            refusals.extend(definitions::check_names(object, names.iter().map(String::as_str)));
        }
        let attributes =
            changes.iter().filter_map(|change| definitions::check_attribute(object, &change.attribute).err());
        attributes.for_each(|refusal| {
            if !refusals.contains(&refusal) {
                refusals.push(refusal);
            }
        });
    }
    refusals
}

fn names(tables: &Tables, object: &ObjectType, range: &str) -> Result<Vec<String>, Failure> {
    if object.name != "node" {
        return crate::names::names(range, object.name);
    }
    let expansion = tables.expand_with(range, Unknown::Accept)?;
    let names = expansion.names.to_vec();
    if names.is_empty() {
        return Err(Failure::refused(format!("No node in '{range}', check the noderange syntax.")));
    }
    Ok(names)
}

/// `attr=value`; `==`, `=~` are conditions of a noderange.
fn is_assignment(word: &str) -> bool {
    let Some((name, value)) = word.split_once('=') else { return false };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    !name.is_empty() && name.chars().all(plain) && !value.starts_with(['=', '~'])
}

fn assignment(word: &str, operator: Operator) -> Result<Assignment, Failure> {
    let (attribute, value) = word
        .split_once('=')
        .filter(|(attribute, _)| !attribute.is_empty())
        .ok_or_else(|| Failure::usage(format!("'{word}' is not of the form attribute=value")).hint(ONE_WORD))?;
    Ok(Assignment { attribute: attribute.into(), operator, value: value.into() })
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let failure = Self::refused(refusal.to_string());
        match refusal {
            Refusal::UnknownAttribute { meant: Some(meant), .. } => failure.hint(format!("did you mean '{meant}'?")),
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_an_assignment_or_a_range() {
        for (word, expected) in [
            ("mgt=docker", true),
            ("nicips.eth1=10.0.0.1", true),
            ("ip=|10.0.0.($1+0)|", true),
            ("groups=", true),
            ("mgt==docker", false),
            ("groups=~rack", false),
            ("n[1-3]", false),
            ("/n.*=x", false),
            ("rack1,mgt=x", false),
        ] {
            assert_eq!(is_assignment(word), expected, "{word}");
        }
    }
}
