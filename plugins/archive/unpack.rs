//! An image's layers as files of this machine: read once to see whether they are what their digests say and what they come
//! to, and once more to write that.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{Mode, UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use rustix::fs::{XattrFlags, lsetxattr};
use sha2::{Digest, Sha256};

use super::contents::{Image, Layer, digest_of};
use super::members::{Attributes, Tar};
use super::source::Stream;
use super::tree::{Content, Directory, Entry, Leaf, Tree};
use super::{Archive, bad, failed};
use crate::Result;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unpacked {
    pub files: usize,
    pub bytes: u64,
    /// Devices, which the kernel makes itself.
    pub left_out: usize,
}

impl Archive {
    /// Writes the root of an image as the new directory `to`, with the owners it has. Slow; ends early once `stop` is set.
    pub fn unpack(&self, image: &Image, to: &Path, stop: &AtomicBool) -> Result<Unpacked> {
        let tree = self.tree(image, stop).map_err(|error| failed(self.source.path(), error))?;
        let written = self.write(image, &tree, to, stop);
        written.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => failed(self.source.path(), error),
            _ => failed(to, error),
        })
    }

    /// What the layers come to, each of which is what its digest says.
    fn tree(&self, image: &Image, stop: &AtomicBool) -> io::Result<Tree> {
        let mut tree = Tree::new();
        for (number, layer) in image.layers.iter().enumerate() {
            let hasher = Arc::new(Mutex::new(Sha256::new()));
            let reader = Hashed { reader: self.layer(layer)?, hasher: hasher.clone() };
            let mut members = Tar::new(Box::new(Stream(Box::new(reader))));
            let mut place = 0;
            while let Some(member) = members.next()? {
                go_on(stop)?;
                tree.add((number, place), member)?;
                place += 1;
            }
            drop(members);
            let hasher = Arc::into_inner(hasher).expect("its reader is gone");
            let digest = digest_of(&hasher.into_inner().unwrap_or_else(PoisonError::into_inner).finalize());
            if digest != layer.diff_id {
                return Err(bad(format!("layer {} is not what its digest says", layer.diff_id)));
            }
        }
        Ok(tree)
    }

    /// The bytes of a layer, not packed.
    fn layer(&self, layer: &Layer) -> io::Result<Box<dyn Read + Send>> {
        let mut members = self.source.members()?;
        for _ in 0..=layer.entry {
            members.next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        }
        Ok(self.entries[layer.entry].packing.undo(members.take(layer.size), layer.size))
    }

    fn write(&self, image: &Image, tree: &Tree, to: &Path, stop: &AtomicBool) -> io::Result<Unpacked> {
        fs::DirBuilder::new().mode(0o700).create(to)?;
        let mut plan = Plan::default();
        plan.look(&tree.root, to)?;
        let mut unpacked = Unpacked { files: plan.places.len(), bytes: 0, left_out: tree.left_out };
        let mut waiting: HashMap<_, _> = HashMap::new();
        for (&leaf, path) in &plan.places {
            match &tree.leaves[leaf].content {
                Content::File { origin, .. } => drop(waiting.insert(*origin, (leaf, path))),
                Content::Link(target) => symlink(target, path)?,
                Content::Pipe => nix::unistd::mkfifo(path, Mode::S_IRUSR)?,
            }
        }
        for (number, layer) in image.layers.iter().enumerate() {
            let mut members = Tar::new(Box::new(Stream(self.layer(layer)?)));
            let mut place = 0;
            while let Some(member) = members.next()? {
                go_on(stop)?;
                if let Some((leaf, path)) = waiting.remove(&(number, place)) {
                    let Content::File { size, .. } = tree.leaves[leaf].content else { continue };
                    if size != member.size || create(path, &mut members)? != size {
                        return Err(bad("it was changed meanwhile"));
                    }
                    unpacked.bytes += size;
                }
                place += 1;
            }
        }
        if !waiting.is_empty() {
            return Err(bad("it was changed meanwhile"));
        }
        for (&leaf, path) in &plan.places {
            let Leaf { content, attributes } = &tree.leaves[leaf];
            dress(path, attributes, matches!(content, Content::Link(_)))?;
        }
        for (leaf, path) in &plan.further {
            fs::hard_link(&plan.places[leaf], path)?;
        }
        // Those that are deepest first: the time of a directory changes with what is made in it.
        plan.directories.iter().rev().try_for_each(|(path, attributes)| dress(path, attributes, false))?;
        Ok(unpacked)
    }
}

/// Where everything goes.
#[derive(Default)]
struct Plan<'a> {
    directories: Vec<(PathBuf, &'a Attributes)>,
    /// The first name of each leaf, and its further ones.
    places: BTreeMap<usize, PathBuf>,
    further: Vec<(usize, PathBuf)>,
}

impl<'a> Plan<'a> {
    /// Makes the directories: whatever is written later has these above it, and no link.
    fn look(&mut self, directory: &'a Directory, path: &Path) -> io::Result<()> {
        self.directories.push((path.to_owned(), &directory.attributes));
        for (name, entry) in &directory.entries {
            let path = path.join(name);
            match entry {
                Entry::Directory(below) => {
                    fs::DirBuilder::new().mode(0o700).create(&path)?;
                    self.look(below, &path)?;
                }
                Entry::Leaf { leaf, .. } if self.places.contains_key(leaf) => self.further.push((*leaf, path)),
                Entry::Leaf { leaf, .. } => drop(self.places.insert(*leaf, path)),
            }
        }
        Ok(())
    }
}

fn go_on(stop: &AtomicBool) -> io::Result<()> {
    match stop.load(Ordering::Relaxed) {
        true => Err(bad("interrupted")),
        false => Ok(()),
    }
}

fn create(path: &Path, content: &mut impl Read) -> io::Result<u64> {
    let flags = OFlag::O_NOFOLLOW.bits();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags).open(path)?;
    io::copy(content, &mut file)
}

/// Owner, extended attributes, mode and time, in the order in which none undoes another.
fn dress(path: &Path, attributes: &Attributes, is_link: bool) -> io::Result<()> {
    let number = |number: u64| u32::try_from(number).ok();
    lchown(path, number(attributes.owner.0), number(attributes.owner.1))?;
    if !is_link {
        for (name, value) in &attributes.extended {
            lsetxattr(path, name.as_str(), value, XattrFlags::empty())?;
        }
        fs::set_permissions(path, Permissions::from_mode(attributes.mode))?;
    }
    let time = TimeSpec::new(attributes.modified, 0);
    Ok(utimensat(AT_FDCWD, path, &time, &time, UtimensatFlags::NoFollowSymlink)?)
}

/// Tells afterwards what has been read.
struct Hashed {
    reader: Box<dyn Read + Send>,
    hasher: Arc<Mutex<Sha256>>,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hasher.lock().unwrap_or_else(PoisonError::into_inner).update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use serde_json::json;

    use super::super::contents::sha256;
    use super::*;

    /// Adds a member with a name as it is, whatever that is.
    fn append(tar: &mut tar::Builder<Vec<u8>>, kind: tar::EntryType, name: &str, content: &[u8], target: &str) {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o4711);
        header.set_mtime(1_000_000);
        header.set_uid(1234);
        header.set_gid(5678);
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }

    /// An archive of these layers.
    fn saved(layers: &[Vec<u8>], diff_ids: &[String], path: &Path) -> Archive {
        let config = json!({ "rootfs": { "diff_ids": diff_ids } }).to_string();
        let names: Vec<String> = (0..layers.len()).map(|number| format!("{number}.tar")).collect();
        let manifest = json!([{ "Config": "c.json", "RepoTags": ["app:1"], "Layers": names }]).to_string();
        let mut tar = tar::Builder::new(Vec::new());
        // Those above come first, as they may.
        for (name, layer) in names.iter().zip(layers).rev() {
            append(&mut tar, tar::EntryType::Regular, name, layer, "");
        }
        append(&mut tar, tar::EntryType::Regular, "c.json", config.as_bytes(), "");
        append(&mut tar, tar::EntryType::Regular, "manifest.json", manifest.as_bytes(), "");
        fs::write(path, tar.into_inner().unwrap()).unwrap();
        Archive::open(path).unwrap()
    }

    fn layers() -> [Vec<u8>; 2] {
        let (mut low, mut high) = (tar::Builder::new(Vec::new()), tar::Builder::new(Vec::new()));
        append(&mut low, tar::EntryType::Directory, "usr/bin/", b"", "");
        append(&mut low, tar::EntryType::Symlink, "bin", b"", "usr/bin");
        append(&mut low, tar::EntryType::Symlink, "host", b"", "/tmp");
        append(&mut low, tar::EntryType::Regular, "usr/bin/old", b"old", "");
        append(&mut low, tar::EntryType::Char, "dev/null", b"", "");
        let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let extended = [("SCHILY.xattr.security.capability", &capability[..]), ("SCHILY.xattr.trusted.x", b"y")];
        high.append_pax_extensions(extended).unwrap();
        append(&mut high, tar::EntryType::Regular, "/bin/ping", b"ping", "");
        append(&mut high, tar::EntryType::Link, "bin/ping6", b"", "bin/ping");
        append(&mut high, tar::EntryType::Regular, "host/xcrane-out", b"out", "");
        append(&mut high, tar::EntryType::Regular, "usr/bin/.wh.old", b"", "");
        [low.into_inner().unwrap(), high.into_inner().unwrap()]
    }

    #[test]
    fn layers_become_a_root() {
        let place = tempfile::tempdir().unwrap();
        let layers = layers();
        let diff_ids: Vec<String> = layers.iter().map(|layer| sha256(layer)).collect();
        let archive = saved(&layers, &diff_ids, &place.path().join("a.tar"));
        let root = place.path().join("root");
        // Only root can give files away.
        let unpacked = archive.unpack(&archive.images()[0], &root, &AtomicBool::new(false)).unwrap();
        assert_eq!(unpacked, Unpacked { files: 4, bytes: 7, left_out: 1 });
        let ping = fs::metadata(root.join("usr/bin/ping")).unwrap();
        assert_eq!((ping.uid(), ping.gid(), ping.mode() & 0o7777, ping.mtime()), (1234, 5678, 0o4711, 1_000_000));
        assert_eq!(ping.ino(), fs::metadata(root.join("usr/bin/ping6")).unwrap().ino());
        let mut value = [0; 64];
        let capability = rustix::fs::lgetxattr(root.join("usr/bin/ping"), "security.capability", &mut value);
        assert!(
            capability.is_ok() && rustix::fs::lgetxattr(root.join("usr/bin/ping"), "trusted.x", &mut value).is_err()
        );
        assert!(!root.join("usr/bin/old").exists() && fs::metadata(root.join("usr/bin")).unwrap().mtime() == 1_000_000);
        assert!(root.join("tmp/xcrane-out").is_file() && !Path::new("/tmp/xcrane-out").exists());
        assert_eq!(fs::read_link(root.join("bin")).unwrap(), Path::new("usr/bin"));
    }

    #[test]
    fn what_is_not_right_is_refused_before_anything_is_written() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        let [low, high] = layers();
        let check = |layers: &[Vec<u8>], diff_ids: &[String], stop: bool, expected: &str| {
            let archive = saved(layers, diff_ids, &place.path().join("a.tar"));
            let error = archive.unpack(&archive.images()[0], &root, &AtomicBool::new(stop)).unwrap_err();
            let why = crate::chain(&error);
            assert!(why.contains(expected) && !root.exists(), "{why}");
        };
        let ids = [sha256(&low), sha256(&high)];
        check(&[low.clone(), low.clone()], &ids, false, "is not what its digest says");
        check(&[low.clone(), high.clone()], &ids, true, "interrupted");
        let mut out = tar::Builder::new(Vec::new());
        append(&mut out, tar::EntryType::Regular, "../out", b"", "");
        let out = out.into_inner().unwrap();
        check(std::slice::from_ref(&out), &[sha256(&out)], false, "leads out");
        let mut large = tar::Builder::new(Vec::new());
        for name in ["a", "b"] {
            large.append_pax_extensions([("SCHILY.xattr.user.large", vec![7; 600 << 10].as_slice())]).unwrap();
            append(&mut large, tar::EntryType::Regular, name, b"", "");
        }
        let large = large.into_inner().unwrap();
        check(std::slice::from_ref(&large), &[sha256(&large)], false, "bytes of names and attributes");
        let noise = vec![7; 2000];
        check(std::slice::from_ref(&noise), &[sha256(&noise)], false, "damaged");
    }
}
