//! As much of an automerge change chunk as is needed to check what is on disk: its hash and what it depends on. Layout:
//! magic (4), start of its hash (4), kind (1), length (LEB128), then the change, which begins with the hashes it depends
//! on. See the automerge binary format.

use std::collections::{BTreeSet, HashSet};

use ortsnetz_model::Hash;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const KIND_CHANGE: u8 = 1;

/// Hash and dependencies of a raw, uncompressed change chunk. The error says what is wrong with it.
pub(crate) fn parse(chunk: &[u8]) -> Result<(Hash, Vec<Hash>), String> {
    let Some((head, hashed)) = chunk.split_first_chunk::<8>() else { return Err("too short".to_owned()) };
    if head[..4] != MAGIC {
        return Err("is no automerge chunk".to_owned());
    }
    let hash = Hash::of(hashed);
    if head[4..] != hash.0[..4] {
        return Err(format!("its hash is {hash}, not what it says"));
    }
    if hashed.first() != Some(&KIND_CHANGE) {
        return Err("is no uncompressed change".to_owned());
    }
    let mut rest = &hashed[1..];
    let length = leb128(&mut rest).filter(|length| *length == rest.len() as u64);
    let count = length.and_then(|_| leb128(&mut rest)).ok_or("its length is wrong")?;
    let mut depends = Vec::new();
    for _ in 0..count {
        let (hash, tail) = rest.split_first_chunk::<32>().ok_or("its dependencies are cut short")?;
        depends.push(Hash(*hash));
        rest = tail;
    }
    Ok((hash, depends))
}

/// The heads of a document with these changes. The error says what is missing; `fixed` are changes nobody stores.
pub(crate) fn heads(changes: &[(Hash, Vec<Hash>)], fixed: &[Hash]) -> Result<BTreeSet<Hash>, String> {
    let known: HashSet<&Hash> = changes.iter().map(|(hash, _)| hash).chain(fixed).collect();
    let mut heads: BTreeSet<Hash> = changes.iter().map(|(hash, _)| *hash).collect();
    for (hash, depends) in changes {
        for needed in depends {
            if !known.contains(needed) {
                return Err(format!("change {hash} depends on {needed}, which is missing"));
            }
            heads.remove(needed);
        }
    }
    Ok(heads)
}

fn leb128(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
