//! What a bundle takes of this site itself: modules, diskless images, tables, the program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use plugins::hex;
use sha2::{Digest, Sha256};
use tables::schema::{self, Kind, Table};
use tables::{Row, Select, csv};

use super::archive::Content;
use super::export::Gathered;
use super::held::Held;
use super::images::member_of;
use super::list::Member;
use super::parts::Parts;
use crate::context::Context;
use crate::diskless;
use crate::failure::Failure;
use crate::modules::Module;
use crate::modules::image::HERE;

/// Files of one module, and directories within directories.
const MOST: usize = 10_000;
const DEEPEST: usize = 16;

/// The files of a module; one that is built in comes with the program. A link may lead anywhere, so one is refused and not followed.
pub(crate) async fn module(module: &Module, held: &Held, gathered: &mut Gathered) -> Result<(), Failure> {
    let name = module.manifest.name();
    if module.is_builtin() {
        return Ok(());
    }
    let refused = |why: String| Failure::refused(format!("module {name} cannot be bundled: {why}"));
    for path in of_module(&module.directory).map_err(refused)? {
        let inside = path.strip_prefix(&module.directory).map_err(|error| refused(error.to_string()))?;
        let inside = inside.to_str().ok_or_else(|| refused(format!("{} is no name in UTF-8", path.display())))?;
        let mut member = member_of(format!("modules/{name}/{inside}"), &path).await?;
        member.executable = is_executable(&path);
        if member.kind().is_none() {
            return Err(refused(format!("{} is a name that a bundle cannot have", path.display())));
        }
        gathered.add(member, Content::File(path), held);
    }
    Ok(())
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o100 != 0)
}

/// The files that are a module's own: where its image is here is no other site's matter.
pub(super) fn of_module(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let here = directory.join(HERE);
    Ok(files(directory)?.into_iter().filter(|file| *file != here).collect())
}

/// All files below a directory, in order.
fn files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let (mut found, mut waiting) = (Vec::new(), vec![(directory.to_owned(), 0)]);
    while let Some((directory, depth)) = waiting.pop() {
        let failed = |error: io::Error| format!("cannot read {}: {error}", directory.display());
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            match () {
                () if kind.is_file() => found.push(entry.path()),
                () if kind.is_dir() && depth < DEEPEST => waiting.push((entry.path(), depth + 1)),
                () => return Err(format!("{} is neither a file nor a directory", entry.path().display())),
            }
            if found.len() > MOST {
                return Err(format!("it has more than {MOST} files"));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A diskless image, as imgexport has it.
pub(crate) async fn osimage(
    cx: &Context,
    name: &str,
    parts: &Parts,
    held: &Held,
    gathered: &mut Gathered,
) -> Result<(), Failure> {
    let file = parts.work("osimages")?.join(format!("{name}.tar"));
    diskless::bundle::export(cx, name, &file)?;
    let member = member_of(format!("osimages/{name}.tar"), &file).await?;
    gathered.add(member, Content::File(file), held);
    Ok(())
}

/// The program that is running.
pub(crate) async fn program(held: &Held, gathered: &mut Gathered) -> Result<(), Failure> {
    let path = std::env::current_exe().map_err(|error| Failure::refused(format!("cannot find xcrane: {error}")))?;
    let mut member = member_of("program/xcrane".to_owned(), &path).await?;
    member.executable = true;
    gathered.add(member, Content::File(path), held);
    Ok(())
}

/// Every table but the logs. Without `passwords` those are left out whose key is a secret, and table passwd, and every other cell
/// that holds one is empty.
pub(crate) fn tables(cx: &Context, passwords: bool, held: &Held, gathered: &mut Gathered) -> Result<(), Failure> {
    let is_secret = |table: &&'static Table| table.name == "passwd" || table.keys().any(|key| key.kind == Kind::Secret);
    for table in schema::ALL.iter().copied().filter(|table| !table.is_log() && (passwords || !is_secret(table))) {
        let mut rows = cx.tables()?.rows(table, Select::Stored)?;
        if rows.is_empty() {
            continue;
        }
        if !passwords {
            let shown = |row: &Row| {
                let cells = table.columns.iter().zip(row.cells());
                let cells = cells.map(|(column, cell)| match column.kind {
                    Kind::Secret => "",
                    _ => cell.unwrap_or_default(),
                });
                Row::new(table, cells.collect::<Vec<_>>())
            };
            rows = rows.iter().map(shown).collect();
        }
        let text = csv::table(table, &rows).into_bytes();
        let (size, sha256) = (text.len() as u64, hex(&Sha256::digest(&text)));
        let name = format!("tables/{}.csv", table.name);
        gathered.add(Member { name, size, sha256, executable: false, left_out: false }, Content::Text(text), held);
    }
    Ok(())
}
