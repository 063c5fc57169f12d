//! The rows that changes of many objects start from, read once for all of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use super::{owner_column, words};
use crate::objects::{Attribute, ObjectType};
use crate::schema::Table;
use crate::store::{Stored, first_key};
use crate::{Edit, Result, Row, Select};

/// The rows of some tables that are about some objects.
pub(super) struct Known<'e, 't> {
    edit: &'e Edit<'t>,
    object: &'static ObjectType,
    sheets: BTreeMap<&'static str, Sheet>,
    /// Rows of groups by table and group, read when first asked for.
    of_groups: RefCell<HashMap<(&'static str, String), Vec<Row>>>,
}

/// The rows of one table by whom they are about, disabled ones too.
pub(super) type Sheet = HashMap<String, Vec<Stored>>;

impl<'e, 't> Known<'e, 't> {
    pub(super) fn read(
        edit: &'e Edit<'t>,
        object: &'static ObjectType,
        tables: &[&'static Table],
        names: &[&str],
    ) -> Result<Self> {
        let mut sheets = BTreeMap::new();
        for table in tables {
            sheets.insert(table.name, sheet(edit, table, owner_column(object, table), names)?);
        }
        Ok(Self { edit, object, sheets, of_groups: RefCell::default() })
    }

    /// Gives the rows away, for them to be changed.
    pub(super) fn into_sheets(self) -> BTreeMap<&'static str, Sheet> {
        self.sheets
    }

    /// Whether any row of the table is about the object.
    pub(super) fn has_row(&self, table: &Table, name: &str) -> bool {
        self.sheets.get(table.name).is_some_and(|sheet| sheet.contains_key(name))
    }

    /// What the object's own row says.
    pub(super) fn own(&self, name: &str, place: &Attribute) -> Option<&str> {
        let rows = self.sheets.get(place.table.name)?.get(name)?;
        rows.iter().filter(|stored| !stored.row.is_disabled()).find_map(|stored| stored.row.get(place.column.name))
    }

    /// The value that the first of the node's groups with one supplies, and that group. `groups` are those that the node
    /// will be in, if they change.
    pub(super) fn inherited(
        &self,
        name: &str,
        place: &Attribute,
        groups: Option<&str>,
    ) -> Result<Option<(String, String)>> {
        if self.object.name != "node" || place.table.name == "nodelist" {
            return Ok(None);
        }
        let now = || self.object.named("groups").next().and_then(|place| self.own(name, place)).unwrap_or_default();
        for group in words(groups.unwrap_or_else(now)) {
            if let Some(value) = self.of_group(group, place)? {
                return Ok(Some((value, group.to_owned())));
            }
        }
        Ok(None)
    }

    fn of_group(&self, group: &str, place: &Attribute) -> Result<Option<String>> {
        let value = |rows: &[Row]| rows.iter().find_map(|row| row.get(place.column.name)).map(str::to_owned);
        let key = (place.table.name, group.to_owned());
        if let Some(rows) = self.of_groups.borrow().get(&key) {
            return Ok(value(rows));
        }
        let rows = self.edit.rows(place.table, Select::Keys(&[group]))?;
        let found = value(&rows);
        self.of_groups.borrow_mut().insert(key, rows);
        Ok(found)
    }
}

fn sheet(edit: &Edit<'_>, table: &'static Table, owner: &'static str, names: &[&str]) -> Result<Sheet> {
    let store = edit.store();
    let rows = match names {
        _ if owner == first_key(table) => store.stored(table, Select::Keys(names))?,
        [name] => store.stored(table, Select::Where(&[(owner, name)]))?,
        _ => store.stored(table, Select::Stored)?,
    };
    let mut sheet = Sheet::new();
    for stored in rows {
        let name = stored.row.get(owner).unwrap_or_default().to_owned();
        sheet.entry(name).or_default().push(stored);
    }
    Ok(sheet)
}
