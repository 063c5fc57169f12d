//! Objects from a stanza file on standard input.

use std::io::Read;

use tables::definitions::{self, Assignment, Operator};
use tables::stanza::{self, StanzaError};

use super::{Wanted, object_type};
use crate::failure::Failure;

/// Every object of the file with its attributes; a mistake anywhere refuses the whole file and says the line.
pub(crate) fn from_stanzas(operator: Operator) -> Result<Vec<Wanted>, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::refused(format!("cannot read standard input: {error}")))?;
    let objects = stanza::parse(&text).map_err(|error| {
        let failure = Failure::refused(error.to_string());
        match error {
            StanzaError::NoType { line, .. } => {
                failure.hint(format!("the stanza begins at line {line}; add objtype=node"))
            }
            _ => failure,
        }
    })?;
    let wanted = objects.into_iter().map(|object| wanted(object, operator)).collect::<Result<Vec<_>, _>>()?;
    if wanted.is_empty() {
        return Err(Failure::refused("no object definitions on standard input"));
    }
    Ok(wanted)
}

fn wanted(stanza: stanza::Object, operator: Operator) -> Result<Wanted, Failure> {
    let at_line = |failure: Failure| Failure {
        message: format!("line {}: {}", stanza.line, failure.message.trim_start()),
        ..failure
    };
    let object = object_type(&stanza.objtype).map_err(at_line)?;
    let mut changes = Vec::with_capacity(stanza.attributes.len());
    for (attribute, value) in stanza.attributes {
        let checked =
            definitions::check_attribute(object, &attribute).and_then(|()| match object.named(&attribute).next() {
                Some(place) => definitions::check_value(&attribute, place, &value),
                None => Ok(()),
            });
        checked.map_err(|refusal| at_line(refusal.into()))?;
        changes.push(Assignment { attribute, operator, value });
    }
    Ok(Wanted { object, names: vec![stanza.name], changes })
}
