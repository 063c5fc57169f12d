//! What tables say of BMCs as a whole: who we are to them, and how those that speak Redfish are known.

use plugins::registry::Account;
use plugins::{RedfishSettings, Secret};
use tables::{Row, Select, Tables};

use crate::config;
use crate::failure::Failure;
use crate::registry::passwd;

/// Of table passwd: who we are to BMCs whose nodes do not say it.
const PASSWD_KEY: &str = "ipmi";
/// The same for those that are asked by Redfish, where that is somebody else.
const REDFISH_KEY: &str = "redfish";
/// Of `$XCRANE_HOME`: the certificates that BMCs have shown.
const PINS: &str = "bmcs";

/// The account for all BMCs; the first, if there are several.
pub(crate) fn account(tables: &Tables) -> Result<Option<Account>, Failure> {
    of(tables, PASSWD_KEY)
}

/// What there is to know for Redfish.
pub(crate) fn redfish(tables: &Tables) -> Result<RedfishSettings, Failure> {
    let account = match of(tables, REDFISH_KEY)? {
        Some(account) => Some(account),
        None => account(tables)?,
    };
    let authority = tables.site("bmcauthority")?.map(Into::into);
    Ok(RedfishSettings { account, pins: config::home()?.join(PINS), authority })
}

fn of(tables: &Tables, key: &str) -> Result<Option<Account>, Failure> {
    let rows = tables.rows(passwd(), Select::Where(&[("key", key)]))?;
    let account = |row: &Row| {
        Some(Account { user: row.get("username")?.to_owned(), password: Secret::new(row.get("password")?) })
    };
    Ok(rows.iter().find_map(account))
}
