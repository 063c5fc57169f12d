//! A finished image as nodes get it: a directory with the files and, beside them, what they must be.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The files of an image, in the order that a node asks for them.
pub const FILES: [&str; 3] = ["kernel", "initrd", "root.sqfs"];

/// The file with a digest and a name a line, as sha256sum writes it.
pub const SUMS: &str = "sha256sums";

/// An image whose files are there. It is replaced as a whole: what was opened stays what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub kernel: PathBuf,
    pub initrd: PathBuf,
    pub root: PathBuf,
    /// SHA-256 in hexadecimal, of [`FILES`].
    pub digests: [String; 3],
}

impl Published {
    /// The image of that name below `images` (`$XCRANE_HOME/images`); None if it was never packed.
    pub fn open(images: &Path, name: &str) -> io::Result<Option<Self>> {
        let dir = directory(images, name);
        let sums = match fs::read_to_string(dir.join(SUMS)) {
            Ok(sums) => sums,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(digests) = digests(&sums) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not name kernel, initrd and root.sqfs"));
        };
        let [kernel, initrd, root] = FILES.map(|file| dir.join(file));
        Ok(Some(Self { kernel, initrd, root, digests }))
    }

    /// What the kernel is told so that it finds this root at `url`.
    pub fn words(&self, url: &str) -> String {
        format!("xcrane.root={url} xcrane.sha256={}", self.digests[2])
    }
}

/// Where an image is; a name with a slash in it stays one name.
pub fn directory(images: &Path, name: &str) -> PathBuf {
    images.join(name.replace('/', "_"))
}

/// The text of [`SUMS`].
pub fn sums(digests: &[String; 3]) -> String {
    digests.iter().zip(FILES).map(|(digest, file)| format!("{digest}  {file}\n")).collect()
}

fn digests(sums: &str) -> Option<[String; 3]> {
    let of = |file: &str| {
        let mut lines = sums.lines().filter_map(|line| line.split_once("  "));
        let digest = lines.find(|(_, name)| *name == file)?.0;
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_digest.then(|| digest.to_owned())
    };
    let [kernel, initrd, root] = FILES.map(of);
    Some([kernel?, initrd?, root?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_there_or_not_or_broken() {
        let place = tempfile::tempdir().unwrap();
        let images = place.path();
        assert_eq!(Published::open(images, "compute").unwrap(), None);
        let dir = directory(images, "compute");
        fs::create_dir(&dir).unwrap();
        let expected = ["a", "b", "c"].map(|letter| letter.repeat(64));
        fs::write(dir.join(SUMS), sums(&expected)).unwrap();
        let image = Published::open(images, "compute").unwrap().unwrap();
        assert_eq!(image.digests, expected);
        assert_eq!(image.words("http://s/r"), format!("xcrane.root=http://s/r xcrane.sha256={}", "c".repeat(64)));
        fs::write(dir.join(SUMS), "zz  kernel\n").unwrap();
        assert!(Published::open(images, "compute").is_err());
        assert_eq!(directory(images, "../etc"), images.join(".._etc"));
    }
}
