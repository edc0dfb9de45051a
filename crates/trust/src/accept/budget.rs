//! How many operations a change expands to, from the run lengths of its columns alone. A few bytes can stand for
//! millions of operations, and automerge expands them while parsing.

use super::chunk::{ChunkHead, Reader};
use super::{Refusal, within};
use crate::limits::CHANGE_OPERATIONS_MAX;

/// Bytes the strings of one column may expand to. Repeated keys are cheap to write and expensive to hold.
const STRINGS_BYTES_MAX: u64 = 4 * 1024 * 1024;

const DEFLATED: u64 = 0b1000;
const TYPE_BITS: u64 = 0b0111;

/// The number of operations, as the longest column tells it. Refuses more than a change may have.
pub(super) fn operations(head: &ChunkHead<'_>) -> Result<u64, Refusal> {
    let mut most = 0;
    for (specification, content) in &head.columns {
        if specification & DEFLATED != 0 {
            return Err(Refusal::NotAChange("a column is compressed"));
        }
        let rows = match specification & TYPE_BITS {
            // Group: how many children each row has. The children have columns of their own, but missing ones count as
            // null, so the sum counts here.
            0 => {
                let (rows, children) = runs(content, |reader| reader.unsigned())?;
                rows.max(children)
            }
            // Actor, integer, value metadata.
            1 | 2 | 6 => runs(content, |reader| reader.unsigned().map(|_| 0))?.0,
            // Differences.
            3 => runs(content, |reader| reader.signed().map(|_| 0))?.0,
            4 => alternating(content)?,
            5 => {
                let (rows, bytes) = runs(content, |reader| {
                    let length = reader.unsigned()?;
                    reader.take(length).map(|text| text.len() as u64)
                })?;
                within("bytes of repeated strings in a change", bytes, STRINGS_BYTES_MAX)?;
                rows
            }
            // Values themselves: plain bytes, as many as there are.
            _ => 0,
        };
        within("operations in a change", rows, CHANGE_OPERATIONS_MAX)?;
        most = most.max(rows);
    }
    Ok(most)
}

/// Run-length encoding: a positive count repeats one value, a negative one introduces as many values, zero is followed
/// by a count of nulls. Returns the number of rows and the sum of the values' weights.
fn runs(
    content: &[u8],
    mut weight: impl FnMut(&mut Reader<'_>) -> Result<u64, Refusal>,
) -> Result<(u64, u64), Refusal> {
    let mut reader = Reader(content);
    let (mut rows, mut sum) = (0u64, 0u64);
    while !reader.0.is_empty() {
        let count = reader.signed()?;
        if count == 0 {
            rows = rows.saturating_add(reader.unsigned()?);
            continue;
        }
        let length = count.unsigned_abs();
        rows = rows.saturating_add(length);
        if count > 0 {
            sum = sum.saturating_add(weight(&mut reader)?.saturating_mul(length));
        } else {
            // Each value takes at least a byte, so this ends with the content.
            for _ in 0..length {
                sum = sum.saturating_add(weight(&mut reader)?);
            }
        }
    }
    Ok((rows, sum))
}

/// Booleans: counts of false and true by turns.
fn alternating(content: &[u8]) -> Result<u64, Refusal> {
    let mut reader = Reader(content);
    let mut rows = 0u64;
    while !reader.0.is_empty() {
        rows = rows.saturating_add(reader.unsigned()?);
    }
    Ok(rows)
}
