//! What is wanted of nodes that differ.

use super::config::example;
use super::*;
use crate::setup::{Step, plan};

/// A node that has answered: which state the package is in, and what is false.
fn node(family: Family, package: PackageState, record: bool, not: &[String]) -> Observed {
    let mut observed = Observed { family: Some(family), ..Observed::default() };
    observed.packages.insert(PACKAGE.into(), package);
    let state = if record { FileState::Text { text: "{}".into(), mode: 0o644 } } else { FileState::Absent };
    observed.files.insert(RECORD.into(), state);
    observed.facts.extend(not.iter().map(|fact| (fact.clone(), false)));
    observed
}

fn titles(things: &[Thing], observed: &Observed) -> Vec<String> {
    plan(things, observed).iter().map(Step::title).collect()
}

#[test]
fn a_fresh_node_gets_the_package_without_its_own_service() {
    let observed = node(Family::Apt, PackageState::Offered(PACKAGE.into()), false, &[]);
    let things = wanted(&example(), &observed).unwrap();
    let directory = "/etc/xcrane/registry/reg";
    let expected = [
        "create /etc/xcrane/registry.json",
        "create /etc/systemd/system/docker-registry.service.d/xcrane.conf",
        "install docker-registry",
        &format!("create {directory}/config.yml"),
        &format!("create {directory}/readonly.yml"),
        &format!("create {directory}/cert.pem"),
        &format!("create {directory}/key.pem"),
        "create /etc/systemd/system/xcrane-registry@reg.service",
        "create /etc/systemd/system/xcrane-registry-gc@reg.service",
        &format!("create {directory}/htpasswd"),
        "enable xcrane-registry@reg.service",
        "reload the units of systemd",
        "start xcrane-registry@reg.service",
        "make it so that registry reg listens on port 5000",
    ];
    assert_eq!(titles(&things, &observed), expected);
}

#[test]
fn a_package_that_was_there_is_somebody_elses() {
    let installed = || PackageState::Installed(PACKAGE.into());
    let observed = node(Family::Apt, installed(), false, &[]);
    let things = wanted(&example(), &observed).unwrap();
    assert!(!titles(&things, &observed).join(" ").contains(RECORD));
    let gone = unwanted(&example(), true, &observed);
    assert!(!gone.contains(&Thing::NoPackages(vec![PACKAGE.into()])));

    let ours = node(Family::Apt, installed(), true, &[]);
    let gone = |config: &Config| unwanted(config, false, &ours).contains(&Thing::NoPackages(vec![PACKAGE.into()]));
    assert!(gone(&example()));
    assert!(!gone(&Config { has_neighbours: true, ..example() }), "another registry needs it");
}

#[test]
fn what_stands_in_the_way_is_named() {
    let check = |observed: Observed, expected: &str| {
        assert_eq!(wanted(&example(), &observed).unwrap_err().to_string(), expected);
    };
    let offered = || PackageState::Offered(PACKAGE.into());
    check(
        node(Family::Apt, offered(), false, &[port_is_free(&example())]),
        "cannot make registry reg: another program listens on port 5000",
    );
    check(
        node(Family::Apt, offered(), false, &[storage_is_ours(&example())]),
        "cannot make registry reg: /var/lib/xcrane/registry/reg holds something that is not of a registry",
    );
    check(
        node(Family::Dnf, PackageState::Unknown, false, &[]),
        "cannot make registry reg: its distribution has no package of the registry server (docker-registry, as Debian calls it); give the server's image with --image FILE, or choose a node of the Debian family, whatever its clients are",
    );
}

#[test]
fn accounts_that_are_taken_away_leave_no_file() {
    let observed = node(Family::Apt, PackageState::Installed(PACKAGE.into()), false, &[]);
    let open = wanted(&Config { accounts: vec![], ..example() }, &observed).unwrap();
    assert!(open.contains(&Thing::NoSecret("/etc/xcrane/registry/reg/htpasswd".into())));
}

#[test]
fn a_server_of_an_image_needs_an_engine_and_no_package() {
    let image: crate::Reference = "registry:2".parse().unwrap();
    let config = Config { image: Some(image.clone()), ..example() };
    let observed = |not: &[String]| node(Family::Dnf, PackageState::Unknown, false, not);
    let asked = questions(&config);
    assert!(!asked.iter().any(|thing| matches!(thing, Thing::Packages(_))), "{asked:?}");
    let refused = |config: &Config, not: &str| wanted(config, &observed(&[not.into()])).unwrap_err().to_string();
    let (engine, there) = (server::engine_answers(), server::is_there(&image));
    assert!(refused(&config, &engine).contains("an image needs an engine"));
    assert!(
        refused(&config, &there).contains("no image registry:2; bring it from a file with: mkregistry --image FILE")
    );
    let brought = Config { brings_image: true, ..config.clone() };
    let titles = titles(&wanted(&brought, &observed(&[])).unwrap(), &observed(&[there]));
    assert_eq!(titles[0], "make it so that the node has image registry:2");
    assert!(titles.contains(&"create /etc/xcrane/registry/reg/serve".to_owned()), "{titles:?}");
    assert_eq!(titles.last().unwrap(), "make it so that registry reg runs image registry:2 as it is now");
    assert!(!unwanted(&config, true, &observed(&[])).iter().any(|thing| matches!(thing, Thing::NoPackages(_))));
}
