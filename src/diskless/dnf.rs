//! Roots of the EL family, by dnf where this machine has it.

use std::path::Path;

use netboot::image::el::{Repository, arguments};
use netboot::image::packages::Packages;

use super::Image;
use super::program::Program;
use crate::failure::Failure;

/// The packages of an image and where they come from.
#[derive(Debug)]
pub(crate) struct Dnf {
    release: String,
    arch: String,
    packages: Packages,
    repositories: Vec<Repository>,
}

impl Image {
    /// What dnf is told. There is no mirror that is everybody's: the definition names them.
    pub(super) fn dnf(&self, release: &str) -> Result<Dnf, Failure> {
        let refused = |why: String| Failure::refused(format!("image {}: {why}", self.name));
        let arch = self.osimage.get("osarch").unwrap_or(std::env::consts::ARCH);
        if arch != std::env::consts::ARCH {
            return Err(refused(format!("it is for {arch}, and this machine is {}", std::env::consts::ARCH)));
        }
        let places = self.words("pkgdir").into_iter().chain(self.words("otherpkgdir"));
        let has_index = |path: &str| Path::new(path).join("repodata").is_dir();
        let repositories: Vec<Repository> =
            places.map(|place| Repository::parse(&place, has_index)).collect::<Result<_, _>>().map_err(refused)?;
        if repositories.is_empty() {
            return Err(refused("it does not say where its packages are".into())
                .hint(format!("chdef -t osimage {} pkgdir='URL gpgkey=FILE,…', of BaseOS and AppStream", self.name)));
        }
        Ok(Dnf { release: release.to_owned(), arch: arch.to_owned(), packages: self.packages()?, repositories })
    }
}

impl Dnf {
    fn words(&self, root: &str) -> Vec<String> {
        let Packages { wanted, unwanted } = &self.packages;
        arguments(root, &self.release, &self.arch, &self.repositories, wanted, unwanted)
    }

    /// For people: what would be run.
    pub(crate) fn lines(&self) -> Vec<String> {
        vec![format!("dnf {}", self.words("ROOT").join(" "))]
    }

    pub(crate) fn program(&self, root: &Path) -> Program {
        Program::new("dnf", "dnf").args(self.words(&root.display().to_string()))
    }
}
