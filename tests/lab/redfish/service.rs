//! One BMC: who is logged in, what it answers to whom, and what is wrong with it.

use std::time::Duration;

use openssl::base64::decode_block;
use serde_json::{Value, json};

use super::controller::{ACCOUNTS, INTERFACES};
use super::http::{Asked, Told};
use super::{RedfishFault, RedfishMachine};

const EXPANDED: &str = "?$expand=.($levels=1)";
const DRIVES: &str = "/redfish/v1/Managers/1/VirtualMedia";
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// What becomes of a question.
#[derive(Debug)]
pub(super) enum Saying {
    /// An answer, so much later.
    Told(Told, Duration),
    /// The connection ends.
    Broken,
    /// Silence.
    Nothing,
    /// A body without end.
    Endless,
}

#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) machine: RedfishMachine,
    pub(super) fault: Option<RedfishFault>,
    open: Vec<u32>,
    opened: u32,
}

impl Service {
    pub(super) fn sessions(&self) -> usize {
        self.open.len()
    }

    pub(super) fn hear(&mut self, asked: &Asked) -> Saying {
        self.machine.heard.push(format!("{} {}", asked.method, asked.path));
        let is_login = asked.method == "POST" && asked.path == SESSIONS;
        let is_root = asked.path == "/redfish/v1/";
        let now = |told| Saying::Told(told, Duration::ZERO);
        match &mut self.fault {
            Some(RedfishFault::Absent) => Saying::Broken,
            Some(RedfishFault::Stuck) if !is_root && !is_login && asked.method != "DELETE" => Saying::Nothing,
            Some(RedfishFault::Drops(left)) if *left > 0 => {
                *left -= 1;
                Saying::Broken
            }
            Some(RedfishFault::Forgets) if asked.path.ends_with("ComputerSystem.Reset") => {
                self.answer(asked);
                Saying::Broken
            }
            Some(RedfishFault::Leaves) if asked.path.ends_with("ComputerSystem.Reset") => {
                self.fault = Some(RedfishFault::Drops(u32::MAX));
                now(self.answer(asked))
            }
            Some(RedfishFault::Echoes) if is_login => {
                now(Told::new(400, &json!({ "error": { "message": format!("cannot use {}", asked.body) } })))
            }
            Some(RedfishFault::Picky) if asked.body["Password"].is_string() && !is_login => {
                now(Told::new(400, &json!({ "error": { "message": format!("too weak: {}", asked.body) } })))
            }
            Some(RedfishFault::Full(left)) if is_login && *left > 0 => {
                *left = left.saturating_sub(1);
                now(refused(503, "SessionLimitExceeded"))
            }
            Some(RedfishFault::Busy(left, after)) if *left > 0 => {
                *left -= 1;
                let told = refused(503, "ServiceTemporarilyUnavailable");
                now(after.iter().fold(told, |told, after| told.with("Retry-After", after)))
            }
            Some(RedfishFault::Garbage) => now(Told { body: "<html>".into(), ..Told::new(200, &Value::Null) }),
            Some(RedfishFault::Deep) => {
                let body = format!("{{\"Systems\":{}", "[".repeat(500_000));
                now(Told { body, ..Told::new(200, &Value::Null) })
            }
            Some(RedfishFault::Endless) => Saying::Endless,
            Some(RedfishFault::Redirects(to)) if !is_root && !is_login => {
                let to = format!("https://{to}{}", asked.path);
                now(Told::new(307, &Value::Null).with("Location", to))
            }
            Some(RedfishFault::Closes) => now(self.answer(asked).with("Connection", "close")),
            Some(RedfishFault::Slow(late)) => {
                let late = *late;
                Saying::Told(self.answer(asked), late)
            }
            _ => now(self.answer(asked)),
        }
    }

    fn answer(&mut self, asked: &Asked) -> Told {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/redfish/v1/") => {
                Told::new(200, &self.extended("/redfish/v1/", Some(self.root())).unwrap_or_default())
            }
            ("POST", SESSIONS) => self.log_in(&asked.body),
            _ if !self.lets_in(asked) => refused(401, "NoValidSession"),
            ("DELETE", path) if path.starts_with(ACCOUNTS) => self.dismiss(path),
            ("DELETE", path) => self.log_out(path),
            _ => self.admitted(asked),
        }
    }

    /// The answer to somebody who is logged in.
    fn admitted(&mut self, asked: &Asked) -> Told {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", path) => self.tell(path),
            _ if !self.machine.may_change => refused(403, "InsufficientPrivilege"),
            (method, path) => Told::new(self.act(method, path, asked), &Value::Null),
        }
    }

    fn root(&self) -> Value {
        let link = |path: &str| json!({ "@odata.id": format!("/redfish/v1/{path}") });
        let mut root = json!({
            "RedfishVersion": "1.15.0", "Vendor": self.machine.vendor, "Systems": link("Systems"), "Managers": link("Managers"),
            "AccountService": link("AccountService"), "UUID": "b0000000-0000-4000-8000-000000000001",
        });
        if self.fault != Some(RedfishFault::NoSessions) {
            root["Links"] = json!({ "Sessions": link("SessionService/Sessions") });
        }
        root
    }

    fn log_in(&mut self, body: &Value) -> Told {
        if matches!(self.fault, Some(RedfishFault::NoSessions | RedfishFault::LyingSessions)) {
            return refused(404, "ResourceMissingAtURI");
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        if !self.has_account(text("UserName"), text("Password")) {
            return refused(401, "ResourceAtUriUnauthorized");
        }
        self.opened += 1;
        self.open.push(self.opened);
        Told::new(201, &json!({ "Id": self.opened.to_string() }))
            .with("X-Auth-Token", format!("token-{}", self.opened))
            .with("Location", format!("https://bmc.example{SESSIONS}/{}", self.opened))
    }

    fn lets_in(&self, asked: &Asked) -> bool {
        if let Some(token) = asked.header("x-auth-token") {
            return self.open.iter().any(|number| token == format!("token-{number}"));
        }
        let account = asked.header("authorization").and_then(|text| decode_block(text.strip_prefix("Basic ")?).ok());
        let account = account.and_then(|account| String::from_utf8(account).ok());
        account
            .as_deref()
            .and_then(|account| account.split_once(':'))
            .is_some_and(|(name, password)| self.has_account(name, password))
    }

    fn has_account(&self, name: &str, password: &str) -> bool {
        let own = (name, password) == (self.machine.user.as_str(), self.machine.password.as_str());
        own || self.machine.controller.lets_in(name, password)
    }

    fn log_out(&mut self, path: &str) -> Told {
        let before = self.open.len();
        self.open.retain(|number| path != format!("{SESSIONS}/{number}"));
        Told::new(if self.open.len() < before { 204 } else { 404 }, &Value::Null)
    }

    fn dismiss(&mut self, path: &str) -> Told {
        let users = &mut self.machine.controller.users;
        let known = place(path).and_then(|place| place.checked_sub(1)).filter(|place| *place < users.len());
        let gone = known.map(|place| users.remove(place));
        Told::new(if gone.is_some() { 204 } else { 404 }, &Value::Null)
    }

    fn tell(&self, path: &str) -> Told {
        let body = match path.strip_suffix(EXPANDED) {
            Some(collection) => self.resource(collection).map(|body| self.expanded(body)),
            None => self.resource(path),
        };
        match body {
            Some(body) => Told::new(200, &body).with("ETag", "\"v1\""),
            None => refused(404, "ResourceMissingAtURI"),
        }
    }

    fn resource(&self, path: &str) -> Option<Value> {
        let members = |paths: Vec<String>| json!({ "Members": paths.iter().map(|path| json!({ "@odata.id": path })).collect::<Vec<_>>() });
        let system = format!("/redfish/v1/Systems/{}", self.machine.id());
        let systems = || self.machine.systems.iter().map(|id| format!("/redfish/v1/Systems/{id}"));
        let drives = || self.machine.drives.iter().map(|drive| (format!("{DRIVES}/{}", drive.id), drive));
        let body = match path {
            "/redfish/v1/Systems" => Some(members(systems().collect())),
            "/redfish/v1/Managers" => Some(members(vec!["/redfish/v1/Managers/1".into()])),
            "/redfish/v1/Managers/1" => Some(self.manager()),
            DRIVES => Some(members(drives().map(|(path, _)| path).collect())),
            "/redfish/v1/AccountService" => Some(json!({ "Accounts": { "@odata.id": ACCOUNTS } })),
            ACCOUNTS => Some(members(
                (1..=self.machine.controller.users.len() + 1).map(|id| format!("{ACCOUNTS}/{id}")).collect(),
            )),
            INTERFACES => Some(members(vec![format!("{INTERFACES}/eth0")])),
            path if path.strip_prefix(INTERFACES) == Some("/eth0") => Some(self.machine.controller.interface()),
            path if path.starts_with(ACCOUNTS) => self.account(path),
            path if path == system => Some(self.machine.system()),
            path if systems().any(|known| known == path) => Some(json!({ "Name": "Another" })),
            path => match drives().find(|(known, _)| known == path) {
                Some((path, drive)) => Some(drive.tell(&path)),
                None => path.strip_prefix(&format!("{system}/")).and_then(|rest| self.machine.below(rest)),
            },
        };
        self.extended(path, body)
    }

    fn account(&self, path: &str) -> Option<Value> {
        let tell =
            |name: &str, role: &str, enabled: bool| json!({ "UserName": name, "RoleId": role, "Enabled": enabled });
        match place(path)? {
            0 => Some(tell(&self.machine.user, "Administrator", true)),
            place => {
                self.machine.controller.users.get(place - 1).map(|user| tell(&user.name, &user.role, user.enabled))
            }
        }
    }

    /// Status of the answer to what changes who may log in.
    fn change_account(&mut self, method: &str, path: &str, body: &Value) -> u16 {
        if self.fault == Some(RedfishFault::Forgetful) {
            return 200;
        }
        let users = &mut self.machine.controller;
        match (method, place(path)) {
            ("POST", None) if path == ACCOUNTS => users.add(body),
            ("PATCH", Some(0)) => {
                if let Some(password) = body["Password"].as_str() {
                    password.clone_into(&mut self.machine.password);
                    // Who was logged in with the former one is so no more.
                    self.open.clear();
                }
                200
            }
            ("PATCH", Some(place)) => users.change_user(place - 1, body),
            _ => 404,
        }
    }

    fn manager(&self) -> Value {
        let mut manager = json!({
            "Model": "Watchman 3", "FirmwareVersion": "2.34", "EthernetInterfaces": { "@odata.id": INTERFACES },
        });
        if !self.machine.drives.is_empty() {
            manager["VirtualMedia"] = json!({ "@odata.id": DRIVES });
        }
        manager
    }

    /// A resource with what is told beside it.
    fn extended(&self, path: &str, body: Option<Value>) -> Option<Value> {
        match (body, self.machine.more.get(path)) {
            (Some(mut body), Some(more)) => {
                merge(&mut body, more);
                Some(body)
            }
            (body, more) => body.or_else(|| more.cloned()),
        }
    }

    /// A collection with its members as they are, where the BMC does that.
    fn expanded(&self, mut body: Value) -> Value {
        for member in body["Members"].as_array_mut().into_iter().flatten().filter(|_| self.machine.expands) {
            let whole = member["@odata.id"].as_str().and_then(|path| self.resource(path));
            *member = whole.unwrap_or_default();
        }
        body
    }

    /// Status of the answer to what changes something.
    fn act(&mut self, method: &str, path: &str, asked: &Asked) -> u16 {
        if path.starts_with(ACCOUNTS) {
            return self.change_account(method, path, &asked.body);
        }
        if method == "PATCH" && path.starts_with(INTERFACES) {
            let keeps = self.fault != Some(RedfishFault::Forgetful);
            return if keeps { self.machine.controller.change_interface(&asked.body) } else { 200 };
        }
        if let Some(rest) = path.strip_prefix(DRIVES).and_then(|rest| rest.strip_prefix('/')) {
            let (id, action) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let drive = self.machine.drives.iter_mut().find(|drive| drive.id == id);
            return drive.map_or(404, |drive| drive.act(method, action, &asked.body));
        }
        let Some(rest) = path.strip_prefix(&format!("/redfish/v1/Systems/{}", self.machine.id())) else { return 404 };
        let insists = self.fault == Some(RedfishFault::Insists);
        match (method, rest) {
            ("PATCH", "") if insists && asked.header("if-match") != Some("\"v1\"") => 428,
            ("PATCH", "") => self.machine.change(&asked.body),
            ("POST", "/Actions/ComputerSystem.Reset") => {
                self.machine.reset(asked.body["ResetType"].as_str().unwrap_or_default())
            }
            ("POST", "/LogServices/SEL/Actions/LogService.ClearLog") => {
                self.machine.events.clear();
                204
            }
            _ => 405,
        }
    }
}

/// Which account it is; the machine's own one is the first.
fn place(path: &str) -> Option<usize> {
    path.strip_prefix(ACCOUNTS)?.strip_prefix('/')?.parse::<usize>().ok()?.checked_sub(1)
}

/// Members of `more` in `body`, object by object.
fn merge(body: &mut Value, more: &Value) {
    match (body, more) {
        (Value::Object(body), Value::Object(more)) => {
            more.iter().for_each(|(name, value)| merge(body.entry(name).or_insert(Value::Null), value));
        }
        (body, more) => *body = more.clone(),
    }
}

fn refused(status: u16, message: &str) -> Told {
    let told = json!({ "MessageId": format!("Base.1.8.{message}"), "Message": format!("It says {message}.") });
    Told::new(status, &json!({ "error": { "code": "Base.1.8.GeneralError", "@Message.ExtendedInfo": [told] } }))
}
