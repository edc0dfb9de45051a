//! What is held of one feed, in memory: per entry its generation, position and item hash, in the order of the hash tree;
//! and the entries in order of position. About 130 bytes per entry.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

use ortsnetz_model::{EntryId, Hash, Position};
use ortsnetz_trust::tree::{EMPTY, Inclusion, leaf_hash, node_hash, root_hash};
pub(crate) use ortsnetz_trust::tree::{FAN, LEAVES, leaf_of};

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
    /// Gives back the room that inserting leaves in the maps: in order, as a store is read, they end up half empty. Two
    /// million entries are 170 MB less.
    pub(crate) fn pack(&mut self) {
        self.entries = std::mem::take(&mut self.entries).into_iter().collect();
        self.positions = std::mem::take(&mut self.positions).into_iter().collect();
    }

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
        root_hash(&self.middle.borrow().hashes)
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
        let mut open: Option<(u16, Vec<Hash>)> = None;
        let close = |open: Option<(u16, Vec<Hash>)>, leaves: &mut Vec<Hash>| {
            if let Some((leaf, items)) = open {
                leaves[usize::from(leaf - first)] = leaf_hash(&items);
            }
        };
        for ((leaf, _), slot) in self.span(first, first + FAN as u16 - 1) {
            match &mut open {
                Some((at, items)) if at == leaf => items.push(slot.item),
                _ => close(open.replace((*leaf, vec![slot.item])), &mut leaves),
            }
        }
        close(open, &mut leaves);
        leaves
    }

    /// What shows that the item of an entry stands in the tree; `None` if nothing is held of the entry.
    pub(crate) fn inclusion(&self, entry: &EntryId) -> Option<Inclusion> {
        let leaf = leaf_of(entry);
        self.entries.get(&(leaf, *entry))?;
        let items = self.leaf(leaf).map(|(_, row)| row.item).collect();
        Some(Inclusion { items, leaves: self.leaves(usize::from(leaf) / FAN), nodes: self.middles() })
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
            middle.hashes[bucket] = node_hash(&self.leaves(bucket));
        }
        middle.stale = 0;
    }
}
