//! The images that nodes boot, as `lsimage` lists them beside those of containers.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use netboot::image::published::Published;
use netboot::script::image::files_of_xcat;
use plugins::Digest;
use tables::{Row, Select, schema};

use super::objects::{TYPE, osimage};
use crate::config;
use crate::context::Context;
use crate::diskless::{Image, images};
use crate::failure::Failure;

/// A definition, and what there is of it.
pub(crate) struct Diskless {
    pub(crate) name: String,
    /// Of its root, once that is packed.
    pub(crate) digest: Option<Digest>,
    /// Of all that a node fetches.
    pub(crate) size: Option<u64>,
    pub(crate) state: &'static str,
    /// Who is defined to boot it.
    pub(crate) nodes: Vec<String>,
}

impl Diskless {
    /// All of them, by name.
    pub(crate) fn all(cx: &Context) -> Result<Vec<Self>, Failure> {
        let tables = cx.tables()?;
        let nodes = tables.resolve(&tables.node_names(true)?.to_vec())?;
        let rows = tables.rows(osimage(), Select::All)?;
        let linuximage = schema::find("linuximage").expect("table linuximage is in the schema");
        let more = tables.rows(linuximage, Select::All)?;
        let linux: BTreeMap<&str, &Row> = more.iter().filter_map(|row| Some((row.get("imagename")?, row))).collect();
        let home = config::home()?;
        let mut all = Vec::new();
        for row in rows.iter().filter(|row| !row.is_disabled() && row.get("imagetype") != Some(TYPE)) {
            let Some(name) = row.get("imagename") else { continue };
            let users = nodes.iter().filter(|node| node.get("provmethod") == Some(name));
            let published = Published::open(&images()?, name);
            let of_xcat = files_of_xcat(&home, name, linux.get(name).copied());
            let state = match &published {
                Ok(Some(_)) => "packed",
                Err(_) => "broken",
                Ok(None) if row.get("provmethod") == Some("install") => "install",
                Ok(None) if of_xcat.is_some() => "xcat",
                Ok(None) if Image::read(cx, name).is_ok_and(|image| image.root().is_dir()) => "built",
                Ok(None) => "defined",
            };
            let published = published.ok().flatten();
            let digest = published.as_ref().and_then(|files| format!("sha256:{}", files.digests[2]).parse().ok());
            let files = published.map(|files| [files.kernel, files.initrd, files.root]);
            all.push(Self {
                digest,
                size: files.or(of_xcat.filter(|_| state == "xcat")).and_then(|files| size(&files)),
                nodes: users.map(|node| node.name().to_owned()).collect(),
                name: name.to_owned(),
                state,
            });
        }
        all.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(all)
    }
}

fn size(files: &[PathBuf]) -> Option<u64> {
    files.iter().map(|file| Some(fs::metadata(file).ok()?.len())).sum()
}
