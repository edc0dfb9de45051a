//! Whether a record may stand in its feed.

use ortsnetz_model::{NodeId, Position};

use super::Identity;
use crate::keys::PublicKey;
use crate::limits::AHEAD_MS_MAX;
use crate::record::{Body, Checkpoint, Equivocation, Record, SignedRecord};

/// The term of the final record that root writes into the draft feed of a node whose certificate it took back: behind
/// everything the node itself can write, whose drafts all stand in term 0.
pub const FINAL_TERM: u32 = 1;

/// Why a record is not accepted. Some are held back until something else is known: [`RecordError::is_held`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It belongs to another organisation.
    #[error("the record belongs to another organisation")]
    OtherOrganisation,
    /// We know no collection of this organisation with this id. Held: the chain may be behind.
    #[error("the record's collection is not known")]
    UnknownCollection,
    /// We do not know who publishes in this term. Held: the chain may be behind.
    #[error("the publisher of term {term} is not known")]
    UnknownTerm {
        /// The term of the record.
        term: u32,
    },
    /// Somebody else than the publisher of the term, or than the node of the draft feed.
    #[error("signed by {signer}, who may not write in this feed")]
    WrongSigner {
        /// Who signed.
        signer: NodeId,
    },
    /// The signer has no certificate. Held: the chain may be behind.
    #[error("{signer} has no certificate")]
    NoCertificate {
        /// Who signed.
        signer: NodeId,
    },
    /// The signer may not write drafts.
    #[error("{signer} may not write drafts")]
    NoRole {
        /// Who signed.
        signer: NodeId,
    },
    /// The signer was revoked, and no checkpoint says that this record counts. Held: the checkpoint may come.
    #[error("the certificate of {signer} was taken back")]
    Revoked {
        /// Who signed.
        signer: NodeId,
    },
    /// A body that does not belong into this kind of feed.
    #[error("a record of this kind does not belong into this feed")]
    WrongBody,
    /// The signature is not the signer's.
    #[error("the signature is wrong")]
    BadSignature,
    /// Made before the signer's certificate began.
    #[error("made {ms} ms before the certificate began")]
    BeforeCertificate {
        /// By how much.
        ms: u64,
    },
    /// Made after the signer's certificate ended. Held until it is renewed; what was verified before stays.
    #[error("made {ms} ms after the certificate ended")]
    Expired {
        /// By how much.
        ms: u64,
    },
    /// Its time or epoch lies too far ahead of our clock. Held until then.
    #[error("{ms} ms ahead of our clock")]
    TooFarAhead {
        /// By how much.
        ms: u64,
    },
    /// Two records that do not contradict each other, offered as evidence that they do.
    #[error("the two records do not contradict each other")]
    NoContradiction,
}

impl RecordError {
    /// Whether the record should be kept aside and judged again later, without an alarm for whoever sent it.
    pub fn is_held(&self) -> bool {
        matches!(
            self,
            Self::UnknownCollection
                | Self::UnknownTerm { .. }
                | Self::NoCertificate { .. }
                | Self::Revoked { .. }
                | Self::Expired { .. }
                | Self::TooFarAhead { .. }
        )
    }
}

impl Identity {
    /// Whether this record may stand in its feed: right organisation, entitled signer, valid signature, certificate
    /// begun, not too far ahead of `now` (milliseconds since 1970). The verdict is for storing: it is not asked again.
    pub fn verify_record(&self, record: &SignedRecord, now: u64) -> Result<(), RecordError> {
        self.verify_record_within(record, now, None)
    }

    /// The same for a reader that already holds a verified checkpoint of the feed (and its position): a record of a
    /// revoked node counts if the checkpoint admits it.
    pub fn verify_record_within(
        &self,
        record: &SignedRecord,
        now: u64,
        checkpoint: Option<(&Checkpoint, Position)>,
    ) -> Result<(), RecordError> {
        let content = record.record();
        let (signer, by_root) = self.check_signer(record)?;
        if !record.signature_holds() {
            return Err(RecordError::BadSignature);
        }
        if !by_root {
            self.check_certificate(content, signer, checkpoint)?;
        }
        let latest = content.at.max(content.position.epoch);
        let ahead = latest.saturating_sub(now);
        if ahead > AHEAD_MS_MAX { Err(RecordError::TooFarAhead { ms: ahead }) } else { Ok(()) }
    }

    /// Whether the evidence is real: both records by an entitled signer with valid signatures. Dates do not matter.
    pub fn verify_equivocation(&self, evidence: &Equivocation) -> Result<(), RecordError> {
        if !evidence.is_consistent() {
            return Err(RecordError::NoContradiction);
        }
        let (first, second) = evidence.records();
        for record in [first, second] {
            self.check_signer(record)?;
            if !record.signature_holds() {
                return Err(RecordError::BadSignature);
            }
        }
        Ok(())
    }

    /// The signer, if it is the one this feed and term belong to, and whether it is root.
    fn check_signer(&self, record: &SignedRecord) -> Result<(NodeId, bool), RecordError> {
        let (content, signer) = (record.record(), record.node());
        if content.feed.organisation != self.id() {
            return Err(RecordError::OtherOrganisation);
        }
        let for_drafts = matches!(content.body, Body::Draft(_) | Body::Answer(_));
        let by_root = PublicKey::from(signer) == self.root() && matches!(content.body, Body::Checkpoint(_));
        if let Some(node) = self.draft_node(&content.feed.collection) {
            if by_root && content.position.term == FINAL_TERM {
                return Ok((signer, true));
            }
            if node != signer || content.position.term != 0 {
                return Err(RecordError::WrongSigner { signer });
            }
            let fits = for_drafts || matches!(content.body, Body::Withdrawal { .. } | Body::Checkpoint(_));
            return if fits { Ok((signer, false)) } else { Err(RecordError::WrongBody) };
        }
        if for_drafts || content.position.term == 0 {
            // Perhaps the draft feed of a node whose certificate we lack.
            return Err(if for_drafts && content.position.term == 0 {
                RecordError::NoCertificate { signer }
            } else {
                RecordError::WrongBody
            });
        }
        if self.collection(&content.feed.collection).is_none() {
            return Err(RecordError::UnknownCollection);
        }
        if by_root {
            return Ok((signer, true));
        }
        let term = content.position.term;
        match self.publisher(term) {
            None => Err(RecordError::UnknownTerm { term }),
            Some(publisher) if publisher != signer => Err(RecordError::WrongSigner { signer }),
            Some(_) => Ok((signer, false)),
        }
    }

    fn check_certificate(
        &self,
        record: &Record,
        signer: NodeId,
        checkpoint: Option<(&Checkpoint, Position)>,
    ) -> Result<(), RecordError> {
        let certificate = self.last_certificate(&signer).ok_or(RecordError::NoCertificate { signer })?;
        if self.certificate(&signer).is_none() {
            let admitted = checkpoint.is_some_and(|(checkpoint, own)| {
                // Only what the checkpoint cuts: its own epoch could be the lost node's.
                (record.position.term, record.position.epoch) < (own.term, own.epoch)
                    && checkpoint.admits(own, record.position)
            });
            if !admitted {
                return Err(RecordError::Revoked { signer });
            }
        }
        let drafts = record.position.term == 0;
        if drafts && !certificate.roles.edit && !certificate.roles.admin {
            return Err(RecordError::NoRole { signer });
        }
        if record.at < certificate.not_before {
            return Err(RecordError::BeforeCertificate { ms: certificate.not_before - record.at });
        }
        if record.at > certificate.not_after {
            return Err(RecordError::Expired { ms: record.at - certificate.not_after });
        }
        Ok(())
    }
}
