//! What was changed here while the publisher moved the entry to another collection: the move makes a fresh document, so the
//! change is kept as a difference and written again, as a draft, when the entry is here at its new place.

use std::sync::Arc;

use ortsnetz_model::{EntryId, Ids, patch};
use ortsnetz_store::{Batch, Key, Origin, Range, Side};
use serde_json::Value;

use crate::catalog;
use crate::error::NodeError;
use crate::rows::{self, Published};
use crate::shared::Shared;
use crate::working::Working;

/// Table of changes that wait: key is the entry, value a JSON merge patch.
const CARRIED: &str = "carried";
/// What the writer of a request is told.
pub(crate) const MOVED_MEANWHILE: &str =
    "the entry was moved to another collection meanwhile; the change is a draft there, look at it and publish it again";

/// The row in which a change to an entry waits. It goes with the entry's working documents when the entry is redacted.
pub(crate) fn key(entry: &EntryId) -> Key {
    Key::Custom { table: CARRIED.into(), key: entry.0.to_vec() }
}

/// Keeps what this node changed in an entry and nobody published, because a higher generation takes its place that is no
/// redaction.
pub(crate) fn keep(shared: &Shared, batch: &mut Batch, entry: &EntryId) -> Result<(), NodeError> {
    let Some(working) = Working::load(&shared.store, *entry)?.filter(|working| working.row.draft) else {
        return Ok(());
    };
    // What only other nodes changed they carry themselves.
    let own = shared.store.record(&shared.own.drafts, entry)?;
    if own.is_none_or(|record| record.generation != working.row.generation) {
        return Ok(());
    }
    let organisation = &shared.own.organisation;
    let published = working.joined_of(organisation, |collection| {
        let row = rows::projection(&shared.store, Side::Published, collection, entry)?;
        row.map(|row| catalog::read_entry(entry, &row.json)).transpose()
    })?;
    let mut change = patch::difference(published.as_map(), working.joined(organisation).as_map());
    change.shift_remove("kind");
    if !change.is_empty() {
        batch.put(key(entry), Value::Object(change).to_string().into_bytes());
    }
    Ok(())
}

/// Writes the changes that waited for entries which are here now, on a thread of its own: it waits for the loop.
pub(crate) fn arrived(shared: &Arc<Shared>) {
    match shared.store.scan(&Range::Custom(CARRIED.into()), None, 1) {
        Ok(rows) if rows.is_empty() => return,
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "changes that wait for moved entries could not be read"),
    }
    let shared = shared.clone();
    let _ = std::thread::Builder::new().name("carrying".into()).spawn(move || {
        if let Err(error) = carry(&shared) {
            tracing::error!(%error, "a change could not be carried to where its entry was moved; it is tried again");
        }
    });
}

fn carry(shared: &Shared) -> Result<(), NodeError> {
    for (at, _) in shared.store.scan(&Range::Custom(CARRIED.into()), None, usize::MAX)? {
        let Key::Custom { key: bytes, .. } = &at else { continue };
        let Ok(entry) = bytes.as_slice().try_into().map(EntryId) else { continue };
        let _locks = shared.locks.lock(&[entry]);
        // Read under the lock: a redaction takes it away, and what it said must not come back.
        let Some(change) = shared.store.get(&at)? else { continue };
        let Some(mut working) = Working::load(&shared.store, entry)? else { continue };
        // Before the owner's publication is here nobody knows that the entry was not redacted.
        if working.row.published != Published::Live || !working.documents.contains_key(&working.row.home) {
            continue;
        }
        let change = serde_json::from_slice(&change)
            .map_err(|error| NodeError::Unavailable(format!("a change that waits for entry {entry}: {error}")))?;
        let mut target = working.joined(&shared.own.organisation).apply_patch(&change)?;
        target.set_id(&entry);
        let writer = shared.writer();
        working.set(&writer, &target, &mut Ids::Random(&mut rand::rng()))?;
        let mut plan = working.plan(&writer, &shared.store, None)?;
        plan.batch.origin(Origin::Own);
        plan.batch.delete(at);
        shared.commit(plan)?;
        tracing::info!(%entry, "a change made here was carried to where the entry was moved");
    }
    Ok(())
}
