//! What the engine knows of one feed.

use std::collections::BTreeSet;

use ortsnetz_model::{EntryId, Position};

use crate::effect::Totals;
use crate::header::{Header, HeaderBody};
use crate::index::{Index, Row};

/// The position before every record.
pub(crate) const START: Position = Position { term: 0, epoch: 0, sequence: 0 };

/// The newest checkpoint of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) position: Position,
    pub(crate) at: u64,
    pub(crate) cuts: Vec<Position>,
}

/// What is held of a feed. What is under way lies in the engine's pipelines.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    pub(crate) index: Index,
    /// Complete up to here, durably.
    pub(crate) cursor: Position,
    /// The newest signed totals among the records held, with their position.
    pub(crate) totals: Option<(Position, Totals)>,
    pub(crate) checkpoint: Option<Checkpoint>,
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
    pub(crate) fn take(&mut self, header: &Header) {
        if let Some(totals) = header.totals
            && self.totals.is_none_or(|(position, _)| position <= header.position)
        {
            self.totals = Some((header.position, totals));
        }
        match header.serial.cmp(&self.list.0) {
            std::cmp::Ordering::Greater => self.list = (header.serial, header.at),
            std::cmp::Ordering::Equal => self.list.1 = self.list.1.max(header.at),
            std::cmp::Ordering::Less => {}
        }
        match &header.body {
            HeaderBody::Item { entry, generation, item, withdrawn } => {
                let row =
                    Row { generation: *generation, position: header.position, item: *item, withdrawn: *withdrawn };
                self.index.insert(*entry, row);
            }
            HeaderBody::Checkpoint { cuts } => {
                if self.checkpoint.as_ref().is_none_or(|held| held.position < header.position) {
                    self.checkpoint =
                        Some(Checkpoint { position: header.position, at: header.at, cuts: cuts.clone() });
                }
            }
        }
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
        let (position, totals) = self.totals?;
        (position == self.cursor && self.last() == self.cursor)
            .then(|| totals.root == self.index.root() && totals.live == self.index.live())
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

    /// The last position that counts in the epoch of `position`, as the newest checkpoint says; `None` if it says nothing
    /// about it because the epoch is its own or later, or older than its list.
    pub(crate) fn cut(&self, position: &Position) -> Option<Position> {
        let checkpoint = self.checkpoint.as_ref()?;
        let own = (checkpoint.position.term, checkpoint.position.epoch);
        if (position.term, position.epoch) >= own {
            return None;
        }
        let at = checkpoint.cuts.partition_point(|cut| (cut.term, cut.epoch) <= (position.term, position.epoch));
        // Between the epochs listed nothing counts: the last position is the one listed before.
        match at.checked_sub(1) {
            Some(before) => Some(checkpoint.cuts[before]),
            None if checkpoint.cuts.len() >= crate::limits::CUTS_MAX => None,
            None => Some(START),
        }
    }

    /// The entries held whose records do not count any more.
    pub(crate) fn beyond_cuts(&self, checkpoint: &Checkpoint) -> Vec<(EntryId, Position)> {
        let epoch_start = |position: &Position| Position { sequence: 0, ..*position };
        let mut lows = checkpoint.cuts.clone();
        if checkpoint.cuts.len() < crate::limits::CUTS_MAX {
            lows.insert(0, START);
        }
        let highs = checkpoint.cuts.iter().map(epoch_start).chain([epoch_start(&checkpoint.position)]);
        let skip = lows.len() - checkpoint.cuts.len();
        let highs: Vec<_> = highs.skip(1 - skip).collect();
        lows.iter()
            .zip(highs)
            .flat_map(|(low, high)| self.index.range(*low, high))
            .map(|(position, entry)| (entry, position))
            .collect()
    }
}
