//! `receipt` and `verify`: what was said, in a file that needs no node.

use ortsnetz_model::{EntryId, FeedId, OrgId};
use ortsnetz_sync::Engine;
use ortsnetz_trust::accept::part_of;
use ortsnetz_trust::identity::NodeState;
use ortsnetz_trust::receipt::{Material, Verified, VerifiedSigner};
use ortsnetz_trust::record::SignedRecord;
use ortsnetz_trust::{Receipt, ReceiptError};

use crate::catalog;
use crate::clock::{self, rfc3339};
use crate::documents;
use crate::dto::{OrganisationInfo, ReceiptInfo, ReceiptSigner};
use crate::editing::not_found;
use crate::error::NodeError;
use crate::partners::look;
use crate::shared::Shared;
use crate::short;

/// How often a receipt is tried again when the collection changed meanwhile.
const TRIES: usize = 8;

/// `receipt`: the file for the published state of an entry, ours or another organisation's. Blocks.
pub(crate) fn receipt(shared: &Shared, id: &str) -> Result<String, NodeError> {
    let id = short::entry_id(shared, id)?;
    let held = catalog::find(shared, &id)?.ok_or_else(|| not_found(&id))?;
    let feed = held.feed;
    for _ in 0..TRIES {
        if let Some(text) = try_receipt(shared, &feed, &id)? {
            return Ok(text);
        }
    }
    Err(NodeError::Conflict(format!("the collection of entry {id} changes all the time; try again in a moment")))
}

/// `None` if something changed while it was read.
fn try_receipt(shared: &Shared, feed: &FeedId, id: &EntryId) -> Result<Option<String>, NodeError> {
    let (of, entry) = (*feed, *id);
    let proof = look(shared, move |engine: &Engine| engine.proof(&of, &entry))?.ok_or_else(|| {
        NodeError::Unavailable(format!(
            "entry {id}: this node does not hold the whole of {} at the moment, so nothing proves its state; try again when `ortsnetz status` says in sync",
            shared.collection_name(feed)
        ))
    })?;
    let (Some(record), stored) = unzip(shared.store.record_with_document(feed, id)?) else { return Ok(None) };
    let record = read(feed, id, &record.bytes)?;
    let checkpoint = shared.store.markers(feed)?.pop().map(|(_, bytes)| read(feed, id, &bytes)).transpose()?;
    let witness = match proof.witness {
        Some(entry) => shared.store.record(feed, &entry)?.map(|row| read(feed, &entry, &row.bytes)).transpose()?,
        None => checkpoint.clone(),
    };
    let Some(witness) = witness.filter(|_| record.record().position == proof.position) else { return Ok(None) };
    let changes = match stored.map(documents::from_stored).transpose()?.flatten() {
        Some(document) => {
            let all: Vec<Vec<u8>> = document.changes_since(&[]).into_iter().map(|chunk| chunk.into_bytes()).collect();
            // Beside the signed history there may be changes that do not count any more.
            part_of(record.record().heads().unwrap_or_default(), &all)
                .map_err(|error| NodeError::Unavailable(format!("entry {id}: its document is damaged: {error}")))?
        }
        None => Vec::new(),
    };
    let identity = shared.identity_of(&feed.organisation).ok_or_else(|| not_found(id))?;
    let inclusion = proof.inclusion;
    let material = Material { identity: &identity, record, changes, witness, checkpoint, inclusion };
    match Receipt::make(material, clock::now()) {
        Ok(receipt) => Ok(Some(receipt.to_text())),
        // The rows were read one after the other: a newer one among them.
        Err(ReceiptError::NotIncluded | ReceiptError::WrongWitness | ReceiptError::Changes(_)) => Ok(None),
        Err(error) => Err(NodeError::Unavailable(format!("entry {id}: no receipt is possible: {error}"))),
    }
}

fn unzip<A, B>(both: Option<(A, B)>) -> (Option<A>, Option<B>) {
    both.map_or((None, None), |(a, b)| (Some(a), Some(b)))
}

fn read(feed: &FeedId, id: &EntryId, bytes: &[u8]) -> Result<SignedRecord, NodeError> {
    SignedRecord::from_bytes(bytes).map_err(|error| catalog::damaged_record(feed, id, &error.to_string()))
}

/// `verify`: works without a daemon and without a data directory. `organisation` is who must have said it.
pub(crate) fn verify(bytes: &[u8], organisation: Option<&str>) -> Result<ReceiptInfo, NodeError> {
    let expected: Option<OrgId> = organisation.map(str::parse).transpose()?;
    let failed = |error: ReceiptError| NodeError::Conflict(error.to_string());
    let verified = Receipt::from_bytes(bytes).and_then(|receipt| receipt.verify(clock::now())).map_err(failed)?;
    match expected {
        Some(expected) if expected != verified.organisation => {
            Err(failed(ReceiptError::OtherOrganisation(verified.organisation)))
        }
        _ => Ok(info(verified)),
    }
}

fn info(verified: Verified) -> ReceiptInfo {
    let notes = notes(&verified);
    ReceiptInfo {
        ok: true,
        organisation: OrganisationInfo {
            id: verified.organisation.to_string(),
            name: verified.organisation_name,
            ars: verified.ars,
            ..OrganisationInfo::default()
        },
        id: verified.entry_id.to_string(),
        collection: verified.collection,
        state: if verified.entry.is_some() { "published" } else { "withdrawn" }.into(),
        entry: verified.entry.map(|entry| entry.as_map().clone()),
        generation: verified.generation,
        position: verified.position.to_string(),
        said_at: rfc3339(verified.said_at),
        signed_by: signer(&verified.signer),
        vouched_at: rfc3339(verified.vouched_at),
        vouched_by: verified.voucher.as_ref().map(signer),
        checkpoint_at: verified.checkpoint_at.map(rfc3339),
        notes,
    }
}

fn signer(signer: &VerifiedSigner) -> ReceiptSigner {
    ReceiptSigner {
        node: signer.node.to_string(),
        name: signer.name.clone(),
        state: match signer.state {
            NodeState::Unknown => "unknown",
            NodeState::NotYet => "not_yet",
            NodeState::Valid => "valid",
            NodeState::Expired => "expired",
            NodeState::Revoked => "revoked",
        }
        .into(),
    }
}

/// What a reader of the verdict should know beside it.
fn notes(verified: &Verified) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(at) = verified.signer.revoked_at {
        notes.push(format!(
            "the certificate of the signing node was taken back on {}; the signature of {} made on {} shows that the record counted",
            rfc3339(at),
            verified.voucher.as_ref().map_or("nobody", |voucher| voucher.name.as_str()),
            rfc3339(verified.vouched_at)
        ));
    } else if let (NodeState::Expired, Some(end)) = (verified.signer.state, verified.signer.not_after) {
        notes.push(format!("the certificate of the signing node ended on {}, after the record was made", rfc3339(end)));
    }
    if verified.rotations > 0 {
        notes.push(format!(
            "the root key was replaced {} time(s); each change is signed by the key before it",
            verified.rotations
        ));
    }
    notes.push(
        "what was signed after this receipt was made is not in it; the organisation is who its id says: compare the id with one you trust"
            .into(),
    );
    notes
}
