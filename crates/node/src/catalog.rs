//! Where an entry lies and what is known about it.

use ortsnetz_model::{CollectionId, DocumentId, Entry, EntryId, FeedId, NodeId, OrgId};
use ortsnetz_store::Side;
use ortsnetz_trust::record::SignedRecord;

use crate::error::NodeError;
use crate::rows::{self, ProjectionRow};
use crate::shared::{Shared, read};
use crate::working::{INTERNAL, PARTNERS, PUBLIC};

/// An entry of another organisation, or the published side of ours.
pub(crate) struct Held {
    /// Home feed.
    pub feed: FeedId,
    /// Newest record of the home document.
    pub record: SignedRecord,
    /// Home projection; `None` if withdrawn.
    pub home: Option<ProjectionRow>,
    /// Companions held, with the names of their collections.
    pub companions: Vec<(String, ProjectionRow)>,
}

impl Held {
    /// The entry, companions joined; `None` if withdrawn.
    pub fn entry(&self, id: &EntryId, with_companions: bool) -> Result<Option<Entry>, NodeError> {
        let Some(home) = &self.home else { return Ok(None) };
        let mut entry = read_entry(id, &home.json)?;
        if with_companions {
            for (name, row) in &self.companions {
                entry.join_companion(name, &read_entry(id, &row.json)?);
            }
        }
        Ok(Some(entry))
    }

    /// The identity of the home document.
    pub fn document(&self, id: &EntryId) -> DocumentId {
        let generation = self.record.record().generation;
        DocumentId { collection: self.feed.collection, entry: *id, generation }
    }

    /// Who handed the home document over.
    pub fn from(&self) -> Option<NodeId> {
        self.home.as_ref().and_then(|row| row.from)
    }

    /// Whether the newest record says that the entry is not there any more.
    pub fn is_withdrawn(&self) -> bool {
        !self.record.record().is_live()
    }
}

/// A stored projection as an entry with its id.
pub(crate) fn read_entry(id: &EntryId, json: &[u8]) -> Result<Entry, NodeError> {
    let damaged =
        |error: String| NodeError::Unavailable(format!("entry {id} is damaged: {error}; run `ortsnetz store check`"));
    let value = serde_json::from_slice(json).map_err(|error| damaged(error.to_string()))?;
    let mut entry = Entry::from_json(value).map_err(|error| damaged(error.to_string()))?;
    entry.set_id(id);
    Ok(entry)
}

/// Finds the published state of an entry: our own first, then partners', then introduced organisations'.
pub(crate) fn find(shared: &Shared, id: &EntryId) -> Result<Option<Held>, NodeError> {
    let mut found: Vec<(u8, OrgId)> = Vec::new();
    {
        let feeds = read(&shared.feeds);
        let partners = read(&shared.partners);
        for feed in feeds.iter() {
            if found.iter().any(|(_, organisation)| *organisation == feed.organisation) || is_draft_feed(shared, feed) {
                continue;
            }
            if shared.store.record(feed, id)?.is_some() {
                let rank = if feed.organisation == shared.own.organisation {
                    0
                } else {
                    match partners.get(&feed.organisation) {
                        Some(partner) if partner.confirmed => 1,
                        Some(_) => 2,
                        None => 3,
                    }
                };
                found.push((rank, feed.organisation));
            }
        }
    }
    found.sort();
    match found.first() {
        Some((_, organisation)) => find_of(shared, organisation, id),
        None => Ok(None),
    }
}

/// Finds the published state of an entry of one organisation.
pub(crate) fn find_of(shared: &Shared, organisation: &OrgId, id: &EntryId) -> Result<Option<Held>, NodeError> {
    let mut documents = Vec::new();
    for feed in feeds_of(shared, organisation) {
        if is_draft_feed(shared, &feed) {
            continue;
        }
        let Some(row) = shared.store.record(&feed, id)? else { continue };
        let record =
            SignedRecord::from_bytes(&row.bytes).map_err(|error| damaged_record(&feed, id, &error.to_string()))?;
        let projection = rows::projection(&shared.store, Side::Published, &feed.collection, id)?;
        documents.push((feed, record, projection));
    }
    // Home first: a live document that is no companion, else a withdrawn one; the highest generation wins.
    documents.sort_by_key(|(feed, record, projection)| {
        let companion = projection.as_ref().is_some_and(|row| is_companion(shared, feed, row));
        (companion, projection.is_none(), std::cmp::Reverse(record.record().generation), collection_rank(shared, feed))
    });
    if documents.is_empty() {
        return Ok(None);
    }
    let (feed, record, home) = documents.remove(0);
    if home.as_ref().is_some_and(|row| is_companion(shared, &feed, row)) {
        // Without the home document a companion is not shown.
        return Ok(None);
    }
    let companions = documents
        .into_iter()
        .filter_map(|(feed, _, projection)| {
            let row = projection?;
            is_companion(shared, &feed, &row).then(|| (shared.collection_name(&feed), row))
        })
        .collect();
    Ok(Some(Held { feed, record, home, companions }))
}

/// The published feeds held of an organisation.
pub(crate) fn feeds_of(shared: &Shared, organisation: &OrgId) -> Vec<FeedId> {
    let first = FeedId { organisation: *organisation, collection: CollectionId([0; 16]) };
    let last = FeedId { organisation: *organisation, collection: CollectionId([0xff; 16]) };
    read(&shared.feeds).range(first..=last).copied().collect()
}

/// Whether a feed carries drafts of one of our nodes.
pub(crate) fn is_draft_feed(shared: &Shared, feed: &FeedId) -> bool {
    feed.organisation == shared.own.organisation && shared.identity().draft_node(&feed.collection).is_some()
}

/// Whether a document only accompanies an entry that has its home elsewhere: it lies in `partners` or `internal` and has
/// none of the fields every home document has.
pub(crate) fn is_companion(shared: &Shared, feed: &FeedId, row: &ProjectionRow) -> bool {
    let narrow =
        [PARTNERS, INTERNAL].into_iter().any(|name| CollectionId::named(&feed.organisation, name) == feed.collection);
    let _ = shared;
    narrow
        && serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&row.json)
            .is_ok_and(|map| !["title", "service", "names", "leika"].iter().any(|field| map.contains_key(*field)))
}

fn collection_rank(shared: &Shared, feed: &FeedId) -> u8 {
    let _ = shared;
    u8::from(CollectionId::named(&feed.organisation, PUBLIC) != feed.collection)
}

pub(crate) fn damaged_record(feed: &FeedId, id: &EntryId, error: &str) -> NodeError {
    NodeError::Unavailable(format!(
        "the record of entry {id} in collection {} is damaged: {error}; run `ortsnetz store check`",
        feed.collection
    ))
}
