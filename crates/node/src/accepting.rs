//! Judging records and changes of others, outside the engine: signature, hash graph, operation budget, application on a
//! clone, projection.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use ortsnetz_model::{CollectionId, Document, DocumentId, EntryId, FeedId, Hash, NodeId, Position};
use ortsnetz_store::Side;
use ortsnetz_sync::{Item, OpId, Verdict};
use ortsnetz_trust::accept::{AcceptError, Mode, accept_document, operations, part_of};
use ortsnetz_trust::limits::PAGE_OPERATIONS_MAX;
use ortsnetz_trust::record::{Body, Checkpoint, Draft, SignedRecord};

use crate::clock;
use crate::documents;
use crate::driver::Input;
use crate::judges::{Job, Judges};
use crate::rows;
use crate::shared::{Shared, lock};
use crate::working;

/// A record that was found good, with what must be written for it.
pub(crate) struct Outcome {
    /// The record.
    pub record: SignedRecord,
    /// What it brings.
    pub content: OutcomeContent,
}

/// What a good record brings.
pub(crate) enum OutcomeContent {
    /// A checkpoint, a withdrawal, or a redaction that leaves nothing: nothing but itself.
    Bare,
    /// A new state of a published document.
    Published {
        /// Which document.
        document: DocumentId,
        /// Changes that are not here yet.
        chunks: Vec<Vec<u8>>,
        /// Whether they are all it has: nothing stored was taken into account.
        whole: bool,
        /// Whether they are all it has, and what is stored holds changes that nobody signed any more.
        instead: bool,
        /// The projection as JSON.
        json: Vec<u8>,
    },
    /// Changes to working documents.
    Draft {
        /// New changes per document.
        changes: Vec<(DocumentId, Vec<Vec<u8>>)>,
    },
}

/// What came out of one item.
type Judged = (Verdict, Option<Outcome>);

/// Records that arrived together, while they are judged.
struct Trial {
    shared: Arc<Shared>,
    op: OpId,
    feed: FeedId,
    now: u64,
    /// The newest checkpoint held of the feed; read by whoever comes first.
    checkpoint: OnceLock<Option<(Checkpoint, Position)>>,
    budget: Budget,
    results: Mutex<Vec<Option<Judged>>>,
    left: AtomicUsize,
}

/// What all changes of a page may expand to.
#[derive(Default)]
struct Budget(AtomicU64);

impl Budget {
    /// Whether there is room for these operations, too.
    fn takes(&self, operations: u64) -> bool {
        self.0.fetch_add(operations, Ordering::Relaxed).saturating_add(operations) <= PAGE_OPERATIONS_MAX
    }
}

/// Has all items judged, each on its own, and the loop answered when the last is done.
pub(crate) fn accept(shared: &Arc<Shared>, judges: &Judges, op: OpId, node: NodeId, feed: FeedId, items: Vec<Item>) {
    let trial = Arc::new(Trial {
        shared: shared.clone(),
        op,
        feed,
        now: clock::now(),
        checkpoint: OnceLock::new(),
        budget: Budget::default(),
        results: Mutex::new(items.iter().map(|_| None).collect()),
        left: AtomicUsize::new(items.len()),
    });
    let jobs = items.into_iter().enumerate().map(|(place, item)| {
        let trial = trial.clone();
        Box::new(move || trial.hear(place, item)) as Job
    });
    judges.take(node, jobs);
}

impl Trial {
    /// Judges one item; the last one brings all verdicts to the loop.
    fn hear(&self, place: usize, item: Item) {
        let checkpoint = self.checkpoint.get_or_init(|| checkpoint(&self.shared, &self.feed));
        let result = if self.budget.takes(operations(&item.chunks)) {
            accept_one(&self.shared, &self.feed, item, self.now, checkpoint.as_ref())
        } else {
            let reason = format!("the changes of a page have more than {PAGE_OPERATIONS_MAX} operations");
            (Verdict::Invalid(reason), None)
        };
        if let Some(slot) = lock(&self.results).get_mut(place) {
            *slot = Some(result);
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let unjudged = || (Verdict::Invalid("not judged".into()), None);
            let results = std::mem::take(&mut *lock(&self.results)).into_iter().map(|one| one.unwrap_or_else(unjudged));
            let (verdicts, outcomes) = results.unzip();
            let _ = self.shared.driver.send(Input::Accepted(self.op, verdicts, outcomes));
        }
    }
}

/// The newest checkpoint held of a feed: of a revoked node it says what counts.
fn checkpoint(shared: &Shared, feed: &FeedId) -> Option<(Checkpoint, Position)> {
    let (_, bytes) = shared.store.markers(feed).ok()?.pop()?;
    let signed = SignedRecord::from_bytes(&bytes).ok()?;
    match &signed.record().body {
        Body::Checkpoint(checkpoint) => Some((checkpoint.clone(), signed.record().position)),
        _ => None,
    }
}

/// Judges what a partner answered, as if it had been replicated; published entries only. What does not cover the record held is
/// left out; an error says what was wrong.
pub(crate) fn accept_answered(shared: &Shared, feed: &FeedId, items: Vec<Item>) -> Result<Vec<Outcome>, String> {
    let (budget, now) = (Budget::default(), clock::now());
    let mut outcomes = Vec::new();
    for item in items {
        if !budget.takes(operations(&item.chunks)) {
            return Err(format!("changes with more than {PAGE_OPERATIONS_MAX} operations"));
        }
        match accept_one(shared, feed, item, now, None) {
            (Verdict::Valid { covers }, Some(outcome)) => {
                if covers && matches!(outcome.content, OutcomeContent::Published { .. }) {
                    outcomes.push(outcome);
                }
            }
            (Verdict::Invalid(reason), _) => return Err(reason),
            (Verdict::Incomplete { .. }, _) => return Err("a record without all of its changes".into()),
            (Verdict::Unknown | Verdict::Damaged | Verdict::Valid { .. }, _) => {}
        }
    }
    Ok(outcomes)
}

fn accept_one(
    shared: &Shared,
    feed: &FeedId,
    item: Item,
    now: u64,
    checkpoint: Option<&(Checkpoint, Position)>,
) -> (Verdict, Option<Outcome>) {
    match judge(shared, feed, item, now, checkpoint) {
        Ok((covers, outcome)) => (Verdict::Valid { covers }, Some(outcome)),
        Err(verdict) => (verdict, None),
    }
}

fn judge(
    shared: &Shared,
    feed: &FeedId,
    item: Item,
    now: u64,
    checkpoint: Option<&(Checkpoint, Position)>,
) -> Result<(bool, Outcome), Verdict> {
    let record = SignedRecord::from_bytes(&item.record).map_err(|error| Verdict::Invalid(error.to_string()))?;
    if record.record().feed != *feed {
        return Err(Verdict::Invalid("the record belongs to another feed".into()));
    }
    let identity = shared.identity_of(&feed.organisation).ok_or(Verdict::Unknown)?;
    identity
        .verify_record_within(&record, now, checkpoint.map(|(checkpoint, own)| (checkpoint, *own)))
        .map_err(|error| if error.is_held() { Verdict::Unknown } else { Verdict::Invalid(error.to_string()) })?;
    let chunks = item.chunks;
    let held = match record.record().entry {
        Some(entry) => shared.store.record_with_document(feed, &entry).map_err(|_| Verdict::Damaged)?,
        None => None,
    };
    let (older, stored) = held.unzip();
    let (document, content) = match (&record.record().body, record.record().entry) {
        (Body::Publication { heads } | Body::Redaction { heads }, Some(entry)) if !heads.is_empty() => {
            let id = DocumentId { collection: feed.collection, entry, generation: record.record().generation };
            let stored = stored.filter(|_| older.as_ref().is_some_and(|older| older.generation == id.generation));
            let (document, content) = publication(stored, &id, heads, &chunks)?;
            (Some(document), content)
        }
        (Body::Draft(draft), Some(entry)) => (None, draft_changes(shared, entry, draft, &chunks)?),
        (Body::Withdrawal { .. } | Body::Redaction { .. } | Body::Checkpoint(_) | Body::Answer(_), _)
            if chunks.is_empty() =>
        {
            (None, OutcomeContent::Bare)
        }
        _ => return Err(Verdict::Invalid("changes with a record that has none, or a record without its entry".into())),
    };
    let covers = covers(older.as_ref(), &record, document.as_ref())?;
    Ok((covers, Outcome { record, content }))
}

/// Whether the record covers the older one of its entry that is stored here.
fn covers(
    older: Option<&ortsnetz_store::Record>,
    record: &SignedRecord,
    document: Option<&Document>,
) -> Result<bool, Verdict> {
    let Some(older) = older else { return Ok(true) };
    let older = SignedRecord::from_bytes(&older.bytes).map_err(|_| Verdict::Damaged)?;
    Ok(record.record().covers(older.record(), |heads| document.is_some_and(|document| document.contains(heads))))
}

/// A document without a record beside it does not count: what comes must be whole then.
fn publication(
    stored: Option<ortsnetz_store::Document>,
    id: &DocumentId,
    heads: &[Hash],
    chunks: &[Vec<u8>],
) -> Result<(Document, OutcomeContent), Verdict> {
    let held = stored.map(documents::from_stored).transpose().map_err(|_| Verdict::Damaged)?.flatten();
    let accepted =
        accept_document(held.as_ref(), heads, chunks, Mode::Exact).map_err(|error| refused(error, held.as_ref()))?;
    // What was signed on a disk that was set back afterwards is not part of what was signed then.
    let instead = held.as_ref().is_some_and(|held| !accepted.document.contains(&held.heads()));
    let chunks = if instead { accepted.document.changes_since(&[]) } else { accepted.chunks };
    let content = OutcomeContent::Published {
        document: *id,
        whole: held.is_none(),
        instead,
        chunks: chunks.into_iter().map(|chunk| chunk.into_bytes()).collect(),
        json: working::json(&accepted.entry),
    };
    Ok((accepted.document, content))
}

fn draft_changes(
    shared: &Shared,
    entry: EntryId,
    draft: &Draft,
    chunks: &[Vec<u8>],
) -> Result<OutcomeContent, Verdict> {
    let mut changes = Vec::new();
    let mut used = 0;
    let current = rows::own_entry(&shared.store, &entry).map_err(|_| Verdict::Damaged)?;
    for part in &draft.documents {
        if current.as_ref().is_some_and(|row| part.generation < row.generation) {
            // Written before the entry was redacted or moved: nothing of it may come back.
            return Ok(OutcomeContent::Draft { changes: Vec::new() });
        }
        let id = DocumentId { collection: part.collection, entry, generation: part.generation };
        let held = documents::load(&shared.store, Side::Working, &id).map_err(|_| Verdict::Damaged)?;
        let own = part_of(&part.heads, chunks).map_err(|reason| Verdict::Invalid(reason.to_string()))?;
        used += own.len();
        let accepted = accept_document(held.as_ref(), &part.heads, &own, Mode::Contained)
            .map_err(|error| refused(error, held.as_ref()))?;
        changes.push((id, accepted.chunks.into_iter().map(|chunk| chunk.into_bytes()).collect()));
    }
    if used != chunks.len() {
        return Err(Verdict::Invalid("changes that no document of the draft needs".into()));
    }
    Ok(OutcomeContent::Draft { changes })
}

fn refused(error: AcceptError, held: Option<&Document>) -> Verdict {
    match error {
        AcceptError::Incomplete { .. } => Verdict::Incomplete { have: held.map(Document::heads).unwrap_or_default() },
        AcceptError::Invalid { reason } => Verdict::Invalid(reason.to_string()),
    }
}

/// The collection of the home document among a draft's documents: the one that is no companion.
pub(crate) fn home_of(organisation: &ortsnetz_model::OrgId, collections: &[CollectionId]) -> Option<CollectionId> {
    let companion = |collection: &&CollectionId| {
        [working::PARTNERS, working::INTERNAL]
            .into_iter()
            .any(|name| CollectionId::named(organisation, name) == **collection)
    };
    match collections {
        [] => None,
        [only] => Some(*only),
        several => {
            // Several: an entry in `partners` may still have a companion in `internal`.
            let partners = CollectionId::named(organisation, working::PARTNERS);
            several
                .iter()
                .find(|collection| !companion(collection))
                .or_else(|| several.iter().find(|collection| **collection == partners))
                .or_else(|| several.first())
                .copied()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changes_of_a_page_have_one_budget() {
        let budget = Budget::default();
        assert!(budget.takes(PAGE_OPERATIONS_MAX - 1) && budget.takes(1), "at the limit");
        assert!(!budget.takes(1), "over it");
        assert!(!Budget::default().takes(u64::MAX));
    }
}
