//! Templates for mkdef: the built-in ones and the site's own in `$XCRANE_HOME/templates/NAME.stanza`.

use std::path::PathBuf;

use tables::definitions::Assignment;
use tables::{stanza, templates};

use crate::config;
use crate::context::Context;
use crate::definition::Wanted;
use crate::failure::Failure;

/// Attributes to start from.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) name: String,
    pub(crate) objtype: String,
    pub(crate) attributes: Vec<(String, String)>,
}

impl Template {
    /// Adds what `wanted` leaves open; what only its author can know must be given.
    pub(crate) fn apply(&self, wanted: &mut Wanted) -> Result<(), Failure> {
        if wanted.object.name != self.objtype {
            return Err(Failure::usage(format!("template '{}' is for type '{}'", self.name, self.objtype)));
        }
        let mut missing = Vec::new();
        for (attribute, value) in &self.attributes {
            let object = wanted.object;
            if wanted.changes.iter().any(|change| object.proper_name(&change.attribute) == attribute) {
                continue;
            }
            if let Some(help) = value.strip_prefix("MANDATORY:") {
                missing.push(format!("{attribute}= ({help})"));
            } else if !value.starts_with("OPTIONAL:") {
                wanted.changes.push(Assignment::set(attribute, value));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(Failure::refused(format!("template '{}' also needs: {}", self.name, missing.join(", "))))
    }
}

impl Context {
    /// The template of that name; a site's own comes before a built-in one.
    pub(crate) fn template(&self, name: &str) -> Result<Template, Failure> {
        let found = self.templates()?.into_iter().find(|template| template.name == name);
        found.ok_or_else(|| Failure::refused(format!("no template '{name}'")).hint("lsdef --template lists them"))
    }

    /// Every template, by name.
    pub(crate) fn templates(&self) -> Result<Vec<Template>, Failure> {
        let mut templates = Vec::new();
        for path in own_files()? {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| Failure::refused(format!("cannot read {}: {error}", path.display())))?;
            templates.extend(parse(&path.display().to_string(), &text)?);
        }
        for (name, text) in templates::ALL {
            let built_in = parse(name, text)?;
            templates.extend(
                built_in.into_iter().filter(|new| templates.iter().all(|own| own.name != new.name)).collect::<Vec<_>>(),
            );
        }
        templates.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(templates)
    }
}

fn own_files() -> Result<Vec<PathBuf>, Failure> {
    let Ok(entries) = std::fs::read_dir(config::home()?.join("templates")) else { return Ok(Vec::new()) };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "stanza"));
    files.sort();
    Ok(files)
}

fn parse(place: &str, text: &str) -> Result<Vec<Template>, Failure> {
    let objects = stanza::parse(text).map_err(|error| Failure::refused(format!("{place}: {error}")))?;
    Ok(objects
        .into_iter()
        .map(|object| Template { name: object.name, objtype: object.objtype, attributes: object.attributes })
        .collect())
}
