//! What comes from a BMC by UDP; see the door in plugins/ipmi/fuzzing.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| drop(plugins::fuzzing::ipmi(input)));
