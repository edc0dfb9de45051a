//! Writing what the engine accepted, and reading what it serves.

use std::collections::HashMap;
use std::sync::Arc;

use ortsnetz_model::{DocumentId, EntryId, FeedId, NodeId, Position};
use ortsnetz_store::{Batch, Key, Origin, Range, Side};
use ortsnetz_sync::{Event, Item, OpId, Query, StoreBatch};
use ortsnetz_trust::record::{Body, Record, SignedRecord};

use crate::accepting::{Outcome, OutcomeContent};
use crate::agreements;
use crate::aside;
use crate::boards::Brought;
use crate::clock;
use crate::contacts;
use crate::documents;
use crate::drafts;
use crate::driver::Input;
use crate::given_back;
use crate::letters;
use crate::marks::Written;
use crate::noticing;
use crate::past;
use crate::purging;
use crate::redacting;
use crate::rows::{self, ProjectionRow};
use crate::shared::Shared;

/// Table of feeds that stand because of an equivocation: key is the feed, value the position.
pub(crate) const FROZEN: &str = "frozen";

/// Writes an accepted batch, whole or not at all, and answers the engine when it is durable.
pub(crate) fn store(
    shared: &Arc<Shared>,
    op: OpId,
    node: Option<NodeId>,
    batch: StoreBatch,
    outcomes: Vec<Option<Outcome>>,
) {
    let shared = shared.clone();
    let own = batch.feed.is_some_and(|feed| feed.organisation == shared.own.organisation);
    let write = move || {
        let locks_on: Vec<EntryId> = if own {
            let received = outcomes.iter().flatten().filter_map(|outcome| touched(outcome.record.record()));
            received.chain(batch.set_aside.iter().map(|(entry, _)| *entry)).collect()
        } else {
            Vec::new()
        };
        let guards = shared.locks.lock(&locks_on);
        let wanted = batch.keep.iter().filter_map(|index| outcomes.get(*index)?.as_ref());
        let held = batch.feed.map_or_else(|| Ok(Held::default()), |feed| held(&shared, &feed, wanted.clone()));
        let voiding: Vec<EntryId> = match &held {
            Ok(held) => {
                let voids = |outcome: &&Outcome| {
                    held.voided_by(outcome) || own && redacting::begins_anew(&shared, outcome.record.record())
                };
                wanted.filter(voids).filter_map(|outcome| outcome.record.record().entry).collect()
            }
            Err(_) => Vec::new(),
        };
        let mut drafts_to_void = Vec::new();
        let rows = held.and_then(|held| rows_of(&shared, node, &batch, outcomes, own, &held, &mut drafts_to_void));
        let result = match rows {
            Ok(rows) if guards.is_empty() && voiding.is_empty() => {
                let (driver, board, brought) = (shared.driver.clone(), shared.boards.clone(), Brought::by(&rows));
                shared.store.submit(rows, move |result| {
                    match &result {
                        Ok(_) => board.take(brought),
                        Err(error) => tracing::error!(%error, "received records could not be stored"),
                    }
                    let _ = driver.send(Input::Answer(Event::Stored { op, ok: result.is_ok() }));
                });
                return;
            }
            Ok(rows) => {
                let (written, brought) = (Written::by(&rows), Brought::by(&rows));
                let stored = shared.store.commit(rows).map_err(|error| error.to_string());
                stored.map(|_| {
                    shared.marks.note(written);
                    shared.boards.take(brought);
                })
            }
            Err(error) => Err(error.to_string()),
        };
        drop(guards);
        if let Err(error) = &result {
            tracing::error!(%error, "received records could not be stored");
        }
        if result.is_ok() && !voiding.is_empty() {
            return purge_and_answer(shared, op, drafts_to_void);
        }
        let _ = shared.driver.send(Input::Answer(Event::Stored { op, ok: result.is_ok() }));
    };
    if own {
        // It may wait for the locks of entries, whose holders wait for commits, which the pool makes: off the pool.
        tokio::task::spawn_blocking(write);
    } else {
        rayon::spawn(write);
    }
}

/// What is stored of the entries of a batch before it is written.
#[derive(Default)]
struct Held(HashMap<EntryId, (ortsnetz_store::Record, Option<SignedRecord>)>);

impl Held {
    fn row(&self, entry: &EntryId) -> Option<&ortsnetz_store::Record> {
        self.0.get(entry).map(|(row, _)| row)
    }

    /// Whether the record voids what is held of its entry.
    fn voided_by(&self, outcome: &Outcome) -> bool {
        let record = outcome.record.record();
        let held = record.entry.and_then(|entry| self.0.get(&entry)?.1.as_ref());
        purging::voids(record, held.map(SignedRecord::record))
    }
}

fn held<'a>(
    shared: &Shared,
    feed: &FeedId,
    outcomes: impl Iterator<Item = &'a Outcome>,
) -> Result<Held, crate::error::NodeError> {
    let mut held = Held::default();
    for entry in outcomes.filter_map(|outcome| outcome.record.record().entry) {
        if let Some(row) = shared.store.record(feed, &entry)? {
            let record = SignedRecord::from_bytes(&row.bytes).ok();
            held.0.insert(entry, (row, record));
        }
    }
    Ok(held)
}

/// The rows are deleted; the answer, which lets the sender know, comes when no file holds them any more. A thread of its
/// own: that takes as long as rewriting the store.
fn purge_and_answer(shared: Arc<Shared>, op: OpId, drafts_to_void: Vec<(EntryId, u32)>) {
    let purge = move || {
        let ok = purging::purge_surely(&shared);
        let _ = shared.driver.send(Input::Answer(Event::Stored { op, ok }));
        for (entry, generation) in drafts_to_void {
            if let Err(error) = redacting::void_draft(&shared, entry, generation) {
                tracing::error!(%error, %entry, "the draft of a redacted entry could not be taken back");
            }
        }
    };
    // Without a thread nothing is answered, and the sender sends it again when it comes back.
    let _ = std::thread::Builder::new().name("purge".into()).spawn(purge);
}

/// The entry whose row a record of our own changes: of an answer, the one it is about, not its key in the feed.
fn touched(record: &Record) -> Option<EntryId> {
    match &record.body {
        Body::Answer(answer) => Some(answer.entry),
        _ => record.entry,
    }
}

fn rows_of(
    shared: &Shared,
    node: Option<NodeId>,
    wanted: &StoreBatch,
    mut outcomes: Vec<Option<Outcome>>,
    own: bool,
    held: &Held,
    drafts_to_void: &mut Vec<(EntryId, u32)>,
) -> Result<Batch, crate::error::NodeError> {
    let origin = if own { Origin::Own } else { Origin::Foreign };
    let mut batch = Batch::new(origin);
    let now = clock::now();
    let Some(feed) = wanted.feed else { return Ok(batch) };
    for record in &wanted.set_aside {
        let mut kept = wanted.keep.iter().filter_map(|index| outcomes.get(*index)?.as_ref());
        let replaced = kept.any(|outcome| outcome.record.record().entry == Some(record.0));
        aside::set_aside(shared, &mut batch, &feed, *record, replaced, now)?;
    }
    for (entry, position) in &wanted.settled {
        for (key, bytes) in shared.store.scan(&Range::SetAside(feed), None, 10_000)? {
            let same = matches!(&key, Key::SetAside { position: at, .. } if at == position)
                && SignedRecord::from_bytes(&bytes).is_ok_and(|record| record.record().entry == Some(*entry));
            if same {
                given_back::forget(&mut batch, key);
            }
        }
    }
    for index in &wanted.aside {
        if let Some(outcome) = outcomes.get(*index).and_then(Option::as_ref) {
            let bytes = outcome.record.to_bytes();
            let hash = ortsnetz_model::Hash::of(&bytes);
            batch.put(Key::SetAside { feed, position: outcome.record.record().position, hash }, bytes);
        }
    }
    if let Some(evidence) = &wanted.evidence {
        let bytes = rows::encode(evidence);
        let key = Key::SetAside { feed, position: evidence.position(), hash: ortsnetz_model::Hash::of(&bytes) };
        batch.put(key, bytes);
    }
    let mut draft_outcomes = Vec::new();
    for index in &wanted.keep {
        let Some(outcome) = outcomes.get_mut(*index).and_then(Option::take) else { continue };
        if let (true, Some(entry)) = (own, outcome.record.record().entry)
            && outcome.record.record().position.term > 0
            && !held.voided_by(&outcome)
        {
            past::keep_replaced(&shared.store, &mut batch, &feed, &entry)?;
        }
        keep(shared, &mut batch, &feed, node, now, held, &outcome)?;
        if own {
            draft_outcomes.push(outcome);
        }
    }
    if own {
        drafts_to_void.extend(drafts::take_in(shared, &mut batch, &feed, draft_outcomes, now)?);
    }
    if let Some(cursor) = &wanted.cursor {
        batch.put_cursor(feed, &rows::encode(cursor));
    }
    match &wanted.frozen {
        Some(Some(position)) => {
            batch.put(Key::Custom { table: FROZEN.into(), key: rows::encode(&feed) }, rows::encode(position));
        }
        Some(None) => {
            batch.delete(Key::Custom { table: FROZEN.into(), key: rows::encode(&feed) });
        }
        None => {}
    }
    Ok(batch)
}

/// Writes what a partner answered of a feed that is not replicated, whole or not at all. Returns the entries that were not here, or
/// not in this state. Blocks.
pub(crate) fn borrow(
    shared: &Shared,
    feed: &FeedId,
    node: NodeId,
    outcomes: Vec<Outcome>,
) -> Result<Vec<EntryId>, crate::error::NodeError> {
    let held = held(shared, feed, outcomes.iter())?;
    let mut batch = Batch::new(Origin::Foreign);
    let mut fresh = Vec::new();
    for outcome in &outcomes {
        let Some(entry) = outcome.record.record().entry else { continue };
        if held.row(&entry).is_none_or(|row| row.bytes != outcome.record.to_bytes()) {
            keep(shared, &mut batch, feed, Some(node), clock::now(), &held, outcome)?;
            fresh.push(entry);
        }
    }
    if !batch.is_empty() {
        let brought = Brought::by(&batch);
        shared.store.commit(batch)?;
        shared.boards.take(brought);
        crate::shared::write(&shared.feeds).insert(*feed);
    }
    Ok(fresh)
}

fn keep(
    shared: &Shared,
    batch: &mut Batch,
    feed: &FeedId,
    node: Option<NodeId>,
    now: u64,
    held: &Held,
    outcome: &Outcome,
) -> Result<(), crate::error::NodeError> {
    let record = outcome.record.record();
    let bytes = outcome.record.to_bytes();
    if let Some(entry) = record.entry
        && held.voided_by(outcome)
    {
        let own = feed.organisation == shared.own.organisation;
        let origin = if own { Origin::Own } else { Origin::Foreign };
        purging::erase(&shared.store, batch, origin, feed, entry, record.generation)?;
    }
    if let (Body::Redaction { .. }, Some(entry)) = (&record.body, record.entry) {
        // Also where nothing was held: what is imported later is not to bring it.
        let key = Key::Tombstone { collection: feed.collection, entry };
        batch.put(key, record.generation.to_be_bytes());
    }
    let Some(entry) = record.entry else {
        // Only the newest checkpoint counts.
        batch.delete_range(Range::Markers(*feed));
        batch.put_marker(*feed, record.position, &bytes);
        return Ok(());
    };
    match &outcome.content {
        OutcomeContent::Published { document, chunks, whole, instead, json } => {
            let older = held.row(&entry);
            if let Some(row) = older.filter(|row| row.document && row.generation != document.generation) {
                batch.delete_document(Side::Published, DocumentId { generation: row.generation, ..*document });
            }
            if *instead || *whole && older.is_none_or(|row| row.generation != document.generation) {
                // What may lie there without a record of this generation does not count.
                batch.replace_chunks(Side::Published, *document, chunks.clone());
            } else {
                batch.append_chunks(Side::Published, *document, chunks.clone());
            }
            let row = ProjectionRow { at: now, from: node, json: json.clone() };
            batch.put_projection(Side::Published, feed.collection, entry, rows::encode(&row));
            noticing::put(batch, feed, &entry, json);
            agreements::put(batch, feed, &entry, json);
            letters::put(batch, feed, &entry, json);
            contacts::put(batch, feed, &entry, json);
            batch.put_record(*feed, entry, record.position, record.generation, true, &bytes);
        }
        OutcomeContent::Bare => {
            if matches!(record.body, Body::Withdrawal { .. }) {
                batch.delete_range(Range::EntryDocuments(Side::Published, feed.collection, entry));
                batch.delete(Key::Projection { side: Side::Published, collection: feed.collection, entry });
                noticing::forget(batch, feed, &entry);
                agreements::forget(batch, feed, &entry);
                letters::forget(batch, feed, &entry);
                contacts::forget(batch, feed, &entry);
            }
            batch.put_record(*feed, entry, record.position, record.generation, false, &bytes);
        }
        OutcomeContent::Draft { .. } => {
            batch.put_record(*feed, entry, record.position, record.generation, false, &bytes);
        }
    }
    Ok(())
}

/// Reads what the engine wants to send, and answers it. Blocks.
pub(crate) fn load(shared: &Shared, op: OpId, feed: FeedId, query: &Query) {
    let items = match query {
        Query::Records { entries, .. } => {
            use rayon::prelude::*;
            entries.par_iter().map(|entry| item(shared, &feed, *entry, &[])).collect()
        }
        Query::Difference { entry, have } => vec![item(shared, &feed, Some(*entry), have)],
        Query::Aside { records } => {
            records.iter().map(|(entry, position)| kept_aside(shared, &feed, *entry, *position)).collect()
        }
    };
    let _ = shared.driver.send(Input::Answer(Event::Loaded { op, items }));
}

fn item(shared: &Shared, feed: &FeedId, entry: Option<EntryId>, have: &[ortsnetz_model::Hash]) -> Option<Item> {
    let Some(entry) = entry else {
        let (_, bytes) = shared.store.markers(feed).ok()?.pop()?;
        return Some(Item { record: bytes.into(), chunks: Vec::new() });
    };
    let (row, stored) = shared.store.record_with_document(feed, &entry).ok()??;
    let record = SignedRecord::from_bytes(&row.bytes).ok()?;
    let row_bytes = row.bytes;
    let chunks = match &record.record().body {
        Body::Publication { .. } | Body::Redaction { .. } if have.is_empty() => stored.chunks,
        Body::Publication { .. } | Body::Redaction { .. } if record.record().heads().is_some() => {
            let document = documents::from_stored(stored).ok()??;
            document.changes_since(have).into_iter().map(|chunk| chunk.into_bytes()).collect()
        }
        Body::Draft(draft) => {
            let mut chunks = Vec::new();
            for part in &draft.documents {
                let id = DocumentId { collection: part.collection, entry, generation: part.generation };
                let Some(document) = documents::load(&shared.store, Side::Working, &id).ok()? else {
                    let row = rows::own_entry(&shared.store, &entry).ok()??;
                    // Redacted or moved since: the record alone goes on.
                    return (part.generation < row.generation)
                        .then(|| Item { record: row_bytes.into(), chunks: Vec::new() });
                };
                let newer: Vec<Vec<u8>> =
                    document.changes_since(have).into_iter().map(|chunk| chunk.into_bytes()).collect();
                chunks.extend(ortsnetz_trust::accept::part_of(&part.heads, &newer).ok()?);
            }
            chunks
        }
        _ => Vec::new(),
    };
    Some(Item { record: row_bytes.into(), chunks })
}

/// A record kept beside, with its changes as far as they are still here.
fn kept_aside(shared: &Shared, feed: &FeedId, entry: EntryId, position: Position) -> Option<Item> {
    let rows = shared.store.scan(&Range::SetAside(*feed), None, 10_000).ok()?;
    rows.into_iter().find_map(|(key, bytes)| match key {
        Key::SetAside { position: at, .. } if at == position => {
            let record = SignedRecord::from_bytes(&bytes).ok()?;
            (record.record().entry == Some(entry))
                .then(|| Item { chunks: given_back::kept_changes(&shared.store, &bytes), record: bytes.into() })
        }
        _ => None,
    })
}
