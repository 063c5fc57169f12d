//! What an engine is sent of an archive: in the format of `docker save`, without the layers that it has.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use super::contents::{Image, Layer};
use super::source::Packing;
use super::{Archive, bad, failed, header};
use crate::{Error, Result};
use serde_json::{Value, json};

const BLOCK: u64 = 512;
/// A tar ends with two empty blocks.
const END: u64 = 2 * BLOCK;

/// An archive as it is sent to one engine.
pub struct Parcel {
    archive: Arc<Archive>,
    /// The files of layers that it holds, and the bytes that are sent of each: what is known of the archive is locked as
    /// long as another host's layers are looked through, so that it is asked here once.
    entries: BTreeMap<usize, u64>,
    texts: Vec<(String, Arc<[u8]>)>,
}

impl Parcel {
    /// What to send to an engine whose images have these layers, each a list from the lowest on. Slow where layers are
    /// packed.
    pub fn new(archive: &Arc<Archive>, held: &[Vec<String>]) -> Result<Self> {
        let lacking: Vec<&Layer> = archive.images.iter().flat_map(|image| lacking(image, held)).collect();
        archive.verify(&lacking)?;
        let entries = lacking.iter().map(|layer| (layer.entry, archive.sent_size(layer.entry))).collect();
        Ok(Self { archive: archive.clone(), entries, texts: texts(&archive.images) })
    }

    /// Bytes of it.
    pub fn size(&self) -> u64 {
        let texts = self.texts.iter().map(|(_, text)| text.len() as u64);
        texts.chain(self.entries.values().copied()).map(|size| BLOCK + size.next_multiple_of(BLOCK)).sum::<u64>() + END
    }

    /// Bytes of the archive's layers that it lacks.
    pub fn spared(&self) -> u64 {
        let layers = self.archive.images.iter().flat_map(|image| &image.layers);
        let sizes: BTreeMap<usize, u64> = layers.map(|layer| (layer.entry, layer.size)).collect();
        sizes.iter().filter(|(entry, _)| !self.entries.contains_key(entry)).map(|(_, size)| size).sum()
    }

    /// True when it has no layer.
    pub fn is_bare(&self) -> bool {
        self.entries.is_empty()
    }

    /// Writes it, reading the archive once.
    pub fn write(&self, mut to: impl Write) -> Result<()> {
        let path = self.archive.source.path();
        self.pack(&mut to).map_err(|error| match error.kind() {
            // Whoever reads it has gone, and says why.
            io::ErrorKind::BrokenPipe => Error::File { doing: "send", path: path.display().to_string(), source: error },
            _ => failed(path, error),
        })
    }

    fn pack(&self, to: &mut impl Write) -> io::Result<()> {
        for (name, text) in &self.texts {
            append(to, name, text.len() as u64, &mut &text[..])?;
        }
        let mut members = self.archive.source.members()?;
        let Some((&last, _)) = self.entries.last_key_value() else { return to.write_all(&[0; END as usize]) };
        for number in 0..=last {
            let member = members.next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let Some(&size) = self.entries.get(&number) else { continue };
            let entry = self.archive.entries[number];
            if entry.size != member.size {
                return Err(bad("it was changed meanwhile"));
            }
            let name = file(number);
            match entry.packing {
                Packing::None | Packing::Gzip => append(to, &name, size, &mut members)?,
                Packing::Zstd => append(to, &name, size, &mut Packing::Zstd.undo(&mut members, entry.size))?,
            }
        }
        to.write_all(&[0; END as usize])
    }
}

/// The layers from the first on that no image of the engine has in the same place: one upon others is another layer.
fn lacking<'a>(image: &'a Image, held: &[Vec<String>]) -> &'a [Layer] {
    let in_common = |other: &Vec<String>| {
        image.layers.iter().zip(other).take_while(|(layer, other)| layer.diff_id == **other).count()
    };
    &image.layers[held.iter().map(in_common).max().unwrap_or(0)..]
}

/// All names are made here, none is the archive's.
fn texts(images: &[Image]) -> Vec<(String, Arc<[u8]>)> {
    let config = |image: &Image| format!("{}.json", image.id.trim_start_matches("sha256:"));
    let manifest = |image: &Image| {
        let layers: Vec<String> = image.layers.iter().map(|layer| file(layer.entry)).collect();
        json!({ "Config": config(image), "RepoTags": image.names, "Layers": layers })
    };
    let manifest: Value = images.iter().map(manifest).collect();
    let configs: BTreeMap<String, Arc<[u8]>> =
        images.iter().map(|image| (config(image), image.config.clone())).collect();
    [("manifest.json".to_owned(), manifest.to_string().into_bytes().into())].into_iter().chain(configs).collect()
}

fn file(entry: usize) -> String {
    format!("layer-{entry}.tar")
}

fn append(to: &mut impl Write, name: &str, size: u64, content: &mut impl Read) -> io::Result<()> {
    to.write_all(header(name, size).as_bytes())?;
    let copied = io::copy(&mut content.take(size), to)?;
    if copied != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let padding = vec![0; (size.next_multiple_of(BLOCK) - size) as usize];
    to.write_all(&padding)
}
