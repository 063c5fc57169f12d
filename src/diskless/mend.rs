//! What a foreign root lacks is added: packages as one layer, the files of diskless roots, and what is too much goes.

use std::fs;
use std::io;
use std::path::Path;

use netboot::image::lint::{Finding, Fix, View};
use netboot::image::packages::Packages;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::Image;
use super::apt::{Apt, ITS_OWN};
use super::inside::Inside;
use super::program::{self, Program};
use super::root::{kernels, need};
use crate::context::Context;
use crate::failure::Failure;

impl Image {
    /// Mends a root that is nobody's yet.
    pub(super) async fn mend(&self, cx: &Context, root: &Path, findings: &[Finding]) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::refused(format!("cannot write into {}: {error}", root.display()));
        let packages = self.lacking(findings)?;
        if !packages.is_empty() {
            self.add(cx, root, packages).await?;
        }
        let inside = Inside::open(root).map_err(failed)?;
        for finding in findings {
            if let Fix::Remove(paths) = &finding.fix {
                paths.iter().try_for_each(|path| inside.remove(path)).map_err(failed)?;
            }
        }
        // Packages that came just now may have made keys.
        for name in inside.names("/etc/ssh").iter().filter(|name| name.starts_with("ssh_host_")) {
            inside.remove(&format!("/etc/ssh/{name}")).map_err(failed)?;
        }
        self.dress(cx, root)
    }

    /// What the definition's lists name beside what was found to be lacking. A kernel of the list is the one that is wanted.
    fn lacking(&self, findings: &[Finding]) -> Result<Vec<String>, Failure> {
        let mut listed = Packages::default();
        for file in self.files("pkglist")?.into_iter().chain(self.files("otherpkglist")?) {
            listed.add(&file, &super::read).map_err(|why| Failure::refused(format!("image {}: {why}", self.name)))?;
        }
        let has_kernel = listed.wanted.iter().any(|name| name.starts_with("linux-image"));
        let mut packages = listed.wanted;
        for finding in findings {
            let Fix::Packages(names) = finding.fix else { continue };
            for name in names {
                let name = match *name {
                    "linux-image-amd64" if has_kernel => continue,
                    "linux-image-amd64" => self.kernel_package(),
                    name => name.to_owned(),
                };
                if !packages.contains(&name) {
                    packages.push(name);
                }
            }
        }
        Ok(packages)
    }

    fn kernel_package(&self) -> String {
        match self.system() {
            Ok(_) if self.osvers().starts_with("ubuntu") => "linux-image-generic".to_owned(),
            Ok((_, architecture)) => format!("linux-image-{architecture}"),
            Err(_) => "linux-image-amd64".to_owned(),
        }
    }

    async fn add(&self, cx: &Context, root: &Path, packages: Vec<String>) -> Result<(), Failure> {
        let (suite, architecture) = self.system().map_err(|failure| {
            let hint = format!(
                "only of Debian and Ubuntu packages can be added; put what stands for {} into the container image",
                packages.join(" ")
            );
            failure.hint(hint).hint("a kernel can come from another image: --kernel-of OSIMAGE")
        })?;
        need("mmdebstrap", "mmdebstrap")?;
        // These are where our settings of apt are put for a moment.
        for directory in ["etc", "etc/apt"] {
            let known = root.join(directory).symlink_metadata();
            if known.is_ok_and(|known| !known.is_dir()) {
                return Err(Failure::refused(format!(
                    "image {}: /{directory} is a link, so that no packages can be added",
                    self.name
                )));
            }
        }
        let apt = Apt { suite, architecture, wanted: packages, unwanted: Vec::new(), sources: self.sources(suite)? };
        let mended = root.with_extension("mended");
        let failed = |error: io::Error| Failure::refused(format!("cannot replace {}: {error}", root.display()));
        let remove = || match fs::remove_dir_all(&mended) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        };
        remove()?;
        let added = program::run(cx, apt.add(root, &mended)).await.map(drop).and_then(|()| {
            let (own, ours) = (mended.join(ITS_OWN), mended.join("etc/apt"));
            if own.exists() {
                fs::remove_dir_all(&ours).and_then(|()| fs::rename(&own, &ours)).map_err(failed)?;
            }
            let exchanged = renameat2(AT_FDCWD, &mended, AT_FDCWD, root, RenameFlags::RENAME_EXCHANGE);
            exchanged.map_err(|errno| failed(errno.into()))
        });
        remove().and(added)
    }

    /// The kernel of another image, with its modules.
    pub(super) async fn take_kernel(&self, cx: &Context, donor: &Self, root: &Path) -> Result<(), Failure> {
        let theirs = donor.root();
        let [release] = kernels(&theirs).try_into().map_err(|kernels: Vec<String>| {
            Failure::refused(format!(
                "image {} has {} kernels in {}, and one is needed",
                donor.name,
                kernels.len(),
                theirs.display()
            ))
            .hint(format!("make it with: genimage {}", donor.name))
        })?;
        let failed = |error: io::Error| Failure::refused(format!("cannot write into {}: {error}", root.display()));
        let inside = Inside::open(root).map_err(failed)?;
        for path in [format!("lib/modules/{release}"), format!("boot/vmlinuz-{release}")] {
            let from = theirs.join(&path);
            if !from.exists() {
                continue;
            }
            inside.remove(&path).map_err(failed)?;
            let spot = inside.spot(&path).map_err(failed)?;
            // Another process follows links of ours in /proc by its own descriptors.
            let to = fs::canonicalize(spot.path.parent().unwrap_or(&spot.path)).map_err(failed)?;
            let words = ["-a".as_ref(), "--reflink=auto".as_ref(), from.as_os_str(), to.as_os_str()];
            program::run(cx, Program::new("cp", "coreutils").args(words)).await?;
        }
        Ok(())
    }
}
