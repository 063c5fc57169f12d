//! Engines that are old, dead, gone or full, and two admins at once.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lab::Lab;
use plugins::{Backends, Created, Error, PowerAction, Progress, Settings};

use crate::world::{World, settings};

fn impatient(home: &Path) -> Settings {
    Settings { connect_limit: Duration::from_secs(2), request_limit: Duration::from_secs(3), ..settings(home) }
}

#[tokio::test]
async fn an_old_engine_says_what_it_speaks() {
    let world = World::new();
    let host = world.lab.host("h1");
    let _old = host.old_engine("1.18");
    let node = world.node("n1", &[]);
    let error = world.backends.power(&node).expect("docker powers").state(&node).await.expect_err("too old");
    let text = error.to_string();
    assert!(matches!(error, Error::Refused { .. }) && text.contains("h1") && text.contains("API 1.18"), "{text}");
}

#[tokio::test]
async fn an_engine_that_hangs_costs_one_limit_for_all_its_nodes() {
    let mut world = World::new();
    world.backends = Backends::new(&impatient(&world.lab.home()), &Progress::silent());
    let nodes: Vec<_> = (0..50).map(|number| world.node(&format!("n{number}"), &[])).collect();
    let power = world.backends.power(&nodes[0]).expect("docker powers");
    assert!(matches!(power.state(&nodes[0]).await, Err(Error::Absent { .. })));
    world.lab.host("h1").hang_engine();
    let started = Instant::now();
    let all = join_all(nodes.iter().map(|node| power.apply(node, PowerAction::Off))).await;
    assert!(all.iter().all(|one| one.as_ref().is_err_and(Error::is_unreachable)), "{all:?}");
    // One request limit and one connect limit, where each node by itself would make 50 of them.
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
    let started = Instant::now();
    assert!(power.state(&nodes[1]).await.is_err_and(|error| error.is_unreachable()));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());

    let fresh = Backends::new(&impatient(&world.lab.home()), &Progress::silent());
    let power = fresh.power(&nodes[0]).expect("docker powers");
    let started = Instant::now();
    let all = join_all(nodes.iter().map(|node| power.state(node))).await;
    assert!(all.iter().all(|one| one.as_ref().is_err_and(Error::is_unreachable)), "{all:?}");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    world.lab.host("h1").heal();
}

#[tokio::test]
async fn an_engine_that_is_stopped_is_unreachable() {
    let world = World::new();
    let node = world.node("n1", &[]);
    let power = world.backends.power(&node).expect("docker powers");
    assert!(matches!(power.state(&node).await, Err(Error::Absent { .. })));
    world.lab.host("h1").stop_engine();
    let error = power.apply(&node, PowerAction::On).await.expect_err("gone");
    assert!(error.is_unreachable() && error.to_string().contains("h1"), "{error}");
}

#[tokio::test]
async fn two_admins_make_the_same_containers_at_once() {
    let world = World::new();
    let other = World {
        backends: Backends::new(&settings(&world.lab.home()), &Progress::silent()),
        lab: Lab::new("/bin/true"),
    };
    let nodes: Vec<_> = (10..30).map(|number| world.node(&format!("n{number}"), &[("vmmemory", "64")])).collect();
    let one = world.backends.guests(&nodes[0]).expect("docker makes guests");
    let two = other.backends.guests(&nodes[0]).expect("docker makes guests");
    let (first, second) = tokio::join!(
        join_all(nodes.iter().map(|node| one.create(node, false))),
        join_all(nodes.iter().rev().map(|node| two.create(node, false))),
    );
    let all: Vec<_> = first.into_iter().chain(second).collect();
    let count = |wanted: Created| all.iter().filter(|made| matches!(made, Ok(made) if *made == wanted)).count();
    assert_eq!((count(Created::Created), count(Created::Unchanged)), (20, 20), "{all:?}");
    assert_eq!(world.lab.host("h1").docker("ps -aq").stdout.lines().count(), 20);
}

#[tokio::test]
async fn a_missing_image_is_pulled_once() {
    let world = World::from(Lab::new("/bin/true").hosts(1).registry().without_image("h1"));
    let image = [("provmethod", "10.77.0.254:5000/busybox:lab")];
    let nodes: Vec<_> = (10..20).map(|number| world.node(&format!("n{number}"), &image)).collect();
    let guests = world.backends.guests(&nodes[0]).expect("docker makes guests");
    let made = join_all(nodes.iter().map(|node| guests.create(node, false))).await;
    assert!(made.iter().all(|made| matches!(made, Ok(Created::Created))), "{made:?}");
    let until = "docker events --since 2000-01-01 --until $(($(date +%s) + 1)) --filter event=pull";
    let pulls = world.lab.host("h1").shell(&format!("{until} | wc -l"));
    assert_eq!(pulls.trim(), "1");
    let wrong = world.node("n30", &[("provmethod", "10.77.0.254:5000/busybox:none")]);
    let error = guests.create(&wrong, false).await.expect_err("no such tag").to_string();
    assert!(error.contains("neither the host nor the registry has it"), "{error}");
}

#[tokio::test]
async fn a_full_disk_is_named() {
    let world = World::new();
    world.lab.host("h1").fill_disk();
    let node = world.node("n1", &[]);
    let error = world.backends.guests(&node).expect("docker makes guests").create(&node, false).await;
    let error = error.expect_err("no room").to_string();
    assert!(error.starts_with("h1: cannot") && error.contains("no space left"), "{error}");
    world.lab.host("h1").free_disk();
    let guests = world.backends.guests(&node).expect("docker makes guests");
    assert!(guests.create(&node, false).await.is_ok());
}
