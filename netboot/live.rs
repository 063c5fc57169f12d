//! What the tables say, read once and again when somebody has changed them: a change is live with the next question, and a
//! question between two changes costs nothing.
//!
//! What is only observed (a status, a lease) changes nothing that is read here: a thousand machines that boot at once write
//! thousands of those.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tables::Tables;

/// When what is no entry of the journal is heeded too: somebody may have changed the database by other means.
const UNJOURNALLED: Duration = Duration::from_secs(10);

/// Something made of the tables.
pub struct Live<T> {
    tables: Arc<Tables>,
    read: fn(&Tables) -> tables::Result<T>,
    version: i64,
    decision: i64,
    since: Instant,
    view: Arc<T>,
}

impl<T> Live<T> {
    /// Reads for the first time; that this fails is an error.
    pub fn open(tables: Arc<Tables>, read: fn(&Tables) -> tables::Result<T>) -> tables::Result<Self> {
        let (version, decision) = (tables.version()?, tables.newest_decision()?);
        let view = Arc::new(read(&tables)?);
        Ok(Self { tables, read, version, decision, since: Instant::now(), view })
    }

    /// What the tables say now. Where they cannot be read, that is logged and the last view goes on.
    pub fn now(&mut self) -> Arc<T> {
        if let Err(error) = self.renew() {
            tracing::error!(error = &error as &dyn std::error::Error, "the tables cannot be read");
        }
        self.view.clone()
    }

    fn renew(&mut self) -> tables::Result<()> {
        // Asked before the reading: what is changed during it is seen by the next.
        let version = self.tables.version()?;
        if version == self.version {
            return Ok(());
        }
        let decision = self.tables.newest_decision()?;
        if decision != self.decision || self.since.elapsed() >= UNJOURNALLED {
            self.view = Arc::new((self.read)(&self.tables)?);
            (self.version, self.decision, self.since) = (version, decision, Instant::now());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tables::{Origin, Select, schema};

    use super::*;

    #[test]
    fn what_is_decided_counts_and_what_is_observed_does_not() {
        let home = tempfile::tempdir().unwrap();
        let [ours, others] = [0, 1].map(|_| Arc::new(Tables::open(home.path()).unwrap()));
        let nodelist = schema::find("nodelist").unwrap();
        let origin = Origin { user: "root".into(), command: "test".into(), reason: None };
        let define =
            |name: &str| others.edit(&origin, |edit| edit.set(nodelist, &[name], &[("groups", "all")])).map(drop);
        define("n1").unwrap();
        let mut live = Live::open(ours, |tables| tables.rows(schema::find("nodelist").unwrap(), Select::All)).unwrap();
        let first = live.now();
        others.record_statuses(&BTreeMap::from([("n1".into(), "booted")])).unwrap();
        assert!(Arc::ptr_eq(&first, &live.now()));
        define("n2").unwrap();
        assert_eq!(live.now().len(), 2);
        // By hand, which nothing tells.
        others.record_statuses(&BTreeMap::from([("n2".into(), "booted")])).unwrap();
        live.since -= UNJOURNALLED;
        assert_eq!(live.now()[1].get("status"), Some("booted"));
    }
}
