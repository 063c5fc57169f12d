//! Discovery in order: while it is on, machines that nothing else points to become the nodes of a range, one after the other.

use std::cmp::Ordering;
use std::net::Ipv4Addr;

use tables::noderange::Unknown;
use tables::{Edit, Tables};

use super::index::Index;
use super::table;
use crate::failure::Failure;
use crate::ranges;

/// The key of table site that says that it is on, as with xCAT.
const KEY: &str = "__SEQDiscover";

/// What machines become.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) noderange: String,
    /// Addresses that the nodes are given which have none.
    pub(crate) hostiprange: Option<String>,
    pub(crate) groups: Option<String>,
    /// The image that they boot then, where they have no chain.
    pub(crate) osimage: Option<String>,
}

impl Sequence {
    /// Of words such as `noderange=n[1-9]`, separated by blanks.
    pub(crate) fn parse<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<Self, Failure> {
        let mut sequence = Self::default();
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty() && !value.contains(' '));
            let Some(value) = value else { return Err(Failure::usage(format!("'{word}' needs a value: {key}=…"))) };
            match key {
                "noderange" => sequence.noderange = value,
                "hostiprange" => sequence.hostiprange = Some(value),
                "groups" => sequence.groups = Some(value),
                "osimage" => sequence.osimage = Some(value),
                _ => {
                    return Err(Failure::usage(format!("'{key}' is none of noderange, hostiprange, groups, osimage")));
                }
            }
        }
        match sequence.noderange.is_empty() {
            true => Err(Failure::usage("noderange=… is missing: which nodes machines are to become, in this order")),
            false => Ok(sequence),
        }
    }

    fn text(&self) -> String {
        let others = [("hostiprange", &self.hostiprange), ("groups", &self.groups), ("osimage", &self.osimage)];
        let others = others.into_iter().filter_map(|(key, value)| Some(format!(" {key}={}", value.as_ref()?)));
        format!("noderange={}{}", self.noderange, others.collect::<String>())
    }

    /// The one that is on.
    pub(crate) fn current(tables: &Tables) -> Result<Option<Self>, Failure> {
        tables.site(KEY)?.map(|text| Self::parse(text.split(' '))).transpose()
    }

    pub(super) fn of(edit: &Edit<'_>) -> Result<Option<Self>, Failure> {
        edit.site(KEY)?.map(|text| Self::parse(text.split(' '))).transpose()
    }

    /// Has this one be on, or none.
    pub(crate) fn put(sequence: Option<&Self>, edit: &mut Edit<'_>) -> tables::Result<()> {
        let text = sequence.map(Self::text).unwrap_or_default();
        match sequence {
            Some(_) => edit.set(table("site"), &[KEY], &[("value", &text)]).map(drop),
            None => edit.delete(table("site"), tables::Select::Keys(&[KEY])).map(drop),
        }
    }

    /// All its nodes, whether they are defined or not, in their order: n2 before n10.
    pub(super) fn nodes(&self, edit: &Edit<'_>) -> Result<Vec<String>, Failure> {
        let mut names = edit.expand_with(&self.noderange, Unknown::Accept)?.names.to_vec();
        names.sort_by(|one, other| by_number(one, other));
        Ok(names)
    }

    /// The first of its addresses that no node has.
    pub(super) fn address(&self, index: &Index) -> Result<Option<Ipv4Addr>, Failure> {
        let Some(range) = &self.hostiprange else { return Ok(None) };
        let is_free = |address: &Ipv4Addr| index.nodes.values().all(|known| known.ip != Some(*address));
        Ok(ranges::addresses(range)?.into_iter().find(is_free))
    }
}

/// The nodes of a sequence that are no machine's yet, as far as can be told before one has come.
pub(crate) fn free(sequence: &Sequence, edit: &Edit<'_>) -> Result<Vec<String>, Failure> {
    let index = Index::read(edit)?;
    let mut names = sequence.nodes(edit)?;
    names.retain(|name| index.nodes.get(name).is_none_or(|known| known.macs.is_empty() && !known.is_guest));
    Ok(names)
}

/// Digits by their number, all else as text.
fn by_number(one: &str, other: &str) -> Ordering {
    let split = |text: &str| {
        let end = text.rfind(|letter: char| !letter.is_ascii_digit()).map_or(0, |at| at + 1);
        let end = if text.is_char_boundary(end) { end } else { text.len() };
        (text[..end].to_owned(), text[end..].parse::<u128>().unwrap_or_default())
    };
    split(one).cmp(&split(other)).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_what_is_kept_of_them() {
        let words = ["noderange=n[1-9]", "groups=rack1,all", "hostiprange=10.0.0.1-9"];
        let sequence = Sequence::parse(words).unwrap();
        assert_eq!(sequence.text(), "noderange=n[1-9] hostiprange=10.0.0.1-9 groups=rack1,all");
        assert_eq!(Sequence::parse(sequence.text().split(' ')).unwrap(), sequence);
        let wrong = |words: &[&str]| Sequence::parse(words.iter().copied()).unwrap_err().message;
        assert!(wrong(&[]).starts_with("noderange=… is missing"));
        assert!(wrong(&["noderange="]).contains("needs a value"));
        assert!(wrong(&["noderange=n1", "rack=1"]).contains("none of noderange"));
    }

    #[test]
    fn names_have_their_order() {
        let mut names = ["n10", "n9", "m2", "n", "10", "nü", "n1"];
        names.sort_by(|one, other| by_number(one, other));
        assert_eq!(names, ["10", "m2", "n", "n1", "n9", "n10", "nü"]);
    }
}
