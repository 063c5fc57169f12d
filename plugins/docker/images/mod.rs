//! Images on a host: what is there, and getting one there once per host however many nodes want it.

mod build;
mod commit;
mod list;
mod load;
mod meaning;
mod nearest;
mod parcels;
mod pull;
mod push;
mod remove;
mod save;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hyper::Method;
use serde_json::Value;
use tables::Node;
use tokio::sync::OnceCell;

use super::definition::Image;
use super::engine::Engine;
use super::{Docker, handle};
pub(super) use list::of_id;
pub(super) use nearest::{Firsts, Nearby};

use crate::archive::Archive;
use crate::{
    Build, Built, Commit, Committed, Digest, Error, HostImage, Loaded, Progress, Pull, Pulled, Pushed, Reference,
    Removed, Result,
};

/// The engine's name of an image, or why it could not be had.
type Brought = OnceCell<std::result::Result<String, Arc<Error>>>;

/// The images that this program has brought to a host, or failed to.
#[derive(Default)]
pub(super) struct Images {
    brought: Mutex<HashMap<Image, Arc<Brought>>>,
}

#[async_trait]
impl crate::Images for Docker {
    async fn list(&self, host: &Node) -> Result<Vec<HostImage>> {
        list::list(&*self.engines.of(host).await?).await
    }

    async fn inspect(&self, host: &Node, image: &Reference) -> Result<Option<HostImage>> {
        list::inspect(&*self.engines.of(host).await?, image).await
    }

    async fn have(&self, host: &Node, image: &Reference) -> Result<HostImage> {
        let engine = self.engines.of(host).await?;
        if let Some(found) = list::inspect(&engine, image).await? {
            return Ok(found);
        }
        let name = bring(&engine, &Image::Reference(image.clone()), &self.progress).await?;
        list::after_pull(&engine, &name).await
    }

    async fn pull(&self, host: &Node, pull: &Pull) -> Result<Pulled> {
        let engine = self.engines.of(host).await?;
        let before = list::inspect(&engine, &pull.image).await?;
        let fetched = nearest::pull(&engine, &pull.image, &self.progress).await?;
        let image = list::after_pull(&engine, &fetched.name.to_string()).await?;
        let changed = before.is_none_or(|before| before.id != image.id || before.digests != image.digests);
        Ok(Pulled { changed, from: fetched.from, image })
    }

    async fn meaning(&self, host: &Node, image: &Reference) -> Result<Digest> {
        meaning::meaning(&*self.engines.of(host).await?, image).await
    }

    async fn remove(&self, host: &Node, image: &Reference) -> Result<Removed> {
        remove::remove(&*self.engines.of(host).await?, image).await
    }

    async fn tag(&self, host: &Node, image: &Reference, name: &Reference) -> Result<()> {
        push::tag(&*self.engines.of(host).await?, image, name).await
    }

    async fn push(&self, host: &Node, image: &Reference) -> Result<Pushed> {
        push::push(&*self.engines.of(host).await?, image, &self.progress).await
    }

    async fn commit(&self, node: &Node, commit: &Commit) -> Result<Committed> {
        commit::commit(&*self.engine(node).await?, node.name(), commit, &self.progress).await
    }

    async fn load(&self, host: &Node, archive: &Arc<Archive>) -> Result<Loaded> {
        parcels::load(&*self.engines.of(host).await?, archive, &self.progress).await
    }

    async fn save(&self, host: &Node, image: &Reference, file: std::fs::File) -> Result<u64> {
        save::save(&*self.engines.of(host).await?, image, file, &self.progress).await
    }

    async fn build(&self, host: &Node, build: &Build) -> Result<Built> {
        build::build(&*self.engines.of(host).await?, build, &self.progress).await
    }
}

/// Makes sure that the host has the image and returns the name that the engine knows it by.
pub(super) async fn bring(engine: &Engine, image: &Image, progress: &Progress) -> Result<String> {
    let cell = {
        let mut brought = engine.images.brought.lock().unwrap_or_else(PoisonError::into_inner);
        brought.entry(image.clone()).or_default().clone()
    };
    let work = async || match image {
        Image::Reference(reference) => {
            let fetched = nearest::pull(engine, reference, progress).await;
            fetched.map(|fetched| fetched.name.to_string()).map_err(Arc::new)
        }
        Image::Archive(path) => load::load(engine, path, progress).await.map_err(Arc::new),
    };
    cell.get_or_init(work).await.clone().map_err(|error| error.again())
}

/// Makes sure that the host has the image, asking it first.
pub(super) async fn have(engine: &Engine, image: &Image, progress: &Progress) -> Result<()> {
    if let Image::Reference(reference) = image {
        let answer = engine.ask(Method::GET, &format!("/images/{}/json", handle::image(reference)), None).await?;
        if answer.is_ok() {
            return Ok(());
        }
    }
    bring(engine, image, progress).await.map(drop)
}

/// What the image sets in the environment of its containers; nothing if the host no longer has it.
pub(super) async fn environment(engine: &Engine, id: &str) -> Result<Vec<Value>> {
    let answer = engine.ask(Method::GET, &format!("/images/{id}/json"), None).await?;
    let found: Value = answer.ok().and_then(|answer| serde_json::from_slice(&answer.body).ok()).unwrap_or_default();
    Ok(found["Config"]["Env"].as_array().cloned().unwrap_or_default())
}
