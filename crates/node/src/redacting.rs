//! `redact`: what was said is taken back for ever, here and at every reader that can be reached.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use ortsnetz_model::{CollectionId, Entry, EntryId, FeedId, Ids, NodeId, OrgId, Position};
use ortsnetz_store::{Batch, Key, Origin};
use ortsnetz_trust::record::{Body, Record, SignedRecord};

use crate::catalog;
use crate::clock::{self, rfc3339};
use crate::dto::{RedactRequest, RedactionReport};
use crate::editing::{load, require_editor};
use crate::error::NodeError;
use crate::partners::look;
use crate::plan::{Plan, PlannedItem};
use crate::publishing::{self, Version};
use crate::purging;
use crate::rows::{self, Published};
use crate::shared::{Shared, read};
use crate::short;
use crate::working::Working;

/// Table of our redactions: key is the entry.
pub(crate) const REDACTIONS: &str = "redactions";
/// Longest reason in bytes.
pub(crate) const REASON_BYTES_MAX: usize = 500;

/// What is remembered of a redaction: nothing of what was redacted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
struct RedactionRow {
    /// Milliseconds since 1970.
    #[n(0)]
    at: u64,
    #[n(1)]
    generation: u32,
    /// Why, in the words of who did it.
    #[n(2)]
    reason: Option<String>,
    /// Where the records stand.
    #[n(3)]
    records: Vec<(FeedId, Position)>,
    /// Partners that purged it, sorted.
    #[n(4)]
    purged: Vec<OrgId>,
    /// Other own nodes that did, sorted.
    #[n(5)]
    nodes: Vec<NodeId>,
}

fn key(entry: &EntryId) -> Key {
    Key::Custom { table: REDACTIONS.into(), key: entry.0.to_vec() }
}

/// `redact`. Blocks until nothing of it is left on this node.
pub(crate) fn redact(shared: &Shared, id: &str, request: &RedactRequest) -> Result<RedactionReport, NodeError> {
    require_editor(shared)?;
    let id = short::entry_id(shared, id)?;
    let reason = request.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    if let Some(reason) = reason.filter(|reason| reason.len() > REASON_BYTES_MAX) {
        return Err(NodeError::TooLarge(format!(
            "reason: {} bytes, at most {REASON_BYTES_MAX} are kept",
            reason.len()
        )));
    }
    if !shared.is_publisher() {
        let publisher = shared.identity().current_term().map(|(_, node)| shared.node_name(&node)).unwrap_or_default();
        return Err(NodeError::Forbidden(format!(
            "only the publisher redacts, because every reader has to hear of it at once; run this on {publisher}"
        )));
    }
    {
        let _locks = shared.locks.lock(&[id]);
        let working = load(shared, id)?;
        if working.row.published == Published::Live
            && !request.erase
            && let Some(reason) = publishing::unfinished(&working, &shared.own.organisation)
        {
            return Err(NodeError::Conflict(format!("entry {id}: {reason}; or take all of it back with --erase")));
        }
        let plan = plan(shared, &working, request.erase)?;
        let generation = plan.1;
        let positions = shared.commit(plan.0)?;
        let records = positions
            .iter()
            .filter(|published| !catalog::is_draft_feed(shared, &published.feed))
            .map(|published| (published.feed, published.position))
            .collect();
        let row = RedactionRow {
            at: clock::now(),
            generation,
            reason: reason.map(str::to_owned),
            records,
            ..RedactionRow::default()
        };
        let mut batch = Batch::new(Origin::Own);
        batch.put(key(&id), rows::encode(&row));
        shared.store.commit(batch)?;
    }
    purging::purge(shared, true)?;
    report(shared, &id)
}

/// Rows and records of a redaction, and the generation it begins.
fn plan(shared: &Shared, working: &Working, erase: bool) -> Result<(Plan, u32), NodeError> {
    let (id, writer) = (working.entry, shared.writer());
    let mut feeds: Vec<FeedId> = Vec::new();
    let mut highest = working.row.generation;
    for feed in catalog::feeds_of(shared, &shared.own.organisation) {
        if !catalog::is_draft_feed(shared, &feed)
            && let Some(row) = shared.store.record(&feed, &id)?
        {
            highest = highest.max(row.generation);
            feeds.push(feed);
        }
    }
    let generation = highest + 1;
    let mut batch = Batch::new(Origin::Own);
    for feed in &feeds {
        purging::erase(&shared.store, &mut batch, Origin::Own, feed, id, generation)?;
    }
    let home = FeedId { organisation: writer.organisation, collection: working.row.home };
    batch.put(Key::Tombstone { collection: home.collection, entry: id }, generation.to_be_bytes());
    purging::note_due(&mut batch, &home, id, generation);
    purging::erase_working(&mut batch, &collections(shared), id);

    let present = working.joined(&writer.organisation);
    let stays = if erase { Entry::empty(&present.kind()) } else { present };
    let mut fresh = Working::create(id, working.row.home);
    fresh.row.generation = generation;
    let mut rng = rand::rng();
    fresh.set(&writer, &stays, &mut Ids::Random(&mut rng))?;
    let live = working.row.published == Published::Live && !erase;
    let mut plan = Plan::new(batch);
    if live {
        plan.append(publishing::plan(&mut fresh, &writer, &shared.store, &Version::Present)?);
        for item in &mut plan.items {
            if let Body::Publication { heads } = &mut item.body {
                item.body = Body::Redaction { heads: std::mem::take(heads) };
            }
        }
    } else if !feeds.is_empty() {
        fresh.row.published = Published::Withdrawn;
    }
    let nothing = feeds.into_iter().filter(|feed| plan.items.iter().all(|item| item.feed != *feed));
    let nothing: Vec<PlannedItem> = nothing
        .map(|feed| PlannedItem {
            feed,
            entry: id,
            generation,
            body: Body::Redaction { heads: Vec::new() },
            chunks: Vec::new(),
        })
        .collect();
    plan.items.extend(nothing);
    // Nothing is left of it that could be published.
    let draft = fresh.row.draft && !live && !erase;
    plan.append(fresh.plan(&writer, &shared.store, None)?);
    // What is compared with there is the published side as it was.
    fresh.row.draft = draft;
    rows::put_own_entry(&mut plan.batch, &id, &fresh.row);
    Ok((plan, generation))
}

/// All collections of ours in which an entry may have a document.
fn collections(shared: &Shared) -> Vec<CollectionId> {
    shared.identity().collections().into_iter().map(|collection| collection.collection).collect()
}

/// Another own node learned that the publisher redacted an entry: its working side goes too. Returns whether this node has
/// a draft record to void.
pub(crate) fn learned(shared: &Shared, batch: &mut Batch, entry: EntryId, generation: u32) -> Result<bool, NodeError> {
    purging::erase_working(batch, &collections(shared), entry);
    let own = shared.store.record(&shared.own.drafts, &entry)?;
    Ok(own.is_some_and(|row| row.generation < generation))
}

/// Whether a draft record of another own node says that an entry which was never published begins anew: it was redacted or
/// moved there. Of one that was published the records in the feeds of its readers say so.
pub(crate) fn begins_anew(shared: &Shared, record: &Record) -> bool {
    let (Body::Draft(_), Some(entry)) = (&record.body, &record.entry) else { return false };
    let row = rows::own_entry(&shared.store, entry).ok().flatten();
    row.is_some_and(|row| row.published == Published::Never && row.generation < record.generation)
}

/// Takes this node's draft of a redacted entry back, so that nobody waits for changes that are gone. Blocks.
pub(crate) fn void_draft(shared: &Shared, entry: EntryId, generation: u32) -> Result<(), NodeError> {
    let mut plan = Plan::new(Batch::new(Origin::Own));
    plan.items.push(PlannedItem {
        feed: shared.own.drafts,
        entry,
        generation,
        body: Body::Withdrawal { moved_to: None },
        chunks: Vec::new(),
    });
    shared.commit(plan).map(|_| ())
}

/// `redact --status`
pub(crate) fn status(shared: &Shared, id: &str) -> Result<RedactionReport, NodeError> {
    report(shared, &short::entry_id(shared, id)?)
}

fn report(shared: &Shared, id: &EntryId) -> Result<RedactionReport, NodeError> {
    let mut row = match shared.store.get(&key(id))? {
        Some(bytes) => rows::decode("a redaction", &bytes)?,
        None => from_records(shared, id)?.ok_or_else(|| {
            NodeError::NotFound(format!("entry {id} was not redacted here, as far as this node knows"))
        })?,
    };
    let readers = readers(shared, &row);
    let identity = shared.identity();
    let nodes: Vec<NodeId> = identity.nodes().map(|node| node.node).filter(|node| *node != shared.own.node).collect();
    let now = purged_by(shared, &row, &readers, &nodes)?;
    if now != (row.purged.clone(), row.nodes.clone()) {
        (row.purged, row.nodes) = now;
        let mut batch = Batch::new(Origin::Own);
        batch.put(key(id), rows::encode(&row));
        shared.store.commit(batch)?;
    }
    let partners = readers.iter().map(|id| (row.purged.binary_search(id).is_ok(), shared.organisation_name(id)));
    let own = nodes.iter().map(|node| (row.nodes.binary_search(node).is_ok(), shared.node_name(node)));
    let (purged, waiting): (Vec<_>, Vec<_>) = partners.chain(own).partition(|(purged, _)| *purged);
    let names = |all: Vec<(bool, String)>| all.into_iter().map(|(_, name)| name).collect();
    Ok(RedactionReport {
        id: id.to_string(),
        generation: row.generation,
        redacted_at: rfc3339(row.at),
        reason: row.reason.clone(),
        of: (readers.len() + nodes.len()) as u64,
        purged: names(purged),
        waiting: names(waiting),
        unreachable: unreachable(shared),
    })
}

/// After a restore the row may be missing; the record itself says as much.
fn from_records(shared: &Shared, id: &EntryId) -> Result<Option<RedactionRow>, NodeError> {
    let mut found: Option<RedactionRow> = None;
    for feed in catalog::feeds_of(shared, &shared.own.organisation) {
        let Some(row) = shared.store.record(&feed, id)? else { continue };
        let Ok(signed) = SignedRecord::from_bytes(&row.bytes) else { continue };
        let record = signed.record();
        if let Body::Redaction { .. } = record.body {
            let found = found.get_or_insert_with(RedactionRow::default);
            found.at = found.at.max(record.at);
            found.generation = found.generation.max(record.generation);
            found.records.push((feed, record.position));
        }
    }
    Ok(found)
}

/// Partners that may read a feed in which it stands; they purge before they confirm.
fn readers(shared: &Shared, row: &RedactionRow) -> Vec<OrgId> {
    let identity = shared.identity();
    let partners = read(&shared.partners);
    let reads = |partner: &OrgId| row.records.iter().any(|(feed, _)| identity.can_read(&feed.collection, partner));
    partners.iter().filter(|(id, partner)| !partner.ended && reads(id)).map(|(id, _)| *id).collect()
}

/// Those of the readers that confirmed every record they may read, now or before, and those of the own nodes that have
/// everything we have. Sorted.
fn purged_by(
    shared: &Shared,
    row: &RedactionRow,
    readers: &[OrgId],
    nodes: &[NodeId],
) -> Result<(Vec<OrgId>, Vec<NodeId>), NodeError> {
    let records = row.records.clone();
    let (peers, confirmed) = look(shared, move |engine| {
        let confirmed: Vec<_> = records.iter().map(|(feed, _)| engine.published_to(feed)).collect();
        (engine.peers(), confirmed)
    })?;
    let identity = shared.identity();
    let mut purged: BTreeSet<OrgId> = row.purged.iter().copied().collect();
    for reader in readers {
        let confirms = row.records.iter().zip(&confirmed).all(|((feed, position), confirmed)| {
            !identity.can_read(&feed.collection, reader) || confirmed.get(reader).is_some_and(|upto| upto >= position)
        });
        let in_sync = peers.iter().any(|peer| peer.organisation == *reader && peer.in_sync);
        if confirms || in_sync {
            purged.insert(*reader);
        }
    }
    let in_sync = |node: &&NodeId| peers.iter().any(|peer| peer.node == **node && peer.in_sync);
    let own: BTreeSet<NodeId> = row.nodes.iter().chain(nodes.iter().filter(in_sync)).copied().collect();
    Ok((purged.into_iter().collect(), own.into_iter().collect()))
}

/// What no redaction reaches, said in so many words.
fn unreachable(shared: &Shared) -> Vec<String> {
    let mut lines: Vec<String> = read(&shared.partners)
        .iter()
        .filter(|(_, partner)| partner.ended)
        .map(|(id, _)| format!("{} is no partner any more and is not told", shared.organisation_name(id)))
        .collect();
    lines.push(
        "organisations that know us through a partner's relay purge it when the relay tells them; they do not confirm"
            .into(),
    );
    lines.push("backups and exported files, receipts, printed pages, and what somebody adopted or copied into a text of their own".into());
    lines
}
