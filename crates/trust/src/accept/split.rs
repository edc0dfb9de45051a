//! Taking apart a delivery that serves several documents.

use ortsnetz_model::Hash;

use super::{Refusal, read, walk};

/// The chunks of a delivery that lead from these heads down to whatever is not delivered, each after what it builds on.
/// A draft brings the changes of home and companion documents together; each document is judged with its own part.
///
/// # Errors
/// Bytes that are no raw changes, or too many.
pub fn part_of(heads: &[Hash], chunks: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Refusal> {
    let delivered = read(chunks, heads)?;
    let (needed, _) = walk(None, heads, &delivered);
    Ok(needed.iter().filter_map(|hash| delivered.get(hash)).map(|head| head.to_chunk().into_bytes()).collect())
}
