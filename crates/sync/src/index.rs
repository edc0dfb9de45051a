//! What is held of one feed, in memory: per entry its generation, position and item hash, in the order of the hash tree;
//! and the entries in order of position. About 130 bytes per entry.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

use ortsnetz_model::{EntryId, Hash, Position};
use sha2::{Digest, Sha256};

/// Leaves of the hash tree, by the first 12 bits of SHA-256(entry).
pub const LEAVES: usize = 64 * 64;
/// Buckets on each of the two levels.
pub const FAN: usize = 64;
const EMPTY: Hash = Hash([0; 32]);

/// What is held of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its generation.
    pub generation: u32,
    /// Position of its newest record.
    pub position: Position,
    /// Its item in the hash tree.
    pub item: Hash,
    /// Whether it is a tombstone.
    pub withdrawn: bool,
}

/// A position in 16 bytes that sort the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Packed(u64, u64);

const BITS_48: u64 = (1 << 48) - 1;

impl Packed {
    /// Epochs beyond the year 10000 and sequences beyond 2^48 saturate; [`representable`] refuses them before.
    fn new(position: &Position) -> Self {
        let epoch = position.epoch.min(BITS_48);
        Self(u64::from(position.term) << 32 | epoch >> 16, (epoch & 0xffff) << 48 | position.sequence.min(BITS_48))
    }

    fn position(self) -> Position {
        Position {
            term: (self.0 >> 32) as u32,
            epoch: (self.0 & 0xffff_ffff) << 16 | self.1 >> 48,
            sequence: self.1 & BITS_48,
        }
    }
}

/// Whether a position is within the range the index can hold.
pub(crate) fn representable(position: &Position) -> bool {
    position.epoch <= BITS_48 && position.sequence <= BITS_48
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    position: Packed,
    item: Hash,
    generation: u32,
    withdrawn: bool,
}

impl Slot {
    fn row(&self) -> Row {
        Row {
            generation: self.generation,
            position: self.position.position(),
            item: self.item,
            withdrawn: self.withdrawn,
        }
    }
}

/// Sorted by leaf, then entry.
type Key = (u16, EntryId);

/// The leaf an entry lies in.
pub(crate) fn leaf_of(entry: &EntryId) -> u16 {
    let digest = Sha256::digest(entry.0);
    u16::from(digest[0]) << 4 | u16::from(digest[1]) >> 4
}

/// The entries of one feed.
#[derive(Clone, Debug, Default)]
pub struct Index {
    entries: BTreeMap<Key, Slot>,
    positions: BTreeMap<Packed, EntryId>,
    withdrawn: usize,
    middle: RefCell<Middle>,
}

/// The hashes of the upper level, computed when asked for.
#[derive(Clone, Debug)]
struct Middle {
    hashes: Vec<Hash>,
    stale: u64,
}

impl Default for Middle {
    fn default() -> Self {
        Self { hashes: Vec::new(), stale: u64::MAX }
    }
}

impl Index {
    /// Number of entries, tombstones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Number of entries that are not withdrawn.
    pub fn live(&self) -> u64 {
        (self.entries.len() - self.withdrawn) as u64
    }

    /// What is held of an entry.
    pub fn row(&self, entry: &EntryId) -> Option<Row> {
        self.entries.get(&(leaf_of(entry), *entry)).map(Slot::row)
    }

    /// The entry whose newest record stands at a position.
    pub fn at(&self, position: &Position) -> Option<EntryId> {
        self.positions.get(&Packed::new(position)).copied()
    }

    /// The highest position held.
    pub fn last(&self) -> Option<Position> {
        self.positions.last_key_value().map(|(packed, _)| packed.position())
    }

    /// Entries with positions above `after` up to and including `upto`, ascending.
    pub fn range(&self, after: Position, upto: Position) -> impl DoubleEndedIterator<Item = (Position, EntryId)> + '_ {
        let (low, high) = (Packed::new(&after), Packed::new(&upto).max(Packed::new(&after)));
        let bounds = if low == high { None } else { Some((Bound::Excluded(low), Bound::Included(high))) };
        bounds
            .into_iter()
            .flat_map(|bounds| self.positions.range(bounds))
            .map(|(packed, entry)| (packed.position(), *entry))
    }

    /// Takes the newest record of an entry in; what was held of the entry before is forgotten.
    pub fn insert(&mut self, entry: EntryId, row: Row) {
        let slot = Slot {
            position: Packed::new(&row.position),
            item: row.item,
            generation: row.generation,
            withdrawn: row.withdrawn,
        };
        let key = (leaf_of(&entry), entry);
        if let Some(old) = self.entries.insert(key, slot) {
            self.positions.remove(&old.position);
            self.withdrawn -= usize::from(old.withdrawn);
        }
        self.positions.insert(slot.position, entry);
        self.withdrawn += usize::from(slot.withdrawn);
        self.touch(key.0);
    }

    /// Forgets an entry.
    pub fn remove(&mut self, entry: &EntryId) -> Option<Row> {
        let key = (leaf_of(entry), *entry);
        let old = self.entries.remove(&key)?;
        self.positions.remove(&old.position);
        self.withdrawn -= usize::from(old.withdrawn);
        self.touch(key.0);
        Some(old.row())
    }

    fn touch(&mut self, leaf: u16) {
        self.middle.get_mut().stale |= 1 << (usize::from(leaf) / FAN);
    }

    /// Root of the hash tree; all zero if nothing is held.
    pub fn root(&self) -> Hash {
        self.refresh();
        combine(b"ortsnetz/root/v1", &self.middle.borrow().hashes)
    }

    /// The hashes of the upper level.
    pub(crate) fn middles(&self) -> Vec<Hash> {
        self.refresh();
        self.middle.borrow().hashes.clone()
    }

    /// The hashes of the leaves below bucket `middle` (0 to 63).
    pub(crate) fn leaves(&self, middle: usize) -> Vec<Hash> {
        let mut leaves = vec![EMPTY; FAN];
        let first = (middle * FAN) as u16;
        let mut hasher: Option<(u16, Sha256)> = None;
        let close = |open: Option<(u16, Sha256)>, leaves: &mut Vec<Hash>| {
            if let Some((leaf, hasher)) = open {
                leaves[usize::from(leaf - first)] = Hash(hasher.finalize().into());
            }
        };
        for ((leaf, _), slot) in self.span(first, first + FAN as u16 - 1) {
            if hasher.as_ref().is_none_or(|(open, _)| open != leaf) {
                close(hasher.take(), &mut leaves);
                let mut fresh = Sha256::new();
                fresh.update(b"ortsnetz/leaf/v1");
                hasher = Some((*leaf, fresh));
            }
            if let Some((_, hasher)) = &mut hasher {
                hasher.update(slot.item.0);
            }
        }
        close(hasher, &mut leaves);
        leaves
    }

    /// What is held in one leaf, by entry.
    pub(crate) fn leaf(&self, leaf: u16) -> impl Iterator<Item = (EntryId, Row)> + '_ {
        self.span(leaf, leaf).map(|((_, entry), slot)| (*entry, slot.row()))
    }

    fn span(&self, first: u16, last: u16) -> impl Iterator<Item = (&Key, &Slot)> {
        self.entries.range((first, EntryId([0; 16]))..=(last, EntryId([0xff; 16])))
    }

    fn refresh(&self) {
        let mut middle = self.middle.borrow_mut();
        middle.hashes.resize(FAN, EMPTY);
        for bucket in (0..FAN).filter(|bucket| middle.stale >> bucket & 1 == 1).collect::<Vec<_>>() {
            middle.hashes[bucket] = combine(b"ortsnetz/node/v1", &self.leaves(bucket));
        }
        middle.stale = 0;
    }
}

fn combine(domain: &[u8], hashes: &[Hash]) -> Hash {
    if hashes.iter().all(|hash| *hash == EMPTY) {
        return EMPTY;
    }
    let mut hasher = Sha256::new();
    hasher.update(domain);
    hashes.iter().for_each(|hash| hasher.update(hash.0));
    Hash(hasher.finalize().into())
}
