//! A machine becomes the node that a person says it is.

use netboot::discovery::{Nic, Report, is_uuid};
use netboot::mac::Mac;
use tables::{Edit, Row};

use super::index::Index;
use super::matching::other_machine;
use super::record::take;
use crate::failure::Failure;

/// Makes a node be the machine of that row of table discoverydata. Whoever is known to be another machine stays that.
pub(crate) fn define(edit: &mut Edit<'_>, row: &Row, name: &str) -> Result<(), Failure> {
    let report = read(row).ok_or_else(|| Failure::refused("its row of table discoverydata has no MAC address"))?;
    let (index, mac) = (Index::read(edit)?, report.mac.unwrap_or(Mac([0; 6])));
    let Some(known) = index.nodes.get(name) else {
        return Err(
            Failure::refused(format!("no node is named {name}")).hint(format!("define it: mkdef {name} groups=all"))
        );
    };
    if known.is_guest {
        return Err(Failure::refused(format!("{name} is a container")));
    }
    if let Some(why) = other_machine(known, mac, &report) {
        return Err(Failure::refused(format!("{name} has {why}"))
            .hint(format!("if its hardware was replaced: chdef {name} mac= serial= && chtab node={name} vpd.uuid=")));
    }
    if let Some(other) = index.macs.get(&mac).filter(|other| *other != name) {
        return Err(Failure::refused(format!("its MAC address {mac} is that of {other}")));
    }
    take(edit, &report, name)?;
    let uuid = row.get("uuid").unwrap_or_default();
    Ok(edit.note_machine(uuid, &[("node", name), ("method", "manual")])?)
}

/// What the row still knows of what the machine has said.
fn read(row: &Row) -> Option<Report> {
    let text = |column: &str| row.get(column).unwrap_or_default().to_owned();
    let cards = text("nichwaddr");
    let nics: Vec<Nic> = cards.split(',').filter_map(nic).collect();
    let uuid = text("uuid");
    Some(Report {
        mac: Some(nics.first()?.mac),
        serial: text("serial"),
        uuid: if is_uuid(&uuid) && !uuid.starts_with("00000000-0000-0000-0000-") { uuid } else { String::new() },
        product: text("mtm"),
        arch: text("arch"),
        cpu: text("cputype"),
        cpus: text("cpucount").parse().unwrap_or_default(),
        memory: text("memory").parse().unwrap_or_default(),
        nics: nics.into_iter().filter(|nic| nic.name != "boot").collect(),
        ..Report::default()
    })
}

fn nic(text: &str) -> Option<Nic> {
    let (name, mac) = text.split_once('!')?;
    Some(Nic { name: name.to_owned(), mac: mac.parse().ok()?, driver: String::new(), link: false })
}
