//! Files that modules require, fetched by apt's own helper: it goes on where it was broken off, and knows the site's proxies.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::archive::Content;
use super::export::Gathered;
use super::held::Held;
use super::images::{member_of, rename};
use super::list::{File, Member};
use super::parts::Parts;
use crate::context::Context;
use crate::diskless::program::{self, Program};
use crate::failure::Failure;

/// Brings the files together, each content once.
pub(crate) async fn gather(
    cx: &Context,
    files: &BTreeSet<File>,
    parts: &Parts,
    held: &Held,
    gathered: &mut Gathered,
) -> Result<(), Failure> {
    for file in files {
        let target = parts.blob(&file.sha256);
        if let Some(size) = held.size(&file.sha256) {
            let sha256 = file.sha256.clone();
            let member = Member { name: name(file), size, sha256, executable: false, left_out: false };
            gathered.add(member, Content::File(target), held);
        } else {
            if !target.exists() {
                fetch(cx, file, &target).await?;
            }
            let member = member_of(name(file), &target).await?;
            if member.sha256 != file.sha256 {
                std::fs::remove_file(&target).ok(); // the next run fetches it anew
                return Err(Failure::refused(format!(
                    "{} of module {} is {}, and {} is required",
                    file.url, file.module, member.sha256, file.sha256
                )));
            }
            gathered.add(member, Content::File(target), held);
        }
        gathered.list.files.push(file.clone());
    }
    Ok(())
}

fn name(file: &File) -> String {
    format!("files/{}", file.sha256)
}

async fn fetch(cx: &Context, file: &File, target: &Path) -> Result<(), Failure> {
    let begun = super::part(target);
    let words = ["download-file".as_ref(), file.url.as_ref(), begun.as_os_str()];
    let fetched = program::run(cx, Program::new("/usr/lib/apt/apt-helper", "apt").args(words)).await;
    fetched.map_err(|failure| Failure {
        message: format!("cannot fetch {} of module {}: {}", file.path, file.module, failure.message),
        ..failure
    })?;
    rename(&begun, target)
}

/// Where a module's files are after an import.
pub(crate) fn directory(home: &Path, module: &str) -> PathBuf {
    home.join("files").join(module)
}
