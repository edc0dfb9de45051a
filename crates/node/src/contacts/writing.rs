//! Writing into our journals. A record is durable as soon as it is acknowledged, in a row of its own; once a minute what
//! came together is signed as a batch and published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use minicbor::{Decode, Encode};
use ortsnetz_model::dates;
use ortsnetz_model::{Entry, EntryId, Ids, OrgId};
use ortsnetz_service::journal::{self, BATCH_BYTES_MAX, BATCH_RECORDS_MAX, JOURNAL_BYTES_MAX, Record, Stream};
use ortsnetz_store::{Batch, Key, Origin, Range};
use serde_json::{Value, json};

use super::journals::{self, Book};
use crate::clock;
use crate::editing;
use crate::error::NodeError;
use crate::plan::Plan;
use crate::rows;
use crate::shared::{Shared, lock};
use crate::working::Working;

/// Table of records that are in no batch yet: key is reader, stream and id.
const PENDING: &str = "journal_pending";
/// Table of ids of contacts and calls recorded here: key is the id, the value says where the record is.
const RECORDED: &str = "journal_recorded";
/// Table of journals whose last batch may not be published yet: key is the entry.
const UNPUBLISHED: &str = "journal_unpublished";
/// How long a contact can be undone; so long it is in no batch.
pub const UNDO_MS: u64 = 120_000;
/// How often batches are made.
const EVERY: Duration = Duration::from_secs(60);
/// Rows read at once.
const ROWS: usize = 512;
/// Room in a batch for what stands around its records, in bytes.
const BATCH_FRAME_BYTES: usize = 512;

/// What this process writes.
#[derive(Default)]
pub(crate) struct Writing {
    /// Its chains. Whoever makes batches, publishes them or takes a record back holds the lock meanwhile.
    chains: Mutex<Chains>,
    /// When the last record was taken in.
    last: AtomicU64,
}

impl Writing {
    /// When a record is taken in, milliseconds since 1970: later than every one before, so that the last one can be undone.
    fn moment(&self, now: u64) -> u64 {
        let after = |last: u64| now.max(last + 1);
        let taken = self.last.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(after(last)));
        taken.map_or(now, after)
    }
}

type Chains = BTreeMap<(OrgId, Stream), Chain>;

struct Chain {
    name: String,
    number: u32,
    previous: Option<String>,
    open: Option<Open>,
}

/// The journal entry that takes the next batch.
#[derive(Clone)]
struct Open {
    day: String,
    part: u32,
    bytes: usize,
}

/// A record that is in no batch yet.
#[derive(Clone, Debug, Encode, Decode)]
struct PendingRow {
    /// When it was recorded, milliseconds since 1970.
    #[n(0)]
    at: u64,
    /// As JSON.
    #[cbor(n(1), with = "minicbor::bytes")]
    json: Vec<u8>,
}

/// Where a record of ours is.
#[derive(Clone, Debug, Encode, Decode)]
pub(super) struct RecordedRow {
    /// For whom.
    #[n(0)]
    pub reader: OrgId,
    /// The month it is about.
    #[n(1)]
    pub month: String,
}

fn stream_byte(stream: Stream) -> u8 {
    match stream {
        Stream::Contacts => b'c',
        Stream::Calls => b'k',
        Stream::Settlement => b's',
    }
}

fn pending_key(reader: &OrgId, stream: Stream, id: &[u8]) -> Key {
    let key = [reader.0.as_slice(), &[stream_byte(stream)], id].concat();
    Key::Custom { table: PENDING.into(), key }
}

fn recorded_key(id: &EntryId) -> Key {
    Key::Custom { table: RECORDED.into(), key: id.0.to_vec() }
}

/// Where the contact or call with this id is, if it was recorded here.
pub(super) fn recorded(shared: &Shared, id: &EntryId) -> Result<Option<RecordedRow>, NodeError> {
    shared.store.get(&recorded_key(id))?.map(|bytes| rows::decode("the row of a record", &bytes)).transpose()
}

/// Records things for a reader; durable when it returns. Contacts and calls that were recorded before are left out: the
/// answer is which were new.
pub(super) fn record(
    shared: &Shared,
    reader: &OrgId,
    stream: Stream,
    records: &[Record],
) -> Result<BTreeSet<String>, NodeError> {
    editing::require_editor(shared)?;
    let book = Book { writer: shared.own.organisation, reader: *reader };
    shared.own_collection(&book.collection_name())?;
    let ids: Vec<EntryId> = records.iter().filter_map(|record| record.id().parse().ok()).collect();
    let _locks = shared.locks.lock(&ids);
    let now = shared.boards.journals.moment(clock::now());
    let mut batch = Batch::new(Origin::Own);
    let mut new = BTreeSet::new();
    for record in records {
        record.check().map_err(|error| NodeError::Invalid(error.to_string()))?;
        let id: EntryId = record.id().parse()?;
        let counted = matches!(record, Record::Contact(_) | Record::Call(_));
        if new.contains(record.id()) || counted && recorded(shared, &id)?.is_some() {
            continue;
        }
        if counted {
            let month = record.month().map(|month| month.to_string()).unwrap_or_default();
            batch.put(recorded_key(&id), rows::encode(&RecordedRow { reader: *reader, month }));
        }
        // A record can always be written.
        let json = serde_json::to_vec(record).unwrap_or_default();
        batch.put(pending_key(reader, stream, &id.0), rows::encode(&PendingRow { at: now, json }));
        new.insert(record.id().to_owned());
    }
    if !batch.is_empty() {
        shared.commit(Plan::new(batch))?;
    }
    Ok(new)
}

/// Takes a contact back that is in no batch yet; `None` if it is, or is not here. Nothing of it stays.
pub(super) fn take_back(shared: &Shared, id: &EntryId) -> Result<Option<Record>, NodeError> {
    let _no_batch_is_made = lock(&shared.boards.journals.chains);
    let _locks = shared.locks.lock(&[*id]);
    let Some(row) = recorded(shared, id)? else { return Ok(None) };
    let key = pending_key(&row.reader, Stream::Contacts, &id.0);
    let Some(bytes) = shared.store.get(&key)? else { return Ok(None) };
    let pending: PendingRow = rows::decode("a record that waits", &bytes)?;
    if pending.at + UNDO_MS <= clock::now() {
        return Ok(None);
    }
    let mut batch = Batch::new(Origin::Own);
    batch.delete(key);
    batch.delete(recorded_key(id));
    shared.commit(Plan::new(batch))?;
    Ok(read_pending(&pending))
}

fn read_pending(row: &PendingRow) -> Option<Record> {
    Record::read(&serde_json::from_slice(&row.json).ok()?)
}

/// A record that waits for a batch.
struct Waiting {
    reader: OrgId,
    stream: Stream,
    /// When it was recorded.
    at: u64,
    /// Of its row.
    key: Key,
    record: Record,
}

/// What waits for a batch.
fn waiting(shared: &Shared) -> Result<Vec<Waiting>, NodeError> {
    let mut found = Vec::new();
    let mut after: Option<Key> = None;
    loop {
        let page = shared.store.scan(&Range::Custom(PENDING.into()), after.as_ref(), ROWS)?;
        let more = page.len() == ROWS;
        for (key, value) in page {
            after = Some(key.clone());
            let Key::Custom { key: bytes, .. } = &key else { continue };
            let reader = bytes.get(..32).and_then(OrgId::from_slice);
            let stream = [Stream::Contacts, Stream::Calls, Stream::Settlement]
                .into_iter()
                .find(|stream| bytes.get(32) == Some(&stream_byte(*stream)));
            let row: PendingRow = rows::decode("a record that waits", &value)?;
            if let (Some(reader), Some(stream), Some(record)) = (reader, stream, read_pending(&row)) {
                found.push(Waiting { reader, stream, at: row.at, key, record });
            }
        }
        if !more {
            return Ok(found);
        }
    }
}

/// Our records for a reader that are in no batch yet, with the time each was recorded.
pub(super) fn pending(shared: &Shared, reader: &OrgId, stream: Stream) -> Result<Vec<(u64, Record)>, NodeError> {
    let all = waiting(shared)?.into_iter().filter(|one| one.reader == *reader && one.stream == stream);
    Ok(all.map(|one| (one.at, one.record)).collect())
}

/// Makes batches of what waits and publishes them: of what can no longer be undone, or (`all`) of everything.
pub(super) fn flush(shared: &Shared, all: bool) -> Result<(), NodeError> {
    let mut chains = lock(&shared.boards.journals.chains);
    let now = clock::now();
    let mut groups: BTreeMap<(OrgId, Stream), Vec<Waiting>> = BTreeMap::new();
    for one in waiting(shared)? {
        let can_be_undone = matches!(one.record, Record::Contact(_)) && one.at + UNDO_MS > now;
        if all || !can_be_undone {
            groups.entry((one.reader, one.stream)).or_default().push(one);
        }
    }
    for ((reader, stream), mut records) in groups {
        records.sort_by(|one, other| (one.at, one.record.id()).cmp(&(other.at, other.record.id())));
        let book = Book { writer: shared.own.organisation, reader };
        if let Err(error) = shared.own_collection(&book.collection_name()) {
            // They stay where they are; the partnership may come back.
            tracing::warn!(%error, waiting = records.len(), "records of a journal wait");
            continue;
        }
        for (records, keys) in batches(records) {
            append(shared, &mut chains, &book, stream, records, keys)?;
        }
    }
    publish(shared)
}

/// Cuts records into batches of the allowed size.
fn batches(records: Vec<Waiting>) -> Vec<(Vec<Value>, Vec<Key>)> {
    let mut all: Vec<(Vec<Value>, Vec<Key>)> = Vec::new();
    let mut bytes = usize::MAX;
    for Waiting { key, record, .. } in records {
        let value = serde_json::to_value(&record).unwrap_or_default();
        let size = value.to_string().len() + 1;
        let full = all.last().is_none_or(|(records, _)| records.len() == BATCH_RECORDS_MAX);
        if full || bytes + size > BATCH_BYTES_MAX - BATCH_FRAME_BYTES {
            all.push((Vec::new(), Vec::new()));
            bytes = 0;
        }
        bytes += size;
        if let Some((records, keys)) = all.last_mut() {
            records.push(value);
            keys.push(key);
        }
    }
    all
}

/// Signs a batch and writes it into the journal of today; in the same step the rows of what waited go. Published is it later.
fn append(
    shared: &Shared,
    chains: &mut Chains,
    book: &Book,
    stream: Stream,
    records: Vec<Value>,
    waited: Vec<Key>,
) -> Result<(), NodeError> {
    let chain = chains.entry((book.reader, stream)).or_insert_with(|| Chain {
        name: data_encoding::HEXLOWER.encode(&clock::random::<8>()),
        number: 0,
        previous: None,
        open: None,
    });
    let batch = journal::Batch {
        format: journal::FORMAT,
        from: book.writer.to_string(),
        to: book.reader.to_string(),
        stream,
        chain: chain.name.clone(),
        number: chain.number + 1,
        previous: chain.previous.clone(),
        records,
    };
    let text = batch.text();
    if text.len() > BATCH_BYTES_MAX {
        return Err(NodeError::TooLarge(format!(
            "this has {} bytes, more than the {BATCH_BYTES_MAX} that one batch of a journal can have",
            text.len()
        )));
    }
    let sealed = journals::seal(&shared.own.key, &shared.own.node, &text);
    let today = dates::today(clock::now()).to_string();
    let open = match chain.open.clone() {
        Some(open) if open.day == today && open.bytes + sealed.len() <= JOURNAL_BYTES_MAX => open,
        Some(open) if open.day == today => Open { day: today, part: open.part + 1, bytes: 0 },
        _ => Open { day: today, part: 1, bytes: 0 },
    };
    let entry = write(shared, book, &batch, &open, &sealed, waited)?;
    tracing::debug!(%entry, stream = stream.word(), number = batch.number, "a batch was signed");
    chain.number = batch.number;
    chain.previous = Some(journal::Batch::hash(&text));
    chain.open = Some(Open { bytes: open.bytes + sealed.len(), ..open });
    Ok(())
}

fn write(
    shared: &Shared,
    book: &Book,
    batch: &journal::Batch,
    open: &Open,
    sealed: &str,
    waited: Vec<Key>,
) -> Result<EntryId, NodeError> {
    let home = shared.own_collection(&book.collection_name())?;
    let records = batch.records.iter().filter_map(Record::read);
    let mut months: BTreeSet<String> =
        records.filter_map(|record| record.month()).map(|month| month.to_string()).collect();
    let own = &shared.own.organisation;
    let name = format!("{}/{}/{}/{}/{}", book.reader, open.day, batch.stream.word(), batch.chain, open.part);
    let id = EntryId::imported(own, "ortsnetz", "journal", &name);
    let _locks = shared.locks.lock(&[id]);
    let (mut working, known) = match Working::load(&shared.store, id)? {
        Some(working) => {
            let known = working.joined(own);
            (working, known.as_map().clone())
        }
        None => (Working::create(id, home), serde_json::Map::new()),
    };
    let held = known.get("months").and_then(Value::as_array).into_iter().flatten();
    months.extend(held.filter_map(|month| month.as_str().map(str::to_owned)));
    let mut all = known.get("batches").and_then(Value::as_object).cloned().unwrap_or_default();
    all.insert(format!("{:08}", batch.number), json!(sealed));
    let entry = Entry::from_json(json!({
        "kind": "journal",
        "identifier": {"agency": "ortsnetz", "scheme": "journal", "value": name},
        "title": {"de": format!("Journal {} ({})", open.day, batch.stream.word())},
        "partner": book.reader.to_string(),
        "day": open.day,
        "stream": batch.stream.word(),
        "chain": batch.chain,
        "part": open.part,
        "months": months,
        "batches": all,
    }))?;
    let writer = shared.writer();
    let mut rng = rand::rng();
    working.set(&writer, &entry, &mut Ids::Random(&mut rng))?;
    let mut plan = working.plan(&writer, &shared.store, None)?;
    plan.batch.origin(Origin::Own);
    plan.batch.put(unpublished_key(&id), [1]);
    for key in waited {
        plan.batch.delete(key);
    }
    shared.commit(plan)?;
    Ok(id)
}

fn unpublished_key(id: &EntryId) -> Key {
    Key::Custom { table: UNPUBLISHED.into(), key: id.0.to_vec() }
}

/// Publishes every journal that has a batch nobody can read yet, or asks the publisher to. Nothing is added meanwhile.
fn publish(shared: &Shared) -> Result<(), NodeError> {
    let rows = shared.store.scan(&Range::Custom(UNPUBLISHED.into()), None, usize::MAX)?;
    let ids: Vec<EntryId> = rows
        .iter()
        .filter_map(|(key, _)| match key {
            Key::Custom { key, .. } => EntryId::from_slice(key),
            _ => None,
        })
        .collect();
    for id in ids {
        let published = editing::publish(shared, Some(vec![id.to_string()]))?;
        if let Some(refusal) = published.refused.first() {
            tracing::warn!(%id, reason = refusal.reason, "a journal could not be published yet");
            continue;
        }
        let mut batch = Batch::new(Origin::Own);
        batch.delete(unpublished_key(&id));
        shared.store.commit(batch)?;
    }
    Ok(())
}

/// Records something that must be read by the other side at once.
pub(super) fn record_now(shared: &Shared, reader: &OrgId, stream: Stream, records: &[Record]) -> Result<(), NodeError> {
    record(shared, reader, stream, records)?;
    flush(shared, false)
}

/// Makes batches while the node runs.
pub(crate) async fn watch(shared: Arc<Shared>) {
    while !shared.is_stopping() {
        let flushing = shared.clone();
        let flushed = tokio::task::spawn_blocking(move || flush(&flushing, false)).await;
        if let Ok(Err(error)) = flushed
            && !shared.is_stopping()
        {
            tracing::warn!(%error, "records could not be signed and published yet; it is tried again");
        }
        tokio::time::sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_records_are_taken_in_at_the_same_moment() {
        let writing = Writing::default();
        // The clock stands, goes on, and goes back.
        let moments = [5, 5, 5, 9, 3].map(|now| writing.moment(now));
        assert_eq!(moments, [5, 6, 7, 9, 10]);
    }
}
