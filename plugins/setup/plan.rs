//! What is to be done: the difference between what must be true and what is. Nothing here touches a host.

use sha2::{Digest, Sha256};

use super::{File, FileState, Follow, Install, Observed, PackageState, Source, Step, Thing, Unit, UnitState};

const UNITS: &str = "/etc/systemd/system/";

/// The steps that make everything wanted true, in its order; none when it is.
pub fn plan(wanted: &[Thing], observed: &Observed) -> Vec<Step> {
    let mut plan = Plan { wanted, observed, steps: Vec::new(), outdated: observed.outdated };
    for (place, thing) in wanted.iter().enumerate() {
        match thing {
            Thing::Packages(names) => plan.install(names),
            Thing::NoPackages(names) => plan.uninstall(names),
            Thing::File(file) => plan.write(file),
            Thing::NoFile(path) | Thing::NoSecret(path) => plan.delete(path),
            Thing::Unit(unit) if plan.comes_again(place, &unit.name) => (),
            Thing::Unit(unit) => plan.unit(unit),
            Thing::Risk(risk) => {
                if observed.facts.get(&risk.fact.what) != Some(&true) {
                    plan.steps.push(Step::Venture(risk.clone()));
                }
            }
            Thing::Fact(fact) => {
                if observed.facts.get(&fact.what) != Some(&true) {
                    plan.steps.push(Step::Make {
                        what: fact.what.clone(),
                        check: fact.check.clone(),
                        make: fact.make.clone(),
                    });
                }
            }
        }
    }
    plan.reload_units();
    plan.steps
}

struct Plan<'a> {
    wanted: &'a [Thing],
    observed: &'a Observed,
    steps: Vec<Step>,
    /// systemd has not read the units' files as they will be.
    outdated: bool,
}

impl Plan<'_> {
    fn install(&mut self, names: &[String]) {
        let mut packages = Vec::new();
        let mut update = false;
        for name in names {
            match self.observed.packages.get(name) {
                Some(PackageState::Installed(_)) => (),
                Some(PackageState::Offered(offered)) => packages.push(offered.clone()),
                Some(PackageState::Unknown) | None => {
                    update = true;
                    packages.push(name.split('|').next().unwrap_or(name).to_owned());
                }
            }
        }
        if let (false, Some(family)) = (packages.is_empty(), self.observed.family) {
            self.steps.push(Step::Install(Install { packages, update, family, source: Source::Host }));
        }
    }

    fn uninstall(&mut self, names: &[String]) {
        let installed = names.iter().filter_map(|name| match self.observed.packages.get(name) {
            Some(PackageState::Installed(installed)) => Some(installed.clone()),
            _ => None,
        });
        let packages: Vec<_> = installed.collect();
        if let (false, Some(family)) = (packages.is_empty(), self.observed.family) {
            self.steps.push(Step::Remove { packages, family });
        }
    }

    fn write(&mut self, file: &File) {
        let before = match self.observed.files.get(&file.path) {
            Some(FileState::Text { text, mode }) if text == file.text.reveal() && *mode == file.mode => return,
            Some(FileState::Secret { digest, mode })
                if *digest == digest_of(file.text.reveal()) && *mode == file.mode =>
            {
                return;
            }
            Some(FileState::Text { text, .. }) => Some(text.clone()),
            Some(FileState::Secret { .. }) => Some(String::new()),
            Some(FileState::Absent | FileState::Other) | None => None,
        };
        let File { path, text: after, mode } = file.clone();
        self.outdated |= is_of_systemd(&path) && !self.is_of_new_unit(&path);
        self.steps.push(Step::Write { path, before, after, mode });
    }

    fn delete(&mut self, path: &str) {
        let before = match self.observed.files.get(path) {
            Some(FileState::Absent) | None => return,
            Some(FileState::Text { text, .. }) => Some(text.clone()),
            Some(FileState::Secret { .. } | FileState::Other) => None,
        };
        self.outdated |= is_of_systemd(path);
        self.steps.push(Step::Delete { path: path.into(), before });
    }

    fn comes_again(&self, place: usize, name: &str) -> bool {
        self.wanted[place + 1..].iter().any(|thing| matches!(thing, Thing::Unit(unit) if unit.name == name))
    }

    fn unit(&mut self, unit: &Unit) {
        let name = || unit.name.clone();
        let is = self.observed.units.get(&unit.name).cloned().unwrap_or_default();
        self.outdated |= is.outdated;
        let step = match (unit.active, is.active) {
            (true, false) => Some(Step::Start { unit: name() }),
            (false, true) => Some(Step::Stop { unit: name() }),
            (true, true) => self.follow(&unit.name, &is),
            (false, false) => None,
        };
        match (unit.enabled, is.enabled) {
            (true, false) => self.steps.push(Step::Enable { unit: name() }),
            (false, true) => self.steps.push(Step::Disable { unit: name() }),
            (true, true) | (false, false) => (),
        }
        // Enabling changes files of systemd too: it reads both in one go. What is only stopped is stopped as it was started.
        self.outdated |= unit.enabled != is.enabled && !self.brings(&unit.name);
        if !matches!(step, None | Some(Step::Stop { .. })) {
            self.reload_units();
        }
        self.steps.extend(step);
    }

    /// A restart does what a reload does, and more.
    fn follow(&self, name: &str, is: &UnitState) -> Option<Step> {
        let mut because = Vec::new();
        let mut how = is.follow;
        for thing in self.wanted {
            let Thing::Unit(unit) = thing else { continue };
            let changed = unit.follows.iter().filter(|path| unit.name == name && self.changes(path));
            for path in changed {
                because.push(path.clone());
                if how != Some(Follow::Restart) {
                    how = Some(unit.follow_by);
                }
            }
        }
        because.dedup();
        Some(match how? {
            Follow::Restart => Step::Restart { unit: name.into(), because },
            Follow::Reload => Step::Reload { unit: name.into(), because },
        })
    }

    /// Whether it is the file of a unit that there is not: systemd reads that when the unit is started. To read all files
    /// again costs a host more than anything else that is done to make a network.
    fn is_of_new_unit(&self, path: &str) -> bool {
        let unit = path.strip_prefix(UNITS).and_then(|name| self.observed.units.get(name));
        // One that is masked, or runs without its file, systemd has read already.
        let is_new = unit.is_some_and(|unit| !unit.exists && !unit.active);
        is_new && self.observed.files.get(path) == Some(&FileState::Absent)
    }

    /// Whether the file of a unit that there is not comes before it.
    fn brings(&self, unit: &str) -> bool {
        let path = format!("{UNITS}{unit}");
        self.is_of_new_unit(&path) && self.changes(&path)
    }

    fn changes(&self, wanted: &str) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::Write { path, .. } | Step::Delete { path, .. } if path == wanted))
    }

    fn reload_units(&mut self) {
        if std::mem::take(&mut self.outdated) {
            self.steps.push(Step::ReloadUnits);
        }
    }
}

/// Whether it is a file of a unit, which systemd has to be told of.
pub(super) fn is_of_systemd(path: &str) -> bool {
    path.contains("/systemd/system/")
}

fn digest_of(text: &str) -> String {
    crate::hex(&Sha256::digest(text))
}
