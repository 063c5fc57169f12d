//! Why an object cannot be as asked, and what is worth telling of a change that was made.

use crate::noderange::fold;

/// Why objects cannot be as asked; the wording is xCAT's where scripts look for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("'{attribute}' is not a valid attribute name for an object type of '{object}'.")]
    UnknownAttribute { attribute: String, object: &'static str, meant: Option<String> },
    #[error("Cannot set the attribute '{attribute}' of '{}' unless {condition}.", fold(names))]
    NotApplicable { attribute: String, names: Vec<String>, condition: String },
    #[error("{word} is not in the attribute of '{attribute}' for the '{name}' definition.")]
    NotInList { word: String, attribute: String, name: String },
    #[error("The object name '{name}' is invalid, {why}")]
    BadName { name: String, why: &'static str },
    #[error("'{attribute}={value}' is refused: {why}")]
    BadValue { attribute: String, value: String, why: String },
    #[error("The attributes {attributes} are required to define the {object} '{name}'.")]
    Incomplete { attributes: String, object: &'static str, name: String },
}

/// What is worth telling of changes that were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A list that came from a group now stands in the objects' own rows and follows the group no more.
    Materialised { attribute: String, group: String, names: Vec<String> },
    /// Attributes that are set but do not apply any more, now that another one has that value.
    Hidden { attributes: Vec<&'static str>, condition: String, names: Vec<String> },
}

impl Refusal {
    /// Whether the objects that it is not about can go on without those that it is about.
    pub fn concerns_one(&self) -> bool {
        matches!(self, Self::NotInList { .. })
    }

    /// Adds a refusal to others; one that was met before is not repeated but gets the further name.
    pub(super) fn add_to(self, others: &mut Vec<Self>) {
        if let Self::NotApplicable { attribute, names, condition } = &self {
            let alike = others.iter_mut().find_map(|other| match other {
                Self::NotApplicable { attribute: of, names, condition: under }
                    if of == attribute && under == condition =>
                {
                    Some(names)
                }
                _ => None,
            });
            if let Some(known) = alike {
                known.extend_from_slice(names);
                return;
            }
        }
        if !others.contains(&self) {
            others.push(self);
        }
    }
}

impl Notice {
    /// Adds a notice to others; one like it gets the further names.
    pub(super) fn add_to(self, others: &mut Vec<Self>) {
        let alike =
            others.iter_mut().find_map(|other| match (other, &self) {
                (
                    Self::Materialised { attribute, group, names },
                    Self::Materialised { attribute: of, group: from, .. },
                ) if attribute == of && group == from => Some(names),
                (
                    Self::Hidden { attributes, condition, names },
                    Self::Hidden { attributes: of, condition: under, .. },
                ) if attributes == of && condition == under => Some(names),
                _ => None,
            });
        match (alike, self) {
            (Some(known), Self::Materialised { names, .. } | Self::Hidden { names, .. }) => known.extend(names),
            (None, new) => others.push(new),
        }
    }
}
