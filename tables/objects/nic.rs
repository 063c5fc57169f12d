//! Attributes of one network port, such as `nicips.eth1`: its part of a cell `eth1!10.1.0.7|fd00::7,ib0!10.2.0.7`.

/// The attribute and the port of a name such as `nicips.eth1`; the port of a VLAN has a dot itself (`eth1.100`).
pub fn split(name: &str) -> Option<(&str, &str)> {
    let (attribute, nic) = name.split_once('.')?;
    (attribute.starts_with("nic") && !nic.is_empty()).then_some((attribute, nic))
}

/// Every port of a cell with its value; what names no port is left out.
///
/// A comma separates two ports only where the next one's name and `!` follow: expressions hold commas of their own.
pub fn entries(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (comma, _) in cell.match_indices(',').filter(|(comma, _)| names_port(&cell[comma + 1..])) {
        parts.push(&cell[start..comma]);
        start = comma + 1;
    }
    parts.push(&cell[start..]);
    parts.into_iter().filter_map(|part| part.trim().trim_end_matches(',').split_once('!'))
}

/// Whether a text begins with the name of a port and `!`.
fn names_port(text: &str) -> bool {
    let text = text.trim_start();
    let end = text.find(|c: char| !(c.is_alphanumeric() || "-_.:".contains(c)));
    end.is_some_and(|end| end > 0 && text[end..].starts_with('!'))
}

/// The value of one port.
pub fn get<'a>(cell: &'a str, nic: &str) -> Option<&'a str> {
    entries(cell).find(|(name, _)| *name == nic).map(|(_, value)| value)
}

/// The cell with another value for one port; an empty value takes the port out.
pub fn set(cell: &str, nic: &str, value: &str) -> String {
    let mut parts: Vec<(&str, &str)> = entries(cell).collect();
    match parts.iter_mut().find(|(name, _)| *name == nic) {
        Some(part) => part.1 = value,
        None => parts.push((nic, value)),
    }
    let kept = parts.iter().filter(|(_, value)| !value.is_empty());
    kept.map(|(name, value)| format!("{name}!{value}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_split_at_the_first_dot() {
        assert_eq!(split("nicips.eth1"), Some(("nicips", "eth1")));
        assert_eq!(split("nicips.eth1.100"), Some(("nicips", "eth1.100")));
        assert_eq!(split("nicips"), None);
        assert_eq!(split("nicips."), None);
        assert_eq!(split("vmhost.eth1"), None);
    }

    #[test]
    fn one_port_changes_and_the_others_stay() {
        let cell = "eth1!10.1.0.7|fd00::7,ib0!10.2.0.7";
        assert_eq!(get(cell, "eth1"), Some("10.1.0.7|fd00::7"));
        assert_eq!(get(cell, "eth2"), None);
        assert_eq!(set(cell, "eth1", "10.1.0.8"), "eth1!10.1.0.8,ib0!10.2.0.7");
        assert_eq!(set(cell, "eth2", "10.3.0.7"), format!("{cell},eth2!10.3.0.7"));
        assert_eq!(set(cell, "eth1", ""), "ib0!10.2.0.7");
        assert_eq!(set("", "eth1", "10.1.0.7"), "eth1!10.1.0.7");
    }

    #[test]
    fn commas_within_an_expression_are_its_own() {
        let cell = "eth1!|n(\\d+)|10.(sprintf('%d',$1)).0.1|, ib0!x";
        let found: Vec<_> = entries(cell).collect();
        assert_eq!(found, [("eth1", "|n(\\d+)|10.(sprintf('%d',$1)).0.1|"), ("ib0", "x")]);
    }

    proptest! {
        #[test]
        fn what_was_set_is_got(cell in "([a-c]![1-3]{1,2},){0,4}", nic in "[a-c]", value in "[1-9|]{1,4}") {
            let changed = set(&cell, &nic, &value);
            prop_assert_eq!(get(&changed, &nic), Some(value.as_str()));
        }
    }
}
