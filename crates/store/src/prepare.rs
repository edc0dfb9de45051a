//! Makes a batch ready in the caller's thread: keys as bytes, values compressed, limits checked.

use crate::batch::{Batch, Operation, Origin};
use crate::dictionary::Dictionaries;
use crate::error::StoreError;
use crate::key::{Key, Range};
use crate::table::KEY_BYTES_MAX;
use crate::value::{Prepared, VALUE_BYTES_MAX};

/// Most bytes of one batch, as stored.
pub const BATCH_BYTES_MAX: usize = 64 << 20;

/// Chunks appended together share a row until it has this many bytes.
const CHUNK_ROW_BYTES: usize = 48 * 1024;

/// A batch the writer can write.
#[derive(Debug, Default)]
pub(crate) struct PreparedBatch {
    pub(crate) operations: Vec<PreparedOperation>,
    pub(crate) bytes: usize,
    pub(crate) reserve: bool,
}

#[derive(Debug)]
pub(crate) enum PreparedOperation {
    Put {
        key: Vec<u8>,
        own: bool,
        value: Prepared,
    },
    Delete {
        key: Vec<u8>,
        own: bool,
    },
    DeleteRange {
        prefix: Vec<u8>,
        own: bool,
    },
    /// Rows of chunks; `prefix` is their key without the number.
    Append {
        prefix: Vec<u8>,
        own: bool,
        rows: Vec<Prepared>,
    },
}

/// Samples to train a dictionary from, once there are enough.
pub(crate) type Samples = Option<Vec<Vec<u8>>>;

impl PreparedBatch {
    /// Checks all limits and compresses.
    pub(crate) fn new(batch: Batch, dictionaries: &Dictionaries) -> Result<(Self, Samples), StoreError> {
        let mut prepared = Self { reserve: batch.reserve, ..Self::default() };
        let mut samples = None;
        for (origin, operation) in batch.operations {
            let own = origin == Origin::Own;
            match operation {
                Operation::Put(key, value) => {
                    let compress = compresses(&key);
                    if let (true, Key::Projection { .. }) = (compress, &key) {
                        samples = dictionaries.sample(&value).or(samples);
                    }
                    let key = checked(&key)?;
                    check_value("a value", value.len())?;
                    prepared.put(key, Prepared::new(value, own, compress, dictionaries), own);
                }
                Operation::Delete(key) => {
                    let key = checked(&key)?;
                    prepared.bytes += key.len();
                    prepared.operations.push(PreparedOperation::Delete { key, own });
                }
                Operation::DeleteRange(range) => {
                    prepared.operations.push(PreparedOperation::DeleteRange { prefix: range.prefix(), own });
                }
                Operation::Append(side, document, chunks) => {
                    let mut rows = Vec::new();
                    for row in pack(chunks)? {
                        samples = dictionaries.sample(&row).or(samples);
                        rows.push(Prepared::new(row, own, true, dictionaries));
                    }
                    prepared.bytes += rows.iter().map(Prepared::len).sum::<usize>();
                    let prefix = [&Range::Document(side, document).prefix()[..], b"c"].concat();
                    prepared.operations.push(PreparedOperation::Append { prefix, own, rows });
                }
            }
        }
        check_batch(prepared.bytes)?;
        Ok((prepared, samples))
    }

    /// Adds a row.
    pub(crate) fn put(&mut self, key: Vec<u8>, value: Prepared, own: bool) {
        self.bytes += key.len() + value.len();
        self.operations.push(PreparedOperation::Put { key, own, value });
    }
}

/// The chunks of one row.
pub(crate) fn unpack(mut row: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut chunks = Vec::new();
    while let Some((length, rest)) = row.split_first_chunk::<4>() {
        let (chunk, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        chunks.push(chunk.to_vec());
        row = rest;
    }
    row.is_empty().then_some(chunks)
}

/// Rows of chunks, each chunk after its length.
fn pack(chunks: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut rows: Vec<Vec<u8>> = Vec::new();
    for chunk in chunks {
        check_value("a change chunk", chunk.len() + 4)?;
        let row = match rows.last_mut() {
            Some(row) if row.len() + chunk.len() <= CHUNK_ROW_BYTES => row,
            _ => {
                rows.push(Vec::with_capacity(chunk.len() + 4));
                // It was pushed in the line above.
                rows.last_mut().expect("a row")
            }
        };
        row.extend((chunk.len() as u32).to_be_bytes());
        row.extend(chunk);
    }
    Ok(rows)
}

/// Signatures and hashes do not compress.
fn compresses(key: &Key) -> bool {
    !matches!(
        key,
        Key::Record { .. } | Key::Marker { .. } | Key::Cursor(_) | Key::Statement { .. } | Key::Tombstone { .. }
    )
}

fn checked(key: &Key) -> Result<Vec<u8>, StoreError> {
    if let Key::Custom { table, .. } = key
        && table.len() > 255
    {
        return Err(StoreError::TooLarge { what: "the name of a table".to_owned(), found: table.len(), limit: 255 });
    }
    let bytes = key.encode();
    if bytes.len() > KEY_BYTES_MAX {
        return Err(StoreError::TooLarge { what: "a key".to_owned(), found: bytes.len(), limit: KEY_BYTES_MAX });
    }
    Ok(bytes)
}

fn check_value(what: &str, found: usize) -> Result<(), StoreError> {
    if found > VALUE_BYTES_MAX {
        return Err(StoreError::TooLarge { what: what.to_owned(), found, limit: VALUE_BYTES_MAX });
    }
    Ok(())
}

fn check_batch(found: usize) -> Result<(), StoreError> {
    if found > BATCH_BYTES_MAX {
        return Err(StoreError::TooLarge { what: "a batch".to_owned(), found, limit: BATCH_BYTES_MAX });
    }
    Ok(())
}
