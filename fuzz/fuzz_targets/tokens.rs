//! Invitations as people paste them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ortsnetz_trust::invite::Token;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(token) = Token::from_text(&String::from_utf8_lossy(bytes), 0) {
        let text = token.to_text().expect("what was read keeps the limits");
        assert!(Token::from_text(&text, 0).is_ok_and(|again| again == token));
    }
});
