//! Pulling from the nearest registry that has an image, and giving it the name that it was wanted by.
//!
//! A mirror brings the layers. Then the registry in the name is asked as ever, which costs a few kilobytes: it says what the
//! tag means now, and the engine knows the image by the names that it has everywhere. Only where that registry is not to be
//! had does the mirror's word stand.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tables::Node;
use tokio::sync::watch;

use bollard::query_parameters::TagImageOptionsBuilder;

use super::super::engine::Engine;
use super::{list, pull, remove};
use crate::registry::{Mirror, Near};
use crate::{Error, Event, Progress, Reference, RegistryFault, Result, chain};

/// Within this time a registry must say its first word, or the next one is asked. A mirror that has to ask others says it
/// later than a registry, and hosts share processors.
const PATIENCE: Duration = Duration::from_secs(15);

/// So long others wait for the first host; it may be a slow one.
const FIRST_LIMIT: Duration = Duration::from_secs(300);

/// The first pull of each image from each mirror by this program, until it is over.
pub(in crate::docker) type Firsts = Mutex<HashMap<Reference, watch::Receiver<()>>>;

/// What a host knows of registries.
pub(in crate::docker) struct Nearby {
    pub(super) near: Arc<Near>,
    /// Registries that were not reached.
    lost: Mutex<HashSet<String>>,
    firsts: Arc<Firsts>,
}

impl Nearby {
    /// What the definition of a host says.
    pub(in crate::docker) fn of(host: &Node, mirrors: &[Mirror], firsts: &Arc<Firsts>) -> Self {
        let words = host.get("dockerregistries").unwrap_or_default().split(',').map(str::trim);
        let registries = words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let near = Arc::new(Near { registries, mirrors: mirrors.to_vec() });
        Self { near, lost: Mutex::default(), firsts: firsts.clone() }
    }

    fn is_lost(&self, place: &str) -> bool {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).contains(place)
    }

    fn lose(&self, place: &str) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).insert(place.to_owned());
    }

    /// Does `work` once the first host that asked the same mirror for the same image has done its own. The server (its proxy
    /// store, `ServeBlob`) asks upstream anew for each client that wants a layer which is not stored yet.
    async fn after_the_first<T>(&self, source: &Reference, work: impl Future<Output = T>) -> T {
        let (mine, first) = {
            let mut firsts = self.firsts.lock().unwrap_or_else(PoisonError::into_inner);
            match firsts.get(source) {
                Some(first) => (None, Some(first.clone())),
                None => {
                    let (mine, others) = watch::channel(());
                    firsts.insert(source.clone(), others);
                    (Some(mine), None)
                }
            }
        };
        if let Some(mut first) = first {
            // Nothing is ever sent: it ends when the first one drops its side, however that came.
            tokio::time::timeout(FIRST_LIMIT, first.changed()).await.ok();
        }
        let done = work.await;
        drop(mine);
        done
    }
}

/// How an image came to a host.
pub(super) struct Fetched {
    /// As the engine knows it.
    pub(super) name: Reference,
    /// The registry that its layers are from; None for the public one.
    pub(super) from: Option<String>,
}

/// Pulls from the nearest registry that has it.
pub(super) async fn pull(engine: &Engine, image: &Reference, progress: &Progress) -> Result<Fetched> {
    let nearby = &engine.nearby;
    let sources = nearby.near.sources(image);
    for source in sources.iter().take(sources.len() - 1) {
        let place = source.registry().unwrap_or_default();
        if nearby.is_lost(place) {
            continue;
        }
        let had = list::inspect(engine, source).await?.is_some();
        match nearby.after_the_first(source, pull::pull(engine, source, PATIENCE, progress)).await {
            Ok(()) => return adopt(engine, image, source, had, progress).await,
            Err(error @ Error::Full { .. }) => return Err(error),
            Err(error) => pass_over(engine, place, &error, progress)?,
        }
    }
    pull::pull(engine, image, engine.transfer_limit, progress).await?;
    Ok(Fetched { name: image.clone(), from: image.registry().map(str::to_owned) })
}

/// Says why a registry was of no use; one that cannot be reached is not asked again by this program.
fn pass_over(engine: &Engine, place: &str, error: &Error, progress: &Progress) -> Result<()> {
    engine.check_alive()?;
    if is_away(error) {
        engine.nearby.lose(place);
    }
    note(engine, &format!("registry {place} is passed over: {}", chain(error)), progress);
    Ok(())
}

/// The name that was wanted, for what a mirror has brought.
async fn adopt(
    engine: &Engine,
    image: &Reference,
    source: &Reference,
    had: bool,
    progress: &Progress,
) -> Result<Fetched> {
    let from = source.registry().map(str::to_owned);
    let name = match pull::pull(engine, image, PATIENCE, progress).await {
        Ok(()) => {
            if !had {
                remove::remove(engine, source).await?;
            }
            image.clone()
        }
        Err(error) if is_away(&error) || is_shut(&error) => {
            engine.check_alive()?;
            let place = from.as_deref().unwrap_or_default();
            note(engine, &format!("taken as {place} has it: {}", chain(&error)), progress);
            named(engine, source, image).await?
        }
        Err(error) => return Err(error),
    };
    Ok(Fetched { name, from })
}

/// Names what is known by the mirror's name. An engine takes a digest only from the registry itself; a tag is made of it.
async fn named(engine: &Engine, source: &Reference, image: &Reference) -> Result<Reference> {
    let tag = match (image.tag(), image.digest()) {
        (None, Some(digest)) => digest.as_str().replace(':', "-"),
        _ => image.tag_or_latest().to_owned(),
    };
    let bad = |why: String| Error::Garbled { what: image.to_string(), why };
    let name = image.tagged(&tag).map_err(bad)?;
    let options = TagImageOptionsBuilder::default().repo(&name.name()).tag(&tag).build();
    let source = source.to_string();
    let tagged = engine.call(engine.request_limit, engine.docker.tag_image(&source, Some(options))).await?;
    tagged.map_err(|no| no.into_error(&engine.host, &format!("name image {name}")))?;
    Ok(name)
}

/// Whether the registry was not reached.
fn is_away(error: &Error) -> bool {
    match error {
        Error::TimedOut { .. } | Error::Unreachable { .. } => true,
        Error::Refused { why, .. } => why.contains(pull::AWAY),
        _ => false,
    }
}

/// Whether it was reached and does not serve this host.
fn is_shut(error: &Error) -> bool {
    use RegistryFault::{Expired, NoAccount, Shut, Untrusted};
    matches!(error, Error::Registry { fault: Untrusted { .. } | Expired | Shut { .. } | NoAccount, .. })
}

fn note(engine: &Engine, text: &str, progress: &Progress) {
    progress.tell(Event::Note { host: engine.host.clone(), text: text.to_owned() });
}
