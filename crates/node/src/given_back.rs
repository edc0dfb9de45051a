//! What this organisation published and no checkpoint of it counts, because the disk was set back or ran twice, and nobody
//! said so in time: whoever kept it gives it back, and it becomes a draft, so that a person decides.

use std::sync::Arc;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use ortsnetz_model::{DocumentId, Entry, EntryId, FeedId, Hash, NodeId};
use ortsnetz_store::{Batch, Key, Side, Store};
use ortsnetz_sync::{Event, Item, OpId};
use ortsnetz_trust::accept::{Mode, accept_document};
use ortsnetz_trust::record::{Body, Record, SignedRecord};

use crate::alarms;
use crate::clock;
use crate::documents;
use crate::driver::Input;
use crate::editing;
use crate::error::NodeError;
use crate::rows;
use crate::shared::Shared;
use crate::working::Working;

/// Table of the changes of records that were set aside: key is the hash of the record.
const ASIDE: &str = "aside";

#[derive(Encode, Decode)]
struct AsideRow {
    #[n(0)]
    changes: Vec<ByteVec>,
}

/// Keeps the changes of a record that is set aside now, beside it: its document will hold others.
pub(crate) fn keep_changes(shared: &Shared, batch: &mut Batch, hash: &Hash, record: &[u8]) {
    let changes = SignedRecord::from_bytes(record).ok().and_then(|signed| changes(shared, signed.record()));
    if let Some(changes) = changes {
        batch.put(row(hash), rows::encode(&AsideRow { changes: changes.into_iter().map(ByteVec::from).collect() }));
    }
}

/// The changes kept beside a record; none if they were lost.
pub(crate) fn kept_changes(store: &Store, record: &[u8]) -> Vec<Vec<u8>> {
    let kept = store.get(&row(&Hash::of(record))).ok().flatten();
    let kept = kept.and_then(|bytes| rows::decode::<AsideRow>("changes set aside", &bytes).ok());
    kept.map(|row| row.changes.into_iter().map(Into::into).collect()).unwrap_or_default()
}

/// Deletes a record that was set aside, with its changes.
pub(crate) fn forget(batch: &mut Batch, key: Key) {
    if let Key::SetAside { hash, .. } = &key {
        batch.delete(row(hash));
    }
    batch.delete(key);
}

fn row(hash: &Hash) -> Key {
    Key::Custom { table: ASIDE.into(), key: hash.0.to_vec() }
}

/// The changes of a record, as its document holds them at present.
fn changes(shared: &Shared, record: &Record) -> Option<Vec<Vec<u8>>> {
    let heads = record.heads().filter(|heads| !heads.is_empty())?;
    let id = DocumentId { collection: record.feed.collection, entry: record.entry?, generation: record.generation };
    let document = documents::load(&shared.store, Side::Published, &id).ok()??;
    let exact = document.contains(heads) && document.heads().len() == heads.len();
    exact.then(|| document.changes_since(&[]).into_iter().map(|chunk| chunk.into_bytes()).collect())
}

/// Takes over what somebody gave back, tells a person, and answers the engine. Blocks, and waits for the loop meanwhile.
pub(crate) fn take_over(shared: &Arc<Shared>, op: OpId, node: NodeId, feed: FeedId, items: &[Item]) {
    let mut ok = true;
    for item in items {
        let Ok(signed) = SignedRecord::from_bytes(&item.record) else { continue };
        // Of a node whose certificate was taken back nothing comes in this way.
        let identity = shared.identity();
        if identity.is_revoked(&signed.node()) && signed.signature_holds() {
            let (writer, from) = (shared.node_name(&signed.node()), shared.node_name(&node));
            let entry = signed.record().entry.map_or_else(String::new, |entry| format!(", the last of entry {entry}"));
            let message = format!(
                "{from} gave back records that {writer} signed and that were not here when its certificate was taken back{entry}: they do not count, and nothing of them was taken over. If {writer} published something right in its last hours, write it again."
            );
            alarms::note(shared, "of_revoked_node", &signed.node().to_string(), None, message);
            continue;
        }
        let verified = shared.identity().verify_record(&signed, clock::now()).is_ok();
        let Some(entry) = signed.record().entry.filter(|_| verified) else { continue };
        match become_draft(shared, &feed, entry, signed.record(), item) {
            Ok(None) => {}
            Ok(Some(outcome)) => {
                let who = shared.organisation_of(&node);
                let from = who.map_or_else(|| node.to_string(), |who| shared.organisation_name(&who));
                let message = format!(
                    "{from} gave back what was published here on a disk that was set back meanwhile, or that ran twice, and that does not count any more: entry {entry}. {outcome}"
                );
                alarms::note(shared, "given_back", &entry.to_string(), None, message);
            }
            Err(error) => {
                // Whoever gave it keeps it then, and gives it again.
                tracing::warn!(%entry, %error, "what was given back could not be taken over");
                ok = false;
            }
        }
    }
    let _ = shared.driver.send(Input::Answer(Event::Stored { op, ok }));
}

/// What became of it, for a person; `None` if it was redacted or moved since, so that nothing of it may come back.
fn become_draft(
    shared: &Shared,
    feed: &FeedId,
    entry: EntryId,
    record: &Record,
    item: &Item,
) -> Result<Option<String>, NodeError> {
    let _locks = shared.locks.lock(&[entry]);
    let working = Working::load(&shared.store, entry)?;
    if working.as_ref().is_some_and(|working| working.row.generation > record.generation) {
        return Ok(None);
    }
    let Body::Publication { heads } = &record.body else {
        return Ok(Some("It was withdrawn or redacted there; do that again if it is still right.".into()));
    };
    let accepted = accept_document(None, heads, &item.chunks, Mode::Exact).map(|accepted| accepted.entry);
    let Ok(content) = accepted else {
        return Ok(Some("What it said is not there any more; write it again.".into()));
    };
    let (mut working, content) = match working {
        None => {
            let mut working = Working::create(entry, feed.collection);
            working.row.generation = record.generation;
            (working, content)
        }
        Some(working) if working.row.home == feed.collection => {
            let content = with_companions(content, working.joined(&shared.own.organisation));
            (working, content)
        }
        Some(_) => return Ok(Some("It was a companion of an entry that is here; compare them.".into())),
    };
    editing::write(shared, &mut working, &content)?;
    Ok(Some(format!(
        "It is here as a draft: read it with `ortsnetz show {entry} --draft`, and publish it if it is still right."
    )))
}

/// The content with the companions that the entry has here.
fn with_companions(mut content: Entry, mut here: Entry) -> Entry {
    for (name, companion) in here.split_companions() {
        content.join_companion(&name, &companion);
    }
    content
}
