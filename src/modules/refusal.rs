//! Why modules cannot be worked on, in words: nobody knows of one, its directory is gone, or it lacks what it requires.

use std::collections::BTreeSet;

use super::lacking::Unsatisfied;
use super::manifest::FILE;
use super::order;
use super::site::Site;
use super::state::Document;
use crate::failure::Failure;

/// There is no module of this name that could be asked.
pub(super) fn unknown(site: &Site, name: &str) -> Failure {
    if let Some(unreadable) = site.unreadable.get(name) {
        return unreadable.failure();
    }
    if let Some(installed) = site.installed.get(name) {
        return gone(&installed.document);
    }
    let failure = Failure::refused(format!("there is no module '{name}'"));
    let names: Vec<&str> = site.modules.all.keys().map(String::as_str).collect();
    match names.is_empty() {
        true => failure.hint(format!("a module is a directory with module.toml in {}/modules", site.home.display())),
        false => failure.hint(format!("there are: {}", names.join(" "))),
    }
}

/// One that was applied, and whose programs are not there any more.
fn gone(document: &Document) -> Failure {
    let Document { name, directory, .. } = document;
    let force = if document.unfinished.is_some() { "--force " } else { "" };
    let forget = format!("forget it, and leave its machines as they are: xcrane module remove {force}{name}");
    let Some(directory) = directory else {
        return Failure::refused(format!("module {name} was applied, and its directory is gone"))
            .hint("put it back where the site has its modules: $XCRANE_HOME/modules, or a directory of site.modulepath")
            .hint(forget);
    };
    let directory = directory.display();
    match is_broken(document) {
        true => Failure::refused(format!("module {name} was applied, and {directory}/{FILE} cannot be used any more"))
            .hint("its directory is in $XCRANE_HOME/modules or in one of site.modulepath, and its name is that of then")
            .hint(forget),
        false => Failure::refused(format!("module {name} was applied, and its directory is gone: it was {directory}"))
            .hint(format!("put it back there: {directory}/{FILE} and its programs"))
            .hint(forget),
    }
}

/// Whether what is gone of it is not its directory, but the sense of its `module.toml`.
pub(super) fn is_broken(document: &Document) -> bool {
    document.directory.as_ref().is_some_and(|directory| directory.join(FILE).exists())
}

/// Why a module cannot be applied, also not with all that it requires.
pub(crate) fn obstacle(site: &Site, name: &str) -> Option<String> {
    if let Some(unreadable) = site.unreadable.get(name) {
        return Some(unreadable.failure().message);
    }
    let why = order::completed(&site.parts(), &site.applied(), &BTreeSet::from([name])).err()?;
    why.first().map(told)
}

/// Why the modules cannot be put in an order.
pub(super) fn unordered(site: &Site, why: &[Unsatisfied]) -> Failure {
    let mut failure = Failure::refused(why.iter().map(told).collect::<Vec<_>>().join("\n"));
    for unsatisfied in why {
        let Unsatisfied::Missing { requirement, candidates, .. } = unsatisfied else { continue };
        let hints = match candidates.is_empty() {
            true => vec![format!(
                "no module here is such a one: xcrane module search '{}'",
                requirement.replace(" and ", "' '")
            )],
            false => candidates.iter().map(|name| candidate(site, name)).collect(),
        };
        crate::failure::add_hints(&mut failure.hints, hints);
    }
    failure
}

fn candidate(site: &Site, name: &str) -> String {
    match obstacle(site, name) {
        None => format!("{name} is one: xcrane module apply {name} --with-requirements"),
        Some(why) => format!("{name} is one, and cannot be applied itself: {why}"),
    }
}

fn told(why: &Unsatisfied) -> String {
    match why {
        Unsatisfied::Cycle(names) => format!("these modules require each other: {}", names.join(" -> ")),
        Unsatisfied::Missing { module, requirement, .. } => {
            format!("module {module} requires one with {requirement}, and none is installed or chosen")
        }
    }
}
