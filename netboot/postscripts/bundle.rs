//! The archive that a node gets. Of the directory goes what everybody may read, for that is what xCAT gives to everybody,
//! and the scripts that are to run; private keys that lie there stay.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Error, Postscripts, Script};

/// What every node can be sent.
pub(super) const MOST: usize = 64 << 20;

/// The directory of scripts as parts of an archive, the same for all nodes.
#[derive(Debug, Clone)]
pub struct Files {
    members: Vec<u8>,
}

impl Files {
    /// What is in the directory, with those scripts though not everybody may read them. One that is not there fails on the node.
    pub fn read<'a>(directory: &Path, scripts: impl IntoIterator<Item = &'a Script>) -> Result<Self, Error> {
        let mut reading = Reading { directory, named: Vec::new(), archive: tar::Builder::new(Vec::new()) };
        reading.named.extend(scripts.into_iter().map(|script| script.name.clone()));
        reading.archive.follow_symlinks(false);
        if directory.is_dir() {
            reading.add(Path::new(""))?;
        }
        let mut members = reading.archive.into_inner().map_err(|source| unreadable(directory, source))?;
        // Two blocks of zeros end an archive; ours comes behind what is a node's own.
        members.truncate(members.len().saturating_sub(1024));
        Ok(Self { members })
    }

    /// Refuses scripts that are not in the directory.
    pub fn require<'a>(directory: &Path, scripts: impl IntoIterator<Item = &'a Script>) -> Result<(), Error> {
        match scripts.into_iter().find(|script| !directory.join(&script.name).is_file()) {
            Some(Script { name, .. }) => Err(Error::Absent { name: name.clone(), directory: directory.to_owned() }),
            None => Ok(()),
        }
    }

    /// The archive of a node.
    pub fn archive(&self, postscripts: &Postscripts) -> Vec<u8> {
        let program = postscripts.program();
        let mut header = tar::Header::new_ustar();
        header.set_size(program.len() as u64);
        header.set_mode(0o700);
        let mut own = tar::Builder::new(Vec::new());
        let written = own.append_data(&mut header, "mypostscript", program.as_bytes()).and_then(|()| own.into_inner());
        let mut archive = written.expect("a Vec takes all");
        archive.truncate(archive.len() - 1024);
        archive.extend_from_slice(&self.members);
        archive.extend_from_slice(&[0; 1024]);
        archive
    }
}

struct Reading<'a> {
    directory: &'a Path,
    named: Vec<String>,
    archive: tar::Builder<Vec<u8>>,
}

impl Reading<'_> {
    /// Adds what is in a directory below ours, in the order of names.
    fn add(&mut self, below: &Path) -> Result<(), Error> {
        let place = self.directory.join(below);
        let failed = |source| unreadable(&place, source);
        let mut names: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(&place).map_err(failed)? {
            names.push(below.join(entry.map_err(failed)?.file_name()));
        }
        names.sort();
        names.iter().try_for_each(|name| self.member(name))
    }

    fn member(&mut self, name: &Path) -> Result<(), Error> {
        let path = self.directory.join(name);
        let failed = |source| unreadable(&path, source);
        let known = fs::symlink_metadata(&path).map_err(failed)?;
        let is_named = self.named.iter().any(|named| Path::new(named) == name);
        let is_above = self.named.iter().any(|named| Path::new(named).starts_with(name));
        let is_public = known.permissions().mode() & 0o004 != 0;
        // A link that is named is the script; any other stays a link, wherever it leads.
        if is_named || (known.is_file() && is_public) {
            return self.file(name, &path);
        }
        if known.is_dir() && (is_public || is_above) && name != Path::new("mypostscript") {
            return self.add(name);
        }
        if known.is_symlink() {
            let target = fs::read_link(&path).map_err(failed)?;
            let mut header = header(&known, 0, 0o777);
            header.set_entry_type(tar::EntryType::Symlink);
            return self.archive.append_link(&mut header, name, target).map_err(failed);
        }
        Ok(())
    }

    fn file(&mut self, name: &Path, path: &Path) -> Result<(), Error> {
        let failed = |source| unreadable(path, source);
        let file = File::open(path).map_err(failed)?;
        let known = file.metadata().map_err(failed)?;
        if self.archive.get_ref().len() as u64 + known.len() > MOST as u64 {
            return Err(Error::TooMuch { directory: self.directory.to_owned() });
        }
        let mut bytes = Vec::new();
        file.take(MOST as u64).read_to_end(&mut bytes).map_err(failed)?;
        let mut header = header(&known, bytes.len() as u64, known.permissions().mode() & 0o777);
        self.archive.append_data(&mut header, name, bytes.as_slice()).map_err(failed)
    }
}

fn header(known: &Metadata, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    let modified = known.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(modified.unwrap_or_default().as_secs());
    header
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Unreadable { path: path.to_owned(), source }
}
