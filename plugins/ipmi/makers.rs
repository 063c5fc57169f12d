//! Makers of machines and of their BMCs by the numbers that IANA has given them.

const MAKERS: [(u32, &str); 25] = [
    (2, "IBM"),
    (11, "Hewlett-Packard"),
    (42, "Sun"),
    (116, "Hitachi"),
    (119, "NEC"),
    (343, "Intel"),
    (674, "Dell"),
    (2011, "Huawei"),
    (2623, "ASUS"),
    (5703, "NVIDIA"),
    (5771, "Cisco"),
    (6653, "Tyan"),
    (7154, "IPMI forum"),
    (7244, "Quanta"),
    (10297, "Advantech"),
    (10368, "Fujitsu"),
    (10876, "Supermicro"),
    (15370, "Gigabyte"),
    (19046, "Lenovo"),
    (20974, "AMI"),
    (37945, "Inspur"),
    (40092, "Wiwynn"),
    (40981, "Facebook"),
    (42817, "OpenPOWER"),
    (47196, "HPE"),
];

/// What people call a maker; its number where that has no name here, and None where none is meant.
pub(super) fn name(number: u32) -> Option<String> {
    if number == 0 {
        return None;
    }
    let known = MAKERS.iter().find(|(known, _)| *known == number);
    Some(known.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names_or_stand_for_themselves() {
        assert_eq!(name(674).as_deref(), Some("Dell"));
        assert_eq!(name(4769).as_deref(), Some("4769"));
        assert_eq!(name(0), None);
        assert!(MAKERS.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order, each once");
    }
}
