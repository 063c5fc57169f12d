//! Packed layers are looked through before they are sent: an engine needs to be told their size, and would find out only
//! with a full disk that they hold more than anybody wants.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::PoisonError;

use super::contents::{Layer, digest_of};
use super::index::Entry;
use super::source::Packing;
use super::{Archive, bad, failed};
use crate::Result;
use crate::hashed::Hashed;

/// Bytes hashed at once.
const CHUNK: usize = 256 * 1024;

impl Archive {
    /// Makes sure that these layers are what they say, as far as that is not known yet. Slow; reads the archive once.
    pub(super) fn verify(&self, layers: &[&Layer]) -> Result<()> {
        // Held all the time: what several hosts lack is looked through once.
        let mut known = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new =
            |layer: &&&Layer| self.entries[layer.entry].packing != Packing::None && !known.contains_key(&layer.entry);
        let mut waiting: BTreeMap<usize, &Layer> =
            layers.iter().filter(is_new).map(|layer| (layer.entry, *layer)).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let refused = |error| failed(self.source.path(), error);
        let mut members = self.source.members().map_err(refused)?;
        let mut number = 0;
        while !waiting.is_empty() && members.next().map_err(refused)?.is_some() {
            if let Some(layer) = waiting.remove(&number) {
                let packing = self.entries[number].packing;
                known.insert(number, look_through(layer, packing, &mut members).map_err(refused)?);
            }
            number += 1;
        }
        Ok(())
    }

    /// Bytes that an engine is sent for a layer: zstd is undone, for engines up to 20.10 cannot.
    pub(super) fn sent_size(&self, entry: usize) -> u64 {
        let Entry { size, packing } = self.entries[entry];
        let known = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&entry).copied().filter(|_| packing == Packing::Zstd).unwrap_or(size)
    }
}

/// Bytes that a packed layer holds.
fn look_through(layer: &Layer, packing: Packing, packed: &mut (impl Read + Send)) -> io::Result<u64> {
    let mut packed = Hashed::new(packed.take(layer.size));
    let (held, size) = count(packing.undo(&mut packed, layer.size))?;
    // What comes after the last frame belongs to the file.
    io::copy(&mut packed, &mut io::sink())?;
    let digest = digest_of(&packed.digest());
    if held != layer.diff_id || layer.digest.as_ref().is_some_and(|told| *told != digest) {
        return Err(bad(format!("layer {} is not what its digest says", layer.diff_id)));
    }
    Ok(size)
}

/// The digest of all that is read, and how much that is.
fn count(reader: impl Read) -> io::Result<(String, u64)> {
    let mut hashed = Hashed::new(reader);
    let size = io::copy(&mut io::BufReader::with_capacity(CHUNK, &mut hashed), &mut io::sink())?;
    Ok((digest_of(&hashed.digest()), size))
}
