//! What goes in and out of the store besides batches and keys.

use std::path::PathBuf;

use ortsnetz_model::{EntryId, FeedId, Hash, OrgId, Position};

/// Writes are refused while less than this is free on the disk (bytes). sled cannot even be opened on a full disk.
pub const DISK_FREE_MIN: u64 = 64 << 20;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Writes are refused while fewer bytes than this are free on the disk.
    pub disk_free_min: u64,
    /// Memory for cached pages, in bytes.
    pub cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { disk_free_min: DISK_FREE_MIN, cache_bytes: 64 << 20 }
    }
}

/// What happened while opening.
#[derive(Clone, Debug, Default)]
pub struct OpenReport {
    /// The database was damaged and moved to this directory; what is here now comes from the own log. Partners' data
    /// must be fetched again.
    pub rebuilt: Option<PathBuf>,
    /// Why it was rebuilt, and places where the own log is damaged.
    pub problems: Vec<Problem>,
    /// Batches taken from the own log because the database did not have them yet.
    pub replayed: u64,
    /// Bytes of an unfinished write cut from the end of the own log.
    pub torn_bytes: u64,
}

/// Something `check` or opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The row or file.
    pub what: String,
    /// What is wrong with it.
    pub detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.detail)
    }
}

/// Answer to a batch that is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Number of the change; every later one has a higher number.
    pub change: u64,
}

/// The newest record of an entry in a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The feed.
    pub feed: FeedId,
    /// The entry.
    pub entry: EntryId,
    /// Its position in the feed.
    pub position: Position,
    /// The generation of the entry.
    pub generation: u32,
    /// Whether a published document and a projection lie beside it.
    pub document: bool,
    /// Number of the change that wrote it (see [`Committed`]).
    pub change: u64,
    /// The signed bytes.
    pub bytes: Vec<u8>,
}

/// A stored document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// A loaded form that was saved.
    pub snapshot: Option<Vec<u8>>,
    /// All raw change chunks, in the order they were added.
    pub chunks: Vec<Vec<u8>>,
}

/// How thorough [`Store::check`](crate::Store::check) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Checksums of all rows and of the own log, and that records, documents and projections lie beside each other.
    Fast,
    /// Also that the own log says the same, the hashes of all chunks, that the signed heads are reached, and signatures.
    Full,
}

/// What a verifier read from a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFacts {
    /// The heads the published document must have; empty if there is none.
    pub heads: Vec<Hash>,
}

/// Knows signatures; the node passes one to [`Store::check`](crate::Store::check). Errors are one line each.
pub trait Verifier: Send + Sync {
    /// Verifies a record of a feed and says what it promises.
    fn record(&self, record: &Record) -> Result<RecordFacts, String>;

    /// Verifies a statement of an organisation.
    fn statement(&self, _organisation: &OrgId, _number: u32, _bytes: &[u8]) -> Result<(), String> {
        Ok(())
    }

    /// Hashes of the fixed changes, which every document has and no store keeps.
    fn fixed_changes(&self) -> Vec<Hash> {
        Vec::new()
    }
}

/// Space used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Bytes on disk: database, own log and everything else in the directory.
    pub disk_bytes: u64,
    /// Bytes of the database alone.
    pub database_bytes: u64,
    /// Bytes of the own log.
    pub own_log_bytes: u64,
    /// Bytes of all live rows, keys and values as they are stored (compressed).
    pub payload_bytes: u64,
    /// Number of live rows.
    pub rows: u64,
    /// Bytes on disk for each byte of payload.
    pub amplification: f64,
    /// Whether a compaction is worth its work now.
    pub compact_advised: bool,
}

/// How often the disk was told to keep what was written, since opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Syncs {
    /// Syncs of the database file.
    pub database: u64,
    /// Syncs of the own log.
    pub own_log: u64,
}
