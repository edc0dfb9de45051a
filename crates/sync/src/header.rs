//! What the engine reads in a signed record, without verifying it.

use ortsnetz_model::{EntryId, FeedId, Hash, Position};
use sha2::{Digest, Sha256};

use crate::effect::Totals;
use crate::event::Content;

/// The parts of a record the engine works with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// In which feed.
    pub feed: FeedId,
    /// At which position.
    pub position: Position,
    /// Position of the record of the same entry before.
    pub previous: Option<Position>,
    /// Serial of the reader list it was made under.
    pub serial: u64,
    /// When it was made, milliseconds since 1970.
    pub at: u64,
    /// The process that made it.
    pub instance: [u8; 16],
    /// Live count and root after its batch, if it is the last of one.
    pub totals: Option<Totals>,
    /// What it is about.
    pub body: HeaderBody,
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderBody {
    /// An entry.
    Item {
        /// Which one.
        entry: EntryId,
        /// Its generation.
        generation: u32,
        /// Its item in the hash tree.
        item: Hash,
        /// Whether it is a tombstone.
        withdrawn: bool,
    },
    /// A checkpoint with the last positions that count.
    Checkpoint {
        /// Ascending.
        cuts: Vec<Position>,
    },
}

impl Header {
    /// The entry, if it is about one.
    pub fn entry(&self) -> Option<EntryId> {
        match self.body {
            HeaderBody::Item { entry, .. } => Some(entry),
            HeaderBody::Checkpoint { .. } => None,
        }
    }
}

/// The item of an entry in the hash tree of its collection.
pub fn item_hash(entry: &EntryId, generation: u32, position: &Position, content: &Content) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"ortsnetz/item/v1");
    hasher.update(entry.0);
    hasher.update(generation.to_be_bytes());
    hasher.update(position.term.to_be_bytes());
    hasher.update(position.epoch.to_be_bytes());
    hasher.update(position.sequence.to_be_bytes());
    match content {
        Content::Heads(heads) => {
            hasher.update([1]);
            heads.iter().for_each(|head| hasher.update(head.0));
        }
        Content::Withdrawn => hasher.update([2]),
        Content::Other(hash) => {
            hasher.update([3]);
            hasher.update(hash.0);
        }
    }
    Hash(hasher.finalize().into())
}
