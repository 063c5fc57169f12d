//! What an object may be called.

use super::Refusal;
use crate::objects::ObjectType;

/// Refuses names that later commands could not take: nodes and groups stand in noderanges and in DNS.
pub fn check_name(object: &ObjectType, name: &str) -> Result<(), Refusal> {
    let refuse = |why| Err(Refusal::BadName { name: name.into(), why });
    if name.is_empty() || name.contains(|letter: char| letter.is_control()) {
        return refuse("it is empty or holds control characters.");
    }
    if !matches!(object.name, "node" | "group") {
        return Ok(());
    }
    if object.name == "node" && name.contains('.') {
        return refuse("Cannot use '.' in node name.");
    }
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if !name.chars().all(allowed) || name.starts_with('-') {
        return refuse("use letters, digits, '-' and '_'.");
    }
    Ok(())
}

/// As [`check_name`], of many names; every one that is refused.
pub fn check_names<'n>(object: &ObjectType, names: impl IntoIterator<Item = &'n str>) -> Vec<Refusal> {
    names.into_iter().filter_map(|name| check_name(object, name).err()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects;

    #[test]
    fn names_of_nodes_are_checked_and_others_are_free() {
        let check = |object: &str, name: &str, good: bool| {
            assert_eq!(check_name(objects::find(object).unwrap(), name).is_ok(), good, "{object} {name}");
        };
        check("node", "n1", true);
        check("node", "Rack_1-n2", true);
        check("node", "1n", true);
        check("node", "n1.dom", false);
        check("node", "x!y", false);
        check("node", "-n1", false);
        check("node", "", false);
        check("group", "rack 1", false);
        check("osimage", "rhels9.4-x86_64-install-compute", true);
        check("network", "fd00::/64", true);
    }
}
