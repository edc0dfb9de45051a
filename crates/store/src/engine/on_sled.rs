//! sled 0.34.7, with the rules under which it survives power cuts (docs: storage). As its documentation uses it, it
//! does not: on Linux its `flush()` is `sync_file_range`, which writes neither the size of the file nor the cache of
//! the drive.

use std::fs::File;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::memory::{after_prefix, first};
use super::{Change, Engine, EngineError, check_limits};

/// Size of a segment, fixed when the database is created. Pages over a quarter of it would become blob files. Larger
/// segments leave more garbage: with 8 MiB, 4,000 entries took 27 to 32 MB, with 1 MiB 18 to 24 MB.
const SEGMENT_BYTES: usize = 1 << 20;

/// How often opening is tried while a database that this process just closed still holds its lock.
const OPEN_ATTEMPTS_MAX: u32 = 100;

/// sled, and our own handle on its file.
pub(crate) struct SledEngine {
    db: sled::Db,
    file: File,
    directory: PathBuf,
    syncs: AtomicU64,
}

impl SledEngine {
    /// Opens or creates a database. sled may panic on a damaged file: that is [`EngineError::Damaged`] here.
    pub(crate) fn open(directory: &Path, cache_bytes: u64) -> Result<Self, EngineError> {
        let fresh = !directory.join("db").exists();
        let config = sled::Config::new()
            .path(directory)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None);
        let db = open_guarded(&config)?;
        let file = File::options().write(true).open(directory.join("db")).map_err(|e| io(&e))?;
        let engine = Self { db, file, directory: directory.to_owned(), syncs: AtomicU64::new(0) };
        if fresh {
            engine.barrier()?;
            for name in ["conf", "blobs", "."] {
                let path = directory.join(name);
                if path.exists() {
                    File::open(path).and_then(|file| file.sync_all()).map_err(|e| io(&e))?;
                }
            }
            if let Some(parent) = directory.parent() {
                File::open(parent).and_then(|file| file.sync_all()).map_err(|e| io(&e))?;
            }
        }
        Ok(engine)
    }
}

impl Engine for SledEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        guarded(|| Ok(self.db.get(key).map_err(from_sled)?.map(|value| value.to_vec())))
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), EngineError> {
        guarded(|| {
            for row in self.db.range::<&[u8], _>((first(prefix, after), Bound::Unbounded)) {
                let (key, value) = row.map_err(from_sled)?;
                if !key.starts_with(prefix) || !visit(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn last_key(&self, prefix: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let end = after_prefix(prefix);
        guarded(|| {
            let range = (Bound::Included(prefix), end.as_ref().map(Vec::as_slice));
            match self.db.range::<&[u8], _>(range).next_back() {
                Some(row) => Ok(Some(row.map_err(from_sled)?.0.to_vec())),
                None => Ok(None),
            }
        })
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), EngineError> {
        check_limits(&changes)?;
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        guarded(|| self.db.apply_batch(batch).map_err(from_sled))
    }

    fn barrier(&self) -> Result<(), EngineError> {
        guarded(|| self.db.flush().map_err(from_sled))?;
        self.file.sync_data().map_err(|e| io(&e))?;
        self.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn disk_bytes(&self) -> Result<u64, EngineError> {
        directory_bytes(&self.directory).map_err(|e| io(&e))
    }

    fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::SeqCst)
    }
}

/// Bytes of all files below a directory. Files that vanish meanwhile do not count.
pub(crate) fn directory_bytes(directory: &Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for item in std::fs::read_dir(directory)? {
        let item = item?;
        match item.metadata() {
            Ok(metadata) if metadata.is_dir() => sum += directory_bytes(&item.path()).unwrap_or(0),
            Ok(metadata) => sum += metadata.len(),
            Err(_) => {}
        }
    }
    Ok(sum)
}

/// In a thread of its own, because sled panics on some damaged files. It also gives back its lock a little after it
/// was dropped; nobody else can hold it, since the directory has a lock of ours.
fn open_guarded(config: &sled::Config) -> Result<sled::Db, EngineError> {
    for _ in 0..OPEN_ATTEMPTS_MAX {
        let config = config.clone();
        match std::thread::spawn(move || config.open()).join() {
            Ok(Ok(db)) => return Ok(db),
            Ok(Err(error)) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(Duration::from_millis(20));
            }
            // Our settings never change, so sled finds others only in a damaged file.
            Ok(Err(sled::Error::Unsupported(text))) => return Err(EngineError::Damaged(text)),
            Ok(Err(error)) => return Err(from_sled(error)),
            Err(panic) => return Err(EngineError::Damaged(panic_text(&*panic))),
        }
    }
    Err(EngineError::Io("the database is locked by another process".to_owned()))
}

fn guarded<T>(action: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(|panic| Err(EngineError::Damaged(panic_text(&*panic))))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("sled gave up: {}", text.unwrap_or("without a reason").lines().next().unwrap_or_default())
}

fn from_sled(error: sled::Error) -> EngineError {
    match error {
        sled::Error::Corruption { at, .. } => EngineError::Damaged(match at {
            Some(at) => format!("wrong checksum at {at}"),
            None => "wrong checksum".to_owned(),
        }),
        sled::Error::ReportableBug(text) => EngineError::Damaged(text),
        other => EngineError::Io(other.to_string()),
    }
}

fn io(error: &std::io::Error) -> EngineError {
    EngineError::Io(error.to_string())
}
