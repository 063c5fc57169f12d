//! What comes to the ports of `xcrane serve`; see the door in netboot/dns/fuzzing.rs.
#![no_main]

use std::cell::RefCell;

use netboot::fuzzing::Dns;
use tempfile::TempDir;

thread_local! {
    static TARGET: RefCell<(TempDir, Dns)> = RefCell::new({
        let home = tempfile::tempdir().expect("there is room");
        let target = Dns::new(home.path());
        (home, target)
    });
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET.with_borrow_mut(|(_, target)| drop(target.run(input))));
