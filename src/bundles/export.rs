//! Making a bundle: everything is looked up first, so that what cannot be had is told before anything is fetched; then it is brought
//! together, piece by piece, and written.

use std::collections::HashSet;
use std::path::Path;

use super::archive::{self, Content};
use super::held::Held;
use super::images::{Found, Places};
use super::list::{Image, List, Member};
use super::packages::{Apt, Needed};
use super::parts::Parts;
use super::signature::Signer;
use super::wanted::{Choice, Wanted};
use super::{files, own, until_pressed};
use crate::context::Context;
use crate::failure::Failure;

/// What a bundle will be: its list, and the contents of the members that are carried.
pub(crate) struct Gathered {
    pub(crate) list: List,
    contents: Vec<Content>,
    known: HashSet<String>,
}

/// How a bundle was made.
#[derive(Debug)]
pub(crate) struct Exported {
    pub(crate) list: List,
    pub(crate) key: String,
    pub(crate) size: u64,
}

/// Something that would be in a bundle.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) what: String,
    /// Bytes, where that is known before it is fetched, of which so many are had already.
    pub(crate) size: Option<u64>,
    pub(crate) had: u64,
}

impl Gathered {
    fn new() -> Self {
        let by = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        Self { list: List::new(by), contents: Vec::new(), known: HashSet::new() }
    }

    /// Adds a member, once; one that the other site has is only named.
    pub(crate) fn add(&mut self, member: Member, content: Content, held: &Held) {
        if !self.known.insert(member.name.clone()) {
            return;
        }
        let left_out = member.may_be_had() && held.has(&member.sha256);
        if !left_out {
            self.contents.push(content);
        }
        self.list.members.push(Member { left_out, ..member });
    }

    /// Adds an image. One that two registries have under the same name is one of the new site's, if it is the same.
    pub(crate) fn add_image(&mut self, image: Image) -> Result<(), Failure> {
        match self.list.images.iter().find(|known| known.name == image.name) {
            None => self.list.images.push(image),
            Some(known) if known.own().map(|it| &it.digest) == image.own().map(|it| &it.digest) => {}
            Some(_) => {
                let why = format!("two images would be {} at the other site, and differ", image.name);
                return Err(Failure::refused(why).hint("give one of them another tag or repository: imgpush --to"));
            }
        }
        Ok(())
    }

    /// What it holds, as one thing of a plan.
    fn planned(&self, what: String) -> Planned {
        let size = |members: &mut dyn Iterator<Item = &Member>| members.map(|member| member.size).sum();
        let mut had = self.list.members.iter().filter(|member| member.left_out);
        Planned { what, size: Some(size(&mut self.list.members.iter())), had: size(&mut had) }
    }
}

/// All that was found.
struct Looked<'a> {
    images: Vec<Found<'a>>,
    apts: Vec<Apt>,
}

async fn look<'a>(
    cx: &Context,
    choice: &Choice,
    wanted: &Wanted,
    places: &'a Places,
    parts: &Parts,
) -> Result<Looked<'a>, Failure> {
    let find = async {
        let mut images = Vec::new();
        for (name, digest) in &wanted.images {
            images.push(places.find(cx, name, digest.as_ref()).await?);
        }
        Ok(images)
    };
    let images = until_pressed(cx, find).await?;
    let mut apts = Vec::new();
    for (os, packages) in wanted.packages.iter().filter(|(_, packages)| !packages.names.is_empty()) {
        apts.push(Apt::begin(cx, parts, os, packages, choice.recommends).await?);
    }
    Ok(Looked { images, apts })
}

/// What would be in a bundle, and how large that is.
pub(crate) async fn plan(cx: &Context, choice: &Choice, held: &Held) -> Result<Vec<Planned>, Failure> {
    let wanted = Wanted::of(cx, choice)?;
    let places = Places::of(cx, &choice.archives, choice.host.as_deref())?;
    let home = crate::config::home()?.join("bundles");
    std::fs::create_dir_all(&home)
        .map_err(|error| Failure::refused(format!("cannot make {}: {error}", home.display())))?;
    let parts = Parts::of(&home.join("plan"))?;
    let looked = look(cx, choice, &wanted, &places, &parts).await?;
    let unknown = |what: String| Planned { what, size: None, had: 0 };
    let mut planned = Vec::new();
    for module in wanted.modules.iter().filter(|module| !module.is_builtin()) {
        let mut own = Gathered::new();
        own::module(module, held, &mut own).await?;
        planned.push(own.planned(format!("module {} {}", module.manifest.name(), module.manifest.label("version"))));
    }
    for image in &looked.images {
        let had = image.blobs.iter().filter(|(digest, _)| held.has(super::list::bare(digest)));
        let had = had.map(|(_, size)| size).sum();
        planned.push(Planned { what: format!("image {}", image.name), size: Some(image.size), had });
    }
    for apt in &looked.apts {
        for Needed { file, size } in apt.needed(cx).await? {
            planned.push(Planned { what: format!("package {} {file}", apt.os), size: Some(size), had: 0 });
        }
    }
    for file in &wanted.files {
        let size = held.size(&file.sha256);
        let had = size.unwrap_or(0);
        planned.push(Planned { what: format!("file {} of module {}", file.path, file.module), size, had });
    }
    planned.extend(wanted.osimages.iter().map(|name| unknown(format!("osimage {name}"))));
    if choice.program {
        let mut own = Gathered::new();
        own::program(held, &mut own).await?;
        planned.push(own.planned("the program xcrane".to_owned()));
    }
    if choice.tables {
        let mut own = Gathered::new();
        own::tables(cx, choice.passwords, held, &mut own)?;
        let what = if choice.passwords { "the tables, with passwords" } else { "the tables, without passwords" };
        planned.push(own.planned(what.to_owned()));
    }
    parts.discard();
    Ok(planned)
}

/// Makes the bundle.
pub(crate) async fn export(cx: &Context, choice: &Choice, held: &Held, target: &Path) -> Result<Exported, Failure> {
    let wanted = Wanted::of(cx, choice)?;
    let places = Places::of(cx, &choice.archives, choice.host.as_deref())?;
    let signer = Signer::of(&crate::config::home()?)?;
    let parts = Parts::of(target)?;
    let looked = look(cx, choice, &wanted, &places, &parts).await?;
    let mut gathered = Gathered::new();
    for module in &wanted.modules {
        own::module(module, held, &mut gathered).await?;
    }
    let fetch = async {
        for image in looked.images {
            image.gather(cx, &parts, held, &mut gathered).await?;
        }
        Ok(())
    };
    until_pressed(cx, fetch).await?;
    for apt in &looked.apts {
        apt.gather(cx, held, &mut gathered).await?;
    }
    files::gather(cx, &wanted.files, &parts, held, &mut gathered).await?;
    for name in &wanted.osimages {
        own::osimage(cx, name, &parts, held, &mut gathered).await?;
    }
    if choice.program {
        own::program(held, &mut gathered).await?;
    }
    if choice.tables {
        own::tables(cx, choice.passwords, held, &mut gathered)?;
    }
    if gathered.list.members.is_empty() {
        return Err(Failure::usage("nothing was chosen that a bundle could have"));
    }
    let Gathered { list, contents, .. } = gathered;
    let size = until_pressed(cx, archive::write(target, &list, &contents, &signer, &cx.progress())).await?;
    parts.discard();
    Ok(Exported { list, key: signer.key(), size })
}
