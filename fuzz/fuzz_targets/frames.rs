//! Frames of the sync protocol: what is read can be sent again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ortsnetz_sync::wire::Message;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(message)) = Message::read(bytes) {
        let again = Message::read(&message.frame(1)).expect("our own frame").expect("a message we know");
        assert_eq!(message, again);
    }
});
