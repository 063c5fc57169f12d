//! A module's config: where it is, the text that `init` writes, and its values with the defaults filled in.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use similar::TextDiff;

use super::schema::{self, Schema};
use super::{Module, page};
use crate::failure::Failure;

/// The config of one module, as somebody may have edited it.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) file: PathBuf,
    pub(crate) text: String,
}

/// Where the config of a module is.
pub(crate) fn file(home: &Path, name: &str) -> PathBuf {
    home.join("configs").join(format!("{name}.toml"))
}

impl Config {
    /// The config as it is; without a file the one that has only defaults, if the module can do with that.
    pub(crate) fn read(home: &Path, module: &Module) -> Result<Self, Failure> {
        Self::at(file(home, module.manifest.name()))
    }

    /// What `init` has proposed last, whatever became of it.
    pub(super) fn proposed(home: &Path, module: &Module) -> Result<Self, Failure> {
        Self::at(home.join("configs").join(format!(".{}.init", module.manifest.name())))
    }

    /// One that somebody has named, and that is there.
    pub(super) fn of(file: &Path) -> Result<Self, Failure> {
        let config = Self::at(file.to_owned())?;
        match file.exists() {
            true => Ok(config),
            false => Err(Failure::refused(format!("there is no file {}", file.display()))),
        }
    }

    fn at(file: PathBuf) -> Result<Self, Failure> {
        match page::read(&file) {
            Ok(text) => Ok(Self { file, text: text.unwrap_or_default() }),
            Err(why) => Err(Failure::refused(format!("cannot read {}: {why}", file.display()))),
        }
    }

    /// Its values; a wrong one refuses the command, each with its line and key.
    pub(crate) fn values(&self, module: &Module) -> Result<Map<String, Value>, Failure> {
        let schema = &module.manifest.config;
        let problems = schema::check(schema, &self.text);
        if !problems.is_empty() {
            let told: Vec<String> =
                problems.iter().map(|problem| format!("{}: {problem}", self.file.display())).collect();
            let name = module.manifest.name();
            return Err(Failure::refused(format!(
                "the config of module {name} is not as it says:\n{}",
                told.join("\n")
            ))
            .hint(format!("a config to begin with: xcrane module init {name}")));
        }
        let cannot = |why: String| Failure::refused(format!("cannot read {}: {why}", self.file.display()));
        let given: toml::Table = toml::from_str(&self.text).map_err(|error| cannot(error.to_string()))?;
        let default = |(key, wanted): (&String, &schema::Key)| wanted.default.clone().map(|value| (key.clone(), value));
        let mut all: toml::Table = schema.iter().filter_map(default).collect();
        all.extend(given);
        match serde_json::to_value(all) {
            Ok(Value::Object(values)) => Ok(values),
            Ok(_) | Err(_) => Err(cannot("it is no table of values".into())),
        }
    }

    /// Lines that differ from another text of it.
    pub(crate) fn diff(&self, new: &str) -> String {
        TextDiff::from_lines(self.text.as_str(), new).unified_diff().context_radius(2).to_string()
    }
}

/// A config in words: each key with its help; what `init` proposes as values, what has a default as a comment.
pub(crate) fn written(schema: &Schema, proposed: &Map<String, Value>) -> Result<String, String> {
    let mut text = String::new();
    for (key, wanted) in schema {
        text.push_str(&wanted.comment());
        match (proposed.get(key), &wanted.default) {
            (Some(value), _) => text.push_str(&format!("{key} = {}\n\n", toml_of(value)?)),
            // A text of several lines is written as such.
            (None, Some(default)) => {
                text.push_str(&format!("# {key} = {}\n\n", default.to_string().replace('\n', "\n# ")));
            }
            (None, None) => text.push_str(&format!("# {key} =\n\n")),
        }
    }
    match proposed.keys().find(|key| !schema.contains_key(*key)) {
        Some(key) => Err(format!("it proposes '{key}', which is no key of its config")),
        None => Ok(text.trim_end().to_owned() + "\n"),
    }
}

fn toml_of(value: &Value) -> Result<String, String> {
    toml::Value::try_from(value).map(|value| value.to_string()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_explains_itself_and_passes_its_own_check() {
        let schema: Schema = toml::from_str(
            "banner = { type = 'string', help = 'what it greets with', default = \"a\\nb\" }\n\
             members = { type = 'noderange', help = 'nodes that hold the data', required = true }\n\
             port = { type = 'integer', help = 'where clients connect', default = 2379 }\n",
        )
        .unwrap();
        let proposed = serde_json::json!({ "members": "n[1-3]" });
        let text = written(&schema, proposed.as_object().unwrap()).unwrap();
        insta::assert_snapshot!(text, @r#"
        # what it greets with (a string)
        # banner = """
        # a
        # b"""

        # nodes that hold the data (a noderange, as a string, required)
        members = "n[1-3]"

        # where clients connect (a number)
        # port = 2379
        "#);
        assert!(schema::check(&schema, &text).is_empty());
        assert!(written(&schema, serde_json::json!({ "moon": 1 }).as_object().unwrap()).is_err());
    }
}
