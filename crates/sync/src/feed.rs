//! What the engine knows of one feed.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use ortsnetz_model::{EntryId, Hash, Position};
use ortsnetz_trust::record::{Checkpoint, Totals};
use ortsnetz_trust::{Body, Record};

use crate::index::{Index, Row};
use crate::limits::STALE_MS;

/// The position before every record.
pub(crate) const START: Position = Position { term: 0, epoch: 0, sequence: 0 };

/// First byte of what a feed is kept as.
const CACHE_FORMAT: u8 = 1;

/// The newest checkpoint of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) position: Position,
    pub(crate) at: u64,
    pub(crate) checkpoint: Checkpoint,
}

/// What is held of a feed. What is under way lies in the engine's pipelines.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    pub(crate) index: Index,
    /// Complete up to here, durably.
    pub(crate) cursor: Position,
    /// The newest signed totals among the records held, with their position.
    pub(crate) totals: Option<(Position, Totals)>,
    pub(crate) checkpoint: Option<Marker>,
    /// The highest reader-list serial any record names, and the time of the newest record that names it.
    pub(crate) list: (u64, u64),
    pub(crate) frozen: Option<Position>,
    pub(crate) aside: BTreeSet<(EntryId, Position)>,
    /// When cursor or list last changed, in the engine's own count; 0 since the start.
    pub(crate) changed: u64,
    /// What this feed adds to an offer.
    pub(crate) offer: u128,
    /// An alarm about staleness was raised and still holds.
    pub(crate) stale_told: bool,
    /// An alarm about a position ahead of our clock was raised.
    pub(crate) ahead_told: Option<Position>,
}

impl Feed {
    /// Takes a record in as the newest of its entry, or as the newest checkpoint.
    pub(crate) fn take(&mut self, record: &Record) {
        if let Some(totals) = record.totals
            && self.totals.is_none_or(|(position, _)| position <= record.position)
        {
            self.totals = Some((record.position, totals));
        }
        match record.list_serial.cmp(&self.list.0) {
            Ordering::Greater => self.list = (record.list_serial, record.at),
            Ordering::Equal => self.list.1 = self.list.1.max(record.at),
            Ordering::Less => {}
        }
        if let Some((entry, item)) = record.item() {
            let row =
                Row { generation: record.generation, position: record.position, item, withdrawn: !record.is_live() };
            self.index.insert(entry, row);
        } else if let Body::Checkpoint(checkpoint) = &record.body
            && self.checkpoint.as_ref().is_none_or(|held| held.position < record.position)
        {
            self.checkpoint = Some(Marker { position: record.position, at: record.at, checkpoint: checkpoint.clone() });
        }
    }

    /// What the records of the entries left here: format, list, totals, then the rows of the index.
    pub(crate) fn to_cache(&self) -> Vec<u8> {
        let mut bytes = vec![CACHE_FORMAT];
        bytes.extend([self.list.0, self.list.1].iter().flat_map(|number| number.to_be_bytes()));
        bytes.push(u8::from(self.totals.is_some()));
        if let Some((position, totals)) = &self.totals {
            bytes.extend(position.term.to_be_bytes());
            bytes.extend([position.epoch, position.sequence, totals.count].iter().flat_map(|n| n.to_be_bytes()));
            bytes.extend(totals.root.0);
        }
        self.index.to_cache(&mut bytes);
        bytes
    }

    /// The feed of these bytes, without cursor and checkpoint.
    pub(crate) fn from_cache(bytes: &[u8]) -> Option<Self> {
        let (&[format], rest) = bytes.split_first_chunk()?;
        let (serial, rest) = rest.split_first_chunk()?;
        let (at, rest) = rest.split_first_chunk()?;
        let (&[has_totals], mut rest) = rest.split_first_chunk()?;
        let mut totals = None;
        if has_totals == 1 {
            let (term, after) = rest.split_first_chunk()?;
            let (epoch, after) = after.split_first_chunk()?;
            let (sequence, after) = after.split_first_chunk()?;
            let (count, after) = after.split_first_chunk()?;
            let (root, after) = after.split_first_chunk()?;
            let position = Position {
                term: u32::from_be_bytes(*term),
                epoch: u64::from_be_bytes(*epoch),
                sequence: u64::from_be_bytes(*sequence),
            };
            totals = Some((position, Totals { count: u64::from_be_bytes(*count), root: Hash(*root) }));
            rest = after;
        }
        let index = Index::from_cache(rest)?;
        let list = (u64::from_be_bytes(*serial), u64::from_be_bytes(*at));
        (format == CACHE_FORMAT && has_totals <= 1).then(|| Self { index, totals, list, ..Self::default() })
    }

    /// Whether the newest checkpoint is so old that something may be withheld.
    pub(crate) fn is_old(&self, now: u64) -> bool {
        self.checkpoint.as_ref().is_some_and(|marker| marker.at + STALE_MS <= now)
    }

    /// The highest position of any record held.
    pub(crate) fn last(&self) -> Position {
        let checkpoint = self.checkpoint.as_ref().map(|checkpoint| checkpoint.position);
        self.index.last().max(checkpoint).unwrap_or(START)
    }

    /// Whether a record stands at this position.
    pub(crate) fn holds(&self, position: &Position) -> bool {
        self.index.at(position).is_some()
            || self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.position == *position)
    }

    /// Whether the tree equals the signed totals; `None` while we stand before the newest record or its batch end.
    pub(crate) fn verified(&self) -> Option<bool> {
        if self.last() > self.cursor || self.cursor == START {
            return None;
        }
        if !self.holds(&self.cursor) {
            // The cursor only ever stops at a record: it was here.
            return Some(false);
        }
        let (position, totals) = self.totals?;
        (position == self.cursor).then(|| totals.root == self.index.root() && totals.count == self.index.live())
    }

    /// Records above `after` up to the cursor in order of position, at most `limit`; `None` is the checkpoint.
    pub(crate) fn page(&self, after: &Position, limit: usize) -> Vec<(Position, Option<EntryId>)> {
        let mut rows: Vec<_> = self
            .index
            .range(*after, self.cursor)
            .take(limit)
            .map(|(position, entry)| (position, Some(entry)))
            .collect();
        if let Some(checkpoint) = &self.checkpoint
            && checkpoint.position > *after
            && checkpoint.position <= self.cursor
        {
            let place = rows.partition_point(|(position, _)| *position < checkpoint.position);
            rows.insert(place, (checkpoint.position, None));
            rows.truncate(limit);
        }
        rows
    }

    /// The entries held whose records a checkpoint does not count.
    pub(crate) fn beyond(&self, marker: &Marker) -> Vec<(EntryId, Position)> {
        let mut beyond = Vec::new();
        let mut after = START;
        while let Some((first, _)) = self.index.range(after, marker.position).next() {
            if (first.term, first.epoch) >= (marker.position.term, marker.position.epoch) {
                break;
            }
            let end = Position { sequence: u64::MAX, ..first };
            let key = (first.term, first.epoch);
            let cut = marker.checkpoint.cuts.binary_search_by_key(&key, |cut| (cut.term, cut.epoch));
            let sequence = cut.map_or(0, |at| marker.checkpoint.cuts[at].sequence);
            beyond.extend(
                self.index.range(Position { sequence, ..first }, end).map(|(position, entry)| (entry, position)),
            );
            after = end;
        }
        beyond
    }
}
