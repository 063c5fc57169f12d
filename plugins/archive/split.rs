//! An image of an archive as a registry has it: a manifest, and blobs that are files called by their digests.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::contents::{digest_of, sha256};
use super::source::Packing;
use super::{Archive, Image, bad, failed};
use crate::registry::Layer;
use crate::{Digest, Result};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const PIECE: usize = 256 * 1024;

/// An image in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The archive's own where it has one, so that the image keeps its digest; else made of what it has.
    pub manifest: Vec<u8>,
    pub media_type: String,
    /// Configuration and layers.
    pub blobs: Vec<Layer>,
}

impl Archive {
    /// Writes configuration and layers into a directory, packed as they are. Slow; reads the archive twice.
    pub fn split(&self, image: &Image, to: &Path) -> Result<Split> {
        self.verify(&image.layers.iter().collect::<Vec<_>>())?;
        self.written(image, to).map_err(|error| failed(self.source.path(), error))
    }

    fn written(&self, image: &Image, to: &Path) -> io::Result<Split> {
        let mut waiting: BTreeMap<usize, &super::Layer> =
            image.layers.iter().map(|layer| (layer.entry, layer)).collect();
        let (mut members, mut number, mut found) = (self.source.members()?, 0, BTreeMap::new());
        while !waiting.is_empty() {
            members.next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if let Some(wanted) = waiting.remove(&number) {
                let entry = self.entries[number];
                let digest = keep(&mut (&mut members).take(entry.size), to)?;
                // What is packed was compared before.
                let is_other = entry.packing == Packing::None && digest != wanted.diff_id;
                if is_other || wanted.digest.as_ref().is_some_and(|told| *told != digest) {
                    return Err(bad(format!("layer {} is not what its digest says", wanted.diff_id)));
                }
                found.insert(number, (layer(&digest, entry.size)?, entry.packing));
            }
            number += 1;
        }
        keep(&mut &image.config[..], to)?;
        let config = layer(&sha256(&image.config), image.config.len() as u64)?;
        let layers: Vec<&(Layer, Packing)> = image.layers.iter().map(|layer| &found[&layer.entry]).collect();
        let (media_type, manifest) = match &image.manifest {
            Some((media_type, manifest)) => (media_type.clone(), manifest.to_vec()),
            None => (MANIFEST.to_owned(), made(&config, &layers)),
        };
        let blobs = [config].into_iter().chain(layers.into_iter().map(|(layer, _)| layer.clone())).collect();
        Ok(Split { manifest, media_type, blobs })
    }
}

fn layer(digest: &str, size: u64) -> io::Result<Layer> {
    Ok(Layer { digest: digest.parse::<Digest>().map_err(bad)?, size })
}

/// Writes a blob under its digest, which appears whole.
fn keep(content: &mut impl Read, to: &Path) -> io::Result<String> {
    let part = to.join(".split.part");
    let (mut file, mut hasher, mut piece) = (File::create(&part)?, Sha256::new(), vec![0; PIECE]);
    loop {
        match content.read(&mut piece)? {
            0 => break,
            count => {
                hasher.update(&piece[..count]);
                file.write_all(&piece[..count])?;
            }
        }
    }
    file.sync_all()?;
    let digest = digest_of(&hasher.finalize());
    fs::rename(part, to.join(digest.trim_start_matches("sha256:")))?;
    Ok(digest)
}

fn made(config: &Layer, layers: &[&(Layer, Packing)]) -> Vec<u8> {
    let described =
        |kind: String, layer: &Layer| json!({ "mediaType": kind, "digest": layer.digest, "size": layer.size });
    let layers: Vec<_> = layers
        .iter()
        .map(|(layer, packing)| {
            let ending = match packing {
                Packing::None => "",
                Packing::Gzip => "+gzip",
                Packing::Zstd => "+zstd",
            };
            described(format!("{LAYER}{ending}"), layer)
        })
        .collect();
    let config = described(CONFIG.to_owned(), config);
    json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers }).to_string().into_bytes()
}
