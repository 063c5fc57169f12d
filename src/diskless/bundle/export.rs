//! Writing one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use netboot::image::packages::Packages;
use netboot::image::published::{self, FILES, Published};
use plugins::hex;
use sha2::{Digest, Sha256};
use tables::{Row, Select};

use super::Bundled;
use super::list::{Cells, FORMAT, LIST, List, Member, NAMING, PACKED, portable};
use crate::context::Context;
use crate::diskless::{Image, images, read, table};
use crate::failure::Failure;
use crate::own_file;
use crate::tarred::{self, append};

/// Content of a member as it is exported.
pub(super) enum Content {
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
    let mut disklessimage = told.first().map(cells).unwrap_or_default();
    disklessimage.retain(|(column, _)| packed.is_some() && PACKED.contains(&column.as_str()));
    let (osimage, linuximage) = (cells(&image.osimage), cells(&image.linuximage));
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
        let content = |file: &PathBuf| {
            if column.ends_with("pkglist") {
                let mut packages = Packages::default();
                packages.add(file, &read).map_err(refused)?;
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
        files.map(|file| content(&file)).collect()
    }
}

/// What a row says to every site.
fn cells(row: &Row) -> Cells {
    let said = |name: &str| Some((name.to_owned(), portable(name, row.get(name)?)?));
    row.table().columns.iter().filter_map(|column| said(column.name)).collect()
}

pub(super) fn write(part: &Path, list: &List, contents: &[Content]) -> io::Result<u64> {
    let mut file = own_file::aside(part, 0o644)?;
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
