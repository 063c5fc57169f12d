//! Where everything is in an archive, and its small texts.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use super::bad;
use super::members::{Kind, MOST};
use super::source::{Packing, Source};

/// A text of an archive, such as the configuration of an image, and all of them.
const DOCUMENT: u64 = 8 << 20;
const DOCUMENTS: u64 = 64 << 20;
/// Bytes of all names.
const NAMES: usize = if cfg!(test) { 64 << 10 } else { 64 << 20 };
/// Links to links.
const LINKS: usize = 8;

/// A file of an archive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) size: u64,
    pub(super) packing: Packing,
}

/// What one pass over an archive finds.
#[derive(Default)]
pub(super) struct Index {
    /// By the place of the member among all.
    pub(super) entries: Vec<Entry>,
    /// Of members with equal names the last counts, as for tar.
    names: HashMap<String, usize>,
    links: HashMap<String, String>,
    /// Shared: any number of images may name the same one.
    documents: HashMap<usize, Arc<[u8]>>,
}

impl Index {
    pub(super) fn read(source: &Source) -> io::Result<Self> {
        let mut index = Self::default();
        let mut members = source.members()?;
        let (mut kept, mut named) = (0, 0);
        while let Some(member) = members.next()? {
            let number = index.entries.len();
            if number >= MOST {
                return Err(bad(format!("it holds more than {MOST} files")));
            }
            named += member.named();
            if named > NAMES {
                return Err(bad(format!("the names in it have more than {NAMES} bytes")));
            }
            let mut entry = Entry { size: member.size, packing: Packing::None };
            let name = plain(&member.name);
            match member.kind {
                Kind::File => {
                    let mut head = Vec::new();
                    members.by_ref().take(4).read_to_end(&mut head)?;
                    entry.packing = Packing::of(&head);
                    let is_text = matches!(head.first(), Some(b'{' | b'['));
                    if is_text && member.size <= DOCUMENT && kept + member.size <= DOCUMENTS {
                        kept += member.size;
                        members.by_ref().take(member.size.saturating_sub(head.len() as u64)).read_to_end(&mut head)?;
                        index.documents.insert(number, head.into());
                    }
                    index.names.insert(name, number);
                }
                Kind::Link(target) => drop(index.links.insert(name, plain(&target))),
                Kind::Symlink(target) => {
                    let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
                    let target = plain(&format!("{directory}/{target}"));
                    index.links.insert(name, target);
                }
                Kind::Directory | Kind::Pipe | Kind::Other => (),
            }
            index.entries.push(entry);
        }
        Ok(index)
    }

    /// The place of a file.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let mut name = plain(name);
        for _ in 0..LINKS {
            match self.names.get(&name) {
                Some(&number) => return Some(number),
                None => name = self.links.get(&name)?.clone(),
            }
        }
        None
    }

    /// The text of that name.
    pub(super) fn document(&self, name: &str) -> Option<&Arc<[u8]>> {
        self.documents.get(&self.find(name)?)
    }
}

/// A name without `.`, `..` and empty parts: it is looked up among names and never leads to a file of ours.
fn plain(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => (),
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
