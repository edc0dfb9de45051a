//! What owner and keeper of a sealed copy say to each other, and what lies beside a copy.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ortsnetz_trust::sealed::{KeepAnswer, KeepAsk, SignedCopy};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(ask) = KeepAsk::from_bytes(bytes) {
        assert_eq!(ask.to_bytes(), bytes);
    }
    if let Ok(answer) = KeepAnswer::from_bytes(bytes) {
        assert_eq!(answer.to_bytes(), bytes);
        if let KeepAnswer::State { copies, .. } = answer {
            for copy in copies.iter().filter_map(|signed| signed.said().ok()) {
                let _ = copy.has_piece(copy.number, bytes, &[copy.root]);
            }
        }
    }
    if let Ok(signed) = SignedCopy::from_bytes(bytes) {
        assert_eq!(signed.to_bytes(), bytes);
        if let Ok(copy) = signed.said() {
            let _ = (copy.pieces(), copy.piece_bytes(copy.number), copy.has_piece(0, bytes, &[copy.root]));
        }
    }
});
