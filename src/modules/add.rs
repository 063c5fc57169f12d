//! A module that comes as a container image, which carries its directory at `/module`.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use plugins::Reference;

use super::{Module, WHENCE, manifest};
use crate::context::Context;
use crate::diskless::import::Whence;
use crate::diskless::place::Place;
use crate::diskless::root::need_root;
use crate::failure::Failure;
use crate::images::archives;

/// Where an image has its module.
const INSIDE: &str = "module";

/// Takes the module of an image in among those of the site, in place of an older one.
pub(crate) async fn add(cx: &Context, home: &Path, whence: &Whence) -> Result<Module, Failure> {
    need_root()?;
    let modules = home.join("modules");
    // Only one is added at a time, and what a killed run has left goes.
    let work = Place::take(&modules.join(".adding"))?;
    let (root, name) = match whence {
        Whence::File(file) => {
            let (_, name) = archives::unpack(cx, file, work.aside()).await?;
            (work.aside(), name.and_then(|name| name.parse().ok()))
        }
        Whence::Registry(image) => {
            let file = archives::fetch(cx, image, modules.join(".adding.tar")).await?;
            archives::unpack(cx, &file.0, work.aside()).await?;
            (work.aside(), Some(pinned(cx, image).await?))
        }
    };
    let inside = root.join(INSIDE);
    if !fs::symlink_metadata(&inside).is_ok_and(|found| found.is_dir()) {
        return Err(Failure::refused(format!("the image has no directory /{INSIDE} with {}", manifest::FILE)));
    }
    let failed = |error: io::Error| Failure::refused(format!("cannot write {}: {error}", inside.display()));
    own(&inside).map_err(failed)?;
    let module = Module::in_directory(&inside)?;
    if let Some(name) = name {
        note(&inside.join(WHENCE), &name).map_err(failed)?;
    }
    let target = modules.join(module.manifest.name());
    let place = Place::take(&target)?;
    fs::rename(&inside, place.aside()).map_err(failed)?;
    place.exchange()?;
    Module::in_directory(&target)
}

/// The image by what it is now, so that the container that runs is the one that the directory is from.
async fn pinned(cx: &Context, image: &Reference) -> Result<Reference, Failure> {
    match cx.registries()?.meaning(image).await {
        Ok(Some(digest)) => Ok(image.pinned(&digest)),
        Ok(None) => Err(Failure::refused(format!("{image} is in no registry of ours any more"))),
        Err(why) => Err(Failure::refused(format!("cannot learn what {image} is: {why}"))),
    }
}

/// Writes down where it is from; what the image has in that place may be a link to somewhere else.
fn note(file: &Path, name: &Reference) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    writeln!(fs::File::create_new(file)?, "{name}")
}

/// Makes all of it root's, which root alone can change: its programs are run here.
fn own(path: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?;
    lchown(path, Some(0), Some(0))?;
    if kind.is_symlink() {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(kind.permissions().mode() & 0o755))?;
    if kind.is_dir() {
        let entries: Vec<PathBuf> = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        entries.iter().try_for_each(|entry| own(entry))?;
    }
    Ok(())
}
