//! What other own nodes write: their drafts merge into the working documents here, their requests are answered by the
//! publisher, and publications of the publisher are noted.

use std::collections::BTreeMap;
use std::sync::Arc;

use ortsnetz_model::{Chunk, CollectionId, Document, EntryId, FeedId, Hash, NodeId};
use ortsnetz_store::{Batch, Origin, Side};
use ortsnetz_trust::record::{Answer, Body, Outcome as RequestOutcome, SignedRecord};

use crate::accepting::{Outcome, OutcomeContent, home_of};
use crate::carrying;
use crate::dto::EventInfo;
use crate::error::NodeError;
use crate::letters;
use crate::plan::{Plan, PlannedItem};
use crate::publishing::{self, Version};
use crate::purging;
use crate::redacting;
use crate::rows::{self, OwnEntry, Published, Request};
use crate::shared::Shared;
use crate::working::{Working, json, put_projection};

/// Why a request is refused that was written before its writer knew of a withdrawal.
const WITHDRAWN_MEANWHILE: &str =
    "the entry was withdrawn meanwhile; the draft is kept, publish it again if readers should have it";

/// The same where it was redacted.
const REDACTED_MEANWHILE: &str =
    "the entry was redacted meanwhile, and the draft with it; if readers should have the change, write it again";

/// Adds to `batch` what received records of our own organisation change in the working state. The caller holds the locks
/// of the entries. Returns the entries whose draft of this node was redacted elsewhere, with their generation.
pub(crate) fn take_in(
    shared: &Shared,
    batch: &mut Batch,
    feed: &FeedId,
    outcomes: Vec<Outcome>,
    now: u64,
) -> Result<Vec<(EntryId, u32)>, NodeError> {
    let mut to_void = Vec::new();
    for outcome in outcomes {
        let Some(entry) = outcome.record.record().entry else { continue };
        let held = shared.store.record(feed, &entry)?.and_then(|row| SignedRecord::from_bytes(&row.bytes).ok());
        let generation = outcome.record.record().generation;
        let voids = purging::voids(outcome.record.record(), held.as_ref().map(SignedRecord::record));
        let begins_anew = redacting::begins_anew(shared, outcome.record.record());
        if begins_anew && let Some(row) = rows::own_entry(&shared.store, &entry)? {
            purging::note_due(batch, &FeedId { collection: row.home, ..*feed }, entry, generation);
        }
        if (voids || begins_anew) && redacting::learned(shared, batch, entry, generation)? {
            to_void.push((entry, generation));
        }
        match (&outcome.content, &outcome.record.record().body) {
            (OutcomeContent::Draft { changes }, Body::Draft(_)) => {
                let mut by_document = BTreeMap::new();
                let current = rows::own_entry(&shared.store, &entry)?.map_or(0, |row| row.generation);
                for (document, chunks) in changes.iter().filter(|(document, _)| document.generation >= current) {
                    batch.append_chunks(Side::Working, *document, chunks.clone());
                    by_document.insert((document.collection, document.generation), chunks.clone());
                }
                merge(shared, batch, entry, by_document, now)?;
            }
            (OutcomeContent::Published { .. }, _) => {
                noted(shared, batch, entry, feed, Published::Live, &outcome, voids)?;
            }
            // In a draft feed a withdrawal only says that nobody is to wait for the draft.
            (OutcomeContent::Bare, Body::Withdrawal { .. } | Body::Redaction { .. })
                if outcome.record.record().position.term > 0 =>
            {
                noted(shared, batch, entry, feed, Published::Withdrawn, &outcome, voids)?;
            }
            (OutcomeContent::Bare, Body::Answer(answer)) => answered(shared, batch, answer)?,
            _ => {}
        }
    }
    Ok(to_void)
}

type Changes = BTreeMap<(CollectionId, u32), Vec<Vec<u8>>>;

fn merge(shared: &Shared, batch: &mut Batch, entry: EntryId, changes: Changes, now: u64) -> Result<(), NodeError> {
    let organisation = shared.own.organisation;
    let generation = changes.keys().map(|(_, generation)| *generation).max().unwrap_or(0);
    let collections: Vec<CollectionId> = changes.keys().map(|(collection, _)| *collection).collect();
    let mut working = match Working::load(&shared.store, entry)? {
        Some(working) if working.row.generation >= generation => working,
        older => {
            let Some(home) = home_of(&organisation, &collections) else { return Ok(()) };
            if older.is_some_and(|older| older.row.published == Published::Live) {
                carrying::keep(shared, batch, &entry)?;
            }
            let mut working = Working::create(entry, home);
            working.row.generation = generation;
            working
        }
    };
    for ((collection, of), chunks) in changes {
        if of != working.row.generation {
            continue;
        }
        let chunks: Vec<Chunk> = chunks.into_iter().map(Chunk::from_bytes).collect();
        let document = working.documents.entry(collection).or_insert_with(|| Document::new(&shared.own.actor));
        document.apply(&chunks)?;
        if collection != working.row.home && !working.row.companions.contains(&collection) {
            working.row.companions.push(collection);
            working.row.companions.sort();
        }
    }
    write_row(shared, batch, &mut working, now)
}

fn write_row(shared: &Shared, batch: &mut Batch, working: &mut Working, now: u64) -> Result<(), NodeError> {
    working.refresh(&shared.store, &shared.own.organisation)?;
    for (collection, document) in &working.documents {
        let projection = document.project();
        put_projection(batch, Side::Working, *collection, working.entry, &projection, now);
        let feed = FeedId { organisation: shared.own.organisation, collection: *collection };
        letters::put(batch, &feed, &working.entry, &json(&projection));
    }
    rows::put_own_entry(batch, &working.entry, &working.row);
    Ok(())
}

/// Notes that the publisher published or withdrew an entry of ours.
fn noted(
    shared: &Shared,
    batch: &mut Batch,
    entry: EntryId,
    feed: &FeedId,
    state: Published,
    outcome: &Outcome,
    voids: bool,
) -> Result<(), NodeError> {
    let generation = outcome.record.record().generation;
    let mut row = match rows::own_entry(&shared.store, &entry)? {
        Some(row) => row,
        None => OwnEntry { generation, ..OwnEntry::new(feed.collection) },
    };
    if generation < row.generation {
        return Ok(());
    }
    let companion = match &outcome.content {
        OutcomeContent::Published { json, .. } => {
            let projection = rows::ProjectionRow { at: 0, from: None, json: json.clone() };
            crate::catalog::is_companion(shared, feed, &projection)
        }
        _ => row.home != feed.collection,
    };
    if companion {
        if !row.companions.contains(&feed.collection) && feed.collection != row.home {
            row.companions.push(feed.collection);
            row.companions.sort();
            rows::put_own_entry(batch, &entry, &row);
        }
        return Ok(());
    }
    if generation > row.generation {
        if !voids {
            carrying::keep(shared, batch, &entry)?;
        }
        row = OwnEntry { companions: row.companions, request: row.request, ..OwnEntry::new(feed.collection) };
        row.generation = generation;
    }
    if state == Published::Withdrawn && row.home != feed.collection {
        return Ok(());
    }
    row.home = feed.collection;
    row.companions.retain(|collection| *collection != feed.collection);
    row.published = state;
    // After a redaction there is no working side that could be ahead.
    row.draft = !voids
        && match (&outcome.content, rows::projection(&shared.store, Side::Working, &feed.collection, &entry)?) {
            (OutcomeContent::Published { json, .. }, Some(working)) => working.json != *json,
            (OutcomeContent::Published { .. }, None) => false,
            _ => true,
        };
    if row.request == Request::Waiting && !row.draft {
        row.request = Request::None;
    }
    if row.request == Request::Waiting && state == Published::Withdrawn && asks_to_publish(shared, &entry)? {
        // The next edit states what this node knows by then, which must not make an old request a new one.
        row.request = Request::Refused(WITHDRAWN_MEANWHILE.into());
    }
    rows::put_own_entry(batch, &entry, &row);
    Ok(())
}

/// Whether this node's newest draft record of an entry asks for a publication, not for a withdrawal.
fn asks_to_publish(shared: &Shared, entry: &EntryId) -> Result<bool, NodeError> {
    let Some(row) = shared.store.record(&shared.own.drafts, entry)? else { return Ok(false) };
    let Ok(record) = SignedRecord::from_bytes(&row.bytes) else { return Ok(false) };
    let Body::Draft(draft) = &record.record().body else { return Ok(false) };
    Ok(draft.publish.iter().flatten().any(|request| !request.heads.is_empty()))
}

/// Notes the publisher's answer to a request of this node.
fn answered(shared: &Shared, batch: &mut Batch, answer: &Answer) -> Result<(), NodeError> {
    if answer.node != shared.own.node {
        return Ok(());
    }
    let Some(mut row) = rows::own_entry(&shared.store, &answer.entry)? else { return Ok(()) };
    let (outcome, reason) = match &answer.outcome {
        RequestOutcome::Accepted(_) => {
            row.request = Request::None;
            ("published", None)
        }
        RequestOutcome::Refused(reason) => {
            row.request = Request::Refused(reason.clone());
            ("refused", Some(reason.clone()))
        }
    };
    rows::put_own_entry(batch, &answer.entry, &row);
    let _ = shared.events.send(EventInfo::Answer { id: answer.entry.to_string(), outcome: outcome.into(), reason });
    Ok(())
}

/// Draft records of another own node are durable here: the publisher answers the requests among them.
pub(crate) fn arrived(shared: &Arc<Shared>, writer: NodeId, feed: FeedId, entries: Vec<EntryId>) {
    if !shared.is_publisher() || writer == shared.own.node {
        return;
    }
    let shared = shared.clone();
    // A thread of its own: it waits for the loop, which the pool also serves.
    let _ = std::thread::Builder::new().name("requests".into()).spawn(move || {
        for entry in entries {
            if let Err(error) = answer_request(&shared, writer, &feed, entry) {
                tracing::error!(%error, %entry, "a request to publish could not be answered");
            }
        }
    });
}

/// Requests that came while this node was not the publisher, or was down, are answered now. Blocks.
pub(crate) fn answer_waiting(shared: &Arc<Shared>) -> Result<(), NodeError> {
    if !shared.is_publisher() {
        return Ok(());
    }
    let nodes: Vec<NodeId> = shared.identity().nodes().map(|certificate| certificate.node).collect();
    for node in nodes.into_iter().filter(|node| *node != shared.own.node) {
        let feed = ortsnetz_trust::record::draft_feed(shared.own.organisation, &node);
        let mut entries = Vec::new();
        shared.store.records(Some(&feed), &mut |record| {
            entries.push(record.entry);
            true
        })?;
        for entry in entries {
            answer_request(shared, node, &feed, entry)?;
        }
    }
    Ok(())
}

fn answer_request(shared: &Shared, writer: NodeId, feed: &FeedId, entry: EntryId) -> Result<(), NodeError> {
    let _locks = shared.locks.lock(&[entry]);
    let Some(row) = shared.store.record(feed, &entry)? else { return Ok(()) };
    let Ok(record) = SignedRecord::from_bytes(&row.bytes) else { return Ok(()) };
    let Body::Draft(draft) = &record.record().body else { return Ok(()) };
    let Some(requests) = &draft.publish else { return Ok(()) };
    let mut answer = Answer {
        node: writer,
        entry,
        request: record.record().position,
        outcome: RequestOutcome::Refused(String::new()),
    };
    if is_answered(shared, &answer)? {
        return Ok(());
    }
    let Some(mut working) = Working::load(&shared.store, entry)? else { return Ok(()) };
    if record.record().generation < working.row.generation {
        let redacted = purging::redacted(&shared.store, working.row.home, entry)?.is_some();
        let reason = if redacted { REDACTED_MEANWHILE } else { carrying::MOVED_MEANWHILE };
        answer.outcome = RequestOutcome::Refused(reason.into());
        return send_answer(shared, Plan::new(Batch::new(Origin::Own)), answer);
    }
    let now_writer = shared.writer();
    let withdrawal = requests.iter().all(|request| request.heads.is_empty());
    let requested: Vec<(CollectionId, Vec<Hash>)> =
        requests.iter().map(|request| (request.collection, request.heads.clone())).collect();
    let mut plan = Plan::new(Batch::new(Origin::Own));
    if withdrawal {
        if working.row.published == Published::Live {
            plan = publishing::plan_withdrawal(&mut working, &now_writer, &shared.store)?;
        }
    } else if working.row.published == Published::Withdrawn
        && draft.based_on != working.based_on(&shared.store, &shared.own.organisation)?
    {
        answer.outcome = RequestOutcome::Refused(WITHDRAWN_MEANWHILE.into());
        return send_answer(shared, plan, answer);
    } else if let Some(reason) = publishing::obstacle(&working, &shared.identity()) {
        answer.outcome = RequestOutcome::Refused(cut(reason));
        return send_answer(shared, plan, answer);
    } else {
        plan = publishing::plan(&mut working, &now_writer, &shared.store, &Version::Requested(&requested))?;
    }
    answer.outcome = RequestOutcome::Accepted(record.record().position);
    send_answer(shared, plan, answer)
}

fn cut(mut reason: String) -> String {
    let mut end = reason.len().min(ortsnetz_trust::limits::REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.truncate(end);
    reason
}

fn is_answered(shared: &Shared, answer: &Answer) -> Result<bool, NodeError> {
    let Some(row) = shared.store.record(&shared.own.drafts, &answer.key())? else { return Ok(false) };
    let Ok(record) = SignedRecord::from_bytes(&row.bytes) else { return Ok(false) };
    Ok(matches!(&record.record().body, Body::Answer(given) if given.request >= answer.request))
}

fn send_answer(shared: &Shared, mut plan: Plan, answer: Answer) -> Result<(), NodeError> {
    plan.items.push(PlannedItem {
        feed: shared.own.drafts,
        entry: answer.key(),
        generation: 0,
        body: Body::Answer(answer),
        chunks: Vec::new(),
    });
    shared.commit(plan).map(|_| ())
}
