//! On, off and in between.

use plugins::{PowerAction, PowerState, Powered, Reached, Ways};
use tables::Node;

use crate::world::World;

/// Ends at once on SIGTERM.
const POLITE: (&str, &str) = ("dockercommand", r#"sh -c "trap 'exit 0' TERM; while :; do sleep 0.1; done""#);
/// Never ends by itself.
const STUBBORN: (&str, &str) = ("dockercommand", r#"sh -c "trap '' TERM; while :; do sleep 0.1; done""#);

async fn made<'a>(world: &'a World, node: &Node) -> Ways<'a> {
    world.backends.guests(node).expect("docker makes guests").create(node, false).await.expect("made");
    world.backends.power(node).expect("docker powers")
}

fn told(word: &'static str, changed: bool) -> Powered {
    Powered { word, changed, under_way: changed && word == "softoff", warning: None }
}

#[tokio::test]
async fn every_action_from_every_state() {
    let world = World::new();
    let node = world.node("n1", &[POLITE]);
    let power = made(&world, &node).await;
    let state = async || power.state(&node).await.expect("state").state;
    let apply = async |action| power.apply(&node, action).await.map_err(|error| error.to_string());
    assert_eq!(state().await, PowerState::Off);
    assert_eq!(apply(PowerAction::Off).await, Ok(told("off", false)));
    assert_eq!(apply(PowerAction::Reset).await, Ok(told("off", false)));
    assert_eq!(apply(PowerAction::Softoff).await, Ok(told("softoff", false)));
    assert!(apply(PowerAction::Cycle).await.is_err_and(|error| error.contains("off")));
    assert!(apply(PowerAction::Suspend).await.is_err());
    assert!(apply(PowerAction::Resume).await.is_err());
    assert_eq!(apply(PowerAction::On).await, Ok(told("on", true)));
    assert_eq!(apply(PowerAction::On).await, Ok(told("on", false)));
    assert_eq!(state().await, PowerState::On);
    let reached = world.backends.reach(&node).expect("docker reaches").reach(&node).await.expect("asked");
    assert_eq!(reached, Reached::Ping);
    assert_eq!(apply(PowerAction::Reset).await, Ok(told("reset", true)));
    assert_eq!(apply(PowerAction::Boot).await, Ok(told("reset", true)));
    assert_eq!(apply(PowerAction::Cycle).await, Ok(told("cycle", true)));
    assert_eq!(apply(PowerAction::Resume).await, Ok(told("resume", false)));
    assert_eq!(apply(PowerAction::Suspend).await, Ok(told("suspend", true)));
    assert_eq!(state().await, PowerState::Suspended);
    assert_eq!(apply(PowerAction::Suspend).await, Ok(told("suspend", false)));
    assert_eq!(apply(PowerAction::On).await, Ok(told("on", true)));
    assert_eq!(state().await, PowerState::On);
    assert_eq!(apply(PowerAction::Suspend).await, Ok(told("suspend", true)));
    assert_eq!(apply(PowerAction::Off).await, Ok(told("off", true)));
    assert_eq!(state().await, PowerState::Off);
    assert_eq!(apply(PowerAction::Boot).await, Ok(told("on", true)));
    assert_eq!(apply(PowerAction::Softoff).await, Ok(told("softoff", true)));
}

#[tokio::test]
async fn off_says_when_it_had_to_kill() {
    let world = World::new();
    let node = world.node("n1", &[STUBBORN, ("dockerstoptimeout", "1")]);
    let power = made(&world, &node).await;
    power.apply(&node, PowerAction::On).await.expect("runs");
    let off = power.apply(&node, PowerAction::Off).await.expect("ends");
    assert_eq!(off.warning.as_deref(), Some("did not stop within 1 s and was killed"));
    let killed = world.node("n2", &[STUBBORN, ("dockerstopsignal", "KILL")]);
    let power = made(&world, &killed).await;
    power.apply(&killed, PowerAction::On).await.expect("runs");
    assert_eq!(power.apply(&killed, PowerAction::Off).await.expect("ends"), told("off", true));
}

#[tokio::test]
async fn a_container_that_dies_at_once_says_why() {
    let world = World::new();
    let node = world.node("n1", &[("dockercommand", r#"sh -c "for i in 1 2 3 4 5 6; do echo line $i; done; exit 3""#)]);
    let power = made(&world, &node).await;
    let error = power.apply(&node, PowerAction::On).await.expect_err("it died").to_string();
    assert!(error.contains("exit code 3") && error.contains("line 2\nline 3") && !error.contains("line 1"), "{error}");
    let short = world.node("n2", &[("dockercommand", "true")]);
    let power = made(&world, &short).await;
    let on = power.apply(&short, PowerAction::On).await.expect("it ended well");
    assert!(on.warning.is_some_and(|warning| warning.contains("exit code 0")));
    let again = world.node("n3", &[("dockercommand", "false"), ("dockerrestart", "always")]);
    let power = made(&world, &again).await;
    let error = power.apply(&again, PowerAction::On).await.expect_err("it keeps dying").to_string();
    assert!(error.contains("ends at once again") || error.contains("exit code 1"), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_not_off() {
    let world = World::new();
    let node = world.node("n1", &[]);
    let power = world.backends.power(&node).expect("docker powers");
    assert!(matches!(power.state(&node).await, Err(plugins::Error::Absent { .. })));
    assert!(matches!(power.apply(&node, PowerAction::On).await, Err(plugins::Error::Absent { .. })));
    assert!(matches!(power.apply(&node, PowerAction::Off).await, Err(plugins::Error::Absent { .. })));
}
