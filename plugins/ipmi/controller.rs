//! What a BMC itself is to be. Whatever is changed is looked at from outside before it counts, and put back if it fails.

use std::time::Duration;

use async_trait::async_trait;
use tables::Node;
use tokio::time::Instant;

use super::account::{self, Access};
use super::lan::{self, Parameter, Step};
use super::session::Session;
use super::target::{Target, check_login};
use super::{Ipmi, check};
use crate::bmc::change::{Patience, refused, undone};
use crate::bmc::network;
use crate::{
    Controller, ControllerNetwork, ControllerUser, Error, NetworkChange, Result, Secret, UserChange, UserChanged,
};

/// Which BMC it is.
type Guid = [u8; 16];

/// A BMC has no more users than this.
const MOST_USERS: u8 = 63;
/// How long telling them may take.
const READING: Duration = Duration::from_secs(60);
/// The first user is the one without a name, by the specification.
const FIRST_NAMED: u8 = 2;
const NETWORK: &str = "change its network";
const USERS: &str = "tell its users";
const USER: &str = "change a user";

#[async_trait]
impl Controller for Ipmi {
    fn check(&self, node: &Node) -> Result<()> {
        check(self, node)
    }

    async fn network(&self, node: &Node) -> Result<ControllerNetwork> {
        let mut session = self.session(node).await?;
        let channel = channel(&mut session).await?;
        read(&mut session, channel).await
    }

    async fn set_network(&self, node: &Node, change: &NetworkChange) -> Result<ControllerNetwork> {
        let target = self.target(node).await?;
        let mut session = match self.open(&target).await {
            Err(error @ Error::Unreachable { .. }) => return self.moved_before(&target, change).await.ok_or(error),
            session => session?,
        };
        let channel = channel(&mut session).await?;
        let before = read(&mut session, channel).await?;
        let wanted = network::changed(before, change);
        if let Some(why) = network::fault(&wanted) {
            return Err(refused(&target.name, NETWORK, why));
        }
        let steps = lan::steps(&before, &wanted);
        if steps.is_empty() {
            return Ok(before);
        }
        let mut moved = target.clone();
        if wanted.address != before.address {
            moved = target.at(wanted.address);
            let there = self.is_there(moved.address).await;
            if there.map_err(|error| refused(&target.name, NETWORK, crate::chain(&error)))? {
                let why = format!("a BMC answers at {} already", wanted.address);
                return Err(refused(&target.name, NETWORK, why));
            }
        }
        let guid = session.guid();
        let applied = carry_out(&mut session, channel, &steps).await;
        drop(session);
        let failed = match applied {
            // Its answer may have been lost with its old address.
            Ok(()) | Err(Error::TimedOut { .. }) => match self.is_so(&moved, guid, &wanted).await {
                Ok(()) => return Ok(wanted),
                Err(error) => error,
            },
            Err(error) => error,
        };
        let back = self.go_back([&target, &moved], guid, &before).await;
        Err(undone(&target.name, NETWORK, &failed, back))
    }

    async fn users(&self, node: &Node) -> Result<Vec<ControllerUser>> {
        let mut session = self.session(node).await?;
        let channel = channel(&mut session).await?;
        let users = users(&mut session, channel).await?;
        Ok(users.into_iter().filter(|user| !user.name.is_empty()).collect())
    }

    async fn set_user(&self, node: &Node, change: &UserChange) -> Result<UserChanged> {
        let target = self.target(node).await?;
        let login = change.name.clone().unwrap_or_else(|| target.user.clone());
        let changed = Target { user: login.clone(), password: change.password.clone(), ..target.clone() };
        check_login(&changed.user, &changed.password)?;
        let is_us = change.name.is_none() || login == target.user;
        let mut session = match self.open(&target).await {
            // A run before this one may have come so far and no farther.
            Err(error @ Error::Denied { .. }) if is_us => {
                return match self.open(&changed).await {
                    Ok(_) => Ok(UserChanged { name: login, is_us }),
                    Err(_) => Err(error),
                };
            }
            session => session?,
        };
        let channel = channel(&mut session).await?;
        let former = place(&mut session, channel, change.number, &login).await?;
        let rights = access(&mut session, channel, former.number).await?.rights;
        let is_us = former.name == target.user;
        let applied = make(&mut session, channel, &former, &login, &change.password).await;
        let failed = match applied {
            Ok(()) => match self.is_let_in(&changed, session.guid()).await {
                Ok(()) => return Ok(UserChanged { name: login, is_us }),
                Err(error) => error,
            },
            Err(error) => error,
        };
        let back = match self.still_in(session, [&target, &changed]).await {
            Ok(mut session) => {
                put_back(&mut session, channel, &former, rights, is_us.then_some(&target.password)).await
            }
            Err(error) => Err(error),
        };
        Err(undone(&target.name, USER, &failed, back))
    }
}

impl Ipmi {
    /// The network of a BMC that a run before this one has moved, when that came no farther.
    async fn moved_before(&self, target: &Target, change: &NetworkChange) -> Option<ControllerNetwork> {
        let moved = target.at(change.address?);
        if moved.address == target.address {
            return None;
        }
        let mut session = self.open(&moved).await.ok()?;
        let channel = channel(&mut session).await.ok()?;
        let found = read(&mut session, channel).await.ok()?;
        network::is_as_asked(&found, change).then_some(found)
    }

    /// A session with the BMC that has this GUID, where that is known.
    async fn open_same(&self, target: &Target, guid: Option<Guid>) -> Result<Session> {
        let session = self.open(target).await?;
        if guid.is_some() && session.guid() != guid {
            return Err(Error::Denied { what: target.name.clone(), why: "this is another BMC, by its GUID".into() });
        }
        Ok(session)
    }

    /// The session if the BMC still has it, which it may have dropped with the change or forgotten meanwhile; else a new one by
    /// whichever login it takes.
    async fn still_in(&self, mut session: Session, logins: [&Target; 2]) -> Result<Session> {
        if self::channel(&mut session).await.is_ok() {
            return Ok(session);
        }
        let guid = session.guid();
        drop(session);
        match self.open_same(logins[0], guid).await {
            Ok(session) => Ok(session),
            Err(_) => self.open_same(logins[1], guid).await,
        }
    }

    /// Waits until the BMC is reached with this network.
    async fn is_so(&self, target: &Target, guid: Option<Guid>, wanted: &ControllerNetwork) -> Result<()> {
        let patience = self.patience();
        while let Err(error) = self.look(target, guid, wanted).await {
            patience.after(error).await?;
        }
        Ok(())
    }

    async fn look(&self, target: &Target, guid: Option<Guid>, wanted: &ControllerNetwork) -> Result<()> {
        let mut session = self.open_same(target, guid).await?;
        let channel = channel(&mut session).await?;
        if read(&mut session, channel).await? == *wanted {
            return Ok(());
        }
        let why = "it has taken the values and not kept them".into();
        Err(Error::Refused { what: target.name.clone(), why })
    }

    /// Waits until the BMC lets us in.
    async fn is_let_in(&self, target: &Target, guid: Option<Guid>) -> Result<()> {
        let patience = self.patience();
        while let Err(error) = self.open_same(target, guid).await {
            patience.after(error).await?;
        }
        Ok(())
    }

    fn patience(&self) -> Patience {
        Patience::of(self.limit)
    }

    /// Puts the network back by whichever way the BMC is reached.
    async fn go_back(&self, ways: [&Target; 2], guid: Option<Guid>, before: &ControllerNetwork) -> Result<()> {
        let mut session = match self.open_same(ways[0], guid).await {
            Ok(session) => session,
            Err(_) => self.open_same(ways[1], guid).await?,
        };
        let channel = channel(&mut session).await?;
        let now = read(&mut session, channel).await?;
        match carry_out(&mut session, channel, &lan::steps_back(&now, before)).await {
            Ok(()) | Err(Error::TimedOut { .. }) => (),
            Err(error) => return Err(error),
        }
        drop(session);
        if before.fixed { self.is_so(ways[0], guid, before).await } else { self.is_let_in(ways[0], guid).await }
    }
}

async fn channel(session: &mut Session) -> Result<u8> {
    const DOING: &str = "tell its channel";
    let answer = session.ask(DOING, &lan::get_channel()).await?;
    lan::channel(&answer).ok_or_else(|| session.garbled(DOING))
}

async fn read(session: &mut Session, channel: u8) -> Result<ControllerNetwork> {
    let address = lan::address(parameter(session, channel, Parameter::Address).await?);
    let [source] = parameter(session, channel, Parameter::Source).await?;
    let mask = lan::address(parameter(session, channel, Parameter::Mask).await?);
    let gateway = lan::address(parameter(session, channel, Parameter::Gateway).await?);
    let vlan = lan::vlan(parameter(session, channel, Parameter::Vlan).await?);
    Ok(ControllerNetwork { address, mask, gateway, fixed: source & 0x0f == lan::FIXED, vlan })
}

async fn parameter<const N: usize>(session: &mut Session, channel: u8, parameter: Parameter) -> Result<[u8; N]> {
    let doing = format!("tell {}", parameter.word());
    let answer = session.ask(&doing, &lan::get(channel, parameter)).await?;
    lan::value(&answer).ok_or_else(|| session.garbled(&doing))
}

/// Sets one parameter after the other, as one change where the BMC can.
async fn carry_out(session: &mut Session, channel: u8, steps: &[Step]) -> Result<()> {
    let [begin, commit, end] = [1, 2, 0].map(|state| lan::set(channel, &Step::new(Parameter::Progress, &[state])));
    session.try_ask(NETWORK, &begin).await?;
    let mut done = Ok(());
    for step in steps {
        let doing = format!("set {}", step.parameter.word());
        done = session.ask(&doing, &lan::set(channel, step)).await.map(drop);
        if done.is_err() {
            break;
        }
    }
    match done {
        // The others let it hold with the end, which to those that know of commits means that nothing shall.
        Ok(()) if session.try_ask(NETWORK, &commit).await?.code == 0 => Ok(()),
        Err(error @ Error::TimedOut { .. }) => Err(error),
        done => {
            session.try_ask(NETWORK, &end).await?;
            done
        }
    }
}

async fn access(session: &mut Session, channel: u8, number: u8) -> Result<Access> {
    let answer = session.ask(USERS, &account::get_access(channel, number)).await?;
    account::access(&answer).ok_or_else(|| session.garbled(USERS))
}

/// All places for users, also those that are free.
async fn users(session: &mut Session, channel: u8) -> Result<Vec<ControllerUser>> {
    let mut users = Vec::new();
    let mut most = MOST_USERS;
    let mut number = 1;
    let begun = Instant::now();
    while number <= most {
        session.in_time(USERS, begun, READING)?;
        let access = access(session, channel, number).await?;
        most = access.most.min(MOST_USERS);
        let answer = session.try_ask(USERS, &account::get_name(number)).await?;
        // A place without a name is refused by some.
        let name = if answer.code == 0 { account::name(&answer.data) } else { String::new() };
        users.push(ControllerUser { number, name, privilege: access.privilege.to_owned(), enabled: access.enabled });
        number += 1;
    }
    Ok(users)
}

/// The place of a user: the one that was asked for, that of the name, or the first that is free.
async fn place(session: &mut Session, channel: u8, number: Option<u8>, name: &str) -> Result<ControllerUser> {
    let users = users(session, channel).await?;
    let refused = |why: String| Error::Refused { what: format!("{}: cannot {USER}", session.name()), why };
    let of_name = users.iter().find(|user| user.name == name);
    let place = match (number, of_name) {
        (Some(number), Some(other)) if other.number != number => {
            return Err(refused(format!("'{name}' is user {} already", other.number)));
        }
        (Some(number), _) => users.iter().find(|user| user.number == number),
        (None, Some(user)) => Some(user),
        (None, None) => users.iter().find(|user| user.name.is_empty() && user.number >= FIRST_NAMED),
    };
    place.cloned().ok_or_else(|| match number {
        Some(number) => refused(format!("it has no user {number}; they are 1 to {}", users.len())),
        None => refused("all places for users are taken".into()),
    })
}

/// Makes the user so; rights are left alone where there was one.
async fn make(
    session: &mut Session,
    channel: u8,
    former: &ControllerUser,
    name: &str,
    password: &Secret,
) -> Result<()> {
    let number = former.number;
    if former.name != name {
        session.ask("name a user", &account::set_name(number, name)).await?;
    }
    // Some end a user's sessions with its password, ours too: of one who could log in nothing is left to do then.
    session.ask("set a password", &account::set_password(number, password)).await?;
    if former.name.is_empty() {
        session.ask("give a user rights", &account::set_administrator(channel, number)).await?;
    }
    if former.name.is_empty() || !former.enabled {
        session.ask("enable a user", &account::enable(number, true)).await?;
    }
    Ok(())
}

/// Does all of it that can be done. A password that nobody knows here cannot be put back.
async fn put_back(
    session: &mut Session,
    channel: u8,
    former: &ControllerUser,
    rights: u8,
    password: Option<&Secret>,
) -> Result<()> {
    let mut faults = Vec::new();
    for (doing, request) in account::back(channel, former, rights, password) {
        if let Err(error) = session.ask(doing, &request).await {
            faults.push(crate::chain(&error));
        }
    }
    if password.is_none() && !former.name.is_empty() {
        faults.push(format!("the former password of '{}' is not known here", former.name));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::Refused { what: session.name().to_owned(), why: faults.join("; ") })
}
