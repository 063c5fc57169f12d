//! What a BMC itself is to be. Whatever is changed is looked at from outside before it counts, and put back if it fails.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};

use async_trait::async_trait;
use hyper::Method;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tables::Node;
use tokio::time::timeout;

use super::accounts::{self, Accounts, Place};
use super::document::Document;
use super::interface;
use super::machine::{Machine, members};
use super::quirks::Quirks;
use super::session::{Ask, Session, Target};
use super::{Redfish, check};
use crate::bmc::change::{Patience, refused, undone};
use crate::bmc::network;
use crate::{
    Controller, ControllerNetwork, ControllerUser, Error, NetworkChange, Result, UserChange, UserChanged, https,
};

/// Interfaces of a BMC that are looked at.
const INTERFACES: usize = 16;
const READING: &str = "tell its network";
const NETWORK: &str = "change its network";
const USERS: &str = "tell its users";
const USER: &str = "change a user";

/// A BMC with the interface that it is reached by.
struct Found {
    machine: Machine,
    path: String,
    interface: Document,
    network: ControllerNetwork,
}

/// Which BMC it is: by itself, and by its machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity([Option<String>; 3]);

#[async_trait]
impl Controller for Redfish {
    fn check(&self, node: &Node) -> Result<()> {
        check(self, node)
    }

    async fn network(&self, node: &Node) -> Result<ControllerNetwork> {
        Ok(self.find(node, &self.target(node).await?).await?.network)
    }

    async fn set_network(&self, node: &Node, change: &NetworkChange) -> Result<ControllerNetwork> {
        let target = self.target(node).await?;
        let mut found = match self.find(node, &target).await {
            Err(error @ Error::Unreachable { .. }) => {
                return self.moved_before(node, &target, change).await.ok_or(error);
            }
            found => found?,
        };
        let before = found.network;
        let wanted = network::changed(before, change);
        if let Some(why) = network::fault(&wanted) {
            return Err(refused(&target.name, NETWORK, why));
        }
        let body = interface::change(&found.interface, &before, &wanted);
        if body == json!({}) {
            return Ok(before);
        }
        let mut moved = target.clone();
        if wanted.address != before.address {
            moved = target.at(wanted.address);
            if let Some(why) = self.obstacle(&moved).await? {
                return Err(refused(&target.name, NETWORK, why));
            }
        }
        let stranger = self.trust.pinned(&moved.place())?;
        self.follow(&target, &moved)?;
        let identity = found.identity();
        let applied = found.machine.session.change(NETWORK, &found.path, &body).await;
        drop(found);
        let failed = match applied {
            Err(error) if !may_be_done(&error) => error,
            // Its answer may have been lost with its old address.
            _ => match self.is_so(node, &moved, &identity, &wanted).await {
                Ok(()) => return self.leave(&target, &moved).map(|()| wanted),
                Err(error) => error,
            },
        };
        let back = self.go_back(node, [&target, &moved], &identity, &before).await;
        if moved.place() != target.place() {
            self.trust.repin(&moved.place(), stranger.as_deref())?;
        }
        Err(undone(&target.name, NETWORK, &failed, back))
    }

    async fn users(&self, node: &Node) -> Result<Vec<ControllerUser>> {
        let mut session = self.open(&self.target(node).await?).await?;
        let users = Accounts::read(&mut session, USERS).await?.all.into_iter().map(|account| account.user);
        Ok(users.filter(|user| !user.name.is_empty()).collect())
    }

    async fn set_user(&self, node: &Node, change: &UserChange) -> Result<UserChanged> {
        let target = self.target(node).await?;
        let login = change.name.clone().unwrap_or_else(|| target.user.clone());
        let changed = Target { user: login.clone(), password: change.password.clone(), ..target.clone() };
        let mut session = match self.open(&target).await {
            // A run before this one may have come so far and no farther.
            Err(error @ Error::Denied { .. }) if login == target.user => {
                return match self.open(&changed).await {
                    Ok(_) => Ok(UserChanged { name: login, is_us: true }),
                    Err(_) => Err(error),
                };
            }
            session => session?,
        };
        session.hide(&login, &change.password);
        let accounts = Accounts::read(&mut session, USERS).await?;
        let place = accounts.place(change.number, &login, Quirks::of(&session.root));
        let place = place.map_err(|why| session.refused(USER, why))?;
        let is_us = matches!(&place, Place::Taken(account) if account.user.name == target.user);
        let applied = make(&mut session, &accounts.path, &place, &changed).await;
        drop(session);
        let failed = match applied {
            // What is refused was not done.
            Err(error) if !may_be_done(&error) => return Err(undone(&target.name, USER, &error, Ok(()))),
            _ => match self.is_let_in(&changed).await {
                Ok(()) => return Ok(UserChanged { name: login, is_us }),
                Err(error) => error,
            },
        };
        let back = self.put_back(&target, &changed, &place).await;
        Err(undone(&target.name, USER, &failed, back))
    }
}

impl Redfish {
    async fn find(&self, node: &Node, target: &Target) -> Result<Found> {
        let mut machine = Machine::find(self.open(target).await?, node.name()).await?;
        let manager = machine.beside(READING, "ManagedBy", "Managers").await?;
        let interfaces = manager.and_then(|(_, manager)| manager.link(&["EthernetInterfaces"]));
        let Some(interfaces) = interfaces else {
            return Err(machine.session.refused(READING, "it tells of no interface with an address"));
        };
        let mut all = Vec::new();
        for path in members(&mut machine.session, READING, &interfaces).await?.into_iter().take(INTERFACES) {
            if let Some(interface) = machine.session.find(READING, &path).await? {
                let address = reached_at(target);
                all.extend(interface::read(&interface, address).map(|network| (path, interface, network)));
            }
        }
        let place = all.iter().position(|(_, _, network)| network.address == reached_at(target));
        let (path, interface, network) = match (place, all.len()) {
            (Some(place), _) => all.swap_remove(place),
            // Somebody between it and us may change addresses.
            (None, 1) => all.swap_remove(0),
            (None, 0) => return Err(machine.session.refused(READING, "it tells of no interface with an address")),
            (None, several) => {
                let why = format!("it has {several} interfaces, and none has the address that it is reached at");
                return Err(machine.session.refused(READING, why));
            }
        };
        Ok(Found { machine, path, interface, network })
    }

    /// The same BMC, or an error.
    async fn find_same(&self, node: &Node, target: &Target, identity: &Identity) -> Result<Found> {
        let found = self.find(node, target).await?;
        if found.identity() == *identity {
            return Ok(found);
        }
        Err(Error::Denied { what: target.name.clone(), why: "this is another BMC, by its UUID".into() })
    }

    /// Why a BMC cannot go where it is to be, if somebody is there. That one is not asked who it is, so that nobody is
    /// pinned there.
    async fn obstacle(&self, target: &Target) -> Result<Option<String>> {
        let address = target.address.ip();
        let is = |who: &str| Ok(Some(format!("{who} answers at {address} already")));
        let dialled = https::dial(target.address, ServerName::from(address), self.trust.tls()?);
        match timeout(self.limits.connect, dialled).await {
            Err(_) => Ok(None),
            Ok(Ok(_)) => is("a BMC"),
            Ok(Err(error)) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => is("a BMC"),
            Ok(Err(error)) => match error.kind() {
                ErrorKind::ConnectionRefused => is("a machine"),
                ErrorKind::NetworkUnreachable => Ok(Some(format!("cannot reach {address}: {error}"))),
                _ => Ok(None),
            },
        }
    }

    /// The same certificate at another address is the same BMC; nobody else there is told a password.
    fn follow(&self, target: &Target, moved: &Target) -> Result<()> {
        match self.trust.pinned(&target.place())? {
            Some(pinned) if moved.place() != target.place() => self.trust.repin(&moved.place(), Some(&pinned)),
            _ => Ok(()),
        }
    }

    /// Whoever is at the old address later is somebody else.
    fn leave(&self, target: &Target, moved: &Target) -> Result<()> {
        match self.trust.pinned(&target.place())? {
            Some(_) if moved.place() != target.place() => self.trust.repin(&target.place(), None),
            _ => Ok(()),
        }
    }

    /// The network of a BMC that a run before this one has moved, when that came no farther.
    async fn moved_before(&self, node: &Node, target: &Target, change: &NetworkChange) -> Option<ControllerNetwork> {
        let moved = target.at(change.address?);
        if moved.address == target.address {
            return None;
        }
        if self.trust.pinned(&moved.place()).ok()?.is_none() {
            self.follow(target, &moved).ok()?;
        }
        let found = self.find(node, &moved).await.ok()?;
        if !network::is_as_asked(&found.network, change) {
            return None;
        }
        self.leave(target, &moved).ok()?;
        Some(found.network)
    }

    /// Waits until the BMC is reached with this network.
    async fn is_so(&self, node: &Node, target: &Target, identity: &Identity, wanted: &ControllerNetwork) -> Result<()> {
        let patience = Patience::of(self.limits.connect);
        loop {
            let error = match self.find_same(node, target, identity).await {
                Ok(found) if found.network == *wanted => return Ok(()),
                Ok(_) => {
                    let why = "it has taken the values and not kept them".into();
                    Error::Refused { what: target.name.clone(), why }
                }
                Err(error) => error,
            };
            patience.after(error).await?;
        }
    }

    /// Waits until the BMC lets us in.
    async fn is_let_in(&self, target: &Target) -> Result<()> {
        let patience = Patience::of(self.limits.connect);
        while let Err(error) = self.open(target).await {
            patience.after(error).await?;
        }
        Ok(())
    }

    /// Puts the network back by whichever way the BMC is reached.
    async fn go_back(
        &self,
        node: &Node,
        ways: [&Target; 2],
        identity: &Identity,
        before: &ControllerNetwork,
    ) -> Result<()> {
        let mut found = match self.find_same(node, ways[0], identity).await {
            Ok(found) => found,
            Err(_) => self.find_same(node, ways[1], identity).await?,
        };
        let body = interface::change(&found.interface, &found.network, before);
        if body == json!({}) {
            return Ok(());
        }
        match found.machine.session.change(NETWORK, &found.path, &body).await {
            Err(error) if !may_be_done(&error) => return Err(error),
            _ => drop(found),
        }
        if before.fixed { self.is_so(node, ways[0], identity, before).await } else { self.is_let_in(ways[0]).await }
    }

    /// Makes a user what it was. A password that nobody knows here cannot be put back.
    async fn put_back(&self, target: &Target, changed: &Target, place: &Place) -> Result<()> {
        let is_us = matches!(place, Place::Taken(former) if former.user.name == target.user);
        let mut session = match self.open(target).await {
            Err(Error::Denied { .. }) if is_us => self.open(changed).await?,
            session => session?,
        };
        for way in [target, changed] {
            session.hide(&way.user, &way.password);
        }
        match place {
            Place::Taken(former) => {
                let body = accounts::back(&former.user, is_us.then_some(&target.password));
                session.change(USER, &former.path, &body).await?;
                let lost = || format!("the former password of '{}' is not known here", former.user.name);
                if is_us { Ok(()) } else { Err(session.refused(USER, lost())) }
            }
            Place::Free(former) => session.change(USER, &former.path, &accounts::freed()).await,
            Place::New => {
                let all = Accounts::read(&mut session, USERS).await?.all;
                let made = all.into_iter().find(|account| account.user.name == changed.user);
                let Some(account) = made else { return Ok(()) };
                say(&mut session, &Method::DELETE, &account.path, None).await
            }
        }
    }
}

impl Found {
    fn identity(&self) -> Identity {
        let now = &self.machine.now;
        Identity([self.machine.session.root.text(&["UUID"]), now.text(&["UUID"]), now.text(&["SerialNumber"])])
    }
}

/// The address that we use for it; none where that is of IPv6.
fn reached_at(target: &Target) -> Ipv4Addr {
    match target.address.ip().to_canonical() {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

/// Whether the BMC may have done what it was told, though we have not heard so.
fn may_be_done(error: &Error) -> bool {
    matches!(error, Error::TimedOut { .. } | Error::Garbled { .. } | Error::Unreachable { .. })
}

async fn make(session: &mut Session, accounts: &str, place: &Place, wanted: &Target) -> Result<()> {
    let Target { user, password, .. } = wanted;
    match place {
        Place::Taken(former) => {
            session.change(USER, &former.path, &accounts::changed(&former.user, user, password)).await
        }
        Place::Free(free) => session.change(USER, &free.path, &accounts::new(user, password)).await,
        Place::New => say(session, &Method::POST, accounts, Some(&accounts::new(user, password))).await,
    }
}

async fn say(session: &mut Session, method: &Method, path: &str, body: Option<&Value>) -> Result<()> {
    let answer = session.try_ask(Ask { doing: USER, method, path, body, tag: None }).await?;
    session.succeeded(USER, path, answer).map(drop)
}
