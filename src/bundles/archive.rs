//! A bundle as a file: a plain tar with the signature first, then the list, then every member in the order of the list.
//!
//! What comes from elsewhere is hostile: nothing of it is used before all of it was read and compared. Nothing in it is packed, so that
//! it holds no more than its size.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use plugins::Progress;

use super::list::{Kind, LONGEST, List, Member};
use super::signature::{Signature, Signer};
use super::{Bar, copied, part};
use crate::failure::Failure;
use crate::own_file;
use crate::tarred::{self, BLOCK, bad};

const SIGNATURE: &str = "bundle.sig";
const LIST: &str = "bundle.json";
const FOREIGN: &str = "it is no bundle, or it is damaged";

/// Content of a member.
pub(crate) enum Content {
    Text(Vec<u8>),
    File(PathBuf),
}

/// Writes a bundle, which appears whole or not at all; the bytes of it. Contents are those of the members that are carried.
pub(crate) async fn write(
    target: &Path,
    list: &List,
    contents: &[Content],
    signer: &Signer,
    progress: &Progress,
) -> Result<u64, Failure> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData => Failure::refused(error.to_string()).hint("run the same command again"),
        _ => Failure::refused(format!("cannot write {}: {error}", target.display())),
    };
    let mut bar = bar(progress, target, "write", list);
    let written = written(&part(target), list, contents, signer, &mut bar).await;
    if written.is_err() {
        fs::remove_file(part(target)).ok(); // the next run writes it anew
    }
    let size = written.map_err(failed)?;
    fs::rename(part(target), target).map_err(failed)?;
    Ok(size)
}

async fn written(part: &Path, list: &List, contents: &[Content], signer: &Signer, bar: &mut Bar) -> io::Result<u64> {
    // The tables of a site are in it.
    let mut file = BufWriter::new(own_file::aside(part, 0o600)?);
    let text = serde_json::to_vec(list)?;
    tarred::text(&mut file, SIGNATURE, &serde_json::to_vec(&signer.sign(&text))?)?;
    tarred::text(&mut file, LIST, &text)?;
    for (member, content) in list.carried().zip(contents) {
        tarred::begin(&mut file, &member.name, member.size)?;
        let mut content: Box<dyn Read + '_> = match content {
            Content::Text(text) => Box::new(&text[..]),
            Content::File(path) => Box::new(File::open(path)?),
        };
        let digest = copied(&mut content, member.size, &mut file, |count| bar.tell(count)).await;
        if digest.as_ref().ok() != Some(&member.sha256) || content.read(&mut [0])? != 0 {
            forget(contents, list, member);
            return Err(bad(&format!("{} was changed while it was written", member.name)));
        }
        tarred::fill(&mut file, member.size)?;
    }
    tarred::end(&mut file)?;
    file.flush()?;
    file.get_ref().sync_all()?;
    Ok(file.get_ref().metadata()?.len())
}

/// A piece that is not what it was is brought anew by the next run.
fn forget(contents: &[Content], list: &List, damaged: &Member) {
    let content = list.carried().zip(contents).find(|(member, _)| *member == damaged);
    if let Some((_, Content::File(path))) = content
        && path.parent().is_some_and(|directory| directory.ends_with("blobs"))
    {
        fs::remove_file(path).ok(); // it may be gone
    }
}

/// A bundle that is being read.
pub(crate) struct Opened {
    path: PathBuf,
    file: BufReader<File>,
    pub(crate) list: List,
    /// Whose signature fits its list.
    pub(crate) key: String,
    /// Where the members are, in the order of those that are carried.
    places: Vec<u64>,
}

impl Opened {
    /// Reads what it says of itself, if that is signed by whom it says.
    pub(crate) fn begin(path: &Path) -> Result<Self, Failure> {
        begun(path).map_err(|error| refused(path, &error))
    }

    /// Reads it to its end; nothing may be used of one that is not what its list says.
    pub(crate) async fn verify(&mut self, progress: &Progress) -> Result<(), Failure> {
        let path = self.path.clone();
        let mut bar = bar(progress, &path, "verify", &self.list);
        self.verified(&mut bar).await.map_err(|error| refused(&path, &error))
    }

    async fn verified(&mut self, bar: &mut Bar) -> io::Result<()> {
        let mut at = self.file.stream_position()?;
        for member in self.list.carried() {
            if tarred::header(&mut self.file, FOREIGN)? != (member.name.clone(), member.size) {
                return Err(bad(&format!("{} is not where it should be", member.name)));
            }
            at += BLOCK;
            self.places.push(at);
            let digest = copied(&mut self.file, member.size, &mut io::sink(), |count| bar.tell(count)).await?;
            if digest != member.sha256 {
                return Err(bad(&format!("{} is not what its digest says", member.name)));
            }
            tarred::pass(&mut self.file, member.size)?;
            at += member.size.next_multiple_of(BLOCK);
        }
        tarred::ended(&mut self.file)
    }

    /// Puts the content of a member, by its number among those that are carried, into a file; compared once more.
    pub(crate) async fn extract(&self, number: usize, member: &Member, to: &Path) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::refused(format!("cannot write {}: {error}", to.display()));
        let mode = match member.kind() {
            // With --passwords they hold secrets.
            Some(Kind::Table(_)) => 0o600,
            _ if member.executable => 0o755,
            _ => 0o644,
        };
        fs::create_dir_all(to.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
        let mut file = own_file::aside(&part(to), mode).map_err(failed)?;
        let digest = copied(&mut self.file_at(number)?, member.size, &mut file, |_| ()).await.map_err(failed)?;
        if digest != member.sha256 {
            return Err(Failure::refused(format!("{} was changed meanwhile", self.path.display())));
        }
        file.sync_all().map_err(failed)?;
        fs::rename(part(to), to).map_err(failed)
    }

    /// The archive, at the content of a member by its number among those that are carried; whoever reads it compares it himself.
    pub(crate) fn file_at(&self, number: usize) -> Result<File, Failure> {
        let open = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.places[number]))?;
            Ok(file)
        };
        open().map_err(|error| refused(&self.path, &error))
    }
}

fn bar(progress: &Progress, path: &Path, what: &str, list: &List) -> Bar {
    let host = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Bar::new(progress, host, what.to_owned(), list.carried().map(|member| member.size).sum())
}

fn begun(path: &Path) -> io::Result<Opened> {
    let mut file = BufReader::with_capacity(super::PIECE, File::open(path)?);
    let mut text = |name: &str, longest: u64| {
        let (found, size) = tarred::header(&mut file, FOREIGN)?;
        if found != name || size > longest {
            return Err(bad(FOREIGN));
        }
        let mut text = Vec::new();
        (&mut file).take(size).read_to_end(&mut text)?;
        tarred::pass(&mut file, size)?;
        if text.len() as u64 == size { Ok(text) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    };
    let signature: Signature = serde_json::from_slice(&text(SIGNATURE, 4096)?).map_err(|_| bad(FOREIGN))?;
    let text = text(LIST, LONGEST)?;
    if !signature.fits(&text) {
        return Err(bad("its list is not the one that was signed: it is damaged, or somebody has changed it"));
    }
    let list = List::read(&text).map_err(|why| bad(&why))?;
    Ok(Opened { path: path.to_owned(), file, list, key: signature.key, places: Vec::new() })
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let why = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends before its time; it was not copied whole".to_owned(),
        _ => error.to_string(),
    };
    Failure::refused(format!("cannot use {}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
    }

    fn read(path: &Path) -> Result<Opened, String> {
        let read = async {
            let mut opened = Opened::begin(path)?;
            opened.verify(&Progress::silent()).await?;
            Ok(opened)
        };
        run(read).map_err(|failure: Failure| failure.message)
    }

    /// The same bundle with the header at a place otherwise, and with a checksum that fits it.
    fn forged(whole: &[u8], at: usize, change: impl FnOnce(&mut tar::Header)) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        let block = &mut bytes[at..at + 512];
        let mut header = tar::Header::from_byte_slice(block).clone();
        change(&mut header);
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
        bytes
    }

    /// Where its headers are.
    fn headers(whole: &[u8]) -> Vec<usize> {
        let (mut places, mut at) = (Vec::new(), 0);
        while whole[at] != 0 {
            places.push(at);
            let size = tar::Header::from_byte_slice(&whole[at..at + 512]).entry_size().expect("it is ours");
            at += 512 + usize::try_from(size.next_multiple_of(BLOCK)).expect("it is small");
        }
        places
    }

    #[test]
    fn headers_that_say_something_else_are_refused() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("b.tar");
        let signer = Signer::of(place.path()).map_err(|failure| failure.message).expect("it is made");
        let mut list = List::new("here".into());
        let sha256 = plugins::hex(&Sha256::digest(b"text"));
        for name in ["program/xcrane", "modules/etcd/run"] {
            let sha256 = sha256.clone();
            list.members.push(Member { name: name.into(), size: 4, sha256, executable: false, left_out: false });
        }
        let contents = [Content::Text(b"text".to_vec()), Content::Text(b"text".to_vec())];
        run(write(&path, &list, &contents, &signer, &Progress::silent()))
            .map_err(|failure| failure.message)
            .expect("it is written");
        let whole = fs::read(&path).expect("it is there");
        let places = headers(&whole);
        assert_eq!(places.len(), 4, "signature, list, and two members");
        let check = |what: &str, bytes: Vec<u8>, is_fit: bool| {
            fs::write(&path, bytes).expect("a file");
            assert_eq!(read(&path).is_ok(), is_fit, "{what}");
        };
        for at in places.iter().copied() {
            check("unchanged", forged(&whole, at, |_| ()), true);
            let kinds = [b'1', b'2', b'3', b'5', b'6', b'L', b'K', b'x', b'g', b'S', 0xff];
            for kind in kinds {
                check("kind", forged(&whole, at, |header| header.as_mut_bytes()[156] = kind), false);
            }
            for name in ["../../etc/passwd", "/etc/passwd", "modules/etcd/../run", "modules/etcd/other", ""] {
                let named = |header: &mut tar::Header| {
                    let field = &mut header.as_mut_bytes()[..100];
                    field.fill(0);
                    field[..name.len()].copy_from_slice(name.as_bytes());
                };
                check(name, forged(&whole, at, named), false);
            }
            for size in [0, 3, 5, 1 << 40, u64::MAX] {
                check("size", forged(&whole, at, |header| header.set_size(size)), false);
            }
        }
        // One of its members twice, and two that have changed places.
        let (first, second) = (&whole[places[2]..places[3]], &whole[places[3]..places[3] + 1024]);
        let head = &whole[..places[2]];
        let end = [0; 1024];
        check("twice", [head, first, first, second, &end].concat(), false);
        check("changed places", [head, second, first, &end].concat(), false);
        check("as it was", [head, first, second, &end].concat(), true);
    }

    #[test]
    fn a_bundle_is_whole_or_refused() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("b.tar");
        let signer = Signer::of(place.path()).map_err(|failure| failure.message).expect("it is made");
        let content = b"#!/bin/sh\n".to_vec();
        let sha256 = plugins::hex(&Sha256::digest(&content));
        let mut list = List::new("here".into());
        let size = content.len() as u64;
        let member = Member { name: "program/xcrane".into(), size, sha256, executable: true, left_out: false };
        list.members.push(member);
        let make = |content: &[u8]| {
            run(write(&path, &list, &[Content::Text(content.to_vec())], &signer, &Progress::silent()))
                .map_err(|failure| failure.message)
        };
        assert!(make(b"#!/bin/sh!").is_err_and(|why| why.contains("was changed while")));
        assert!(!path.exists());
        make(&content).expect("it is written");
        let whole = fs::read(&path).expect("it is there");
        let opened = read(&path).expect("it is whole");
        assert_eq!((opened.list.members.len(), opened.key), (1, signer.key()));
        for cut in (0..whole.len()).step_by(100).chain([512, 1024, 1536, 2048, whole.len() - 1]) {
            fs::write(&path, &whole[..cut]).expect("a file");
            assert!(read(&path).is_err(), "{cut}");
        }
        fs::write(&path, [&whole[..], b"more"].concat()).expect("a file");
        assert!(read(&path).is_err());
        for at in (0..whole.len()).step_by(7) {
            let mut changed = whole.clone();
            changed[at] ^= 0x20;
            fs::write(&path, changed).expect("a file");
            // Of some bytes of a header, and of what fills a block, nothing depends.
            if let Ok(read) = read(&path) {
                assert_eq!(read.list, list, "{at}");
            }
        }
    }
}
