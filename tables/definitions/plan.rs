//! What the changes of one object come to: which cells of which tables get which values. Changes nothing itself.

use std::collections::BTreeMap;

use super::cells::fault_of_json;
use super::check::check_value;
use super::known::Known;
use super::{Assignment, Job, Notice, Operator, Refusal, check_attribute, separator};
use crate::Result;
use crate::lists;
use crate::objects::{Attribute, ObjectType, nic};
use crate::schema::Table;

/// The values of some columns of a table.
pub(super) type Cells = Vec<(&'static str, String)>;

/// What is to be written for one object.
#[derive(Default)]
pub(super) struct Plan<'a> {
    pub(super) cells: BTreeMap<&'static str, (&'static Table, Cells)>,
    /// Changes of a group's members, which stand in the rows of nodes.
    pub(super) members: Vec<&'a Assignment>,
    pub(super) notices: Vec<Notice>,
}

/// A plan, or every reason against it.
pub(super) type Planned<'a> = std::result::Result<Plan<'a>, Vec<Refusal>>;

/// Plans the changes of objects of one type.
pub(super) struct Planner<'k, 'e, 't> {
    pub(super) object: &'static ObjectType,
    pub(super) known: &'k Known<'e, 't>,
}

impl<'a> Planner<'_, '_, '_> {
    pub(super) fn plan(&self, job: &Job<'a>) -> Result<Planned<'a>> {
        let mut plan = Plan::default();
        let mut refusals = Vec::new();
        let place = &self.object.key;
        // The object itself: its row is there even when nothing is said in it.
        plan.cells.insert(place.table.name, (place.table, vec![(place.column.name, job.name.to_owned())]));
        refusals.extend(self.incomplete(job));
        for change in job.changes {
            if self.object.name == "group" && change.attribute == "members" {
                plan.members.push(change);
                continue;
            }
            match self.places(job, change)? {
                Ok(places) => {
                    for place in places {
                        refusals.extend(self.add(&mut plan, job, place, change)?);
                    }
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        if !refusals.is_empty() {
            return Ok(Err(refusals));
        }
        for condition in conditions(self.object, job.changes) {
            plan.notices.extend(self.hidden(job, condition)?);
        }
        Ok(Ok(plan))
    }

    /// Adds what one change comes to; the answer is why it cannot be.
    fn add(
        &self,
        plan: &mut Plan<'a>,
        job: &Job<'a>,
        place: &'static Attribute,
        change: &Assignment,
    ) -> Result<Option<Refusal>> {
        if change.operator != Operator::Remove
            && let Some(refusal) = self.bad_value(job, place, change)?
        {
            return Ok(Some(refusal));
        }
        let cells = &mut plan.cells.entry(place.table.name).or_insert_with(|| (place.table, Vec::new())).1;
        match self.new_value(job, place, change, cells, &mut plan.notices)? {
            Ok(value) => cells.push((place.column.name, value)),
            Err(refusal) => return Ok(Some(refusal)),
        }
        Ok(None)
    }

    /// A new object needs every key of its table, not only its name.
    fn incomplete(&self, job: &Job<'_>) -> Option<Refusal> {
        let place = &self.object.key;
        if self.known.has_row(place.table, job.name) {
            return None;
        }
        let set = |name: &str| job.changes.iter().any(|change| change.attribute == name && !change.value.is_empty());
        let keys = place.table.keys().map(|column| column.name).filter(|name| *name != place.column.name);
        let missing: Vec<&str> = keys.filter(|name| !set(name)).collect();
        let (attributes, object) = (missing.join(", "), self.object.name);
        (!missing.is_empty()).then(|| Refusal::Incomplete { attributes, object, name: job.name.to_owned() })
    }

    /// The places of an attribute under the conditions that hold once all changes are made. One that does not apply can
    /// be cleared, wherever it is kept.
    fn places(&self, job: &Job<'_>, change: &Assignment) -> Result<Result<Vec<&'static Attribute>, Refusal>> {
        if let Err(refusal) = check_attribute(self.object, &change.attribute) {
            return Ok(Err(refusal));
        }
        let places: Vec<&'static Attribute> = self.object.named(&change.attribute).collect();
        for place in &places {
            let Some((condition, wanted)) = place.only_when else { return Ok(Ok(vec![place])) };
            if is_among(&self.value_after(job, condition)?, wanted) {
                return Ok(Ok(vec![place]));
            }
        }
        if change.operator == Operator::Set && change.value.is_empty() {
            return Ok(Ok(places));
        }
        let conditions = places.iter().filter_map(|place| place.only_when);
        let condition = conditions.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" or ");
        let (attribute, names) = (change.attribute.clone(), vec![job.name.to_owned()]);
        Ok(Err(Refusal::NotApplicable { attribute, names, condition }))
    }

    fn bad_value(&self, job: &Job<'_>, place: &Attribute, change: &Assignment) -> Result<Option<Refusal>> {
        if let Err(refusal) = check_value(&change.attribute, place, &change.value) {
            return Ok(Some(refusal));
        }
        let is_settings = (place.table.name, place.column.name) == ("vm", "othersettings");
        if change.value.is_empty() || !is_settings || self.value_after(job, "mgt")? != "docker" {
            return Ok(None);
        }
        let (attribute, value) = (change.attribute.clone(), change.value.clone());
        Ok(fault_of_json(&change.value).map(|why| Refusal::BadValue { attribute, value, why }))
    }

    /// What an attribute will be: as the changes set it, else as it is, own or from a group.
    fn value_after(&self, job: &Job<'_>, attribute: &str) -> Result<String> {
        if let Some(change) = last_set(self.object, job.changes, attribute).filter(|change| !change.value.is_empty()) {
            return Ok(change.value.clone());
        }
        let cleared = last_set(self.object, job.changes, attribute).is_some();
        let groups = last_set(self.object, job.changes, "groups").map(|change| change.value.as_str());
        self.value_now(job.name, attribute, groups, cleared)
    }

    fn value_now(&self, name: &str, attribute: &str, groups: Option<&str>, not_own: bool) -> Result<String> {
        let Some(place) = self.object.named(attribute).next() else { return Ok(String::new()) };
        match self.known.own(name, place).filter(|_| !not_own) {
            Some(value) => Ok(value.to_owned()),
            None => Ok(self.known.inherited(name, place, groups)?.map(|(value, _)| value).unwrap_or_default()),
        }
    }

    /// Attributes of the object's own that apply now and will not when `condition` has changed.
    fn hidden(&self, job: &Job<'_>, condition: &str) -> Result<Option<Notice>> {
        let before = self.value_now(job.name, condition, None, false)?;
        let after = self.value_after(job, condition)?;
        let depends = |place: &&Attribute, on: &str| {
            place.only_when.is_some_and(|(attribute, wanted)| attribute == condition && is_among(on, wanted))
        };
        let cell = |place: &Attribute| (place.table.name, place.column.name);
        let stays: Vec<_> = self.object.attributes().filter(|place| depends(place, &after)).map(cell).collect();
        let hidden = self.object.attributes().filter(|place| {
            depends(place, &before) && !stays.contains(&cell(place)) && self.known.own(job.name, place).is_some()
        });
        let mut attributes: Vec<&'static str> = hidden.map(|place| place.name).collect();
        attributes.dedup();
        let (condition, names) = (format!("{condition}={after}"), vec![job.name.to_owned()]);
        Ok((!attributes.is_empty()).then_some(Notice::Hidden { attributes, condition, names }))
    }

    fn new_value(
        &self,
        job: &Job<'_>,
        place: &'static Attribute,
        change: &Assignment,
        pending: &Cells,
        notices: &mut Vec<Notice>,
    ) -> Result<Result<String, Refusal>> {
        let part = nic::split(&change.attribute);
        if change.operator == Operator::Set && part.is_none() {
            return Ok(Ok(change.value.clone()));
        }
        let earlier = pending.iter().rev().find(|(column, _)| *column == place.column.name);
        let own = earlier.map(|(_, value)| value.as_str()).or_else(|| self.known.own(job.name, place));
        let old = match own {
            Some(value) => value.to_owned(),
            None => self.materialised(job.name, place, change, notices)?,
        };
        Ok(match part {
            None => combined(&old, change, job.name, separator(place.column)),
            Some((_, port)) => {
                let value = combined(nic::get(&old, port).unwrap_or_default(), change, job.name, '|');
                value.map(|value| nic::set(&old, port, &value))
            }
        })
    }

    /// What a group supplies, with the notice that it is the object's own from now on.
    fn materialised(
        &self,
        name: &str,
        place: &Attribute,
        change: &Assignment,
        notices: &mut Vec<Notice>,
    ) -> Result<String> {
        let Some((value, group)) = self.known.inherited(name, place, None)? else { return Ok(String::new()) };
        let (attribute, names) = (change.attribute.clone(), vec![name.to_owned()]);
        notices.push(Notice::Materialised { attribute, group, names });
        Ok(value)
    }
}

/// The last change that sets an attribute, by whatever name.
fn last_set<'c>(object: &ObjectType, changes: &'c [Assignment], attribute: &str) -> Option<&'c Assignment> {
    let sets =
        |change: &&Assignment| change.operator == Operator::Set && object.proper_name(&change.attribute) == attribute;
    changes.iter().rev().find(sets)
}

/// Those of the changed attributes on which others depend.
pub(super) fn conditions(object: &'static ObjectType, changes: &[Assignment]) -> Vec<&'static str> {
    let mut conditions: Vec<&'static str> =
        object.attributes().filter_map(|place| place.only_when).map(|(attribute, _)| attribute).collect();
    conditions.sort_unstable();
    conditions.dedup();
    conditions.retain(|condition| last_set(object, changes, condition).is_some());
    conditions
}

fn is_among(list: &str, wanted: &str) -> bool {
    lists::words(list).any(|word| word == wanted)
}

/// An old value with a change applied.
pub(super) fn combined(old: &str, change: &Assignment, name: &str, separator: char) -> Result<String, Refusal> {
    match change.operator {
        Operator::Set => Ok(change.value.clone()),
        Operator::Append => Ok(lists::appended(old, &change.value, separator)),
        Operator::Prepend => Ok(lists::prepended(old, &change.value, separator)),
        Operator::Remove => match lists::lacking(old, &change.value, separator) {
            Some(word) => {
                let (word, attribute) = (word.to_owned(), change.attribute.clone());
                Err(Refusal::NotInList { word, attribute, name: name.into() })
            }
            None => Ok(lists::without(old, &change.value, separator)),
        },
    }
}
