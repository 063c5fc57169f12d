//! Containers in several networks, read back from the engine and from inside.

use plugins::{Changed, Created, Error, PowerAction};
use serde_json::{Value, json};
use tables::Node;

use crate::world::World;

/// The first network comes last by name, so that an engine's own order is the wrong one.
const TWO: [(&str, &str); 4] =
    [("vmnics", "cluster,back"), ("ip", "10.100.0.7"), ("nicips", "eth1!10.201.0.7"), ("dockergateway", "back")];

fn world() -> World {
    let world = World::new();
    network(&world, "--subnet 10.201.0.0/24 back");
    world
}

fn network(world: &World, words: &str) {
    let host = world.lab.host("h1");
    host.docker(&format!("network create {words}")).success();
}

async fn create(world: &World, node: &Node) -> Result<Created, Error> {
    world.backends.guests(node).expect("docker makes guests").create(node, false).await
}

async fn switch(world: &World, node: &Node, action: PowerAction) {
    world.backends.power(node).expect("docker powers").apply(node, action).await.expect("obeys");
}

/// The container's interfaces as `address/length`, sorted; then the network that the default route is in.
fn inside(world: &World, name: &str) -> (Vec<String>, String) {
    let host = world.lab.host("h1");
    let addresses = host.docker(&format!("exec {name} ip -o -4 addr")).success();
    let words = addresses.lines().filter_map(|line| line.split_whitespace().nth(3));
    let mut addresses: Vec<String> = words.filter(|word| !word.starts_with("127.")).map(str::to_owned).collect();
    addresses.sort();
    let routes = host.docker(&format!("exec {name} ip route")).success();
    let router = routes.lines().find_map(|line| line.strip_prefix("default via ")).unwrap_or_default();
    (addresses, router.split_whitespace().next().unwrap_or_default().to_owned())
}

fn places(world: &World, name: &str) -> Value {
    world.inspect(name)["NetworkSettings"]["Networks"].take()
}

fn why(made: Result<Created, Error>) -> String {
    made.expect_err("refused").to_string()
}

#[tokio::test]
async fn two_networks() {
    let world = world();
    let mac = ("mac", "02:77:00:00:00:07|02:42:0a:c9:00:07!n1-eth1");
    let node = world.node("n1", &[&TWO[..], &[mac]].concat());
    assert_eq!(create(&world, &node).await.expect("made"), Created::Created);
    assert_eq!(create(&world, &node).await.expect("found equal"), Created::Unchanged);
    switch(&world, &node, PowerAction::On).await;
    assert_eq!(create(&world, &node).await.expect("running and equal"), Created::Unchanged);
    let found = places(&world, "n1");
    let seen = |name: &str| [found[name]["IPAddress"].clone(), found[name]["MacAddress"].clone()];
    assert_eq!(seen("cluster"), [json!("10.100.0.7"), json!("02:77:00:00:00:07")]);
    assert_eq!(seen("back"), [json!("10.201.0.7"), json!("02:42:0a:c9:00:07")]);
    let addresses = ["10.100.0.7/16", "10.201.0.7/24"].map(str::to_owned).to_vec();
    assert_eq!(inside(&world, "n1"), (addresses.clone(), "10.201.0.1".into()));
    // As it is after a restart, which engines do by themselves.
    switch(&world, &node, PowerAction::Reset).await;
    assert_eq!(inside(&world, "n1"), (addresses, "10.201.0.1".into()));
    let guests = world.backends.guests(&node).expect("docker makes guests");
    let state = guests.inspect(&node).await.expect("inspected");
    let networks: Vec<&str> =
        state.lines.iter().filter(|(label, _)| *label == "Network").map(|(_, text)| text.as_str()).collect();
    assert_eq!(networks, ["cluster 10.100.0.7 02:77:00:00:00:07", "back 10.201.0.7 02:42:0a:c9:00:07 default route"]);
    assert_eq!(guests.list(&world.host()).await.expect("listed")[0].ip.as_deref(), Some("10.100.0.7"));
}

#[tokio::test]
async fn what_was_begun_is_completed_and_what_was_changed_is_shown() {
    let world = world();
    let host = world.lab.host("h1");
    let node = world.node("n1", &TWO);
    create(&world, &node).await.expect("made");
    host.docker("network disconnect back n1").success();
    assert_eq!(create(&world, &node).await.expect("completed"), Created::Created);
    assert_eq!(places(&world, "n1")["back"]["IPAMConfig"]["IPv4Address"], "10.201.0.7");

    switch(&world, &node, PowerAction::On).await;
    host.docker("network disconnect back n1").success();
    network(&world, "--subnet 10.202.0.0/24 other");
    host.docker("network connect other n1").success();
    let differs = why(create(&world, &node).await);
    assert!(differs.contains("vmnics: cluster,back, container has cluster,other"), "{differs}");
    let guests = world.backends.guests(&node).expect("docker makes guests");
    assert_eq!(guests.change(&node, false).await.expect("changed"), Changed::Live);
    assert_eq!(guests.change(&node, false).await.expect("equal"), Changed::Unchanged);
    assert_eq!(inside(&world, "n1").0, ["10.100.0.7/16", "10.201.0.7/24"]);
    let moved = world.node("n1", &[&TWO[..], &[("nicips", "eth1!10.201.0.8")]].concat());
    let differs = why(create(&world, &moved).await);
    assert!(differs.contains("nicips.eth1: 10.201.0.8, container has 10.201.0.7"), "{differs}");
    assert_eq!(guests.change(&moved, false).await.expect("changed"), Changed::Live);
    assert_eq!(inside(&world, "n1").0, ["10.100.0.7/16", "10.201.0.8/24"]);
}

#[tokio::test]
async fn what_the_engine_cannot_be_told_is_refused() {
    let world = world();
    network(&world, "--internal --subnet 10.203.0.0/24 aside");
    let first = [("vmnics", "cluster,back"), ("ip", "10.100.0.7"), ("nicips", "eth1!10.201.0.7")];
    let refusal = why(create(&world, &world.node("n1", &first)).await);
    assert!(refusal.contains("sends the default route through network 'back', not through 'cluster'"), "{refusal}");
    let mac = ("mac", "02:77:00:00:00:07|02:77:00:00:00:08");
    let refusal = why(create(&world, &world.node("n1", &[&TWO[..], &[mac]].concat())).await);
    let expected = "gives eth1 in network back the MAC address 02:42:0a:c9:00:07, made from its address";
    assert!(refusal.contains(expected), "{refusal}");
    let refusal = why(create(&world, &world.node("n1", &[("vmnics", "cluster,nowhere")])).await);
    assert!(refusal.contains("there is no network 'nowhere'"), "{refusal}");
    let outside = [("vmnics", "cluster,back"), ("nicips", "eth1!10.9.0.7"), ("dockergateway", "back")];
    let refusal = why(create(&world, &world.node("n1", &outside)).await);
    assert!(refusal.contains("network 'back' has no address 10.9.0.7 (attribute nicips.eth1)"), "{refusal}");
    assert_eq!(world.lab.host("h1").docker("ps -aq").success(), "");

    let node = world.node("n1", &[("vmnics", "cluster,aside"), ("ip", "10.100.0.7"), ("nicips", "eth1!10.203.0.7")]);
    assert_eq!(create(&world, &node).await.expect("made"), Created::Created);
    switch(&world, &node, PowerAction::On).await;
    assert_eq!(inside(&world, "n1"), (vec!["10.100.0.7/16".into(), "10.203.0.7/24".into()], "10.100.255.254".into()));
}
