//! Writing an image of a registry as an archive, as `docker save` would.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Client;
use super::content::Layer;
use crate::{Digest, Error, Event, Progress, Reference, Result, hex};

/// No piece of a layer takes longer.
const IDLE: Duration = Duration::from_secs(60);
const BLOCK: u64 = 512;
/// A tar ends with two empty blocks.
const END: [u8; 2 * BLOCK as usize] = [0; 2 * BLOCK as usize];

/// An archive that is being written, and how far it has come.
struct Writing<'a> {
    file: File,
    image: &'a Reference,
    progress: &'a Progress,
    done: u64,
    total: u64,
}

impl Client {
    /// Writes the image within `limit`; the engines' name of it. Layers stay packed as they are, which engines take.
    pub async fn save(&self, image: &Reference, file: File, limit: Duration, progress: &Progress) -> Result<Digest> {
        let saved = tokio::time::timeout(limit, self.written_to(image, file, progress)).await;
        progress.tell(Event::Done { host: self.place().to_owned(), what: doing(image) });
        saved.map_err(|_| Error::TimedOut { what: self.place().to_owned(), after: limit })?
    }

    async fn written_to(&self, image: &Reference, file: File, progress: &Progress) -> Result<Digest> {
        let unknown = || self.garbled(format!("it has no image {image}"));
        let manifest = self.manifest(image.repository(), image.suffix()).await?.ok_or_else(unknown)?;
        let config = manifest.config.ok_or_else(|| self.garbled(format!("{image} is no image of a container")))?;
        let path = format!("/v2/{}/blobs/{config}", image.repository());
        let answer = self.ask(Method::GET, &path, &[]).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refused(answer.status, &format!("read {config}")));
        }
        if Digest::of(&answer.body) != config {
            return Err(self.garbled(format!("{config} is not what its digest says")));
        }
        let name =
            |digest: &Digest, ending: &str| format!("{}.{ending}", digest.as_str().trim_start_matches("sha256:"));
        let layers: Vec<String> = manifest.layers.iter().map(|layer| name(&layer.digest, "tar")).collect();
        let tags = [image.tagged(image.tag_or_latest()).map_err(|why| self.garbled(why))?];
        let text = json!([{ "Config": name(&config, "json"), "RepoTags": tags, "Layers": layers }]).to_string();
        let mut writing = Writing { file, image, progress, done: 0, total: manifest.size };
        writing.text("manifest.json", text.as_bytes())?;
        writing.text(&name(&config, "json"), &answer.body)?;
        let mut written: Vec<&Digest> = Vec::new();
        for layer in &manifest.layers {
            // An image may have the same layer twice; a file has it once.
            if !written.contains(&&layer.digest) {
                self.layer(&mut writing, layer, &name(&layer.digest, "tar")).await?;
                written.push(&layer.digest);
            }
        }
        writing.write(&END)?;
        Ok(config)
    }

    async fn layer(&self, writing: &mut Writing<'_>, layer: &Layer, name: &str) -> Result<()> {
        let path = format!("/v2/{}/blobs/{}", writing.image.repository(), layer.digest);
        let late = || Error::TimedOut { what: self.place().to_owned(), after: IDLE };
        let nothing = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
        let begun = tokio::time::timeout(IDLE, self.begin(Method::GET, &path, &[], nothing)).await;
        let answer = begun.map_err(|_| late())??;
        if answer.status() != StatusCode::OK {
            return Err(self.refused(answer.status(), &format!("read {}", layer.digest)));
        }
        writing.header(name, layer.size)?;
        let (mut body, mut hasher, mut count) = (answer.into_body(), Sha256::new(), 0);
        while let Some(frame) = tokio::time::timeout(IDLE, body.frame()).await.map_err(|_| late())? {
            let frame =
                frame.map_err(|error| Error::Unreachable { what: self.place().to_owned(), source: error.into() })?;
            let Ok(piece) = frame.into_data() else { continue };
            count += piece.len() as u64;
            if count > layer.size {
                break;
            }
            hasher.update(&piece);
            writing.write(&piece)?;
            writing.tell(self.place(), piece.len() as u64);
        }
        if count != layer.size || layer.digest.as_str() != format!("sha256:{}", hex(&hasher.finalize())) {
            return Err(self.garbled(format!("layer {} is not what its digest says", layer.digest)));
        }
        writing.pad(layer.size)
    }
}

impl Writing<'_> {
    fn text(&mut self, name: &str, text: &[u8]) -> Result<()> {
        self.header(name, text.len() as u64)?;
        self.write(text)?;
        self.pad(text.len() as u64)
    }

    fn header(&mut self, name: &str, size: u64) -> Result<()> {
        self.write(crate::archive::header(name, size).as_bytes())
    }

    fn pad(&mut self, size: u64) -> Result<()> {
        let padding = size.next_multiple_of(BLOCK) - size;
        self.write(&END[..usize::try_from(padding).unwrap_or_default()])
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::File { doing: "write", path: format!("the archive of {}", self.image), source }
    }

    fn tell(&mut self, place: &str, bytes: u64) {
        self.done += bytes;
        let (host, what) = (place.to_owned(), doing(self.image));
        self.progress.tell(Event::Bytes { host, what, done: self.done, total: self.total });
    }
}

fn doing(image: &Reference) -> String {
    format!("save image {image}")
}
