//! The frames before a circuit.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    ortsnetz_net::read_reach_frame(bytes);
});
