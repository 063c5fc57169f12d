//! Table nodeupdate: updates of nodes' images from the moment before a node is touched until its command is over.
//!
//! Not journalled: a row tells how far a command is, which nobody has decided and nobody can take back.

use crate::schema::{self, Table};
use crate::{Edit, Result, Row, Select, Tables};

/// An update of one node's image that is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    pub node: String,
    /// What provmethod is to be, and the digest of that.
    pub image: String,
    pub digest: String,
    /// What provmethod was, inherited or not, and the digest that ran; empty where no registry knew it.
    pub from_image: String,
    pub from_digest: String,
    /// The node's own provmethod before; empty where it inherited one.
    pub own_image: String,
    /// Whether the node ran.
    pub was_on: bool,
    pub stage: Stage,
}

/// How far an update of a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The node may be anything, or not be at all.
    Begun,
    /// It has the new image.
    Made,
    /// It was found good, and the tables say so too.
    Good,
}

impl Stage {
    const ALL: [(Self, &'static str); 3] = [(Self::Begun, "begun"), (Self::Made, "made"), (Self::Good, "good")];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(stage, _)| *stage == self).map_or("begun", |(_, word)| word)
    }
}

impl Update {
    fn read(row: &Row) -> Self {
        let text = |column: &str| row.get(column).unwrap_or_default().to_owned();
        let word = row.get("state").unwrap_or_default();
        Self {
            node: text("node"),
            image: text("image"),
            digest: text("digest"),
            from_image: text("fromimage"),
            from_digest: text("fromdigest"),
            own_image: text("ownimage"),
            was_on: row.get("power") == Some("on"),
            stage: Stage::ALL.iter().find(|(_, known)| *known == word).map_or(Stage::Begun, |(stage, _)| *stage),
        }
    }

    fn write(&self, edit: &mut Edit<'_>, since: &str) -> Result<()> {
        let cells = [
            ("image", self.image.as_str()),
            ("digest", &self.digest),
            ("fromimage", &self.from_image),
            ("fromdigest", &self.from_digest),
            ("ownimage", &self.own_image),
            ("power", if self.was_on { "on" } else { "off" }),
            ("state", self.stage.word()),
            ("since", since),
        ];
        edit.set(table(), &[&self.node], &cells).map(drop)
    }
}

impl Tables {
    /// The updates that are not finished.
    pub fn updates(&self) -> Result<Vec<Update>> {
        Ok(self.rows(table(), Select::All)?.iter().map(Update::read).collect())
    }

    /// Writes down how far updates are, in place of what was known of their nodes.
    pub fn keep_updates(&self, updates: &[Update]) -> Result<()> {
        let store = self.changeable()?;
        store.write(|| {
            let now = store.universal_time()?;
            let mut edit = Edit::new(&store);
            updates.iter().try_for_each(|update| update.write(&mut edit, &now))
        })
    }

    /// Forgets the updates of these nodes: they are over.
    pub fn forget_updates(&self, nodes: &[&str]) -> Result<()> {
        let store = self.changeable()?;
        store.write(|| Edit::new(&store).delete(table(), Select::Keys(nodes)).map(drop))
    }
}

fn table() -> &'static Table {
    schema::find("nodeupdate").expect("table nodeupdate is in the schema")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Filter;
    use crate::tables::tests::scratch;

    #[test]
    fn an_update_is_kept_until_it_is_over_and_not_journalled() {
        let tables = scratch();
        let update = |node: &str, stage: Stage| Update {
            node: node.into(),
            image: "a:2".into(),
            digest: "sha256:2".into(),
            from_image: "a:1".into(),
            from_digest: String::new(),
            own_image: String::new(),
            was_on: node == "c1",
            stage,
        };
        let both = [update("c1", Stage::Begun), update("c2", Stage::Made)];
        tables.keep_updates(&both).unwrap();
        assert_eq!(tables.updates().unwrap(), both);
        tables.keep_updates(&[update("c1", Stage::Good)]).unwrap();
        assert_eq!(tables.updates().unwrap(), [update("c1", Stage::Good), update("c2", Stage::Made)]);
        tables.forget_updates(&["c1", "nope"]).unwrap();
        assert_eq!(tables.updates().unwrap(), [update("c2", Stage::Made)]);
        assert_eq!(tables.journal(&Filter::default()).unwrap(), []);
    }
}
