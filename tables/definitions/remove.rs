//! Removing objects, from every table that says something of them.

use super::{node_tables, nodelist, other_tables, owner_column};
use crate::objects::ObjectType;
use crate::{Edit, Result, Select};

impl Edit<'_> {
    /// Removes objects with everything the tables say of them. Returns how many there were.
    pub fn undefine(&mut self, object: &'static ObjectType, names: &[&str]) -> Result<usize> {
        match (object.name, object.only_object) {
            (_, Some(_)) => Ok(0),
            ("node", _) => self.undefine_nodes(names),
            ("group", _) => self.undefine_groups(names),
            _ => {
                let mut removed = 0;
                for name in names {
                    removed += self.delete(object.key.table, Select::Where(&[(object.key.column.name, name)]))?.min(1);
                    for table in other_tables(object) {
                        self.delete(table, Select::Where(&[(owner_column(object, table), name)]))?;
                    }
                }
                Ok(removed)
            }
        }
    }

    fn undefine_nodes(&mut self, names: &[&str]) -> Result<usize> {
        let nodelist = nodelist();
        let removed = self.delete(nodelist, Select::Keys(names))?;
        for table in node_tables().filter(|table| table.name != nodelist.name) {
            self.delete(table, Select::Keys(names))?;
        }
        Ok(removed)
    }
}
