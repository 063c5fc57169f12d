//! `xcrane bundle`: what a site without the internet needs, as one signed file.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Run;
use crate::bundles::export::{self, Planned};
use crate::bundles::held::{self, Held};
use crate::bundles::import::{How, import, verify};
use crate::bundles::list::{Kind, List};
use crate::bundles::parts::refuse_other;
use crate::bundles::signature::Trust;
use crate::bundles::wanted::Choice;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::size::size;
use crate::ui::Format;

/// Carry modules, images, packages and files to a site without the internet
#[derive(Debug, Args)]
#[command(
    after_help = "A bundle is a signed tar: the chosen modules with those that they require, the images and files that these require, the
images that their containers run as, packages with all that they need (worked out by apt for the other system, as if nothing were
installed there), diskless images, this program and the tables. Passwords stay here unless --passwords is said. What was fetched
stays beside FILE until the bundle is whole, so that the same command goes on after a break.

import reads the bundle to its end before it writes anything. Images go into the site's registry, packages into
$XCRANE_HOME/packages/OS ('deb [trusted=yes] … ./', or pkgdir of an osimage), files into $XCRANE_HOME/files/MODULE, modules into
$XCRANE_HOME/modules. The program and the tables are put aside, and count only when they are installed, or restored by
restorexCATdb -p $XCRANE_HOME/bundles/tables, which replaces those that are here. What the site has then stands in
$XCRANE_HOME/bundles/have.json, which export --have reads.

A site signs with $XCRANE_HOME/bundles/key.pk8, made with its first bundle. The first bundle that a site imports tells it a key to
trust, which is shown; with --key it must be that one.

Examples:
  xcrane bundle plan etcd --osimage compute
  xcrane bundle export site.bundle etcd --osimage compute --packages debian12=chrony,rsyslog
  xcrane bundle verify site.bundle --key ed25519:…
  xcrane bundle import site.bundle
  xcrane bundle export more.bundle etcd --have have.json"
)]
pub(crate) struct Bundle {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tell what a bundle would have, and how large that is; nothing but lists is fetched
    Plan {
        #[command(flatten)]
        chosen: Chosen,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Write a bundle
    Export {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Write over a file that is there
        #[arg(short, long)]
        force: bool,
        #[command(flatten)]
        chosen: Chosen,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Take what is in a bundle and is not here
    Import {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The key that it must be signed by, ed25519:…, or a file with it
        #[arg(long, value_name = "KEY|FILE")]
        key: Option<String>,
        /// Push images into this registry; default is the only one
        #[arg(long, value_name = "NAME")]
        registry: Option<String>,
        /// Replace modules and diskless images that differ
        #[arg(short, long)]
        force: bool,
        /// Why, for the journal
        #[arg(short = 'm', long, value_name = "TEXT")]
        reason: Option<String>,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Read a bundle to its end, and tell what is in it and who has signed it
    Verify {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The key that it must be signed by, ed25519:…, or a file with it
        #[arg(long, value_name = "KEY|FILE")]
        key: Option<String>,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// What is to be in a bundle.
#[derive(Debug, Args)]
struct Chosen {
    /// Modules; those that they require come along
    #[arg(value_name = "MODULE")]
    modules: Vec<String>,
    /// A container image; may be repeated
    #[arg(long = "image", value_name = "IMAGE")]
    images: Vec<String>,
    /// A diskless image, or the packages for it where it was never packed; may be repeated
    #[arg(long = "osimage", value_name = "OSIMAGE")]
    osimages: Vec<String>,
    /// Packages for an operating system; may be repeated
    #[arg(long, value_name = "OS=NAME,…")]
    packages: Vec<String>,
    /// Where packages come from: a URL, a directory or a line of apt; default is the distribution's mirror; may be repeated
    #[arg(long, value_name = "OS=PLACE")]
    packages_from: Vec<String>,
    /// Also what packages only recommend
    #[arg(long)]
    recommends: bool,
    /// An archive with images that no registry has; may be repeated
    #[arg(long = "archive", value_name = "FILE")]
    archives: Vec<PathBuf>,
    /// The host that has images that no registry has
    #[arg(long = "from", value_name = "HOST")]
    host: Option<String>,
    /// Leave out what the other site has: its have.json, or a bundle that it has imported
    #[arg(long, value_name = "FILE")]
    have: Option<PathBuf>,
    /// Leave this program out
    #[arg(long)]
    no_program: bool,
    /// Leave the tables out
    #[arg(long, conflicts_with = "passwords")]
    no_tables: bool,
    /// Tables with their passwords: the bundle is then a secret
    #[arg(long)]
    passwords: bool,
}

impl Run for Bundle {
    fn is_audited(&self) -> bool {
        matches!(self.verb, Verb::Import { .. })
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        match self.verb {
            Verb::Plan { chosen, json } => plan(cx, chosen, shape(cx, json)).await,
            Verb::Export { file, force, chosen, json } => {
                if !force {
                    refuse_other(&file)?;
                }
                write(cx, &file, chosen, shape(cx, json)).await
            }
            Verb::Verify { file, key, json } => judge(cx, &file, key.as_deref(), shape(cx, json)).await,
            Verb::Import { file, key, registry, force, reason, json } => {
                take(cx, &file, &How { key, registry, force, reason }, shape(cx, json)).await
            }
        }
    }
}

fn shape(cx: &Context, json: bool) -> Format {
    let format = if json { Format::Json } else { Format::Lines };
    cx.tell_progress(format);
    format
}

impl Chosen {
    fn choice(self) -> Result<(Choice, Held), Failure> {
        let held = self.have.as_deref().map(Held::read).transpose()?.unwrap_or_default();
        let choice = Choice {
            modules: self.modules,
            images: self.images,
            osimages: self.osimages,
            packages: self.packages,
            sources: self.packages_from,
            archives: self.archives,
            host: self.host,
            recommends: self.recommends,
            program: !self.no_program,
            tables: !self.no_tables,
            passwords: self.passwords,
        };
        Ok((choice, held))
    }
}

fn say(cx: &Context, format: Format, what: &str, line: String, data: Value) {
    let body = Body::Answer(Answer { data: Some(data), ..Answer::line(line) });
    cx.ui.reply(format, Reply { node: Some(what.to_owned()), body });
}

async fn plan(cx: &Context, chosen: Chosen, format: Format) -> Result<Outcome, Failure> {
    let (choice, held) = chosen.choice()?;
    let planned = export::plan(cx, &choice, &held).await?;
    for Planned { what, size: bytes, had } in &planned {
        let line = match (bytes, had) {
            // Of what has to be made or fetched first nobody knows.
            (None, _) => "?".to_owned(),
            (Some(bytes), 0) => size(*bytes),
            (Some(bytes), had) => format!("{}, of which {} are there", size(*bytes), size(*had)),
        };
        say(cx, format, what, line, json!({ "size": bytes, "had": had }));
    }
    let total: u64 = planned.iter().filter_map(|item| Some(item.size?.saturating_sub(item.had))).sum();
    say(cx, format, "together", format!("{} at least", size(total)), json!({ "size": total }));
    Ok(Outcome::Done)
}

async fn write(cx: &Context, file: &Path, chosen: Chosen, format: Format) -> Result<Outcome, Failure> {
    let (choice, held) = chosen.choice()?;
    let exported = export::export(cx, &choice, &held, file).await?;
    let line = format!("exported, {}: {}", size(exported.size), content(&exported.list));
    let data = json!({ "size": exported.size, "key": exported.key, "content": counts(&exported.list) });
    say(cx, format, &file.display().to_string(), line, data);
    cx.ui.note(&format!("signed by {}", exported.key));
    Ok(Outcome::Done)
}

async fn judge(cx: &Context, file: &Path, key: Option<&str>, format: Format) -> Result<Outcome, Failure> {
    let (opened, trust) = verify(cx, file, key).await?;
    let list = &opened.list;
    let line = format!("whole, made {} on {}: {}", list.created, list.by.escape_debug(), content(list));
    let data =
        json!({ "key": opened.key, "known": trust == Trust::Known, "created": list.created, "content": counts(list) });
    say(cx, format, &file.display().to_string(), line, data);
    tell_key(cx, &opened.key, &trust, "import would trust it from then on");
    Ok(Outcome::Done)
}

async fn take(cx: &Context, file: &Path, how: &How, format: Format) -> Result<Outcome, Failure> {
    let (opened, trust) = verify(cx, file, how.key.as_deref()).await?;
    tell_key(cx, &opened.key, &trust, "it is trusted from now on; compare it with what the other site shows");
    import(cx, &opened, how, &|what, line| {
        let data = json!({ "result": line });
        say(cx, format, what, line, data);
    })
    .await?;
    cx.ui.note(&format!("what this site has stands in {}", held::file(&crate::config::home()?).display()));
    Ok(Outcome::Done)
}

fn tell_key(cx: &Context, key: &str, trust: &Trust, first: &str) {
    match trust {
        Trust::Known => cx.ui.note(&format!("signed by {key}")),
        Trust::First => cx.ui.note(&format!("signed by {key}, the first key that this site sees; {first}")),
    }
}

/// How many there are of each kind.
fn counts(list: &List) -> Value {
    let count =
        |is: fn(&Kind<'_>) -> bool| list.members.iter().filter(|member| member.kind().as_ref().is_some_and(is)).count();
    json!({
        "modules": list.modules().len(),
        "images": list.images.len(),
        "packages": list.packages.len(),
        "files": list.files.len(),
        "osimages": count(|kind| matches!(kind, Kind::Osimage(_))),
        "program": count(|kind| matches!(kind, Kind::Program)),
        "tables": count(|kind| matches!(kind, Kind::Table(_))),
        "left out": list.members.iter().filter(|member| member.left_out).count(),
    })
}

fn content(list: &List) -> String {
    let counts = counts(list);
    let words = counts.as_object().into_iter().flatten().filter(|(_, count)| **count != json!(0));
    words.map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}
