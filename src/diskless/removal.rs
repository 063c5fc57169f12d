//! `rmimage` of a diskless image: what was built goes, the definition stays unless it is asked away too.

use std::fs;
use std::io;

use netboot::image::published;
use tables::Select;

use super::import::carried;
use super::place::Place;
use super::stages::Stages;
use super::{Image, images, table};
use crate::context::Context;
use crate::failure::Failure;

impl Image {
    /// Nodes and groups that are defined to boot it.
    pub(crate) fn users(&self, cx: &Context) -> Result<Vec<String>, Failure> {
        let rows = cx.tables()?.rows(
            super::schema::find("nodetype").expect("it is in the schema"),
            Select::Where(&[("provmethod", &self.name)]),
        )?;
        Ok(rows.iter().filter_map(|row| row.key().first().map(|name| (*name).to_owned())).collect())
    }

    /// What there is to be removed, for people.
    pub(crate) fn built(&self) -> Result<Vec<String>, Failure> {
        let places = [self.root(), published::directory(&images()?, &self.name)];
        Ok(places.iter().filter(|place| place.exists()).map(|place| place.display().to_string()).collect())
    }

    /// Removes what was built: the root, what nodes fetch, and what was kept to build it anew.
    pub(crate) fn remove(&self, cx: &Context, with_definition: bool, reason: Option<String>) -> Result<(), Failure> {
        for target in [published::directory(&images()?, &self.name), self.root()] {
            if target.exists() {
                Place::take(&target)?.discard()?;
            }
        }
        fs::remove_dir(&self.directory).ok(); // it may have something that is not ours, or be gone
        Stages::open()?.forget(&self.name)?;
        if with_definition {
            let files = carried(&self.name)?;
            match fs::remove_dir_all(&files) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Failure::refused(format!("cannot remove {}: {error}", files.display())));
                }
                _ => {}
            }
        }
        let tables: &[&str] =
            if with_definition { &["disklessimage", "linuximage", "osimage"] } else { &["disklessimage"] };
        Ok(cx.tables()?.edit(&cx.origin(reason), |edit| {
            tables
                .iter()
                .try_for_each(|name| edit.delete(table(name), Select::Where(&[("imagename", &self.name)])).map(drop))
        })?)
    }
}
