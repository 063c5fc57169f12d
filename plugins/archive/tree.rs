//! The files that an image's layers make together, by their names alone: what a layer adds, replaces and takes away
//! (`.wh.NAME`, `.wh..wh..opq`; OCI image specification, layer.md).
//!
//! Names are foreign. A name is looked up here, in the tree, as the kernel would with this root as `/`: links are followed
//! within it, `..` stops at its top. What is written later has only real directories above it.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use super::bad;
use super::members::{Attributes, Kind, Member};

/// Members of all layers, and bytes of their names and extended attributes.
const MOST: usize = if cfg!(test) { 1000 } else { 2_000_000 };
const NAMES: usize = if cfg!(test) { 1 << 20 } else { 512 << 20 };
/// Directories within directories, and links that lead to links.
const DEEPEST: usize = 200;
const LINKS: usize = 40;
/// Bytes of one name, as file systems have it.
const NAME: usize = 255;

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// A place in the layers: which one, and which of its members.
pub(super) type Origin = (usize, usize);

/// Something that is no directory; several names may mean it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) content: Content,
    pub(super) attributes: Attributes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    File { origin: Origin, size: u64 },
    Link(String),
    Pipe,
}

#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) attributes: Attributes,
    pub(super) entries: BTreeMap<String, Entry>,
    /// The highest that names it.
    layer: usize,
}

#[derive(Debug)]
pub(super) enum Entry {
    Directory(Directory),
    /// Which of [`Tree::leaves`].
    Leaf {
        leaf: usize,
        layer: usize,
    },
}

/// Grows member by member, from the lowest layer on.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Directory,
    pub(super) leaves: Vec<Leaf>,
    members: usize,
    named: usize,
    /// Devices, which the kernel makes itself.
    pub(super) left_out: usize,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { root: implied(0), leaves: Vec::new(), members: 0, named: 0, left_out: 0 }
    }

    /// Adds the member `origin`.
    pub(super) fn add(&mut self, (layer, number): Origin, member: Member) -> io::Result<()> {
        self.members += 1;
        self.named += member.named();
        if self.members > MOST || self.named > NAMES {
            return Err(bad(format!(
                "its layers hold more than {MOST} files, or {NAMES} bytes of names and attributes"
            )));
        }
        let path = parts(&member.name)?;
        let Some((&name, above)) = path.split_last() else {
            // The top itself.
            if member.kind == Kind::Directory {
                self.root.attributes = valid(member.attributes, &member.name)?;
            }
            return Ok(());
        };
        if name.starts_with(WHITEOUT) {
            return self.take_away(above, name, layer);
        }
        let above = self.resolve(above)?;
        let attributes = valid(member.attributes, &member.name)?;
        let content = match member.kind {
            Kind::Directory => return self.add_directory(&above, name, layer, attributes),
            Kind::Link(target) => return self.add_name(&above, name, layer, &target),
            Kind::Other => {
                self.left_out += 1;
                return Ok(());
            }
            Kind::File => Content::File { origin: (layer, number), size: member.size },
            Kind::Symlink(target) => Content::Link(target),
            Kind::Pipe => Content::Pipe,
        };
        self.leaves.push(Leaf { content, attributes });
        let leaf = self.leaves.len() - 1;
        self.reach(&above, layer)?.entries.insert(name.to_owned(), Entry::Leaf { leaf, layer });
        Ok(())
    }

    fn add_directory(&mut self, above: &[String], name: &str, layer: usize, attributes: Attributes) -> io::Result<()> {
        let entries = &mut self.reach(above, layer)?.entries;
        match entries.get_mut(name) {
            Some(Entry::Directory(known)) => (known.attributes, known.layer) = (attributes, layer),
            _ => {
                let new = Directory { attributes, layer, entries: BTreeMap::new() };
                entries.insert(name.to_owned(), Entry::Directory(new));
            }
        }
        Ok(())
    }

    /// One more name for something that has one.
    fn add_name(&mut self, above: &[String], name: &str, layer: usize, target: &str) -> io::Result<()> {
        let path = parts(target)?;
        let lost = || bad(format!("{name} is another name of {target}, which is not there"));
        let (last, target_above) = path.split_last().ok_or_else(lost)?;
        let target_above = self.resolve(target_above)?;
        let leaf = match self.find(&target_above).and_then(|directory| directory.entries.get(*last)) {
            Some(Entry::Leaf { leaf, .. }) => *leaf,
            _ => return Err(lost()),
        };
        self.reach(above, layer)?.entries.insert(name.to_owned(), Entry::Leaf { leaf, layer });
        Ok(())
    }

    fn take_away(&mut self, above: &[&str], name: &str, layer: usize) -> io::Result<()> {
        let above = self.resolve(above)?;
        let Some(directory) = self.find_mut(&above) else { return Ok(()) };
        if name == OPAQUE {
            prune(directory, layer);
            return Ok(());
        }
        let name = &name[WHITEOUT.len()..];
        let is_gone = match directory.entries.get_mut(name) {
            Some(Entry::Directory(below)) => {
                prune(below, layer);
                below.layer < layer && below.entries.is_empty()
            }
            Some(Entry::Leaf { layer: own, .. }) => *own < layer,
            None => false,
        };
        if is_gone {
            directory.entries.remove(name);
        }
        Ok(())
    }

    /// The path of a directory without links in it. What is not there yet will be one.
    fn resolve(&self, path: &[&str]) -> io::Result<Vec<String>> {
        let mut waiting: VecDeque<String> = path.iter().map(|part| (*part).to_owned()).collect();
        let (mut found, mut links) = (Vec::<String>::new(), 0);
        while let Some(part) = waiting.pop_front() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    found.pop();
                    continue;
                }
                _ => {}
            }
            match self.find(&found).and_then(|directory| directory.entries.get(&part)) {
                Some(Entry::Leaf { leaf, .. }) => {
                    let Content::Link(target) = &self.leaves[*leaf].content else {
                        return Err(bad(format!("{} is a file, and others are below it", join(&found, &part))));
                    };
                    links += 1;
                    if links > LINKS {
                        return Err(bad(format!("links lead to links without end at {}", join(&found, &part))));
                    }
                    if target.starts_with('/') {
                        found.clear();
                    }
                    target.split('/').rev().for_each(|part| waiting.push_front(part.to_owned()));
                }
                Some(Entry::Directory(_)) | None => found.push(part),
            }
            if found.len() > DEEPEST || waiting.len() > NAME * LINKS {
                return Err(bad(format!("it has more than {DEEPEST} directories in each other")));
            }
        }
        Ok(found)
    }

    fn find(&self, path: &[String]) -> Option<&Directory> {
        path.iter().try_fold(&self.root, |directory, part| match directory.entries.get(part)? {
            Entry::Directory(below) => Some(below),
            Entry::Leaf { .. } => None,
        })
    }

    fn find_mut(&mut self, path: &[String]) -> Option<&mut Directory> {
        path.iter().try_fold(&mut self.root, |directory, part| match directory.entries.get_mut(part)? {
            Entry::Directory(below) => Some(below),
            Entry::Leaf { .. } => None,
        })
    }

    /// The directory of a path without links, made where it is not there.
    fn reach(&mut self, path: &[String], layer: usize) -> io::Result<&mut Directory> {
        let mut directory = &mut self.root;
        for part in path {
            plain(part)?;
            let entry = directory.entries.entry(part.clone()).or_insert_with(|| Entry::Directory(implied(layer)));
            directory = match entry {
                Entry::Directory(below) => below,
                Entry::Leaf { .. } => return Err(bad(format!("{part} is a file, and others are below it"))),
            };
        }
        Ok(directory)
    }
}

/// Takes away what layers below this one have put there.
fn prune(directory: &mut Directory, layer: usize) {
    directory.entries.retain(|_, entry| match entry {
        Entry::Leaf { layer: own, .. } => *own >= layer,
        Entry::Directory(below) => {
            prune(below, layer);
            below.layer >= layer || !below.entries.is_empty()
        }
    });
}

/// One that no member describes.
fn implied(layer: usize) -> Directory {
    Directory { attributes: Attributes { mode: 0o755, ..Attributes::default() }, layer, ..Directory::default() }
}

/// The parts of a member's name; one that would lead out is refused.
fn parts(name: &str) -> io::Result<Vec<&str>> {
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(bad(format!("a name in it leads out: {name}")));
    }
    parts.iter().try_for_each(|part| plain(part))?;
    Ok(parts)
}

fn plain(part: &str) -> io::Result<()> {
    match part {
        part if part.len() > NAME => Err(bad(format!("a name in it has more than {NAME} bytes"))),
        part if part.contains(['\0', char::REPLACEMENT_CHARACTER]) => {
            Err(bad(format!("the name {part:?} is not UTF-8")))
        }
        _ => Ok(()),
    }
}

/// Owners have 32 bits, of which the last number means nobody's.
fn valid(attributes: Attributes, name: &str) -> io::Result<Attributes> {
    let is_number = |number: u64| number < u64::from(u32::MAX);
    match is_number(attributes.owner.0) && is_number(attributes.owner.1) {
        true => Ok(attributes),
        false => Err(bad(format!("{name} has an owner who cannot be"))),
    }
}

fn join(above: &[String], name: &str) -> String {
    above.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(name: &str, kind: Kind) -> Member {
        let attributes = Attributes { mode: 0o644, ..Attributes::default() };
        Member { name: name.to_owned(), size: 0, kind, attributes }
    }

    /// `NAME/` is a directory, `NAME>TARGET` a symbolic link, `NAME=TARGET` a hard one, all else a file.
    fn read(word: &str) -> Member {
        if let Some((name, target)) = word.split_once('>') {
            return member(name, Kind::Symlink(target.to_owned()));
        }
        if let Some((name, target)) = word.split_once('=') {
            return member(name, Kind::Link(target.to_owned()));
        }
        member(word, if word.ends_with('/') { Kind::Directory } else { Kind::File })
    }

    fn tree(layers: &[&str]) -> io::Result<Tree> {
        let mut tree = Tree::new();
        for (layer, words) in layers.iter().enumerate() {
            for (number, word) in words.split_whitespace().enumerate() {
                tree.add((layer, number), read(word))?;
            }
        }
        Ok(tree)
    }

    /// Files as NAME:LAYER.NUMBER.
    fn shown(tree: &Tree) -> String {
        fn show(tree: &Tree, directory: &Directory, above: &str, words: &mut Vec<String>) {
            for (name, entry) in &directory.entries {
                let path = format!("{above}{name}");
                match entry {
                    Entry::Directory(below) if below.entries.is_empty() => words.push(format!("{path}/")),
                    Entry::Directory(below) => show(tree, below, &format!("{path}/"), words),
                    Entry::Leaf { leaf, .. } => words.push(match &tree.leaves[*leaf].content {
                        Content::File { origin: (layer, number), .. } => format!("{path}:{layer}.{number}"),
                        Content::Link(target) => format!("{path}>{target}"),
                        Content::Pipe => format!("{path}|"),
                    }),
                }
            }
        }
        let mut words = Vec::new();
        show(tree, &tree.root, "", &mut words);
        words.join(" ")
    }

    #[test]
    fn layers_add_replace_and_take_away() {
        let check = |layers: &[&str], expected: &str| assert_eq!(shown(&tree(layers).unwrap()), expected, "{layers:?}");
        check(&["./ ./a/ ./a/x ./b", "a/x a/y"], "a/x:1.0 a/y:1.1 b:0.3");
        check(&["a/x a/y b", "a/.wh.x .wh.b"], "a/y:0.1");
        check(&["a/x a/y/z", "a/n a/.wh..wh..opq"], "a/n:1.0");
        check(&["a/x", ".wh.a a/ a/n"], "a/n:1.2");
        check(&["a/x", "a/ a/n .wh.a"], "a/n:1.1");
        check(&["a/x", "a"], "a:1.0");
        check(&["a", "a/ a/x"], "a/x:1.1");
        check(&[".wh.none none/.wh.x d/"], "d/");
        check(&["a b=a", "a"], "a:1.0 b:0.0");
        check(&["a b=/a", ".wh.a"], "b:0.0");
    }

    #[test]
    fn links_are_followed_within_the_root() {
        let check = |layers: &[&str], expected: &str| assert_eq!(shown(&tree(layers).unwrap()), expected, "{layers:?}");
        check(&["lib>usr/lib usr/lib/", "lib/x"], "lib>usr/lib usr/lib/x:1.0");
        check(&["etc>/etc etc2>/../../etc3", "etc2/passwd"], "etc>/etc etc2>/../../etc3 etc3/passwd:1.0");
        check(&["a>/", "a/x"], "a>/ x:1.0");
        check(&["d/up>.. d/up/x"], "d/up>.. x:0.1");
        check(&["lib>usr/lib", "lib/ lib/x"], "lib/x:1.1");
        check(&["lib>usr/lib usr/lib/x", "lib/.wh.x"], "lib>usr/lib usr/lib/");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let check = |layer: &str, expected: &str| {
            let why = tree(&[layer]).map(|tree| shown(&tree)).unwrap_err().to_string();
            assert!(why.contains(expected), "{layer}: {why}");
        };
        check("../etc/passwd", "leads out");
        check("a/../../b", "leads out");
        check("a=../../etc/shadow", "leads out");
        check("a=/etc/shadow", "which is not there");
        check("d/ a=d", "which is not there");
        check("a>b b>a a/x", "without end");
        check("a a/x", "is a file, and others are below it");
        check(&"x".repeat(256), "more than 255 bytes");
        check(&"d/".repeat(300), "directories in each other");
        check("bad\u{fffd}name", "not UTF-8");
        check(&"f ".repeat(1001), "more than 1000 files");
        let mut nobody = member("f", Kind::File);
        nobody.attributes.owner.0 = u64::MAX;
        assert!(Tree::new().add((0, 0), nobody).is_err());
    }

    proptest! {
        #[test]
        fn no_names_panic_or_lead_out(layers in prop::collection::vec("([ab.]{1,2}[/>=]{0,2}){1,6}( [ab/.>=]{1,9}){0,12}", 1..4)) {
            let mut tree = Tree::new();
            for (layer, words) in layers.iter().enumerate() {
                for (number, word) in words.split_whitespace().enumerate() {
                    drop(tree.add((layer, number), read(word)));
                }
            }
            fn check(directory: &Directory) {
                for (name, entry) in &directory.entries {
                    assert!(!matches!(name.as_str(), "" | "." | "..") && !name.contains('/'), "{name}");
                    if let Entry::Directory(below) = entry {
                        check(below);
                    }
                }
            }
            check(&tree.root);
        }
    }
}
