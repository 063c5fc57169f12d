//! Updates of nodes to a newer image: canaries first, in waves, and back again if a node is not good.
//!
//! Reading order: `window`, `waves` and `gate` decide and touch nothing; `member` and `book` are what is known of a node;
//! `turn` keeps other commands from the same nodes, `standing` looks before the first node is touched, `store` brings images, `wave`
//! does it, `records` writes it down.

mod book;
mod gate;
pub(crate) mod ledger;
mod member;
mod records;
mod standing;
mod store;
mod wave;
mod waves;
mod window;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::task::{Poll, Waker};
use std::time::Duration;

use jiff::Zoned;
use plugins::Reference;
use serde_json::json;
use tables::noderange::fold;

use self::book::Book;
pub(crate) use self::book::Leftover;
pub(crate) use self::gate::Gate;
use self::member::Member;
pub(crate) use self::member::reference;
use self::standing::Meanings;
use self::wave::{Ended, Site};
pub(crate) use self::waves::Pace;
pub(crate) use self::window::Window;
use crate::config;
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::status::Statuses;
use crate::turn::{self, Turns};

/// The clock is looked at as often as this while a window is waited for: it may be set, and the machine may sleep.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(30);
const TURNS: Turns = Turns { file: "updatevm.lock", doing: "another updatevm" };

/// What was asked for.
pub(crate) struct Asked {
    pub(crate) noderange: String,
    /// The image that the nodes are to have; without one, what their own means now.
    pub(crate) image: Option<Reference>,
    pub(crate) pace: Pace,
    pub(crate) gate: Gate,
    pub(crate) window: Option<Window>,
    /// Why, for the journal and the ledger.
    pub(crate) reason: Option<String>,
    pub(crate) manner: Manner,
}

/// Shows what [`update`] would do.
pub(crate) async fn plan(cx: &Context, asked: &Asked) -> Result<Outcome, Failure> {
    let book = Book::new(cx.tables()?);
    let members = standing::members(cx, asked, &mut Meanings::new(), &book).await?;
    let waves = waves_of(&members, asked.pace);
    for (number, wave) in (1..).zip(&waves) {
        for member in wave {
            let (from, to, runs) = (member.from(), member.to(), member.update.was_on);
            let off = if runs { "" } else { "; it stays off" };
            let again = if member.begun { "; that was begun before" } else { "" };
            let data = json!({ "wave": number, "of": waves.len(), "from": from, "to": to, "runs": runs });
            let line = format!("wave {number} of {}: {from} -> {to}{off}{again}", waves.len());
            say(cx, asked, member, Answer { data: Some(data), ..Answer::line(line) });
        }
    }
    unchanged(cx, asked, &members, &waves);
    cx.ui.finish_folding();
    Ok(if waves.is_empty() { Outcome::Done } else { Outcome::Code(2) })
}

/// Updates nodes, in the hours of the window if there is one.
pub(crate) async fn update(cx: &Context, asked: &Asked) -> Result<Outcome, Failure> {
    let mut meanings = Meanings::new();
    let mut later: Option<Context> = None;
    loop {
        // Connections and definitions do not outlast the hours until a window opens.
        let cx = later.as_ref().unwrap_or(cx);
        cx.tell_progress(asked.manner.format);
        let book = Book::new(cx.tables()?);
        // Before the look: what stands in table nodeupdate of a node is of a killed command only while nobody else updates it.
        let nodes: Vec<String> = cx.nodes(&asked.noderange)?.iter().map(|node| node.name().to_owned()).collect();
        let turn = turn::take(&config::home()?, &TURNS, &nodes)?;
        let members = standing::members(cx, asked, &mut meanings, &book).await?;
        let waves = waves_of(&members, asked.pace);
        if !waves.is_empty() {
            store::prepare(cx, asked, waves.iter().flatten().copied()).await?;
        }
        match asked.window.filter(|window| !waves.is_empty() && window.opens_after(&Zoned::now()).is_some()) {
            None => {
                let outcome = go(cx, asked, &members, &waves, &book).await;
                cx.finish().await;
                return outcome;
            }
            Some(window) => {
                // Others may have it for hours; all is looked at anew when the window is open.
                drop(turn);
                if !opened(cx, window).await {
                    cx.ui.note("Interrupted: no node was touched.");
                    return Ok(Outcome::Interrupted);
                }
                later = Some(cx.renewed());
            }
        }
    }
}

/// The waves of the plan, with all that is known of their nodes.
fn waves_of(members: &[Member], pace: Pace) -> Vec<Vec<&Member>> {
    let candidates: Vec<_> = members.iter().map(Member::candidate).collect();
    let waves = waves::plan(&candidates, pace);
    waves.into_iter().map(|wave| wave.into_iter().map(|place| &members[place]).collect()).collect()
}

/// Waits until the window is open; false after Ctrl-C.
async fn opened(cx: &Context, window: Window) -> bool {
    let mut keyboard = cx.keyboard();
    cx.ui.note(&format!("All is ready; waiting for the window {window}."));
    let mut is_pressed = false;
    while let Some(wait) = window.opens_after(&Zoned::now()).filter(|_| !is_pressed) {
        let pressed = std::future::poll_fn(|context| match &mut keyboard {
            Some(keyboard) => keyboard.poll_recv(context),
            None => Poll::Pending,
        });
        is_pressed = tokio::time::timeout(wait.min(LOOK_AT_CLOCK), pressed).await.is_ok();
    }
    cx.give_back(keyboard);
    !is_pressed
}

async fn go(
    cx: &Context,
    asked: &Asked,
    members: &[Member],
    waves: &[Vec<&Member>],
    book: &Book<'_>,
) -> Result<Outcome, Failure> {
    let statuses = Statuses::default();
    let site = Site { cx, backends: cx.backends()?, asked, book, statuses: &statuses, downtimes: Mutex::default() };
    let outcome = all(&site, members, waves).await;
    unchanged(cx, asked, members, waves);
    cx.ui.finish_folding();
    cx.record(statuses)?;
    outcome
}

async fn all(site: &Site<'_>, members: &[Member], waves: &[Vec<&Member>]) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Done;
    let mut is_interrupted = false;
    for (index, wave) in waves.iter().enumerate() {
        let left = || names(waves[index..].iter().flatten().copied());
        is_interrupted |= was_pressed(site.cx);
        if is_interrupted {
            site.cx.ui.note(&format!("Interrupted. Not begun: {}", left()));
            outcome = Outcome::Interrupted;
            break;
        }
        if let Some(window) = site.asked.window.filter(|window| window.opens_after(&Zoned::now()).is_some()) {
            site.cx.ui.note(&format!("The window {window} has closed. Not begun: {}", left()));
            outcome = Outcome::SomeFailed;
            break;
        }
        let title = format!("wave {} of {}", index + 1, waves.len());
        begin(site, wave, index + 1, waves.len());
        let ended = site.update(wave, &title).await;
        if !ended.is_begun {
            site.cx.ui.note(&format!("Interrupted. Not begun: {}", left()));
            outcome = Outcome::Interrupted;
            break;
        }
        if ended.is_broken {
            site.cx.ui.hints(&["the same command goes on where this one was left".into()]);
            return Ok(Outcome::Interrupted);
        }
        if !ended.failed.is_empty() {
            return way_back(site, members, &title, ended).await;
        }
        records::commit(site, wave)?;
        is_interrupted = ended.is_interrupted;
    }
    site.book.close_good()?;
    Ok(if is_interrupted { Outcome::Interrupted } else { outcome })
}

/// Says which wave begins.
fn begin(site: &Site<'_>, wave: &[&Member], number: usize, of: usize) {
    let names = names(wave.iter().copied());
    site.cx.ui.note(&format!("Wave {number} of {of}: {names}"));
    let body = Body::Progress(json!({ "wave": number, "of": of, "nodes": names }));
    site.cx.ui.reply(site.asked.manner.format, Reply { node: None, body });
}

/// Gives every node that this command, or a killed one before it, has updated what it had.
async fn way_back(site: &Site<'_>, members: &[Member], title: &str, ended: Ended) -> Result<Outcome, Failure> {
    let begun: Vec<&Member> = members.iter().filter(|member| site.book.get(member.name()).is_some()).collect();
    let failed = names(members.iter().filter(|member| ended.failed.contains_key(member.name())));
    if begun.is_empty() {
        site.cx.ui.error(&format!("{title} has failed on {failed} before anything was done there"));
        return Ok(Outcome::SomeFailed);
    }
    site.cx.ui.note(&format!("{failed} failed. Going back: {}", names(begun.iter().copied())));
    // A Ctrl-C that came too late for the wave does not keep the way back from beginning.
    let mut was_interrupted = ended.is_interrupted;
    let back = loop {
        let back = site.go_back(&begun).await;
        was_interrupted |= back.is_interrupted;
        if back.is_begun {
            break back;
        }
    };
    let (returned, lost): (Vec<&Member>, Vec<&Member>) =
        begun.iter().partition(|member| back.good.contains(member.name()));
    records::restore(site, &returned, title, &ended.failed)?;
    if !lost.is_empty() {
        let lost = names(lost);
        site.cx.ui.error(&format!("{lost} could not go back, and may be off"));
        site.cx.ui.hints(&[format!("once the hosts of {lost} answer, the same command takes these up again")]);
    }
    Ok(if was_interrupted { Outcome::Interrupted } else { Outcome::SomeFailed })
}

/// Says of the nodes in no wave that they are as they shall be.
fn unchanged(cx: &Context, asked: &Asked, members: &[Member], waves: &[Vec<&Member>]) {
    let in_waves: BTreeSet<&str> = waves.iter().flatten().map(|member| member.name()).collect();
    for member in members.iter().filter(|member| !in_waves.contains(member.name())) {
        say(cx, asked, member, Answer::line("unchanged"));
    }
}

fn say(cx: &Context, asked: &Asked, member: &Member, answer: Answer) {
    let reply = Reply { node: Some(member.name().to_owned()), body: Body::Answer(answer) };
    cx.ui.reply(asked.manner.format, reply);
}

fn names<'m>(members: impl IntoIterator<Item = &'m Member>) -> String {
    fold(members.into_iter().map(|member| member.name().to_owned()).collect::<Vec<_>>())
}

/// Whether Ctrl-C was pressed since somebody last listened.
fn was_pressed(cx: &Context) -> bool {
    let mut keyboard = cx.keyboard();
    let mut context = std::task::Context::from_waker(Waker::noop());
    let pressed = keyboard.as_mut().is_some_and(|keyboard| keyboard.poll_recv(&mut context).is_ready());
    cx.give_back(keyboard);
    pressed
}
