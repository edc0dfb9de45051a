//! The corpus of the fuzz targets `records`, `tokens`, `chunks`, `receipts` and `keep` as an ordinary test.

use std::path::Path;

use ortsnetz_model::{Chunk, Hash};
use ortsnetz_trust::invite::{Answer, JoinMessage, Token};
use ortsnetz_trust::sealed::{KeepAnswer, KeepAsk, SignedCopy};
use ortsnetz_trust::{Mode, Receipt, Signed, SignedRecord, accept_document};

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|file| file.expect("a file").path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).expect("readable")))
        .collect();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

#[test]
fn records_statements_and_join_messages_have_one_encoding() {
    let mut read = 0;
    for (name, bytes) in corpus("records") {
        if let Ok(record) = SignedRecord::from_bytes(&bytes) {
            assert_eq!(record.to_bytes(), bytes, "{name}");
            read += 1;
        }
        if let Ok(signed) = Signed::from_bytes(&bytes) {
            assert_eq!(signed.to_bytes(), bytes, "{name}");
            read += 1;
        }
        if let Ok(message) = JoinMessage::from_bytes(&bytes) {
            assert_eq!(message.to_bytes(), bytes, "{name}");
            read += 1;
        }
    }
    assert!(read > 0, "the corpus holds something valid");
}

#[test]
fn questions_to_keepers_and_their_answers_have_one_encoding() {
    let mut read = [0; 3];
    for (name, bytes) in corpus("keep") {
        if let Ok(ask) = KeepAsk::from_bytes(&bytes) {
            assert_eq!(ask.to_bytes(), bytes, "{name}");
            read[0] += 1;
        }
        if let Ok(answer) = KeepAnswer::from_bytes(&bytes) {
            assert_eq!(answer.to_bytes(), bytes, "{name}");
            read[1] += 1;
        }
        if let Ok(signed) = SignedCopy::from_bytes(&bytes) {
            assert_eq!(signed.to_bytes(), bytes, "{name}");
            read[2] += 1;
        }
    }
    assert!(read.iter().all(|read| *read > 0), "the corpus holds something valid of each kind: {read:?}");
}

#[test]
fn tokens_and_answers_read_and_written_again_are_the_same() {
    let mut read = 0;
    for (name, bytes) in corpus("tokens") {
        if let Ok(token) = Token::from_text(&String::from_utf8_lossy(&bytes), 0) {
            let text = token.to_text().expect("what was read keeps the limits");
            assert_eq!(Token::from_text(&text, 0), Ok(token), "{name}");
            read += 1;
        }
        if let Ok(answer) = Answer::from_text(&String::from_utf8_lossy(&bytes), 0) {
            let text = answer.to_text().expect("what was read keeps the limits");
            assert_eq!(Answer::from_text(&text, 0), Ok(answer), "{name}");
            read += 1;
        }
    }
    assert!(read > 1, "the corpus holds something valid of both kinds");
}

#[test]
fn changes_pass_the_gate_or_are_refused() {
    let mut accepted = 0;
    for (name, bytes) in corpus("chunks") {
        let Some((flags, mut rest)) = bytes.split_first() else { continue };
        let mut chunks: Vec<Vec<u8>> = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
            chunks.push(after[..length].to_vec());
            rest = &after[length..];
        }
        let head = match chunks.last().and_then(|chunk| Chunk::from_bytes(chunk.clone()).hash()) {
            Some(hash) if flags & 1 == 0 => hash,
            _ => Hash([7; 32]),
        };
        let mode = if flags & 2 == 0 { Mode::Exact } else { Mode::Contained };
        if let Ok(result) = accept_document(None, &[head], &chunks, mode) {
            assert!(result.document.contains(&[head]), "{name}");
            accepted += 1;
        }
    }
    assert!(accepted > 0, "the corpus holds something valid");
}

#[test]
fn receipts_hold_or_fall_as_their_names_say() {
    let mut held = 0;
    for (name, bytes) in corpus("receipts") {
        let receipt = Receipt::from_bytes(&bytes);
        if let Ok(receipt) = &receipt {
            assert_eq!(Receipt::from_bytes(receipt.to_text().as_bytes()).as_ref(), Ok(receipt), "{name}");
        }
        let verdict = receipt.and_then(|receipt| receipt.verify(1_795_300_000_000 + 86_400_000));
        if name.contains("/holds-") {
            assert!(verdict.is_ok(), "{name}: {verdict:?}");
            held += 1;
        } else if name.contains("/falls-") {
            assert!(verdict.is_err(), "{name}");
        }
    }
    assert!(held >= 2, "the corpus holds something valid");
}
