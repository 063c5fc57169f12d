//! Nodes with all their attributes, inherited and computed; and why each attribute has its value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::expression::Evaluator;
use crate::inherit::{Sheets, Value, View};
use crate::node::Definition;
use crate::objects::{Attribute, NODE};
use crate::schema::{self, Table};
use crate::store::Store;
use crate::{Error, Node, Result};

/// An attribute of a node with its value and where that comes from.
#[derive(Debug, Clone)]
pub struct Explained {
    pub attribute: &'static Attribute,
    pub value: Value,
}

/// The nodes of these names in their order, each with the host that carries it; refuses names that are no nodes.
pub(crate) fn nodes(store: &Store, names: &[&str]) -> Result<Vec<Node>> {
    store.read(|| {
        let definitions = definitions(store, names)?;
        let hosts = hosts(store, &definitions)?;
        let node = |(name, definition): (&&str, Definition)| {
            let host = definition.get("vmhost").and_then(|host| hosts.get(host)).cloned();
            Node::defined(name, definition, host)
        };
        Ok(names.iter().zip(definitions).map(node).collect())
    })
}

/// The nodes that attribute `vmhost` names, each once; those that are no nodes are left out. A host's own host is not
/// looked up.
fn hosts(store: &Store, guests: &[Definition]) -> Result<BTreeMap<String, Arc<Node>>> {
    let mut names: Vec<&str> = guests.iter().filter_map(|guest| guest.get("vmhost")).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sheets = Sheets::read(store, &names, &node_tables())?;
    let view = sheets.view();
    let mut reader = Reader::new(&view);
    let hosts = names.iter().enumerate().filter(|(number, _)| view.is_node(*number));
    let host = |(number, name): (usize, &&str)| {
        ((*name).to_owned(), Arc::new(Node::defined(name, reader.definition(number), None)))
    };
    Ok(hosts.map(host).collect())
}

fn definitions(store: &Store, names: &[&str]) -> Result<Vec<Definition>> {
    let sheets = Sheets::read(store, names, &node_tables())?;
    let view = sheets.view();
    refuse_strangers(&view, names)?;
    let mut reader = Reader::new(&view);
    Ok((0..names.len()).map(|node| reader.definition(node)).collect())
}

/// Every attribute of the nodes that is set anywhere, with where it comes from; refuses names that are no nodes.
pub(crate) fn explain(store: &Store, names: &[&str]) -> Result<Vec<Vec<Explained>>> {
    store.read(|| {
        let sheets = Sheets::read(store, names, &node_tables())?;
        let view = sheets.view();
        refuse_strangers(&view, names)?;
        let mut reader = Reader::new(&view);
        Ok((0..names.len()).map(|node| reader.explained(node)).collect())
    })
}

/// The values of some columns for each of the nodes; refuses names that are no nodes.
pub(crate) fn cells(store: &Store, names: &[&str], columns: &[(&'static Table, &str)]) -> Result<Vec<Vec<Value>>> {
    store.read(|| {
        let positions: Vec<usize> = columns.iter().map(|(table, name)| position(table, name)).collect::<Result<_>>()?;
        let mut tables: Vec<&'static Table> = columns.iter().map(|(table, _)| *table).collect();
        tables.sort_unstable_by_key(|table| table.name);
        tables.dedup_by_key(|table| table.name);
        let sheets = Sheets::read(store, names, &tables)?;
        let view = sheets.view();
        refuse_strangers(&view, names)?;
        let mut evaluator = Evaluator::default();
        let mut value = |node, table, position| {
            let sheet = view.sheet(table).expect("every table asked for was read");
            view.explain(&mut evaluator, sheet, position, node)
        };
        let mut row = |node| columns.iter().zip(&positions).map(|((table, _), at)| value(node, table, *at)).collect();
        Ok((0..names.len()).map(&mut row).collect())
    })
}

/// Gives every value of some columns of the nodes to `each`, with the numbers of node and column. A value that cannot be
/// computed is passed over, as is a name that is no node.
pub(crate) fn each_text(
    store: &Store,
    names: &[&str],
    columns: &[(&'static Table, &str)],
    each: &mut dyn FnMut(usize, usize, &str),
) -> Result<()> {
    let mut tables: Vec<&'static Table> = columns.iter().map(|(table, _)| *table).collect();
    tables.dedup_by_key(|table| table.name);
    let sheets = Sheets::read(store, names, &tables)?;
    let view = sheets.view();
    let mut evaluator = Evaluator::default();
    for (number, (table, column)) in columns.iter().enumerate() {
        let sheet = view.sheet(table).expect("every table asked for was read");
        let at = position(table, column)?;
        for node in (0..names.len()).filter(|node| sheet.is_filled(at) && view.is_node(*node)) {
            let layers = view.layers(sheet, node);
            if let Ok(Some(text)) = view.value(&mut evaluator, sheet, at, &layers) {
                each(node, number, &text);
            }
        }
    }
    Ok(())
}

fn position(table: &'static Table, column: &str) -> Result<usize> {
    let unknown = || Error::UnknownColumn { table: table.name.to_owned(), column: column.to_owned() };
    table.column(column).ok_or_else(unknown)
}

fn refuse_strangers(view: &View<'_>, names: &[&str]) -> Result<()> {
    let strangers = names.iter().enumerate().filter(|(number, _)| !view.is_node(*number));
    let strangers: Vec<String> = strangers.map(|(_, name)| (*name).to_owned()).collect();
    if strangers.is_empty() { Ok(()) } else { Err(Error::InvalidNames { names: strangers }) }
}

/// The tables that hold attributes of nodes.
fn node_tables() -> Vec<&'static Table> {
    let is_of_nodes = |table: &&Table| NODE.attributes().any(|attribute| attribute.table.name == table.name);
    schema::ALL.iter().copied().filter(is_of_nodes).collect()
}

/// Attributes of nodes by where they are found in a view; only those that any row sets.
struct Reader<'a, 'v> {
    view: &'v View<'a>,
    /// Of each table first those that depend on nothing, in a second round the others.
    rounds: [Vec<Slots>; 2],
    evaluator: Evaluator,
}

struct Slots {
    /// Which of the view's sheets.
    sheet: usize,
    /// The attribute in the column at that position.
    attributes: Vec<(usize, &'static Attribute)>,
}

impl<'a, 'v> Reader<'a, 'v> {
    fn new(view: &'v View<'a>) -> Self {
        let round = |conditional: bool| {
            let sheets = view.sheets.iter().enumerate().map(|(number, sheet)| {
                let here = NODE.attributes().filter(|attribute| {
                    attribute.table.name == sheet.table.name && attribute.only_when.is_some() == conditional
                });
                let placed = here.filter_map(|attribute| Some((sheet.table.column(attribute.column.name)?, attribute)));
                Slots { sheet: number, attributes: placed.filter(|(position, _)| sheet.is_filled(*position)).collect() }
            });
            sheets.filter(|slots| !slots.attributes.is_empty()).collect()
        };
        Self { view, rounds: [round(false), round(true)], evaluator: Evaluator::default() }
    }

    fn definition(&mut self, node: usize) -> Definition {
        let (mut attributes, mut faults) = (Vec::new(), Vec::new());
        for slots in self.rounds.iter().flatten() {
            let sheet = &self.view.sheets[slots.sheet];
            let layers = self.view.layers(sheet, node);
            for (position, attribute) in &slots.attributes {
                if !attribute.applies(&|name| found(&attributes, name)) {
                    continue;
                }
                match self.view.value(&mut self.evaluator, sheet, *position, &layers) {
                    Ok(None) => {}
                    Ok(Some(value)) => attributes.push((Cow::Borrowed(attribute.name), value.into_owned())),
                    Err(fault) => faults.push((attribute.name, fault)),
                }
            }
        }
        Definition::new(attributes, faults)
    }

    fn explained(&mut self, node: usize) -> Vec<Explained> {
        let definition = self.definition(node);
        let mut explained = Vec::new();
        for slots in self.rounds.iter().flatten() {
            let sheet = &self.view.sheets[slots.sheet];
            for (position, attribute) in &slots.attributes {
                if attribute.applies(&|name| definition.get(name)) {
                    let value = self.view.explain(&mut self.evaluator, sheet, *position, node);
                    explained.push(Explained { attribute, value });
                }
            }
        }
        explained.retain(|explained| !explained.value.given.is_empty());
        explained.sort_by_key(|explained| explained.attribute.name);
        explained
    }
}

fn found<'v>(attributes: &'v [(Cow<'static, str>, String)], name: &str) -> Option<&'v str> {
    attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::tests::{Scratch, filled};
    use crate::{Place, Select};

    /// What `lsdef` would say of a node's attribute, from rows such as `nodehm n1 mgt=ipmi`.
    #[track_caller]
    fn check(rows: &str, node: &str, attribute: &str, expected: &str) {
        let tables = filled(rows);
        let nodes = tables.resolve(&[node.to_owned()]).unwrap();
        assert_eq!(nodes[0].get(attribute).unwrap_or_default(), expected, "{attribute} of {node} with {rows}");
        // The explanation must tell the same story.
        let explained = tables.explain(&[node.to_owned()]).unwrap().remove(0);
        let value = explained.into_iter().find(|explained| explained.attribute.name == attribute);
        assert_eq!(value.and_then(|explained| explained.value.text).unwrap_or_default(), expected, "explained");
    }

    /// The places that have a say in an attribute; in parentheses what is overridden.
    fn places(tables: &Scratch, node: &str, attribute: &str) -> String {
        let explained = tables.explain(&[node.to_owned()]).unwrap().remove(0);
        let found = explained.into_iter().find(|explained| explained.attribute.name == attribute).unwrap();
        let shown = found.value.given.iter().map(|given| {
            let place = match &given.place {
                Place::Own => "own",
                Place::Group(group) => group,
                Place::Defaults => "defaults",
            };
            if given.used { format!("{place}={}", given.text) } else { format!("({place}={})", given.text) }
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn own_row_then_groups_in_order_for_each_attribute() {
        let rows = "nodelist n1 groups=b,a; nodehm a mgt=ipmi,cons=x; nodehm b mgt=kvm; nodehm n1 power=own";
        check(rows, "n1", "mgt", "kvm");
        check(rows, "n1", "cons", "x");
        check(rows, "n1", "power", "own");
        check(rows, "n1", "groups", "b,a");
        check(rows, "n1", "getmac", "");
        check("nodelist n1 groups= b , a ; nodehm a mgt=ipmi; nodehm b mgt=kvm", "n1", "mgt", "kvm");
    }

    #[test]
    fn a_cleared_value_shows_the_groups_again() {
        check("nodelist n1 groups=a; nodehm a mgt=ipmi; nodehm n1 mgt=kvm; nodehm n1 mgt=", "n1", "mgt", "ipmi");
    }

    #[test]
    fn disabled_rows_are_invisible() {
        check("nodelist n1 groups=a; nodehm a mgt=ipmi; nodehm n1 mgt=kvm,disable=1", "n1", "mgt", "ipmi");
        check("nodelist n1 groups=a; nodehm a mgt=ipmi,disable=yes", "n1", "mgt", "");
        let tables = filled("nodelist n1 disable=yes; nodelist n2 groups=all");
        assert!(matches!(tables.resolve(&["n1".into()]), Err(Error::InvalidNames { .. })));
    }

    #[test]
    fn nodelist_itself_is_not_inherited() {
        check("nodelist n1 groups=n2; nodelist n2 status=booted,groups=all", "n1", "status", "");
    }

    #[test]
    fn a_table_with_several_rows_is_topped_up_column_by_column() {
        let rows = "nodelist m3 groups=a; switch m3,sw1,7 ; switch a,sw9,1 vlan=12,interface=eth9";
        check(rows, "m3", "switch", "sw1");
        check(rows, "m3", "switchport", "7");
        check(rows, "m3", "switchvlan", "12");
        let rows = "nodelist m3 groups=a; switch m3,sw1,7 vlan=1; switch m3,sw2,8 vlan=1";
        check(rows, "m3", "switchport", "7,8");
        check(rows, "m3", "switchvlan", "1");
    }

    #[test]
    fn hierarchical_attributes_add_up() {
        let rows = "site hierarchicalattrs value=chain|ip:;; nodelist n1 groups=a|b; chain a chain=boot|standby; \
                    chain b chain=standby|offline; chain n1 chain=shell; hosts a ip=10.0.0.1; hosts b ip=10.0.0.2";
        check(&rows.replace(":;;", ":%;"), "n1", "chain", "shell,boot,standby,offline");
        check(&rows.replace(":;;", ":%;"), "n1", "ip", "10.0.0.1%10.0.0.2");
    }

    #[test]
    fn nextrecord_adds_the_next_one_and_never_shows() {
        let rows =
            "nodelist n1 groups=a|b; chain a chain=boot; chain b chain=standby; chain n1 chain=shell+=NEXTRECORD";
        check(rows, "n1", "chain", "shell,boot");
        check(&rows.replace("chain=boot", "chain=boot+=NEXTRECORD"), "n1", "chain", "shell,boot,standby");
        check("nodelist n1 ; chain n1 chain=shell+=NEXTRECORD", "n1", "chain", "shell");
        check("nodelist n1 ; chain n1 chain=+=NEXTRECORD", "n1", "chain", "");
    }

    #[test]
    fn postscripts_for_all_come_first_and_once() {
        let rows = "postscripts xcatdefaults postscripts=syslog|remoteshell; postscripts service postscripts=servicenode; \
                    nodelist n1 groups=all; nodelist s1 groups=service; postscripts s2 postscripts=mine|syslog; \
                    nodelist s2 groups=service";
        check(rows, "n1", "postscripts", "syslog,remoteshell");
        check(rows, "s1", "postscripts", "syslog,remoteshell,servicenode");
        check(rows, "s2", "postscripts", "syslog,remoteshell,mine");
        check(rows, "n1", "postbootscripts", "");
    }

    #[test]
    fn expressions_are_computed_after_inheritance() {
        let rows = r"nodelist node7 groups=all; hosts all ip=|node(\d+)|10.0.0.($1+1)|; nodehm all mgt=ipmi; ipmi all bmc=/\z/-bmc/";
        check(rows, "node7", "ip", "10.0.0.8");
        check(rows, "node7", "bmc", "node7-bmc");
        check(r"nodelist foo groups=all; hosts all ip=|node(\d+)|10.0.0.($1+1)|", "foo", "ip", "");
        let nics =
            r"nodelist node7 groups=all; nics all nicips=eth1!|node(\d+)|10.1.0.($1)|,ib0!10.2.0.7,ib1!|10.3.0.($1)|";
        check(nics, "node7", "nicips", "eth1!10.1.0.7,ib0!10.2.0.7,ib1!10.3.0.7");
    }

    #[test]
    fn a_faulty_expression_unsets_one_attribute_and_says_why() {
        let tables = filled(r"nodelist node1 groups=all; hosts all ip=|node(\d+)|($1/0)|; nodehm all mgt=ipmi");
        let node = tables.nodes("node1").unwrap().remove(0);
        assert_eq!((node.get("mgt"), node.get("ip")), (Some("ipmi"), None));
        assert_eq!(node.require("ip").unwrap_err().to_string(), "cannot compute attribute 'ip'");
        assert_eq!(node.faults().map(|(name, _)| name).collect::<Vec<_>>(), ["ip"]);
    }

    #[test]
    fn conditional_attributes_follow_the_inherited_mgt() {
        let rows = "nodelist n1 groups=a; nodehm a mgt=ipmi; ipmi n1 bmc=b1; openbmc n1 bmc=o1,consport=9";
        check(rows, "n1", "bmc", "b1");
        check(rows, "n1", "consport", "");
        let rows = rows.replace("mgt=ipmi", "mgt=openbmc");
        check(&rows, "n1", "bmc", "o1");
        check(&rows, "n1", "consport", "9");
    }

    #[test]
    fn an_explanation_shows_what_is_overridden() {
        let tables = filled(
            "nodelist n1 groups=a|b; nodehm n1 mgt=kvm; nodehm a mgt=ipmi; nodehm b mgt=docker; \
             postscripts xcatdefaults postscripts=syslog; postscripts b postscripts=b1; postscripts a postscripts=a1",
        );
        assert_eq!(places(&tables, "n1", "mgt"), "own=kvm (a=ipmi) (b=docker)");
        assert_eq!(places(&tables, "n1", "postscripts"), "a=a1 (b=b1) defaults=syslog");
    }

    #[test]
    fn guests_of_one_host_share_it() {
        let tables =
            filled("nodelist h1 groups=hosts; nodelist c[1-3] ; vm c[1-3] host=h1; dockerhost hosts endpoint=unix");
        let nodes = tables.nodes("c1-c3").unwrap();
        assert_eq!(nodes[0].host().unwrap().get("dockerendpoint"), Some("unix"));
        assert!(std::ptr::eq(nodes[0].host().unwrap(), nodes[2].host().unwrap()));
        assert!(filled("nodelist c1 ; vm c1 host=nowhere").nodes("c1").unwrap()[0].host().is_none());
    }

    #[test]
    fn many_nodes_are_what_each_is_alone() {
        let rows = r"nodelist node[1-900] groups=even|all; hosts all ip=|10.0.($1/250).($1%250+1)|; nodehm node[1-300] mgt=docker;
                     nodehm all mgt=ipmi; vm even host=node1";
        let tables = filled(rows);
        let all = tables.nodes("all").unwrap();
        assert_eq!(all.len(), 900);
        for node in all.iter().step_by(97) {
            assert_eq!(&tables.resolve(&[node.name().to_owned()]).unwrap()[0], node);
        }
    }

    #[test]
    fn cells_give_columns_in_the_order_asked_for() {
        let tables = filled("nodelist n1 groups=a; nodelist n2 ; nodehm a mgt=ipmi; vm n2 host=h9");
        let [hm, vm] = ["nodehm", "vm"].map(|name| schema::find(name).unwrap());
        let cells = tables.cells(&["n2".into(), "n1".into()], &[(vm, "host"), (hm, "mgt"), (vm, "cpus")]).unwrap();
        assert_eq!(tables.resolve(&["n1".into(), "n2".into(), "n1".into()]).unwrap()[2].get("mgt"), Some("ipmi"));
        let texts: Vec<Vec<_>> =
            cells.iter().map(|row| row.iter().map(|value| value.text.as_deref()).collect()).collect();
        assert_eq!(texts, [[Some("h9"), None, None], [None, Some("ipmi"), None]]);
        assert_eq!(cells[1][1].given[0].place, Place::Group("a".into()));
        assert!(matches!(tables.cells(&["n1".into()], &[(vm, "bogus")]), Err(Error::UnknownColumn { .. })));
        assert_eq!(tables.rows(vm, Select::All).unwrap().len(), 1);
    }
}
