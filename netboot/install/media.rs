//! The kernel and the RAM disk of an installer, where installation media and netboot packages have them.

use std::fs;
use std::path::{Path, PathBuf};

use tables::Row;

use super::{Installer, package_directories};
use crate::served::is_for_nodes;

/// Below a medium (Ubuntu, the Red Hat family) or a directory that is for booting only. What Debian's media have in `install.amd` looks
/// for its CD, and stops where there is none.
const PLACES: &[&str] = &[
    "",
    "install/netboot/debian-installer/amd64",
    "debian-installer/amd64",
    "debian-installer/arm64",
    "casper",
    "images/pxeboot",
];
const KERNELS: &[&str] = &["linux", "vmlinuz", "kernel"];
const RAMDISKS: &[&str] = &["initrd.gz", "initrd.img", "initrd"];

/// What an installer is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    pub kernel: String,
    pub initrd: String,
    /// A medium that the installer loads as a whole.
    pub iso: Option<String>,
}

/// The directories of an image that may hold an installer.
pub fn directories(home: &Path, linuximage: Option<&Row>) -> Vec<PathBuf> {
    let kernels = linuximage.and_then(|row| row.get("kerneldir")).map(PathBuf::from);
    let kernels = kernels.filter(|kernels| is_for_nodes(home, kernels));
    let roots = kernels.into_iter().chain(package_directories(home, linuximage));
    let places = roots.flat_map(|root| PLACES.iter().map(move |place| root.join(place)));
    places.filter(|place| place.is_dir() && is_for_nodes(home, place)).collect()
}

impl Media {
    /// The first directory with both; what is missing is named.
    pub fn find(home: &Path, installer: Installer, linuximage: Option<&Row>) -> Result<Self, &'static str> {
        let both = |place: &PathBuf| {
            let first =
                |names: &[&str]| names.iter().find(|name| place.join(name).is_file()).map(|name| (*name).to_owned());
            Some((first(KERNELS)?, first(RAMDISKS)?))
        };
        let found = directories(home, linuximage).iter().find_map(both);
        let (kernel, initrd) = found.ok_or(match installer {
            Installer::Preseed => {
                "the kernel and the RAM disk of an installer that boots from the network (as package \
                 debian-installer-12-netboot-amd64 has them; those of a medium look for its CD)"
            }
            Installer::Autoinstall | Installer::Kickstart => "the kernel and the RAM disk of an installer",
        })?;
        let iso = match installer {
            Installer::Autoinstall => {
                Some(iso(home, linuximage).ok_or("the medium (*.iso), which Ubuntu's installer loads")?)
            }
            Installer::Preseed | Installer::Kickstart => None,
        };
        Ok(Self { kernel, initrd, iso })
    }
}

fn iso(home: &Path, linuximage: Option<&Row>) -> Option<String> {
    let is_iso = |path: &Path| path.extension().is_some_and(|end| end == "iso");
    let entries =
        package_directories(home, linuximage).into_iter().flat_map(|place| fs::read_dir(place).into_iter().flatten());
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| is_iso(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.into_iter().next()
}

#[cfg(test)]
mod tests {
    use tables::schema;

    use super::*;

    #[test]
    fn what_debian_s_media_boot_is_no_installer_for_the_network() {
        let medium = tempfile::tempdir().unwrap();
        let put = |place: &str, names: [&str; 2]| {
            fs::create_dir_all(medium.path().join(place)).unwrap();
            names.iter().for_each(|name| fs::write(medium.path().join(place).join(name), "x").unwrap());
        };
        let table = schema::find("linuximage").unwrap();
        let place = medium.path().to_string_lossy();
        let cell = |column: &schema::Column| if column.name == "pkgdir" { &*place } else { "" };
        let row = Row::new(table, table.columns.iter().map(cell));
        let found = || Media::find(Path::new("/nonexistent"), Installer::Preseed, Some(&row)).map(|media| media.kernel);
        put("install.amd", ["vmlinuz", "initrd.gz"]);
        assert!(found().unwrap_err().contains("look for its CD"), "{:?}", found());
        put("install/netboot/debian-installer/amd64", ["linux", "initrd.gz"]);
        assert_eq!(found(), Ok("linux".to_owned()));
    }
}
