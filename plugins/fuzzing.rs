//! Doors for the fuzz targets of tests/fuzz, which are other crates: hostile input goes in where the network's does, and what
//! must hold is asserted. Compiled for these and for tests only; the test below runs the inputs that are kept.

pub use crate::ipmi::fuzzing::run as ipmi;
pub use crate::redfish::fuzzing::run as redfish;

/// The packets of one input: each behind its length, of which the last may be cut.
pub(crate) fn packets(mut input: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = input.split_first_chunk::<2>()?;
        let (packet, rest) = rest.split_at(rest.len().min(u16::from_be_bytes(*length).into()));
        input = rest;
        Some(packet)
    })
}

/// What goes to a terminal must have nothing in it that a terminal obeys.
pub(crate) fn check_shown(text: &str) {
    assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'), "{text:?} goes to a terminal");
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The inputs that are kept of a target: those to begin with, of real BMCs, and those that once did harm.
    fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds").join(target);
        let files = fs::read_dir(seeds).unwrap().map(|file| file.unwrap().path());
        files.map(|file| (file.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&file).unwrap())).collect()
    }

    #[test]
    fn kept_answers_of_ipmi_do_no_harm_and_those_of_real_bmcs_are_read() {
        let kept = kept("ipmi");
        for (name, input) in &kept {
            assert!(ipmi(input) || !name.starts_with("good-"), "{name} is not read");
        }
        assert!(kept.len() >= 6, "{} are kept", kept.len());
    }

    #[tokio::test]
    async fn kept_answers_of_redfish_do_no_harm_and_those_of_real_bmcs_are_read() {
        let kept = kept("redfish");
        for (name, input) in &kept {
            assert!(redfish(input).await || !name.starts_with("good-"), "{name} is not read");
        }
        assert!(kept.len() >= 4, "{} are kept", kept.len());
    }
}
