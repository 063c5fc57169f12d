//! The image that a module's container runs as: under the name that its author gave it, and under the one that this site has it by
//! since the module came in a bundle.

use plugins::Reference;

use super::manifest::Way;
use super::{Module, WHENCE, page};
use crate::failure::Failure;
use crate::images::hosts::image;

/// The file of a module's directory that says where its image is here. Whoever brings the module to another site leaves it out.
pub(crate) const HERE: &str = ".image-here";

impl Module {
    /// The image of its container, as it names it or as it was added from it; None where none of its methods runs in one.
    pub(crate) fn image(&self) -> Result<Option<Reference>, Failure> {
        if !self.manifest.methods.values().any(|run| run.way == Way::Container) {
            return Ok(None);
        }
        match &self.manifest.container.image {
            Some(name) => image(name).map(Some),
            None => self.noted(WHENCE)?.map(|name| image(name.trim())).transpose(),
        }
    }

    /// The same as this site has it. What was noted is of the image that the module then had.
    pub(crate) fn image_here(&self) -> Result<Option<Reference>, Failure> {
        let Some(own) = self.image()? else { return Ok(None) };
        let noted = self.noted(HERE)?;
        match noted.as_deref().and_then(|line| line.trim().split_once(' ')) {
            Some((of, here)) if of == own.to_string() => image(here).map(Some),
            _ => Ok(Some(own)),
        }
    }

    /// What its directory says of where its image is here.
    pub(crate) fn noted_here(own: &Reference, here: &Reference) -> String {
        format!("{own} {here}\n")
    }

    fn noted(&self, name: &str) -> Result<Option<String>, Failure> {
        let file = self.directory.join(name);
        page::read(&file).map_err(|why| Failure::refused(format!("cannot read {}: {why}", file.display())))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::modules::manifest::Manifest;

    fn module(directory: &Path, rest: &str, way: &str) -> Module {
        let methods = ["metadata", "init", "plan", "apply", "audit"]
            .map(|method| format!("{method} = {{ way = '{way}', program = 'run' }}\n"))
            .concat();
        let manifest = format!("[labels]\nname = 'm'\nversion = '1'\n{rest}\n[methods]\n{methods}");
        Module { directory: directory.to_owned(), manifest: Manifest::read(&manifest).unwrap() }
    }

    #[test]
    fn what_a_site_noted_counts_for_the_image_that_the_module_had() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(home.path().join(name), text).unwrap();
        let here = |rest: &str, way: &str| {
            let found = module(home.path(), rest, way).image_here();
            found.map(|found| found.map(|image| image.to_string())).map_err(|failure| failure.message)
        };
        assert_eq!(here("", "container"), Ok(None));
        write(WHENCE, "a:5000/probe:1\n");
        assert_eq!(here("", "container"), Ok(Some("a:5000/probe:1".into())));
        assert_eq!(here("", "local"), Ok(None), "nothing of it runs in a container");
        let parsed = |text: &str| text.parse::<Reference>().unwrap();
        write(HERE, &Module::noted_here(&parsed("a:5000/probe:1"), &parsed("b:5000/probe:1")));
        assert_eq!(here("", "container"), Ok(Some("b:5000/probe:1".into())));
        assert_eq!(here("[container]\nimage = 'other:2'", "container"), Ok(Some("other:2".into())));
        write(HERE, "damaged");
        assert_eq!(here("", "container"), Ok(Some("a:5000/probe:1".into())));
        write(WHENCE, "NO NAME");
        assert!(here("", "container").is_err());
    }
}
