//! Whether a module keeps to the contract: what it says of itself, what it proposes, and that looking changes nothing.

use serde_json::{Map, Value};

use super::config::{self, Config};
use super::contract::{Metadata, Proposal};
use super::manifest::Method;
use super::plan;
use super::run::Call;
use super::site::Site;
use super::{Module, WHOLE, schema};
use crate::context::Context;
use crate::failure::Failure;

/// What was looked at, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) what: &'static str,
    pub(crate) fault: Option<String>,
}

/// Asks a module all that can be asked without changing anything.
pub(crate) async fn check(cx: &Context, site: &Site, module: &Module) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict {
        what: "metadata says the labels of module.toml",
        fault: metadata(cx, site, module).await.unwrap_or_else(|failure| Some(failure.message)),
    }];
    let proposed = proposed(cx, site, module).await;
    verdicts.push(Verdict {
        what: "init proposes a config that the module takes",
        fault: match &proposed {
            Ok(text) => schema::check(&module.manifest.config, text).first().map(ToString::to_string),
            Err(failure) => Some(failure.message.clone()),
        },
    });
    verdicts.push(Verdict {
        what: "plan changes nothing: the second says what the first did",
        fault: planned_twice(cx, site, module).await.unwrap_or_else(|failure| Some(failure.message)),
    });
    verdicts
}

async fn metadata(cx: &Context, site: &Site, module: &Module) -> Result<Option<String>, Failure> {
    let said: Metadata = ask(cx, site, module, Method::Metadata).await?;
    let labels = &module.manifest.labels;
    let wrong = said.labels.iter().find(|(key, value)| labels.get(*key) != Some(value));
    Ok(wrong.map(|(key, value)| format!("it says {key}={value}, and module.toml does not")))
}

async fn proposed(cx: &Context, site: &Site, module: &Module) -> Result<String, Failure> {
    let said: Proposal = ask(cx, site, module, Method::Init).await?;
    config::written(&module.manifest.config, &said.config).map_err(Failure::refused)
}

async fn ask<T: serde::de::DeserializeOwned>(
    cx: &Context,
    site: &Site,
    module: &Module,
    method: Method,
) -> Result<T, Failure> {
    let ready = site.ready(cx, module, Map::<String, Value>::new())?;
    let request = ready.request(method, WHOLE, &[]);
    let call = Call { module, method, request: &request, secrets: &ready.secrets };
    Ok(call.carry_out::<T>(cx, None).await?.result)
}

async fn planned_twice(cx: &Context, site: &Site, module: &Module) -> Result<Option<String>, Failure> {
    Config::read(&site.home, module)?.values(module)?;
    let (first, second) = (plan::part(cx, site, module).await?, plan::part(cx, site, module).await?);
    Ok((first != second).then(|| "the two plans differ".to_owned()))
}
