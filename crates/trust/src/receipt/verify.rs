//! Whether a receipt holds, and what it then says.

use ortsnetz_model::{Entry, EntryId, NodeId, OrgId, Position, dates};
use serde_json::{Map, Value, json};

use super::{Receipt, ReceiptError};
use crate::accept::{Mode, accept_document};
use crate::identity::{Identity, NodeState, RecordError};
use crate::record::{Body, SignedRecord};

/// What a receipt proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// Who said it.
    pub organisation: OrgId,
    /// Its name, by its genesis.
    pub organisation_name: String,
    /// The place it claims, 12 digits, or empty.
    pub ars: String,
    /// About which entry.
    pub entry_id: EntryId,
    /// Name of the collection.
    pub collection: String,
    /// What it said; `None` if that the entry is no longer there.
    pub entry: Option<Entry>,
    /// Generation of the entry.
    pub generation: u32,
    /// Where the record stands in its feed.
    pub position: Position,
    /// When it was said, by the signer's clock: milliseconds since 1970.
    pub said_at: u64,
    /// Which node signed.
    pub signer: VerifiedSigner,
    /// When the signed state was made that shows the record: it had been said by then.
    pub vouched_at: u64,
    /// Who signed that state, if it is not the record itself.
    pub voucher: Option<VerifiedSigner>,
    /// Time of the newest checkpoint that counts the record.
    pub checkpoint_at: Option<u64>,
    /// How often the root key changed until the receipt was made.
    pub rotations: usize,
}

/// A node that signed, as the chain in the receipt knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSigner {
    /// The node.
    pub node: NodeId,
    /// What people call it; `root` for the organisation's own key.
    pub name: String,
    /// Whether its certificate counts at the time of verifying.
    pub state: NodeState,
    /// When its certificate was taken back, milliseconds since 1970.
    pub revoked_at: Option<u64>,
    /// When its certificate ends or ended.
    pub not_after: Option<u64>,
}

type Readable = (Map<String, Value>, Option<Map<String, Value>>);

impl Receipt {
    /// Verifies everything and says what it proves. `now` is milliseconds since 1970; it matters only for records from
    /// the future and for how the signer's certificate is described.
    pub fn verify(&self, now: u64) -> Result<Verified, ReceiptError> {
        let (verified, (about, entry)) = self.proven(now)?;
        let told = self.entry.as_ref();
        match (told, &entry) {
            (Some(told), Some(signed)) => same(told, signed).map_err(ReceiptError::Entry)?,
            (None, None) => {}
            _ => return Err(ReceiptError::Entry("whether there is one".into())),
        }
        same(&self.about, &about).map_err(ReceiptError::About)?;
        Ok(verified)
    }

    /// What the signatures prove, and the readable parts as they should be.
    pub(super) fn proven(&self, now: u64) -> Result<(Verified, Readable), ReceiptError> {
        let (identity, refused) =
            Identity::from_statements(self.statements.iter().cloned()).map_err(ReceiptError::Chain)?;
        if let Some((signed, error)) = refused.into_iter().next() {
            return Err(ReceiptError::Statement { kind: signed.statement().kind_name(), error });
        }
        let record = self.record.record();
        let Some(entry_id) = record.entry.filter(|_| {
            matches!(record.body, Body::Publication { .. } | Body::Withdrawal { .. } | Body::Redaction { .. })
        }) else {
            return Err(ReceiptError::WrongRecord);
        };
        self.check_witness(&identity, now)?;
        self.check_record(&identity, now)?;
        self.check_checkpoint(&identity, now)?;
        let entry = self.replay(&entry_id)?;
        let collection = identity.collection(&record.feed.collection);
        let checkpoints = [Some(self.witness()), self.checkpoint.as_ref()];
        let checkpoint_at = checkpoints
            .into_iter()
            .flatten()
            .filter(|signed| signed.record().entry.is_none())
            .map(|signed| signed.record().at)
            .max();
        let verified = Verified {
            organisation: identity.id(),
            organisation_name: identity.name().to_owned(),
            ars: identity.ars().to_owned(),
            entry_id,
            // An unknown collection did not pass the check of the record.
            collection: collection.map(|statement| statement.name.clone()).unwrap_or_default(),
            entry,
            generation: record.generation,
            position: record.position,
            said_at: record.at,
            signer: signer(&identity, &self.record, now),
            vouched_at: self.witness().record().at,
            voucher: self.witness.as_ref().map(|witness| signer(&identity, witness, now)),
            checkpoint_at,
            rotations: identity.rotations(),
        };
        let readable = (about(&verified), verified.entry.as_ref().map(readable));
        Ok((verified, readable))
    }

    /// The witness is validly signed and the record stands in its tree.
    fn check_witness(&self, identity: &Identity, now: u64) -> Result<(), ReceiptError> {
        let (record, witness) = (self.record.record(), self.witness().record());
        if self.witness.is_some() {
            let held = identity.verify_record(self.witness(), now);
            held.map_err(|error| ReceiptError::Record { part: "signed state of the collection", error })?;
        }
        let root = match (&witness.totals, &witness.body) {
            (Some(totals), _) => Some(totals.root),
            (None, Body::Checkpoint(checkpoint)) => Some(checkpoint.root),
            (None, _) => None,
        };
        let root = root
            .filter(|_| witness.feed == record.feed && witness.position >= record.position)
            .ok_or(ReceiptError::WrongWitness)?;
        let (entry, item) = record.item().ok_or(ReceiptError::WrongRecord)?;
        if self.inclusion.root(&entry, &item) == Some(root) { Ok(()) } else { Err(ReceiptError::NotIncluded) }
    }

    /// The record is validly signed. What the signer's certificate lacks now, a witness of another signer makes good: it
    /// counted the record, and is itself beyond doubt.
    fn check_record(&self, identity: &Identity, now: u64) -> Result<(), ReceiptError> {
        use RecordError::{BeforeCertificate, Expired, Revoked};
        match identity.verify_record(&self.record, now) {
            Ok(()) => Ok(()),
            Err(error @ (Revoked { .. } | Expired { .. } | BeforeCertificate { .. })) => {
                let vouched = self.witness.as_ref().is_some_and(|witness| witness.node() != self.record.node());
                if vouched { Ok(()) } else { Err(ReceiptError::Unvouched(error)) }
            }
            Err(error) => Err(ReceiptError::Record { part: "record", error }),
        }
    }

    fn check_checkpoint(&self, identity: &Identity, now: u64) -> Result<(), ReceiptError> {
        let Some(signed) = &self.checkpoint else { return Ok(()) };
        let (content, record) = (signed.record(), self.record.record());
        let Body::Checkpoint(checkpoint) = &content.body else { return Err(ReceiptError::NotCounted) };
        identity.verify_record(signed, now).map_err(|error| ReceiptError::Record { part: "checkpoint", error })?;
        let counts = content.feed == record.feed
            && content.position > record.position
            && checkpoint.admits(content.position, record.position);
        if counts { Ok(()) } else { Err(ReceiptError::NotCounted) }
    }

    /// The entry the changes add up to.
    fn replay(&self, id: &EntryId) -> Result<Option<Entry>, ReceiptError> {
        let heads = self.heads();
        if heads.is_empty() {
            return if self.changes.is_empty() {
                Ok(None)
            } else {
                Err(ReceiptError::Entry("changes of an entry that is not there".into()))
            };
        }
        let accepted = accept_document(None, heads, &self.changes, Mode::Exact).map_err(ReceiptError::Changes)?;
        let mut entry = accepted.entry;
        entry.set_id(id);
        Ok(Some(entry))
    }
}

fn signer(identity: &Identity, signed: &SignedRecord, now: u64) -> VerifiedSigner {
    let node = signed.node();
    let certificate = identity.last_certificate(&node);
    let by_root = certificate.is_none() && identity.root() == node.into();
    VerifiedSigner {
        node,
        name: certificate.map_or_else(|| "root".into(), |certificate| certificate.name.clone()),
        state: if by_root { NodeState::Valid } else { identity.node_state(&node, now) },
        revoked_at: identity.revocation(&node).map(|revocation| revocation.at),
        not_after: certificate.map(|certificate| certificate.not_after),
    }
}

/// The header of the file: what a person wants to know first.
fn about(verified: &Verified) -> Map<String, Value> {
    let title = verified.entry.as_ref().and_then(|entry| entry.title("de")).unwrap_or_default();
    let kind = verified.entry.as_ref().map(|entry| entry.kind().as_str().to_owned()).unwrap_or_default();
    let value = json!({
        "organisation": {"name": verified.organisation_name, "ars": verified.ars, "id": verified.organisation.to_string()},
        "entry": {"id": verified.entry_id.to_string(), "kind": kind, "title": title},
        "collection": verified.collection,
        "state": if verified.entry.is_some() { "published" } else { "withdrawn" },
        "said_at": dates::rfc3339(verified.said_at),
        "signed_by": {"node": verified.signer.node.to_string(), "name": verified.signer.name},
        "position": verified.position.to_string(),
        "generation": verified.generation,
        "vouched_at": dates::rfc3339(verified.vouched_at),
        "checkpoint_at": verified.checkpoint_at.map(dates::rfc3339),
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The entry as it reads back from text, so that a number is compared as it is written.
fn readable(entry: &Entry) -> Map<String, Value> {
    let text = serde_json::to_vec(entry.as_map()).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// The name of the first field that differs.
fn same(told: &Map<String, Value>, signed: &Map<String, Value>) -> Result<(), String> {
    let names = signed.keys().chain(told.keys().filter(|name| !signed.contains_key(*name)));
    for name in names {
        if told.get(name) != signed.get(name) {
            return Err(name.clone());
        }
    }
    Ok(())
}
