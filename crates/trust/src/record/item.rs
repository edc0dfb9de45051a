//! What a record puts into the hash tree, what it covers, and what contradicts it.

use minicbor::{Decode, Encode};
use ortsnetz_model::{EntryId, Hash, Position};
use sha2::{Digest, Sha256};

use super::{Body, Record, SignedRecord};
use crate::canonical;

/// The hash of one item of a feed's tree: SHA-256 over entry, generation, position and the heads, or `withdrawn` for a
/// tombstone. Never over the record itself, so it needs no signature.
pub fn item_hash(entry: &EntryId, generation: u32, position: Position, heads: Option<&[Hash]>) -> Hash {
    let mut content = Vec::new();
    match heads {
        Some(heads) => heads.iter().for_each(|head| content.extend_from_slice(&head.0)),
        None => content.extend_from_slice(b"withdrawn"),
    }
    hash(entry, generation, position, &content)
}

fn hash(entry: &EntryId, generation: u32, position: Position, content: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"ortsnetz/item/v1\0");
    hasher.update(entry.0);
    hasher.update(generation.to_be_bytes());
    hasher.update(position.term.to_be_bytes());
    hasher.update(position.epoch.to_be_bytes());
    hasher.update(position.sequence.to_be_bytes());
    hasher.update(content);
    Hash(hasher.finalize().into())
}

impl Record {
    /// The entry and hash this record puts into the tree; `None` for a checkpoint. For drafts and answers the content
    /// is the encoded body.
    pub fn item(&self) -> Option<(EntryId, Hash)> {
        let entry = self.entry?;
        let hash = match &self.body {
            Body::Checkpoint(_) => return None,
            Body::Draft(_) | Body::Answer(_) => {
                hash(&entry, self.generation, self.position, &canonical::encode(&self.body))
            }
            Body::Publication { .. } | Body::Withdrawal { .. } | Body::Redaction { .. } => {
                item_hash(&entry, self.generation, self.position, self.heads())
            }
        };
        Some((entry, hash))
    }

    /// Whether this newer record covers `older`: then nothing of `older` is lost when it is replaced. True if its
    /// generation is higher, if it names `older` as the previous position, or if its closure contains the heads of
    /// `older` (`closure_contains`, asked only where it matters; a tombstone has no heads to lose).
    pub fn covers(&self, older: &Self, closure_contains: impl FnOnce(&[Hash]) -> bool) -> bool {
        if self.feed != older.feed || self.entry != older.entry || self.entry.is_none() {
            return false;
        }
        if self.position <= older.position || self.generation < older.generation {
            return false;
        }
        self.generation > older.generation
            || self.previous == Some(older.position)
            || older.heads().is_some_and(closure_contains)
    }
}

/// Proof that a signer said two different things at one position of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Equivocation {
    /// The one with the smaller bytes.
    #[n(0)]
    first: SignedRecord,
    /// The other one.
    #[n(1)]
    second: SignedRecord,
}

impl Equivocation {
    /// The proof made of these two records, in whatever order; `None` if they do not contradict each other. Whether
    /// both are validly signed is for [`crate::Identity::verify_equivocation`].
    pub fn of(a: &SignedRecord, b: &SignedRecord) -> Option<Self> {
        let (x, y) = (a.record(), b.record());
        if x.feed != y.feed || x.position != y.position || a.bytes() == b.bytes() {
            return None;
        }
        let (first, second) = if a.bytes() < b.bytes() { (a, b) } else { (b, a) };
        Some(Self { first: first.clone(), second: second.clone() })
    }

    /// The two records.
    pub fn records(&self) -> (&SignedRecord, &SignedRecord) {
        (&self.first, &self.second)
    }

    /// The position said twice.
    pub fn position(&self) -> Position {
        self.first.record().position
    }

    /// Whether the two really contradict each other and are in order, for evidence that came from outside.
    pub fn is_consistent(&self) -> bool {
        Self::of(&self.first, &self.second).as_ref() == Some(self)
    }
}
