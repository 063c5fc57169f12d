//! Reading one: to its end first, so that nothing is written of one that is not what its list says.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use netboot::image::published::{self, FILES, SUMS};
use nix::fcntl::OFlag;
use tables::Select;

use super::Bundled;
use super::list::{LIST, LONGEST, List, Member, NAMING, check, is_name};
use crate::context::Context;
use crate::diskless::import::carried;
use crate::diskless::place::Place;
use crate::diskless::{images, table};
use crate::failure::Failure;
use crate::interruptible::{self, Reading};
use crate::tarred::{self, bad, pass};

const FOREIGN: &str = "it is no bundle of imgexport, or it is damaged (of a container image: imgimport docker://FILE)";

/// Reads an image from a file and defines it, as `name` or as it was called. Ctrl-C ends it, and leaves what was there.
pub(crate) async fn import(
    cx: &Context,
    from: &Path,
    name: Option<&str>,
    force: bool,
    reason: Option<String>,
) -> Result<Bundled, Failure> {
    let path = from.to_owned();
    let opened = interruptible::run(cx, move |stop| opened(&path, stop)).await?;
    let (list, file) = opened.map_err(|error| Failure::refused(format!("cannot use {}: {error}", from.display())))?;
    let name = name.unwrap_or(&list.name).to_owned();
    refuse(cx, &name, force)?;
    let places = Places::take(&name, &list)?;
    let fill = move |stop: &AtomicBool| places.fill(file, &list, stop).map(|()| (list, places));
    let filled = interruptible::run(cx, fill).await?;
    let (list, places) = filled.map_err(|error| cannot_write(&name, &error))?;
    let is_packed = places.packed.is_some();
    let directory = places.exchange()?;
    define(cx, &list, &name, &directory, reason)?;
    let count = list.members.iter().filter(|member| member.column.is_some()).count();
    Ok(Bundled { name, files: count, is_packed, size: list.members.iter().map(|member| member.size).sum() })
}

fn cannot_write(name: &str, error: &io::Error) -> Failure {
    Failure::refused(format!("cannot write image {name}: {error}"))
}

fn refuse(cx: &Context, name: &str, force: bool) -> Result<(), Failure> {
    if !is_name(name) {
        return Err(
            Failure::refused(format!("'{name}' is no name of an image")).hint("give it one: imgimport FILE NAME")
        );
    }
    let known = cx.tables()?.rows(table("osimage"), Select::Where(&[("imagename", name)]))?;
    match known.is_empty() || force {
        true => Ok(()),
        false => Err(Failure::refused(format!("there is an image {name}"))
            .hint("replace it with -f, or import it as another: imgimport FILE NAME")),
    }
}

/// What a file says of itself once all of it was read, and the file at its beginning.
fn opened(path: &Path, stop: &AtomicBool) -> io::Result<(List, BufReader<File>)> {
    // A pipe that nobody writes to would hold us up.
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(bad(FOREIGN));
    }
    let mut file = Reading { from: BufReader::new(file), stop };
    let list = verified(&mut file)?;
    file.from.rewind()?;
    Ok((list, file.from))
}

/// The list of a bundle that is what it says from its beginning to its end.
fn verified(file: &mut impl Read) -> io::Result<List> {
    let (name, size) = header(file)?;
    if name != LIST || size > LONGEST {
        return Err(bad(FOREIGN));
    }
    let mut text = Vec::new();
    file.take(size).read_to_end(&mut text)?;
    let list: List = serde_json::from_slice(&text).map_err(|error| bad(&format!("{LIST} makes no sense: {error}")))?;
    check(&list).map_err(|why| bad(&why))?;
    pass(file, size)?;
    for member in &list.members {
        if header(file)? != (member.name.clone(), member.size) {
            return Err(bad(&format!("{} is not where it should be", member.name)));
        }
        if !tarred::copy(file, member.size, &member.sha256, &mut io::sink())? {
            return Err(bad(&format!("{} is not what its digest says", member.name)));
        }
        pass(file, member.size)?;
    }
    tarred::ended(file)?;
    Ok(list)
}

fn header(file: &mut impl Read) -> io::Result<(String, u64)> {
    tarred::header(file, FOREIGN)
}

/// The directories that an image's files are put into: beside those that are in use, until all are there.
struct Places {
    files: Place,
    packed: Option<Place>,
}

impl Places {
    fn take(name: &str, list: &List) -> Result<Self, Failure> {
        let is_packed = list.members.iter().any(|member| member.column.is_none());
        let packed = is_packed.then(|| Place::take(&published::directory(&images()?, name))).transpose()?;
        let places = Self { files: Place::take(&carried(name)?)?, packed };
        for aside in [Some(places.files.aside()), places.packed.as_ref().map(Place::aside)].into_iter().flatten() {
            fs::create_dir(aside).map_err(|error| cannot_write(name, &error))?;
        }
        Ok(places)
    }

    fn of(&self, member: &Member) -> PathBuf {
        match (&member.column, &self.packed) {
            (None, Some(packed)) => packed.aside().join(member.name.trim_start_matches("image/")),
            _ => self.files.aside().join(member.name.trim_start_matches("files/")),
        }
    }

    fn fill(&self, file: BufReader<File>, list: &List, stop: &AtomicBool) -> io::Result<()> {
        let mut file = Reading { from: file, stop };
        let (_, size) = header(&mut file)?;
        io::copy(&mut (&mut file).take(size), &mut io::sink())?;
        pass(&mut file, size)?;
        for member in &list.members {
            header(&mut file)?;
            let mut to = OpenOptions::new().write(true).create_new(true).open(self.of(member))?;
            if !tarred::copy(&mut file, member.size, &member.sha256, &mut to)? {
                return Err(bad("it was changed meanwhile"));
            }
            pass(&mut file, member.size)?;
        }
        let Some(packed) = &self.packed else { return Ok(()) };
        let digests = FILES.map(|file| {
            list.members
                .iter()
                .find(|member| member.name == format!("image/{file}"))
                .map(|member| member.sha256.clone())
                .unwrap_or_default()
        });
        fs::write(packed.aside().join(SUMS), published::sums(&digests))
    }

    /// Puts them where they are used; where files are that the definition names.
    fn exchange(self) -> Result<PathBuf, Failure> {
        if let Some(packed) = self.packed {
            packed.exchange()?;
        }
        let directory = self.files.target().to_owned();
        self.files.exchange()?;
        Ok(directory)
    }
}

fn define(cx: &Context, list: &List, name: &str, directory: &Path, reason: Option<String>) -> Result<(), Failure> {
    let mut linuximage = list.linuximage.clone();
    for column in NAMING {
        let of_column = |member: &&Member| member.column.as_deref() == Some(column);
        let paths = list
            .members
            .iter()
            .filter(of_column)
            .map(|member| directory.join(member.name.trim_start_matches("files/")).display().to_string());
        linuximage.push(((*column).to_owned(), paths.collect::<Vec<_>>().join(",")));
    }
    let mut disklessimage = list.disklessimage.clone();
    for (column, file) in ["kerneldigest", "initrddigest", "rootdigest"].into_iter().zip(FILES) {
        if let Some(member) = list.members.iter().find(|member| member.name == format!("image/{file}")) {
            disklessimage.push((column.to_owned(), member.sha256.clone()));
            if file == FILES[2] {
                disklessimage.push(("rootsize".to_owned(), member.size.to_string()));
            }
        }
    }
    Ok(cx.tables()?.edit(&cx.origin(reason), |edit| {
        for (table_name, cells) in
            [("osimage", &list.osimage), ("linuximage", &linuximage), ("disklessimage", &disklessimage)]
        {
            edit.delete(table(table_name), Select::Where(&[("imagename", name)]))?;
            let cells: Vec<(&str, &str)> =
                cells.iter().map(|(column, value)| (column.as_str(), value.as_str())).collect();
            if !cells.is_empty() {
                edit.set(table(table_name), &[name], &cells)?;
            }
        }
        Ok(())
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diskless::bundle::export::{Content, write};
    use crate::diskless::bundle::list::tests::{list, member};

    #[test]
    fn a_bundle_is_whole_or_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("b.tar");
        let list = list(vec![member("files/pkglist.0", Some("pkglist"), b"vim\n")]);
        write(&path, &list, &[Content::Text(b"vim\n".to_vec())]).unwrap();
        let whole = fs::read(&path).unwrap();
        assert_eq!(verified(&mut &whole[..]).unwrap().members.len(), 1);
        for cut in [0, 100, 512, 1024, whole.len() - 1] {
            assert!(verified(&mut &whole[..cut]).is_err(), "{cut}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x20;
            // Of some bytes of a header, and of what fills a block, nothing depends.
            if let Ok(read) = verified(&mut &changed[..]) {
                assert_eq!(read.members[0].sha256, list.members[0].sha256, "{at}");
            }
        }
        assert!(verified(&mut &[&whole[..], b"more"].concat()[..]).is_err());
        let wrong = write(&path, &list, &[Content::Text(b"vi\n\n".to_vec())]);
        assert!(wrong.unwrap_err().to_string().contains("not what its digest says"));
    }

    #[test]
    fn what_is_no_file_holds_nobody_up() {
        let place = tempfile::tempdir().unwrap();
        let pipe = place.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(opened(&pipe, &AtomicBool::new(false)).unwrap_err().to_string(), FOREIGN);
    }

    #[test]
    fn one_that_is_being_read_is_left_when_that_is_said() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("b.tar");
        let list = list(vec![member("files/pkglist.0", Some("pkglist"), b"vim\n")]);
        write(&path, &list, &[Content::Text(b"vim\n".to_vec())]).unwrap();
        assert!(opened(&path, &AtomicBool::new(false)).is_ok());
        assert_eq!(opened(&path, &AtomicBool::new(true)).unwrap_err().to_string(), "interrupted");
    }
}
