//! Table lease: the addresses that DHCP has given out. Not journalled: machines come and go, which nobody has decided and
//! nobody can take back.

use std::net::Ipv4Addr;

use crate::schema::{self, Table};
use crate::{Edit, Result, Row, Select, Tables};

/// An address that a machine has for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub ip: Ipv4Addr,
    /// The machine's hardware address.
    pub mac: String,
    /// When it ends, in seconds since 1970 began (UTC).
    pub until: u64,
    /// What the machine says it is.
    pub client: String,
}

impl Lease {
    /// None if somebody has written into the row what is no lease.
    fn read(row: &Row) -> Option<Self> {
        Some(Self {
            ip: row.get("ip")?.parse().ok()?,
            mac: row.get("mac")?.to_owned(),
            until: row.get("until")?.parse().ok()?,
            client: row.get("client").unwrap_or_default().to_owned(),
        })
    }
}

impl Tables {
    /// Every lease, those that have ended too: a machine that comes back is to have its address again.
    pub fn leases(&self) -> Result<Vec<Lease>> {
        Ok(self.rows(table(), Select::All)?.iter().filter_map(Lease::read).collect())
    }

    /// Writes down leases, all or none, each in place of what was known of its address and of its machine, which has one
    /// address at a time.
    pub fn keep_leases(&self, leases: &[Lease]) -> Result<()> {
        let store = self.changeable()?;
        store.write(|| leases.iter().try_for_each(|lease| keep(&mut Edit::new(&store), lease)))
    }

    /// Forgets who has had this address.
    pub fn forget_lease(&self, ip: Ipv4Addr) -> Result<()> {
        let store = self.changeable()?;
        store.write(|| Edit::new(&store).delete(table(), Select::Keys(&[&ip.to_string()])).map(drop))
    }
}

fn keep(edit: &mut Edit<'_>, lease: &Lease) -> Result<()> {
    let (ip, until) = (lease.ip.to_string(), lease.until.to_string());
    for other in edit.rows(table(), Select::Where(&[("mac", &lease.mac)]))? {
        if let Some(other) = other.get("ip").filter(|other| *other != ip) {
            edit.delete(table(), Select::Keys(&[other]))?;
        }
    }
    let cells = [("mac", lease.mac.as_str()), ("until", &until), ("client", &lease.client)];
    edit.set(table(), &[&ip], &cells).map(drop)
}

fn table() -> &'static Table {
    schema::find("lease").expect("table lease is in the schema")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Filter;
    use crate::tables::tests::{origin, scratch};

    #[test]
    fn a_lease_is_kept_and_not_journalled() {
        let tables = scratch();
        let lease = |last: u8, until: u64| Lease {
            ip: Ipv4Addr::new(10, 0, 0, last),
            mac: format!("52:54:00:00:00:0{last}"),
            until,
            client: "PXEClient".into(),
        };
        tables.keep_leases(&[lease(1, 100)]).unwrap();
        tables.keep_leases(&[lease(2, 100)]).unwrap();
        tables.keep_leases(&[lease(1, 200)]).unwrap();
        assert_eq!(tables.leases().unwrap(), [lease(1, 200), lease(2, 100)]);
        tables.forget_lease(lease(1, 0).ip).unwrap();
        assert_eq!(tables.leases().unwrap(), [lease(2, 100)]);
        let moved = Lease { mac: lease(2, 0).mac, ..lease(3, 100) };
        tables.keep_leases(std::slice::from_ref(&moved)).unwrap();
        assert_eq!(tables.leases().unwrap(), [moved], "a machine has one address");
        assert_eq!(tables.journal(&Filter::default()).unwrap(), []);
    }

    #[test]
    fn a_row_that_is_no_lease_is_passed_over() {
        let tables = scratch();
        let cells = [("mac", "52:54:00:00:00:01"), ("until", "tomorrow")];
        tables.edit(&origin("tabedit"), |edit| edit.set(table(), &["10.0.0.1"], &cells)).unwrap();
        assert_eq!(tables.leases().unwrap(), []);
    }

    #[test]
    fn only_what_others_change_makes_a_new_version() {
        let tables = scratch();
        let before = tables.version().unwrap();
        let lease = Lease { ip: Ipv4Addr::LOCALHOST, mac: "m".into(), until: 1, client: String::new() };
        tables.keep_leases(std::slice::from_ref(&lease)).unwrap();
        assert_eq!(tables.version().unwrap(), before);
        Tables::open(tables.home.path()).unwrap().keep_leases(std::slice::from_ref(&lease)).unwrap();
        Tables::open(tables.home.path()).unwrap().forget_lease(lease.ip).unwrap();
        assert_ne!(tables.version().unwrap(), before);
    }
}
