//! Making, changing, removing and listing.

use plugins::{Changed, Created, Error};

use crate::world::World;

#[tokio::test]
async fn a_different_container_is_shown_and_made_anew_by_force() {
    let world = World::new();
    let old = world.node("n1", &[("vmmemory", "64"), ("dockerenv", "A=1|B=2")]);
    let new = world.node("n1", &[("vmmemory", "128"), ("dockerenv", "A=1")]);
    let guests = world.backends.guests(&old).expect("docker makes guests");
    assert_eq!(guests.create(&old, false).await.expect("made"), Created::Created);
    let error = guests.create(&new, false).await.expect_err("it differs");
    let text = error.to_string();
    assert!(text.contains("vmmemory: 128, container has 64M"), "{text}");
    assert!(text.contains("dockerenv: A=1, container has A=1|B=2"), "{text}");
    assert_eq!(guests.create(&new, true).await.expect("made anew"), Created::Recreated);
    assert_eq!(guests.create(&new, false).await.expect("equal now"), Created::Unchanged);
    assert_eq!(world.inspect("n1")["HostConfig"]["Memory"], 128 << 20);
}

#[tokio::test]
async fn somebody_elses_container_is_left_alone() {
    let world = World::new();
    world.lab.host("h1").docker("create --name n1 busybox:lab").success();
    let node = world.node("n1", &[]);
    let guests = world.backends.guests(&node).expect("docker makes guests");
    let error = guests.create(&node, false).await.expect_err("not ours");
    assert!(error.to_string().contains("not made by xcrane"), "{error}");
    let error = guests.remove(&node, false, false).await.expect_err("not ours");
    assert!(error.to_string().contains("not made by xcrane"), "{error}");
    assert!(!guests.list(&world.host()).await.expect("listed")[0].managed);
}

#[tokio::test]
async fn changes_are_live_where_they_can_be() {
    let world = World::new();
    let node = world.node("n1", &[("vmmemory", "64"), ("vmcpus", "1"), ("dockerrestart", "no")]);
    let guests = world.backends.guests(&node).expect("docker makes guests");
    guests.create(&node, false).await.expect("made");
    let power = world.backends.power(&node).expect("docker powers");
    power.apply(&node, plugins::PowerAction::On).await.expect("runs");
    assert_eq!(guests.change(&node, false).await.expect("nothing to do"), Changed::Unchanged);
    let live = world.node("n1", &[("vmmemory", "128"), ("vmcpus", "0.5"), ("dockerrestart", "always")]);
    assert_eq!(guests.change(&live, false).await.expect("live"), Changed::Live);
    let found = world.inspect("n1");
    assert_eq!(found["HostConfig"]["Memory"], 128 << 20);
    assert_eq!(found["HostConfig"]["NanoCpus"], 500_000_000);
    assert_eq!(found["HostConfig"]["RestartPolicy"]["Name"], "always");
    assert_eq!(guests.create(&live, false).await.expect("equal"), Created::Unchanged);
    let other = world.node("n1", &[("dockerenv", "A=1"), ("dockerstoptimeout", "0")]);
    assert!(matches!(guests.change(&other, false).await, Err(Error::Differs { .. })));
    assert_eq!(guests.change(&other, true).await.expect("made anew"), Changed::Recreated);
    assert_eq!(world.inspect("n1")["State"]["Running"], true);
}

#[tokio::test]
async fn removing() {
    let world = World::new();
    let node = world.node("n1", &[("dockervolumes", "/cache")]);
    let guests = world.backends.guests(&node).expect("docker makes guests");
    assert!(matches!(guests.remove(&node, false, false).await, Err(Error::Absent { .. })));
    assert!(matches!(guests.remove(&node, true, false).await, Err(Error::Absent { .. })));
    guests.create(&node, false).await.expect("made");
    let power = world.backends.power(&node).expect("docker powers");
    power.apply(&node, plugins::PowerAction::On).await.expect("runs");
    let error = guests.remove(&node, false, false).await.expect_err("it runs");
    assert!(error.to_string().contains("active guest"), "{error}");
    guests.remove(&node, true, true).await.expect("removed");
    assert_eq!(world.lab.host("h1").docker("ps -aq").success(), "");
    assert_eq!(world.lab.host("h1").docker("volume ls -q").success(), "");
}

#[tokio::test]
async fn listing_and_details() {
    let world = World::new();
    let node = world.node("n1", &[("vmnics", "cluster"), ("ip", "10.100.0.9"), ("vmmemory", "64")]);
    let guests = world.backends.guests(&node).expect("docker makes guests");
    guests.create(&node, false).await.expect("made");
    let listed = guests.list(&world.host()).await.expect("listed");
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].name.as_str(), listed[0].state.as_str(), listed[0].managed), ("n1", "created", true));
    assert_eq!(listed[0].ip.as_deref(), Some("10.100.0.9"));
    let details = guests.inspect(&node).await.expect("inspected");
    let line = |label: &str| details.lines.iter().find(|(known, _)| *known == label).map(|(_, text)| text.as_str());
    assert_eq!(line("Memory"), Some("64M"));
    assert_eq!(line("State"), Some("created"));
    assert_eq!(line("Network"), Some("cluster 10.100.0.9"));
    assert_eq!(line("Definition"), Some("equal"));
}

#[tokio::test]
async fn an_archive_is_loaded_once() {
    let world = World::new();
    let archive = world.lab.home().join("busybox.tar");
    let path = archive.to_str().expect("text");
    let nodes = ["n1", "n2", "n3"].map(|name| world.node(name, &[("provmethod", path)]));
    let guests = world.backends.guests(&nodes[0]).expect("docker makes guests");
    guests.check(&nodes[0]).expect("the archive is there");
    let made = futures_util::future::join_all(nodes.iter().map(|node| guests.create(node, false))).await;
    assert!(made.iter().all(|made| matches!(made, Ok(Created::Created))), "{made:?}");
    assert_eq!(guests.create(&nodes[0], false).await.expect("equal"), Created::Unchanged);
    let image = world.inspect("n1")["Config"]["Image"].as_str().expect("an image").to_owned();
    assert!(image.starts_with("xcrane.archive/busybox:"), "{image}");
    let missing = world.node("n4", &[("provmethod", "/nowhere.tar")]);
    assert!(matches!(guests.check(&missing), Err(Error::File { .. })));
}

#[tokio::test]
async fn what_the_engine_refuses_is_said_plainly() {
    let world = World::new();
    let refused = async |name: &str, attributes: &[(&str, &str)]| {
        let node = world.node(name, attributes);
        let guests = world.backends.guests(&node).expect("docker makes guests");
        let made = guests.create(&node, false).await;
        let started = match made {
            Ok(_) => world
                .backends
                .power(&node)
                .expect("docker powers")
                .apply(&node, plugins::PowerAction::On)
                .await
                .map(drop),
            Err(error) => Err(error),
        };
        started.expect_err("refused").to_string()
    };
    let check = |text: &str, expected: &str| {
        assert!(text.contains(expected) && text.starts_with("h1: cannot") && !text.contains('{'), "{text}");
    };
    check(&refused("n1", &[("vmnics", "nowhere")]).await, "nowhere");
    check(&refused("n2", &[("provmethod", "10.77.0.254:5000/no/such")]).await, "registry cannot be reached");
    check(&refused("n3", &[("dockercommand", "/no/such/program")]).await, "/no/such/program");
    check(&refused("n4", &[("vmnics", "cluster"), ("ip", "192.0.2.1")]).await, "192.0.2.1");
    world
        .lab
        .host("h1")
        .docker("run -d --name taken -p 8080:80 --network cluster --ip 10.100.0.3 busybox:lab")
        .success();
    check(&refused("n5", &[("dockerports", "8080:80")]).await, "8080");
    check(&refused("n6", &[("vmnics", "cluster"), ("ip", "10.100.0.3")]).await, "is in use by container taken");
    check(&refused("n7", &[("vmmemory", "1")]).await, "emory");
}
