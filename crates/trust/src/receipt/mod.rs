//! Receipts: one file that shows years later, without any node, who said what and when.
//!
//! 1. The *chain*: genesis, rotations, certificates, revocations, terms and the collection's statement say whose key it is.
//! 2. The *record* is the publisher's signature over the heads of the entry; the *changes* have exactly these heads, and
//!    what they add up to is the entry as it stands readable in the file.
//! 3. The *witness* is the newest signed state of the whole collection, and the way through its hash tree shows that the
//!    record stands in it. So a record counts although its signer was taken back later, and a thief's does not, whatever
//!    date it bears.
//! 4. The newest *checkpoint* that counts the record is added where there is one.
//!
//! Verifying needs the file alone. What was signed after the receipt was made it cannot know, and says so.

mod file;
#[cfg(test)]
mod tests;
mod verify;

use ortsnetz_model::{Hash, OrgId};
use serde_json::{Map, Value};

pub use verify::{Verified, VerifiedSigner};

use crate::accept::AcceptError;
use crate::canonical::EncodingError;
use crate::identity::{Identity, RecordError, Slot, StatementError, View};
use crate::record::SignedRecord;
use crate::statement::Signed;
use crate::tree::Inclusion;

/// The version of the file format written by this crate.
pub const RECEIPT_VERSION: u64 = 1;

/// A receipt as it is in memory. Made by [`Receipt::make`] or read by [`Receipt::from_bytes`]; counts only once
/// [`Receipt::verify`] says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    about: Map<String, Value>,
    entry: Option<Map<String, Value>>,
    statements: Vec<Signed>,
    record: SignedRecord,
    changes: Vec<Vec<u8>>,
    /// `None` if the record is its own witness: it carries the totals.
    witness: Option<SignedRecord>,
    checkpoint: Option<SignedRecord>,
    inclusion: Inclusion,
}

/// What a receipt is made of.
#[derive(Clone, Debug)]
pub struct Material<'a> {
    /// Whose entry it is.
    pub identity: &'a Identity,
    /// The newest record of the entry.
    pub record: SignedRecord,
    /// All changes of its document; none for a withdrawal.
    pub changes: Vec<Vec<u8>>,
    /// The newest record of the feed; it carries the root of the tree.
    pub witness: SignedRecord,
    /// The newest checkpoint of the feed, if there is one.
    pub checkpoint: Option<SignedRecord>,
    /// The way of the record through the tree.
    pub inclusion: Inclusion,
}

/// Why a receipt does not count. One line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Longer than a receipt may be.
    #[error("{bytes} bytes, more than the {max} a receipt may have")]
    TooLong {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        max: usize,
    },
    /// Not the JSON a receipt is.
    #[error("not a receipt: {0}")]
    Malformed(String),
    /// Written by a newer version.
    #[error("receipt version {0} is unknown to this program; a newer one can read it")]
    Version(u64),
    /// More of something than a receipt may have.
    #[error("{found} {what}, allowed are {max}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// A part is not what it should be.
    #[error("{part} cannot be read: {error}")]
    Part {
        /// Which part.
        part: String,
        /// What is wrong.
        error: EncodingError,
    },
    /// The statements do not make an organisation.
    #[error("the chain of the organisation does not hold: {0}")]
    Chain(StatementError),
    /// One statement is not signed by anybody entitled.
    #[error("the {kind} in the chain does not hold: {error}")]
    Statement {
        /// Its kind.
        kind: &'static str,
        /// Why.
        error: StatementError,
    },
    /// The record is not about an entry as readers get it.
    #[error("the record is no publication, withdrawal or redaction of an entry")]
    WrongRecord,
    /// A signed record does not hold.
    #[error("the {part} does not hold: {error}")]
    Record {
        /// Which one.
        part: &'static str,
        /// Why.
        error: RecordError,
    },
    /// The signer lost its certificate and nobody else vouches for the record.
    #[error("{0}, and no later signature of another node vouches for it")]
    Unvouched(RecordError),
    /// The witness cannot vouch for the record.
    #[error("the signed state of the collection is of another feed, older than the record, or carries no root")]
    WrongWitness,
    /// The record does not stand in the signed tree.
    #[error("the record does not stand in the signed state of the collection")]
    NotIncluded,
    /// The checkpoint does not count the record.
    #[error("the checkpoint does not count the record")]
    NotCounted,
    /// The changes are not what was signed.
    #[error("the changes are not what was signed: {0}")]
    Changes(AcceptError),
    /// The readable entry is not what was signed.
    #[error("the entry in the file is not what was signed: {0} differs")]
    Entry(String),
    /// The readable header says something else than the proof.
    #[error("the header of the file is not what was signed: {0} differs")]
    About(String),
    /// Of another organisation than asked for.
    #[error("signed by organisation {0}, not by the one asked for")]
    OtherOrganisation(OrgId),
}

impl Receipt {
    /// Makes a receipt and verifies it as anybody else would, so that none leaves the house that does not hold.
    pub fn make(material: Material<'_>, now: u64) -> Result<Self, ReceiptError> {
        let Material { identity, record, changes, witness, checkpoint, inclusion } = material;
        let own = witness == record;
        let position = record.record().position;
        let checkpoint =
            checkpoint.filter(|checkpoint| *checkpoint != witness && checkpoint.record().position > position);
        let mut receipt = Self {
            about: Map::new(),
            entry: None,
            statements: chain(identity, &record),
            record,
            changes,
            witness: (!own).then_some(witness),
            checkpoint,
            inclusion,
        };
        let (about, entry) = receipt.proven(now)?.1;
        (receipt.about, receipt.entry) = (about, entry);
        Ok(receipt)
    }

    /// The record.
    pub fn record(&self) -> &SignedRecord {
        &self.record
    }

    /// The heads that were signed; none for a withdrawal.
    pub fn heads(&self) -> &[Hash] {
        self.record.record().heads().unwrap_or_default()
    }

    /// The signed state in whose tree the record stands.
    fn witness(&self) -> &SignedRecord {
        self.witness.as_ref().unwrap_or(&self.record)
    }
}

/// The statements that say whose key it is, and no others: whom the organisation works with is nobody's business here.
fn chain(identity: &Identity, record: &SignedRecord) -> Vec<Signed> {
    let collection = record.record().feed.collection;
    let mut statements = identity.statements_for(View::Own);
    statements.retain(|signed| {
        let (slot, _) = Slot::of(signed.statement(), &identity.id());
        match slot {
            Slot::Genesis | Slot::Rotation(_) | Slot::Certificate(_) | Slot::Revocation(_) | Slot::Term(_) => true,
            Slot::Collection(id) => id == collection,
            Slot::Succession(_)
            | Slot::SuccessionConfirmation(_)
            | Slot::Partnership(_)
            | Slot::Confirmation(_)
            | Slot::Delegation(..)
            | Slot::Removal(..)
            | Slot::Leaving
            | Slot::Deletion(..) => false,
        }
    });
    statements
}
