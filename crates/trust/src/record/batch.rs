//! Batches: up to 64 records of one feed that are signed and stored together and share one tree root.

use super::{Record, SignedRecord};
use crate::canonical::EncodingError;
use crate::keys::NodeKey;
use crate::limits::BATCH_RECORDS_MAX;

/// Why records are not a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No record at all.
    #[error("a batch without records")]
    Empty,
    /// More records than may share a root.
    #[error("{0} records in one batch, allowed are {BATCH_RECORDS_MAX}")]
    TooMany(usize),
    /// Records of different feeds.
    #[error("record {0} of the batch belongs to another feed")]
    OtherFeed(usize),
    /// Positions do not follow each other.
    #[error("record {0} of the batch does not follow the one before it")]
    NotConsecutive(usize),
    /// The last record lacks the totals, or an earlier one has them.
    #[error("record {0} of the batch: the last record, and only it, carries the totals")]
    Totals(usize),
    /// A record breaks a rule or a limit.
    #[error("record {0} of the batch: {1}")]
    Record(usize, EncodingError),
}

/// Checks the shape of a batch: one feed, consecutive sequences in one epoch, totals on the last record only.
pub fn check_batch<'a>(records: impl ExactSizeIterator<Item = &'a Record>) -> Result<(), BatchError> {
    let count = records.len();
    if count == 0 {
        return Err(BatchError::Empty);
    }
    if count > BATCH_RECORDS_MAX {
        return Err(BatchError::TooMany(count));
    }
    let mut before: Option<&Record> = None;
    for (at, record) in records.enumerate() {
        if let Some(before) = before {
            if before.feed != record.feed {
                return Err(BatchError::OtherFeed(at));
            }
            let mut expected = before.position;
            expected.sequence = expected.sequence.wrapping_add(1);
            if record.position != expected {
                return Err(BatchError::NotConsecutive(at));
            }
        }
        if record.totals.is_some() != (at + 1 == count) {
            return Err(BatchError::Totals(at));
        }
        before = Some(record);
    }
    Ok(())
}

/// Signs a batch of one feed. A change that touches several feeds is several batches, stored together.
pub fn sign_batch(records: Vec<Record>, key: &NodeKey) -> Result<Vec<SignedRecord>, BatchError> {
    check_batch(records.iter())?;
    records
        .into_iter()
        .enumerate()
        .map(|(at, record)| SignedRecord::sign(record, key).map_err(|error| BatchError::Record(at, error)))
        .collect()
}
