//! `imgsave`: write an image into a file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use nix::fcntl::OFlag;
use plugins::Reference;
use plugins::archive::Archive;
use serde_json::json;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{DEFAULT_FANOUT, Interrupted, Manner};
use crate::images::hosts::image;
use crate::images::registries::{Ours, Registries};
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::size::size;

/// Save an image into a file that imgload and docker load take
#[derive(Debug, Args)]
#[command(
    after_help = "Without --from the registry in the image's name is asked, which must be ours; with it a host, for any image that it
has. The file appears whole or not at all; one that is there is replaced. What was left by a run that was killed
is taken away by the next.

Examples:
  imgsave 10.0.0.1:5000/apps/solver:2.1 solver-2.1.tar
  imgsave busybox:lab busybox.tar --from h1"
)]
pub(crate) struct Imgsave {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// As this host has it, or the host of this container
    #[arg(long, value_name = "HOST|NODE")]
    from: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Imgsave {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let format = self.shape.format();
        cx.tell_progress(format);
        let name = image(&self.image)?;
        let registries = cx.registries()?;
        let (node, registry) = self.place(cx, &registries, &name)?;
        let ask = async |node: Node| {
            let partial = Partial::create(&self.file)?;
            let file = partial.file.try_clone().map_err(|error| partial.failed("write", &error))?;
            let expected = match registry {
                Some(registry) => {
                    let limit = cx.settings()?.transfer_limit;
                    registry.client.save(&name, file, limit, &cx.progress()).await?.to_string()
                }
                None => {
                    let images = cx.backends()?.images_on(&node)?;
                    let found = images.inspect(&node, &name).await?.ok_or_else(|| {
                        Failure::refused(format!("{} has no image {name}", node.name()))
                            .hint(format!("see what it has with: lsimage {}", node.name()))
                    })?;
                    images.save(&node, &name, file).await?;
                    found.id
                }
            };
            let bytes = partial.complete(&expected).await?;
            let line = format!("saved {name} to {}, {}", self.file.display(), size(bytes));
            let data = json!({ "image": name, "id": expected, "file": self.file, "size": bytes });
            Ok(Answer { data: Some(data), ..Answer::line(line) })
        };
        let manner = Manner { format, fanout: DEFAULT_FANOUT, interrupted: Interrupted::Leave };
        Ok(cx.each(vec![node], manner, ask).await.into())
    }
}

impl Imgsave {
    /// The node that is asked; the registry if it is one.
    fn place<'a>(
        &self,
        cx: &Context,
        registries: &'a Registries,
        name: &Reference,
    ) -> Result<(Node, Option<&'a Ours>), Failure> {
        if let Some(range) = &self.from {
            return Ok((cx.host_of(cx.only_node(range, "one of them has the image")?)?, None));
        }
        match registries.of(name) {
            Some(registry) => Ok((registry.node.clone(), Some(registry))),
            None => Err(Failure::refused(format!("{name} is of none of our registries"))
                .hint("save it as a host has it with: --from HOST")),
        }
    }
}

/// How often a file is opened that other runs put in its place meanwhile.
const TRIES: usize = 10;

/// A file that is not there before it is whole.
struct Partial {
    file: File,
    path: PathBuf,
    target: PathBuf,
    is_complete: bool,
}

impl Partial {
    /// Beside its target, so that it can take its place at once.
    fn create(target: &Path) -> Result<Self, Failure> {
        let refused = |why: String| Failure::refused(format!("cannot write {}: {why}", target.display()));
        if target.is_dir() {
            return Err(refused("it is a directory".into()));
        }
        let name = target.file_name().ok_or_else(|| refused("it is no name of a file".into()))?;
        let path = target.with_file_name(format!(".{}.part", name.to_string_lossy()));
        let file = locked(&path, opened).map_err(refused)?;
        file.set_len(0).map_err(|error| refused(error.to_string()))?;
        Ok(Self { file, path, target: target.to_owned(), is_complete: false })
    }

    fn failed(&self, doing: &str, error: &io::Error) -> Failure {
        Failure::refused(format!("cannot {doing} {}: {error}", self.target.display()))
    }

    /// Reads what was written, and puts it in its place if it is the image; the bytes of it.
    async fn complete(mut self, expected: &str) -> Result<u64, Failure> {
        let path = self.path.clone();
        let opening = tokio::task::spawn_blocking(move || Archive::open(&path));
        let archive = opening.await.map_err(|error| Failure::refused(error.to_string()))??;
        if archive.images().iter().all(|image| image.id != expected) {
            return Err(Failure::refused(format!("what was saved is not {expected}: the tag was moved meanwhile")));
        }
        let length = self.file.metadata().map_err(|error| self.failed("read", &error))?.len();
        self.file.sync_all().map_err(|error| self.failed("write", &error))?;
        fs::rename(&self.path, &self.target).map_err(|error| self.failed("write", &error))?;
        self.is_complete = true;
        Ok(length)
    }
}

/// The file at `path`, for us alone. Without a lock it is what a killed run has left.
fn locked(path: &Path, mut open: impl FnMut(&Path) -> io::Result<File>) -> Result<File, String> {
    for _ in 0..TRIES {
        let file = open(path).map_err(|error| error.to_string())?;
        file.try_lock().map_err(|_| "another imgsave is writing it".to_owned())?;
        // Who had the lock before us may have made it the archive that was asked for, which is not ours to empty.
        if is_at(&file, path).map_err(|error| error.to_string())? {
            return own(file, path);
        }
    }
    Err("other runs of imgsave write it all the time".into())
}

/// Follows no link, and waits for no reader of a pipe.
fn opened(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    OpenOptions::new().write(true).create(true).truncate(false).custom_flags(flags.bits()).open(path)
}

/// Whether the file still has that name.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Refuses what is no file or has another name as well: it would be emptied under that one too.
fn own(file: File, path: &Path) -> Result<File, String> {
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    match metadata.is_file() && metadata.nlink() == 1 {
        true => Ok(file),
        false => Err(format!("{} is in the way; no imgsave has left it there", path.display())),
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_complete {
            fs::remove_file(&self.path).ok(); // the next run takes it away
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Why nothing can be written there, if so.
    fn refusal(target: &Path) -> Option<String> {
        Partial::create(target).err().map(|failure| failure.message)
    }

    #[test]
    fn what_a_killed_run_has_left_is_emptied_and_what_another_writes_is_not() {
        let place = tempfile::tempdir().expect("a directory");
        let (target, part) = (place.path().join("a.tar"), place.path().join(".a.tar.part"));
        fs::write(&part, "left").expect("a file");
        let partial = Partial::create(&target).map_err(|failure| failure.message).expect("it is free");
        assert_eq!(fs::metadata(&part).expect("it is there").len(), 0);
        assert!(refusal(&target).is_some_and(|why| why.ends_with("another imgsave is writing it")));
        drop(partial);
        assert!(!part.exists());
    }

    #[test]
    fn what_is_somebody_elses_is_left_alone() {
        let place = tempfile::tempdir().expect("a directory");
        let (target, part) = (place.path().join("a.tar"), place.path().join(".a.tar.part"));
        let victim = place.path().join("victim");
        fs::write(&victim, "whole").expect("a file");
        let links: [fn(&Path, &Path) -> io::Result<()>; 2] =
            [|from, to| symlink(from, to), |from, to| fs::hard_link(from, to)];
        for link in links {
            link(&victim, &part).expect("a link");
            assert!(refusal(&target).is_some());
            assert_eq!(fs::read_to_string(&victim).expect("it is there"), "whole");
            fs::remove_file(&part).expect("the link is there still");
        }
    }

    #[test]
    fn an_archive_that_is_finished_before_we_have_the_lock_is_not_ours() {
        let place = tempfile::tempdir().expect("a directory");
        let (target, part) = (place.path().join("a.tar"), place.path().join(".a.tar.part"));
        fs::write(&part, "whole").expect("a file");
        let mut tries = 0;
        let overtaken = |path: &Path| -> io::Result<File> {
            tries += 1;
            let file = opened(path)?;
            if tries == 1 {
                fs::rename(path, &target)?;
            }
            Ok(file)
        };
        let file = locked(&part, overtaken).expect("the second is ours");
        assert!(is_at(&file, &part).expect("it can be seen") && !is_at(&file, &target).expect("so can the other"));
        assert_eq!(tries, 2);
        drop(file);

        let always = |path: &Path| -> io::Result<File> {
            let file = opened(path)?;
            fs::rename(path, &target)?;
            Ok(file)
        };
        let refused = locked(&part, always).err();
        assert_eq!(refused.as_deref(), Some("other runs of imgsave write it all the time"));
    }
}
