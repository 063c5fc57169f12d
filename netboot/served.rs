//! Which directories nodes are given files of. Tables tell where those of an image are, and whoever writes a row could name the
//! home there, whose database has all passwords, for everybody to fetch.

use std::fs;
use std::path::{Path, PathBuf};

/// What of a home is for nodes: images as they boot, as they are made, and what they are installed from.
const FOR_NODES: &[&str] = &["images", "roots", "install"];

/// Whether everybody may have the files below a directory: not those of the home, nor of what that is in.
pub(crate) fn is_for_nodes(home: &Path, directory: &Path) -> bool {
    // What is not there has no files to be had. Of links counts where they lead.
    let Ok(directory) = fs::canonicalize(directory) else { return true };
    let home = fs::canonicalize(home).unwrap_or_else(|_| home.to_owned());
    match directory.strip_prefix(&home) {
        Ok(inside) => FOR_NODES.iter().any(|name| inside.starts_with(name)),
        Err(_) => !home.starts_with(directory),
    }
}

/// The first of some directories that is not for nodes.
pub(crate) fn withheld(home: &Path, directories: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    directories.into_iter().find(|directory| !is_for_nodes(home, directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_is_given_to_nobody() {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("var/home");
        for name in ["images/deb12", "roots/deb12/rootimg", "install/deb12", "imagesold", "bundles", "srv"] {
            fs::create_dir_all(home.join(name)).unwrap();
        }
        fs::create_dir_all(place.path().join("srv/images")).unwrap();
        std::os::unix::fs::symlink(&home, place.path().join("link")).unwrap();
        std::os::unix::fs::symlink(place.path().join("srv"), home.join("images/elsewhere")).unwrap();
        std::os::unix::fs::symlink(&home, home.join("images/home")).unwrap();
        for name in [
            "var/home/images/deb12",
            "link/images",
            "var/home/images/elsewhere",
            "srv",
            "absent",
            "link/roots/deb12",
            "var/home/install/deb12",
            "var/home/bundles/../images",
        ] {
            assert!(is_for_nodes(&home, &place.path().join(name)), "{name}");
        }
        for name in [
            "",
            "var",
            "var/home",
            "link",
            "var/home/bundles",
            "var/home/imagesold",
            "var/home/images/..",
            "link/srv",
            "var/home/images/home",
        ] {
            assert!(!is_for_nodes(&home, &place.path().join(name)), "{name}");
        }
        assert!(!is_for_nodes(&home, Path::new("/")));
        assert!(!is_for_nodes(&place.path().join("link"), &home), "by whatever name the home goes");
    }
}
