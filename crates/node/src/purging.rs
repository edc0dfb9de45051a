//! Erasing for good: after a redaction nothing of what was redacted stays in any file of this node. The rows are deleted
//! with the record; what still lies in old segments, logs, dictionaries and the search index is rewritten here, before the
//! sender hears that the redaction is kept.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use minicbor::{Decode, Encode};
use ortsnetz_model::{CollectionId, EntryId, FeedId};
use ortsnetz_store::{Batch, Key, Origin, Range, Side, Store};
use ortsnetz_trust::record::{Body, Record, SignedRecord};

use crate::agreements;
use crate::alarms;
use crate::carrying;
use crate::contacts;
use crate::error::NodeError;
use crate::given_back;
use crate::letters;
use crate::noticing;
use crate::past;
use crate::rows;
use crate::shared::{Shared, lock, stopping};

/// Table of erasures whose rows are deleted, but not yet their traces: key is feed and entry.
const DUE: &str = "purge";
/// A purge rewrites the store. Whoever sends one redaction after the other gets at most one part in so many of the time.
const PAUSE_FACTOR: u32 = 9;
/// Longest pause between two purges.
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// A purge that failed is tried again after this time.
const AGAIN: Duration = Duration::from_secs(60);

/// An erasure whose traces are still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Due {
    #[n(0)]
    feed: FeedId,
    #[n(1)]
    entry: EntryId,
    #[n(2)]
    generation: u32,
}

/// One purge at a time, with pauses.
#[derive(Default)]
pub(crate) struct Purging {
    running: Mutex<Option<(Instant, Duration)>>,
    stop: (Mutex<bool>, Condvar),
}

impl Purging {
    /// Ends every pause: the node stops.
    pub fn stop(&self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
    }

    /// Waits; false if the node stops meanwhile.
    fn pause(&self, time: Duration) -> bool {
        let stopped = self.stop.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.stop.1.wait_timeout_while(stopped, time, |stopped| !*stopped);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Whether this record, put in place of `held`, says that lower generations are void: it is a redaction, or comes after one
/// that this node has not seen. Only a redaction and a move to another collection take a new generation.
pub(crate) fn voids(record: &Record, held: Option<&Record>) -> bool {
    let Some(held) = held else { return false };
    let moved = |record: &Record| matches!(record.body, Body::Withdrawal { moved_to: Some(_) });
    match &record.body {
        Body::Redaction { .. } => true,
        Body::Publication { .. } | Body::Withdrawal { .. } => {
            let came_back = moved(held) && record.generation == held.generation + 1;
            record.generation > held.generation && !moved(record) && !came_back
        }
        Body::Checkpoint(_) | Body::Draft(_) | Body::Answer(_) => false,
    }
}

/// Adds to `batch` what erases everything of lower generations of an entry in a feed, and notes that its traces are to go.
/// The caller adds what stays, afterwards; its rows are of this `origin`.
pub(crate) fn erase(
    store: &Store,
    batch: &mut Batch,
    origin: Origin,
    feed: &FeedId,
    entry: EntryId,
    generation: u32,
) -> Result<(), NodeError> {
    let collection = feed.collection;
    batch.delete_range(Range::EntryDocuments(Side::Published, collection, entry));
    batch.delete(Key::Projection { side: Side::Published, collection, entry });
    noticing::forget(batch, feed, &entry);
    agreements::forget(batch, feed, &entry);
    letters::forget(batch, feed, &entry);
    contacts::forget(batch, feed, &entry);
    for (key, bytes) in store.scan(&Range::SetAside(*feed), None, usize::MAX)? {
        let voided = SignedRecord::from_bytes(&bytes)
            .is_ok_and(|signed| signed.record().entry == Some(entry) && signed.record().generation < generation);
        if voided {
            given_back::forget(batch, key);
        }
    }
    past::forget(store, batch, feed, &entry)?;
    batch.put(Key::Tombstone { collection, entry }, generation.to_be_bytes());
    note_due(batch, feed, entry, generation);
    batch.origin(origin);
    Ok(())
}

/// Adds to `batch` what erases the working side of an entry of our own, everywhere and whatever its generation.
pub(crate) fn erase_working(batch: &mut Batch, collections: &[CollectionId], entry: EntryId) {
    for collection in collections {
        batch.delete_range(Range::EntryDocuments(Side::Working, *collection, entry));
        batch.delete(Key::Projection { side: Side::Working, collection: *collection, entry });
    }
    batch.delete(Key::ImportSource(entry));
    batch.delete(carrying::key(&entry));
}

/// Notes that traces are to go, also where nothing was ever published. The note is our own, whoever's entry it is about: a
/// database that is rebuilt from the own log must know it. So is what the caller adds after it, unless it says otherwise.
pub(crate) fn note_due(batch: &mut Batch, feed: &FeedId, entry: EntryId, generation: u32) {
    batch.origin(Origin::Own);
    let key = [&feed.organisation.0[..], &feed.collection.0, &entry.0].concat();
    batch.put(Key::Custom { table: DUE.into(), key }, rows::encode(&Due { feed: *feed, entry, generation }));
}

/// The generation up to which an entry was redacted in a collection, if it ever was.
pub(crate) fn redacted(store: &Store, collection: CollectionId, entry: EntryId) -> Result<Option<u32>, NodeError> {
    let bytes = store.get(&Key::Tombstone { collection, entry })?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes))
}

fn due(store: &Store) -> Result<Vec<(Key, Due)>, NodeError> {
    let rows = store.scan(&Range::Custom(DUE.into()), None, usize::MAX)?;
    rows.into_iter().map(|(key, bytes)| Ok((key, rows::decode("an erasure", &bytes)?))).collect()
}

/// Removes the traces of everything erased so far; returns when they are gone. `at_once` leaves the pause out: a person
/// asked. Blocks for as long as rewriting the store takes.
pub(crate) fn purge(shared: &Shared, at_once: bool) -> Result<(), NodeError> {
    let mut last = lock(&shared.purging.running);
    let mut rows = due(&shared.store)?;
    if rows.is_empty() {
        return Ok(());
    }
    if let (Some((ended, took)), false) = (*last, at_once) {
        let pause = (took * PAUSE_FACTOR).min(PAUSE_MAX).saturating_sub(ended.elapsed());
        if !shared.purging.pause(pause) {
            return Err(stopping());
        }
        rows = due(&shared.store)?;
    }
    let started = Instant::now();
    shared.search.purge(rows.iter().map(|(_, due)| (due.feed, due.entry)).collect())?;
    shared.store.purge()?;
    let mut batch = Batch::new(Origin::Own);
    for (key, _) in &rows {
        batch.delete(key.clone());
    }
    shared.store.commit(batch)?;
    let took = started.elapsed();
    *last = Some((Instant::now(), took));
    tracing::info!(
        entries = rows.len(),
        milliseconds = took.as_millis() as u64,
        "nothing of what was redacted is left"
    );
    Ok(())
}

/// As [`purge`], and tries again until it is done: nobody is told that a redaction is kept before its traces are gone.
/// False if the node stops before.
pub(crate) fn purge_surely(shared: &Shared) -> bool {
    loop {
        match purge(shared, false) {
            Ok(()) => return true,
            Err(_) if shared.is_stopping() => return false,
            Err(error) => alarms::note(
                shared,
                "redaction_unfinished",
                "purge",
                None,
                format!("what was redacted could not be removed from the disk yet: {error}; it is tried again"),
            ),
        }
        if !shared.purging.pause(AGAIN) {
            return false;
        }
    }
}

/// Finishes what a stop interrupted, before the node says anything to anybody. True if the search index has to be made
/// anew.
pub(crate) fn finish(store: &Store) -> Result<bool, NodeError> {
    let rows = due(store)?;
    if rows.is_empty() {
        return Ok(false);
    }
    if let Err(error) = store.purge() {
        tracing::error!(%error, "what was redacted could not be removed from the disk yet; it is tried again");
        return Ok(true);
    }
    let mut batch = Batch::new(Origin::Own);
    for (key, _) in rows {
        batch.delete(key);
    }
    store.commit(batch)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_model::{Hash, OrgId, Position};

    fn record(generation: u32, body: Body) -> Record {
        let organisation = OrgId([1; 32]);
        Record {
            feed: FeedId { organisation, collection: CollectionId([2; 16]) },
            entry: Some(EntryId([3; 16])),
            generation,
            position: Position { term: 1, epoch: 1, sequence: 1 },
            previous: None,
            list_serial: 0,
            at: 1,
            instance: 1,
            body,
            totals: None,
        }
    }

    #[test]
    fn a_new_generation_that_is_no_move_voids_what_was_before() {
        let publication = |generation| record(generation, Body::Publication { heads: vec![Hash([1; 32])] });
        let redaction = |generation| record(generation, Body::Redaction { heads: Vec::new() });
        let moved = |generation| record(generation, Body::Withdrawal { moved_to: Some(CollectionId([9; 16])) });
        let withdrawn = |generation| record(generation, Body::Withdrawal { moved_to: None });
        for (new, held, expected) in [
            (redaction(1), publication(0), true),
            (redaction(1), withdrawn(0), true),
            (publication(0), publication(0), false),
            (withdrawn(0), publication(0), false),
            // The redaction itself was never seen here.
            (publication(1), publication(0), true),
            (withdrawn(1), publication(0), true),
            (publication(2), withdrawn(1), true),
            // Moved away, and back.
            (moved(1), publication(0), false),
            (publication(2), moved(1), false),
            // Moved away, back, and redacted in between.
            (publication(3), moved(1), true),
        ] {
            assert_eq!(voids(&new, Some(&held)), expected, "{:?} after {:?}", new.body, held.body);
        }
        assert!(!voids(&redaction(1), None), "nothing was held");
    }
}
