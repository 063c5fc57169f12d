//! Addresses of services as text. An account in one would be seen by whoever sees the text, so none is kept, and one that
//! somebody has typed is hidden wherever the text goes.

use std::borrow::Cow;

use crate::schema::{Column, Kind};
use crate::{Error, Result, Row};

/// Whether someone has put an account into an address, such as `https://ada:sesame@host`. A password may hold what an
/// address may not, so any `@` counts.
pub fn has_account(url: &str) -> bool {
    url.contains('@')
}

/// The text with stars in the place of accounts in addresses.
pub fn without_accounts(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("://").map(|at| at + "://".len()) {
        let end = |letter: char| letter.is_whitespace() || "\"'`,<>".contains(letter);
        let length = rest[start..].find(end).unwrap_or(rest.len() - start);
        let kept = rest[start..start + length].rfind('@').map_or(start, |at| start + at);
        shown.push_str(&rest[..start]);
        if kept > start {
            shown.push_str("***");
        }
        shown.push_str(&rest[kept..start + length]);
        rest = &rest[start + length..];
    }
    if shown.is_empty() { text.into() } else { (shown + rest).into() }
}

/// Refuses a row whose cells would show an account, unless they do so already in the row before it.
pub(crate) fn check(row: &Row, before: Option<&Row>) -> Result<()> {
    let is_url = |column: &Column| matches!(column.kind, Kind::Url | Kind::Urls);
    for column in row.table().columns.iter().filter(|column| is_url(column)) {
        let cell = row.get(column.name);
        if cell.is_some_and(has_account) && cell != before.and_then(|before| before.get(column.name)) {
            return Err(Error::Account { table: row.table().name.into(), column: column.name.into() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_hidden_wherever_they_stand() {
        let check = |text: &str, expected: &str| assert_eq!(without_accounts(text), expected);
        check("nothing here", "nothing here");
        check("http://host:5000/a", "http://host:5000/a");
        check("http://ada:sesame@host", "http://***@host");
        check("x=https://ada@host/a, http://b:p/w@c d@e", "x=https://***@host/a, http://***@c d@e");
        check("http://a:b@c,http://d,ftp://e:@@f", "http://***@c,http://d,ftp://***@f");
        check("http://", "http://");
    }
}
