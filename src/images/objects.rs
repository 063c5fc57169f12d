//! Images as objects: rows of table osimage with `imagetype=container`, and of containerimage, named as nodes name them.

use std::fmt;

use plugins::{Digest, Reference};
use tables::schema::{self, Table};
use tables::{Edit, Select};

use crate::context::Context;
use crate::failure::Failure;

/// What `osimage.imagetype` says of an image of a registry.
pub(crate) const TYPE: &str = "container";

/// Where an image came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Pull,
    /// Of this host.
    Push(String),
    /// Of this node.
    Capture(String),
    /// Of this file.
    Load(String),
    /// On this host.
    Build(String),
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pull => out.write_str("pull"),
            Self::Push(host) => write!(out, "push {host}"),
            Self::Capture(node) => write!(out, "capture {node}"),
            Self::Load(file) => write!(out, "load {file}"),
            Self::Build(host) => write!(out, "build {host}"),
        }
    }
}

/// What is known of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// With its tag, as nodes name it.
    pub(crate) image: Reference,
    /// Of its manifest.
    pub(crate) digest: Option<Digest>,
    /// Bytes in its registry.
    pub(crate) size: Option<u64>,
    pub(crate) source: Source,
    /// Of the image that it was made from.
    pub(crate) parent: Option<Digest>,
    pub(crate) message: Option<String>,
}

impl Recorded {
    /// An image of which no more is known than where it came from.
    pub(crate) fn new(image: &Reference, source: Source) -> Self {
        Self { image: image.clone(), digest: None, size: None, source, parent: None, message: None }
    }
}

impl Context {
    /// Makes an image an object; `reason` is for the journal.
    pub(crate) fn make_known(&self, recorded: &Recorded, reason: Option<String>) -> Result<(), Failure> {
        Ok(self.tables()?.edit(&self.origin(reason), |edit| record(self, edit, recorded))?)
    }
}

/// Writes down an image. What is known with the same digest already stays as it was made known: a pull elsewhere says
/// nothing new of an image that was captured.
fn record(cx: &Context, edit: &mut Edit<'_>, recorded: &Recorded) -> tables::Result<()> {
    let name = recorded.image.complete().to_string();
    let digest = recorded.digest.as_ref().map(ToString::to_string).unwrap_or_default();
    edit.set(osimage(), &[&name], &[("imagetype", TYPE), ("disable", "")])?;
    let known = edit.row(containerimage(), &[&name])?;
    // What was loaded or built has no digest before it is pushed; one that is known is worth more than none.
    if known.is_some_and(|row| digest.is_empty() || row.get("digest") == Some(&*digest)) {
        return Ok(());
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let size = recorded.size.map(|size| size.to_string()).unwrap_or_default();
    let parent = recorded.parent.as_ref().map(ToString::to_string).unwrap_or_default();
    let cells = [
        ("digest", digest),
        ("size", size),
        ("source", recorded.source.to_string()),
        ("parent", parent),
        ("created", now()),
        ("createdby", cx.who()),
        ("message", text(&recorded.message)),
        ("disable", String::new()),
    ];
    let cells: Vec<(&str, &str)> = cells.iter().map(|(column, value)| (*column, value.as_str())).collect();
    edit.set(containerimage(), &[&name], &cells).map(drop)
}

/// Forgets an image.
pub(crate) fn forget(edit: &mut Edit<'_>, image: &Reference) -> tables::Result<()> {
    let name = image.complete().to_string();
    edit.delete(containerimage(), Select::Where(&[("imagename", &name)]))?;
    edit.delete(osimage(), Select::Where(&[("imagename", &name), ("imagetype", TYPE)])).map(drop)
}

/// Now in UTC, to the second.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(crate) fn osimage() -> &'static Table {
    schema::find("osimage").expect("table osimage is in the schema")
}

pub(crate) fn containerimage() -> &'static Table {
    schema::find("containerimage").expect("table containerimage is in the schema")
}
