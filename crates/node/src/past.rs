//! What was said before: the owner keeps the records that newer ones replaced, so that `show --on` and `history` can
//! answer from signatures. A record holds no content: about 250 bytes each.

use ortsnetz_model::dates::{self, Date};
use ortsnetz_model::{Document, DocumentId, Entry, EntryId, FeedId};
use ortsnetz_store::{Batch, Key, Range, Side, Store};
use ortsnetz_trust::record::{Body, SignedRecord};

use crate::catalog::{self, Held};
use crate::clock::{self, rfc3339};
use crate::documents;
use crate::dto::{EntryMeta, Shown, ToldInfo};
use crate::editing::not_found;
use crate::error::NodeError;
use crate::reading::texts;
use crate::rows::ProjectionRow;
use crate::shared::Shared;
use crate::working;

/// Table of replaced records of our own: key is collection, entry and position.
const PAST: &str = "past";
/// Rows read at once.
const ROWS: usize = 64;

/// How it is known what was said on a day.
const PRESENT: &str = "present";
const PLANNED: &str = "planned";
const RECORDS: &str = "records";
const CHANGES: &str = "changes";

/// Keeps the record of this entry that is about to be replaced.
pub(crate) fn keep_replaced(store: &Store, batch: &mut Batch, feed: &FeedId, entry: &EntryId) -> Result<(), NodeError> {
    let Some(row) = store.record(feed, entry)? else { return Ok(()) };
    let mut key = prefix(feed, entry);
    key.extend(row.position.term.to_be_bytes());
    key.extend(row.position.epoch.to_be_bytes());
    key.extend(row.position.sequence.to_be_bytes());
    batch.put(Key::Custom { table: PAST.into(), key }, row.bytes);
    Ok(())
}

fn prefix(feed: &FeedId, entry: &EntryId) -> Vec<u8> {
    [feed.collection.0, entry.0].concat()
}

/// Keys and bytes of the replaced records of an entry in an own feed, oldest first.
fn replaced(store: &Store, feed: &FeedId, entry: &EntryId) -> Result<Vec<(Key, Vec<u8>)>, NodeError> {
    let prefix = prefix(feed, entry);
    let mut after = Key::Custom { table: PAST.into(), key: prefix.clone() };
    let mut found = Vec::new();
    loop {
        let rows = store.scan(&Range::Custom(PAST.into()), Some(&after), ROWS)?;
        let full = rows.len() == ROWS;
        for (key, bytes) in rows {
            if !matches!(&key, Key::Custom { key, .. } if key.starts_with(&prefix)) {
                return Ok(found);
            }
            after = key.clone();
            found.push((key, bytes));
        }
        if !full {
            return Ok(found);
        }
    }
}

/// Forgets the replaced records of an entry: after a redaction nothing is to be known of what it said.
pub(crate) fn forget(store: &Store, batch: &mut Batch, feed: &FeedId, entry: &EntryId) -> Result<(), NodeError> {
    for (key, _) in replaced(store, feed, entry)? {
        batch.delete(key);
    }
    Ok(())
}

/// All records known of an entry in a feed, oldest first; of other organisations only the newest.
pub(crate) fn records(shared: &Shared, feed: &FeedId, entry: &EntryId) -> Result<Vec<SignedRecord>, NodeError> {
    let mut all: Vec<SignedRecord> = Vec::new();
    if feed.organisation == shared.own.organisation {
        for (_, bytes) in replaced(&shared.store, feed, entry)? {
            all.extend(SignedRecord::from_bytes(&bytes).ok());
        }
    }
    if let Some(row) = shared.store.record(feed, entry)? {
        let record = SignedRecord::from_bytes(&row.bytes);
        all.push(record.map_err(|error| catalog::damaged_record(feed, entry, &error.to_string()))?);
    }
    Ok(all)
}

/// What was published at the end of a day in Europe/Berlin.
pub(crate) fn told(shared: &Shared, id: &EntryId, date: Date) -> Result<Shown, NodeError> {
    let end = dates::end_of(date);
    let held = catalog::find(shared, id)?.ok_or_else(|| not_found(id))?;
    if held.record.record().at < end {
        let known = match end > clock::now() {
            true if date > dates::today(clock::now()) => PLANNED,
            true => PRESENT,
            false => RECORDS,
        };
        let mut shown = crate::reading::show_held(shared, id, &held, None, None)?;
        shown.meta.told = Some(ToldInfo { on: date.to_string(), known_by: known.into() });
        return Ok(shown);
    }
    if held.feed.organisation == shared.own.organisation
        && let Some(shown) = by_records(shared, id, date, end)?
    {
        return Ok(shown);
    }
    by_changes(shared, id, &held, date, end)
}

/// By the owner's records: `None` if the first one known is younger.
fn by_records(shared: &Shared, id: &EntryId, date: Date, end: u64) -> Result<Option<Shown>, NodeError> {
    let mut home: Option<(FeedId, SignedRecord, Option<Entry>)> = None;
    let mut companions = Vec::new();
    for feed in catalog::feeds_of(shared, &shared.own.organisation) {
        if catalog::is_draft_feed(shared, &feed) {
            continue;
        }
        let before = records(shared, &feed, id)?.into_iter().rev().find(|record| record.record().at < end);
        let Some(record) = before else { continue };
        let entry = content(shared, id, &record)?;
        if let Some(entry) = &entry {
            let row = ProjectionRow { at: 0, from: None, json: working::json(entry) };
            if catalog::is_companion(shared, &feed, &row) {
                companions.push((shared.collection_name(&feed), entry.clone()));
                continue;
            }
        }
        // What was live wins over what was withdrawn by then (it had moved), then the newer one.
        let rank = |entry: &Option<Entry>, record: &SignedRecord| (entry.is_some(), record.record().at);
        if home.as_ref().is_none_or(|(_, held, known)| rank(&entry, &record) > rank(known, held)) {
            home = Some((feed, record, entry));
        }
    }
    let Some((feed, record, entry)) = home else { return Ok(None) };
    let mut shown = entry.clone().unwrap_or_default();
    shown.set_id(id);
    if entry.is_some() {
        for (name, companion) in &companions {
            shown.join_companion(name, companion);
        }
    }
    let state = if entry.is_some() { "published" } else { "withdrawn" };
    Ok(Some(answer(shared, &feed, &record, &shown, state, date, RECORDS)))
}

/// What a record of ours says; `None` if that the entry is not there.
fn content(shared: &Shared, id: &EntryId, record: &SignedRecord) -> Result<Option<Entry>, NodeError> {
    let content = record.record();
    let Some(heads) = content.heads() else { return Ok(None) };
    let document = DocumentId { collection: content.feed.collection, entry: *id, generation: content.generation };
    let document = documents::load(&shared.store, Side::Published, &document)?.filter(|held| held.contains(heads));
    let document = document.ok_or_else(|| {
        NodeError::NotFound(format!(
            "what entry {id} said on {} is not kept here any more: it was redacted, or replaced by another node",
            rfc3339(content.at)
        ))
    })?;
    Ok(Some(document.project_at(heads)?))
}

/// By the changes of the published document: all that a reader has. Their times are the publisher's.
fn by_changes(shared: &Shared, id: &EntryId, held: &Held, date: Date, end: u64) -> Result<Shown, NodeError> {
    let record = held.record.record();
    if held.home.is_none() {
        return Err(NodeError::NotFound(format!(
            "entry {id} was withdrawn on {}; what it said before is known to its owner only",
            rfc3339(record.at)
        )));
    }
    let document = DocumentId { collection: held.feed.collection, entry: *id, generation: record.generation };
    let document: Document =
        documents::load(&shared.store, Side::Published, &document)?.ok_or_else(|| not_found(id))?;
    let history = document.history();
    let Some(step) = history.iter().rev().find(|step| step.at < end) else {
        let first = history.first().map_or(record.at, |step| step.at);
        return Err(NodeError::NotFound(format!(
            "entry {id} was not published yet on {date}, as far as is known here: its history begins on {}",
            rfc3339(first)
        )));
    };
    let mut entry = document.project_at(&step.heads)?;
    entry.set_id(id);
    let mut shown = answer(shared, &held.feed, &held.record, &entry, "published", date, CHANGES);
    shown.meta.heads = texts(&step.heads);
    shown.meta.published_at = Some(rfc3339(step.at));
    shown.meta.position = None;
    Ok(shown)
}

fn answer(
    shared: &Shared,
    feed: &FeedId,
    record: &SignedRecord,
    entry: &Entry,
    state: &str,
    date: Date,
    known_by: &str,
) -> Shown {
    let content = record.record();
    Shown {
        entry: entry.as_map().clone(),
        meta: EntryMeta {
            organisation: shared.organisation_info(&feed.organisation),
            collection: shared.collection_name(feed),
            public: shared.is_public(feed),
            state: state.into(),
            request: "none".into(),
            heads: texts(content.heads().unwrap_or_default()),
            published_at: Some(rfc3339(content.at)),
            verified: true,
            position: Some(content.position.to_string()),
            told: Some(ToldInfo { on: date.to_string(), known_by: known_by.into() }),
            ..EntryMeta::default()
        },
        reports: Vec::new(),
    }
}

/// What a record did, as a word for `history`; `None` for a publication that has a change of its own.
pub(crate) fn deed(record: &SignedRecord, before: Option<&SignedRecord>) -> Option<&'static str> {
    match &record.record().body {
        Body::Withdrawal { moved_to: Some(_) } => Some("moved"),
        Body::Withdrawal { moved_to: None } => Some("withdrawn"),
        Body::Redaction { .. } => Some("redacted"),
        Body::Publication { heads } if before.and_then(|before| before.record().heads()) == Some(heads) => {
            Some("reviewed")
        }
        Body::Publication { .. } | Body::Checkpoint(_) | Body::Draft(_) | Body::Answer(_) => None,
    }
}
