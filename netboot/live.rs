//! What the tables say, read once and again when somebody has changed them: a change is live with the next question, and a
//! question between two changes costs nothing.

use std::sync::Arc;

use tables::Tables;

/// Something made of the tables.
pub struct Live<T> {
    tables: Arc<Tables>,
    read: fn(&Tables) -> tables::Result<T>,
    version: i64,
    view: Arc<T>,
}

impl<T> Live<T> {
    /// Reads for the first time; that this fails is an error.
    pub fn open(tables: Arc<Tables>, read: fn(&Tables) -> tables::Result<T>) -> tables::Result<Self> {
        let version = tables.version()?;
        let view = Arc::new(read(&tables)?);
        Ok(Self { tables, read, version, view })
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
        if version != self.version {
            self.view = Arc::new((self.read)(&self.tables)?);
            self.version = version;
        }
        Ok(())
    }
}
