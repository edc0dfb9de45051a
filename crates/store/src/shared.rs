//! What all handles and the writer share.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

use ortsnetz_model::{DocumentId, FeedId};

use crate::dictionary::Dictionaries;
use crate::engine::EngineError;
use crate::error::StoreError;
use crate::key::{INTERNAL, Key};
use crate::table::{ReadError, Table};
use crate::types::{Options, Usage};
use crate::value;

/// Names of files in the directory of a store.
pub(crate) const LOCK_FILE: &str = "lock";
/// The log of rows no partner can give back.
pub(crate) const OWN_LOG: &str = "own.log";
/// One large batch that is being written.
pub(crate) const REDO_FILE: &str = "redo.log";
/// Names the directory of the database.
pub(crate) const CURRENT_FILE: &str = "current";
/// Tells the next start that the database is damaged.
pub(crate) const DAMAGED_FILE: &str = "damaged";
/// Says which change the database surely has.
pub(crate) const SYNCED_FILE: &str = "synced";
/// Here while an import runs.
pub(crate) const IMPORTING_FILE: &str = "importing";

/// What lies behind every handle.
pub(crate) struct Shared {
    pub(crate) table: RwLock<Table>,
    pub(crate) dictionaries: Dictionaries,
    pub(crate) failed: OnceLock<StoreError>,
    pub(crate) change: AtomicU64,
    pub(crate) id: [u8; 16],
    pub(crate) directory: Option<PathBuf>,
    pub(crate) options: Options,
    /// Held until the last handle is gone or the store is closed.
    pub(crate) lock: Mutex<Option<File>>,
    pub(crate) own_log_bytes: AtomicU64,
    pub(crate) own_log_syncs: AtomicU64,
    /// Bytes written since the payload was counted.
    pub(crate) written: AtomicU64,
    pub(crate) usage: Mutex<Option<Usage>>,
    /// Bytes on disk after the last compaction.
    pub(crate) compacted_bytes: AtomicU64,
    /// Held by whoever exports or compacts.
    pub(crate) maintenance: Mutex<()>,
}

impl Shared {
    /// Reads from the table, as of one moment.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Table) -> Result<T, ReadError>) -> Result<T, StoreError> {
        self.alive()?;
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        read(&table).map_err(|error| match error {
            ReadError::Engine(error) => self.fail(&error),
            ReadError::Damaged(key, detail) => StoreError::damaged(describe(&key), detail),
        })
    }

    /// A sealed value as it was given.
    pub(crate) fn open(&self, key: &[u8], bytes: &[u8]) -> Result<(value::Header, Vec<u8>), StoreError> {
        value::open(key, bytes, &self.dictionaries).map_err(|detail| StoreError::damaged(describe(key), detail))
    }

    /// Visits the rows of a prefix with their values as given; nothing is locked while `visit` runs.
    pub(crate) fn visit(&self, prefix: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.read(|table| table.page(prefix, after.as_deref(), PAGE_ROWS))?;
            for (key, bytes) in &page {
                let (header, value) = self.open(key, bytes)?;
                if !visit(key, header, value) {
                    return Ok(());
                }
            }
            match page.into_iter().next_back() {
                Some((key, _)) => after = Some(key),
                None => return Ok(()),
            }
        }
    }

    /// An error if the store stopped.
    pub(crate) fn alive(&self) -> Result<(), StoreError> {
        match self.failed.get() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Stops the store for good. A damaged database is rebuilt when it is opened the next time.
    pub(crate) fn fail(&self, error: &EngineError) -> StoreError {
        if let (EngineError::Damaged(detail), Some(directory)) = (error, &self.directory) {
            let path = directory.join(DAMAGED_FILE);
            // If this fails too, opening finds the damage or the next read does.
            let _ = std::fs::write(&path, detail);
        }
        self.stop(StoreError::Failed(error.to_string()))
    }

    /// Stops the store for good; the first reason stays.
    pub(crate) fn stop(&self, error: StoreError) -> StoreError {
        if !matches!(error, StoreError::Closed) {
            tracing::error!(%error, "store stopped");
        }
        self.failed.get_or_init(|| error).clone()
    }

    /// An error while too little is free on the disk.
    pub(crate) fn check_disk(&self, bytes: u64) -> Result<(), StoreError> {
        match &self.directory {
            Some(directory) => check_disk(directory, self.options.disk_free_min.saturating_add(bytes)),
            None => Ok(()),
        }
    }

    /// The same for what may use the space that is kept free: as much is needed as for opening the store.
    pub(crate) fn check_reserve(&self, bytes: u64) -> Result<(), StoreError> {
        match &self.directory {
            Some(directory) => check_disk(directory, (self.options.disk_free_min / OPEN_SHARE).saturating_add(bytes)),
            None => Ok(()),
        }
    }

    pub(crate) fn newest_change(&self) -> u64 {
        self.change.load(Ordering::SeqCst)
    }
}

/// A store opens while this part of the space is free below which nothing is written.
pub(crate) const OPEN_SHARE: u64 = 4;

/// Gets key, header and value of a row; returns false to stop.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], value::Header, Vec<u8>) -> bool;

/// Rows read at once; nothing is locked between pages.
pub(crate) const PAGE_ROWS: usize = 512;

/// An error if fewer bytes are free.
pub(crate) fn check_disk(directory: &Path, needed: u64) -> Result<(), StoreError> {
    let free = fs4::available_space(directory).map_err(|e| StoreError::io(directory, &e))?;
    if free < needed {
        return Err(StoreError::DiskFull { path: directory.to_owned(), free, needed });
    }
    Ok(())
}

/// The name of a row for people.
pub(crate) fn describe(key: &[u8]) -> String {
    match Key::decode(key) {
        Some(key) => name(&key),
        None if key.first() == Some(&INTERNAL) => format!("internal row {}", String::from_utf8_lossy(key)),
        None => format!("row {key:02x?}"),
    }
}

/// Whole ids, so that one can look for them.
fn name(key: &Key) -> String {
    let feed = |feed: &FeedId| format!("{} of organisation {}", feed.collection, feed.organisation);
    let of = |document: &DocumentId| {
        format!("entry {} generation {} in {}", document.entry, document.generation, document.collection)
    };
    match key {
        Key::Statement { organisation, number } => format!("statement {number} of organisation {organisation}"),
        Key::Record { feed: id, entry } => format!("record of entry {entry} in {}", feed(id)),
        Key::Marker { feed: id, position } => format!("record {position} in {}", feed(id)),
        Key::Cursor(id) => format!("cursor of {}", feed(id)),
        Key::Chunks { side, document, number } => format!("{side:?} changes {number} of {}", of(document)),
        Key::Snapshot { side, document } => format!("{side:?} snapshot of {}", of(document)),
        Key::Projection { side, collection, entry } => format!("{side:?} projection of entry {entry} in {collection}"),
        Key::SetAside { feed: id, position, hash } => format!("set aside {position} {hash} in {}", feed(id)),
        Key::Tombstone { collection, entry } => format!("tombstone of entry {entry} in {collection}"),
        other => format!("{other:?}"),
    }
}
