//! Signed records, statements and messages of the join protocol: only one encoding of each is accepted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ortsnetz_trust::invite::JoinMessage;
use ortsnetz_trust::{Signed, SignedRecord};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = SignedRecord::from_bytes(bytes) {
        assert_eq!(record.to_bytes(), bytes);
        let _ = record.signature_holds();
    }
    if let Ok(signed) = Signed::from_bytes(bytes) {
        assert_eq!(signed.to_bytes(), bytes);
    }
    if let Ok(message) = JoinMessage::from_bytes(bytes) {
        assert_eq!(message.to_bytes(), bytes);
    }
});
