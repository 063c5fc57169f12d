//! Virtual drives: of the system, as newer schemas have them, else of its BMC. A BMC that offers no action for a disc has
//! the members of its drive changed instead.

use async_trait::async_trait;
use hyper::StatusCode;
use serde_json::{Value, json};
use tables::Node;
use tokio::time::{Instant, sleep};

use super::document::{Document, last};
use super::machine::{Machine, members};
use super::quirks::insertions;
use super::session::Session;
use super::{Redfish, check};
use crate::bmc::power::LOOK_AGAIN;
use crate::{Media, Result};

const TELLING: &str = "tell what is in its drives";
const INSERTING: &str = "put the image in";
const EJECTING: &str = "take the image out";
/// Drives and BMCs that are looked at.
const DRIVES: usize = 32;
const MANAGERS: usize = 8;
/// A refusal after which other words may do; nothing was done then.
const NOT_SO: [StatusCode; 4] = [
    StatusCode::BAD_REQUEST,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::NOT_IMPLEMENTED,
];

#[async_trait]
impl Media for Redfish {
    fn check(&self, node: &Node) -> Result<()> {
        check(self, node)
    }

    async fn inserted(&self, node: &Node) -> Result<Vec<String>> {
        let drives = drives(&mut self.machine(node).await?, TELLING).await?;
        let inserted = drives.into_iter().filter(|(_, drive)| is_taken(drive));
        Ok(inserted.map(|(path, drive)| image(&drive).unwrap_or_else(|| last(&path).to_owned())).collect())
    }

    async fn insert(&self, node: &Node, wanted: &str) -> Result<()> {
        let mut machine = self.machine(node).await?;
        let mut drives = drives(&mut machine, INSERTING).await?;
        drives.retain(|(path, drive)| is_for_discs(path, drive));
        if drives.iter().any(|(_, drive)| is_taken(drive) && image(drive).as_deref() == Some(wanted)) {
            return Ok(());
        }
        let free = drives.iter().find(|(_, drive)| !is_taken(drive)).or(drives.first());
        let Some((path, drive)) = free else {
            return Err(machine.session.refused(INSERTING, "the machine has no virtual drive for discs"));
        };
        if is_taken(drive) {
            eject(&mut machine, path, drive).await?;
        }
        put_in(&mut machine, path, drive, wanted).await?;
        settled(&mut machine.session, INSERTING, path, true).await
    }

    async fn eject(&self, node: &Node) -> Result<()> {
        let mut machine = self.machine(node).await?;
        for (path, drive) in drives(&mut machine, EJECTING).await? {
            if is_taken(&drive) && is_for_discs(&path, &drive) {
                eject(&mut machine, &path, &drive).await?;
            }
        }
        Ok(())
    }
}

/// All virtual drives, and where they are.
async fn drives(machine: &mut Machine, doing: &str) -> Result<Vec<(String, Document)>> {
    let mut collections: Vec<String> = machine.now.link(&["VirtualMedia"]).into_iter().collect();
    if collections.is_empty() {
        let mut managers = machine.now.links(&["Links", "ManagedBy"]);
        if let (true, Some(all)) = (managers.is_empty(), machine.session.root.link(&["Managers"])) {
            managers = members(&mut machine.session, doing, &all).await?;
        }
        for path in managers.iter().take(MANAGERS) {
            let (manager, _) = machine.session.get(doing, path).await?;
            collections.extend(manager.link(&["VirtualMedia"]));
        }
    }
    let mut drives = Vec::new();
    for collection in collections {
        for path in members(&mut machine.session, doing, &collection).await?.into_iter().take(DRIVES) {
            let (drive, _) = machine.session.get(doing, &path).await?;
            drives.push((path, drive));
        }
    }
    Ok(drives)
}

/// Some do not say what a drive is for, but in its name.
pub(super) fn is_for_discs(path: &str, drive: &Document) -> bool {
    let is_disc = |word: &String| ["CD", "DVD"].iter().any(|disc| word.eq_ignore_ascii_case(disc));
    match drive.words(&["MediaTypes"]).filter(|types| !types.is_empty()) {
        Some(types) => types.iter().any(is_disc),
        None => {
            let name = format!("{} {}", last(path), drive.text(&["Name"]).unwrap_or_default()).to_uppercase();
            name.contains("CD") || name.contains("DVD")
        }
    }
}

pub(super) fn is_taken(drive: &Document) -> bool {
    drive.flag(&["Inserted"]).unwrap_or_else(|| image(drive).is_some())
}

fn image(drive: &Document) -> Option<String> {
    drive.text(&["Image"])
}

async fn put_in(machine: &mut Machine, path: &str, drive: &Document, image: &str) -> Result<()> {
    let Some(target) = action(drive, "#VirtualMedia.InsertMedia") else {
        return machine.session.change(INSERTING, path, &json!({ "Image": image, "Inserted": true })).await;
    };
    let mut refusal = None;
    for body in insertions(image) {
        let answer = machine.post(INSERTING, &target, &body).await?;
        let may_be_said_otherwise = NOT_SO.contains(&answer.status);
        match machine.session.succeeded(INSERTING, &target, answer) {
            Ok(_) => return Ok(()),
            Err(error) if may_be_said_otherwise => refusal = refusal.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    refusal.map_or(Ok(()), Err)
}

async fn eject(machine: &mut Machine, path: &str, drive: &Document) -> Result<()> {
    match action(drive, "#VirtualMedia.EjectMedia") {
        Some(target) => machine.act(EJECTING, &target, &json!({})).await?,
        None => machine.session.change(EJECTING, path, &json!({ "Image": Value::Null, "Inserted": false })).await?,
    }
    settled(&mut machine.session, EJECTING, path, false).await
}

fn action(drive: &Document, name: &str) -> Option<String> {
    drive.path(&["Actions", name, "target"])
}

/// Waits until there is a disc, or none: a BMC may say yes before it has fetched anything.
async fn settled(session: &mut Session, doing: &str, path: &str, taken: bool) -> Result<()> {
    let end = Instant::now() + session.limit();
    while is_taken(&session.get(doing, path).await?.0) != taken {
        if Instant::now() >= end {
            let state = if taken { "there is still none in the drive" } else { "it is still in the drive" };
            return Err(session.refused(doing, format!("the BMC has said yes, and {state}")));
        }
        sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_are_told_apart() {
        let check = |path: &str, drive: &str, discs: bool, taken: bool| {
            let drive = Document::parse(drive.as_bytes()).unwrap();
            assert_eq!((is_for_discs(path, &drive), is_taken(&drive)), (discs, taken), "{path} {drive:?}");
        };
        check("/v/1", r#"{"MediaTypes": ["CD", "DVD"], "Inserted": true}"#, true, true);
        check("/v/1", r#"{"MediaTypes": ["Floppy", "USBStick"], "Image": "http://a/b"}"#, false, true);
        check("/v/RemovableDisk", "{}", false, false);
        check("/v/CD1", r#"{"Inserted": false, "Image": "http://a/b"}"#, true, false);
        check("/v/2", r#"{"Name": "Virtual DVD", "MediaTypes": [], "Image": ""}"#, true, false);
        check("/v/2", r#"{"MediaTypes": 7, "Inserted": "yes", "Image": ["x"]}"#, false, false);
    }
}
