//! What the tables are told: the ledger, what nodes are pinned to, and the image of their definitions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tables::schema::{self, Table};
use tables::{Edit, Ran, Select, Stage, Update};

use super::member::{Member, named, reference};
use super::wave::Site;
use crate::failure::Failure;
use crate::images::pins;

/// How many characters of why a node is not good the ledger keeps: a check may print anything, and a lot of it.
const LONGEST_WHY: usize = 500;

/// Writes down that the nodes of a wave are good: from now on they are defined with what they have.
pub(crate) fn commit(site: &Site<'_>, wave: &[&Member]) -> Result<(), Failure> {
    site.cx.tables()?.edit(&site.cx.origin(site.asked.reason.clone()), |edit| {
        for member in wave {
            let update = &member.update;
            if member.node.get("provmethod") != Some(&update.image) {
                edit.set(nodetype(), &[&update.node], &[("provmethod", &update.image)])?;
            }
            move_pin(edit, &update.node, &update.image, &update.digest)?;
        }
        Ok(())
    })?;
    let good = wave.iter().filter_map(|member| site.book.get(member.name()));
    let good: Vec<Update> = good.map(|update| Update { stage: Stage::Good, ..update }).collect();
    Ok(site.book.keep(&good)?)
}

/// Writes down that nodes have again what they had.
pub(crate) fn restore(
    site: &Site<'_>,
    members: &[&Member],
    title: &str,
    failed: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    site.cx.tables()?.edit(&site.cx.origin(site.asked.reason.clone()), |edit| {
        for Update { node, image, from_image, from_digest, own_image, .. } in
            members.iter().map(|member| &member.update)
        {
            if image != from_image {
                edit.set(nodetype(), &[node], &[("provmethod", own_image)])?;
            }
            move_pin(edit, node, from_image, from_digest)?;
        }
        Ok(())
    })?;
    let why = said(title, failed);
    let happened: Vec<Ran> = members.iter().map(|member| ran(site, member, "rolled-back", &why)).collect();
    site.cx.tables()?.enter(&happened)?;
    Ok(site.book.close(&members.iter().map(|member| member.name()).collect::<Vec<_>>())?)
}

/// Writes into the ledger that a node has been made anew with its new image.
pub(crate) fn updated(site: &Site<'_>, member: &Member, title: &str) -> Result<(), Failure> {
    let why = match &site.asked.reason {
        Some(reason) => format!("{title}: {reason}"),
        None => title.to_owned(),
    };
    Ok(site.cx.tables()?.enter(&[ran(site, member, "updated", &why)])?)
}

fn ran(site: &Site<'_>, member: &Member, what: &'static str, why: &str) -> Ran {
    let Update { node, image, digest, from_image, from_digest, .. } = &member.update;
    let (image, digest) = if what == "updated" { (image, digest) } else { (from_image, from_digest) };
    Ran {
        node: node.clone(),
        host: member.node.get("vmhost").unwrap_or_default().to_owned(),
        image: named(image),
        digest: digest.clone(),
        what,
        why: why.to_owned(),
        who: site.cx.who(),
        downtime: site.downtime(node).map(|down| format!("{:.2}", down.as_secs_f64())).unwrap_or_default(),
    }
}

/// The first failure, and how many more there were.
fn said(title: &str, failed: &BTreeMap<String, String>) -> String {
    let Some((node, why)) = failed.first_key_value() else { return title.to_owned() };
    let why = why.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let why = shortened(&why);
    match failed.len() {
        1 => format!("{title}: {node}: {why}"),
        count => format!("{title}: {node}: {why}; and {} more", count - 1),
    }
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST_WHY) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

/// Moves a node's pin; one whose content no registry knew has none.
fn move_pin(edit: &mut Edit<'_>, node: &str, provmethod: &str, digest: &str) -> tables::Result<()> {
    match (reference(provmethod), digest.parse()) {
        (Some(image), Ok(digest)) => pins::pin(edit, node, &image, &digest),
        _ => edit.delete(pins::nodeimage(), Select::Where(&[("node", node)])).map(drop),
    }
}

fn nodetype() -> &'static Table {
    schema::find("nodetype").expect("table nodetype is in the schema")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_says_why_on_one_line() {
        let failed =
            |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "it died:\n  no db".into())).collect();
        assert_eq!(said("wave 1 of 2", &failed(&["c1"])), "wave 1 of 2: c1: it died: no db");
        assert_eq!(said("wave 1 of 2", &failed(&["c1", "c2", "c3"])), "wave 1 of 2: c1: it died: no db; and 2 more");
    }

    #[test]
    fn the_ledger_keeps_the_beginning_of_a_long_why() {
        let told = |count: usize| said("wave 1 of 1", &[("c1".to_owned(), "ä".repeat(count))].into());
        assert_eq!(told(500), format!("wave 1 of 1: c1: {}", "ä".repeat(500)));
        assert_eq!(told(501), format!("wave 1 of 1: c1: {}...", "ä".repeat(500)));
    }
}
