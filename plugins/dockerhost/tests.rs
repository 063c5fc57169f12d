//! Plans for whole hosts: fresh, made, changed by hand, unmade.

use std::collections::BTreeMap;

use tables::Node;

use super::*;
use crate::authority::Issued;
use crate::setup::{Family, PackageState, Text, UnitState, plan};

fn config(attributes: &[(&str, &str)]) -> Config {
    let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Config::of(&Node::new("h1", attributes, None)).expect("a good definition")
}

/// A host that does what a plan says, as far as plans are concerned.
struct World(Observed);

impl World {
    fn fresh(family: Family) -> Self {
        let routes = "Iface Destination Gateway Flags RefCnt Use Metric Mask\neth0 00004D0A 0 1 0 0 0 00FFFFFF\n";
        let mut world = Self(Observed { family: Some(family), ..Observed::default() });
        world.put(ROUTES, routes);
        world
    }

    fn put(&mut self, path: &str, content: &str) {
        self.0.files.insert(path.into(), FileState::Text { text: content.into(), mode: 0o644 });
    }

    fn daemon(&self) -> serde_json::Value {
        serde_json::from_str(text(&self.0, DAEMON).unwrap_or("null")).expect("JSON")
    }

    fn plan(&self, config: &Config) -> Vec<Step> {
        plan(&wanted(config, &self.0).expect("it can be made"), &self.0)
    }

    fn titles(&self, config: &Config) -> Vec<String> {
        self.plan(config).iter().map(Step::title).collect()
    }

    fn carry_out(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Install(install) => {
                let names = install.packages.clone();
                for name in names {
                    for words in ["docker.io|docker-ce|moby-engine", "docker-ce|moby-engine|docker"] {
                        self.0.packages.insert(words.into(), PackageState::Installed(name.clone()));
                    }
                    self.0.packages.insert(name.clone(), PackageState::Installed(name));
                }
                self.0.facts.insert(ENGINE_IS_THERE.into(), true);
                for unit in [SOCKET, SERVICE] {
                    *self.unit(unit) = UnitState { exists: true, enabled: true, active: true, ..UnitState::default() };
                }
            }
            Step::Remove { packages, .. } => {
                self.0
                    .packages
                    .retain(|_, state| !packages.iter().any(|name| *state == PackageState::Installed(name.clone())));
                self.0.facts.insert(ENGINE_IS_THERE.into(), false);
            }
            Step::Write { path, after: Text::Secret(after), mode, .. } => {
                use sha2::Digest;
                let digest = crate::hex(&sha2::Sha256::digest(after.reveal()));
                self.0.files.insert(path.clone(), FileState::Secret { digest, mode: *mode });
            }
            Step::Write { path, after: Text::Public(after), mode, .. } => {
                self.0.files.insert(path.clone(), FileState::Text { text: after.clone(), mode: *mode });
            }
            Step::Delete { path, .. } => drop(self.0.files.remove(path)),
            Step::Enable { unit } => self.unit(unit).enabled = true,
            Step::Disable { unit } => self.unit(unit).enabled = false,
            Step::Start { unit } => self.unit(unit).active = true,
            Step::Stop { unit } => self.unit(unit).active = false,
            Step::ReloadUnits | Step::Restart { .. } | Step::Reload { .. } => (),
            Step::Make { what, .. } => drop(self.0.facts.insert(what.clone(), true)),
            Step::Venture(_) => unreachable!("nothing of a Docker host is a risk to the way there"),
        }
    }

    fn unit(&mut self, name: &str) -> &mut UnitState {
        self.0.units.entry(name.into()).or_default()
    }

    /// Makes the host; a second look finds nothing to do.
    fn make(&mut self, config: &Config) -> Vec<String> {
        let steps = self.plan(config);
        self.carry_out(&steps);
        // The live engine keeps its containers once it has been told to.
        self.0.facts.insert(KEEPS_CONTAINERS.into(), true);
        assert_eq!(self.titles(config), Vec::<String>::new(), "a second run changes something");
        steps.iter().map(Step::title).collect()
    }
}

const LIVE: &str = "make it so that the engine keeps its containers over a restart";

#[test]
fn a_fresh_host_of_either_family() {
    let check = |family, package: &str| {
        let mut world = World::fresh(family);
        let titles = world.make(&config(&[]));
        let expected = [
            "create /etc/xcrane/dockerhost.json",
            "create /etc/docker/daemon.json",
            "create /etc/systemd/system/docker.service.d/xcrane.conf",
            &format!("install {package}"),
            LIVE,
            "enable docker.service",
            "reload the units of systemd",
            "start docker.service",
        ];
        assert_eq!(titles, expected);
    };
    check(Family::Apt, "docker.io");
    check(Family::Dnf, "docker-ce");
}

#[test]
fn what_daemon_json_gets() {
    let check = |attributes: &[(&str, &str)], expected: &str| {
        let mut world = World::fresh(Family::Apt);
        world.make(&config(attributes));
        let mut daemon = world.daemon();
        let settings = daemon.as_object_mut().expect("an object");
        settings.shift_remove("live-restore");
        assert_eq!(daemon.to_string(), expected, "{attributes:?}");
    };
    let pools = r#""default-address-pools":[{"base":"172.17.0.0/16","size":24}]"#;
    let logs = r#""log-opts":{"max-size":"10m","max-file":"3"}"#;
    check(&[], &format!("{{{pools},{logs}}}"));
    check(
        &[("dockerpools", "10.9.0.0/16:26"), ("dockermtu", "1400"), ("dockerlogmaxsize", "1g")],
        r#"{"default-address-pools":[{"base":"10.9.0.0/16","size":26}],"mtu":1400,"log-opts":{"max-size":"1g","max-file":"3"}}"#,
    );
    check(
        &[
            ("dockermirrors", "http://m:5000"),
            ("dockerinsecure", "a,b:1"),
            ("dockershutdowntimeout", "60"),
            ("dockerdataroot", "/d"),
        ],
        &format!(
            "{{{pools},{logs},{}}}",
            r#""shutdown-timeout":60,"registry-mirrors":["http://m:5000"],"insecure-registries":["a","b:1"],"data-root":"/d""#
        ),
    );
}

#[test]
fn what_an_admin_wrote_stays_and_comes_back_alone() {
    let mut world = World::fresh(Family::Apt);
    let before = "{\n    \"debug\": true,\n    \"log-opts\": { \"labels\": \"x\", \"max-file\": \"9\" },\n    \"live-restore\": false\n}";
    world.put(DAEMON, before);
    let config = config(&[]);
    world.make(&config);
    let daemon = world.daemon();
    assert_eq!((&daemon["debug"], &daemon["live-restore"]), (&true.into(), &false.into()));
    assert_eq!(daemon["log-opts"].to_string(), r#"{"labels":"x","max-file":"9","max-size":"10m"}"#);
    let steps = plan(&unwanted(Unmaking::default(), &world.0).expect("it can be unmade"), &world.0);
    world.carry_out(&steps);
    let left =
        serde_json::json!({ "debug": true, "log-opts": { "labels": "x", "max-file": "9" }, "live-restore": false });
    assert_eq!(world.daemon(), left);
    assert!(!world.0.files.contains_key(record::PATH) && !world.0.files.contains_key(files::SERVICE_DROP_IN));
}

#[test]
fn what_was_changed_by_hand_is_put_back() {
    let mut world = World::fresh(Family::Apt);
    let config = config(&[("dockermtu", "1400")]);
    world.make(&config);
    let was = text(&world.0, DAEMON).expect("made").to_owned();
    let check = |world: &mut World, by_hand: &str, expected: &[&str]| {
        world.put(DAEMON, by_hand);
        assert_eq!(world.titles(&config), expected, "{by_hand}");
    };
    check(
        &mut world,
        &was.replace("1400", "9000"),
        &["change /etc/docker/daemon.json", "restart docker.service for /etc/docker/daemon.json"],
    );
    check(
        &mut world,
        &was.replace("true", "false"),
        &["change /etc/docker/daemon.json", "reload docker.service for /etc/docker/daemon.json"],
    );
    check(&mut world, &was.replace('{', "{ "), &[]);
    check(
        &mut world,
        &was.replace("172.17", "10.17"),
        &["change /etc/docker/daemon.json", "restart docker.service for /etc/docker/daemon.json"],
    );
    check(&mut world, "", &["change /etc/docker/daemon.json", "restart docker.service for /etc/docker/daemon.json"]);
    world.put(DAEMON, &was);
    world.unit(SERVICE).enabled = false;
    world.put(files::SERVICE_DROP_IN, "[Service]\n");
    let drop_in = format!("change {}", files::SERVICE_DROP_IN);
    assert_eq!(world.titles(&config), [&drop_in, "enable docker.service", "reload the units of systemd"]);
}

#[test]
fn a_changed_attribute_reloads_where_that_is_enough() {
    let mut world = World::fresh(Family::Apt);
    world.make(&config(&[("dockermirrors", "http://a")]));
    let daemon = "change /etc/docker/daemon.json";
    let record = "change /etc/xcrane/dockerhost.json";
    let check = |world: &World, attributes: &[(&str, &str)], follow: &str| {
        let expected = [record, daemon, &format!("{follow} docker.service for {DAEMON}")].map(str::to_owned);
        assert_eq!(world.titles(&config(attributes)), expected, "{attributes:?}");
    };
    check(&world, &[("dockermirrors", "http://b")], "reload");
    check(&world, &[], "restart");
    check(&world, &[("dockermirrors", "http://a"), ("dockermtu", "1400")], "restart");
}

#[test]
fn pools_keep_clear_and_stay() {
    let network = |name: &str, net: &str| (name.to_owned(), net.parse().expect("a network"));
    let mut world = World::fresh(Family::Apt);
    let site = Config { networks: vec![network("cluster", "172.16.0.0/14")], ..config(&[]) };
    world.make(&site);
    assert_eq!(world.daemon()["default-address-pools"][0]["base"], "172.20.0.0/16");
    world.make(&config(&[]));
    assert_eq!(world.daemon()["default-address-pools"][0]["base"], "172.20.0.0/16", "it was moved for no reason");
    let refuse = |config: &Config| wanted(config, &World::fresh(Family::Apt).0).expect_err("an overlap").to_string();
    let error = refuse(&Config { networks: site.networks.clone(), ..config(&[("dockerpools", "172.17.0.0/16")]) });
    assert_eq!(
        error,
        "attribute 'dockerpools': pool 172.17.0.0/16 overlaps with 172.16.0.0/14, network cluster; free is 172.20.0.0/16:24"
    );
    let error = refuse(&config(&[("dockerpools", "10.77.0.0/16")]));
    assert_eq!(
        error,
        "attribute 'dockerpools': pool 10.77.0.0/16 overlaps with 10.77.0.0/24, a route of eth0; free is 172.17.0.0/16:24"
    );
}

#[test]
fn a_swarm_and_live_restore_exclude_each_other() {
    let mut world = World::fresh(Family::Apt);
    world.put("/var/lib/docker/swarm/docker-state.json", "{}");
    assert!(wanted(&config(&[("dockerliverestore", "yes")]), &world.0).is_err());
    world.make(&config(&[]));
    assert_eq!(world.daemon()["live-restore"], serde_json::Value::Null);
}

fn listening() -> Config {
    let mut config = config(&[("dockerendpoint", "tcp://10.77.0.1:2376")]);
    let listen = config.listen.as_mut().expect("it listens");
    assert_eq!(listen.subject.names, ["10.77.0.1", "h1"]);
    listen.certificate = Some(Issued { certificate: "certificate\n".into(), key: "key\n".into() });
    Config { authority: Some("authority\n".into()), ..config }
}

#[test]
fn an_engine_that_listens_restarts_once_and_forgets_it_again() {
    let mut world = World::fresh(Family::Apt);
    world.make(&config(&[]));
    let titles = world.make(&listening());
    let restarts: Vec<&String> =
        titles.iter().filter(|title| title.starts_with("restart") || title.starts_with("start")).collect();
    assert_eq!(restarts.len(), 1, "{titles:?}");
    assert!(restarts[0].starts_with(
        "restart docker.socket for /etc/systemd/system/docker.socket.d/xcrane.conf, /etc/docker/daemon.json"
    ));
    assert_eq!(world.daemon()["tlskey"], "/etc/docker/xcrane/key.pem");
    let mut renewed = listening();
    renewed.listen.as_mut().expect("it listens").certificate =
        Some(Issued { certificate: "c".into(), key: "k".into() });
    let titles = world.make(&renewed);
    assert_eq!(
        titles,
        [
            "change /etc/docker/xcrane/cert.pem",
            "change /etc/docker/xcrane/key.pem",
            "restart docker.service for /etc/docker/xcrane/cert.pem, /etc/docker/xcrane/key.pem"
        ]
    );
    let titles = world.make(&config(&[]));
    assert!(titles.contains(&format!("delete {}", files::SOCKET_DROP_IN)), "{titles:?}");
    assert!(titles.iter().any(|title| title.starts_with("restart docker.socket")), "{titles:?}");
    assert_eq!(world.daemon()["tls"], serde_json::Value::Null);
}

#[test]
fn hosts_by_hand_stand_in_the_way_of_listening() {
    let mut world = World::fresh(Family::Apt);
    world.put(DAEMON, r#"{"hosts":["tcp://0.0.0.0:2375"]}"#);
    let error = wanted(&listening(), &world.0).expect_err("a conflict").to_string();
    assert!(error.contains("take it out"), "{error}");
    world.put(DAEMON, "not json");
    let error = wanted(&config(&[]), &world.0).expect_err("no JSON").to_string();
    assert!(error.starts_with("/etc/docker/daemon.json: it cannot be read"), "{error}");
}

#[test]
fn an_engine_from_elsewhere_is_not_installed_over() {
    let mut world = World::fresh(Family::Apt);
    world.0.facts.insert(ENGINE_IS_THERE.into(), true);
    let titles = world.titles(&config(&[]));
    assert!(titles.iter().all(|title| !title.starts_with("install")), "{titles:?}");
    assert!(world.titles(&config(&[("dockerpackages", "docker-ce")])).contains(&"install docker-ce".into()));
}

#[test]
fn containers_are_kept_only_by_two_engines_that_both_know() {
    let state = |live_restore| HostState {
        engine: String::new(),
        api: String::new(),
        running: 1,
        guests: 1,
        storage_driver: String::new(),
        live_restore,
        swarm: false,
        data_root: String::new(),
        pools: vec![],
    };
    let daemon =
        |after: &str| Step::Write { path: DAEMON.into(), before: None, after: Text::Public(after.into()), mode: 0o644 };
    let told = Step::Make { what: KEEPS_CONTAINERS.into(), check: vec![], make: vec![] };
    let check = |live: bool, steps: &[Step], expected: bool| {
        assert_eq!(keeps_containers(&state(live), steps), expected, "{live} {steps:?}");
    };
    let (on, off) = (daemon(r#"{"live-restore":true}"#), daemon("{}"));
    check(true, &[], true);
    check(false, &[], false);
    check(true, std::slice::from_ref(&on), true);
    check(true, &[off], false);
    check(true, &[Step::Delete { path: DAEMON.into(), before: None }], false);
    check(false, std::slice::from_ref(&on), false);
    check(false, &[on, told], true);
}

#[test]
fn nothing_of_ours_is_left() {
    let mut world = World::fresh(Family::Apt);
    let config = config(&[]);
    world.make(&config);
    let all = Unmaking { packages: true, data: true };
    let steps = plan(&unwanted(all, &world.0).expect("it can be unmade"), &world.0);
    let titles: Vec<String> = steps.iter().map(Step::title).collect();
    world.carry_out(&steps);
    assert!(titles.contains(&"remove packages docker.io".into()), "{titles:?}");
    assert_eq!(titles.last().map(String::as_str), Some("reload the units of systemd"));
    let left: Vec<&String> = world.0.files.keys().filter(|path| *path != ROUTES).collect();
    assert_eq!(left, Vec::<&String>::new());
    let again = plan(&unwanted(all, &world.0).expect("it can be unmade"), &world.0);
    assert_eq!(again, []);
}

#[test]
fn only_data_that_the_engine_has_used_goes() {
    let mut world = World::fresh(Family::Apt);
    let check = |world: &World, expected: &str| {
        let things = unwanted(Unmaking { packages: true, data: true }, &world.0).expect("it can be unmade");
        let purged = things.iter().find_map(|thing| match thing {
            Thing::Fact(fact) if fact.what == "the engine's data is gone" => fact.make.last(),
            _ => None,
        });
        assert_eq!(purged.map(String::as_str), Some(expected));
    };
    world.make(&config(&[]));
    check(&world, "/var/lib/docker");
    world.make(&config(&[("dockerdataroot", "/d")]));
    check(&world, "/d");
    world.0.files.remove(DAEMON);
    check(&world, "/d");
    world.put(DAEMON, r#"{"data-root":"/by/hand/"}"#);
    check(&world, "/by/hand");
    world.put(DAEMON, r#"{"data-root":"/"}"#);
    check(&world, "/var/lib/docker");
}

#[test]
fn an_engine_is_not_led_away_from_its_data() {
    let mut world = World::fresh(Family::Apt);
    let check = |world: &World, root: &str, expected: Option<(&str, &str)>| {
        let wanted = wanted(&config(&[("dockerdataroot", root)]), &world.0).expect("it can be made");
        let expected = expected.map(|(from, to)| (from.to_owned(), to.to_owned()));
        assert_eq!(moves_data(&wanted, &world.0), expected, "{root}");
    };
    check(&world, "/d", Some(("/var/lib/docker", "/d")));
    check(&world, "/var/lib/docker", None);
    world.make(&config(&[("dockerdataroot", "/d")]));
    check(&world, "/d", None);
    check(&world, "/e", Some(("/d", "/e")));
    let wanted = wanted(&config(&[]), &world.0).expect("it can be made");
    assert_eq!(moves_data(&wanted, &world.0), Some(("/d".into(), "/var/lib/docker".into())));
}

#[test]
fn its_key_is_taken_away_unseen() {
    let mut world = World::fresh(Family::Apt);
    world.make(&listening());
    let key = Thing::NoSecret("/etc/docker/xcrane/key.pem".into());
    assert!(unwanted(Unmaking::default(), &world.0).expect("it can be unmade").contains(&key));
    assert!(wanted(&config(&[]), &world.0).expect("it can be made").contains(&key));
}

#[test]
fn registries_that_are_asked_first_are_trusted_once() {
    let attributes = [("dockertrust", "a:1=/ca.pem,b:1"), ("dockerregistries", "c:1,a:1")];
    let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let trust = Config::of(&Node::new("h1", attributes, None)).expect("it can be").trust;
    let trust: Vec<_> = trust.iter().map(|trust| (&*trust.registry, trust.authority.is_some())).collect();
    assert_eq!(trust, [("a:1", true), ("b:1", false), ("c:1", false)]);
}

#[test]
fn definitions_that_cannot_be() {
    let check = |attribute: &str, value: &str| {
        let node = Node::new("h1", BTreeMap::from([(attribute.into(), value.into())]), None);
        let error = Config::of(&node).expect_err(value).to_string();
        assert!(error.starts_with(&format!("attribute '{attribute}': ")), "{error}");
    };
    check("mgt", "docker");
    check("dockerpools", "x");
    check("dockermtu", "10");
    check("dockerlogmaxsize", "lots");
    check("dockerlogmaxfile", "0");
    check("dockerliverestore", "maybe");
    check("dockershutdowntimeout", "-1");
    check("dockermirrors", "mirror:5000");
    check("dockerinsecure", "a b");
    check("dockertrust", "../../x:1");
    check("dockertrust", "reg:5000/x");
    check("dockertrust", "reg:5000=ca.pem");
    check("dockerregistries", "../../x:1");
    check("dockerregistries", "reg:5000=/ca.pem");
    check("dockerdataroot", "/");
    check("dockerdataroot", "/a/../b");
    check("dockerpackages", "-o");
    check("dockerendpoint", "h1:2376");
}
