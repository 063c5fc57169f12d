//! Packages for hosts without the internet: the repository that was made with their root, over http on the management network.

use std::path::PathBuf;

use crate::error::Result;
use crate::room::Room;

impl Room {
    /// Serves [`Room::package_directory`] unless that is done already; the URL.
    pub fn serve_packages(&self) -> Result<String> {
        if !self.listens(8080)? {
            self.launch(&["packages"])?;
            self.await_listener("the package source", 8080)?;
        }
        Ok("http://10.77.0.254:8080/".to_owned())
    }

    /// A flat apt repository (`deb [trusted=yes] URL ./`): packages and all that they need beside what is on a bare host.
    pub fn package_directory(&self) -> PathBuf {
        self.root.directory().join("packages")
    }
}
