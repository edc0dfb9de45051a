//! Receipts: anybody may hand one in. What was read is written and read as the same, and verifying never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ortsnetz_trust::Receipt;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(receipt) = Receipt::from_bytes(bytes) {
        let text = receipt.to_text();
        assert_eq!(Receipt::from_bytes(text.as_bytes()), Ok(receipt.clone()));
        let _ = receipt.verify(1_795_300_000_000);
    }
});
