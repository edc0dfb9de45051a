//! Records that their owner does not count any more: set aside with all they brought, and told of until something newer
//! stands in their place.

use std::collections::BTreeMap;

use ortsnetz_model::{DocumentId, EntryId, FeedId, Hash, OrgId, Position};
use ortsnetz_store::{Batch, Key, Range, Side, Store};
use ortsnetz_trust::record::SignedRecord;

use crate::catalog;
use crate::documents;
use crate::dto::TaskInfo;
use crate::error::NodeError;
use crate::given_back;
use crate::rows::{self, Published};
use crate::shared::Shared;
use crate::working::put_projection;

/// Entries that a task names; more are counted.
const NAMED_MAX: usize = 5;

/// Adds to `batch` what sets aside the record that is stored of an entry, if it still stands at `position`. The changes go
/// beside the record; what was published of the entry goes, unless the same batch puts another record there (`replaced`),
/// which builds on it or takes it away itself. An own entry is a draft afterwards. Whoever calls holds its lock then.
pub(crate) fn set_aside(
    shared: &Shared,
    batch: &mut Batch,
    feed: &FeedId,
    (entry, position): (EntryId, Position),
    replaced: bool,
    now: u64,
) -> Result<(), NodeError> {
    let Some(row) = shared.store.record(feed, &entry)?.filter(|row| row.position == position) else { return Ok(()) };
    let hash = Hash::of(&row.bytes);
    given_back::keep_changes(shared, batch, &hash, &row.bytes);
    batch.delete(Key::Record { feed: *feed, entry });
    batch.delete(Key::Projection { side: Side::Published, collection: feed.collection, entry });
    if !replaced && !catalog::is_draft_feed(shared, feed) {
        if feed.organisation == shared.own.organisation {
            become_draft(&shared.store, batch, feed, &row, now)?;
        }
        batch.delete_range(Range::EntryDocuments(Side::Published, feed.collection, entry));
    }
    batch.put(Key::SetAside { feed: *feed, position, hash }, row.bytes);
    Ok(())
}

/// What was published of an own entry and counts no more stays as a draft. Where it was known only as published, its
/// history becomes the one that people edit on.
fn become_draft(
    store: &Store,
    batch: &mut Batch,
    feed: &FeedId,
    record: &ortsnetz_store::Record,
    now: u64,
) -> Result<(), NodeError> {
    let id = DocumentId { collection: feed.collection, entry: record.entry, generation: record.generation };
    let own = rows::own_entry(store, &record.entry)?.filter(|own| own.generation == record.generation);
    let Some(mut own) = own.filter(|own| record.document && own.collections().any(|it| it == feed.collection)) else {
        return Ok(());
    };
    if documents::load(store, Side::Working, &id)?.is_none()
        && let Some(published) = documents::load(store, Side::Published, &id)?
    {
        let chunks = published.changes_since(&[]).into_iter().map(|chunk| chunk.into_bytes()).collect();
        batch.append_chunks(Side::Working, id, chunks);
        put_projection(batch, Side::Working, feed.collection, record.entry, &published.project(), now);
    }
    if own.home == feed.collection {
        own.published = Published::Never;
    }
    own.draft = true;
    rows::put_own_entry(batch, &record.entry, &own);
    Ok(())
}

/// What a person should know of records set aside in these feeds: a task per feed, as long as nothing newer is there of
/// one of the entries.
pub(crate) fn tasks(shared: &Shared, feeds: impl Iterator<Item = FeedId>) -> Result<Vec<TaskInfo>, NodeError> {
    let mut tasks = Vec::new();
    for feed in feeds {
        let waiting = waiting(shared, &feed)?;
        let Some(first) = waiting.first() else { continue };
        let own = feed.organisation == shared.own.organisation;
        let mut named = Vec::new();
        for entry in waiting.iter().take(NAMED_MAX) {
            named.push(name(shared, &feed, entry)?);
        }
        if waiting.len() > NAMED_MAX {
            named.push(format!("{} more", waiting.len() - NAMED_MAX));
        }
        let named = named.join(", ");
        let collection = shared.collection_name(&feed);
        let revoked = revoked_writer(shared, &feed)?;
        let message = if let Some(writer) = revoked.filter(|_| own) {
            format!(
                "{writer} signed this in {collection}, and its certificate was taken back since; it does not count: {named}. Drafts are kept; read them with `ortsnetz show ID --draft`, and publish what is right."
            )
        } else if own {
            format!(
                "what was published here in {collection} while the disk was set back, or while a copy of this node ran, does not count: {named}. Read it with `ortsnetz show ID --draft`, and publish it again if it is right."
            )
        } else {
            format!(
                "{} does not count any more what it published in {collection} of: {named}. It is kept until they publish it again or have taken it back; call them if that takes long.",
                shared.organisation_name(&feed.organisation)
            )
        };
        let entry = (waiting.len() == 1).then(|| first.to_string());
        tasks.push(TaskInfo { kind: "set_aside".into(), entry, message, ..TaskInfo::default() });
    }
    Ok(tasks)
}

/// The name of the node whose certificate was taken back, if the newest record set aside in a feed is of such a one.
fn revoked_writer(shared: &Shared, feed: &FeedId) -> Result<Option<String>, NodeError> {
    let Some(identity) = shared.identity_of(&feed.organisation) else { return Ok(None) };
    let rows = shared.store.scan(&Range::SetAside(*feed), None, usize::MAX)?;
    let signed = rows.iter().rev().find_map(|(_, bytes)| SignedRecord::from_bytes(bytes).ok());
    let writer = signed.map(|signed| signed.node()).filter(|node| identity.is_revoked(node));
    Ok(writer.and_then(|node| identity.last_certificate(&node)).map(|certificate| certificate.name.clone()))
}

/// The entries with a record set aside in a feed, of which nothing newer is here.
fn waiting(shared: &Shared, feed: &FeedId) -> Result<Vec<EntryId>, NodeError> {
    let mut newest: BTreeMap<EntryId, (Position, u32)> = BTreeMap::new();
    for (key, bytes) in shared.store.scan(&Range::SetAside(*feed), None, usize::MAX)? {
        // Beside records there is evidence.
        if let (Key::SetAside { position, .. }, Ok(signed)) = (key, SignedRecord::from_bytes(&bytes))
            && let Some(entry) = signed.record().entry
        {
            let found = newest.entry(entry).or_insert((position, 0));
            *found = (found.0.max(position), found.1.max(signed.record().generation));
        }
    }
    let mut waiting = Vec::new();
    for (entry, (position, generation)) in newest {
        let replaced = shared.store.record(feed, &entry)?.is_some_and(|row| row.position > position);
        if !replaced && !settled_elsewhere(shared, &feed.organisation, &entry, generation)? {
            waiting.push(entry);
        }
    }
    Ok(waiting)
}

/// Whether an entry of ours was moved or redacted since, or withdrawn.
fn settled_elsewhere(
    shared: &Shared,
    organisation: &OrgId,
    entry: &EntryId,
    generation: u32,
) -> Result<bool, NodeError> {
    if *organisation != shared.own.organisation {
        return Ok(false);
    }
    let own = rows::own_entry(&shared.store, entry)?;
    Ok(own.is_some_and(|own| own.generation > generation || own.published == Published::Withdrawn))
}

/// How a task names an entry: an own one by its title, too.
fn name(shared: &Shared, feed: &FeedId, entry: &EntryId) -> Result<String, NodeError> {
    let own = feed.organisation == shared.own.organisation;
    let title = if own { title(shared, entry)? } else { None };
    Ok(title.map_or_else(|| entry.to_string(), |title| format!("\"{title}\" ({entry})")))
}

/// The title of an own entry, as its draft has it.
pub(crate) fn title(shared: &Shared, entry: &EntryId) -> Result<Option<String>, NodeError> {
    let Some(own) = rows::own_entry(&shared.store, entry)? else { return Ok(None) };
    let row = rows::projection(&shared.store, Side::Working, &own.home, entry)?;
    let read = row.map(|row| catalog::read_entry(entry, &row.json)).transpose()?;
    Ok(read.as_ref().and_then(|read| read.title("de")).map(str::to_owned))
}
