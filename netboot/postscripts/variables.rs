//! The environment of postscripts, by xCAT's names: pure.

use std::collections::BTreeMap;

use tables::{Node, Row, lists, nics};

use super::Occasion;

/// What a script could not do without. Of the site's settings none replaces it.
const KEPT: &[&str] = &["PATH", "IFS", "HOME", "SHELL", "USER", "ENV", "PS4", "LD_PRELOAD", "LD_LIBRARY_PATH"];

/// Variable and the attribute that it is made of.
const OF_NODE: &[(&str, &str)] = &[
    ("OSVER", "os"),
    ("ARCH", "arch"),
    ("PROFILE", "profile"),
    ("PROVMETHOD", "provmethod"),
    ("GROUP", "groups"),
    ("PRIMARYNIC", "primarynic"),
    ("MONSERVER", "monserver"),
    ("ROUTENAMES", "routenames"),
    ("NAMESERVERS", "nameservers"),
    ("NICIPS", "nicips"),
    ("NICHOSTNAMESUFFIXES", "nichostnamesuffixes"),
    ("NICHOSTNAMEPREFIXES", "nichostnameprefixes"),
    ("NICTYPES", "nictypes"),
    ("NICCUSTOMSCRIPTS", "niccustomscripts"),
    ("NICNETWORKS", "nicnetworks"),
    ("NICALIASES", "nicaliases"),
    ("NICEXTRAPARAMS", "nicextraparams"),
    ("NICDEVICES", "nicdevices"),
    ("NICSADAPTER", "nicsadapter"),
];

/// What the environment is made of.
pub(super) struct Known<'a> {
    pub(super) node: &'a Node,
    pub(super) master: &'a str,
    pub(super) occasion: Occasion,
    pub(super) site: &'a [Row],
    pub(super) image: Option<&'a Row>,
    pub(super) linuximage: Option<Row>,
}

impl Known<'_> {
    /// The site's settings, then what is known of the node, then what its image sets.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let site = self.site.iter().filter(|row| !row.is_disabled()).filter_map(|row| {
            let name = row.get("key")?.to_uppercase();
            (!KEPT.contains(&name.as_str())).then(|| (name, row.get("value").unwrap_or_default().to_owned()))
        });
        let own = self.own().into_iter().map(|(name, value)| (name.to_owned(), value));
        let image = self.image.and_then(|row| row.get("environvar")).unwrap_or_default();
        let image = lists::words(image).filter_map(|word| word.split_once('='));
        let image = image.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        site.chain(own).chain(image).filter(|(name, value)| is_name(name) && !value.contains('\0')).collect()
    }

    fn own(&self) -> Vec<(&'static str, String)> {
        let node = self.node;
        let get = |attribute| node.get(attribute).unwrap_or_default().to_owned();
        let dirs = |column| self.linuximage.as_ref().and_then(|row| row.get(column)).unwrap_or_default().to_owned();
        let mac = nics::macs(node.get("mac").unwrap_or_default()).next().map_or("", |(mac, _)| mac);
        let is_service = lists::words(node.get("groups").unwrap_or_default()).any(|group| group == "service");
        let mut own: Vec<_> = OF_NODE.iter().map(|(variable, attribute)| (*variable, get(attribute))).collect();
        own.extend([
            ("NODE", node.name().to_owned()),
            ("MASTER", self.master.to_owned()),
            ("NFSSERVER", node.get("nfsserver").unwrap_or(self.master).to_owned()),
            ("NODESETSTATE", get("currstate").split_whitespace().next().unwrap_or_default().to_owned()),
            ("UPDATENODE", u8::from(self.occasion == Occasion::Update).to_string()),
            ("NTYPE", if is_service { "service" } else { "compute" }.to_owned()),
            ("MACADDRESS", mac.to_owned()),
            ("INSTALLNIC", node.get("installnic").unwrap_or("mac").to_owned()),
            ("OSPKGDIR", dirs("pkgdir")),
            ("OTHERPKGDIR", dirs("otherpkgdir")),
        ]);
        own
    }
}

fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(letter) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}
