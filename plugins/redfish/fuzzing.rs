//! The door of target `redfish`: a BMC that answers each question with the next of some documents, whatever was asked, to the
//! whole client but for TCP and TLS.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tables::Node;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_util::task::TaskTracker;

use super::Redfish;
use super::console::Way;
use super::discovery::root;
use crate::fuzzing::{check_shown, packets};
use crate::{
    Beacon, Boot, BootDevice, BootOverride, EventLog, Inventory, Measured, Media, Part, Persistence, Power,
    PowerAction, RedfishSettings, Result, Sensors, Settings, Value, Vital, WantedVitals, chain,
};

const PASSWORD: &str = "no-one-may-read-this";
/// Stands in an answer that is no success for the password, which the BMC has heard.
const SAID_BACK: &str = "%PASSWORD%";
/// Chooses a stranger, who sends bytes rather than documents.
const STRANGER: u8 = 22;
const CODES: [u16; 16] = [200, 201, 202, 204, 400, 401, 403, 404, 405, 409, 412, 428, 500, 501, 503, 429];

thread_local! {
    /// What the BMC is still to say.
    static ANSWERS: RefCell<Option<VecDeque<(StatusCode, Bytes)>>> = RefCell::default();
}

/// Says whether the BMC was understood. The first byte chooses what is asked; of each document the first one is its status.
pub async fn run(input: &[u8]) -> bool {
    let Some((asked, input)) = input.split_first() else { return false };
    if asked % 32 == STRANGER {
        return stranger(input).await;
    }
    ANSWERS.set(Some(packets(input).filter_map(answer).collect()));
    let endings = TaskTracker::new();
    let redfish = Redfish::new(&settings(), &endings);
    let attributes = [("bmc", "127.0.0.1"), ("bmcusername", "u"), ("bmcpassword", PASSWORD)];
    let attributes = BTreeMap::from(attributes.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let told = ask(&redfish, &Node::new("n1", attributes, None), *asked).await;
    endings.close();
    endings.wait().await;
    ANSWERS.set(None);
    match &told {
        Ok(texts) => texts.iter().for_each(|text| check_shown(text)),
        Err(error) => {
            let text = chain(error);
            assert!(!text.contains(PASSWORD), "{text}");
            check_shown(&text);
        }
    }
    told.is_ok()
}

/// Whoever is behind an address that bmcdiscover asks.
async fn stranger(said: &[u8]) -> bool {
    let (ours, mut theirs) = duplex(64 << 10);
    let said = said.to_vec();
    tokio::spawn(async move {
        let asked = theirs.read(&mut [0; 1024]).await.unwrap_or_default();
        assert!(asked > 0, "nothing is asked");
        theirs.write_all(&said).await.ok();
    });
    let root = root(ours, Ipv4Addr::LOCALHOST.into()).await;
    let told = ["UUID", "Vendor", "Product"].map(|member| root.as_ref().and_then(|root| root.text(&[member])));
    told.iter().flatten().for_each(|text| check_shown(text));
    root.is_some()
}

fn settings() -> Settings {
    let nowhere = PathBuf::from("/nonexistent");
    Settings {
        connect_limit: Duration::from_secs(5),
        request_limit: Duration::from_secs(60),
        transfer_limit: Duration::from_secs(60),
        ssh_user: "root".into(),
        ssh_keys: Vec::new(),
        known_hosts: Vec::new(),
        accept_new_host_keys: false,
        tls_directory: nowhere.clone(),
        logins: Vec::new(),
        mirrors: Vec::new(),
        bmc_account: None,
        redfish: RedfishSettings { pins: nowhere, ..RedfishSettings::default() },
        networks: Vec::new(),
        executables: Vec::new(),
        executables_state: std::path::PathBuf::new(),
    }
}

fn answer(packet: &[u8]) -> Option<(StatusCode, Bytes)> {
    let (code, body) = packet.split_first()?;
    let status = StatusCode::from_u16(CODES[usize::from(code % 16)]).ok()?;
    let body = match str::from_utf8(body) {
        Ok(text) if !status.is_success() => Bytes::from(text.replace(SAID_BACK, PASSWORD)),
        _ => Bytes::copy_from_slice(body),
    };
    Some((status, body))
}

/// All that is for people to read in what the machine tells.
async fn ask(redfish: &Redfish, node: &Node, what: u8) -> Result<Vec<String>> {
    const PARTS: [Part; 6] = [Part::Model, Part::Serial, Part::Asset, Part::Firmware, Part::Guid, Part::Controller];
    const ACTIONS: [PowerAction; 6] = [
        PowerAction::On,
        PowerAction::Off,
        PowerAction::Softoff,
        PowerAction::Reset,
        PowerAction::Boot,
        PowerAction::Cycle,
    ];
    let wanted =
        BootOverride { device: BootDevice::Network, persistence: Persistence::Once, efi: what & 0x80 != 0, url: None };
    let nothing = Vec::new();
    const ALL: [Vital; 9] = [
        Vital::Temperature,
        Vital::Voltage,
        Vital::Current,
        Vital::Fan,
        Vital::Wattage,
        Vital::Other,
        Vital::Chassis,
        Vital::Light,
        Vital::Power,
    ];
    let iso = "http://10.0.0.1/image/a.iso";
    Ok(match what % 32 {
        0 => vec![redfish.state_of_power(node).await?],
        1 => redfish.inventory(node, &PARTS).await?.into_iter().map(|fact| fact.value).collect(),
        2 => redfish.events(node).await?.into_iter().map(|event| event.text).collect(),
        3 => redfish.clear(node).await.map(|()| nothing)?,
        4 => Boot::get(redfish, node).await.map(|_| nothing)?,
        5 => Boot::set(redfish, node, Some(wanted)).await.map(|_| nothing)?,
        6 => Boot::set(redfish, node, None).await.map(|_| nothing)?,
        7 => Beacon::state(redfish, node).await.map(|_| nothing)?,
        8 => Beacon::switch(redfish, node, true).await.map(|()| nothing)?,
        15 => {
            let vitals = vec![Vital::Temperature, Vital::Fan, Vital::Power];
            shown(redfish.vitals(node, &WantedVitals { vitals, limits: true }).await?)
        }
        16 => shown(redfish.vitals(node, &WantedVitals { vitals: ALL.to_vec(), limits: what & 0x80 != 0 }).await?),
        17 => redfish.inserted(node).await?,
        18 => redfish.insert(node, iso).await.map(|()| nothing)?,
        19 => Media::eject(redfish, node).await.map(|()| nothing)?,
        20 => redfish.told_ways(node).await?,
        21 => {
            let url = Some("http://10.0.0.1/snponly.efi".to_owned());
            Boot::set(redfish, node, Some(BootOverride { url, ..wanted })).await.map(|_| nothing)?
        }
        other => {
            let action = ACTIONS[usize::from(other - 9) % ACTIONS.len()];
            redfish.apply(node, action).await?.warning.into_iter().collect()
        }
    })
}

fn shown(measured: Vec<Measured>) -> Vec<String> {
    let said = |value: &Value| match value {
        Value::Number { unit, .. } => unit.clone(),
        Value::Words(words) => words.clone(),
        Value::Unknown => String::new(),
    };
    measured.iter().flat_map(|measured| [measured.name.clone(), said(&measured.value)]).collect()
}

impl Redfish {
    /// What is typed into a BMC's shell to get the console.
    async fn told_ways(&self, node: &Node) -> Result<Vec<String>> {
        let entry = |way: Way| match way {
            Way::Ssh { entry, .. } => entry,
            Way::Ipmi { .. } => None,
        };
        Ok(self.ways(node).await?.into_iter().filter_map(entry).collect())
    }

    async fn state_of_power(&self, node: &Node) -> Result<String> {
        Ok(Power::state(self, node).await?.word)
    }
}

/// A connection to the BMC; None where there is none, and others are to be dialled.
pub(super) async fn connect() -> Option<SendRequest<Full<Bytes>>> {
    if ANSWERS.with_borrow(Option::is_none) {
        return None;
    }
    let (ours, theirs) = duplex(64 << 10);
    let bmc = http1::Builder::new().serve_connection(TokioIo::new(theirs), service_fn(next));
    tokio::spawn(async move { bmc.await.ok() });
    let (open, connection) = handshake(TokioIo::new(ours)).await.expect("a pipe in memory does not fail");
    tokio::spawn(async move { connection.await.ok() });
    Some(open)
}

async fn next(request: Request<Incoming>) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    request.into_body().collect().await.ok();
    let nothing = || (StatusCode::NOT_FOUND, Bytes::new());
    let (status, body) = ANSWERS.with_borrow_mut(|left| left.as_mut()?.pop_front()).unwrap_or_else(nothing);
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = [
        ("x-auth-token", "token of a session"),
        ("location", "/redfish/v1/SessionService/Sessions/1"),
        ("retry-after", "1"),
    ];
    for (name, value) in headers {
        answer.headers_mut().insert(name, value.parse().expect("a header"));
    }
    Ok(answer)
}
