//! What the store needs from a database, so that sled can be left behind one day: garage could do the same.

mod memory;
mod on_sled;
#[cfg(test)]
mod suite;

pub(crate) use memory::MemoryEngine;
pub(crate) use on_sled::{SledEngine, directory_bytes};

/// Longest value of one row. A page of sled has up to 17 rows; one over a quarter of a segment would become a blob file,
/// which sled never syncs.
pub(crate) const ROW_BYTES_MAX: usize = 8 * 1024;

/// Longest key of one row.
pub(crate) const ROW_KEY_BYTES_MAX: usize = 1024;

/// Most rows of one atomic write. Larger batches make sled keep gigabytes of garbage.
pub(crate) const ROWS_PER_APPLY_MAX: usize = 200;

/// A row to write: key and value, or no value to delete it.
pub(crate) type Change = (Vec<u8>, Option<Vec<u8>>);

/// An ordered map of bytes on disk.
pub(crate) trait Engine: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// Visits the rows whose keys begin with `prefix` in order, the first being the first after `after`, until `visit`
    /// returns false.
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), EngineError>;

    /// The last key that begins with `prefix`.
    fn last_key(&self, prefix: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// Writes all of the changes or, after a crash, none; readers see them at once. Keys are distinct. Refuses more than
    /// [`ROWS_PER_APPLY_MAX`] rows and values over [`ROW_BYTES_MAX`]. Called by one thread only.
    fn apply(&self, changes: Vec<Change>) -> Result<(), EngineError>;

    /// Returns when everything applied before is durable, also after a power cut.
    fn barrier(&self) -> Result<(), EngineError>;

    /// Bytes used on disk.
    fn disk_bytes(&self) -> Result<u64, EngineError>;

    /// How often a barrier reached the disk since opening.
    fn syncs(&self) -> u64;
}

/// Why the database could not do it. After the first two it must be opened again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("the database is damaged: {0}")]
    Damaged(String),
    #[error("{0}")]
    Io(String),
    #[error("{rows} rows in one write, at most {ROWS_PER_APPLY_MAX} are possible")]
    TooManyRows { rows: usize },
    #[error("a row of {bytes} bytes, at most {ROW_BYTES_MAX} are possible (key {ROW_KEY_BYTES_MAX})")]
    RowTooLarge { bytes: usize },
}

fn check_limits(changes: &[Change]) -> Result<(), EngineError> {
    if changes.len() > ROWS_PER_APPLY_MAX {
        return Err(EngineError::TooManyRows { rows: changes.len() });
    }
    for (key, value) in changes {
        let bytes = value.as_ref().map_or(0, Vec::len);
        if bytes > ROW_BYTES_MAX || key.len() > ROW_KEY_BYTES_MAX {
            return Err(EngineError::RowTooLarge { bytes: bytes.max(key.len()) });
        }
    }
    Ok(())
}
