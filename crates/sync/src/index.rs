//! What is held of one feed, in memory: per entry its generation, position and item hash, in the order of the hash tree;
//! and the entries in order of position. What has not changed for a while lies packed, 76 bytes an entry; what changed since
//! lies in maps beside it, and is packed when it has become much.

use std::cell::RefCell;
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
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

/// 72 bytes.
#[derive(Clone, Copy, Debug)]
struct Slot {
    entry: EntryId,
    position: Packed,
    item: Hash,
    generation: u32,
    leaf: u16,
    withdrawn: bool,
    /// Of the packed ones: another one replaced it, or the entry was removed.
    dead: bool,
}

impl Slot {
    fn new(entry: EntryId, row: &Row) -> Self {
        Self {
            entry,
            position: Packed::new(&row.position),
            item: row.item,
            generation: row.generation,
            leaf: leaf_of(&entry),
            withdrawn: row.withdrawn,
            dead: false,
        }
    }

    fn from_cache(bytes: &[u8; CACHED_ROW_BYTES]) -> Option<Self> {
        let (leaf, rest) = bytes.split_first_chunk()?;
        let (entry, rest) = rest.split_first_chunk()?;
        let (high, rest) = rest.split_first_chunk()?;
        let (low, rest) = rest.split_first_chunk()?;
        let (item, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let leaf = u16::from_be_bytes(*leaf);
        (usize::from(leaf) < LEAVES).then(|| Self {
            entry: EntryId(*entry),
            position: Packed(u64::from_be_bytes(*high), u64::from_be_bytes(*low)),
            item: Hash(*item),
            generation: u32::from_be_bytes(*generation),
            leaf,
            withdrawn: rest == [1],
            dead: false,
        })
    }

    fn key(&self) -> Key {
        (self.leaf, self.entry)
    }

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

/// Leaf, entry, position, item, generation, withdrawn.
const CACHED_ROW_BYTES: usize = 2 + 16 + 16 + 32 + 4 + 1;

/// What changed since packing is packed when there are more than this, and more than a quarter of what is packed.
const LOOSE_MAX: usize = 256;

/// The places of these slots by position.
fn by_position(packed: &[Slot]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..packed.len() as u32).collect();
    order.sort_unstable_by_key(|at| packed[*at as usize].position);
    order
}

/// The entries of one feed.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Sorted by key.
    packed: Vec<Slot>,
    /// Places in `packed`, by position.
    order: Vec<u32>,
    /// How many of the packed ones are dead.
    dead: usize,
    /// What came since, by key and by position.
    loose: BTreeMap<Key, Slot>,
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
    /// Packs everything.
    pub(crate) fn pack(&mut self) {
        if self.loose.is_empty() && self.dead == 0 {
            return;
        }
        let mut packed = Vec::with_capacity(self.len());
        packed.extend(self.slots((0, EntryId([0; 16])), (u16::MAX, EntryId([0xff; 16]))).copied());
        (self.order, self.packed, self.dead) = (by_position(&packed), packed, 0);
        self.loose.clear();
        self.positions.clear();
    }

    /// Appends every row, by key: leaf, entry, position, item, generation, and whether it is withdrawn.
    pub(crate) fn to_cache(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(self.len() * CACHED_ROW_BYTES);
        for slot in self.span(0, u16::MAX) {
            bytes.extend(slot.leaf.to_be_bytes());
            bytes.extend(slot.entry.0);
            bytes.extend([slot.position.0, slot.position.1].iter().flat_map(|part| part.to_be_bytes()));
            bytes.extend(slot.item.0);
            bytes.extend(slot.generation.to_be_bytes());
            bytes.push(u8::from(slot.withdrawn));
        }
    }

    /// The index of these rows; `None` if they are none, or not in order.
    pub(crate) fn from_cache(bytes: &[u8]) -> Option<Self> {
        let (rows, rest) = bytes.as_chunks::<CACHED_ROW_BYTES>();
        let packed: Vec<_> = rows.iter().map(Slot::from_cache).collect::<Option<_>>()?;
        let in_order = packed.is_sorted_by(|left, right| left.key() < right.key());
        if !rest.is_empty() || !in_order {
            return None;
        }
        let withdrawn = packed.iter().filter(|slot| slot.withdrawn).count();
        Some(Self { order: by_position(&packed), packed, withdrawn, ..Self::default() })
    }

    /// Number of entries, tombstones included.
    pub fn len(&self) -> usize {
        self.packed.len() - self.dead + self.loose.len()
    }

    /// Number of entries that are not withdrawn.
    pub fn live(&self) -> u64 {
        (self.len() - self.withdrawn) as u64
    }

    /// What is held of an entry.
    pub fn row(&self, entry: &EntryId) -> Option<Row> {
        let key = (leaf_of(entry), *entry);
        let packed = || self.packed_at(&key).map(|at| &self.packed[at]);
        self.loose.get(&key).or_else(packed).map(Slot::row)
    }

    /// Where a packed entry lies that is not dead.
    fn packed_at(&self, key: &Key) -> Option<usize> {
        self.packed.binary_search_by_key(key, Slot::key).ok().filter(|at| !self.packed[*at].dead)
    }

    /// The entry whose newest record stands at a position.
    pub fn at(&self, position: &Position) -> Option<EntryId> {
        let wanted = Packed::new(position);
        self.positions.get(&wanted).copied().or_else(|| {
            let from = self.order.partition_point(|at| self.packed[*at as usize].position < wanted);
            let slot = self.order[from..].iter().map(|at| &self.packed[*at as usize]).find(|slot| !slot.dead)?;
            (slot.position == wanted).then_some(slot.entry)
        })
    }

    /// The highest position held.
    pub fn last(&self) -> Option<Position> {
        let packed = self.order.iter().rev().map(|at| &self.packed[*at as usize]).find(|slot| !slot.dead);
        let loose = self.positions.last_key_value().map(|(position, _)| *position);
        packed.map(|slot| slot.position).max(loose).map(Packed::position)
    }

    /// Entries with positions above `after` up to and including `upto`, ascending.
    pub fn range(&self, after: Position, upto: Position) -> impl DoubleEndedIterator<Item = (Position, EntryId)> + '_ {
        let (low, high) = (Packed::new(&after), Packed::new(&upto).max(Packed::new(&after)));
        let place = |end: Packed| self.order.partition_point(|at| self.packed[*at as usize].position <= end);
        let bounds = (Bound::Excluded(low), if low == high { Bound::Excluded(high) } else { Bound::Included(high) });
        let loose = if low == high { self.positions.range(..Packed(0, 0)) } else { self.positions.range(bounds) };
        ByPosition { packed: &self.packed, order: &self.order[place(low)..place(high)], loose }
    }

    /// Takes the newest record of an entry in; what was held of the entry before is forgotten.
    pub fn insert(&mut self, entry: EntryId, row: Row) {
        self.remove(&entry);
        let slot = Slot::new(entry, &row);
        self.loose.insert(slot.key(), slot);
        self.positions.insert(slot.position, entry);
        self.withdrawn += usize::from(slot.withdrawn);
        self.touch(slot.leaf);
        if self.loose.len() + self.dead > LOOSE_MAX + self.packed.len() / 4 {
            self.pack();
        }
    }

    /// Forgets an entry.
    pub fn remove(&mut self, entry: &EntryId) -> Option<Row> {
        let key = (leaf_of(entry), *entry);
        let old = match self.loose.remove(&key) {
            Some(old) => {
                self.positions.remove(&old.position);
                old
            }
            None => {
                let at = self.packed_at(&key)?;
                self.packed[at].dead = true;
                self.dead += 1;
                self.packed[at]
            }
        };
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
        for slot in self.span(first, first + FAN as u16 - 1) {
            match &mut open {
                Some((at, items)) if *at == slot.leaf => items.push(slot.item),
                _ => close(open.replace((slot.leaf, vec![slot.item])), &mut leaves),
            }
        }
        close(open, &mut leaves);
        leaves
    }

    /// What shows that the item of an entry stands in the tree; `None` if nothing is held of the entry.
    pub(crate) fn inclusion(&self, entry: &EntryId) -> Option<Inclusion> {
        let leaf = leaf_of(entry);
        self.row(entry)?;
        let items = self.leaf(leaf).map(|(_, row)| row.item).collect();
        Some(Inclusion { items, leaves: self.leaves(usize::from(leaf) / FAN), nodes: self.middles() })
    }

    /// What is held in one leaf, by entry.
    pub(crate) fn leaf(&self, leaf: u16) -> impl Iterator<Item = (EntryId, Row)> + '_ {
        self.span(leaf, leaf).map(|slot| (slot.entry, slot.row()))
    }

    fn span(&self, first: u16, last: u16) -> impl Iterator<Item = &Slot> {
        self.slots((first, EntryId([0; 16])), (last, EntryId([0xff; 16])))
    }

    /// By key, both ends included.
    fn slots(&self, first: Key, last: Key) -> impl Iterator<Item = &Slot> {
        let from = self.packed.partition_point(|slot| slot.key() < first);
        let packed = self.packed[from..].iter().take_while(move |slot| slot.key() <= last).filter(|slot| !slot.dead);
        Merged { left: packed.peekable(), right: self.loose.range(first..=last).map(|(_, slot)| slot).peekable() }
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

/// Two sorted rows of slots as one.
struct Merged<'a, L: Iterator<Item = &'a Slot>, R: Iterator<Item = &'a Slot>> {
    left: Peekable<L>,
    right: Peekable<R>,
}

impl<'a, L: Iterator<Item = &'a Slot>, R: Iterator<Item = &'a Slot>> Iterator for Merged<'a, L, R> {
    type Item = &'a Slot;

    fn next(&mut self) -> Option<&'a Slot> {
        match (self.left.peek(), self.right.peek()) {
            (Some(left), Some(right)) if left.key() < right.key() => self.left.next(),
            (Some(_), None) => self.left.next(),
            _ => self.right.next(),
        }
    }
}

/// Packed and loose ones by position, from both ends.
struct ByPosition<'a> {
    packed: &'a [Slot],
    order: &'a [u32],
    loose: btree_map::Range<'a, Packed, EntryId>,
}

impl ByPosition<'_> {
    fn slot(&self, at: u32) -> Option<(Packed, EntryId)> {
        let slot = &self.packed[at as usize];
        (!slot.dead).then_some((slot.position, slot.entry))
    }
}

impl Iterator for ByPosition<'_> {
    type Item = (Position, EntryId);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let loose = self.loose.clone().next();
            let found = match self.order.split_first() {
                Some((at, rest)) => match self.slot(*at) {
                    Some(slot) if loose.is_none_or(|(position, _)| slot.0 < *position) => {
                        self.order = rest;
                        Some(slot)
                    }
                    Some(_) => self.loose.next().map(|(position, entry)| (*position, *entry)),
                    None => {
                        self.order = rest;
                        continue;
                    }
                },
                None => self.loose.next().map(|(position, entry)| (*position, *entry)),
            };
            return found.map(|(position, entry)| (position.position(), entry));
        }
    }
}

impl DoubleEndedIterator for ByPosition<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            let loose = self.loose.clone().next_back();
            let found = match self.order.split_last() {
                Some((at, rest)) => match self.slot(*at) {
                    Some(slot) if loose.is_none_or(|(position, _)| slot.0 > *position) => {
                        self.order = rest;
                        Some(slot)
                    }
                    Some(_) => self.loose.next_back().map(|(position, entry)| (*position, *entry)),
                    None => {
                        self.order = rest;
                        continue;
                    }
                },
                None => self.loose.next_back().map(|(position, entry)| (*position, *entry)),
            };
            return found.map(|(position, entry)| (position.position(), entry));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same as the index, as simply as it can be said.
    #[derive(Default)]
    struct Plain(BTreeMap<EntryId, Row>);

    impl Plain {
        fn by_position(&self) -> Vec<(Position, EntryId)> {
            let mut rows: Vec<_> = self.0.iter().map(|(entry, row)| (row.position, *entry)).collect();
            rows.sort();
            rows
        }
    }

    fn entry(number: u16) -> EntryId {
        EntryId(std::array::from_fn(|at| number.to_be_bytes()[at % 2]))
    }

    fn position(sequence: u64) -> Position {
        Position { term: 1, epoch: 2, sequence }
    }

    fn same(index: &Index, plain: &Plain) -> Result<(), TestCaseError> {
        prop_assert_eq!(index.len(), plain.0.len());
        prop_assert_eq!(index.live(), plain.0.values().filter(|row| !row.withdrawn).count() as u64);
        for (entry, row) in &plain.0 {
            prop_assert_eq!(index.row(entry), Some(*row));
            prop_assert_eq!(index.at(&row.position), Some(*entry));
        }
        let rows = plain.by_position();
        prop_assert_eq!(index.last(), rows.last().map(|(position, _)| *position));
        let end = rows.last().map_or(0, |(position, _)| position.sequence);
        for (low, high) in [(0, u64::MAX), (end / 3, end / 2), (end / 2, end / 2), (end, 0)] {
            let expected: Vec<_> = rows
                .iter()
                .copied()
                .filter(|(position, _)| position.sequence > low && position.sequence <= high)
                .collect();
            let range = || index.range(position(low), position(high));
            prop_assert_eq!(range().collect::<Vec<_>>(), expected.clone());
            prop_assert_eq!(range().rev().collect::<Vec<_>>(), expected.iter().rev().copied().collect::<Vec<_>>());
            let (mut both, mut from_both) = (range(), 0);
            while both.next().is_some() {
                from_both += 1 + usize::from(both.next_back().is_some());
            }
            prop_assert_eq!(from_both, expected.len());
        }
        let mut fresh = Index::default();
        plain.0.iter().for_each(|(entry, row)| fresh.insert(*entry, *row));
        prop_assert_eq!(index.root(), fresh.root());
        prop_assert_eq!(index.middles(), fresh.middles());
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn packed_or_loose_it_holds_the_same(
            steps in proptest::collection::vec((0u16..700, any::<bool>(), 0u8..10), 1..1500),
            packs in proptest::collection::vec(0usize..1500, 0..4),
        ) {
            let (mut index, mut plain) = (Index::default(), Plain::default());
            for (at, (number, withdrawn, what)) in steps.iter().enumerate() {
                let row = Row {
                    generation: 1,
                    position: position(at as u64 + 1),
                    item: Hash([at as u8; 32]),
                    withdrawn: *withdrawn,
                };
                if *what == 0 {
                    prop_assert_eq!(index.remove(&entry(*number)), plain.0.remove(&entry(*number)));
                } else {
                    index.insert(entry(*number), row);
                    plain.0.insert(entry(*number), row);
                }
                if packs.contains(&at) {
                    index.pack();
                    same(&index, &plain)?;
                }
            }
            same(&index, &plain)?;
            let mut bytes = Vec::new();
            index.to_cache(&mut bytes);
            let read = Index::from_cache(&bytes);
            prop_assert!(read.is_some());
            same(&read.unwrap_or_default(), &plain)?;
            bytes.pop();
            prop_assert!(bytes.is_empty() || Index::from_cache(&bytes).is_none());
        }
    }

    #[test]
    fn what_changed_is_packed_when_it_is_much() {
        let mut index = Index::default();
        let row = |at: u64| Row { generation: 1, position: position(at), item: Hash([1; 32]), withdrawn: false };
        for at in 0..LOOSE_MAX as u64 {
            index.insert(entry(at as u16), row(at));
        }
        assert_eq!((index.packed.len(), index.loose.len()), (0, LOOSE_MAX));
        index.insert(entry(LOOSE_MAX as u16), row(LOOSE_MAX as u64));
        assert_eq!((index.packed.len(), index.loose.len()), (LOOSE_MAX + 1, 0));
        assert_eq!(size_of::<Slot>() + size_of::<u32>(), 76);
    }
}
