//! The list of a bundle: what it may say.

use netboot::image::published::FILES;
use serde::{Deserialize, Serialize};
use tables::lists;
use tables::schema::Table;

use crate::diskless::table;

pub(super) const LIST: &str = "osimage.json";
pub(super) const FORMAT: u32 = 1;
/// Bytes of the list, files that a definition may name, and bytes of one.
pub(super) const LONGEST: u64 = 1 << 20;
const MOST: usize = 200;
const LARGEST: u64 = 16 << 20;

/// Columns of table linuximage that name files, which are members.
pub(super) const NAMING: &[&str] = &["pkglist", "otherpkglist", "exlist", "postinstall", "template", "partitionfile"];
/// What is another site's.
const OWN: &[&str] = &["imagename", "rootimgdir", "disable", "comments"];
/// Columns that name places of another site. Some are served to everybody: a foreign image must not choose which.
const PLACES: &[&str] = &["kerneldir", "driverupdatesrc", "synclists", "cfmdir"];
/// Columns of mirrors, which are the same everywhere, and of directories, which are such places.
const SOURCES: &[&str] = &["pkgdir", "otherpkgdir"];
/// What tables tell of a packed image.
pub(super) const PACKED: &[&str] = &["release", "packed", "packedby"];

/// The list at the beginning.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub(super) format: u32,
    pub(super) name: String,
    pub(super) osimage: Cells,
    pub(super) linuximage: Cells,
    pub(super) disklessimage: Cells,
    pub(super) members: Vec<Member>,
}

pub(super) type Cells = Vec<(String, String)>;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// The column of linuximage that names it; none of what nodes fetch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) column: Option<String>,
}

/// What of a cell holds at every site.
pub(super) fn portable(column: &str, value: &str) -> Option<String> {
    let is_place = |word: &&str| word.starts_with('/');
    match () {
        () if [OWN, NAMING, PLACES].iter().any(|columns| columns.contains(&column)) => None,
        () if SOURCES.contains(&column) && lists::words(value).any(|word| is_place(&word)) => {
            let mirrors = lists::words(value).filter(|word| !is_place(word)).collect::<Vec<_>>().join(",");
            (!mirrors.is_empty()).then_some(mirrors)
        }
        () => Some(value.to_owned()),
    }
}

/// Columns that there are, names of ours, either all that nodes fetch or nothing of it.
pub(super) fn check(list: &List) -> Result<(), String> {
    if list.format != FORMAT {
        return Err(format!("it has format {}, and known is {FORMAT}", list.format));
    }
    check_cells(list)?;
    let value = |column: &str| list.osimage.iter().find(|(name, _)| name == column).map(|(_, value)| value.as_str());
    if value("imagetype") != Some("linux") || value("provmethod") != Some("netboot") {
        return Err("it is no image that diskless nodes boot".into());
    }
    if list.disklessimage.iter().any(|(column, _)| !PACKED.contains(&column.as_str())) || list.members.len() > MOST {
        return Err("its list makes no sense".into());
    }
    check_members(&list.members)
}

fn check_cells(list: &List) -> Result<(), String> {
    let rows: [(&'static Table, &Cells); 3] = [
        (table("osimage"), &list.osimage),
        (table("linuximage"), &list.linuximage),
        (table("disklessimage"), &list.disklessimage),
    ];
    for (table, cells) in rows {
        for (column, value) in cells {
            let said = format!("it says {column} of table {}", table.name);
            if !table.columns.iter().any(|known| known.name == column) {
                return Err(format!("{said}, which has no such column"));
            }
            if portable(column, value).as_ref() != Some(value) {
                return Err(format!(
                    "{said}, which is a site's own: it is forged, or another version of xcrane wrote it"
                ));
            }
        }
    }
    Ok(())
}

/// Either all that nodes fetch or nothing of it, and files that columns name, in their order.
fn check_members(members: &[Member]) -> Result<(), String> {
    let fetched: Vec<&str> =
        members.iter().filter(|member| member.column.is_none()).map(|member| member.name.as_str()).collect();
    let all = FILES.map(|file| format!("image/{file}"));
    if !fetched.is_empty() && fetched != all {
        return Err(format!("of what nodes fetch it has {}", fetched.join(" ")));
    }
    let mut numbers = std::collections::HashMap::<&str, usize>::new();
    for member in members {
        let Some(column) = &member.column else { continue };
        let number = numbers.entry(column).or_default();
        if !NAMING.contains(&column.as_str())
            || member.name != format!("files/{column}.{number}")
            || member.size > LARGEST
        {
            return Err(format!("{} is no name of a file in a bundle", member.name));
        }
        *number += 1;
    }
    Ok(())
}

/// One that is a directory of ours.
pub(super) fn is_name(name: &str) -> bool {
    let may_be = |letter: char| letter.is_ascii_alphanumeric() || "._-+".contains(letter);
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.chars().all(may_be)
}

#[cfg(test)]
pub(super) mod tests {
    use plugins::hex;
    use sha2::{Digest, Sha256};

    use super::*;

    pub(in crate::diskless::bundle) fn list(members: Vec<Member>) -> List {
        let cells = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        List {
            format: FORMAT,
            name: "tiny".into(),
            osimage: cells(&[("imagetype", "linux"), ("provmethod", "netboot")]),
            linuximage: cells(&[("addkcmdline", "quiet")]),
            disklessimage: Cells::new(),
            members,
        }
    }

    pub(in crate::diskless::bundle) fn member(name: &str, column: Option<&str>, content: &[u8]) -> Member {
        let column = column.map(str::to_owned);
        Member { name: name.into(), size: content.len() as u64, sha256: hex(&Sha256::digest(content)), column }
    }

    #[test]
    fn names_lead_nowhere() {
        let check = |list: List, expected: &str| {
            let why = check(&list).unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        check(list(vec![member("files/../../etc/passwd", Some("pkglist"), b"")]), "is no name of a file");
        check(list(vec![member("files/pkglist.1", Some("pkglist"), b"")]), "is no name of a file");
        check(list(vec![member("files/rootimgdir.0", Some("rootimgdir"), b"")]), "is no name of a file");
        check(list(vec![member("image/../x", None, b"")]), "of what nodes fetch");
        check(list(vec![member("image/kernel", None, b"")]), "of what nodes fetch");
        for column in ["rootimgdir", "pkglist", "imagename", "nonsense"] {
            let mut list = list(Vec::new());
            list.linuximage.push((column.into(), "/".into()));
            check(list, column);
        }
        for (column, value) in [
            ("kerneldir", "/"),
            ("driverupdatesrc", "dud:/x"),
            ("pkgdir", "http://mirror, /srv"),
            ("otherpkgdir", "/srv"),
        ] {
            let mut list = list(Vec::new());
            list.linuximage.push((column.into(), value.into()));
            check(list, &format!("it says {column} of table linuximage, which is a site's own"));
        }
        for column in ["synclists", "cfmdir"] {
            let mut list = list(Vec::new());
            list.osimage.push((column.into(), "/srv".into()));
            check(list, &format!("it says {column} of table osimage, which is a site's own"));
        }
        let mut of_mirrors = list(Vec::new());
        of_mirrors.linuximage.push(("pkgdir".into(), "http://mirror, deb http://other bookworm main".into()));
        super::check(&of_mirrors).unwrap();
        assert!(
            ["tiny", "a.b-c_1"].iter().all(|name| is_name(name))
                && ["..", "a/b", "", ".x", "a b"].iter().all(|name| !is_name(name))
        );
    }
}
