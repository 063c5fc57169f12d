//! What a BMC itself is to be. Whatever is changed is looked at from outside before it counts, and put back if it fails.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use tables::Node;
use tokio::time::{Instant, sleep};

use super::account;
use super::lan::{self, Parameter, Step};
use super::session::Session;
use super::target::{Target, check_login};
use super::{Ipmi, check};
use crate::{
    Controller, ControllerNetwork, ControllerUser, Error, NetworkChange, Result, Secret, UserChange, UserChanged,
};

/// How often a BMC with another network is asked whether it is there; it may take seconds to be.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How many times as long as for a login it is waited for.
const PATIENCE: u32 = 4;
/// A BMC has no more users than this.
const MOST_USERS: u8 = 63;
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
        let mut session = self.open(&target).await?;
        let channel = channel(&mut session).await?;
        let before = read(&mut session, channel).await?;
        let wanted = lan::changed(before, change);
        if let Some(why) = lan::fault(&wanted) {
            return Err(Error::Refused { what: format!("{}: cannot {NETWORK}", target.name), why });
        }
        let steps = lan::steps(&before, &wanted);
        if steps.is_empty() {
            return Ok(before);
        }
        let moved = match wanted.address == before.address {
            true => target.clone(),
            false => Target {
                name: format!("BMC {}", wanted.address),
                address: SocketAddr::new(wanted.address.into(), target.address.port()),
                ..target.clone()
            },
        };
        let applied = carry_out(&mut session, channel, &steps).await;
        drop(session);
        let failed = match applied {
            // Its answer may have been lost with its old address.
            Ok(()) | Err(Error::TimedOut { .. }) => match self.is_so(&moved, &wanted).await {
                Ok(()) => return Ok(wanted),
                Err(error) => error,
            },
            Err(error) => error,
        };
        let back = self.go_back([&target, &moved], &before).await;
        Err(undone(&target, NETWORK, &failed, back))
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
        let is_us = former.name == target.user;
        let applied = make(&mut session, channel, &former, &login, &change.password).await;
        let failed = match applied {
            Ok(()) => match self.open(&changed).await {
                Ok(_) => return Ok(UserChanged { name: login, is_us }),
                Err(error) => error,
            },
            Err(error) => error,
        };
        let back = put_back(&mut session, &former, is_us.then_some(&target.password)).await;
        Err(undone(&target, USER, &failed, back))
    }
}

impl Ipmi {
    /// Waits until the BMC is reached with this network.
    async fn is_so(&self, target: &Target, wanted: &ControllerNetwork) -> Result<()> {
        let deadline = Instant::now() + self.limit * PATIENCE;
        loop {
            let found = async {
                let mut session = self.open(target).await?;
                let channel = channel(&mut session).await?;
                read(&mut session, channel).await
            };
            let error = match found.await {
                Ok(found) if found == *wanted => return Ok(()),
                Ok(_) => Error::Refused {
                    what: target.name.clone(),
                    why: "it has taken the values and not kept them".into(),
                },
                Err(error @ Error::Denied { .. }) => return Err(error),
                Err(error) => error,
            };
            if Instant::now() + LOOK_AGAIN >= deadline {
                return Err(error);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Puts the network back by whichever way the BMC is reached.
    async fn go_back(&self, ways: [&Target; 2], before: &ControllerNetwork) -> Result<()> {
        let mut session = match self.open(ways[0]).await {
            Ok(session) => session,
            Err(_) => self.open(ways[1]).await?,
        };
        let channel = channel(&mut session).await?;
        let now = read(&mut session, channel).await?;
        let mut steps = lan::steps(&now, before);
        if now.fixed && !before.fixed {
            // What gives the address gives all else; it is the last step, as it may cut us off.
            steps = vec![Step::new(Parameter::Source, &[lan::GIVEN])];
        }
        match carry_out(&mut session, channel, &steps).await {
            Ok(()) | Err(Error::TimedOut { .. }) => (),
            Err(error) => return Err(error),
        }
        drop(session);
        if before.fixed { self.is_so(ways[0], before).await } else { self.open(ways[0]).await.map(drop) }
    }
}

/// What failed, and what has become of the BMC.
fn undone(target: &Target, doing: &str, failed: &Error, back: Result<()>) -> Error {
    let failed = crate::chain(failed);
    let why = match back {
        Ok(()) => format!("{failed}; it is as it was"),
        Err(error) => format!("{failed}; and it could not be put back: {}", crate::chain(&error)),
    };
    Error::Refused { what: format!("{}: cannot {doing}", target.name), why }
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

/// All places for users, also those that are free.
async fn users(session: &mut Session, channel: u8) -> Result<Vec<ControllerUser>> {
    let mut users = Vec::new();
    let mut most = MOST_USERS;
    let mut number = 1;
    while number <= most {
        let answer = session.ask(USERS, &account::get_access(channel, number)).await?;
        let access = account::access(&answer).ok_or_else(|| session.garbled(USERS))?;
        most = access.most.min(MOST_USERS);
        let answer = session.try_ask(USERS, &account::get_name(number)).await?;
        // A place without a name is refused by some.
        let name = if answer.code == 0 { account::name(&answer.data) } else { String::new() };
        users.push(ControllerUser { number, name, privilege: access.privilege, enabled: access.enabled });
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
    session.ask("set a password", &account::set_password(number, password)).await?;
    if former.name.is_empty() {
        session.ask("give a user rights", &account::set_administrator(channel, number)).await?;
    }
    session.ask("enable a user", &account::enable(number, true)).await.map(drop)
}

/// A password that nobody knows here cannot be put back.
async fn put_back(session: &mut Session, former: &ControllerUser, password: Option<&Secret>) -> Result<()> {
    session.ask("name a user", &account::set_name(former.number, &former.name)).await?;
    match password {
        Some(password) => {
            session.ask("set a password", &account::set_password(former.number, password)).await.map(drop)
        }
        None if former.name.is_empty() => {
            session.ask("disable a user", &account::enable(former.number, false)).await.map(drop)
        }
        None => {
            let why = format!("the former password of '{}' is not known here", former.name);
            Err(Error::Refused { what: session.name().to_owned(), why })
        }
    }
}
