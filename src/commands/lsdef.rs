//! `lsdef`: show definitions.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;
use tables::criterion::Criterion;
use tables::objects::{self, ObjectType};
use tables::schema::LOGS;
use tables::{Tables, definitions, suggest};

use super::{Run, deflog};
use crate::context::Context;
use crate::definition::{self, Look, Object, Target, Wanted};
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Show definitions of nodes, groups, networks, images and other objects
#[derive(Debug, Args)]
#[command(
    after_help = "Nodes show what they inherit, with expressions computed; groups show what is stored. Passwords are shown as ***.

Examples:
  lsdef                      the names of all nodes
  lsdef c7                   everything about c7
  lsdef rack1 -i mgt,vmhost -c
  lsdef c7 --why             where each value comes from
  lsdef c7 --at '2026-11-20 18:00'
  lsdef -t group
  lsdef -t network -w netname==cluster
  lsdef all -z --own > site.stanza   without it, what groups supply becomes the nodes' own"
)]
pub(crate) struct Lsdef {
    #[command(flatten)]
    target: Target,
    /// Everything about each object (the default when objects are named)
    #[arg(short = 'l', long, conflicts_with = "short")]
    long: bool,
    /// Names only (the default when none are named)
    #[arg(short = 's', long)]
    short: bool,
    /// All objects, of all types unless -t
    #[arg(short = 'a', long)]
    all: bool,
    /// Hidden nodes too
    #[arg(short = 'S')]
    hidden: bool,
    /// Only these attributes, also where unset
    #[arg(short = 'i', value_name = "ATTRS", value_delimiter = ',')]
    attributes: Vec<String>,
    /// One line an attribute, behind the object's name; needs -i
    #[arg(short = 'c', long)]
    compress: bool,
    /// As stanzas, which mkdef -z reads
    #[arg(short = 'z', long)]
    stanza: bool,
    /// Only objects that fulfil this: attr==value, also != =~ !~; several must all hold
    #[arg(short = 'w', value_name = "ATTR<OP>VALUE", action = clap::ArgAction::Append)]
    wheres: Vec<String>,
    /// Only what is said of network ports
    #[arg(long)]
    nics: bool,
    /// Only what stands in the nodes' own rows, as it stands there: with -z what makes the same nodes again
    #[arg(long, conflicts_with_all = ["why", "template"])]
    own: bool,
    /// Also the images that the nodes name (provmethod), as objects behind them
    #[arg(long, conflicts_with_all = ["why", "short", "template"])]
    osimage: bool,
    /// List the templates for mkdef, or show the one named
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    template: Option<String>,
    /// Say where each value of nodes comes from and what it overrides
    #[arg(long, conflicts_with_all = ["short", "stanza", "compress", "json"])]
    why: bool,
    /// As it was at that time
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

const NOTHING: &str = "No object definitions have been found";

impl Run for Lsdef {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        if self.compress && self.attributes.is_empty() {
            return Err(Failure::usage("The flags '-c' and '-i' must be used together."));
        }
        if self.all && self.target.has_names() {
            return Err(Failure::usage("-a is all objects: it takes no names"));
        }
        if let Some(name) = &self.template {
            return templates(cx, name);
        }
        let past =
            self.at.as_deref().map(|time| Ok::<_, Failure>(cx.tables()?.at(deflog::parse_time(time)?)?)).transpose()?;
        let tables = match &past {
            Some(past) => past,
            None => cx.tables()?,
        };
        let wanted = self.wanted(tables)?;
        if self.names_suffice() && !self.target.has_names() {
            let names = wanted
                .iter()
                .flat_map(|Wanted { object, names, .. }| names.iter().map(|name| (name.as_str(), *object)));
            self.list(cx, names.collect());
            return Ok(Outcome::Done);
        }
        if self.why {
            return definition::why(cx, tables, &wanted, &self.attributes);
        }
        self.describe(cx, tables, &wanted)
    }
}

impl Lsdef {
    fn shows_names(&self) -> bool {
        let chosen = self.stanza || self.json || self.why || self.long || self.nics || !self.attributes.is_empty();
        self.short || (!chosen && self.wheres.is_empty() && !self.target.has_names())
    }

    /// Nothing of the objects need be read but that they are there.
    fn names_suffice(&self) -> bool {
        self.shows_names() && self.wheres.is_empty()
    }

    fn wanted(&self, tables: &Tables) -> Result<Vec<Wanted>, Failure> {
        let mut wanted: Vec<Wanted> = if self.all && self.target.types.is_empty() {
            // Logs are not among all objects, as in xCAT: they are asked for by name.
            let types = objects::all().iter().filter(|object| !LOGS.contains(&object.name));
            types.map(|object| Wanted { object, names: Vec::new(), changes: Vec::new() }).collect()
        } else {
            self.target.objects(tables)?
        };
        for wanted in &mut wanted {
            if !self.target.has_names() {
                wanted.names = self.all_names(tables, wanted.object)?;
            }
            wanted.names.sort();
            wanted.names.dedup();
        }
        Ok(wanted)
    }

    fn all_names(&self, tables: &Tables, object: &'static ObjectType) -> Result<Vec<String>, Failure> {
        if object.name != "node" || self.hidden {
            return Ok(tables.object_names(object)?);
        }
        Ok(tables.node_names(false)?.to_vec())
    }

    /// Names with their types, two spaces between them; one if there may be several types.
    fn list(&self, cx: &Context, mut names: Vec<(&str, &'static ObjectType)>) {
        names.sort_unstable_by_key(|(name, object)| (*name, object.name));
        let space = if self.all { " " } else { "  " };
        for (name, object) in &names {
            match self.json {
                true => cx.ui.line(&json!({ "name": name, "type": object.name }).to_string()),
                false => cx.ui.line(&format!("{name}{space}({})", object.name)),
            }
        }
        if names.is_empty() && !self.json {
            cx.ui.line(NOTHING);
        }
    }

    fn describe(&self, cx: &Context, tables: &Tables, wanted: &[Wanted]) -> Result<Outcome, Failure> {
        let criteria = self.wheres.iter().map(|text| definition::criterion(text)).collect::<Result<Vec<_>, _>>()?;
        let mut outcome = Outcome::Done;
        let mut shown = Vec::new();
        for wanted in wanted {
            criteria.iter().try_for_each(|criterion| check_key(wanted.object, criterion))?;
            let objects = definition::read(tables, wanted)?;
            let missing = wanted.names.iter().zip(&objects).filter(|(_, object)| object.is_none());
            let missing: Vec<&str> = missing.map(|(name, _)| name.as_str()).collect();
            if !missing.is_empty() {
                self.tell_missing(cx, tables, wanted.object, &missing)?;
                outcome = Outcome::SomeFailed;
            }
            let fulfils =
                |object: &Object| criteria.iter().all(|criterion| criterion.matches(object.get(&criterion.key)));
            shown.extend(objects.into_iter().flatten().filter(fulfils));
        }
        if self.osimage {
            let images = images(tables, &shown)?;
            shown.extend(images);
        }
        if self.own {
            definition::keep_own(tables, &mut shown)?;
        }
        if self.shows_names() {
            self.list(cx, shown.iter().map(|object| (object.name.as_str(), object.object)).collect());
            return Ok(outcome);
        }
        if shown.is_empty() {
            if !self.json {
                cx.ui.line(NOTHING);
            }
            return Ok(outcome);
        }
        definition::print(cx, &shown, self.look(), &self.attributes, self.nics);
        let unknown = self.unknown_attributes(wanted);
        unknown.iter().for_each(|failure| cx.ui.failure(failure));
        Ok(if unknown.is_empty() { outcome } else { Outcome::SomeFailed })
    }

    fn look(&self) -> Look {
        match (self.json, self.stanza, self.compress) {
            (true, ..) => Look::Json,
            (_, true, _) => Look::Stanza,
            (.., true) => Look::Compressed,
            _ => Look::Long,
        }
    }

    /// Names that no object of the type has, said one by one; few of them with the name that may be meant.
    fn tell_missing(
        &self,
        cx: &Context,
        tables: &Tables,
        object: &'static ObjectType,
        missing: &[&str],
    ) -> Result<(), Failure> {
        const FEW: usize = 3;
        let known = if missing.len() <= FEW { tables.object_names(object)? } else { Vec::new() };
        for name in missing {
            let failure = definition::not_found(object, name);
            if self.json {
                cx.ui.line(&json!({ "name": name, "type": object.name, "error": failure.message }).to_string());
                continue;
            }
            let meant = suggest::nearest(name, known.iter().map(String::as_str));
            cx.ui.failure(&match meant {
                Some(meant) => failure.hint(format!("did you mean '{meant}'?")),
                None => failure,
            });
        }
        Ok(())
    }

    fn unknown_attributes(&self, wanted: &[Wanted]) -> Vec<Failure> {
        let known =
            |asked: &str| wanted.iter().any(|wanted| definitions::check_attribute(wanted.object, asked).is_ok());
        let unknown = self.attributes.iter().filter(|asked| !known(asked));
        unknown
            .filter_map(|asked| definitions::check_attribute(wanted.first()?.object, asked).err())
            .map(Failure::from)
            .collect()
    }
}

/// The images that nodes name, each once.
fn images(tables: &Tables, shown: &[Object]) -> Result<Vec<Object>, Failure> {
    let object = objects::find("osimage").expect("images are among the types");
    let nodes = shown.iter().filter(|shown| shown.object.name == "node");
    let names: BTreeSet<&str> = nodes.filter_map(|node| node.get("provmethod")).collect();
    let names = names.into_iter().map(str::to_owned).collect();
    Ok(definition::read(tables, &Wanted { object, names, changes: Vec::new() })?.into_iter().flatten().collect())
}

/// A condition is about an attribute of the type or about the object's name.
fn check_key(object: &'static ObjectType, criterion: &Criterion) -> Result<(), Failure> {
    if criterion.key == object.key.name {
        return Ok(());
    }
    Ok(definitions::check_attribute(object, &criterion.key)?)
}

fn templates(cx: &Context, name: &str) -> Result<Outcome, Failure> {
    if name.is_empty() {
        cx.templates()?.iter().for_each(|template| cx.ui.line(&format!("{}  ({})", template.name, template.objtype)));
        return Ok(Outcome::Done);
    }
    let template = cx.template(name)?;
    cx.ui.line(&format!("Object name: {}", template.name));
    template.attributes.iter().for_each(|(attribute, value)| cx.ui.line(&format!("    {attribute}={value}")));
    Ok(Outcome::Done)
}
