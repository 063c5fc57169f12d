//! What instructions may copy from: a directory as a tar, without what its `.dockerignore` names.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::ignore::Ignore;
use crate::{Error, Result};

/// Instructions are read into memory, and so is what names the files to leave out.
const LONGEST: u64 = 4 << 20;
const IGNORE: &str = ".dockerignore";
/// The name of instructions that are no part of the context.
const OUTSIDE: &str = ".dockerfile.xcrane";

/// A directory that was looked through.
pub(super) struct Context {
    directory: PathBuf,
    /// Relative paths, each directory before what is in it.
    entries: Vec<PathBuf>,
    pub(super) instructions: String,
    /// What the instructions are called in the context.
    pub(super) name: String,
    is_outside: bool,
}

impl Context {
    /// Looks through a directory; `dockerfile` is relative to where we are, as the directory is.
    pub(super) fn read(directory: &Path, dockerfile: Option<&Path>) -> Result<Self> {
        let chosen = dockerfile.map_or_else(|| directory.join("Dockerfile"), Path::to_owned);
        let instructions = text(&chosen)?;
        let whole = |path: &Path| fs::canonicalize(path).map_err(unreadable(path));
        let (top, file) = (whole(directory)?, whole(&chosen)?);
        let inside = file.strip_prefix(&top).ok().and_then(Path::to_str).map(str::to_owned);
        let is_outside = inside.is_none();
        let name = inside.unwrap_or_else(|| OUTSIDE.to_owned());
        let ignore = ignore(&top, &name)?;
        let mut entries = Vec::new();
        collect(&top, Path::new(""), &ignore, &name, &mut entries)?;
        Ok(Self { directory: top, entries, instructions, name, is_outside })
    }

    /// Bytes of its files.
    pub(super) fn size(&self) -> u64 {
        let sizes = self.entries.iter().filter_map(|entry| fs::symlink_metadata(self.directory.join(entry)).ok());
        sizes.filter(Metadata::is_file).map(|found| found.len()).sum()
    }

    /// Writes it as a tar. All belongs to root, whoever checked it out here: a build gives the same image anywhere.
    pub(super) fn pack(&self, to: impl Write) -> Result<()> {
        let mut tar = Builder::new(to);
        for entry in &self.entries {
            let path = self.directory.join(entry);
            self.append(&mut tar, entry, &path).map_err(unreadable(&path))?;
        }
        if self.is_outside {
            let mut header = crate::archive::header(&self.name, self.instructions.len() as u64);
            let appended = tar.append_data(&mut header, &self.name, self.instructions.as_bytes());
            appended.map_err(unreadable(Path::new(&self.name)))?;
        }
        tar.finish().map_err(|source| Error::File { doing: "send", path: "the context".into(), source })
    }

    fn append(&self, tar: &mut Builder<impl Write>, name: &Path, path: &Path) -> io::Result<()> {
        let found = fs::symlink_metadata(path)?;
        let mut header = Header::new_gnu();
        header.set_mode(found.mode() & 0o7777);
        header.set_mtime(u64::try_from(found.mtime()).unwrap_or(0));
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        if found.is_dir() {
            header.set_entry_type(EntryType::Directory);
            tar.append_data(&mut header, name, io::empty())
        } else if found.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            tar.append_link(&mut header, name, fs::read_link(path)?)
        } else {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            header.set_size(size);
            // One that grows meanwhile ends where it ended; one that shrinks fails.
            let mut content = Exactly { file: io::Read::take(file, size), left: size };
            tar.append_data(&mut header, name, &mut content)
        }
    }
}

struct Exactly {
    file: io::Take<File>,
    left: u64,
}

impl io::Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let path = path.display().to_string();
    move |source| Error::File { doing: "read", path: path.clone(), source }
}

/// The text of a file. A pipe or a device is not even opened: nobody may write to the one, and the other may have no end.
fn text(path: &Path) -> Result<String> {
    let refused = |why: String| Error::Refused { what: format!("cannot use {}", path.display()), why };
    let found = fs::metadata(path).map_err(unreadable(path))?;
    if !found.is_file() {
        return Err(refused("it is no file".into()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable(path))?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unreadable(path))?;
    if bytes.len() as u64 > LONGEST {
        return Err(refused(format!("it has more than {LONGEST} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| refused("it is no text".into()))
}

/// Instructions may have a list of their own, as `Dockerfile.dockerignore`.
fn ignore(top: &Path, dockerfile: &str) -> Result<Ignore> {
    for name in [format!("{dockerfile}{IGNORE}"), IGNORE.to_owned()] {
        match text(&top.join(&name)) {
            Ok(text) => {
                let refused = |why| Error::Refused { what: format!("cannot use {}", top.join(&name).display()), why };
                return Ignore::parse(&text).map_err(refused);
            }
            Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Ignore::default())
}

fn collect(top: &Path, within: &Path, ignore: &Ignore, dockerfile: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    let directory = top.join(within);
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).map_err(unreadable(&directory))? {
        let entry = entry.map_err(unreadable(&directory))?;
        names.push((entry.file_name(), entry.file_type().map_err(unreadable(&entry.path()))?));
    }
    names.sort_by(|left, right| left.0.cmp(&right.0));
    for (name, kind) in names {
        let path = within.join(name);
        let text = path.to_string_lossy();
        // Both are needed for the build, and COPY does not see them if they are named.
        let is_kept = text == dockerfile || text == IGNORE || !ignore.excludes(&text);
        if kind.is_dir() {
            if is_kept {
                found.push(path.clone());
            }
            if is_kept || ignore.has_exceptions() || dockerfile.starts_with(&format!("{text}/")) {
                collect(top, &path, ignore, dockerfile, found)?;
            }
        } else if is_kept && (kind.is_file() || kind.is_symlink()) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn packed(context: &Context) -> Vec<(String, u32, u64, EntryType)> {
        let mut bytes = Vec::new();
        context.pack(&mut bytes).unwrap();
        let mut tar = tar::Archive::new(bytes.as_slice());
        let entries = tar.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let name = entry.path().unwrap().to_string_lossy().into_owned();
            (name, header.mode().unwrap(), header.uid().unwrap(), header.entry_type())
        });
        entries.collect()
    }

    #[test]
    fn a_context_is_what_is_not_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("Dockerfile", "FROM scratch\n");
        write(".dockerignore", "*.key\nbig\n!big/keep\nDockerfile\n");
        write("run.sh", "x");
        write("site.key", "secret");
        write("big/keep", "k");
        write("big/other", "o");
        fs::set_permissions(directory.path().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("/etc/passwd", directory.path().join("way")).unwrap();
        std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
        let context = Context::read(directory.path(), None).unwrap();
        let names: Vec<String> = packed(&context).into_iter().map(|entry| entry.0).collect();
        assert_eq!(names, [".dockerignore", "Dockerfile", "big/keep", "run.sh", "way"]);
        let entries = packed(&context);
        assert_eq!(entries[3], ("run.sh".into(), 0o755, 0, EntryType::Regular));
        assert_eq!(entries[4].3, EntryType::Symlink, "a link is sent as a link");

        let elsewhere = tempfile::tempdir().unwrap();
        let other = elsewhere.path().join("Other");
        fs::write(&other, "FROM b\n").unwrap();
        let context = Context::read(directory.path(), Some(&other)).unwrap();
        assert_eq!((context.name.as_str(), context.instructions.as_str()), (OUTSIDE, "FROM b\n"));
        assert_eq!(packed(&context).last().unwrap().0, OUTSIDE);
        assert!(Context::read(elsewhere.path(), None).is_err());
    }

    #[test]
    fn only_files_of_some_size_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let refused = |dockerfile: Option<&Path>, expected: &str| {
            let why = Context::read(directory.path(), dockerfile).err().expect(expected).to_string();
            assert!(why.contains(expected), "{why}");
        };
        let ignore = directory.path().join(IGNORE);
        refused(Some(Path::new("/dev/null")), "it is no file");
        fs::write(directory.path().join("Dockerfile"), "FROM scratch\n").unwrap();
        symlink("/dev/null", &ignore).unwrap();
        refused(None, "it is no file");
        fs::remove_file(&ignore).unwrap();
        File::create(&ignore).unwrap().set_len(LONGEST + 1).unwrap();
        refused(None, "it has more than 4194304 bytes");
        fs::write(&ignore, b"\xff").unwrap();
        refused(None, "it is no text");
        fs::remove_file(&ignore).unwrap();
        assert!(Context::read(directory.path(), None).is_ok());
    }
}
