//! `imgbuild`: make an image as a Dockerfile says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use plugins::{Build, Reference};
use serde_json::json;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{DEFAULT_FANOUT, Interrupted, Manner};
use crate::images::hosts::image;
use crate::images::objects::{Recorded, Source};
use crate::images::registries::Registries;
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::size::size;

/// Names of what should be known to few.
const SECRETS: [&str; 6] = ["pass", "secret", "token", "credential", "apikey", "private"];

/// Build an image on a host, as a Dockerfile says
#[derive(Debug, Args)]
#[command(
    after_help = "The engine's BuildKit builds. What the Dockerfile builds upon (FROM, COPY --from) has to be on the host or in a
registry that the host trusts; it is pulled first, with the account of our registry. .dockerignore is honoured, and
files of the context belong to root in the image. A build that fails shows the last words of the step that failed.
Not there: RUN --mount=type=secret and type=ssh, and '# syntax=' with a program from the internet.
Build arguments stay readable in the image's history: they are no place for passwords.
Without --on the host is site attribute buildhost.

Examples:
  imgbuild ./solver -t 10.0.0.1:5000/apps/solver:2.1 --on h1 --push
  imgbuild . -f site/Dockerfile -t solver:test --on h1 --build-arg VERSION=2.1
  chdef -t site buildhost=h1"
)]
pub(crate) struct Imgbuild {
    /// The directory that the Dockerfile copies from
    #[arg(value_name = "CONTEXT")]
    context: PathBuf,
    /// The image
    #[arg(short, long, value_name = "IMAGE[:TAG]")]
    tag: String,
    /// The host that builds
    #[arg(long, value_name = "HOST")]
    on: Option<String>,
    /// A value for an ARG of the Dockerfile; without '=' that of the environment
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    arguments: Vec<String>,
    /// A label of the image
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// The Dockerfile, if it is not CONTEXT/Dockerfile
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Then push it
    #[arg(long)]
    push: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Imgbuild {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let format = self.shape.format();
        cx.tell_progress(format);
        let build = self.build()?;
        let registries = cx.registries()?;
        if self.push {
            cx.may_push(&registries, &build.image)?;
        }
        let host = self.host(cx)?;
        for name in build.arguments.keys().filter(|name| is_secret(name)) {
            cx.ui.warning(&format!("build argument {name} stays readable in the history of {}", build.image));
        }
        let ask = async |host: Node| self.make(cx, &registries, &host, &build).await;
        let manner = Manner { format, fanout: DEFAULT_FANOUT, interrupted: Interrupted::Leave };
        Ok(cx.each(vec![host], manner, ask).await.into())
    }
}

impl Imgbuild {
    fn build(&self) -> Result<Build, Failure> {
        if !self.context.is_dir() {
            return Err(Failure::refused(format!("{} is no directory to build from", self.context.display())));
        }
        let from_environment = |name: &str| {
            std::env::var(name)
                .map_err(|_| Failure::refused(format!("build argument {name} is not in the environment")))
        };
        let mut arguments = BTreeMap::new();
        for argument in &self.arguments {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => (argument.as_str(), from_environment(argument)?),
            };
            arguments.insert(name.to_owned(), value);
        }
        let mut labels = BTreeMap::new();
        for label in &self.labels {
            let (name, value) = label.split_once('=').unwrap_or((label, ""));
            labels.insert(name.to_owned(), value.to_owned());
        }
        let (context, dockerfile) = (self.context.clone(), self.file.clone());
        let image = image(&self.tag)?;
        if image.digest().is_some() {
            return Err(Failure::refused(format!("{image} has a digest, which a build would make; name a tag")));
        }
        Ok(Build { image, context, dockerfile, arguments, labels })
    }

    fn host(&self, cx: &Context) -> Result<Node, Failure> {
        let chosen = match &self.on {
            Some(host) => host.clone(),
            None => cx.tables()?.site("buildhost")?.ok_or_else(|| {
                Failure::refused("no host was named to build on")
                    .hint("name one with --on, or: chdef -t site buildhost=HOST")
            })?,
        };
        cx.host_of(cx.only_node(&chosen, "one of them builds")?)
    }

    async fn make(&self, cx: &Context, registries: &Registries, host: &Node, build: &Build) -> Result<Answer, Failure> {
        let name: &Reference = &build.image;
        let built = cx.backends()?.images_on(host)?.build(host, build).await?;
        let arrived = if self.push { Some(cx.push(registries, host, name).await?) } else { None };
        let recorded = Recorded {
            digest: arrived.as_ref().map(|arrived| arrived.digest.clone()),
            size: arrived.as_ref().and_then(|arrived| arrived.size),
            ..Recorded::new(name, Source::Build(host.name().to_owned()))
        };
        cx.make_known(&recorded, self.reason.clone())?;
        let digest = arrived.as_ref().map(|arrived| &arrived.digest);
        let line = match digest {
            Some(digest) => format!("built and pushed {name} {digest}, context {}", size(built.sent)),
            None => format!("built {name} {}, context {}", built.id, size(built.sent)),
        };
        let data = json!({ "image": name, "id": built.id, "digest": digest, "context": built.sent });
        Ok(Answer { data: Some(data), ..Answer::line(line) })
    }
}

fn is_secret(name: &str) -> bool {
    let plain: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    SECRETS.iter().any(|secret| plain.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        let check = |name: &str, expected: bool| assert_eq!(is_secret(name), expected, "{name}");
        check("DB_PASSWORD", true);
        check("API_KEY", true);
        check("NpmToken", true);
        check("VERSION", false);
        check("KEYBOARD", false);
    }
}
