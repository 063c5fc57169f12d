//! Pushing an image to its registry, and giving it the name under which it goes there.

use bollard::auth::DockerCredentials;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{PushImageOptionsBuilder, TagImageOptionsBuilder};
use futures_util::StreamExt;

use super::super::engine::{Engine, Refusal};
use super::super::handle;
use super::pull::{account, credentials, fault, follow};
use crate::{Digest, Error, Progress, Pushed, Reference, Result};

/// Gives an image one more name.
pub(super) async fn tag(engine: &Engine, image: &Reference, name: &Reference) -> Result<()> {
    let options = TagImageOptionsBuilder::default().repo(&name.name()).tag(name.tag_or_latest()).build();
    let image = handle::image(image);
    let asked = engine.docker.tag_image(&image, Some(options));
    let answer = engine.call(engine.request_limit, asked).await?;
    answer.map_err(|no| absent_or(no, engine, &format!("name {image} {name}"), &image))
}

/// Pushes, as whoever we are to the registry. The engine sends no layer that the registry has.
pub(super) async fn push(engine: &Engine, image: &Reference, progress: &Progress) -> Result<Pushed> {
    let doing = format!("push image {image}");
    let account = account(engine, image);
    let options = PushImageOptionsBuilder::default().tag(image.tag_or_latest()).build();
    let docker = engine.docker.clone().with_timeout(engine.transfer_limit);
    let name = image.name();
    let sent = account.map_or_else(DockerCredentials::default, credentials);
    let steps = docker.push_image(&name, Some(options), Some(sent)).map(|step| {
        step.map(|step| CreateImageInfo {
            // The engine tells no layer here, and one is as good as another for what is shown.
            id: step.progress_detail.as_ref().map(|_| String::new()),
            status: step.status,
            progress_detail: step.progress_detail,
            error_detail: step.error_detail,
        })
    });
    match follow(engine, &doing, Box::pin(steps), progress).await? {
        Ok(said) => digest(&said)
            .map(|digest| Pushed { digest })
            .ok_or_else(|| Error::Garbled { what: engine.host.clone(), why: format!("answer to a push: '{said}'") }),
        Err(no) => {
            let registry = image.registry().unwrap_or_default();
            Err(match fault(&no.message, registry, account) {
                Some(fault) => Error::Registry { host: engine.host.clone(), doing, registry: registry.into(), fault },
                None => {
                    absent_or(Refusal { message: explained(&no.message), ..no }, engine, &doing, &image.to_string())
                }
            })
        }
    }
}

/// What the engine says at the end: `1.0: digest: sha256:… size: 1234`.
fn digest(said: &str) -> Option<Digest> {
    let (_, rest) = said.split_once("digest: ")?;
    rest.split_whitespace().next()?.parse().ok()
}

fn absent_or(no: Refusal, engine: &Engine, doing: &str, image: &str) -> Error {
    let is_absent = no.status == 404 || no.message.contains("does not exist locally");
    if !is_absent {
        return no.into_error(&engine.host, doing);
    }
    let what = format!("{}: cannot {doing}", engine.host);
    Error::Refused { what, why: format!("the host has no image {image}; lsimage {} tells what it has", engine.host) }
}

/// The engine's words for a push that failed, after ours.
fn explained(message: &str) -> String {
    let lower = message.to_ascii_lowercase();
    let any = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    if any(&["dial tcp", "connection refused", "i/o timeout", "connection reset", "unexpected eof", ": eof"]) {
        return format!("the registry cannot be reached or broke off; what it has is whole, so push again ({message})");
    }
    if any(&["405 method not allowed", "read-only", "unsupported: the operation is unsupported"]) {
        return format!("the registry takes no images, as while it collects garbage; push again then ({message})");
    }
    if any(&["500 internal server error", "no space left", "unknown: unknown error"]) {
        return format!(
            "the registry cannot store it; see its disk with lsregistry --check, free it with rmimage ({message})"
        );
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_stands_in_the_last_words() {
        let hex = "a".repeat(64);
        assert_eq!(digest(&format!("1: digest: sha256:{hex} size: 527")).unwrap().to_string(), format!("sha256:{hex}"));
        assert_eq!(digest("Pushed"), None);
        assert_eq!(digest("1: digest: sha256:zz size: 1"), None);
    }

    #[test]
    fn a_failed_push_says_what_to_look_at() {
        let check = |message: &str, expected: &str| assert!(explained(message).contains(expected), "{message}");
        check("Put https://r/v2/: dial tcp 10.0.0.1:5000: connect: connection refused", "push again");
        check("received unexpected HTTP status: 500 Internal Server Error", "its disk");
        check("error parsing HTTP 405 response: received unexpected HTTP status: 405 Method Not Allowed", "garbage");
        check("something else", "something else");
    }
}
