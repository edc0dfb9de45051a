//! Invitations and answers as people paste them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ortsnetz_trust::invite::{Answer, Token};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(token) = Token::from_text(&text, 0) {
        let text = token.to_text().expect("what was read keeps the limits");
        assert!(Token::from_text(&text, 0).is_ok_and(|again| again == token));
    }
    if let Ok(answer) = Answer::from_text(&text, 0) {
        let text = answer.to_text().expect("what was read keeps the limits");
        assert!(Answer::from_text(&text, 0).is_ok_and(|again| again == answer));
    }
});
