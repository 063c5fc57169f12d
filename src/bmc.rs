//! What table passwd says of BMCs.

use plugins::Secret;
use plugins::registry::Account;
use tables::{Row, Select, Tables};

use crate::failure::Failure;
use crate::registry::passwd;

/// Of table passwd: who we are to BMCs whose nodes do not say it.
const PASSWD_KEY: &str = "ipmi";

/// The account for all BMCs; the first, if there are several.
pub(crate) fn account(tables: &Tables) -> Result<Option<Account>, Failure> {
    let rows = tables.rows(passwd(), Select::Where(&[("key", PASSWD_KEY)]))?;
    let account = |row: &Row| {
        Some(Account { user: row.get("username")?.to_owned(), password: Secret::new(row.get("password")?) })
    };
    Ok(rows.iter().find_map(account))
}
