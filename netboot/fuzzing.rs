//! Doors for the fuzz targets of tests/fuzz, which are other crates: hostile input goes in where the network's does, and what
//! must hold is asserted. Compiled for these and for tests only; the test below runs the inputs that are kept.

pub use crate::dhcp::fuzzing::Dhcp;
pub use crate::dns::fuzzing::Dns;
pub use crate::http::fuzzing::Http;
pub use crate::tftp::fuzzing::Tftp;

/// A row of a table, by its key.
pub(crate) type Filled = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

/// The packets of one input: each behind its length, of which the last may be cut.
pub(crate) fn packets(mut input: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = input.split_first_chunk::<2>()?;
        let (packet, rest) = rest.split_at(rest.len().min(u16::from_be_bytes(*length).into()));
        input = rest;
        Some(packet)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The inputs that are kept of a target: those to begin with, of real clients, and those that once did harm.
    fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds").join(target);
        let files = fs::read_dir(seeds).unwrap().map(|file| file.unwrap().path());
        files.map(|file| (file.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&file).unwrap())).collect()
    }

    #[test]
    fn kept_packets_of_dhcp_do_no_harm_and_real_clients_are_answered() {
        let home = tempfile::tempdir().unwrap();
        let mut dhcp = Dhcp::new(home.path());
        let kept = kept("dhcp");
        for (name, input) in &kept {
            let answers = dhcp.run(input);
            assert!(answers > 0 || !name.starts_with("good-"), "{name} is not answered");
        }
        assert!(kept.len() >= 4, "{} are kept", kept.len());
    }

    #[test]
    fn kept_messages_of_dns_do_no_harm_and_real_clients_are_answered() {
        let home = tempfile::tempdir().unwrap();
        let mut dns = Dns::new(home.path());
        let kept = kept("dns");
        for (name, input) in &kept {
            let answers = dns.run(input);
            assert!(answers > 0 || !name.starts_with("good-"), "{name} is not answered");
        }
        assert!(kept.len() >= 4, "{} are kept", kept.len());
    }

    #[test]
    fn kept_packets_of_tftp_do_no_harm_and_real_clients_are_answered() {
        let home = tempfile::tempdir().unwrap();
        let mut tftp = Tftp::new(home.path());
        let kept = kept("tftp");
        for (name, input) in &kept {
            let answers = tftp.run(input);
            assert!(answers > 0 || !name.starts_with("good-"), "{name} is not answered");
        }
        assert!(kept.len() >= 4, "{} are kept", kept.len());
    }

    #[test]
    fn kept_requests_of_http_do_no_harm_and_real_clients_are_answered() {
        let home = tempfile::tempdir().unwrap();
        let mut http = Http::new(home.path());
        let kept = kept("http");
        for (name, input) in &kept {
            let answer = http.run(input);
            assert!(answer.starts_with(b"HTTP/1.1 2") || !name.starts_with("good-"), "{name} is not answered");
        }
        assert!(kept.len() >= 4, "{} are kept", kept.len());
    }
}
