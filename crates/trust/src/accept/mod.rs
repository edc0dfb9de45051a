//! The gate for foreign changes: nothing a partner sends reaches automerge before its hash is found in the signed
//! history and its size, expanded, fits the budget.
//!
//! 1. Only raw, uncompressed change chunks of exact length; own SHA-256 of each.
//! 2. Walk from the signed heads: each change needed is delivered or held, none is left over.
//! 3. Operation budget from the run lengths of the columns, before automerge parses them.
//! 4. Apply on a clone, caught if it panics; the heads must be the signed ones.
//! 5. What is published must project to an entry within the limits.

mod budget;
mod chunk;
mod split;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use ortsnetz_model::limits::{ENTRY_BYTES_MAX, LIST_ELEMENTS_MAX, NESTING_MAX, TEXT_BYTES_MAX};
use ortsnetz_model::{Chunk, Document, DocumentError, Entry, Hash};
use serde_json::Value;

use crate::limits::{DELIVERY_BYTES_MAX, DELIVERY_CHUNKS_MAX, DOCUMENT_OPERATIONS_MAX, HEADS_MAX};
use chunk::ChunkHead;
pub use split::part_of;

/// How the signed heads and the resulting document belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Published: the document is exactly the closure of the heads. Anything else that was held is left behind.
    Exact,
    /// Working documents: the document contains the heads, beside what was held.
    Contained,
}

/// A document that passed the gate.
#[derive(Clone)]
pub struct Accepted {
    /// The document with the changes. It writes as nobody.
    pub document: Document,
    /// What it projects to.
    pub entry: Entry,
    /// The chunks that were not held before, each after what it builds on.
    pub chunks: Vec<Chunk>,
}

/// Why a delivery was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// Changes are missing: ask again, also elsewhere. No alarm.
    #[error("{} change(s) are missing", .missing.len())]
    Incomplete {
        /// Which, sorted.
        missing: Vec<Hash>,
    },
    /// Whoever made or passed this on does not keep the rules: an alarm.
    #[error("{reason}")]
    Invalid {
        /// What is wrong.
        reason: Refusal,
    },
}

/// What is wrong with a delivery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not exactly one raw, uncompressed change.
    #[error("not a raw change: {0}")]
    NotAChange(&'static str),
    /// The bytes do not have the checksum they carry.
    #[error("the checksum of a change is wrong")]
    Checksum,
    /// More of something than a change or delivery may have.
    #[error("{found} {what}, allowed are {max}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How many.
        found: u64,
        /// How many there may be.
        max: u64,
    },
    /// A change that is not part of the signed history.
    #[error("change {0} is not part of the signed history")]
    NotSigned(Hash),
    /// automerge refused it or panicked.
    #[error("the changes cannot be applied: {0}")]
    NotApplicable(String),
    /// The result has other heads than were signed.
    #[error("the document does not end in the signed heads")]
    WrongHeads,
}

impl From<Refusal> for AcceptError {
    fn from(reason: Refusal) -> Self {
        Self::Invalid { reason }
    }
}

pub(crate) fn within(what: &'static str, found: u64, max: u64) -> Result<(), Refusal> {
    if found <= max { Ok(()) } else { Err(Refusal::TooMuch { what, found, max }) }
}

/// Judges a delivery of raw change chunks for one document. `held` is the document as we have it, `heads` are those of
/// the signed record. Nothing is changed; the caller stores record, document, chunks and projection in one batch.
/// Never panics, whatever the bytes; automerge's own panics are caught (its message still goes to the panic hook).
pub fn accept_document(
    held: Option<&Document>,
    heads: &[Hash],
    chunks: &[Vec<u8>],
    mode: Mode,
) -> Result<Accepted, AcceptError> {
    let delivered = read(chunks, heads)?;
    let (needed, missing) = walk(held, heads, &delivered);
    // Only when nothing is missing is it known what belongs to the history and what does not.
    if !missing.is_empty() {
        return Err(AcceptError::Incomplete { missing });
    }
    let used: BTreeSet<&Hash> = needed.iter().collect();
    if let Some(extra) = delivered.keys().find(|hash| !used.contains(hash) && !holds(held, hash)) {
        return Err(Refusal::NotSigned(*extra).into());
    }
    let new: Vec<Chunk> = needed.iter().filter_map(|hash| delivered.get(hash)).map(ChunkHead::to_chunk).collect();
    let mut operations = 0;
    for hash in &needed {
        if let Some(head) = delivered.get(hash) {
            operations += budget::operations(head)?;
        }
    }
    within("operations in a delivery", operations, DOCUMENT_OPERATIONS_MAX)?;
    let document = apply(held, heads, &new, mode)?;
    let entry = guarded(|| document.project())?;
    if mode == Mode::Exact {
        // Work in progress may be too long for a while; it is refused when published.
        check_entry(&entry)?;
    }
    Ok(Accepted { document, entry, chunks: new })
}

/// The operations these changes expand to, without expanding them. What is no change, or more than a change may be, counts
/// nothing: it is refused anyhow.
pub fn operations(chunks: &[Vec<u8>]) -> u64 {
    let of = |bytes: &Vec<u8>| ChunkHead::read(bytes).and_then(|head| budget::operations(&head)).unwrap_or(0);
    chunks.iter().map(of).sum()
}

/// The delivered chunks by hash; each once.
fn read<'a>(chunks: &'a [Vec<u8>], heads: &[Hash]) -> Result<BTreeMap<Hash, ChunkHead<'a>>, Refusal> {
    within("heads", heads.len() as u64, HEADS_MAX as u64)?;
    within("chunks in a delivery", chunks.len() as u64, DELIVERY_CHUNKS_MAX as u64)?;
    let bytes: usize = chunks.iter().map(Vec::len).sum();
    within("bytes in a delivery", bytes as u64, DELIVERY_BYTES_MAX as u64)?;
    chunks.iter().map(|bytes| ChunkHead::read(bytes).map(|head| (head.hash, head))).collect()
}

fn holds(held: Option<&Document>, hash: &Hash) -> bool {
    *hash == Document::first_change() || held.is_some_and(|held| held.contains(&[*hash]))
}

/// Follows the dependencies from the heads down to what is held. Returns the delivered changes that are needed, each
/// after what it builds on, and the hashes that are neither delivered nor held, sorted.
fn walk(held: Option<&Document>, heads: &[Hash], delivered: &BTreeMap<Hash, ChunkHead<'_>>) -> (Vec<Hash>, Vec<Hash>) {
    let (mut order, mut missing, mut seen) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    // Depth first without recursion: an entry is left when everything below it was visited.
    let mut stack: Vec<(Hash, bool)> = heads.iter().rev().map(|head| (*head, false)).collect();
    while let Some((hash, visited)) = stack.pop() {
        if visited {
            order.push(hash);
            continue;
        }
        if !seen.insert(hash) || holds(held, &hash) {
            continue;
        }
        match delivered.get(&hash) {
            None => {
                missing.insert(hash);
            }
            Some(head) => {
                stack.push((hash, true));
                stack.extend(head.dependencies.iter().rev().map(|dependency| (*dependency, false)));
            }
        }
    }
    (order, missing.into_iter().collect())
}

fn apply(held: Option<&Document>, heads: &[Hash], new: &[Chunk], mode: Mode) -> Result<Document, AcceptError> {
    let sorted: BTreeSet<&Hash> = heads.iter().collect();
    let ends_in = |document: &Document| document.heads().iter().collect::<BTreeSet<_>>() == sorted;
    let applied = match held {
        // `apply` works on a clone of its own; ours protects the caller's.
        Some(held) => guarded(|| {
            let mut document = held.clone();
            document.apply(new).map(|()| document)
        }),
        None => guarded(|| Document::from_chunks(new)),
    };
    let applied = applied.map_err(AcceptError::from).and_then(|applied| applied.map_err(refused));
    match (mode, held) {
        (Mode::Contained, _) => applied.and_then(|it| if it.contains(heads) { Ok(it) } else { Err(wrong_heads()) }),
        (Mode::Exact, None) => applied.and_then(|it| if ends_in(&it) { Ok(it) } else { Err(wrong_heads()) }),
        (Mode::Exact, Some(held)) => match applied {
            Ok(document) if ends_in(&document) => Ok(document),
            // Something held is not part of the signed history (set aside meanwhile): build it without that. What was
            // held may even take the place of a signed change, so that both do not go together.
            _ => {
                let rebuilt = closure(held, new, heads)?;
                if ends_in(&rebuilt) { Ok(rebuilt) } else { Err(wrong_heads()) }
            }
        },
    }
}

fn wrong_heads() -> AcceptError {
    Refusal::WrongHeads.into()
}

/// A document of exactly what these heads contain, from what is held and what is new.
fn closure(held: &Document, new: &[Chunk], heads: &[Hash]) -> Result<Document, AcceptError> {
    let mut bytes: Vec<Vec<u8>> = guarded(|| held.changes_since(&[]))?.into_iter().map(Chunk::into_bytes).collect();
    bytes.extend(new.iter().map(|chunk| chunk.as_bytes().to_vec()));
    let by_hash: BTreeMap<Hash, ChunkHead<'_>> =
        bytes.iter().map(|bytes| ChunkHead::read(bytes).map(|head| (head.hash, head))).collect::<Result<_, _>>()?;
    let (needed, missing) = walk(None, heads, &by_hash);
    if !missing.is_empty() {
        return Err(AcceptError::Incomplete { missing });
    }
    let chunks: Vec<Chunk> = needed.iter().filter_map(|hash| by_hash.get(hash)).map(ChunkHead::to_chunk).collect();
    guarded(|| Document::from_chunks(&chunks))?.map_err(refused)
}

fn refused(error: DocumentError) -> AcceptError {
    match error {
        DocumentError::Incomplete(missing) => AcceptError::Incomplete { missing },
        other => Refusal::NotApplicable(other.to_string()).into(),
    }
}

/// Runs code on foreign data so that a panic is a refusal. What it worked on is thrown away then.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| Refusal::NotApplicable("automerge panicked".into()))
}

/// The hard limits of an entry. Whether it is a good one is for people to judge, not for the gate.
fn check_entry(entry: &Entry) -> Result<(), Refusal> {
    let mut bytes = 0;
    for (name, value) in entry.as_map() {
        bytes += name.len() + 4 + json_bytes(value, 1)?;
    }
    keeps("bytes in an entry", bytes, ENTRY_BYTES_MAX)
}

/// About how long a value is as JSON. Fails if a part of it breaks a limit.
fn json_bytes(value: &Value, depth: usize) -> Result<usize, Refusal> {
    // An entry has a few levels of its own above its extensions.
    keeps("levels in an entry", depth, NESTING_MAX + 8)?;
    Ok(match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(text) => {
            keeps("bytes in a text", text.len(), TEXT_BYTES_MAX)?;
            text.len() + 3
        }
        Value::Array(list) => {
            keeps("elements in a list", list.len(), LIST_ELEMENTS_MAX)?;
            list.iter().try_fold(2, |sum, value| Ok(sum + json_bytes(value, depth + 1)?))?
        }
        Value::Object(map) => {
            map.iter().try_fold(2, |sum, (key, value)| Ok(sum + key.len() + 4 + json_bytes(value, depth + 1)?))?
        }
    })
}

fn keeps(what: &'static str, found: usize, max: usize) -> Result<(), Refusal> {
    within(what, found as u64, max as u64)
}
