//! From a working entry to what readers get: publications, withdrawals, moves.

use ortsnetz_exchange::reveal;
use ortsnetz_model::{CollectionId, Document, DocumentId, Entry, FeedId, Finding, Hash, Ids, OrgId, Severity};
use ortsnetz_store::{Batch, Origin, Range, Side, Store};
use ortsnetz_trust::Identity;
use ortsnetz_trust::record::Body;

use crate::agreements;
use crate::contacts;
use crate::documents;
use crate::error::NodeError;
use crate::letters;
use crate::noticing;
use crate::plan::{Plan, PlannedItem};
use crate::rows::{self, DocumentHeads, Published, Request};
use crate::working::{self, INTERNAL, PUBLIC, Working, Writer, is_empty, put_projection};

/// Why an entry is not published, in one line; `None` if it may be.
pub(crate) fn obstacle(working: &Working, owner: &Identity) -> Option<String> {
    match owner.collection(&working.row.home) {
        Some(home) if home.ended => Some(format!(
            "its collection {} has ended; move it first with `ortsnetz move {} COLLECTION`",
            home.label(),
            working.entry
        )),
        _ => unfinished(working, &owner.id()),
    }
}

/// What has to be settled in an entry itself before others may read it, in one line.
pub(crate) fn unfinished(working: &Working, organisation: &OrgId) -> Option<String> {
    let conflicts = working.conflicts(organisation);
    if !conflicts.is_empty() {
        let paths: Vec<&str> = conflicts.iter().map(|conflict| conflict.path.as_str()).collect();
        return Some(format!(
            "unresolved conflicts at {}; look with `ortsnetz conflicts`, decide with `ortsnetz resolve {} PATH N`",
            paths.join(", "),
            working.entry
        ));
    }
    let errors: Vec<Finding> =
        working.findings(organisation).into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    if !errors.is_empty() {
        let lines: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.path, error.message)).collect();
        return Some(lines.join("; "));
    }
    None
}

/// Which version of the working documents is published.
pub(crate) enum Version<'a> {
    /// As they stand.
    Present,
    /// At these heads together with those published last: what a request named, never later typing.
    Requested(&'a [(CollectionId, Vec<Hash>)]),
}

/// Rows and records that publish the entry. Unchanged content gives a publication with unchanged heads ("still correct").
pub(crate) fn plan(
    working: &mut Working,
    writer: &Writer<'_>,
    store: &Store,
    version: &Version<'_>,
) -> Result<Plan, NodeError> {
    let mut plan = Plan::new(Batch::new(Origin::Own));
    let live = working.row.published == Published::Live;
    let mut at_publish = Vec::new();
    let mut draft = false;
    for collection in working.row.collections().collect::<Vec<_>>() {
        let Some(document) = working.documents.get(&collection) else { continue };
        let heads = heads_to_publish(working, document, collection, version);
        let projection = document.project_at(&heads)?;
        draft |= heads != document.heads() && projection != document.project();
        at_publish.push(DocumentHeads { collection, heads: heads.clone() });
        let id = working.document_id(collection);
        let stored = documents::load(store, Side::Published, &id)?;
        let is_home = collection == working.row.home;
        let companion_is_live =
            live && !is_home && rows::projection(store, Side::Published, &collection, &working.entry)?.is_some();
        if !is_home && is_empty(&projection) {
            if companion_is_live {
                withdraw_document(&mut plan, working, collection, writer.organisation, None);
            }
            continue;
        }
        let was_live = if is_home { live } else { companion_is_live };
        let mut published = stored.unwrap_or_else(|| Document::new(writer.actor));
        published.set_actor(writer.actor);
        let chunk = document.publish_into(&heads, &mut published, writer.now)?;
        let new: Vec<Vec<u8>> = chunk.into_iter().map(|chunk| chunk.into_bytes()).collect();
        plan.batch.append_chunks(Side::Published, id, new.clone());
        let feed = FeedId { organisation: writer.organisation, collection };
        let projection = published.project();
        put_projection(&mut plan.batch, Side::Published, collection, working.entry, &projection, writer.now);
        let json = working::json(&projection);
        noticing::put(&mut plan.batch, &feed, &working.entry, &json);
        agreements::put(&mut plan.batch, &feed, &working.entry, &json);
        letters::put(&mut plan.batch, &feed, &working.entry, &json);
        contacts::put(&mut plan.batch, &feed, &working.entry, &json);
        let chunks = if was_live {
            new
        } else {
            published.changes_since(&[]).into_iter().map(|chunk| chunk.into_bytes()).collect()
        };
        plan.items.push(PlannedItem {
            feed,
            entry: working.entry,
            generation: working.row.generation,
            body: Body::Publication { heads: published.heads() },
            chunks,
        });
    }
    working.publishes(at_publish, draft);
    rows::put_own_entry(&mut plan.batch, &working.entry, &working.row);
    Ok(plan)
}

fn heads_to_publish(
    working: &Working,
    document: &Document,
    collection: CollectionId,
    version: &Version<'_>,
) -> Vec<Hash> {
    let Version::Requested(requested) = version else { return document.heads() };
    let mut heads: Vec<Hash> = requested
        .iter()
        .filter(|(of, _)| *of == collection)
        .flat_map(|(_, heads)| heads.iter().copied())
        .chain(
            working
                .row
                .at_publish
                .iter()
                .filter(|at| at.collection == collection)
                .flat_map(|at| at.heads.iter().copied()),
        )
        .filter(|head| document.contains(&[*head]))
        .collect();
    heads.sort();
    heads.dedup();
    // What others among them were written after is in those already.
    let newest: Vec<Hash> = heads
        .iter()
        .filter(|head| !heads.iter().any(|other| other != *head && document.is_ancestor(&[**head], &[*other])))
        .copied()
        .collect();
    if newest.is_empty() { document.heads() } else { newest }
}

/// Rows and records that withdraw the entry everywhere. Working documents stay.
pub(crate) fn plan_withdrawal(working: &mut Working, writer: &Writer<'_>, store: &Store) -> Result<Plan, NodeError> {
    let mut plan = Plan::new(Batch::new(Origin::Own));
    for collection in working.row.collections().collect::<Vec<_>>() {
        if rows::projection(store, Side::Published, &collection, &working.entry)?.is_some() {
            withdraw_document(&mut plan, working, collection, writer.organisation, None);
        }
    }
    working.row.published = Published::Withdrawn;
    working.row.draft = true;
    working.row.request = Request::None;
    rows::put_own_entry(&mut plan.batch, &working.entry, &working.row);
    Ok(plan)
}

fn withdraw_document(
    plan: &mut Plan,
    working: &Working,
    collection: CollectionId,
    organisation: OrgId,
    moved_to: Option<CollectionId>,
) {
    plan.batch.delete(ortsnetz_store::Key::Projection { side: Side::Published, collection, entry: working.entry });
    noticing::forget(&mut plan.batch, &FeedId { organisation, collection }, &working.entry);
    agreements::forget(&mut plan.batch, &FeedId { organisation, collection }, &working.entry);
    letters::forget(&mut plan.batch, &FeedId { organisation, collection }, &working.entry);
    contacts::forget(&mut plan.batch, &FeedId { organisation, collection }, &working.entry);
    plan.items.push(PlannedItem {
        feed: FeedId { organisation, collection },
        entry: working.entry,
        generation: working.row.generation,
        body: Body::Withdrawal { moved_to },
        chunks: Vec::new(),
    });
}

/// Rows and records that move the entry's home to another collection: a fresh document in the next generation there, a
/// withdrawal here, in one batch. A draft only moves without records. Returns the entry as it is afterwards.
///
/// Readers of the old place are told of the new one only if it is `public`, else that it was moved: that any other place
/// exists is none of their business, nor of whoever is let in later and reads the withdrawal then.
pub(crate) fn plan_move(
    working: &Working,
    writer: &Writer<'_>,
    store: &Store,
    target: CollectionId,
    ids: &mut Ids<'_>,
) -> Result<(Working, Plan), NodeError> {
    let entry = working.joined(&writer.organisation);
    plan_move_of(working, &entry, writer, store, target, ids)
}

/// The same for an entry that says something else from then on.
pub(crate) fn plan_move_of(
    working: &Working,
    entry: &Entry,
    writer: &Writer<'_>,
    store: &Store,
    target: CollectionId,
    ids: &mut Ids<'_>,
) -> Result<(Working, Plan), NodeError> {
    let live = working.row.published == Published::Live;
    let mut plan = Plan::new(Batch::new(Origin::Own));
    let mut moved = Working::create(working.entry, target);
    moved.row.generation = working.row.generation + 1;
    // In `internal` an entry and what was withheld from others are one.
    let entry =
        if target == CollectionId::named(&writer.organisation, INTERNAL) { reveal(entry) } else { entry.clone() };
    moved.set(writer, &entry, ids)?;
    if live {
        let mut old = working.clone();
        old.row.generation = moved.row.generation;
        let public = CollectionId::named(&writer.organisation, PUBLIC);
        for collection in working.row.collections().collect::<Vec<_>>() {
            let was_published = rows::projection(store, Side::Published, &collection, &working.entry)?.is_some();
            let stays = moved.row.collections().any(|new| new == collection);
            if was_published && !stays {
                let moved_to = if target == public { target } else { collection };
                withdraw_document(&mut plan, &old, collection, writer.organisation, Some(moved_to));
            }
        }
    }
    for collection in working.row.collections() {
        let id = DocumentId { collection, ..working.document_id(collection) };
        // What was published here stays with the owner, for `show --on`.
        plan.batch.delete_range(Range::Document(Side::Working, id));
    }
    Ok((moved, plan))
}
