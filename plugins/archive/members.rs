//! The members of an archive, one after the other. The reader of tar is ours: the tar crate keeps a member's long name in
//! memory whatever its length.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tar::{EntryType, Header};

use super::bad;
use super::source::Input;

/// A long name and other records of one member, however many headers they come in.
const EXTENSION: u64 = 1 << 20;
/// Extended attributes that mean the same on every machine. Labels of SELinux and the like are made by the node's own rules.
const EXTENDED: &[&str] = &["security.capability", "user."];
/// A name and the target of a link, as kernels have it.
const NAME: usize = 4096;
/// Members of an archive; an image has a few for each of its layers.
pub(super) const MOST: usize = 100_000;
/// Directories within directories.
const DEEPEST: usize = 8;
const BLOCK: u64 = 512;

/// One member; its content is read from [`Members`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) kind: Kind,
    /// Where the archive is a tar.
    pub(super) attributes: Attributes,
}

/// What a file has beside its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    /// The numbers that the archive has; of no system where they are too large.
    pub(super) owner: (u64, u64),
    /// Seconds since 1970.
    pub(super) modified: i64,
    /// Those of [`EXTENDED`], such as what a program may do.
    pub(super) extended: Vec<(String, Vec<u8>)>,
}

impl Member {
    /// Bytes of its name, of what it leads to, and of its extended attributes with the place that each takes.
    pub(super) fn named(&self) -> usize {
        let extended = self.attributes.extended.iter();
        let extended: usize =
            extended.map(|(name, value)| size_of::<(String, Vec<u8>)>() + name.len() + value.len()).sum();
        let target = match &self.kind {
            Kind::Symlink(target) | Kind::Link(target) => target.len(),
            Kind::File | Kind::Directory | Kind::Pipe | Kind::Other => 0,
        };
        self.name.len() + target + extended
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// A symbolic one, whose target is seen from its directory.
    Symlink(String),
    /// A hard one, whose target is seen from the top.
    Link(String),
    Directory,
    Pipe,
    Other,
}

/// Goes through the members; reading gives the content of the last one.
pub(super) enum Members {
    Tar(Tar),
    Files(Files),
}

impl Members {
    /// The next member; what was not read of the last one is passed over.
    pub(super) fn next(&mut self) -> io::Result<Option<Member>> {
        match self {
            Self::Tar(tar) => tar.next(),
            Self::Files(files) => files.next(),
        }
    }
}

impl Read for Members {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tar(tar) => tar.read(buffer),
            Self::Files(files) => files.current.as_mut().map_or(Ok(0), |file| file.read(buffer)),
        }
    }
}

/// Members of a tar.
pub(super) struct Tar {
    input: Box<dyn Input>,
    /// Bytes of the last member that were not read yet.
    unread: u64,
    padding: u64,
}

/// What comes before a member whose header is too small for it.
#[derive(Default)]
struct Extension {
    /// Bytes of all of it.
    size_in_all: u64,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    owner: (Option<u64>, Option<u64>),
    modified: Option<i64>,
    extended: Vec<(String, Vec<u8>)>,
}

impl Tar {
    pub(super) fn new(input: Box<dyn Input>) -> Self {
        Self { input, unread: 0, padding: 0 }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Member>> {
        self.pass()?;
        let mut extension = Extension::default();
        loop {
            let Some(header) = self.header()? else {
                // What was packed has a checksum at its end.
                io::copy(&mut self.input, &mut io::sink())?;
                return Ok(None);
            };
            let size = header.entry_size().map_err(damaged)?;
            match header.entry_type() {
                EntryType::GNULongName => extension.name = Some(self.record(size, &mut extension)?),
                EntryType::GNULongLink => extension.link = Some(self.record(size, &mut extension)?),
                EntryType::XHeader => self.pax(size, &mut extension)?,
                EntryType::XGlobalHeader => self.record(size, &mut extension).map(drop)?,
                kind => return self.member(&header, kind, extension).map(Some),
            }
        }
    }

    /// Goes to the end of the last member.
    fn pass(&mut self) -> io::Result<()> {
        let rest = self.unread.checked_add(self.padding).ok_or(io::ErrorKind::UnexpectedEof)?;
        (self.unread, self.padding) = (0, 0);
        self.input.skip(rest)
    }

    /// None at the end.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        let block = header.as_mut_bytes();
        let mut filled = 0;
        while filled < block.len() {
            match self.input.read(&mut block[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
        // The field of the checksum counts as eight spaces.
        let counted = sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..]);
        match header.cksum() {
            Ok(told) if told == counted => Ok(Some(header)),
            _ => Err(bad("it is neither an archive of images nor a directory with an OCI layout, or it is damaged")),
        }
    }

    fn member(&mut self, header: &Header, kind: EntryType, extension: Extension) -> io::Result<Member> {
        let size = extension.size.map_or_else(|| header.entry_size().map_err(damaged), Ok)?;
        (self.unread, self.padding) = (size, padding(size)?);
        let target = || text(extension.link.as_deref().or(header.link_name_bytes().as_deref()).unwrap_or_default());
        let kind = match kind {
            EntryType::Regular | EntryType::Continuous => Kind::File,
            EntryType::Symlink => Kind::Symlink(target()?),
            EntryType::Link => Kind::Link(target()?),
            EntryType::Directory => Kind::Directory,
            EntryType::Fifo => Kind::Pipe,
            _ => Kind::Other,
        };
        let name = text(&extension.name.unwrap_or_else(|| header.path_bytes().into_owned()))?;
        let number = |told: Option<u64>, field: io::Result<u64>| told.unwrap_or_else(|| field.unwrap_or(u64::MAX));
        let modified = header.mtime().ok().and_then(|time| time.try_into().ok()).unwrap_or_default();
        let attributes = Attributes {
            mode: header.mode().unwrap_or_default() & 0o7777,
            owner: (number(extension.owner.0, header.uid()), number(extension.owner.1, header.gid())),
            modified: extension.modified.unwrap_or(modified),
            extended: extension.extended,
        };
        Ok(Member { name, size, kind, attributes })
    }

    /// The content of a member that tells about the next.
    fn record(&mut self, size: u64, extension: &mut Extension) -> io::Result<Vec<u8>> {
        extension.size_in_all = extension.size_in_all.saturating_add(size);
        if extension.size_in_all > EXTENSION {
            return Err(bad(format!("the name and the attributes of a member have more than {EXTENSION} bytes")));
        }
        let mut content = Vec::new();
        (&mut self.input).take(size).read_to_end(&mut content)?;
        if content.len() as u64 != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.input.skip(padding(size)?)?;
        Ok(content)
    }

    /// Records of POSIX: `LENGTH KEY=VALUE\n`.
    fn pax(&mut self, size: u64, extension: &mut Extension) -> io::Result<()> {
        let content = self.record(size, extension)?;
        for record in tar::PaxExtensions::new(&content) {
            let record = record.map_err(damaged)?;
            match record.key_bytes() {
                b"path" => extension.name = Some(record.value_bytes().to_vec()),
                b"linkpath" => extension.link = Some(record.value_bytes().to_vec()),
                b"size" => {
                    let size = record.value().ok().and_then(|text| text.parse().ok());
                    extension.size = Some(size.filter(|&size: &u64| size < 1 << 62).ok_or_else(|| bad("a bad size"))?);
                }
                b"uid" => extension.owner.0 = record.value().ok().and_then(|text| text.parse().ok()),
                b"gid" => extension.owner.1 = record.value().ok().and_then(|text| text.parse().ok()),
                b"mtime" => {
                    let seconds = record.value().ok().map(|text| text.split('.').next().unwrap_or(text));
                    extension.modified = seconds.and_then(|text| text.parse().ok());
                }
                key => {
                    let name = key.strip_prefix(b"SCHILY.xattr.").and_then(|name| str::from_utf8(name).ok());
                    let name = name.filter(|name| is_kept(name));
                    let value = || record.value_bytes().to_vec();
                    extension.extended.extend(name.map(|name| (name.to_owned(), value())));
                }
            }
        }
        Ok(())
    }
}

impl Read for Tar {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.unread).unwrap_or(usize::MAX));
        let count = self.input.read(&mut buffer[..most])?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.unread -= count as u64;
        Ok(count)
    }
}

fn is_kept(attribute: &str) -> bool {
    EXTENDED.iter().any(|kept| attribute == *kept || kept.ends_with('.') && attribute.starts_with(kept))
}

/// A name, which is kept as long as the archive is looked through.
fn text(bytes: &[u8]) -> io::Result<String> {
    let text = String::from_utf8_lossy(bytes);
    match text.trim_end_matches('\0') {
        long if long.len() > NAME => Err(bad(format!("a name in it has more than {NAME} bytes"))),
        name => Ok(name.to_owned()),
    }
}

/// Bytes that fill the last block of a member.
fn padding(size: u64) -> io::Result<u64> {
    let whole = size.checked_next_multiple_of(BLOCK).ok_or_else(|| bad(format!("a member of it has {size} bytes")))?;
    Ok(whole - size)
}

fn damaged(error: io::Error) -> io::Error {
    bad(format!("it is damaged: {error}"))
}

/// Files below a directory. No link is followed: it may lead anywhere.
pub(super) struct Files {
    waiting: VecDeque<(String, PathBuf)>,
    current: Option<File>,
}

impl Files {
    pub(super) fn under(directory: &Path) -> io::Result<Self> {
        let mut waiting = Vec::new();
        collect(directory, "", 0, &mut waiting)?;
        waiting.sort();
        Ok(Self { waiting: waiting.into(), current: None })
    }

    fn next(&mut self) -> io::Result<Option<Member>> {
        let Some((name, path)) = self.waiting.pop_front() else { return Ok(None) };
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        self.current = Some(file);
        Ok(Some(Member { name, size, kind: Kind::File, attributes: Attributes::default() }))
    }
}

fn collect(directory: &Path, prefix: &str, depth: usize, found: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_file() {
            found.push((name, entry.path()));
        } else if kind.is_dir() && depth < DEEPEST {
            collect(&entry.path(), &format!("{name}/"), depth + 1, found)?;
        }
        if found.len() > MOST {
            return Err(bad(format!("it holds more than {MOST} files")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::source::Stream;
    use super::*;

    /// The only member of a tar, behind a header for each of these attributes.
    fn member(attributes: &[(&str, usize)]) -> io::Result<Option<Member>> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, length) in attributes {
            tar.append_pax_extensions([(*name, vec![b'x'; *length].as_slice())]).unwrap();
        }
        let mut header = Header::new_gnu();
        header.set_size(0);
        tar.append_data(&mut header, "f", io::empty()).unwrap();
        Tar::new(Box::new(Stream(Box::new(io::Cursor::new(tar.into_inner().unwrap()))))).next()
    }

    #[test]
    fn attributes_are_kept_where_they_mean_anything_and_counted() {
        let kept = member(&[("SCHILY.xattr.user.a", 3000), ("SCHILY.xattr.security.selinux", 5000)]).unwrap().unwrap();
        assert_eq!(kept.attributes.extended, [("user.a".to_owned(), vec![b'x'; 3000])]);
        assert!(kept.named() > 3000, "{}", kept.named());
    }

    #[test]
    fn what_comes_before_a_member_is_bounded_however_many_headers_it_has() {
        let large = ("SCHILY.xattr.user.a", 700 << 10);
        assert!(member(&[large]).is_ok());
        let why = member(&[large, large]).unwrap_err().to_string();
        assert!(why.contains("more than 1048576 bytes"), "{why}");
    }
}
