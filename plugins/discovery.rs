//! Discovery: which machines' controllers are at addresses of which nobody has said anything yet.

use std::net::IpAddr;

use async_trait::async_trait;
use futures_util::future::join_all;

use crate::Result;
use crate::registry::Account;

/// Asks addresses; thousands may be asked at once.
#[async_trait]
pub trait Discovery: Send + Sync {
    /// The word for column `mgt`.
    fn name(&self) -> &'static str;

    /// What is at an address; None if nobody answers there. To somebody more is told, where it is let in.
    async fn probe(&self, address: IpAddr, as_whom: AsWhom<'_>) -> Result<Option<Found>>;
}

/// Who we are to those who are asked.
#[derive(Debug, Clone, Copy)]
pub enum AsWhom<'a> {
    Nobody,
    /// Who we are to controllers whose nodes do not say it. No password goes to whoever happens to answer.
    Site,
    /// An account for all who are asked, whoever they are.
    Account(&'a Account),
}

/// A controller that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub address: IpAddr,
    /// What it speaks, in words for column `mgt`, the best first; none where no backend speaks it.
    pub speaks: Vec<&'static str>,
    pub guid: Option<String>,
    pub vendor: Option<String>,
    pub product: Option<String>,
    /// The model by its number, which column `mtm` holds.
    pub model: Option<String>,
    pub serial: Option<String>,
    /// Why no more is known.
    pub trouble: Option<String>,
    /// Whether no more is known because it would have been told our password and might be anybody.
    pub is_stranger: bool,
}

impl Found {
    /// Somebody, of whom nothing else is known.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self {
            address,
            speaks: Vec::new(),
            guid: None,
            vendor: None,
            product: None,
            model: None,
            serial: None,
            trouble: None,
            is_stranger: false,
        }
    }

    /// The word for column `mgt`.
    pub fn mgt(&self) -> Option<&'static str> {
        self.speaks.first().copied()
    }

    /// Whether all was told that there is to tell.
    fn is_told(&self) -> bool {
        self.trouble.is_none() && !self.is_stranger
    }

    /// The same controller, with what `other` knows of it by another way.
    fn and(mut self, other: Self) -> Self {
        if !self.is_told() && !other.speaks.is_empty() {
            self.trouble = self.trouble.or(other.trouble);
            self.is_stranger |= other.is_stranger;
        }
        self.speaks.extend(other.speaks);
        Self {
            guid: self.guid.or(other.guid),
            vendor: self.vendor.or(other.vendor),
            product: self.product.or(other.product),
            model: self.model.or(other.model),
            serial: self.serial.or(other.serial),
            ..self
        }
    }
}

/// Asks an address by several ways at once; what answers by more than one is one controller.
pub async fn discover(ways: &[&dyn Discovery], address: IpAddr, as_whom: AsWhom<'_>) -> Result<Option<Found>> {
    one(join_all(ways.iter().map(|way| way.probe(address, as_whom))).await)
}

fn one(answers: Vec<Result<Option<Found>>>) -> Result<Option<Found>> {
    let (mut found, mut failed) = (Vec::new(), Ok(None));
    for answer in answers {
        match answer {
            Ok(answer) => found.extend(answer),
            Err(error) => failed = Err(error),
        }
    }
    // What can be used comes first, and of that what lets us in.
    found.sort_by_key(|found: &Found| (found.speaks.is_empty(), !found.is_told()));
    found.into_iter().reduce(Found::and).map_or(failed, |found| Ok(Some(found)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn found(speaks: &[&'static str]) -> Found {
        Found { speaks: speaks.to_vec(), ..Found::at([10, 0, 0, 7].into()) }
    }

    fn troubled(speaks: &[&'static str], trouble: &str) -> Found {
        Found { trouble: Some(trouble.into()), ..found(speaks) }
    }

    fn stranger() -> Found {
        Found { is_stranger: true, vendor: Some("Acme".into()), ..found(&["redfish"]) }
    }

    /// How it is to be managed, what is wrong, and whether it is a stranger.
    fn check(answers: Vec<Found>, speaks: &[&str], trouble: Option<&str>, is_stranger: bool) {
        let found = one(answers.into_iter().map(|found| Ok(Some(found))).collect()).unwrap().unwrap();
        assert_eq!(
            (found.speaks.as_slice(), found.trouble.as_deref(), found.is_stranger),
            (speaks, trouble, is_stranger)
        );
    }

    #[test]
    fn who_speaks_both_is_one_controller() {
        let ipmi = || found(&["ipmi"]);
        check(vec![ipmi()], &["ipmi"], None, false);
        check(vec![ipmi(), found(&["redfish"])], &["ipmi", "redfish"], None, false);
        // IPMI has told all.
        check(vec![ipmi(), stranger()], &["ipmi", "redfish"], None, false);
        check(vec![ipmi(), troubled(&["redfish"], "no")], &["ipmi", "redfish"], None, false);
        // That which lets us in.
        check(vec![troubled(&["ipmi"], "no"), found(&["redfish"])], &["redfish", "ipmi"], None, false);
        check(vec![troubled(&["ipmi"], "no"), stranger()], &["ipmi", "redfish"], Some("no"), true);
        check(vec![troubled(&["ipmi"], "no"), troubled(&["redfish"], "nor")], &["ipmi", "redfish"], Some("no"), false);
        // Nobody speaks IPMI 1.5 here.
        check(vec![troubled(&[], "old"), stranger()], &["redfish"], None, true);
        check(vec![troubled(&[], "old")], &[], Some("old"), false);
    }

    #[test]
    fn what_one_way_does_not_tell_another_does() {
        let by_ipmi = Found { guid: Some("1".into()), serial: Some("S".into()), ..found(&["ipmi"]) };
        let by_redfish = Found { guid: Some("2".into()), ..stranger() };
        let one = one(vec![Ok(Some(by_ipmi)), Ok(Some(by_redfish))]).unwrap().unwrap();
        let told = [one.guid, one.vendor, one.serial, one.model];
        assert_eq!(told.each_ref().map(Option::as_deref), [Some("1"), Some("Acme"), Some("S"), None]);
    }

    #[test]
    fn who_is_found_by_one_way_is_found() {
        let failed = || Err(Error::Refused { what: "BMC 10.0.0.7".into(), why: "no route".into() });
        assert!(one(vec![failed(), Ok(Some(stranger()))]).unwrap().is_some());
        assert!(one(vec![Ok(None), Ok(None)]).unwrap().is_none());
        assert!(one(vec![failed(), Ok(None)]).is_err(), "nobody may be said to be there only by who was asked");
    }
}
