//! Changes of documents at the gate. The input: a byte that says the mode and whether the last chunk's hash is the signed
//! head, then chunks with two bytes of length before each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ortsnetz_model::{Chunk, Hash};
use ortsnetz_trust::{Mode, accept_document};

fuzz_target!(
    init: {
        // automerge panics on hostile changes and the gate catches it; libFuzzer's hook would end the process first.
        // A panic that nobody catches is still reported.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |bytes: &[u8]| {
        let Some((flags, mut rest)) = bytes.split_first() else { return };
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
        if let Ok(accepted) = accept_document(None, &[head], &chunks, mode) {
            assert!(accepted.document.contains(&[head]));
        }
    }
);
