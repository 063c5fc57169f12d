//! The object types of mkdef, chdef, lsdef and rmdef, and the cell in which each attribute is kept.
//!
//! Attributes derive from the tables: a column is an attribute of the same name unless `types.rs` says otherwise.

pub mod nic;
mod types;

use std::sync::LazyLock;

use crate::schema::{self, Column, Table};
use crate::suggest;
use types::{Source, TYPES, Type};

static ALL: LazyLock<Vec<ObjectType>> = LazyLock::new(|| TYPES.iter().map(ObjectType::from).collect());

/// The type that most commands are about.
pub static NODE: LazyLock<&'static ObjectType> =
    LazyLock::new(|| find("node").expect("types.rs has nodes, as tests check"));

/// A type of objects: a node, a group, a network …
#[derive(Debug)]
pub struct ObjectType {
    pub name: &'static str,
    /// What such an object is, in a sentence.
    pub help: &'static str,
    /// Where the name of an object stands; not among [`Self::attributes`].
    pub key: Attribute,
    /// The only object of this type, for the site: each row of the table is an attribute, of any name.
    pub only_object: Option<&'static str>,
    /// Other names that are accepted for attributes, with the name proper.
    pub aliases: &'static [(&'static str, &'static str)],
    attributes: Vec<Attribute>,
}

/// An attribute and the cell it is kept in.
#[derive(Debug)]
pub struct Attribute {
    pub name: &'static str,
    pub table: &'static Table,
    pub column: &'static Column,
    /// The attribute and value that it depends on, such as `mgt` and `ipmi` for `bmc`.
    pub only_when: Option<(&'static str, &'static str)>,
}

/// Every object type, by name.
pub fn all() -> &'static [ObjectType] {
    &ALL
}

/// The object type of that name.
pub fn find(name: &str) -> Option<&'static ObjectType> {
    ALL.iter().find(|object| object.name == name)
}

/// The object type that someone who wrote `name` may have meant.
pub fn suggest(name: &str) -> Option<&'static str> {
    suggest::nearest(name, ALL.iter().map(|object| object.name))
}

impl ObjectType {
    /// Every attribute by name; one that is kept in different tables under different conditions comes once for each.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter()
    }

    /// The name proper of an attribute that may be given by another name.
    pub fn proper_name<'a>(&self, name: &'a str) -> &'a str {
        self.aliases.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, proper)| proper)
    }

    /// The places where an attribute may be kept; none if there is no such attribute. For `nicips.eth1` it is that of
    /// `nicips`, of which [`nic`] reads and writes a part.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Attribute> {
        let name = nic::split(name).map_or_else(|| self.proper_name(name), |(attribute, _)| attribute);
        self.attributes.iter().filter(move |attribute| attribute.name == name)
    }

    /// The attribute as it applies to an object whose values `current` gives; None if there is none, or only under
    /// conditions that do not hold.
    pub fn attribute<'v>(&self, name: &str, current: &dyn Fn(&str) -> Option<&'v str>) -> Option<&Attribute> {
        self.named(name).find(|attribute| attribute.applies(current))
    }

    /// The attribute that someone who wrote `name` may have meant.
    pub fn suggest(&self, name: &str) -> Option<&'static str> {
        suggest::nearest(name, self.attributes.iter().map(|attribute| attribute.name))
    }
}

impl Attribute {
    /// Meaning, unit, accepted values and default.
    pub fn help(&self) -> &'static str {
        self.column.help
    }

    /// Whether the object whose values `current` gives has this attribute.
    pub fn applies<'v>(&self, current: &dyn Fn(&str) -> Option<&'v str>) -> bool {
        let Some((attribute, wanted)) = self.only_when else { return true };
        current(attribute).is_some_and(|value| value.split(',').any(|word| word.trim() == wanted))
    }
}

impl From<&'static Type> for ObjectType {
    fn from(spec: &'static Type) -> Self {
        let table = table(spec.table);
        let mut attributes: Vec<_> = spec.sources.iter().copied().flatten().flat_map(attributes_of).collect();
        if spec.only_object.is_none() {
            attributes.push(attribute("usercomment", table, "comments"));
        }
        attributes.retain(|attribute| !(attribute.table.name == table.name && attribute.column.name == spec.key));
        attributes.sort_by(|a, b| a.name.cmp(b.name));
        Self {
            name: spec.name,
            help: spec.help,
            key: attribute(spec.key, table, spec.key),
            only_object: spec.only_object,
            aliases: spec.aliases,
            attributes,
        }
    }
}

/// The first column of a table says whose row it is (or, in networks, is the key we use) and is no attribute. Names are
/// made once for the life of the program, hence leaked.
fn attributes_of(source: &'static Source) -> impl Iterator<Item = Attribute> {
    let table = table(source.table);
    let owner = table.columns[0].name;
    let hidden = move |name: &str| name == owner || name == "comments" || name == "disable";
    let columns = table.columns.iter().filter(move |column| !hidden(column.name) && !source.left_out(column.name));
    columns.map(move |column| Attribute {
        only_when: source.only_when,
        ..attribute(source.attribute(column.name).leak(), table, column.name)
    })
}

fn attribute(name: &'static str, table: &'static Table, column: &str) -> Attribute {
    let column = &table.columns[table.column(column).expect("types.rs names existing columns, as tests check")];
    Attribute { name, table, column, only_when: None }
}

fn table(name: &str) -> &'static Table {
    schema::find(name).expect("types.rs names existing tables, as tests check")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::schema::Scope;

    /// `values` as `mgt=ipmi` by space; `expected` as `table.column`, or empty for no such attribute.
    #[track_caller]
    fn check(object: &str, values: &str, name: &str, expected: &str) {
        let current = |name: &str| {
            let mut pairs = values.split_whitespace().filter_map(|pair| pair.split_once('='));
            pairs.find(|(attribute, _)| *attribute == name).map(|(_, value)| value)
        };
        let found = find(object).unwrap().attribute(name, &current);
        let cell = found.map(|found| format!("{}.{}", found.table.name, found.column.name)).unwrap_or_default();
        assert_eq!(cell, expected, "{object} {name} with {values}");
    }

    #[test]
    fn attributes_stand_where_xcat_has_them() {
        for line in EXAMPLES.lines() {
            let (name, cell) = line.split_once(' ').unwrap();
            check("node", "mgt=ipmi nodetype=switch", name, cell);
        }
    }

    const EXAMPLES: &str = "\
groups nodelist.groups
zonename nodelist.zonename
usercomment nodelist.comments
provmethod nodetype.provmethod
nodetype nodetype.nodetype
consoleenabled nodehm.consoleenabled
supportproxydhcp noderes.proxydhcp
xcatmaster noderes.xcatmaster
addkcmdline bootparams.addkcmdline
chain chain.chain
otherinterfaces hosts.otherinterfaces
mac mac.mac
interface mac.interface
postbootscripts postscripts.postbootscripts
prescripts-begin prescripts.begin
vmhost vm.host
vmmanager vm.mgr
vmnicnicmodel vm.nicmodel
vmnics vm.nics
vmmaster vm.master
vmothersetting vm.othersettings
migrationdest vm.migrationdest
hosttype hypervisor.type
hostmanager hypervisor.mgr
hostinterface hypervisor.interface
bmcvlantag ipmi.taggedvlan
bmcpassword ipmi.password
switch switch.switch
switchport switch.port
switchinterface switch.interface
rack nodepos.rack
unit nodepos.u
cpucount hwinv.cpucount
nicips nics.nicips
nicsadapter nics.nicsadapter
setupdhcp servicenode.dhcpserver
setupproxydhcp servicenode.proxydhcp
dhcpinterfaces servicenode.dhcpinterfaces
storagcontroller storage.controller
storagetype storage.type
osvolume storage.osvolume
iscsipassword iscsi.passwd
pdu pduoutlet.pdu
hwtype mp.nodetype
slotid mp.id
mpa mp.mpa
snmpusername switches.username
username switches.sshusername
switchtype switches.switchtype
dockerenv docker.env
dockerimagedigest docker.imagedigest
dockersocket dockerhost.socket";

    #[test]
    fn a_condition_chooses_the_table() {
        check("node", "mgt=ipmi", "bmc", "ipmi.bmc");
        check("node", "mgt=openbmc", "bmc", "openbmc.bmc");
        check("node", "mgt=openbmc", "consport", "openbmc.consport");
        check("node", "mgt=ipmi", "consport", "");
        check("node", "mgt=docker", "bmc", "");
        check("node", "", "bmc", "");
        check("node", "nodetype=ppc,switch", "snmpversion", "switches.snmpversion");
        check("node", "", "nicips.eth1", "nics.nicips");
        check("osimage", "imagetype=linux", "pkglist", "linuximage.pkglist");
        check("osimage", "imagetype=container", "pkglist", "");
    }

    #[test]
    fn names_of_the_docker_plugin_are_accepted() {
        check("node", "", "dockerhost", "vm.host");
        check("node", "", "dockercpus", "vm.cpus");
        check("group", "", "dockermemory", "vm.memory");
        check("node", "", "dockernics", "vm.nics");
        check("node", "", "dockerflag", "vm.othersettings");
        check("node", "", "image", "nodetype.provmethod");
        check("node", "", "command", "docker.command");
    }

    #[test]
    fn other_types_have_their_tables() {
        check("group", "mgt=ipmi", "bmc", "ipmi.bmc");
        check("group", "", "wherevals", "nodegroup.wherevals");
        check("group", "", "usercomment", "nodegroup.comments");
        check("group", "", "groups", "");
        check("network", "", "net", "networks.net");
        check("network", "", "mtu", "networks.mtu");
        check("network", "", "driver", "fabric.driver");
        check("network", "", "usercomment", "networks.comments");
        check("route", "", "ifname", "routes.ifname");
        check("policy", "", "rule", "policy.rule");
        check("osimage", "", "environvar", "osimage.environvar");
        check("osimage", "", "usercomment", "osimage.comments");
        check("monitoring", "", "nodestatmon", "monitoring.nodestatmon");
        check("zone", "", "sshkeydir", "zone.sshkeydir");
    }

    #[test]
    fn the_key_is_no_attribute() {
        for object in all() {
            assert_eq!(object.named(object.key.name).count(), 0, "{}", object.name);
        }
        assert_eq!(find("network").unwrap().key.name, "netname");
    }

    #[test]
    fn one_condition_leads_to_one_cell() {
        for object in all() {
            let mut seen = HashSet::new();
            for attribute in object.attributes() {
                assert!(seen.insert((attribute.name, attribute.only_when)), "{} {}", object.name, attribute.name);
                let both = attribute.only_when.is_some() && seen.contains(&(attribute.name, None));
                assert!(!both, "{} {} with and without condition", object.name, attribute.name);
            }
        }
    }

    #[test]
    fn one_cell_has_one_name() {
        for object in all() {
            let mut cells = std::collections::HashMap::new();
            for attribute in object.attributes() {
                let cell = (attribute.table.name, attribute.column.name);
                let name = cells.entry(cell).or_insert(attribute.name);
                assert_eq!(*name, attribute.name, "{} {cell:?}", object.name);
            }
        }
    }

    #[test]
    fn conditions_ask_for_unconditional_attributes() {
        for object in all() {
            for (attribute, _) in object.attributes().filter_map(|attribute| attribute.only_when) {
                assert!(object.named(attribute).all(|found| found.only_when.is_none()), "{attribute}");
                assert_eq!(object.named(attribute).count(), 1, "{attribute}");
            }
        }
    }

    #[test]
    fn aliases_stand_for_attributes_and_hide_none() {
        for object in all() {
            for (alias, proper) in object.aliases {
                assert!(object.attributes().any(|attribute| attribute.name == *proper), "{proper}");
                assert!(object.attributes().all(|attribute| attribute.name != *alias), "{alias}");
            }
        }
    }

    #[test]
    fn what_types_leave_out_or_rename_exists() {
        for source in TYPES.iter().flat_map(|object| object.sources).copied().flatten() {
            let renamed = source.renamed.iter().map(|(column, _)| column);
            for column in source.without.iter().chain(renamed) {
                assert!(table(source.table).column(column).is_some(), "{}.{column}", source.table);
            }
        }
    }

    #[test]
    fn nodes_and_groups_keep_their_attributes_in_tables_of_nodes() {
        for attribute in find("node").unwrap().attributes() {
            assert_eq!(attribute.table.scope, Scope::Node, "{}", attribute.name);
        }
        for attribute in find("group").unwrap().attributes() {
            let of_group = attribute.table.name == "nodegroup";
            assert!(of_group || attribute.table.scope == Scope::Node, "{}", attribute.name);
            assert_ne!(attribute.table.name, "nodelist", "a row there would make the group a node");
        }
    }

    #[test]
    fn types_are_in_order_and_have_help() {
        assert!(all().windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(all().iter().all(|object| object.help.ends_with('.')));
    }

    #[test]
    fn near_misses_are_recognised() {
        assert_eq!(suggest("nodes"), Some("node"));
        assert_eq!(find("node").unwrap().suggest("vmhosts"), Some("vmhost"));
        assert_eq!(find("node").unwrap().suggest("colour"), None);
    }
}
