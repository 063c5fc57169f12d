//! Plans that are kept until they are applied: each under its id, and of each module which was made last. Only that one
//! is carried out: who plans again takes the plan before out of everybody's hands, also where nothing comes of it.
//!
//! `$XCRANE_HOME/plans/ID.json` is a plan, readable only by us: it has what machines are like, and no secrets of a config;
//! `plans/newest/NAME.json` says who made which when.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Zoned;
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::context::Context;
use crate::failure::Failure;
use crate::own_file;

/// A plan that nobody has applied for so long is thrown away.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// One that was replaced, or is not known of yet, is as soon as it cannot be one that is just being kept.
const REPLACED: Duration = Duration::from_secs(3600);

/// Who made a plan, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Made {
    pub(crate) by: String,
    pub(crate) at: String,
}

impl Made {
    pub(crate) fn now(cx: &Context) -> Self {
        Self { by: cx.who(), at: Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string() }
    }
}

/// What was planned last of a module.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Newest {
    made: Made,
    /// Nothing while it is being made, or where nothing came of it.
    plan: Option<String>,
}

/// The plans of a site.
pub(crate) struct Kept<'a>(pub(crate) &'a Path);

impl Kept<'_> {
    /// From now on earlier plans of these modules count no more.
    pub(crate) fn begin<'n>(&self, names: impl IntoIterator<Item = &'n str>, made: &Made) -> Result<(), Failure> {
        names.into_iter().try_for_each(|name| self.point(name, &Newest { made: made.clone(), plan: None }))
    }

    /// Keeps a plan, under each module that it has.
    pub(crate) fn keep(&self, plan: &Plan) -> Result<(), Failure> {
        let file = self.file(&plan.id);
        let failed = |error: std::io::Error| cannot("write", &file, &error);
        let text = serde_json::to_vec(plan).map_err(|error| failed(error.into()))?;
        own_file::write_with_directories(&file, &text).map_err(failed)?;
        let newest = Newest { made: plan.made.clone(), plan: Some(plan.id.clone()) };
        plan.parts.iter().try_for_each(|part| self.point(&part.module, &newest))
    }

    /// The plan that was made last of a module.
    pub(crate) fn newest(&self, name: &str) -> Result<Plan, Failure> {
        let plan = match self.pointer(name)? {
            None => return Err(none(name, "")),
            Some(Newest { made, plan: None }) => {
                let Made { by, at } = made;
                return Err(none(name, &format!(": nothing came of the one that {by} began at {at}")));
            }
            Some(Newest { plan: Some(id), .. }) => self.read(name, &id)?,
        };
        plan.ok_or_else(|| none(name, " any more"))
    }

    /// The plan of a module with this id, if it is the one that was made last.
    pub(crate) fn named(&self, name: &str, id: &str) -> Result<Plan, Failure> {
        match self.pointer(name)? {
            None => Err(none(name, "")),
            Some(newest) if newest.plan.as_deref() == Some(id) => {
                self.read(name, id)?.ok_or_else(|| none(name, " any more"))
            }
            Some(newest) if self.has_replaced(name, id) => Err(replaced(name, id, &newest.made)),
            Some(newest) => Err(unknown(name, id, &newest)),
        }
    }

    /// A plan counts as a whole or not at all.
    pub(crate) fn refuse_replaced(&self, plan: &Plan) -> Result<(), Failure> {
        for part in &plan.parts {
            match self.pointer(&part.module)? {
                Some(newest) if newest.plan.as_deref() == Some(&plan.id) => {}
                Some(newest) => return Err(replaced(&part.module, &plan.id, &newest.made)),
                None => return Err(none(&part.module, " any more")),
            }
        }
        Ok(())
    }

    /// Throws a plan away that was carried out.
    pub(crate) fn forget(&self, plan: &Plan) -> Result<(), Failure> {
        for part in &plan.parts {
            let is_newest = self.pointer(&part.module)?.is_some_and(|it| it.plan.as_deref() == Some(&plan.id));
            if is_newest {
                remove(&self.pointer_file(&part.module))?;
            }
        }
        remove(&self.file(&plan.id))
    }

    /// From now on there is no plan for a module that was forgotten: it was for what is known no more.
    pub(crate) fn withdraw(&self, name: &str) -> Result<(), Failure> {
        remove(&self.pointer_file(name))
    }

    /// Throws away what nobody will apply any more. Plans that are half carried out stay for whoever goes on.
    pub(crate) fn clean(&self, half_applied: &BTreeSet<&str>) {
        let pointers = files(&self.0.join("plans/newest"));
        let ids: BTreeSet<String> =
            pointers.iter().filter_map(|file| read_pointer(file).ok().flatten()?.plan).collect();
        for file in files(&self.0.join("plans")) {
            let id = file.file_stem().unwrap_or_default().to_string_lossy();
            let longest = if ids.contains(&*id) { LONGEST } else { REPLACED };
            if !half_applied.contains(&*id) && is_older(&file, longest) {
                fs::remove_file(&file).ok(); // the next plan tries again
            }
        }
        for file in pointers.into_iter().filter(|file| is_older(file, LONGEST)) {
            let newest = read_pointer(&file).ok().flatten();
            if newest.and_then(|newest| newest.plan).is_none_or(|id| !half_applied.contains(&*id)) {
                fs::remove_file(&file).ok(); // as above
            }
        }
    }

    fn file(&self, id: &str) -> PathBuf {
        self.0.join("plans").join(format!("{id}.json"))
    }

    fn pointer_file(&self, name: &str) -> PathBuf {
        self.0.join("plans/newest").join(format!("{name}.json"))
    }

    /// Without waiting for the disk: one that is lost is a plan that has to be made again.
    fn point(&self, name: &str, newest: &Newest) -> Result<(), Failure> {
        let (directory, file) = (self.0.join("plans/newest"), self.pointer_file(name));
        let aside = directory.join(format!(".{name}.{}", std::process::id()));
        let written = serde_json::to_vec(newest).map_err(std::io::Error::from).and_then(|text| {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
            own_file::aside(&aside, 0o600)?.write_all(&text)?;
            fs::rename(&aside, &file)
        });
        written.map_err(|error| cannot("write", &file, &error))
    }

    fn pointer(&self, name: &str) -> Result<Option<Newest>, Failure> {
        let file = self.pointer_file(name);
        read_pointer(&file).map_err(|error| cannot("read", &file, &error).hint(again(name)))
    }

    /// Whether there was such a plan for this module, and it is not yet thrown away.
    fn has_replaced(&self, name: &str, id: &str) -> bool {
        let plan = if is_id(id) { self.read(name, id).ok().flatten() } else { None };
        plan.is_some_and(|plan| plan.parts.iter().any(|part| part.module == name))
    }

    /// A plan is what it was when it was kept, or is none: who has read it has read all that is done.
    fn read(&self, name: &str, id: &str) -> Result<Option<Plan>, Failure> {
        let file = self.file(id);
        let damaged = |why: &str| Failure::refused(format!("{} is no plan: {why}", file.display())).hint(again(name));
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &file, &error).hint(again(name))),
        };
        let plan: Plan = serde_json::from_slice(&text).map_err(|error| damaged(&error.to_string()))?;
        let said = Plan::of(plan.parts.clone(), plan.made.clone())?;
        match said.id == id && plan.id == id {
            true => Ok(Some(plan)),
            false => Err(damaged(&format!("it was changed since plan {id} was made"))),
        }
    }
}

fn read_pointer(file: &Path) -> std::io::Result<Option<Newest>> {
    match fs::read(file) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The files of a directory; none where it is not there yet.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}

fn is_older(file: &Path, age: Duration) -> bool {
    let changed = fs::metadata(file).and_then(|found| found.modified()).ok();
    changed.and_then(|changed| SystemTime::now().duration_since(changed).ok()).is_some_and(|known| known > age)
}

fn remove(file: &Path) -> Result<(), Failure> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot("remove", file, &error)),
        _ => Ok(()),
    }
}

fn cannot(what: &str, file: &Path, error: &std::io::Error) -> Failure {
    Failure::refused(format!("cannot {what} {}: {error}", file.display()))
}

fn none(name: &str, more: &str) -> Failure {
    Failure::refused(format!("there is no plan for module {name}{more}"))
        .hint(format!("make one: xcrane module plan {name}"))
}

fn replaced(name: &str, id: &str, made: &Made) -> Failure {
    let Made { by, at } = made;
    Failure::refused(format!("plan {id} counts no more: module {name} was planned again at {at} by {by}"))
        .hint(again(name))
}

fn unknown(name: &str, id: &str, newest: &Newest) -> Failure {
    let Newest { made: Made { by, at }, plan } = newest;
    let failure = Failure::refused(format!("there is no plan {id} for module {name}"));
    match plan {
        Some(kept) => {
            failure.hint(format!("the one there is was made by {by} at {at}: xcrane module apply {name} --plan {kept}"))
        }
        None => failure.hint(format!("nothing came of the one that {by} began at {at}: xcrane module plan {name}")),
    }
}

/// An id is written as a file's name, and typed by people.
fn is_id(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn again(name: &str) -> String {
    format!("see what is to be done now: xcrane module plan {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::plan::Part;

    fn plan(by: &str, names: &[&str]) -> Plan {
        let part = |name: &&str| -> Part {
            let text = serde_json::json!({
                "module": name, "version": "1", "serial": 0, "digest": by, "files": {}, "required": {}, "config": {}, "units": []
            });
            serde_json::from_value(text).unwrap()
        };
        let made = Made { by: by.into(), at: "2026-11-22 05:00:00".into() };
        Plan::of(names.iter().map(part).collect(), made).unwrap()
    }

    #[test]
    fn the_newest_plan_of_a_module_is_found_under_each_that_it_has() {
        let home = tempfile::tempdir().unwrap();
        let kept = Kept(home.path());
        assert_eq!(kept.newest("base").unwrap_err().message, "there is no plan for module base");
        let (first, second) = (plan("ada", &["base", "queue"]), plan("bob", &["queue"]));
        kept.keep(&first).unwrap();
        assert_eq!(
            (kept.newest("base").unwrap().id, kept.named("queue", &first.id).unwrap().made.by),
            (first.id.clone(), "ada".into())
        );
        kept.keep(&second).unwrap();
        assert_eq!(kept.newest("queue").unwrap().id, second.id);
        let message = |refused: Result<(), Failure>| refused.unwrap_err().message;
        let why =
            format!("plan {} counts no more: module queue was planned again at 2026-11-22 05:00:00 by bob", first.id);
        assert_eq!(message(kept.named("queue", &first.id).map(drop)), why);
        assert_eq!(message(kept.refuse_replaced(&kept.newest("base").unwrap())), why);
        kept.refuse_replaced(&second).unwrap();
        // Carried out, it is not there any more; the other one stays what it was.
        kept.forget(&second).unwrap();
        assert_eq!(message(kept.newest("queue").map(drop)), "there is no plan for module queue");
        kept.forget(&first).unwrap();
        assert_eq!(message(kept.newest("base").map(drop)), "there is no plan for module base");
        assert!(files(&home.path().join("plans")).is_empty());
    }

    #[test]
    fn a_plan_of_which_nothing_came_replaces_the_one_before() {
        let home = tempfile::tempdir().unwrap();
        let (kept, plan) = (Kept(home.path()), plan("ada", &["base"]));
        kept.keep(&plan).unwrap();
        kept.begin(["base"], &Made { by: "bob".into(), at: "2026-11-22 06:00:00".into() }).unwrap();
        let why = kept.newest("base").unwrap_err().message;
        assert_eq!(
            why,
            "there is no plan for module base: nothing came of the one that bob began at 2026-11-22 06:00:00"
        );
        assert!(kept.named("base", &plan.id).is_err());
    }

    #[test]
    fn a_plan_that_somebody_has_written_over_is_none() {
        let home = tempfile::tempdir().unwrap();
        let (kept, plan) = (Kept(home.path()), plan("ada", &["base"]));
        kept.keep(&plan).unwrap();
        let file = kept.file(&plan.id);
        let refused = |text: &str, expected: &str| {
            fs::write(&file, text).unwrap();
            let failure = kept.newest("base").unwrap_err();
            assert_eq!(failure.message, format!("{} is no plan: {expected}", file.display()));
            assert_eq!(failure.hints, ["see what is to be done now: xcrane module plan base"]);
        };
        let text = fs::read_to_string(&file).unwrap();
        let changed = format!("it was changed since plan {} was made", plan.id);
        refused(&text.replace("\"version\":\"1\"", "\"version\":\"2\""), &changed);
        refused(&text.replace(&plan.id, "691df23ea871413f"), &changed);
        refused(&text[..20], "EOF while parsing a string at line 1 column 20");
        fs::write(&file, &text).unwrap();
        assert_eq!(kept.newest("base").unwrap(), plan);
    }

    #[test]
    fn a_link_in_the_way_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let (kept, plan) = (Kept(home.path()), plan("ada", &["base"]));
        let elsewhere = home.path().join("elsewhere");
        fs::create_dir_all(home.path().join("plans/newest")).unwrap();
        let aside = format!("plans/newest/.base.{}", std::process::id());
        std::os::unix::fs::symlink(&elsewhere, home.path().join(aside)).unwrap();
        kept.keep(&plan).unwrap();
        assert_eq!(kept.newest("base").unwrap(), plan);
        assert!(!elsewhere.exists());
    }

    #[test]
    fn an_id_that_nobody_has_made_is_told_with_the_one_there_is() {
        let home = tempfile::tempdir().unwrap();
        let (kept, plan, other) = (Kept(home.path()), plan("ada", &["base"]), plan("bob", &["queue"]));
        kept.keep(&plan).unwrap();
        kept.keep(&other).unwrap();
        for id in ["691df23ea871413f", "", "../queue", "newest/base", &other.id] {
            let failure = kept.named("base", id).unwrap_err();
            assert_eq!(failure.message, format!("there is no plan {id} for module base"));
            let there = format!(
                "the one there is was made by ada at 2026-11-22 05:00:00: xcrane module apply base --plan {}",
                plan.id
            );
            assert_eq!(failure.hints, [there]);
        }
    }

    #[test]
    fn what_nobody_will_apply_is_thrown_away() {
        let home = tempfile::tempdir().unwrap();
        let kept = Kept(home.path());
        let (replaced, old, begun, new) =
            (plan("ada", &["a"]), plan("bob", &["a"]), plan("bob", &["b"]), plan("bob", &["c"]));
        [&replaced, &old, &begun, &new].into_iter().for_each(|plan| kept.keep(plan).unwrap());
        let age = |file: PathBuf, age: Duration| {
            fs::File::options().write(true).open(file).unwrap().set_modified(SystemTime::now() - age).unwrap();
        };
        age(kept.file(&replaced.id), REPLACED * 2);
        for plan in [&old, &begun] {
            age(kept.file(&plan.id), LONGEST * 2);
            age(kept.pointer_file(&plan.parts[0].module), LONGEST * 2);
        }
        kept.clean(&BTreeSet::from([begun.id.as_str()]));
        let left: BTreeSet<PathBuf> = files(&home.path().join("plans")).into_iter().collect();
        assert_eq!(left, BTreeSet::from([kept.file(&begun.id), kept.file(&new.id)]));
        assert_eq!(kept.newest("b").unwrap().id, begun.id);
        assert_eq!(kept.newest("a").unwrap_err().message, "there is no plan for module a");
    }
}
