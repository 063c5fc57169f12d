//! What is looked at before the first host is changed: does anybody else have the addresses?

use ipnetwork::IpNetwork;

use super::Network;
use super::overlap::{Taken, clashes, proposal};
use super::survey::Survey;

/// Why a network cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// With what it overlaps, and where.
    pub problems: Vec<String>,
    /// A range of the same size that is free.
    pub proposal: Option<IpNetwork>,
}

/// Checks a network against all its hosts, and against what the tables know of the site.
pub fn check(network: &Network, site: &[Taken], surveys: &[(String, Survey)]) -> Result<(), Refusal> {
    let problems = clashes(network, site, surveys);
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Refusal { proposal: proposal(network, site, surveys), problems }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::survey::Route;
    use super::super::vxlan::tests::network;
    use super::*;

    #[test]
    fn a_refusal_has_its_proposal() {
        let mut survey = Survey::default();
        assert_eq!(check(&network(), &[], &[("h1".into(), survey.clone())]), Ok(()));
        survey.routes.push(Route { to: "10.80.4.0/22".parse().unwrap(), device: Some("eth2".into()), gateway: None });
        let refusal = check(&network(), &[], &[("h1".into(), survey)]).unwrap_err();
        assert_eq!(refusal.problems, ["10.80.0.0/16 overlaps route 10.80.4.0/22 dev eth2 on h1"]);
        assert_eq!(refusal.proposal, Some("10.81.0.0/16".parse().unwrap()));
    }
}
