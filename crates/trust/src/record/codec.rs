//! The signed bytes of a record. Times are written as differences from the position's epoch and a previous position
//! without its term where that is the same, which saves a third of a publication.

use minicbor::decode::Error as DecodeError;
use minicbor::{Decode, Decoder, Encode, Encoder};
use ortsnetz_model::{FeedId, Hash, Position};

use super::{Answer, Body, Draft, Outcome, RECORD_VERSION, Record};
use crate::canonical::{self, EncodingError, rule};
use crate::limits::{CUTS_MAX, DRAFT_DOCUMENTS_MAX, HEADS_MAX, REASON_BYTES_MAX, RECORD_BYTES_MAX};

/// Numbers from this on would not survive the way through a signed difference.
const TIME_MAX: u64 = i64::MAX as u64;

impl Record {
    /// The canonical bytes of this record. Fails if it breaks a rule or a limit.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodingError> {
        self.check()?;
        let bytes = canonical::encode(self);
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(EncodingError::TooLong { bytes: bytes.len(), max: RECORD_BYTES_MAX });
        }
        Ok(bytes)
    }

    /// Reads a record; refuses everything that [`Record::to_bytes`] would not have written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EncodingError> {
        let record: Self = canonical::decode(bytes, RECORD_BYTES_MAX)?;
        record.check()?;
        Ok(record)
    }

    fn check(&self) -> Result<(), EncodingError> {
        let times = [self.at, self.position.epoch, self.previous.map_or(0, |previous| previous.epoch)];
        rule(times.iter().all(|time| *time < TIME_MAX), || "a time beyond all measure".into())?;
        rule(self.previous.is_none_or(|previous| previous < self.position), || {
            "the previous position is not before the position".into()
        })?;
        rule(self.position.sequence > 0, || "sequences count from 1".into())?;
        let has_entry = self.entry.is_some();
        rule(has_entry != matches!(self.body, Body::Checkpoint(_)), || {
            "a checkpoint has no entry, every other record has one".into()
        })?;
        rule(has_entry || (self.generation == 0 && self.previous.is_none()), || {
            "a checkpoint has no generation and no previous position".into()
        })?;
        match &self.body {
            Body::Publication { heads } => {
                rule(!heads.is_empty(), || "a publication without heads".into())?;
                check_heads(heads)
            }
            Body::Redaction { heads } => check_heads(heads),
            Body::Withdrawal { .. } => Ok(()),
            Body::Checkpoint(checkpoint) => {
                let cuts = &checkpoint.cuts;
                rule(cuts.len() <= CUTS_MAX, || format!("{} cuts, allowed are {CUTS_MAX}", cuts.len()))?;
                let sorted = cuts.is_sorted_by(|a, b| (a.term, a.epoch) < (b.term, b.epoch));
                let own = (self.position.term, self.position.epoch);
                let earlier = cuts.last().is_none_or(|cut| (cut.term, cut.epoch) < own);
                rule(sorted && earlier, || "the cuts are not sorted or not earlier".into())
            }
            Body::Draft(draft) => check_draft(draft),
            Body::Answer(answer) => self.check_answer(answer),
        }
    }

    fn check_answer(&self, answer: &Answer) -> Result<(), EncodingError> {
        rule(self.entry == Some(answer.key()), || "the key of an answer does not belong to it".into())?;
        match &answer.outcome {
            Outcome::Accepted(_) => Ok(()),
            Outcome::Refused(reason) => rule(reason.len() <= REASON_BYTES_MAX, || {
                format!("a reason of {} bytes, allowed are {REASON_BYTES_MAX}", reason.len())
            }),
        }
    }
}

fn check_heads(heads: &[Hash]) -> Result<(), EncodingError> {
    rule(heads.len() <= HEADS_MAX, || format!("{} heads, allowed are {HEADS_MAX}", heads.len()))?;
    rule(heads.is_sorted_by(|a, b| a < b), || "the heads are not sorted".into())
}

fn check_draft(draft: &Draft) -> Result<(), EncodingError> {
    let (documents, requests) = (&draft.documents, draft.publish.as_deref().unwrap_or_default());
    let most = documents.len().max(requests.len());
    rule(most <= DRAFT_DOCUMENTS_MAX, || format!("{most} documents, allowed are {DRAFT_DOCUMENTS_MAX}"))?;
    rule(documents.is_sorted_by(|a, b| a.collection < b.collection), || "the documents are not sorted".into())?;
    rule(requests.is_sorted_by(|a, b| a.collection < b.collection), || "the requests are not sorted".into())?;
    check_heads(&draft.based_on)?;
    documents
        .iter()
        .map(|document| &document.heads)
        .chain(requests.iter().map(|request| &request.heads))
        .try_for_each(|heads| check_heads(heads))
}

/// `to - from` as it is written. Both were checked to fit.
fn difference(from: u64, to: u64) -> i64 {
    (to as i64).wrapping_sub(from as i64)
}

fn add(from: u64, difference: i64) -> Result<u64, DecodeError> {
    from.checked_add_signed(difference).ok_or_else(|| DecodeError::message("a time before 1970"))
}

/// Number of fields of the array a record is written as.
const FIELDS: u64 = 14;

impl<C> Encode<C> for Record {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let Position { term, epoch, sequence } = self.position;
        e.array(FIELDS)?.u8(RECORD_VERSION)?;
        e.encode(self.feed.organisation)?.encode(self.feed.collection)?.encode(self.entry)?.u32(self.generation)?;
        e.u32(term)?.u64(epoch)?.u64(sequence)?;
        match self.previous {
            None => e.null()?,
            Some(previous) if previous.term == term => {
                e.array(2)?.i64(difference(epoch, previous.epoch))?.u64(previous.sequence)?
            }
            Some(previous) => {
                e.array(3)?.i64(difference(epoch, previous.epoch))?.u64(previous.sequence)?.u32(previous.term)?
            }
        };
        e.u64(self.list_serial)?.i64(difference(epoch, self.at))?.u64(self.instance)?;
        e.encode(&self.body)?.encode(self.totals)?;
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Record {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        if d.array()? != Some(FIELDS) {
            return Err(DecodeError::message("not a record"));
        }
        if d.u8()? != RECORD_VERSION {
            return Err(DecodeError::message("a record version unknown to this one"));
        }
        let feed = FeedId { organisation: d.decode()?, collection: d.decode()? };
        let (entry, generation) = (d.decode()?, d.u32()?);
        let position = Position { term: d.u32()?, epoch: d.u64()?, sequence: d.u64()? };
        let previous = if d.datatype()? == minicbor::data::Type::Null {
            d.null()?;
            None
        } else {
            let fields = d.array()?;
            let (epoch, sequence) = (add(position.epoch, d.i64()?)?, d.u64()?);
            let term = match fields {
                Some(2) => position.term,
                Some(3) => d.u32()?,
                _ => return Err(DecodeError::message("not a previous position")),
            };
            Some(Position { term, epoch, sequence })
        };
        let (list_serial, at, instance) = (d.u64()?, add(position.epoch, d.i64()?)?, d.u64()?);
        let (body, totals) = (d.decode()?, d.decode()?);
        Ok(Self { feed, entry, generation, position, previous, list_serial, at, instance, body, totals })
    }
}
