//! The connections of this process: one a target, made on first use, whoever asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::OnceCell;

use super::{Connection, Target};
use crate::{Error, Result, Settings};

/// A login that many wait for; its failure is kept, so that a dead host costs one time limit in all.
type Login = OnceCell<Result<Arc<Connection>, Arc<Error>>>;

/// All connections; clones of an `Arc` of it share them.
pub struct Connections {
    settings: Settings,
    logins: Mutex<HashMap<Target, Arc<Login>>>,
}

impl Connections {
    pub fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone(), logins: Mutex::default() }
    }

    /// What the site decided for them.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The connection to a target; logs in if there is none, or if the one there was has broken.
    pub async fn get(&self, target: &Target) -> Result<Arc<Connection>> {
        let connect = async || match Connection::open(target, &self.settings).await {
            Ok(connection) => Ok(Arc::new(connection)),
            Err(error) => Err(Arc::new(error)),
        };
        let login = self.login(target);
        login.get_or_init(connect).await.clone().map_err(|error| error.again())
    }

    fn login(&self, target: &Target) -> Arc<Login> {
        let mut logins = self.logins.lock().expect("nothing panics while it holds this lock");
        let login = logins.entry(target.clone()).or_default();
        if matches!(login.get(), Some(Ok(connection)) if connection.is_lost()) {
            *login = Arc::default();
        }
        login.clone()
    }
}
