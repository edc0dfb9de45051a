//! What this node signed while its clock was ahead: everybody holds it back until that day, so it is shown, and a new term
//! signs it anew.

use ortsnetz_model::{DocumentId, EntryId, FeedId};
use ortsnetz_store::{Batch, Origin, Side};
use ortsnetz_sync::limits::AHEAD_MS;
use ortsnetz_trust::record::SignedRecord;

use crate::catalog;
use crate::clock;
use crate::documents;
use crate::dto::AlarmInfo;
use crate::editing::PUBLISH_BATCH;
use crate::error::NodeError;
use crate::partners::look;
use crate::plan::{Plan, PlannedItem};
use crate::shared::Shared;

/// The alarm while feeds of ours stand in the future.
pub(crate) fn alarm(shared: &Shared) -> Result<Option<AlarmInfo>, NodeError> {
    let organisation = shared.own.organisation;
    let feeds = look(shared, ortsnetz_sync::Engine::feeds)?;
    let last = |drafts| {
        let own = feeds.iter().filter(|feed| feed.feed.organisation == organisation);
        own.filter(|feed| catalog::is_draft_feed(shared, &feed.feed) == drafts).map(|feed| feed.cursor.epoch).max()
    };
    let now = clock::now();
    let [published, drafts] = [last(false), last(true)].map(|last| last.filter(|epoch| *epoch > now + AHEAD_MS));
    let message = match (published, drafts) {
        (Some(until), _) => format!(
            "the clock was ahead when this town signed what stands in the future now: everybody holds it back until {}; see that the clock is right, then run `ortsnetz publisher take`, which signs it anew.",
            clock::rfc3339(until)
        ),
        (None, Some(until)) if shared.identity().nodes().count() > 1 => format!(
            "the clock of a node was ahead when it wrote drafts: the other nodes of this town hold them back until {}; see that the clock is right, publish what is urgent where it was written, or join that node anew.",
            clock::rfc3339(until)
        ),
        _ => return Ok(None),
    };
    Ok(Some(AlarmInfo { kind: "clock_ahead".into(), message, partner: None, at: clock::rfc3339(now), count: 1 }))
}

/// Signs anew, in the present term, what was signed at a time to come. Returns how many records that were. Blocks.
pub(crate) fn sign_anew(shared: &Shared) -> Result<u64, NodeError> {
    let ahead = clock::now() + AHEAD_MS;
    let mut count = 0;
    for feed in catalog::feeds_of(shared, &shared.own.organisation) {
        if catalog::is_draft_feed(shared, &feed) {
            continue;
        }
        let mut entries = Vec::new();
        shared.store.records(Some(&feed), &mut |record| {
            if record.position.epoch > ahead {
                entries.push(record.entry);
            }
            true
        })?;
        for entries in entries.chunks(PUBLISH_BATCH) {
            let _locks = shared.locks.lock(entries);
            let mut plan = Plan::new(Batch::new(Origin::Own));
            for entry in entries {
                plan.items.extend(again(shared, &feed, *entry)?);
            }
            count += plan.items.len() as u64;
            shared.commit(plan)?;
        }
    }
    Ok(count)
}

/// What the newest record of an entry says, to be signed again, with all that a reader needs who has nothing of it.
fn again(shared: &Shared, feed: &FeedId, entry: EntryId) -> Result<Option<PlannedItem>, NodeError> {
    let Some(row) = shared.store.record(feed, &entry)? else { return Ok(None) };
    let Ok(signed) = SignedRecord::from_bytes(&row.bytes) else { return Ok(None) };
    let record = signed.record();
    let id = DocumentId { collection: feed.collection, entry, generation: record.generation };
    let document = match record.heads() {
        Some(_) => documents::load(&shared.store, Side::Published, &id)?,
        None => None,
    };
    let chunks = document.map(|document| document.changes_since(&[])).unwrap_or_default();
    Ok(Some(PlannedItem {
        feed: *feed,
        entry,
        generation: record.generation,
        body: record.body.clone(),
        chunks: chunks.into_iter().map(|chunk| chunk.into_bytes()).collect(),
    }))
}
