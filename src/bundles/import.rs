//! Taking a bundle: it is read to its end and compared, then what this site lacks for it is told, and only then is anything written.
//!
//! What is there already is left as it is, so that a run that was killed is completed by the same command.

use std::fs;
use std::path::{Path, PathBuf};

use super::archive::Opened;
use super::held::Held;
use super::list::{Image, Kind, Member};
use super::signature::{Trust, Trusted};
use super::store::{Store, chosen};
use super::{GOES_ON, files, images, index, measured, own, packages, replace, until_pressed};
use crate::context::Context;
use crate::diskless::{self, place::Place};
use crate::failure::Failure;
use crate::images::registries::Registries;
use crate::modules::Module;
use crate::modules::image::HERE;
use crate::outcome::Outcome;
use crate::own_file;
use crate::size::size;

/// How a bundle is taken.
#[derive(Debug, Default)]
pub(crate) struct How {
    /// The key that it must be signed by, or a file with that.
    pub(crate) key: Option<String>,
    pub(crate) registry: Option<String>,
    /// Replaces modules and diskless images that are otherwise here.
    pub(crate) force: bool,
    pub(crate) reason: Option<String>,
}

/// Reads a bundle to its end; nothing is changed.
pub(crate) async fn verify(cx: &Context, path: &Path, key: Option<&str>) -> Result<(Opened, Trust), Failure> {
    let mut opened = Opened::begin(path)?;
    let trust = Trusted::of(&crate::config::home()?)?.judge(&opened.key, key).map_err(|failure| Failure {
        message: format!("cannot use {}: {}", path.display(), failure.message),
        ..failure
    })?;
    until_pressed(cx, opened.verify(&cx.progress())).await?;
    Ok((opened, trust))
}

/// One import.
struct Import<'a> {
    cx: &'a Context,
    home: PathBuf,
    opened: &'a Opened,
    how: &'a How,
    held: Held,
    /// Who hears of each thing that is done: what, and how it ended.
    say: &'a dyn Fn(&str, String),
}

/// Takes what is in a bundle that was verified; `say` hears of each thing.
pub(crate) async fn import(
    cx: &Context,
    opened: &Opened,
    how: &How,
    say: &dyn Fn(&str, String),
) -> Result<(), Failure> {
    let home = crate::config::home()?;
    let lock = home.join("bundles/import.lock");
    let failed = |error: std::io::Error| Failure::refused(format!("cannot write {}: {error}", lock.display()));
    fs::create_dir_all(home.join("bundles")).map_err(failed)?;
    let lock = own_file::open(&lock).map_err(failed)?;
    if lock.try_lock().is_err() {
        return Err(Failure::refused("another run is importing a bundle"));
    }
    let held = Held::of(&home)?;
    let mut import = Import { cx, home, opened, how, held, say };
    let registries = cx.registries()?;
    import.check(&registries).await?;
    Trusted::of(&import.home)?.keep(&opened.key, &format!("{} {}", opened.list.by, opened.list.created))?;
    let ended = import.take(&registries).await;
    // Also of what was done before something failed.
    import.held.save(&import.home)?;
    ended
}

impl Import<'_> {
    /// Refuses what could not be carried through to its end.
    async fn check(&self, registries: &Registries) -> Result<(), Failure> {
        let list = &self.opened.list;
        if !list.images.is_empty() {
            let registry = chosen(registries, self.how.registry.as_deref())?;
            let store = Store::new(self.cx, self.opened, registry);
            let ask = async {
                registry.client.repositories().await?;
                for image in &list.images {
                    store.check(image, &self.held).await?;
                }
                Ok(())
            };
            until_pressed(self.cx, ask).await?;
        }
        for member in &list.members {
            self.check_left_out(member).await?;
        }
        for name in list.modules() {
            if !self.how.force && self.home.join("modules").join(name).exists() && !self.is_same(name).await? {
                return Err(Failure::refused(format!(
                    "there is a module {name}, which differs from that of the bundle"
                ))
                .hint("replace it with: --force"));
            }
        }
        for member in list.carried() {
            if let Some(Kind::Osimage(name)) = member.kind() {
                let known = self
                    .cx
                    .tables()?
                    .rows(diskless::table("osimage"), tables::Select::Where(&[("imagename", name)]))?;
                if !self.how.force && !known.is_empty() && !self.held.has(&member.sha256) {
                    return Err(Failure::refused(format!("there is an image {name}")).hint("replace it with: --force"));
                }
            }
        }
        self.check_room()
    }

    async fn check_left_out(&self, member: &Member) -> Result<(), Failure> {
        let path = match member.kind() {
            Some(Kind::Package { os, file }) => packages::directory(&self.home, os).join(file),
            Some(Kind::File) => self.kept(&member.sha256),
            _ => return Ok(()),
        };
        if member.left_out && measured(&path).await.ok().is_none_or(|(_, sha256)| sha256 != member.sha256) {
            return Err(Failure::refused(format!(
                "{} was left out of the bundle, and this site has it not",
                member.name
            ))
            .hint("let the bundle be made without --have, or with the record of this site"));
        }
        Ok(())
    }

    fn check_room(&self) -> Result<(), Failure> {
        let is_ours = |member: &&Member| !matches!(member.kind(), Some(Kind::Blob)) && !self.held.has(&member.sha256);
        let needed: u64 = self.opened.list.carried().filter(is_ours).map(|member| member.size).sum();
        let Ok(disk) = nix::sys::statvfs::statvfs(&self.home) else { return Ok(()) };
        let free = disk.blocks_available() * disk.fragment_size();
        match needed > free {
            true => Err(Failure::refused(format!(
                "it needs {} in {}, where {} are free",
                size(needed),
                self.home.display(),
                size(free)
            ))),
            false => Ok(()),
        }
    }

    async fn take(&mut self, registries: &Registries) -> Result<(), Failure> {
        let list = &self.opened.list;
        if !list.images.is_empty() {
            let registry = chosen(registries, self.how.registry.as_deref())?;
            let store = Store::new(self.cx, self.opened, registry);
            for image in &list.images {
                let changed = until_pressed(self.cx, store.bring(image, &mut self.held)).await?;
                self.held.save(&self.home)?;
                self.tell(&format!("image {}", image.name), changed, &format!("pushed to {}", store.place()));
            }
        }
        let cx = self.cx;
        let work = async {
            self.take_packages().await?;
            self.take_files().await?;
            self.take_modules(registries).await
        };
        until_pressed(cx, work).await?;
        self.take_rest().await
    }

    fn tell(&self, what: &str, changed: bool, done: &str) {
        (self.say)(what, if changed { done.to_owned() } else { "unchanged".to_owned() });
    }

    async fn take_packages(&mut self) -> Result<(), Failure> {
        let mut systems: Vec<(&str, usize)> = Vec::new();
        for (number, member) in self.opened.list.carried().enumerate() {
            let Some(Kind::Package { os, file }) = member.kind() else { continue };
            let directory = packages::directory(&self.home, os);
            let changed = self.put(number, member, &directory.join(file)).await?;
            index::describe(&directory, file, index::control(&self.opened.list, member), member)?;
            match systems.iter_mut().find(|(known, _)| *known == os) {
                Some((_, count)) => *count += usize::from(changed),
                None => systems.push((os, usize::from(changed))),
            }
        }
        for (os, changed) in systems {
            let directory = packages::directory(&self.home, os);
            let all = index::make(&directory)?;
            let done = format!("{changed} added, {all} in {}", directory.display());
            self.tell(&format!("packages {os}"), changed > 0, &done);
        }
        Ok(())
    }

    /// Puts a member into a place unless it is there.
    async fn put(&mut self, number: usize, member: &Member, path: &Path) -> Result<bool, Failure> {
        let has = measured(path).await.is_ok_and(|(_, sha256)| sha256 == member.sha256);
        if !has {
            self.opened.extract(number, member, path).await?;
        }
        if member.may_be_had() {
            self.held.add(&member.sha256, member.size, None);
        }
        Ok(!has)
    }

    /// Where a file is kept by its content; modules' files are links to it.
    fn kept(&self, sha256: &str) -> PathBuf {
        self.home.join("bundles/files").join(sha256)
    }

    async fn take_files(&mut self) -> Result<(), Failure> {
        for (number, member) in self.opened.list.carried().enumerate() {
            if matches!(member.kind(), Some(Kind::File)) {
                self.put(number, member, &self.kept(&member.sha256)).await?;
            }
        }
        for file in &self.opened.list.files {
            let to = files::directory(&self.home, &file.module).join(&file.path);
            let changed = measured(&to).await.ok().is_none_or(|(_, sha256)| sha256 != file.sha256);
            if changed {
                let from = self.kept(&file.sha256);
                let link = || {
                    fs::create_dir_all(to.parent().unwrap_or(Path::new("/")))?;
                    let part = super::part(&to);
                    fs::remove_file(&part).ok(); // it may not be there
                    fs::hard_link(&from, &part)?;
                    fs::rename(&part, &to)
                };
                link().map_err(|error: std::io::Error| {
                    Failure::refused(format!("cannot write {}: {error}", to.display()))
                })?;
            }
            let what = format!("file {} of module {}", file.path, file.module);
            self.tell(&what, changed, &format!("put to {}", to.display()));
        }
        Ok(())
    }

    async fn take_modules(&mut self, registries: &Registries) -> Result<(), Failure> {
        for name in self.opened.list.modules() {
            let is_other = !self.is_same(name).await?;
            if is_other {
                let place = Place::take(&self.home.join("modules").join(name))?;
                for (number, member, path) in self.of_module(name) {
                    self.opened.extract(number, member, &place.aside().join(path)).await?;
                }
                place.exchange()?;
            }
            let has_moved = self.note_image(name, registries)?;
            self.tell(&format!("module {name}"), is_other || has_moved, "imported");
        }
        Ok(())
    }

    /// Notes where the image of a module's container is here, by what it is; false where that was known.
    fn note_image(&self, name: &str, registries: &Registries) -> Result<bool, Failure> {
        let directory = self.home.join("modules").join(name);
        // One that only a newer program can read is noted when that imports the bundle again.
        let Ok(module) = Module::in_directory(&directory) else { return Ok(false) };
        let Some(image) = module.image()? else { return Ok(false) };
        let is_its = |carried: &&Image| carried.name == images::name(&image);
        let Some(own) = self.opened.list.images.iter().find(is_its).and_then(Image::own) else { return Ok(false) };
        let registry = chosen(registries, self.how.registry.as_deref())?;
        let here = image.in_registry(registry.client.place()).map_err(Failure::refused)?.pinned(&own.digest);
        let (file, text) = (directory.join(HERE), Module::noted_here(&image, &here));
        let is_known = fs::read_to_string(&file).is_ok_and(|noted| noted == text);
        if !is_known {
            replace(&file, text.as_bytes())?;
        }
        Ok(!is_known)
    }

    fn of_module(&self, module: &str) -> Vec<(usize, &Member, &str)> {
        let members = self.opened.list.carried().enumerate().filter_map(|(number, member)| match member.kind() {
            Some(Kind::Module { name, path }) if name == module => Some((number, member, path)),
            _ => None,
        });
        members.collect()
    }

    /// Whether the module is here with just those files.
    async fn is_same(&self, name: &str) -> Result<bool, Failure> {
        let directory = self.home.join("modules").join(name);
        let (Ok(there), members) = (own::of_module(&directory), self.of_module(name)) else { return Ok(false) };
        for (_, member, path) in &members {
            let has = measured(&directory.join(path)).await.is_ok_and(|(_, sha256)| sha256 == member.sha256);
            if !has {
                return Ok(false);
            }
        }
        Ok(there.len() == members.len())
    }

    /// What is one thing each: Ctrl-C ends it between two of these, and while it reads and writes what is large.
    async fn take_rest(&mut self) -> Result<(), Failure> {
        let mut tables = Vec::new();
        for (number, member) in self.opened.list.carried().enumerate() {
            match member.kind() {
                Some(Kind::Osimage(name)) => self.take_osimage(number, member, name).await?,
                Some(Kind::Program) => {
                    let path = self.home.join("bundles/program/xcrane");
                    let cx = self.cx;
                    let changed = until_pressed(cx, self.put(number, member, &path)).await?;
                    self.tell("the program xcrane", changed, &format!("put to {}", path.display()));
                }
                Some(Kind::Table(name)) => tables.push((number, member, name)),
                Some(Kind::Blob | Kind::Package { .. } | Kind::File | Kind::Module { .. }) | None => {}
            }
        }
        if tables.is_empty() {
            return Ok(());
        }
        // All of one site, or none of it.
        let place = Place::take(&self.home.join("bundles/tables"))?;
        let directory = place.target().to_owned();
        for (number, member, name) in tables {
            self.opened.extract(number, member, &place.aside().join(format!("{name}.csv"))).await?;
        }
        place.exchange()?;
        self.tell(
            "the tables",
            true,
            &format!("put to {}; nothing of them counts before: restorexCATdb -p {0}", directory.display()),
        );
        Ok(())
    }

    async fn take_osimage(&mut self, number: usize, member: &Member, name: &str) -> Result<(), Failure> {
        let known =
            self.cx.tables()?.rows(diskless::table("osimage"), tables::Select::Where(&[("imagename", name)]))?;
        let changed = known.is_empty() || !self.held.has(&member.sha256);
        if changed {
            let file = self.home.join("bundles/osimage.tar");
            until_pressed(self.cx, self.opened.extract(number, member, &file)).await?;
            let reason = self.how.reason.clone();
            let imported = diskless::bundle::import(self.cx, &file, Some(name), true, reason).await;
            fs::remove_file(&file).ok(); // the next run writes over it
            imported.map_err(|failure| match failure.outcome {
                Outcome::Interrupted => failure.hint(GOES_ON),
                _ => failure,
            })?;
            self.held.add(&member.sha256, member.size, None);
        }
        self.tell(&format!("osimage {name}"), changed, "imported");
        Ok(())
    }
}
