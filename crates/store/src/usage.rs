//! How much space is used, and whether compaction is worth its work.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crate::engine::directory_bytes;
use crate::error::StoreError;
use crate::store::Store;
use crate::types::Usage;

/// Compaction is advised when the directory has more bytes than this many times the payload (as stored, compressed to a
/// third or so; a compacted database of small rows has 2.0 to 2.6) ...
pub const AMPLIFICATION_MAX: f64 = 3.5;

/// ... and more than this ...
pub const COMPACT_BYTES_MIN: u64 = 16 << 20;

/// ... and more than this many times what it had after the last compaction.
const REGROWN: f64 = 1.5;

impl Store {
    /// An error while the disk is too full to write anything; then every write is refused with the same.
    pub fn room(&self) -> Result<(), StoreError> {
        self.shared().check_disk(0)
    }

    /// Space used. Cheap; the payload is counted anew when much was written since the last time.
    pub fn usage(&self) -> Result<Usage, StoreError> {
        let known = *self.shared().usage.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            Some(known) if self.shared().written.load(Ordering::SeqCst) < (known.payload_bytes / 4).max(1 << 20) => {
                self.with_disk(known.payload_bytes, known.rows)
            }
            _ => self.measure(),
        }
    }

    /// Counts the payload by reading all rows.
    pub(crate) fn measure(&self) -> Result<Usage, StoreError> {
        self.shared().written.store(0, Ordering::SeqCst);
        let (mut rows, mut bytes) = (0, 0);
        let mut after: Option<Vec<u8>> = None;
        loop {
            let (mut page, mut last) = (0, Vec::new());
            self.shared().read(|table| {
                let scanned = table.engine().scan(&[], after.as_deref(), &mut |key, value| {
                    rows += 1;
                    bytes += (key.len() + value.len()) as u64;
                    page += 1;
                    if page == PAGE_ROWS {
                        last = key.to_vec();
                    }
                    page < PAGE_ROWS
                });
                scanned.map_err(Into::into)
            })?;
            if page < PAGE_ROWS {
                break;
            }
            after = Some(last);
        }
        let usage = self.with_disk(bytes, rows)?;
        *self.shared().usage.lock().unwrap_or_else(PoisonError::into_inner) = Some(usage);
        Ok(usage)
    }

    fn with_disk(&self, payload_bytes: u64, rows: u64) -> Result<Usage, StoreError> {
        let database_bytes = self.shared().read(|table| Ok(table.engine().disk_bytes()?))?;
        let disk_bytes = match &self.shared().directory {
            Some(directory) => directory_bytes(directory).map_err(|e| StoreError::io(directory, &e))?,
            None => database_bytes,
        };
        let amplification = disk_bytes as f64 / payload_bytes.max(1) as f64;
        Ok(Usage {
            disk_bytes,
            database_bytes,
            own_log_bytes: self.shared().own_log_bytes.load(Ordering::SeqCst),
            payload_bytes,
            rows,
            amplification,
            compact_advised: amplification > AMPLIFICATION_MAX
                && disk_bytes > COMPACT_BYTES_MIN
                && disk_bytes as f64 > REGROWN * self.shared().compacted_bytes.load(Ordering::SeqCst) as f64,
        })
    }
}

/// Rows counted while readers and the writer share the table.
const PAGE_ROWS: usize = 4096;
