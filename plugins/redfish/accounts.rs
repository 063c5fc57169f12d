//! Who may log in to a BMC: its accounts, and what makes one of them. Pure, but for the reading of them.

use serde_json::{Map, Value, json};

use super::document::{Document, last};
use super::machine::members;
use super::quirks::Quirks;
use super::session::Session;
use crate::{ControllerUser, Result, Secret};

/// Accounts that are looked at.
const ACCOUNTS: usize = 64;
/// The role that every service has by the specification.
const ADMINISTRATOR: &str = "Administrator";

/// The accounts of a BMC.
pub(super) struct Accounts {
    /// Where they are, and where a new one is made.
    pub(super) path: String,
    pub(super) all: Vec<Account>,
}

/// One of them; without a name it is a place for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) path: String,
    pub(super) user: ControllerUser,
}

/// What becomes a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Taken(Account),
    /// One that is there and has no name.
    Free(Account),
    /// None yet.
    New,
}

impl Accounts {
    pub(super) async fn read(session: &mut Session, doing: &str) -> Result<Self> {
        let service = session.root.link(&["AccountService"]);
        let service = service.ok_or_else(|| session.refused(doing, "it tells of no accounts"))?;
        let (service, _) = session.get(doing, &service).await?;
        let path = service.link(&["Accounts"]);
        let path = path.ok_or_else(|| session.refused(doing, "it tells of no accounts"))?;
        let paths = members(session, doing, &path).await?;
        let mut found = Vec::new();
        for path in paths.into_iter().take(ACCOUNTS) {
            found.extend(session.find(doing, &path).await?.map(|document| (path, document)));
        }
        Ok(Self { path, all: numbered(&found) })
    }

    /// The place of a user: the one that was asked for, that of the name, or one that is free; else why there is none.
    pub(super) fn place(&self, number: Option<u8>, name: &str, quirks: &Quirks) -> Result<Place, String> {
        let of_name = self.all.iter().find(|account| account.user.name == name);
        // Whoever is let in by it has a name, even if that is not told.
        let is_free = |account: &&Account| {
            let user = &account.user;
            user.name.is_empty() && !user.enabled && !quirks.reserved.contains(&last(&account.path))
        };
        let found = match (number, of_name) {
            (Some(number), Some(other)) if other.user.number != number => {
                return Err(format!("'{name}' is user {} already", other.user.number));
            }
            (Some(number), _) => match self.all.iter().find(|account| account.user.number == number) {
                None => return Err(format!("it has no user {number}")),
                found => found,
            },
            (None, Some(account)) => Some(account),
            (None, None) => self.all.iter().find(is_free),
        };
        Ok(match found.cloned() {
            None => Place::New,
            Some(account) if account.user.name.is_empty() => Place::Free(account),
            Some(account) => Place::Taken(account),
        })
    }
}

/// By the numbers that the BMC gives them, if these are numbers; else in its order.
fn numbered(found: &[(String, Document)]) -> Vec<Account> {
    let own: Option<Vec<u8>> =
        found.iter().map(|(path, _)| last(path).parse().ok().filter(|number| *number > 0)).collect();
    let numbers = own.unwrap_or_else(|| (1..=u8::MAX).take(found.len()).collect());
    let account = |(number, (path, document)): (u8, &(String, Document))| Account {
        path: path.clone(),
        user: ControllerUser {
            number,
            name: document.text(&["UserName"]).unwrap_or_default(),
            privilege: document.text(&["RoleId"]).unwrap_or_else(|| "none".into()),
            enabled: document.flag(&["Enabled"]).unwrap_or(true),
        },
    };
    numbers.into_iter().zip(found).map(account).collect()
}

/// A user who is new, with all rights.
pub(super) fn new(name: &str, password: &Secret) -> Value {
    json!({ "UserName": name, "Password": password.reveal(), "RoleId": ADMINISTRATOR, "Enabled": true })
}

/// What makes a user of that name and password of one who is there; only what differs is said, and rights are left alone.
pub(super) fn changed(former: &ControllerUser, name: &str, password: &Secret) -> Value {
    let mut body = Map::from_iter([("Password".to_owned(), Value::from(password.reveal()))]);
    if former.name != name {
        body.insert("UserName".into(), name.into());
    }
    if !former.enabled {
        body.insert("Enabled".into(), true.into());
    }
    body.into()
}

/// What makes a user what it was, with the password that it had as far as that is known.
pub(super) fn back(former: &ControllerUser, password: Option<&Secret>) -> Value {
    let mut body = Map::from_iter([
        ("UserName".to_owned(), Value::from(former.name.as_str())),
        ("Enabled".to_owned(), former.enabled.into()),
    ]);
    if let Some(password) = password {
        body.insert("Password".into(), password.reveal().into());
    }
    body.into()
}

/// What leaves a place free again.
pub(super) fn freed() -> Value {
    json!({ "Enabled": false, "UserName": "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(all: &[(&str, &str)]) -> Accounts {
        let document = |name: &str| {
            let enabled = !name.is_empty();
            Document::parse(json!({ "UserName": name, "Enabled": enabled }).to_string().as_bytes()).unwrap()
        };
        let found: Vec<_> = all.iter().map(|(id, name)| (format!("/a/{id}"), document(name))).collect();
        Accounts { path: "/a".into(), all: numbered(&found) }
    }

    fn quirks(vendor: &str) -> &'static Quirks {
        Quirks::of(&Document::parse(json!({ "Vendor": vendor }).to_string().as_bytes()).unwrap())
    }

    #[test]
    fn users_are_numbered_as_the_bmc_does_or_in_its_order() {
        let numbers = |all: &[(&str, &str)]| accounts(all).all.iter().map(|one| one.user.number).collect::<Vec<_>>();
        assert_eq!(numbers(&[("2", "root"), ("7", "ada")]), [2, 7]);
        assert_eq!(numbers(&[("root", "root"), ("7", "ada")]), [1, 2]);
        assert_eq!(numbers(&[("300", "root")]), [1]);
    }

    #[test]
    fn a_user_has_a_place_that_is_nobody_elses() {
        let check = |vendor: &str, number: Option<u8>, name: &str, expected: Result<&str, &str>| {
            let accounts = accounts(&[("1", ""), ("2", "root"), ("3", "")]);
            let place = accounts.place(number, name, quirks(vendor)).map(|place| match place {
                Place::Taken(account) => format!("taken {}", account.path),
                Place::Free(account) => format!("free {}", account.path),
                Place::New => "new".into(),
            });
            assert_eq!(place.as_deref().map_err(String::as_str), expected, "{vendor} {name}");
        };
        check("Acme", None, "ada", Ok("free /a/1"));
        // iDRAC keeps its first place for itself.
        check("Dell", None, "ada", Ok("free /a/3"));
        check("Dell", None, "root", Ok("taken /a/2"));
        check("Dell", Some(2), "ada", Ok("taken /a/2"));
        check("Dell", Some(3), "root", Err("'root' is user 2 already"));
        check("Dell", Some(9), "ada", Err("it has no user 9"));
        assert_eq!(accounts(&[("2", "root")]).place(None, "ada", quirks("Acme")), Ok(Place::New));
        let mut hidden = accounts(&[("1", "")]);
        hidden.all[0].user.enabled = true;
        assert_eq!(hidden.place(None, "ada", quirks("Acme")), Ok(Place::New));
    }

    #[test]
    fn only_what_differs_is_said() {
        let former = ControllerUser { number: 2, name: "ada".into(), privilege: "Operator".into(), enabled: true };
        let secret = Secret::new("sesame");
        assert_eq!(changed(&former, "ada", &secret), json!({ "Password": "sesame" }));
        let off = ControllerUser { enabled: false, ..former.clone() };
        assert_eq!(changed(&off, "eve", &secret), json!({ "Password": "sesame", "UserName": "eve", "Enabled": true }));
        assert_eq!(back(&former, None), json!({ "UserName": "ada", "Enabled": true }));
    }
}
