//! A playbook, by `ansible-playbook` on the management node: one run for all nodes, heard node by node.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, getuid};
use plugins::{Settings, is_container};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tables::Node;
use tokio::process::Command;

use super::watch::Watch;
use super::{Asked, Call, local};
use crate::context::Context;
use crate::diskless::root::need;
use crate::failure::Failure;
use crate::modules::WHOLE;
use crate::modules::contract::{Change, MOST, Request, ended};
use crate::modules::manifest::Method;
use crate::modules::site::Ready;
use crate::own_file;
use crate::remote::Line;

/// What tells us of each host.
const CALLBACK: &str = include_str!("playbook.py");

/// The group of the nodes that a run is about.
const TARGETS: &str = "targets";

/// What the directory of a run begins with; its process follows.
const PLACE: &str = "xcrane-playbook-";

/// A line of [`CALLBACK`].
#[derive(Debug, Default, Deserialize)]
struct Event {
    #[serde(default)]
    target: String,
    /// The task that it comes to.
    progress: Option<String>,
    change: Option<Change>,
    state: Option<Value>,
    error: Option<String>,
    warning: Option<String>,
    #[serde(default)]
    ended: bool,
}

/// What was heard of all hosts.
#[derive(Debug, Default)]
struct Report {
    changes: BTreeMap<String, Vec<Change>>,
    states: BTreeMap<String, Value>,
    errors: BTreeMap<String, String>,
    warnings: BTreeSet<String>,
    ended: bool,
    stderr: String,
    size: usize,
}

/// Runs the playbook for all that are asked; what each has answered, or why it could not be run at all.
pub(super) async fn run<T: DeserializeOwned>(
    cx: &Context,
    ready: &Ready<'_>,
    method: Method,
    asked: Vec<Asked<'_>>,
) -> Vec<(String, Result<T, Failure>)> {
    if asked.is_empty() {
        return Vec::new();
    }
    let request = ready.request(method, WHOLE, &[]);
    let call = Call { module: ready.module, method, request: &request, secrets: &ready.secrets };
    let report = match play(cx, call, ready, &asked).await {
        Ok(report) => report,
        Err(failure) => return vec![(WHOLE.to_owned(), Err(failure))],
    };
    report.warnings.iter().for_each(|warning| call.warn(cx, warning));
    asked.into_iter().map(|asked| (asked.target.clone(), report.answer(call, &asked.target))).collect()
}

async fn play(cx: &Context, call: Call<'_>, ready: &Ready<'_>, asked: &[Asked<'_>]) -> Result<Report, Failure> {
    let run = &call.module.manifest.methods[&call.method];
    let playbook = call.program(run)?;
    if let Some(node) = asked.iter().filter_map(|asked| asked.node.as_ref()).find(|node| is_container(node)) {
        let why = format!("{} is a container, and a playbook reaches nodes by ssh", node.name());
        return Err(call.failed(&why, "").hint("way 'node' runs in containers too"));
    }
    need("ansible-playbook", "ansible-core")?;
    let settings = cx.settings()?;
    let place = Place::make().map_err(|error| call.failed(&format!("cannot make a directory: {error}"), ""))?;
    let inventory = inventory(call.request, ready, asked, &settings);
    let written =
        own_file::write_with_directories(&place.file("callbacks/xcrane.py"), CALLBACK.as_bytes()).and_then(|()| {
            own_file::write_with_directories(&place.file("inventory.json"), inventory.to_string().as_bytes())
        });
    written.map_err(|error| call.failed(&format!("cannot write {}: {error}", place.0.display()), ""))?;
    let command = command(call, &place, &playbook, &settings, ready.at_once(call.method));
    let (mut report, mut watch) = (Report::default(), Watch::of(cx, call));
    let mut hear = |line| {
        if let Some(task) = report.hear(line) {
            watch.show(&task);
        }
    };
    let code = local::converse(call, cx, run, command, b"", &mut hear).await?;
    match (report.ended, report.size > MOST) {
        (_, true) => Err(call.too_much()),
        (true, false) => Ok(report),
        (false, false) => Err(call.failed(&format!("ansible-playbook {}", ended(code)), &report.stderr)),
    }
}

fn command(call: Call<'_>, place: &Place, playbook: &Path, settings: &Settings, at_once: usize) -> Command {
    let mut command = Command::new("ansible-playbook");
    command.arg("--inventory").arg(place.file("inventory.json")).arg("--diff");
    if matches!(call.method, Method::Plan | Method::Audit) {
        command.arg("--check");
    }
    command
        .arg(playbook)
        .current_dir(&call.module.directory)
        .env("ANSIBLE_CALLBACK_PLUGINS", place.file("callbacks"))
        .env("ANSIBLE_STDOUT_CALLBACK", "xcrane")
        .env("ANSIBLE_HOME", &place.0)
        .env("ANSIBLE_LOCAL_TEMP", place.file("tmp"))
        .env("ANSIBLE_SSH_CONTROL_PATH_DIR", place.file("cp"))
        .env("ANSIBLE_SSH_ARGS", ssh_arguments(settings))
        // A task that is not piped in has a terminal on its node, and ends with that when we end what waits for it.
        .env("ANSIBLE_PIPELINING", "0")
        .env("ANSIBLE_FORKS", at_once.to_string())
        .env("ANSIBLE_RETRY_FILES_ENABLED", "0")
        .env("ANSIBLE_NOCOLOR", "1")
        .env("LC_ALL", "C.UTF-8");
    command
}

/// The same keys and the same trust as all that xcrane does over ssh.
fn ssh_arguments(settings: &Settings) -> String {
    let quoted = |path: &Path| format!("\"{}\"", path.display());
    let known: Vec<String> = settings.known_hosts.iter().map(|path| quoted(path)).collect();
    let checking = if settings.accept_new_host_keys { "accept-new" } else { "yes" };
    let mut words = vec![
        "ControlMaster=auto".to_owned(),
        "ControlPersist=30s".to_owned(),
        format!("ConnectTimeout={}", settings.connect_limit.as_secs().max(1)),
        format!("StrictHostKeyChecking={checking}"),
        format!("UserKnownHostsFile={}", known.join(" ")),
    ];
    words.extend(settings.ssh_keys.iter().map(|key| format!("IdentityFile={}", quoted(key))));
    words.iter().map(|word| format!("-o '{}'", word.replace('\'', ""))).collect::<Vec<_>>().join(" ")
}

/// All targets of the config with their groups, and those that this run is about as group [`TARGETS`]. What is given as data is
/// marked so that Ansible takes nothing in it for a template: a node may have said it.
fn inventory(request: &Request<'_>, ready: &Ready<'_>, asked: &[Asked<'_>], settings: &Settings) -> Value {
    let data = |value: Value| json!({ "__ansible_unsafe": value });
    let mut children: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut hosts = Map::new();
    let is_other = |node: &&Node| ready.targets.iter().all(|target| target.name() != node.name());
    let others = asked.iter().filter_map(|asked| asked.node.as_ref()).filter(is_other);
    for node in ready.targets.iter().chain(others) {
        let mut variables = reached(node, settings);
        variables.insert("xcrane_state".into(), data(ready.document.of(node.name()).clone()));
        let backup = asked.iter().find(|asked| asked.target == node.name()).and_then(|asked| asked.backup.clone());
        variables.extend(backup.map(|backup| ("xcrane_backup".to_owned(), data(backup))));
        hosts.insert(node.name().to_owned(), Value::Object(variables));
        let groups = node.get("groups").unwrap_or_default().split(',').map(str::trim);
        for group in groups.filter(|group| !matches!(*group, "" | "all" | "ungrouped" | TARGETS)) {
            children.entry(group.to_owned()).or_default().insert(node.name().to_owned(), json!({}));
        }
    }
    let meant = asked.iter().map(|asked| (asked.target.clone(), json!({}))).collect();
    children.insert(TARGETS.to_owned(), meant);
    let children: Map<String, Value> =
        children.into_iter().map(|(group, of)| (group, json!({ "hosts": of }))).collect();
    let told = json!({ "method": request.method, "config": request.config, "states": request.states });
    json!({ "all": { "hosts": hosts, "children": children, "vars": { "xcrane": data(told) } } })
}

fn reached(node: &Node, settings: &Settings) -> Map<String, Value> {
    let host = node.get("ip").unwrap_or(node.name());
    let user = node.get("sshuser").unwrap_or(&settings.ssh_user);
    let mut variables = Map::new();
    variables.insert("ansible_host".into(), host.into());
    variables.insert("ansible_user".into(), user.into());
    variables.extend(node.get("sshport").map(|port| ("ansible_port".to_owned(), port.into())));
    variables.insert("ansible_python_interpreter".into(), "auto_silent".into());
    variables
}

impl Report {
    /// Takes a line; the task that begins with it.
    fn hear(&mut self, line: Line) -> Option<String> {
        let line = match line {
            Line::Stdout(line) => line,
            Line::Stderr(words) => {
                self.stderr.push_str(&words);
                return None;
            }
        };
        self.size += line.len() + 1;
        // What is no line of ours is somebody's who writes to the same place; the end is what counts.
        let event = serde_json::from_str::<Event>(&line).ok()?;
        let target = event.target;
        if let Some(change) = event.change {
            self.changes.entry(target.clone()).or_default().push(change);
        }
        self.states.extend(event.state.map(|state| (target.clone(), state)));
        self.errors.extend(event.error.map(|error| (target, error)));
        self.warnings.extend(event.warning);
        self.ended |= event.ended;
        event.progress
    }

    /// What was heard of a node, in the words of the method.
    fn answer<T: DeserializeOwned>(&self, call: Call<'_>, target: &str) -> Result<T, Failure> {
        if let Some(error) = self.errors.get(target) {
            return Err(call.failed(error, ""));
        }
        let changes = self.changes.get(target).map_or(&[][..], Vec::as_slice);
        let state = self.states.get(target);
        let result = match call.method {
            Method::Plan => json!({ "changes": changes }),
            Method::Audit => json!({ "findings": changes.iter().map(finding).collect::<Vec<_>>() }),
            Method::Backup => json!({ "backup": state }),
            Method::Test => json!({ "tests": [{ "what": call.request.module }] }),
            Method::Metadata | Method::Init | Method::Apply | Method::Restore | Method::Update | Method::Scale => {
                json!({ "state": state })
            }
        };
        serde_json::from_value(result).map_err(|error| call.failed(&error.to_string(), ""))
    }
}

/// What the playbook would do again is what somebody has undone: it is there, and should be otherwise.
fn finding(change: &Change) -> Value {
    json!({ "kind": "changed", "what": change.what, "from": change.to, "to": change.from })
}

/// A directory of one run, which only we can read: an inventory has secrets of a config.
struct Place(PathBuf);

impl Place {
    fn make() -> io::Result<Self> {
        sweep();
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        // Short: ssh's sockets are in it, whose paths have 108 bytes.
        let place = std::env::temp_dir().join(format!("{PLACE}{}-{:x}", std::process::id(), now.as_nanos()));
        std::fs::DirBuilder::new().mode(0o700).create(&place)?;
        Ok(Self(place))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok(); // nothing of it is needed, and nobody else can read it
    }
}

/// Removes what runs that were killed have left: nobody is to find their secrets.
fn sweep() {
    let entries = std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PLACE).and_then(|rest| rest.split('-').next()?.parse().ok());
        let is_over = process.is_some_and(|id| kill(Pid::from_raw(id), None) == Err(Errno::ESRCH));
        let is_ours = entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == getuid().as_raw());
        if is_over && is_ours {
            std::fs::remove_dir_all(entry.path()).ok(); // the next run tries again
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_has_left_is_swept_away() {
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        let left = std::env::temp_dir().join(format!("{PLACE}{}-1", ended.id()));
        ended.wait().unwrap();
        std::fs::create_dir(&left).unwrap();
        let place = Place::make().unwrap();
        assert!(!left.exists() && place.0.exists());
        drop(Place::make().unwrap());
        assert!(place.0.exists(), "that of a run that goes on stays");
    }

    #[test]
    fn what_hosts_do_is_heard_host_by_host() {
        let mut report = Report::default();
        let lines = [
            r#"{"progress": "motd"}"#,
            r#"{"target": "n1", "change": {"what": "motd: /etc/motd", "from": "a", "to": "b"}}"#,
            "[WARNING]: something that a plugin prints",
            r#"{"target": "n2", "error": "motd: no space left"}"#,
            r#"{"target": "n1", "state": {"text": "b"}}"#,
            r#"{"ended": true}"#,
        ];
        let tasks: Vec<String> = lines.iter().filter_map(|line| report.hear(Line::Stdout((*line).into()))).collect();
        assert_eq!(tasks, ["motd"]);
        assert!(report.ended && report.changes["n1"][0].shown() == "motd: /etc/motd: a -> b");
        assert_eq!(
            (report.states["n1"]["text"].as_str(), report.errors["n2"].as_str()),
            (Some("b"), "motd: no space left")
        );
        assert_eq!(finding(&report.changes["n1"][0])["to"], "a");
    }
}
