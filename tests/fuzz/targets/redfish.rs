//! What comes from a BMC by HTTPS; see the door in plugins/redfish/fuzzing.rs. Nobody waits: time flies while nothing is done.
#![no_main]

use std::cell::RefCell;

use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: RefCell<Runtime> =
        RefCell::new(Builder::new_current_thread().enable_time().start_paused(true).build().expect("there is room"));
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| RUNTIME.with_borrow_mut(|runtime| {
    runtime.block_on(plugins::fuzzing::redfish(input));
}));
