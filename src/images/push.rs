//! Pushing from a host: which registry an image may go to, and whether it has arrived.

use plugins::{Digest, Reference, registry};
use tables::Node;

use super::registries::{Ours, Registries};
use crate::context::Context;
use crate::failure::Failure;
use crate::size::size;

/// An image that a registry has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) digest: Digest,
    /// Bytes in the registry; of others' registries that is not known.
    pub(crate) size: Option<u64>,
}

impl Context {
    /// Refuses an image whose name leads to no registry that we may push to.
    pub(crate) fn may_push(&self, registries: &Registries, image: &Reference) -> Result<(), Failure> {
        let has_account =
            |place: &str| Ok::<_, Failure>(self.settings()?.logins.iter().any(|login| login.registry == place));
        let first = registries.iter().next().map(|registry| registry.client.place().to_owned());
        let propose = |failure: Failure| match &first {
            Some(place) => match image.in_registry(place) {
                Ok(better) => failure.hint(format!("call it {}", better.complete())),
                Err(_) => failure,
            },
            None => failure.hint("there is no registry yet; make one with: mkregistry NODE"),
        };
        match image.registry() {
            _ if image.digest().is_some() => {
                Err(Failure::refused(format!("{image} has a digest, which a push would make; name a tag")))
            }
            None => Err(propose(Failure::refused(format!("the name {image} begins with no registry to push it to")))),
            Some(_) if registries.of(image).is_some() => Ok(()),
            Some(place) if has_account(place)? => Ok(()),
            Some(place) => Err(propose(Failure::refused(format!(
                "{place} is none of our registries, and table passwd has no account for it"
            )))),
        }
    }

    /// Pushes what `host` has, and asks the registry whether it has just that.
    pub(crate) async fn push(
        &self,
        registries: &Registries,
        host: &Node,
        image: &Reference,
    ) -> Result<Arrived, Failure> {
        let pushed = match self.backends()?.images_on(host)?.push(host, image).await {
            Ok(pushed) => pushed,
            Err(error) => return Err(self.explained(registries, image, error).await),
        };
        let Some(registry) = registries.of(image) else { return Ok(Arrived { digest: pushed.digest, size: None }) };
        let again = "push again; the registry takes only what it lacks";
        let found = registry.client.manifest(image.repository(), image.tag_or_latest()).await;
        let found = found.map_err(|error| {
            let failure = Failure::from(error);
            Failure {
                message: format!("pushed, and then the registry did not tell so: {}", failure.message),
                ..failure
            }
            .hint(again)
        })?;
        match found {
            Some(manifest) if manifest.digest == pushed.digest => {
                Ok(Arrived { digest: manifest.digest, size: Some(manifest.size) })
            }
            found => {
                let has = found.map_or_else(|| "nothing".to_owned(), |manifest| manifest.digest.to_string());
                let why = format!("{} pushed {} as {image}, and the registry has {has}", host.name(), pushed.digest);
                Err(Failure::refused(why).hint(again))
            }
        }
    }

    /// Adds that the registry's disk is full: to clients it says only that something went wrong.
    async fn explained(&self, registries: &Registries, image: &Reference, error: plugins::Error) -> Failure {
        let is_unclear = matches!(error, plugins::Error::Refused { .. });
        let failure = Failure::from(error);
        let Some(Ours { config, node, .. }) = registries.of(image).filter(|_| is_unclear) else { return failure };
        let look = async { Ok::<_, Failure>(registry::state(&self.backends()?.host(node).await?, config).await?) };
        match look.await {
            Ok(state) if state.is_nearly_full() => failure.hint(format!(
                "the disk of registry {name} is full, {} are left on {node}; make room with: rmimage, then mkregistry {node} \
                 --name {name} --gc; and push again",
                size(state.free),
                name = config.name,
                node = node.name(),
            )),
            // That the node does not tell is no reason to hide what the push said.
            _ => failure,
        }
    }
}
