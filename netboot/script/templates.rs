//! The set of templates: built in, or a site's own of the same name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use minijinja::{Environment, Value};

use super::Error;

/// Name and text of what is built in.
const BUILT_IN: &[(&str, &str)] = &[
    ("start.ipxe", include_str!("templates/start.ipxe")),
    ("image.ipxe", include_str!("templates/image.ipxe")),
    ("genesis.ipxe", include_str!("templates/genesis.ipxe")),
    ("shell.ipxe", include_str!("templates/shell.ipxe")),
    ("disk.ipxe", include_str!("templates/disk.ipxe")),
    ("offline.ipxe", include_str!("templates/offline.ipxe")),
    ("unknown.ipxe", include_str!("templates/unknown.ipxe")),
    ("kcmdline", include_str!("templates/kcmdline")),
    ("preseed.cfg", include_str!("templates/preseed.cfg")),
    ("kickstart.cfg", include_str!("templates/kickstart.cfg")),
    ("user-data", include_str!("templates/user-data")),
    ("meta-data", include_str!("templates/meta-data")),
    ("vendor-data", include_str!("templates/vendor-data")),
    ("finish.sh", include_str!("templates/finish.sh")),
];

/// Templates of scripts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Templates {
    environment: Arc<Environment<'static>>,
    texts: Arc<BTreeMap<&'static str, String>>,
}

impl Templates {
    /// The built-in ones, replaced by what stands in files of that directory, which need not be there.
    pub fn new(directory: &Path) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_keep_trailing_newline(true);
        // A text as YAML has it, whatever is in it but lines.
        environment.add_filter("yaml", |text: String| format!("'{}'", text.replace('\'', "''")));
        let mut texts = BTreeMap::new();
        for (name, built_in) in BUILT_IN {
            let path = directory.join(name);
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => (*built_in).to_owned(),
                Err(source) => return Err(Error::Unreadable { path, source }),
            };
            let checked = environment.template_from_named_str(name, &text).map(drop);
            checked.map_err(|source| Error::Template { name: path.display().to_string(), source })?;
            texts.insert(*name, text);
        }
        Ok(Self { environment: environment.into(), texts: texts.into() })
    }

    pub(crate) fn render(&self, name: &'static str, values: Value) -> Result<String, Error> {
        self.render_text(name, self.texts.get(name).map_or("", String::as_str), values)
    }

    /// The names that a text takes from outside, in their order; none of one that is no template.
    pub(crate) fn names(&self, text: &str) -> Vec<String> {
        if !text.contains('{') {
            return Vec::new();
        }
        let parsed = self.environment.template_from_str(text);
        let mut names: Vec<String> =
            parsed.map(|parsed| parsed.undeclared_variables(true)).unwrap_or_default().into_iter().collect();
        names.retain(|name| !self.environment.globals().any(|(global, _)| global == name));
        names.sort_unstable();
        names
    }

    /// Renders a text that need not be of the set.
    pub(crate) fn render_text(&self, name: &str, text: &str, values: Value) -> Result<String, Error> {
        // Most cells have nothing to be replaced.
        if !text.contains('{') {
            return Ok(text.to_owned());
        }
        let rendered = self.environment.render_named_str(name, text, values);
        rendered.map_err(|source| Error::Template { name: name.to_owned(), source })
    }
}
