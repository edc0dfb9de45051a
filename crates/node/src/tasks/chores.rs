//! What own entries ask for as days go by: when each is to be reviewed, and what it was adopted from. Kept in memory beside
//! their rows, so that nobody reads all entries to answer a question. Filled once after the start, in the background.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use ortsnetz_model::dates::{self, Date, parse_date};
use ortsnetz_model::{Entry, EntryId, FeedId, Kind, OrgId};
use ortsnetz_service::tasks::review;
use ortsnetz_store::{Batch, Side};
use ortsnetz_trust::record::SignedRecord;
use serde_json::Value;

use crate::catalog;
use crate::error::NodeError;
use crate::rows::{self, OWN_ENTRIES, Published};
use crate::shared::{Shared, lock};

/// How long a question right after the start waits for the first reading of all entries.
const FIRST_READING: Duration = Duration::from_millis(500);

/// The chores of all own entries.
#[derive(Default)]
pub(crate) struct Chores {
    kept: Mutex<Kept>,
    filled: Condvar,
    /// One reads at a time, so that nobody who comes later misses what is being read.
    reading: Mutex<()>,
}

#[derive(Default)]
struct Kept {
    known: BTreeMap<EntryId, Chore>,
    /// Written since they were read.
    dirty: BTreeSet<EntryId>,
    filled: bool,
}

/// What one entry asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Chore {
    review: Option<Review>,
    adopted: Option<Adopted>,
}

/// When an entry was and is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Review {
    planned: Option<Date>,
    reviewed: Option<Date>,
    published: Date,
}

/// What an entry was adopted from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Adopted {
    /// Whose entry.
    pub organisation: OrgId,
    /// Which.
    pub entry: EntryId,
    /// The version it was adopted from, or was last compared with: hashes with commas between.
    pub heads: String,
    /// Only what differs was kept.
    pub layer: bool,
}

impl Adopted {
    /// What an entry says about its source.
    pub fn of(entry: &Entry) -> Option<Self> {
        let from = entry.at_path("extensions.adopted_from")?;
        let text = |name: &str| from.get(name).and_then(Value::as_str);
        Some(Self {
            organisation: text("organisation")?.parse().ok()?,
            entry: text("entry")?.parse().ok()?,
            heads: text("heads").unwrap_or_default().to_owned(),
            layer: text("mode") == Some("layer"),
        })
    }
}

/// Own entries that a batch writes.
pub(crate) fn by(batch: &Batch) -> Vec<EntryId> {
    batch.custom(OWN_ENTRIES).filter_map(|(key, _)| EntryId::from_slice(key)).collect()
}

impl Chores {
    /// These were written, and are read again when somebody asks.
    pub fn changed(&self, entries: Vec<EntryId>) {
        if !entries.is_empty() {
            lock(&self.kept).dirty.extend(entries);
        }
    }
}

/// Reads all own entries, once after the start.
pub(crate) fn fill(shared: &Shared) -> Result<(), NodeError> {
    let chores = &shared.boards.chores;
    rows::each_own_entry(&shared.store, None, &mut |id, _| {
        let chore = read(shared, &id)?;
        let mut kept = lock(&chores.kept);
        if !kept.dirty.contains(&id) {
            kept.set(id, chore);
        }
        Ok(!shared.is_stopping())
    })?;
    lock(&chores.kept).filled = true;
    chores.filled.notify_all();
    Ok(())
}

/// Own entries whose review is near or past, with the day. Right after the start of a large node some may still be missing.
pub(crate) fn reviews(shared: &Shared, today: Date) -> Result<Vec<(EntryId, Date)>, NodeError> {
    look(shared, |id, chore| {
        let due = chore.review.and_then(|of| review(of.planned, of.reviewed, of.published, today))?;
        Some((*id, due))
    })
}

/// Own entries that were adopted from others.
pub(crate) fn adopted(shared: &Shared) -> Result<Vec<(EntryId, Adopted)>, NodeError> {
    look(shared, |id, chore| Some((*id, chore.adopted.clone()?)))
}

fn look<T>(shared: &Shared, mut pick: impl FnMut(&EntryId, &Chore) -> Option<T>) -> Result<Vec<T>, NodeError> {
    let chores = &shared.boards.chores;
    {
        let kept = lock(&chores.kept);
        drop(chores.filled.wait_timeout_while(kept, FIRST_READING, |kept| !kept.filled));
    }
    let _one = lock(&chores.reading);
    let dirty = std::mem::take(&mut lock(&chores.kept).dirty);
    let mut failed = None;
    for id in &dirty {
        match read(shared, id) {
            Ok(chore) => lock(&chores.kept).set(*id, chore),
            Err(error) => failed = Some(error),
        }
    }
    if let Some(error) = failed {
        lock(&chores.kept).dirty.extend(dirty);
        return Err(error);
    }
    Ok(lock(&chores.kept).known.iter().filter_map(|(id, chore)| pick(id, chore)).collect())
}

impl Kept {
    fn set(&mut self, id: EntryId, chore: Chore) {
        if chore == Chore::default() {
            self.known.remove(&id);
        } else {
            self.known.insert(id, chore);
        }
    }
}

fn read(shared: &Shared, id: &EntryId) -> Result<Chore, NodeError> {
    let Some(row) = rows::own_entry(&shared.store, id)? else { return Ok(Chore::default()) };
    if row.published == Published::Withdrawn {
        return Ok(Chore::default());
    }
    let published = rows::projection(&shared.store, Side::Published, &row.home, id)?;
    let working = rows::projection(&shared.store, Side::Working, &row.home, id)?;
    let read = |row: &rows::ProjectionRow| catalog::read_entry(id, &row.json);
    let published = published.as_ref().map(read).transpose()?;
    let working = working.as_ref().map(read).transpose()?;
    let adopted = working.as_ref().or(published.as_ref()).and_then(Adopted::of);
    let Some(entry) = published.filter(|entry| is_reviewed(&entry.kind())) else {
        return Ok(Chore { review: None, adopted });
    };
    let feed = FeedId { organisation: shared.own.organisation, collection: row.home };
    let record = shared.store.record(&feed, id)?.and_then(|row| SignedRecord::from_bytes(&row.bytes).ok());
    let review = record.map(|record| Review {
        planned: entry.next_review().and_then(parse_date),
        reviewed: entry.at_path("review.reviewed_at").and_then(Value::as_str).and_then(parse_date),
        published: dates::today(record.record().at),
    });
    Ok(Chore { review, adopted })
}

/// Kinds that say something to citizens and grow old.
fn is_reviewed(kind: &Kind) -> bool {
    matches!(kind, Kind::Service | Kind::Office | Kind::OnlineService | Kind::Form | Kind::LifeEvent)
}
