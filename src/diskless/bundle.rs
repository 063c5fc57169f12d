//! An image as one file: its definition, the files that this names, and what nodes fetch, if it was packed. A tar, in which a list with
//! digests comes first and everything else in the order of that list.
//!
//! A bundle is foreign: it is read to its end and compared with its list before anything is written, and its files get names of ours.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use netboot::image::packages::Packages;
use netboot::image::published::{self, FILES, Published, SUMS};
use nix::fcntl::OFlag;
use plugins::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tables::schema::Table;
use tables::{Row, Select};

use super::import::carried;
use super::place::Place;
use super::{Image, images, table};
use crate::context::Context;
use crate::failure::Failure;
use crate::tarred::{self, append, bad, pass};

const FOREIGN: &str = "it is no bundle of imgexport, or it is damaged (of a container image: imgimport docker://FILE)";
const LIST: &str = "osimage.json";
const FORMAT: u32 = 1;
/// Bytes of the list, files that a definition may name, and bytes of one.
const LONGEST: u64 = 1 << 20;
const MOST: usize = 200;
const LARGEST: u64 = 16 << 20;

/// Columns of table linuximage that name files.
const NAMING: &[&str] = &["pkglist", "otherpkglist", "exlist", "postinstall", "template", "partitionfile"];
/// What is another site's.
const OWN: &[&str] = &["imagename", "rootimgdir", "disable", "comments"];
/// What tables tell of a packed image.
const PACKED: &[&str] = &["release", "packed", "packedby"];

/// The list at the beginning.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    format: u32,
    name: String,
    osimage: Cells,
    linuximage: Cells,
    disklessimage: Cells,
    members: Vec<Member>,
}

type Cells = Vec<(String, String)>;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    name: String,
    size: u64,
    sha256: String,
    /// The column of linuximage that names it; none of what nodes fetch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<String>,
}

/// What was written or read.
#[derive(Debug)]
pub(crate) struct Bundled {
    pub(crate) name: String,
    pub(crate) files: usize,
    pub(crate) is_packed: bool,
    pub(crate) size: u64,
}

/// Content of a member as it is exported.
enum Content {
    Text(Vec<u8>),
    File(PathBuf),
}

/// Writes an image into a file, which appears whole or not at all.
pub(crate) fn export(cx: &Context, name: &str, to: &Path) -> Result<Bundled, Failure> {
    let image = Image::read(cx, name)?;
    let failed = |error: io::Error| Failure::refused(format!("cannot write {}: {error}", to.display()));
    let (mut members, mut contents) = (Vec::new(), Vec::new());
    let packed = Published::open(&images()?, name)
        .map_err(|error| Failure::refused(format!("image {name} cannot be read: {error}")))?;
    for (file, digest) in packed.iter().flat_map(|packed| FILES.iter().zip(&packed.digests)) {
        let path = published::directory(&images()?, name).join(file);
        let size = fs::metadata(&path)
            .map_err(|error| Failure::refused(format!("cannot read {}: {error}", path.display())))?
            .len();
        members.push(Member { name: format!("image/{file}"), size, sha256: digest.clone(), column: None });
        contents.push(Content::File(path));
    }
    for column in NAMING {
        for (number, file) in image.named(column)?.into_iter().enumerate() {
            let name = format!("files/{column}.{number}");
            let (size, sha256) = (file.len() as u64, hex(&Sha256::digest(&file)));
            members.push(Member { name, size, sha256, column: Some((*column).to_owned()) });
            contents.push(Content::Text(file));
        }
    }
    let told = cx.tables()?.rows(table("disklessimage"), Select::Where(&[("imagename", name)]))?;
    let mut disklessimage = told.first().map(|row| cells(row, OWN)).unwrap_or_default();
    disklessimage.retain(|(column, _)| packed.is_some() && PACKED.contains(&column.as_str()));
    let skipped: Vec<&str> = OWN.iter().chain(NAMING).copied().collect();
    let (osimage, linuximage) = (cells(&image.osimage, OWN), cells(&image.linuximage, &skipped));
    let list = List { format: FORMAT, name: name.to_owned(), osimage, linuximage, disklessimage, members };
    let file_name = to.file_name().ok_or_else(|| Failure::refused(format!("{} is no name of a file", to.display())))?;
    let part = to.with_file_name(format!(".{}.part", file_name.to_string_lossy()));
    let size = write(&part, &list, &contents).and_then(|size| fs::rename(&part, to).map(|()| size));
    if size.is_err() {
        fs::remove_file(&part).ok(); // the next run writes it anew
    }
    let files = list.members.iter().filter(|member| member.column.is_some()).count();
    Ok(Bundled { name: list.name, files, is_packed: packed.is_some(), size: size.map_err(failed)? })
}

impl Image {
    /// The files that a column names. Lists of packages are written out, for they name further lists.
    fn named(&self, column: &str) -> Result<Vec<Vec<u8>>, Failure> {
        let refused = |why: String| Failure::refused(format!("image {}: {why}", self.name));
        let read = |file: &PathBuf| {
            if column.ends_with("pkglist") {
                let mut packages = Packages::default();
                packages.add(file, &super::read).map_err(refused)?;
                let leave = packages.unwanted.iter().map(|name| format!("-{name}"));
                return Ok(packages
                    .wanted
                    .iter()
                    .cloned()
                    .chain(leave)
                    .map(|line| line + "\n")
                    .collect::<String>()
                    .into_bytes());
            }
            fs::read(file).map_err(|error| refused(format!("cannot read {}: {error}", file.display())))
        };
        let files = self.words(column).into_iter().filter(|word| word.starts_with('/')).map(PathBuf::from);
        files.map(|file| read(&file)).collect()
    }
}

fn cells(row: &Row, skipped: &[&str]) -> Cells {
    let columns = row.table().columns.iter().filter(|column| !skipped.contains(&column.name));
    columns.filter_map(|column| Some((column.name.to_owned(), row.get(column.name)?.to_owned()))).collect()
}

fn write(part: &Path, list: &List, contents: &[Content]) -> io::Result<u64> {
    let flags = OFlag::O_NOFOLLOW.bits();
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).custom_flags(flags).open(part)?;
    tarred::text(&mut file, LIST, &serde_json::to_vec(list)?)?;
    for (member, content) in list.members.iter().zip(contents) {
        let mut content: Box<dyn Read + '_> = match content {
            Content::Text(text) => Box::new(&text[..]),
            Content::File(path) => Box::new(File::open(path)?),
        };
        append(&mut file, &member.name, member.size, &member.sha256, &mut content)?;
    }
    tarred::end(&mut file)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

/// Reads an image from a file and defines it, as `name` or as it was called.
pub(crate) fn import(
    cx: &Context,
    from: &Path,
    name: Option<&str>,
    force: bool,
    reason: Option<String>,
) -> Result<Bundled, Failure> {
    let refused = |error: io::Error| Failure::refused(format!("cannot use {}: {error}", from.display()));
    let mut file = BufReader::new(File::open(from).map_err(refused)?);
    let list = verified(&mut file).map_err(refused)?;
    let name = name.unwrap_or(&list.name).to_owned();
    if !is_name(&name) {
        return Err(
            Failure::refused(format!("'{name}' is no name of an image")).hint("give it one: imgimport FILE NAME")
        );
    }
    let known = cx.tables()?.rows(table("osimage"), Select::Where(&[("imagename", &name)]))?;
    if !known.is_empty() && !force {
        return Err(Failure::refused(format!("there is an image {name}"))
            .hint("replace it with -f, or import it as another: imgimport FILE NAME"));
    }
    let failed = |error: io::Error| Failure::refused(format!("cannot write image {name}: {error}"));
    let is_packed = list.members.iter().any(|member| member.column.is_none());
    let packed = is_packed.then(|| Place::take(&published::directory(&images()?, &name))).transpose()?;
    let files = Place::take(&carried(&name)?)?;
    for aside in [Some(files.aside()), packed.as_ref().map(Place::aside)].into_iter().flatten() {
        fs::create_dir(aside).map_err(failed)?;
    }
    file.rewind().map_err(refused)?;
    let place = |member: &Member| match (&member.column, &packed) {
        (None, Some(packed)) => packed.aside().join(member.name.trim_start_matches("image/")),
        _ => files.aside().join(member.name.trim_start_matches("files/")),
    };
    unpack(&mut file, &list, place).map_err(failed)?;
    if let Some(packed) = packed {
        let digests = FILES.map(|file| {
            list.members
                .iter()
                .find(|member| member.name == format!("image/{file}"))
                .map(|member| member.sha256.clone())
                .unwrap_or_default()
        });
        fs::write(packed.aside().join(SUMS), published::sums(&digests)).map_err(failed)?;
        packed.exchange()?;
    }
    let directory = files.target().to_owned();
    files.exchange()?;
    define(cx, &list, &name, &directory, reason)?;
    let count = list.members.iter().filter(|member| member.column.is_some()).count();
    Ok(Bundled { name, files: count, is_packed, size: list.members.iter().map(|member| member.size).sum() })
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

/// Columns that there are, names of ours, either all that nodes fetch or nothing of it.
fn check(list: &List) -> Result<(), String> {
    if list.format != FORMAT {
        return Err(format!("it has format {}, and known is {FORMAT}", list.format));
    }
    let rows: [(&'static Table, &Cells, &[&str]); 3] = [
        (table("osimage"), &list.osimage, OWN),
        (table("linuximage"), &list.linuximage, &[]),
        (table("disklessimage"), &list.disklessimage, &[]),
    ];
    for (table, cells, refused) in rows {
        for (column, _) in cells {
            let is_known = table.columns.iter().any(|known| known.name == column);
            if !is_known
                || refused.contains(&column.as_str())
                || OWN.contains(&column.as_str())
                || NAMING.contains(&column.as_str())
            {
                return Err(format!("it says {column} of table {}", table.name));
            }
        }
    }
    let value = |column: &str| list.osimage.iter().find(|(name, _)| name == column).map(|(_, value)| value.as_str());
    if value("imagetype") != Some("linux") || value("provmethod") != Some("netboot") {
        return Err("it is no image that diskless nodes boot".into());
    }
    if list.disklessimage.iter().any(|(column, _)| !PACKED.contains(&column.as_str())) || list.members.len() > MOST {
        return Err("its list makes no sense".into());
    }
    let fetched: Vec<&str> =
        list.members.iter().filter(|member| member.column.is_none()).map(|member| member.name.as_str()).collect();
    let all = FILES.map(|file| format!("image/{file}"));
    if !fetched.is_empty() && fetched != all {
        return Err(format!("of what nodes fetch it has {}", fetched.join(" ")));
    }
    let mut numbers = std::collections::HashMap::<&str, usize>::new();
    for member in &list.members {
        let Some(column) = &member.column else { continue };
        let number = numbers.entry(column).or_default();
        if !NAMING.contains(&column.as_str())
            || member.name != format!("files/{column}.{number}")
            || member.size > LARGEST
        {
            return Err(format!("{} is no name of a file in a bundle", member.name));
        }
        *number += 1;
    }
    Ok(())
}

fn unpack(file: &mut impl Read, list: &List, place: impl Fn(&Member) -> PathBuf) -> io::Result<()> {
    let (_, size) = header(file)?;
    io::copy(&mut file.take(size), &mut io::sink())?;
    pass(file, size)?;
    for member in &list.members {
        header(file)?;
        let mut to = OpenOptions::new().write(true).create_new(true).open(place(member))?;
        if !tarred::copy(file, member.size, &member.sha256, &mut to)? {
            return Err(bad("it was changed meanwhile"));
        }
        pass(file, member.size)?;
    }
    Ok(())
}

fn header(file: &mut impl Read) -> io::Result<(String, u64)> {
    tarred::header(file, FOREIGN)
}

/// One that is a directory of ours.
fn is_name(name: &str) -> bool {
    let may_be = |letter: char| letter.is_ascii_alphanumeric() || "._-+".contains(letter);
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.chars().all(may_be)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(members: Vec<Member>) -> List {
        let cells = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        List {
            format: FORMAT,
            name: "tiny".into(),
            osimage: cells(&[("imagetype", "linux"), ("provmethod", "netboot")]),
            linuximage: cells(&[("addkcmdline", "quiet")]),
            disklessimage: Cells::new(),
            members,
        }
    }

    fn member(name: &str, column: Option<&str>, content: &[u8]) -> Member {
        let column = column.map(str::to_owned);
        Member { name: name.into(), size: content.len() as u64, sha256: hex(&Sha256::digest(content)), column }
    }

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
    fn names_lead_nowhere() {
        let check = |list: List, expected: &str| {
            let why = check(&list).unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        check(list(vec![member("files/../../etc/passwd", Some("pkglist"), b"")]), "is no name of a file");
        check(list(vec![member("files/pkglist.1", Some("pkglist"), b"")]), "is no name of a file");
        check(list(vec![member("files/rootimgdir.0", Some("rootimgdir"), b"")]), "is no name of a file");
        check(list(vec![member("image/../x", None, b"")]), "of what nodes fetch");
        check(list(vec![member("image/kernel", None, b"")]), "of what nodes fetch");
        for column in ["rootimgdir", "pkglist", "imagename", "nonsense"] {
            let mut list = list(Vec::new());
            list.linuximage.push((column.into(), "/".into()));
            check(list, column);
        }
        assert!(
            ["tiny", "a.b-c_1"].iter().all(|name| is_name(name))
                && ["..", "a/b", "", ".x", "a b"].iter().all(|name| !is_name(name))
        );
    }
}
