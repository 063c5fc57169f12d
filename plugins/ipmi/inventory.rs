//! What a BMC says that it and its machine are.

use std::time::Duration;

use async_trait::async_trait;
use tables::Node;
use tokio::time::Instant;

use super::Ipmi;
use super::fru::{self, Area};
use super::identity::{self, Controller};
use super::message::Request;
use super::session::Session;
use crate::{Fact, Inventory, Part, Result};

const STORAGE: u8 = 0x0a;
/// What one answer carries of a store. Some BMCs refuse much more than this.
const PIECE: u8 = 24;
const DOING: &str = "read the inventory";
/// How long reading the store may take; a slow BMC needs a tenth of a second for each of its pieces.
const READING: Duration = Duration::from_secs(60);

#[async_trait]
impl Inventory for Ipmi {
    async fn inventory(&self, node: &Node, parts: &[Part]) -> Result<Vec<Fact>> {
        let mut session = self.session(node).await?;
        let has = |wanted: &[Part]| parts.iter().any(|part| wanted.contains(part));
        let mut known = Known::default();
        if has(&[Part::Firmware, Part::Controller]) {
            let answer = session.ask(DOING, &identity::get_device_id()).await?;
            known.controller = Some(identity::controller(&answer).ok_or_else(|| session.garbled(DOING))?);
        }
        if has(&[Part::Guid]) {
            let answer = session.try_ask(DOING, &identity::get_guid()).await?;
            known.guid = (answer.code == 0).then(|| identity::guid(&answer.data)).flatten();
        }
        if has(&[Part::Model, Part::Serial, Part::Asset]) {
            known.store = Store::read(&mut session).await?;
        }
        Ok(parts.iter().flat_map(|part| known.facts(*part)).collect())
    }
}

/// What was read.
#[derive(Default)]
struct Known {
    controller: Option<Controller>,
    guid: Option<String>,
    store: Store,
}

impl Known {
    fn facts(&self, part: Part) -> Vec<Fact> {
        let Store { chassis, board, product } = &self.store;
        let pairs = match part {
            Part::Model => vec![
                ("System Manufacturer", field(product, 0)),
                ("System Description", field(product, 1)),
                ("System Model/MTM", field(product, 2)),
                ("System Revision", field(product, 3)),
                ("Board Manufacturer", field(board, 0)),
                ("Board Model", field(board, 1)),
                ("Board Part Number", field(board, 3)),
                ("Chassis Part Number", field(chassis, 0)),
            ],
            Part::Serial => vec![
                ("Serial Number", field(product, 4)),
                ("Board Serial Number", field(board, 2)),
                ("Chassis Serial Number", field(chassis, 1)),
            ],
            Part::Asset => vec![("Asset Number", field(product, 5))],
            Part::Firmware => {
                vec![("BMC Firmware", self.controller.as_ref().map(|controller| controller.firmware.clone()))]
            }
            Part::Guid => vec![("UUID/GUID", self.guid.clone())],
            Part::Controller => self.controller.as_ref().map(Controller::facts).unwrap_or_default(),
        };
        pairs.into_iter().filter_map(|(label, value)| Some(Fact { label, value: value? })).collect()
    }
}

fn field(area: &[String], place: usize) -> Option<String> {
    area.get(place).filter(|text| !text.is_empty()).cloned()
}

/// The fields of the machine's own store.
#[derive(Default)]
pub(super) struct Store {
    chassis: Vec<String>,
    board: Vec<String>,
    product: Vec<String>,
}

impl Store {
    /// Reads the areas that there are; a machine without a store is no error.
    pub(super) async fn read(session: &mut Session) -> Result<Self> {
        let begun = Instant::now();
        let Some(header) = read(session, begun, 0, fru::HEADER.into()).await? else { return Ok(Self::default()) };
        let Some(areas) = fru::areas(&header) else { return Ok(Self::default()) };
        Ok(Self {
            chassis: area(session, begun, Area::Chassis, areas.chassis).await?,
            board: area(session, begun, Area::Board, areas.board).await?,
            product: area(session, begun, Area::Product, areas.product).await?,
        })
    }

    /// A field of the product by its place: 0 maker, 1 name, 2 model, 3 revision, 4 serial number, 5 asset.
    pub(super) fn product_field(&self, place: usize) -> Option<String> {
        field(&self.product, place)
    }
}

/// The fields of one area; none if it is not there or damaged.
async fn area(session: &mut Session, begun: Instant, area: Area, place: Option<u16>) -> Result<Vec<String>> {
    let Some(place) = place else { return Ok(Vec::new()) };
    let Some(head) = read(session, begun, place, fru::AREA_HEADER.into()).await? else { return Ok(Vec::new()) };
    let Some(length) = fru::length(&head) else { return Ok(Vec::new()) };
    let bytes = read(session, begun, place, length).await?;
    Ok(bytes.and_then(|bytes| fru::fields(area, &bytes)).unwrap_or_default())
}

/// Bytes of the machine's own store, number 0; None where it has no such place.
async fn read(session: &mut Session, begun: Instant, place: u16, length: u16) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    while bytes.len() < usize::from(length) {
        session.in_time(DOING, begun, READING)?;
        let done = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        let count = u8::try_from(length - done).unwrap_or(PIECE).min(PIECE);
        let [low, high] = place.saturating_add(done).to_le_bytes();
        let answer = session.try_ask(DOING, &Request::new(STORAGE, 0x11, &[0, low, high, count])).await?;
        // The first byte counts the others.
        let (0, Some((_, piece))) = (answer.code, answer.data.split_first()) else { return Ok(None) };
        if piece.is_empty() || piece.len() > count.into() {
            return Ok(None);
        }
        bytes.extend(piece);
    }
    Ok(Some(bytes))
}
