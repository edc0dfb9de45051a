//! A state change as it is prepared beside the engine: rows to write, records to sign, changes to send.

use ortsnetz_model::{CollectionId, EntryId, FeedId, Hash};
use ortsnetz_store::Batch;
use ortsnetz_sync::{OpId, PublishItem};
use ortsnetz_trust::record::{Body, Draft, DraftDocument, PublishRequest};
use tokio::sync::oneshot;

use crate::error::NodeError;

/// Rows, and the records that go with them in one atomic batch.
pub(crate) struct Plan {
    /// What is written beside the records.
    pub batch: Batch,
    /// What is signed.
    pub items: Vec<PlannedItem>,
}

/// One record to sign.
#[derive(Clone)]
pub(crate) struct PlannedItem {
    /// Into which own feed.
    pub feed: FeedId,
    /// Its item key in the feed: the entry, or the key of an answer.
    pub entry: EntryId,
    /// Its generation.
    pub generation: u32,
    /// What it says.
    pub body: Body,
    /// Changes that a reader of the previous record lacks.
    pub chunks: Vec<Vec<u8>>,
}

/// A draft record to sign.
pub(crate) struct PlannedDraft {
    /// About which entry.
    pub entry: EntryId,
    /// Its generation.
    pub generation: u32,
    /// Heads of its working documents.
    pub documents: Vec<(CollectionId, Vec<Hash>)>,
    /// Heads of the published home document, or the hash of the record that withdrew it.
    pub based_on: Vec<Hash>,
    /// What the publisher is asked to publish; no heads at all asks for a withdrawal.
    pub publish: Option<Vec<(CollectionId, Vec<Hash>)>>,
    /// The new changes.
    pub chunks: Vec<Vec<u8>>,
}

/// A plan on its way through the engine.
pub(crate) struct Pending {
    /// What to write and sign.
    pub plan: Plan,
    /// Who waits.
    pub reply: oneshot::Sender<Result<Vec<ortsnetz_sync::Published>, NodeError>>,
}

impl Plan {
    /// Rows without records yet.
    pub fn new(batch: Batch) -> Self {
        Self { batch, items: Vec::new() }
    }

    /// Adds a draft record to the draft feed of this node.
    pub fn draft(&mut self, drafts: FeedId, draft: PlannedDraft) {
        let mut documents: Vec<DraftDocument> = draft
            .documents
            .into_iter()
            .map(|(collection, heads)| DraftDocument { collection, generation: draft.generation, heads })
            .collect();
        documents.sort_by_key(|document| document.collection);
        let publish = draft.publish.map(|requests| {
            let mut requests: Vec<PublishRequest> =
                requests.into_iter().map(|(collection, heads)| PublishRequest { collection, heads }).collect();
            requests.sort_by_key(|request| request.collection);
            requests
        });
        self.items.push(PlannedItem {
            feed: drafts,
            entry: draft.entry,
            generation: draft.generation,
            body: Body::Draft(Draft { documents, based_on: draft.based_on, publish }),
            chunks: draft.chunks,
        });
    }

    /// Everything planned; nothing stays.
    pub fn take(&mut self) -> Self {
        Self {
            batch: std::mem::replace(&mut self.batch, Batch::new(ortsnetz_store::Origin::Own)),
            items: std::mem::take(&mut self.items),
        }
    }

    /// Adds everything of another plan.
    pub fn append(&mut self, other: Plan) {
        self.batch.append(other.batch);
        self.items.extend(other.items);
    }

    /// The items as the engine wants them.
    pub fn publish_items(&self) -> Vec<PublishItem> {
        self.items
            .iter()
            .map(|item| PublishItem {
                feed: item.feed,
                entry: item.entry,
                generation: item.generation,
                body: item.body.clone(),
            })
            .collect()
    }
}

/// Numbers for the engine, counted by the driver.
#[derive(Default)]
pub(crate) struct OpIds(u64);

impl OpIds {
    /// The next one.
    pub fn next(&mut self) -> OpId {
        self.0 += 1;
        OpId(self.0)
    }
}
