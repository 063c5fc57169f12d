//! Whether a BMC is at an address, and which: what it tells anyone, and more if it lets us in.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::inventory::Store;
use super::message::{Request, Response};
use super::pauses::Pauses;
use super::target::{PORT, Target};
use super::wire::Line;
use super::{Ipmi, NAME, identity, makers, plain};
use crate::registry::Account;
use crate::{AsWhom, Discovery, Found, Result};

/// The first wait for an answer. Most addresses have nobody who could answer.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// How often the first question is sent, and further ones to somebody who is there.
const SENDS: usize = 3;
const DOING: &str = "tell what it is";

#[async_trait]
impl Discovery for Ipmi {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn probe(&self, address: IpAddr, as_whom: AsWhom<'_>) -> Result<Option<Found>> {
        let peer = SocketAddr::new(address, PORT);
        let Some((capabilities, guid)) = self.introduction(peer).await? else { return Ok(None) };
        let vendor = makers::name(capabilities.maker);
        let mut found = Found { guid, vendor, ..Found::at(address) };
        if !capabilities.speaks_2_0 {
            found.trouble = Some("it speaks IPMI 1.5 only, which protects nothing and is not spoken here".into());
            return Ok(Some(found));
        }
        found.speaks.push(NAME);
        let account = match as_whom {
            AsWhom::Nobody => None,
            // By IPMI it is the BMC that proves first to know the password.
            AsWhom::Site => self.account.as_ref(),
            AsWhom::Account(account) => Some(account),
        };
        if let Some(account) = account {
            let Account { user, password } = account.clone();
            let target = Target { name: format!("BMC {address}"), address: peer, user, password };
            if let Err(error) = self.look_closer(&target, &mut found).await {
                found.trouble = Some(crate::chain(&error));
            }
        }
        Ok(Some(found))
    }
}

impl Ipmi {
    /// Whether a BMC answers there.
    pub(super) async fn is_there(&self, peer: SocketAddr) -> Result<bool> {
        let mut line = self.wire.plain(peer)?;
        Ok(exchange(&mut line, &plain::get_capabilities(), 0).await?.is_some())
    }

    /// What is told outside of a session.
    async fn introduction(&self, peer: SocketAddr) -> Result<Option<(plain::Capabilities, Option<String>)>> {
        let mut line = self.wire.plain(peer)?;
        let answer = ask(&mut line, &plain::get_capabilities(), 0).await?;
        let Some(capabilities) = answer.and_then(|data| plain::capabilities(&data)) else { return Ok(None) };
        let guid = ask(&mut line, &identity::get_guid(), 1).await?;
        Ok(Some((capabilities, guid.and_then(|data| identity::guid(&data)))))
    }

    /// What is told only to those who log in.
    async fn look_closer(&self, target: &Target, found: &mut Found) -> Result<()> {
        let mut session = self.open(target).await?;
        let answer = session.ask(DOING, &identity::get_device_id()).await?;
        let controller = identity::controller(&answer).ok_or_else(|| session.garbled(DOING))?;
        if let Some(vendor) = makers::name(controller.manufacturer) {
            found.vendor = Some(vendor);
        }
        let store = Store::read(&mut session).await?;
        if let Some(vendor) = store.product_field(0) {
            found.vendor = Some(vendor);
        }
        found.product = store.product_field(1);
        found.model = store.product_field(2);
        found.serial = store.product_field(4);
        Ok(())
    }
}

/// The data of a successful answer; None where none comes.
async fn ask(line: &mut Line, request: &Request, sequence: u8) -> Result<Option<Vec<u8>>> {
    let response = exchange(line, request, sequence).await?;
    Ok(response.filter(|response| response.code == 0).map(|response| response.data))
}

/// Any answer; None where none comes.
async fn exchange(line: &mut Line, request: &Request, sequence: u8) -> Result<Option<Response>> {
    let packet = plain::write(&request.write(sequence));
    let mut pauses = Pauses::from(FIRST_WAIT);
    for _ in 0..SENDS {
        line.send(&packet).await?;
        let until = Instant::now() + pauses.pause();
        while let Some(bytes) = line.receive(until).await {
            let response = plain::read(&bytes).and_then(Response::read);
            if let Some(response) = response.filter(|response| request.is_answered_by(response, sequence)) {
                return Ok(Some(response));
            }
        }
    }
    Ok(None)
}
