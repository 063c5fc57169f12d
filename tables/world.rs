//! The nodes and groups of the database as noderanges ask for them.
//!
//! Nothing is read before it is asked for: a range of one exact name costs one look-up, whatever the number of nodes.

use std::cell::{Cell, OnceCell};
use std::collections::{HashMap, HashSet};

use crate::criterion::Criterion;
use crate::expression::Evaluator;
use crate::inherit::{Sheet, Sheets, View};
use crate::noderange::{self, Builder, Expansion, Names, Options, Unknown, World};
use crate::objects::{Attribute, NODE};
use crate::row::Row;
use crate::schema::{self, Scope, Table};
use crate::store::Store;
use crate::{Error, Result, Select};

/// What a failed question carries up through the evaluation.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// After so many groups the members of all groups are read at once.
const FEW_GROUPS: usize = 3;

/// The nodes of a range without those that `site.excludenodes` names.
pub(crate) fn expand(store: &Store, range: &str, unknown: Unknown) -> Result<Expansion> {
    store.read(|| {
        let world = Nodes {
            store,
            names: OnceCell::new(),
            groups: OnceCell::new(),
            members: OnceCell::new(),
            groups_asked: Cell::new(0),
        };
        let mut expansion = noderange::expand(range, &world, &Options { unknown, ..Options::default() })?;
        if let Some(excluded) = crate::tables::site(store, "excludenodes")? {
            let options = Options { unknown: Unknown::Report, ..Options::default() };
            let excluded = noderange::expand(&excluded, &world, &options)?;
            expansion.names = expansion.names.without(&excluded.names);
        }
        Ok(expansion)
    })
}

struct Nodes<'s> {
    store: &'s Store,
    names: OnceCell<Names>,
    groups: OnceCell<Names>,
    /// The nodes of every group, once so many were asked for that all are read.
    members: OnceCell<HashMap<String, Names>>,
    groups_asked: Cell<usize>,
}

impl World for Nodes<'_> {
    fn contains(&self, name: &str) -> Result<bool, Cause> {
        match self.names.get() {
            Some(names) => Ok(names.contains(name)),
            None => Ok(!self.store.rows(table("nodelist"), Select::Keys(&[name]))?.is_empty()),
        }
    }

    fn group(&self, name: &str) -> Result<Option<Names>, Cause> {
        Ok(self.members(name, &mut HashSet::new())?)
    }

    fn names(&self) -> Result<&Names, Cause> {
        if let Some(names) = self.names.get() {
            return Ok(names);
        }
        let names = self.store.node_names()?;
        Ok(self.names.get_or_init(|| names))
    }

    fn groups(&self) -> Result<&Names, Cause> {
        if let Some(groups) = self.groups.get() {
            return Ok(groups);
        }
        let groups = self.store.group_names()?;
        Ok(self.groups.get_or_init(|| groups))
    }

    fn criterion(&self, criterion: &Criterion) -> Result<Names, Cause> {
        Ok(select(self.store, std::slice::from_ref(criterion))?)
    }
}

impl Nodes<'_> {
    /// The members of a group and of the groups that belong to it; `seen` keeps groups that contain each other from
    /// going round.
    fn members(&self, group: &str, seen: &mut HashSet<String>) -> Result<Option<Names>> {
        let defined = self.store.rows(table("nodegroup"), Select::Keys(&[group]))?.pop();
        if let Some(row) = &defined
            && row.get("grouptype") == Some("dynamic")
        {
            return Ok(Some(select(self.store, &where_values(row)?)?));
        }
        let members = self.static_members(group)?;
        if !seen.insert(group.to_owned()) || (members.is_empty() && defined.is_none()) {
            return Ok((!members.is_empty()).then_some(members));
        }
        let inner = defined.as_ref().and_then(|row| row.get("membergroups")).unwrap_or_default();
        let mut all = Builder::default();
        all.join(members);
        for inner in inner.split(',').map(str::trim).filter(|inner| !inner.is_empty()) {
            all.join(self.members(inner, seen)?.unwrap_or_default());
        }
        Ok(Some(all.finish()))
    }

    fn static_members(&self, group: &str) -> Result<Names> {
        if let Some(members) = self.members.get() {
            return Ok(members.get(group).cloned().unwrap_or_default());
        }
        if let Some(members) = self.store.kept_members(group)? {
            return Ok(members);
        }
        self.groups_asked.set(self.groups_asked.get() + 1);
        if self.groups_asked.get() <= FEW_GROUPS {
            return self.store.members(group);
        }
        let members = self.store.memberships()?.groups;
        Ok(self.members.get_or_init(|| members).get(group).cloned().unwrap_or_default())
    }
}

/// The criteria of a dynamic group: `mgt==ipmi::arch=~x86`.
fn where_values(group: &Row) -> Result<Vec<Criterion>> {
    let values = group.get("wherevals").unwrap_or_default();
    let failed = |source| Error::Criterion { place: format!("group '{}'", group.key().join(",")), source };
    let criteria = values.split("::").filter(|value| !value.is_empty());
    criteria.map(|value| Criterion::parse(value).map_err(failed)).collect()
}

/// The nodes that meet all criteria. Keys are `table.column`, an attribute of nodes, or `groups` and `tags`.
pub(crate) fn select(store: &Store, criteria: &[Criterion]) -> Result<Names> {
    let names = store.node_names()?.to_vec();
    let keys: Vec<Key> = criteria.iter().map(|criterion| key(&criterion.key)).collect::<Result<_>>()?;
    let mut tables: Vec<&'static Table> = keys.iter().flat_map(Key::tables).collect();
    tables.sort_unstable_by_key(|table| table.name);
    tables.dedup_by_key(|table| table.name);
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    let sheets = Sheets::read(store, &wanted, &tables)?;
    let view = sheets.view();
    let mut evaluator = Evaluator::default();
    let mut meets = |node: usize| {
        let mut pairs = keys.iter().zip(criteria);
        pairs.all(|(key, criterion)| criterion.matches(key.value(&view, &mut evaluator, node).as_deref()))
    };
    Ok((0..names.len()).filter(|node| meets(*node)).map(|node| &names[node]).collect())
}

/// What a criterion asks of a node.
enum Key {
    Column(&'static Table, usize),
    /// The places where the attribute may be kept.
    Attribute(Vec<&'static Attribute>),
}

fn key(text: &str) -> Result<Key> {
    let text = match text {
        "tags" => "groups",
        "node" => "nodelist.node",
        other => other,
    };
    let Some((table, column)) = text.split_once('.').filter(|(table, _)| schema::find(table).is_some()) else {
        let places: Vec<_> = NODE.named(text).collect();
        let unknown = || Error::UnknownKey { key: text.to_owned() };
        return (!places.is_empty()).then_some(Key::Attribute(places)).ok_or_else(unknown);
    };
    let table = self::table(table);
    let position = table.column(column).filter(|_| table.scope == Scope::Node);
    position.map(|position| Key::Column(table, position)).ok_or_else(|| Error::UnknownKey { key: text.to_owned() })
}

impl Key {
    fn tables(&self) -> Vec<&'static Table> {
        let Self::Attribute(places) = self else {
            return if let Self::Column(table, _) = self { vec![table] } else { Vec::new() };
        };
        let conditions = places.iter().filter_map(|place| place.only_when).flat_map(|(name, _)| NODE.named(name));
        places.iter().copied().chain(conditions).map(|place| place.table).collect()
    }

    fn value(&self, view: &View<'_>, evaluator: &mut Evaluator, node: usize) -> Option<String> {
        match self {
            Self::Column(table, position) => cell(view, evaluator, table, *position, node),
            Self::Attribute(places) => {
                let mut kept = |place: &Attribute| {
                    cell(view, evaluator, place.table, place.table.column(place.column.name)?, node)
                };
                let mut conditions = HashMap::new();
                for (name, _) in places.iter().filter_map(|place| place.only_when) {
                    conditions.insert(name, NODE.named(name).find_map(&mut kept));
                }
                let applies = |place: &&&Attribute| {
                    place.applies(&|name| conditions.get(name).and_then(|value| value.as_deref()))
                };
                kept(places.iter().find(applies)?)
            }
        }
    }
}

/// The value in a column; one that cannot be computed is unset.
fn cell(view: &View<'_>, evaluator: &mut Evaluator, table: &Table, position: usize, node: usize) -> Option<String> {
    let sheet: &Sheet<'_> = view.sheet(table)?;
    view.value(evaluator, sheet, position, &view.layers(sheet, node)).ok()?.map(Into::into)
}

fn table(name: &str) -> &'static Table {
    schema::find(name).expect("the schema has the tables that noderanges are about")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::tests::filled;

    const SITE: &str = "nodelist n[1-4] groups=all; nodelist h1 groups=hosts; nodelist off groups=all,disable=1; \
        nodehm n[1-2] mgt=docker; nodehm hosts mgt=ipmi; vm n1 host=h1; vm n2 host=/^n2$/h2/; ipmi hosts bmc=/$/-bmc/; \
        nodegroup empty grouptype=static; nodegroup dyn grouptype=dynamic,wherevals=mgt==docker::vmhost=~h; \
        nodegroup both grouptype=static,membergroups=hosts|dyn|both; nodegroup broken grouptype=dynamic,wherevals=mgt";

    #[track_caller]
    fn check(range: &str, expected: &str) {
        let tables = filled(SITE);
        let got = match tables.expand(range) {
            Ok(names) => names.join(" "),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, expected, "{range}");
        let within = tables.edit(&crate::tables::tests::origin("test"), |edit| edit.expand(range));
        assert_eq!(within.map_or_else(|error| error.to_string(), |names| names.join(" ")), got, "within an edit");
    }

    #[test]
    fn names_and_static_groups() {
        check("n1", "n1");
        check("n1-n3,h1", "h1 n1 n2 n3");
        check("all", "n1 n2 n3 n4");
        check("hosts,all,-n2", "h1 n1 n3 n4");
        check("all@n1-n2", "n1 n2");
        check("/n[12]", "n1 n2");
    }

    #[test]
    fn strangers_and_hidden_nodes_are_unknown() {
        check("n1,x1,off,x2", "Invalid nodes and/or groups in noderange: x1,off,x2");
        let tables = filled(SITE);
        let found = tables.expand_with("n1,x1", Unknown::Report).unwrap();
        assert_eq!((found.names.len(), found.unknown), (1, vec!["x1".to_owned()]));
        assert_eq!(tables.expand_with("n1,x1", Unknown::Accept).unwrap().names.len(), 2);
    }

    #[test]
    fn a_group_has_the_same_members_among_few_lists_of_groups_and_many() {
        let tables = filled("nodelist n1 groups=a|b; nodelist n2 groups=b|ab; nodelist off groups=b,disable=1");
        let check = || {
            assert_eq!(tables.expand("a").unwrap(), ["n1"]);
            assert_eq!(tables.expand("b").unwrap(), ["n1", "n2"]);
        };
        check();
        let many = |edit: &mut crate::Edit<'_>| {
            let mut numbers = 0..=crate::memberships::FEW_LISTS;
            numbers.try_for_each(|n| {
                edit.set(table("nodelist"), &[&format!("m{n}")], &[("groups", &format!("ab{n}"))]).map(drop)
            })
        };
        tables.edit(&crate::tables::tests::origin("test"), many).unwrap();
        check();
    }

    #[test]
    fn defined_groups_may_be_empty_dynamic_or_made_of_groups() {
        check("empty", "");
        check("dyn", "n1 n2");
        check("both", "h1 n1 n2");
        check("all,-dyn", "n3 n4");
        check("broken", "cannot look up group 'broken'");
    }

    #[test]
    fn criteria_compare_the_inherited_and_computed_value() {
        check("mgt==docker", "n1 n2");
        check("mgt!=docker", "h1 n3 n4");
        check("nodehm.mgt==ipmi", "h1");
        check("vm.host==h2", "n2");
        check("vmhost=~^h", "n1 n2");
        check("bmc==h1-bmc", "h1");
        check("openbmc.bmc==", "h1 n1 n2 n3 n4");
        check("tags=~hosts", "h1");
        check("all@mgt==docker", "n1 n2");
        check("bogus==1", "cannot select by 'bogus'");
        check("vm.bogus==1", "cannot select by 'vm.bogus'");
        check("site.value==1", "cannot select by 'site.value'");
    }

    #[test]
    fn excluded_nodes_are_left_out_everywhere() {
        let tables = filled(&format!("{SITE}; site excludenodes value=n2-n3|x9"));
        assert_eq!(tables.expand("all").unwrap(), ["n1", "n4"]);
        assert_eq!(tables.expand("n2").unwrap(), [""; 0]);
        let empty = tables.nodes("n2").unwrap_err().to_string();
        assert_eq!(empty, "No node in 'n2', check the noderange syntax.");
    }

    #[test]
    fn many_groups_are_what_each_is_alone() {
        let tables = filled("nodelist n1 groups=r1|r2|r3; nodelist n2 groups=r3|r4|r5; nodelist n3 groups=r5|r6");
        assert_eq!(tables.expand("r1,r2,r3,r4,r5,r6").unwrap(), ["n1", "n2", "n3"]);
        assert_eq!(tables.expand("r[1-6],-r5,-r1,-r2,-r6").unwrap(), [""; 0]);
        assert_eq!(tables.expand("r[2-4],-r5").unwrap(), ["n1"]);
    }

    #[test]
    fn names_starting_lists_nodes_and_groups() {
        let tables = filled(SITE);
        assert_eq!(tables.names_starting("h", 9).unwrap(), ["h1", "hosts"]);
        assert_eq!(tables.names_starting("n", 2).unwrap(), ["n1", "n2"]);
        assert_eq!(tables.names_starting("dy", 9).unwrap(), ["dyn"]);
        assert_eq!(tables.guest_hosts().unwrap().into_iter().collect::<Vec<_>>(), ["h1", "h2"]);
    }
}
