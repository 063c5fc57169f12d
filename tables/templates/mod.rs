//! Definitions to start from, as stanzas: what a value `MANDATORY:…` or `OPTIONAL:…` stands for is up to who uses them.

/// Every template: its name and its stanza.
pub const ALL: &[(&str, &str)] = &[
    ("container", include_str!("container.stanza")),
    ("dockerhost", include_str!("dockerhost.stanza")),
    ("server", include_str!("server.stanza")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{definitions, objects, stanza};

    #[test]
    fn every_template_is_one_object_with_known_attributes() {
        for (name, text) in ALL {
            let [object] = stanza::parse(text).unwrap().try_into().unwrap();
            assert_eq!(object.name, *name);
            let kind = objects::find(&object.objtype).unwrap();
            for (attribute, _) in object.attributes {
                definitions::check_attribute(kind, &attribute).unwrap();
            }
        }
    }
}
