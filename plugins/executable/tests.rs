//! Executables that make sense, and others.

use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{Attach, Guests, PowerState, Session, chain};

const LAMP: &str = r#"{"result":{"capabilities":["power"],"actions":["on"]}}"#;

/// An executable that says `metadata` when it is asked for that, and does `script` whatever else it is asked.
fn executable(place: &Path, metadata: &str, script: &str) -> Executable {
    let path = place.join("lamp");
    let text =
        format!("#!/bin/sh\nread -r request\ncase $1 in\nmetadata) echo '{metadata}' ;;\n*) {script} ;;\nesac\n");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&path).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    Executable {
        name: "lamp",
        path,
        directory: place.join("state"),
        limit: Duration::from_secs(2),
        metadata_limit: Duration::from_secs(20),
        metadata: OnceLock::new(),
        progress: Progress::silent(),
    }
}

fn node() -> Node {
    Node::new("n1", Default::default(), None).with(&[("bmcpassword", "sesame")])
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn asked(script: &str) -> std::result::Result<(PowerState, String), String> {
    let place = tempfile::tempdir().unwrap();
    let lamp = executable(place.path(), LAMP, script);
    let reading = runtime().block_on(Power::state(&lamp, &node())).map_err(|error| chain(&error));
    reading.map(|reading| (reading.state, reading.word))
}

#[test]
fn what_it_says_is_taken_if_it_makes_sense() {
    let check = |script: &str, expected: &str| {
        let why = asked(script).expect_err(script);
        assert!(why.contains(expected), "{why}");
        assert!(!why.contains("sesame"), "{why}");
    };
    let said = r#"echo; echo '{"progress":"a"}'; echo '{"result":{"state":"on","word":"glows"}}'"#;
    assert_eq!(asked(said), Ok((PowerState::On, "glows".into())));
    check("echo hello", "which is no message of the contract");
    check("echo '{\"error\":\"no sesame here\"}'", "no *** here");
    check("echo 'sesame seeds' >&2; exit 3", "it ended with 3 and without a result\n*** seeds");
    check("echo '{\"result\":{\"state\":\"blue\"}}'", "not that of the contract: unknown variant `blue`");
    check("echo '{\"result\":{\"state\":\"sesame\"}}'", "unknown variant `***`");
    check("echo '{\"result\":{\"state\":\"on\",\"changed\":true}}'", "unknown field `changed`");
    check("echo '{\"result\":1}'; echo '{\"result\":1}'", "more than one result");
    check("echo '{\"result\":{\"state\":\"on\"}}'; exit 1", "it said a result and ended with 1");
    check("sleep 60 & wait", "no answer after 2 s");
    check("yes", "it said more than 16 MiB");
}

#[test]
fn whoever_says_much_to_people_is_heard_to_its_end() {
    let script =
        "word=$(head -c 100000 /dev/zero | tr '\\0' x); for n in 0 1 2 3 4 5 6 7 8 9; do echo $word$word >&2; done";
    let said = format!(r#"{script}; echo '{{"result":{{"state":"on"}}}}'"#);
    assert_eq!(asked(&said), Ok((PowerState::On, "on".into())));
    let why = asked(&format!("{script}; echo 'the last word' >&2; exit 1")).unwrap_err();
    assert!(why.ends_with("x\nthe last word") && why.len() < 3000, "{why}");
}

#[test]
fn what_a_guest_is_like_is_shown_without_secrets() {
    let place = tempfile::tempdir().unwrap();
    let said = r#"echo '{"result":{"Started with":["-p","sesame"],"Memory":64}}'"#;
    let lamp = executable(place.path(), LAMP, said);
    let guest = runtime().block_on(Guests::inspect(&lamp, &node())).unwrap();
    assert_eq!(guest.raw.to_string(), r#"{"Started with":["-p","***"],"Memory":64}"#);
    assert_eq!(guest.lines, [("Started with", r#"["-p","***"]"#.to_owned()), ("Memory", "64".to_owned())]);
}

#[test]
fn what_it_did_is_said_in_whole() {
    let did = |answer: &str| {
        let place = tempfile::tempdir().unwrap();
        let lamp = executable(place.path(), LAMP, &format!("echo '{answer}'"));
        runtime().block_on(Power::apply(&lamp, &node(), PowerAction::On)).map_err(|error| chain(&error))
    };
    let powered = did(r#"{"result":{"changed":false,"warning":"sesame is no password"}}"#).unwrap();
    assert_eq!((powered.changed, powered.warning.as_deref()), (false, Some("*** is no password")));
    let check = |answer: &str, expected: &str| {
        let why = did(answer).unwrap_err();
        assert!(why.contains(expected), "{why}");
    };
    check(r#"{"result":{}}"#, "missing field `changed`");
    check(r#"{"result":{"state":"up"}}"#, "unknown field `state`");
    check(r#"{"result":{"changed":true,"wraning":"hot"}}"#, "unknown field `wraning`");
}

#[test]
fn what_it_says_of_guests_is_said_in_whole() {
    let place = tempfile::tempdir().unwrap();
    let metadata = r#"{"result":{"capabilities":["guests"]}}"#;
    let check = |answer: &str, expected: &str| {
        let lamp = executable(place.path(), metadata, &format!("echo '{answer}'"));
        let asked = async {
            let made = Guests::create(&lamp, &node(), false).await.map(drop);
            (made, Guests::remove(&lamp, &node(), false, false).await, Guests::list(&lamp, &node()).await.map(drop))
        };
        let (made, removed, listed) = runtime().block_on(asked);
        for why in [made, removed, listed].map(|answer| chain(&answer.unwrap_err())) {
            assert!(why.contains(expected), "{why}");
        }
    };
    check(r#"{"result":{}}"#, "missing field");
    check(r#"{"result":{"guests":[{"name":"n1","status":"on"}],"done":true}}"#, "unknown field");
}

#[test]
fn its_warnings_are_told_whatever_comes_then() {
    let place = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let keeps = told.clone();
    let progress = Progress::new(move |event| keeps.lock().unwrap().push(event));
    let script = r#"echo '{"warning":"sesame is known to all"}'; echo '{"warning":"hmm"}'; echo '{"error":"no"}'"#;
    let lamp = Executable { progress, ..executable(place.path(), LAMP, script) };
    let why = runtime().block_on(Power::state(&lamp, &node())).unwrap_err().to_string();
    assert!(why.ends_with("no"), "{why}");
    let note = |text: &str| Event::Note { host: "n1".into(), text: text.into() };
    assert_eq!(*told.lock().unwrap(), [note("*** is known to all"), note("hmm")]);
}

#[test]
fn what_it_can_is_what_there_is() {
    let place = tempfile::tempdir().unwrap();
    let check = |metadata: &str, expected: &str| {
        let lamp = executable(place.path(), &format!(r#"{{"result":{metadata}}}"#), "exit 1");
        let why = chain(&lamp.power().unwrap().check(&node(), PowerAction::On).unwrap_err());
        assert!(why.contains(expected), "{why}");
    };
    check(
        r#"{"capabilities":["power"],"actions":["on","blink"]}"#,
        "unknown variant `blink`, expected one of `on`, `off`",
    );
    check(r#"{"capabilities":["power"],"action":["on"]}"#, "unknown field `action`");
}

/// The console of one that waits for a line that is typed.
async fn opened(place: &Path, script: &str) -> Session {
    let metadata = r#"{"result":{"capabilities":["console"]}}"#;
    let lamp = executable(place, metadata, &format!("echo begins; read -r typed; {script}"));
    let mut session = Console::attach(&lamp, &node(), Attach::default()).await.unwrap();
    session.input.as_mut().unwrap().write_all(b"go\n").await.unwrap();
    session
}

#[tokio::test]
async fn a_console_goes_on_whatever_is_said_to_people() {
    let place = tempfile::tempdir().unwrap();
    let mut said = String::new();
    let warns = "echo 'sesame is no password' >&2; echo goes on";
    let mut session = opened(place.path(), warns).await;
    session.output.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "begins\ngoes on\n");
    let mut session = opened(place.path(), &format!("{warns}; exit 3")).await;
    said.clear();
    let error = session.output.read_to_string(&mut said).await.unwrap_err();
    assert_eq!(error.to_string(), "its program ended with 3: *** is no password");
    assert!(error.get_ref().is_some_and(|cause| cause.is::<crate::Interruption>()), "it may be attached to again");
}

#[test]
fn what_it_cannot_is_refused_before_it_is_asked() {
    let place = tempfile::tempdir().unwrap();
    let lamp = executable(place.path(), LAMP, "exit 1");
    let node = node();
    assert!(lamp.console().is_none() && lamp.guests().is_none());
    let lamp_power = lamp.power().unwrap();
    assert!(lamp_power.check(&node, PowerAction::On).is_ok());
    let why = lamp_power.check(&node, PowerAction::Reset).unwrap_err().to_string();
    assert_eq!(why, "reset is not supported when using mgt=lamp");
    fs::set_permissions(&lamp.path, fs::Permissions::from_mode(0o777)).unwrap();
    let open = Executable { metadata: OnceLock::new(), ..lamp };
    assert!(
        open.power().unwrap().check(&node, PowerAction::On).unwrap_err().to_string().contains("everybody may write")
    );
}
