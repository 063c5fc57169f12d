//! Pulling an image from its registry, and what an engine's words mean when that fails.

use std::collections::HashMap;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::errors::Error as Failure;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::{Stream, StreamExt};

use super::super::engine::{Engine, Refusal};
use crate::registry::Account;
use crate::{Error, Event, Progress, Reference, RegistryFault, Result};

/// A registry that does not answer, in our words.
pub(super) const AWAY: &str = "the host does not have it and its registry cannot be reached";

/// Pulls from the registry that the name says, as whoever we are to it; the first word from there must come within `patience`.
pub(super) async fn pull(
    engine: &Engine,
    reference: &Reference,
    patience: Duration,
    progress: &Progress,
) -> Result<()> {
    let doing = format!("pull image {reference}");
    let options = CreateImageOptionsBuilder::default().from_image(&reference.name()).tag(reference.suffix()).build();
    let docker = engine.docker.clone().with_timeout(engine.transfer_limit);
    let mut steps = docker.create_image(Some(options), None, account(engine, reference).map(credentials));
    // The engine itself waits half a minute for a machine that is gone, more than once.
    let first = tokio::time::timeout(patience, steps.next()).await;
    let timed_out = |_| Error::TimedOut { what: format!("{}: {doing}", engine.host), after: patience };
    let steps = futures_util::stream::iter(first.map_err(timed_out)?).chain(steps);
    let outcome = follow(engine, &doing, steps, progress).await?;
    outcome.map(drop).map_err(|no| failed(engine, reference, doing, &no))
}

/// Who we are to the registry of an image.
pub(super) fn account<'e>(engine: &'e Engine, reference: &Reference) -> Option<&'e Account> {
    let login = engine.logins.iter().find(|login| Some(&*login.registry) == reference.registry());
    login.map(|login| &login.account)
}

/// Why the engine and the registry of an image did not come together.
pub(super) fn failed(engine: &Engine, reference: &Reference, doing: String, no: &Refusal) -> Error {
    let host = engine.host.clone();
    if no.message.contains("no space left on device") {
        return Error::Full { host, doing };
    }
    let found = |registry| Some((registry, fault(&no.message, registry, account(engine, reference))?));
    match reference.registry().and_then(found) {
        Some((registry, fault)) => Error::Registry { host, doing, registry: registry.into(), fault },
        None => Error::Refused { what: format!("{host}: cannot {doing}"), why: explained(&no.message) },
    }
}

pub(super) fn credentials(account: &Account) -> DockerCredentials {
    DockerCredentials {
        username: Some(account.user.clone()),
        password: Some(account.password.reveal().to_owned()),
        ..DockerCredentials::default()
    }
}

/// What is wrong between the host and the registry, if that is what the engine's words mean.
pub(super) fn fault(message: &str, registry: &str, account: Option<&Account>) -> Option<RegistryFault> {
    let lower = message.to_ascii_lowercase();
    if lower.contains("certificate has expired") {
        return Some(RegistryFault::Expired);
    }
    if lower.contains("certificate signed by unknown authority") {
        return Some(RegistryFault::Untrusted { missing: format!("/etc/docker/certs.d/{registry}/ca.crt") });
    }
    if lower.contains("no basic auth credentials") || lower.contains("unauthorized") {
        return Some(match account {
            Some(account) => RegistryFault::Shut { user: account.user.clone() },
            None => RegistryFault::NoAccount,
        });
    }
    if ["manifest unknown", "name unknown", "repository name not known"].iter().any(|sign| lower.contains(sign)) {
        return Some(RegistryFault::Unknown);
    }
    None
}

/// The engine's words for a pull that failed, after ours.
fn explained(message: &str) -> String {
    let lower = message.to_ascii_lowercase();
    let any = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    if any(&[
        "no such host",
        "dial tcp",
        "connection refused",
        "i/o timeout",
        "network is unreachable",
        "client.timeout",
    ]) {
        return format!("{AWAY} ({message})");
    }
    if any(&["manifest unknown", "manifest for", "access denied", "not found", "does not exist"]) {
        return format!("neither the host nor the registry has it ({message})");
    }
    message.to_owned()
}

/// Reads the engine's progress to its end; the last text that it said is returned.
pub(super) async fn follow(
    engine: &Engine,
    doing: &str,
    mut steps: impl Stream<Item = std::result::Result<CreateImageInfo, Failure>> + Unpin,
    progress: &Progress,
) -> Result<std::result::Result<String, Refusal>> {
    let mut layers: HashMap<String, (u64, u64)> = HashMap::new();
    let mut said = String::new();
    let read = async {
        while let Some(step) = steps.next().await {
            let step = step?;
            if let Some(detail) = step.error_detail {
                return Err(Failure::DockerStreamError { error: detail.message.unwrap_or_default() });
            }
            let bytes = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
            if let (Some(layer), Some(detail), Some("Downloading" | "Pushing")) =
                (step.id, step.progress_detail, step.status.as_deref())
            {
                layers.insert(layer, (bytes(detail.current), bytes(detail.total)));
                let (done, total) = layers.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
                progress.tell(Event::Bytes { host: engine.host.clone(), what: doing.to_owned(), done, total });
            }
            said = step.status.unwrap_or(said.clone());
        }
        Ok(())
    };
    let outcome = engine.call(engine.transfer_limit, read).await;
    progress.tell(Event::Done { host: engine.host.clone(), what: doing.to_owned() });
    Ok(outcome?.map(|()| said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_registry() {
        let account = Account { user: "ada".into(), password: crate::Secret::new("x") };
        let check = |message: &str, account: Option<&Account>, expected: Option<RegistryFault>| {
            assert_eq!(fault(message, "r:5000", account), expected, "{message}");
        };
        let missing = "/etc/docker/certs.d/r:5000/ca.crt".to_owned();
        let unknown = r#"Get "https://r:5000/v2/": x509: certificate signed by unknown authority"#;
        check(unknown, None, Some(RegistryFault::Untrusted { missing }));
        let expired = "x509: certificate has expired or is not yet valid: current time 2026 is after 2025";
        check(expired, None, Some(RegistryFault::Expired));
        check("no basic auth credentials", None, Some(RegistryFault::NoAccount));
        let shut = "unauthorized: authentication required";
        check(shut, Some(&account), Some(RegistryFault::Shut { user: "ada".into() }));
        check("manifest for r:5000/a:1 not found: manifest unknown", Some(&account), Some(RegistryFault::Unknown));
        check("connection refused", Some(&account), None);
    }

    #[test]
    fn a_failed_pull_says_what_to_look_at() {
        let check = |message: &str, expected: &str| assert!(explained(message).contains(expected), "{message}");
        check(r#"Get "https://r/v2/": dial tcp: lookup r on 10.0.0.1:53: no such host"#, "registry cannot be reached");
        check("manifest for r/a:1 not found: manifest unknown: manifest unknown", "neither the host nor the registry");
        check("no space left on device", "no space left");
    }
}
